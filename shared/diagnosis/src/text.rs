//! Brings a reason into one shape before it is matched, and masks what must not be repeated.
//!
//! The same message may come wrapped by a console, with typographic quotes, or with AWS's misspelling of containerd's
//! reader. After normalising it always reads the same, except for its case, which matching ignores.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::Regex;

/// The most bytes of evidence that are kept of one text.
const EVIDENCE: usize = 1_100;

/// Returns the text on one line, with single spaces and straight quotes.
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

/// How many times the pull was tried, from `... has been retried N time(s)` about the image pull itself.
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

/// Whether a text was cut before its end: it has a length at which agents cut, ends with an ellipsis, has an open
/// quote, or ends where more must follow.
pub(super) fn is_cut(text: &str) -> bool {
    let text = text.trim_end();
    let length = text.len();
    let at_a_limit = (250..=256).contains(&length) || (1_015..=1_024).contains(&length);
    let open_quote = text.matches('"').count() % 2 == 1;
    let open_bracket = text.matches('(').count() > text.matches(')').count();
    // A digest has 64 digits.
    let last = text.rsplit([' ', '/', '@']).next().unwrap_or_default();
    let half_a_digest = last
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() < 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    at_a_limit
        || half_a_digest
        || open_quote
        || open_bracket
        || text.ends_with("...")
        || text.ends_with('\u{2026}')
        || text.ends_with([':', ',', '/', '='])
}

/// Words that mark a suspect: every text with something to mask has at least one of them.
static SUSPECTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = [
        "://",
        "x-amz-",
        "signature",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "bearer ",
        "basic ",
        "authorization",
        "api_key",
        "apikey",
        "api-key",
        "access_key",
        "accesskey",
        "access-key",
        "private_key",
        "privatekey",
        "account_key",
        "accountkey",
        "encryption_key",
        "signing_key",
        "sharedaccesskey",
        "akia",
        "asia",
        "begin ",
        "private key",
        "credential",
        "cookie",
        "session",
        "eyj",
        "ghp_",
        "gho_",
        "ghs_",
        "ghu_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "xox",
        "sk_live",
        "sk_test",
        "rk_live",
        "sk-",
        "aiza",
        "npm_",
        "dckr_",
        "rate limit as",
        "in as ",
        "authenticated as",
        "login -",
        "auths",
        "docker_",
        "dockerhub_",
        "hooks.slack",
        " -p",
        "sig=",
    ];
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

static MASKS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // A PEM key, as far as it is on this line (in JSON, its line ends are written `\n`).
        (r"(?s)(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----).*?(-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)", "$1[masked]$2"),
        // The query of a URL: signatures and session tokens of layer downloads, parameters of connection strings.
        (r#"(?i)\b([a-z][a-z0-9+.-]*://[^\s"'?<>]+)\?[^\s"'<>]+"#, "$1?[masked]"),
        (r#"(?i)\b(x-amz-[a-z-]+|signature|awsaccesskeyid|sig)=[^\s&"';,]+"#, "$1=[masked]"),
        // User and password of a connection string. The password may hold any reserved character; the last `@` ends it.
        (r#"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@:"'<>]*:[^\s"'<>]*@"#, "$1[masked]@"),
        // The account that a limit applies to, or that somebody logged in with.
        (r#"(?i)((?:rate limit|(?:logged|signed|logging) in|authenticated) as (?:user )?)(["'\\]*)[^\s"'\\:]+"#, "$1$2[masked]"),
        (r#"(?i)(\slogin\b[^|;\n]*?\s(?:-u|--username)[ =]["']?)[^\s"']+"#, "$1[masked]"),
        (r#"(?i)(\bauths\b.{0,400}?"username\\?"\s*:\s*\\?"|\bdocker[a-z]*_(?:hub_)?(?:user|username|login|account)["']?\s*[=:]\s*["']?)[^\s"',;\\]+"#, "$1[masked]"),
        // A webhook's path is its password.
        (r#"(?i)(hooks\.slack\.com/[a-z]+/)[^\s"']+"#, "$1[masked]"),
        // Tokens that are known by their shape.
        (r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b", "[masked]"),
        (r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|dckr_[a-z]{2,6}_[A-Za-z0-9_-]*|npm_[A-Za-z0-9]{30,})", "[masked]"),
        (r"\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|sk-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{30,})", "[masked]"),
        (r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_.-]*)?", "[masked]"),
        (r#"(?i)\b(bearer|basic|digest)\s+[a-z0-9._~+/=-]{8,}"#, "$1 [masked]"),
        (r#"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)(["']?\s*[:=]\s*["']?)(?:bearer |basic |token )?[^\s"',\[][^"'\r\n]*"#, "$1$2[masked]"),
        // An assignment to a name that means a secret. The name alone (`SECRET_KEY is not set`) stays. In quotes the
        // value can hold blanks.
        (
            r#"(?i)([a-z0-9_.-]*(?:password|passwd|passphrase|pwd|secret(?:[_-]?(?:access)?[_-]?(?:key|string))?|token|(?:api|access|private|account|encryption|signing|shared[_-]?access|auth|session)[_-]?key|credentials?)["'\\]*\s*(?:=>|[=:])\s*)(\\?["'])[^"'\r\n]{2,}?(\\?["'])"#,
            "$1$2[masked]$3",
        ),
        (
            r#"(?i)([a-z0-9_.-]*(?:password|passwd|passphrase|pwd|secret(?:[_-]?(?:access)?[_-]?(?:key|string))?|(?:api|access|private|account|encryption|signing|shared[_-]?access|auth|session)[_-]?key)["'\\]*\s*(?:=>|=|:)\s*["']?)([^\s"',;&)}\]\[\\]{4,})"#,
            "$1[masked]",
        ),
        (r#"(?i)([a-z0-9_.-]*(?:token|credentials?)["'\\]*\s*(?:=>|=)\s*["']?)([^\s"',;&)}\]\[\\]{4,})"#, "$1[masked]"),
        // In prose a colon ends a thought (`failed to fetch oauth token: unexpected status`): only a value that looks
        // like a token is one.
        (
            r#"(?i)([a-z0-9_.-]*(?:token|credentials?)["'\\]*\s*:\s*["']?)([^\s"',;&)}\]\[\\/:]*[0-9][^\s"',;&)}\]\[\\/:]{3,})"#,
            "$1[masked]",
        ),
        // On a command line: `mysql -psecret`, `--password secret`, `redis-cli -a secret`.
        (r"(?i)(--?(?:password|passwd|token|secret|api-key|auth)[ =])[^\s-][^\s]*", "$1[masked]"),
        (r"\b((?:mysql|mysqldump|mysqladmin|mariadb)\b[^|;\n]*?\s-p)[^\s]+", "$1[masked]"),
    ]
    .into_iter()
    // The expressions are constants; a test compiles them all.
    .filter_map(|(pattern, with)| Regex::new(pattern).ok().map(|regex| (regex, with)))
    .collect()
});

/// Whether a line is nothing but the inside of a key or a certificate.
fn is_key_material(text: &str) -> bool {
    let text = text.trim();
    text.len() >= 40
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Returns the text with signed URLs, credentials and secret values masked, cut to a readable length.
pub fn redact(text: &str) -> String {
    if is_key_material(text) {
        return "[masked]".to_owned();
    }
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
    format!("{}…", &out[..out.floor_char_boundary(EVIDENCE)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_wraps_quotes_colours_and_misspellings() {
        assert_eq!(normalise("The task can\u{2019}t\n   pull the\timage "), "The task can't pull the image");
        assert_eq!(
            normalise("failed to copy: httpReaderSeeker: failed open"),
            "failed to copy: httpReadSeeker: failed open"
        );
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
        assert_eq!(MASKS.len(), 20);
        for (text, masked) in [
            (
                "Get \"https://b.s3.amazonaws.com/k?X-Amz-Security-Token=abc&X-Amz-Signature=1\": EOF",
                "Get \"https://b.s3.amazonaws.com/k?[masked]\": EOF",
            ),
            ("postgres://app:hunter2@db:5432/x refused", "postgres://[masked]@db:5432/x refused"),
            ("DB_PASSWORD=hunter22 was rejected", "DB_PASSWORD=[masked] was rejected"),
            ("{\"token\":\"abcdefgh\"}", "{\"token\":\"[masked]\"}"),
            ("Authorization: Bearer abcdefghijklmnop", "Authorization: [masked]"),
            ("sent Bearer abcdefghijklmnop to it", "sent Bearer [masked] to it"),
            ("postgres://app:p@ss/w:rd@db:5432/x refused", "postgres://[masked]@db:5432/x refused"),
            ("amqp://guest:guest@rabbit:5672// failed", "amqp://[masked]@rabbit:5672// failed"),
            (
                "mongodb+srv://u:p@cluster/db?authSource=admin&password=hunter22",
                "mongodb+srv://[masked]@cluster/db?[masked]",
            ),
            ("redis://:hunter22@cache:6379/0", "redis://[masked]@cache:6379/0"),
            (
                "Server=db;Database=x;User Id=sa;Password=hunter22;Encrypt=true",
                "Server=db;Database=x;User Id=sa;Password=[masked];Encrypt=true",
            ),
            (
                "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abcd1234==;x",
                "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=[masked];x",
            ),
            (
                "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=abcd1234=",
                "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=[masked]",
            ),
            ("host=db user=app password='two words' dbname=x", "host=db user=app password='[masked]' dbname=x"),
            (r#"{"password": "two words", "user": "app"}"#, r#"{"password": "[masked]", "user": "app"}"#),
            (r#"{"log":"{\"apiKey\":\"abcd1234\"}"}"#, r#"{"log":"{\"apiKey\":\"[masked]\"}"}"#),
            ("['api_key' => 'abcd1234']", "['api_key' => '[masked]']"),
            (
                "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "aws_secret_access_key = [masked]",
            ),
            ("key AKIAIOSFODNN7EXAMPLE was rejected", "key [masked] was rejected"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_1 expired", "jwt [masked] expired"),
            ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [masked]"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\\nMIIEow\\n-----END RSA PRIVATE KEY----- bad",
                "-----BEGIN RSA PRIVATE KEY-----[masked]-----END RSA PRIVATE KEY----- bad",
            ),
            ("-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNz", "-----BEGIN OPENSSH PRIVATE KEY-----[masked]"),
            ("MIIEowIBAAKCAQEA7bq98mh1e0Lw3Zk0v5o2q8Jx0cKf4V7mGQ1hQ2nTz9aB", "[masked]"),
            (
                "git clone https://x-access-token:ghs_abcdefghijklmnop@github.com/a/b",
                "git clone https://[masked]@github.com/a/b",
            ),
            ("token ghp_abcdefghijklmnopqrstuvwxyz012345 is bad", "token [masked] is bad"),
            ("mysqldump -uroot -phunter22 app", "mysqldump -uroot -p[masked] app"),
            ("exec: app --password hunter22 --port 80", "exec: app --password [masked] --port 80"),
            (
                "POST https://hooks.slack.com/services/T0/B0/abc failed",
                "POST https://hooks.slack.com/services/[masked] failed",
            ),
            (
                "You have reached your pull rate limit as 'acme': dckr_jti_aB3-x. Upgrade",
                "You have reached your pull rate limit as '[masked]': [masked]. Upgrade",
            ),
            ("Set-Cookie: sid=abcd1234; Path=/", "Set-Cookie: [masked]"),
            ("password authentication failed for user \"app\"", "password authentication failed for user \"app\""),
            ("unexpected token } in JSON at position 3", "unexpected token } in JSON at position 3"),
            ("SyntaxError: Unexpected token: punc (;)", "SyntaxError: Unexpected token: punc (;)"),
            (
                "failed to fetch oauth token: unexpected status 401",
                "failed to fetch oauth token: unexpected status 401",
            ),
            ("token: a1b2c3d4e5", "token: [masked]"),
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
