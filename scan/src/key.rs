//! Names as keys in the YAML that this crate writes.

/// A name as a YAML key: unquoted only where YAML reads it as this very text.
pub(crate) fn plain_or_quoted(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'.'))
        && !matches!(
            name.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    // A JSON string is also a YAML string.
    if plain { name.to_owned() } else { serde_json::json!(name).to_string() }
}
