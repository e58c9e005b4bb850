//! Names as keys of YAML that is written here.

/// A name as a YAML key: plain where nothing else can be meant.
pub(crate) fn plain_or_quoted(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'.'))
        && !matches!(
            name.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    // A text of JSON is one of YAML.
    if plain { name.to_owned() } else { serde_json::json!(name).to_string() }
}
