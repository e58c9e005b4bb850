//! Other people's text made harmless: for a terminal, for a log that a CI system reads commands from.

/// The text on one line, without anything that a terminal or a reader would take for more than text: control characters
/// and those that turn the direction of writing are shown by their number.
pub fn harmless(text: &str) -> String {
    let is_plain = |character: char| {
        !character.is_control()
            && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    text.chars().map(|character| if is_plain(character) { character.to_string() } else { character.escape_default().to_string() }).collect()
}

/// A path at the beginning of a line: a CI system takes a line that begins with `::` or `##` for a command.
pub fn harmless_path(path: &str) -> String {
    let path = harmless(path);
    if path.starts_with([':', '#']) { format!("./{path}") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_text_is_left() {
        assert_eq!(harmless("a\u{1b}[2Jb\nc\u{202e}d é"), "a\\u{1b}[2Jb\\nc\\u{202e}d é");
        assert_eq!(harmless_path("::error::x\n::y"), "./::error::x\\n::y");
        assert_eq!(harmless_path("##[section]x"), "./##[section]x");
    }
}
