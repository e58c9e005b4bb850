//! Brings a reason into one shape before it is matched, and masks what must not be repeated.
//!
//! The same message comes wrapped by a console, with typographic quotes, or with the name of containerd's reader
//! misspelt by AWS. After this it reads the same, except for its case, which matching ignores.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::Regex;

/// Longest evidence that is kept of one text.
const EVIDENCE: usize = 1_100;

/// The text on one line with single spaces and straight quotes.
pub(super) fn normalise(text: &str) -> Cow<'_, str> {
    if is_normal(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut escape = Escape::Outside;
    for character in text.chars() {
        escape = escape.next(character);
        if escape != Escape::Outside {
            continue;
        }
        match character {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' => out.push('\''),
            '\u{201c}' | '\u{201d}' => out.push('"'),
            _ if character.is_whitespace() || character == '\u{200b}' => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            _ => out.push(character),
        }
    }
    out.truncate(out.trim_end().len());
    if out.contains("eaderSeeker") {
        out = out.replace("httpReaderSeeker", "httpReadSeeker");
    }
    Cow::Owned(out)
}

fn is_normal(text: &str) -> bool {
    text.is_ascii()
        && !text.bytes().any(|byte| byte < b' ')
        && !text.contains("  ")
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.contains("eaderSeeker")
}

/// Where in a terminal colour sequence (`ESC [ 31 m`) a character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    Outside,
    Begun,
    Inside,
    Ended,
}

impl Escape {
    fn next(self, character: char) -> Self {
        match (self, character) {
            (Self::Outside | Self::Ended, '\u{1b}') => Self::Begun,
            (Self::Begun, '[') => Self::Inside,
            (Self::Inside, '@'..='~') => Self::Ended,
            (Self::Inside, _) => Self::Inside,
            (Self::Begun | Self::Outside | Self::Ended, _) => Self::Outside,
        }
    }
}

/// How many times the pull was tried, from `... has been retried N time(s)` of the image pull itself.
pub(super) fn attempts(text: &str) -> Option<u32> {
    const RETRIED: &str = " has been retried ";
    let at = text.find(RETRIED)?;
    let what = text.get(..at)?;
    if what.to_ascii_lowercase().ends_with("service call") {
        return None;
    }
    let digits: String = text.get(at + RETRIED.len()..)?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Words that only texts with something to mask contain.
static SUSPECTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = [
        "://",
        "x-amz-",
        "signature=",
        "password",
        "passwd",
        "pwd=",
        "secret",
        "token",
        "bearer ",
        "basic ",
        "api_key",
        "apikey",
        "api-key",
        "akia",
        "asia",
        "private key",
        "credential",
    ];
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

static MASKS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // The query of a URL: signatures and session tokens of layer downloads.
        (r#"(?i)(https?://[^\s"'?]+)\?[^\s"']+"#, "$1?[masked]"),
        (r#"(?i)\b(x-amz-[a-z-]+|signature|awsaccesskeyid)=[^\s&"']+"#, "$1=[masked]"),
        // User and password of a connection string.
        (r#"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@:"']*:[^\s/@"']+@"#, "$1[masked]@"),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", "[masked]"),
        (r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{12,}", "$1 [masked]"),
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+", "[masked]"),
        // An assignment to something that is called a secret; a name alone (`SECRET_KEY is not set`) stays.
        (
            r#"(?i)\b([a-z0-9_.-]*(?:password|passwd|pwd|secret(?:[_-]?(?:access)?[_-]?key)?|token|api[_-]?key|private[_-]?key)["']?\s*[=:]\s*["']?)([^\s"',;&)}\]\[]{4,})"#,
            "$1[masked]",
        ),
    ]
    .into_iter()
    // The expressions are constants; a test compiles them all.
    .filter_map(|(pattern, with)| Regex::new(pattern).ok().map(|regex| (regex, with)))
    .collect()
});

/// The text with signed URLs, credentials and values of secrets masked, cut to a length that a person reads.
pub(in crate::domain) fn redact(text: &str) -> String {
    let mut out = Cow::Borrowed(text);
    if SUSPECTS.as_ref().is_none_or(|suspects| suspects.is_match(text)) {
        for (mask, with) in MASKS.iter() {
            if let Cow::Owned(changed) = mask.replace_all(&out, *with) {
                out = Cow::Owned(changed);
            }
        }
    }
    if out.len() <= EVIDENCE {
        return out.into_owned();
    }
    let end = (0..=EVIDENCE).rev().find(|index| out.is_char_boundary(*index)).unwrap_or_default();
    format!("{}…", &out[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_wraps_quotes_colours_and_misspellings() {
        assert_eq!(normalise("The task can\u{2019}t\n   pull the\timage "), "The task can't pull the image");
        assert_eq!(normalise("failed to copy: httpReaderSeeker: failed open"), "failed to copy: httpReadSeeker: failed open");
        assert_eq!(normalise("\u{1b}[31mERROR\u{1b}[0m: boom"), "ERROR: boom");
        assert!(matches!(normalise("plain text"), Cow::Borrowed(_)));
    }

    #[test]
    fn counts_attempts_of_pulls_only() {
        assert_eq!(attempts("CannotPullContainerError: pull image manifest has been retried 7 time(s): 429"), Some(7));
        assert_eq!(attempts("unable to retrieve secrets from ssm: service call has been retried 3 time(s): x"), None);
        assert_eq!(attempts("ref pull has been retried ... httpReadSeeker"), None);
    }

    #[test]
    fn masks_signed_urls_and_secrets_but_not_names() {
        assert_eq!(MASKS.len(), 7);
        for (text, masked) in [
            (
                "Get \"https://b.s3.amazonaws.com/k?X-Amz-Security-Token=abc&X-Amz-Signature=1\": EOF",
                "Get \"https://b.s3.amazonaws.com/k?[masked]\": EOF",
            ),
            ("postgres://app:hunter2@db:5432/x refused", "postgres://[masked]@db:5432/x refused"),
            ("DB_PASSWORD=hunter22 was rejected", "DB_PASSWORD=[masked] was rejected"),
            ("{\"token\":\"abcdefgh\"}", "{\"token\":\"[masked]\"}"),
            ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer [masked]"),
            ("RuntimeError: SECRET_KEY is not set", "RuntimeError: SECRET_KEY is not set"),
            ("secret arn:aws:secretsmanager:x", "secret arn:aws:secretsmanager:x"),
        ] {
            assert_eq!(redact(text), masked);
        }
    }

    #[test]
    fn cuts_long_evidence_at_a_character() {
        let cut = redact(&"é".repeat(2_000));
        assert!(cut.ends_with('…') && cut.len() <= EVIDENCE + '…'.len_utf8());
    }
}
