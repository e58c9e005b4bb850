//! Patterns, for tags and names: `*` is any run of characters, `?` one character, every other character stands for
//! itself.

use std::fmt;

/// A pattern that a whole tag has to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty, longer than a tag can be, or has a character that no tag has.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'*' | b'?');
        if text.is_empty() {
            return Err("a pattern must not be empty");
        }
        if text.len() > 128 || !text.bytes().all(allowed) {
            return Err(
                "a pattern is at most 128 letters, digits, `_`, `.`, `-`, `*` (any run of characters) and `?` (one \
                 character)",
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether a whole tag matches.
    pub fn matches(&self, tag: &str) -> bool {
        matches(&self.0, tag)
    }
}

/// Whether a whole text matches a pattern. The time is at most proportional to the product of both lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut place) = (0, 0);
    // Where to continue if the last `*` has to stand for one character more.
    let mut retry: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, place));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[place] => {
                at += 1;
                place += 1;
            }
            Some(_) | None => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    at = after;
                    place = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

impl fmt::Display for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_tags() {
        for (pattern, tag, expected) in [
            ("*-alpine", "22.1.0-alpine", true),
            ("*-alpine", "22.1.0-alpine3.20", false),
            ("*-alpine*", "22.1.0-alpine3.20", true),
            ("3.1?-slim", "3.11-slim", true),
            ("3.1?-slim", "3.1-slim", false),
            ("latest", "latest", true),
            ("latest", "latest-alpine", false),
            ("*", "anything", true),
            ("*a*b*c", "xxaxxbxbxc", true),
            ("*a*b*c", "xxaxxbxbx", false),
            ("**", "x", true),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(tag), expected, "{pattern} {tag}");
        }
        assert!(Glob::parse("").is_err() && Glob::parse("[ab]").is_err() && Glob::parse("a b").is_err());
    }
}
