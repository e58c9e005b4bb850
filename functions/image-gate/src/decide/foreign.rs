//! Makes text that somebody else wrote harmless: a reason is read in consoles, terminals, chats and mails.

/// How many characters of a value are shown.
const SHOWN: usize = 80;

/// The text without what could act where it is read: control characters and line ends, characters that turn or hide
/// what stands beside them, and the angle brackets of chat commands and markup.
pub fn harmless(text: &str) -> String {
    text.chars()
        .filter(|character| !turns_or_hides(*character))
        .map(|character| match character {
            '<' => '‹',
            '>' => '›',
            control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}') => ' ',
            other => other,
        })
        .collect()
}

/// The beginning of a value, harmless and safe between backticks.
pub fn shown(text: &str) -> String {
    let mut shown: String = harmless(text).replace('`', "'").chars().take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}

/// Direction marks, joiners, and other characters without a width.
const fn turns_or_hides(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_foreign_text_acts_where_it_is_read() {
        for (text, expected) in [
            ("a\r\n::error::b", "a  ::error::b"),
            ("\u{1b}[31mred\u{7}", " [31mred "),
            ("<!channel> <https://evil.example|click>", "‹!channel› ‹https://evil.example|click›"),
            ("<script>", "‹script›"),
            ("a\u{202e}b\u{200b}c\u{2028}d", "abc d"),
            ("1.4.3-\u{fc}", "1.4.3-\u{fc}"),
        ] {
            assert_eq!(harmless(text), expected);
        }
        assert_eq!(shown("a`b"), "a'b");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), SHOWN + 1);
    }
}
