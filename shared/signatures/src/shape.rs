//! The shapes of the names that an advice may repeat from a text: a variable, a path, a host.
//!
//! After `could not connect to ` comes a host, or the word `server`. An advice repeats only what has the shape of the
//! expected name, and no ordinary word has any shape.

/// The shape of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameShape {
    /// `DATABASE_URL`, `spring.datasource.url`.
    Variable,
    /// A module, package, class or gem: `core.aws`, `@scope/pkg`, `Acme\Kernel`.
    Module,
    /// `/etc/app.conf`, `appsettings.json`, `C:\app`.
    Path,
    /// A program: a path or a word.
    Command,
    /// `ecr:BatchGetImage`.
    Action,
    /// `db.internal`, `10.0.0.7:5432`.
    Host,
    /// A user, a container, a bucket.
    Name,
    /// A role, a secret or a parameter: its name or its ARN.
    Arn,
    /// `linux/arm64/v8`.
    Platform,
    /// An option of a log driver: `awslogs-region`.
    Option,
}

/// Words that occur where a name is expected and are not one.
const WORDS: &[&str] = &[
    "a",
    "an",
    "the",
    "any",
    "this",
    "that",
    "it",
    "its",
    "is",
    "are",
    "was",
    "not",
    "no",
    "or",
    "and",
    "in",
    "on",
    "of",
    "to",
    "for",
    "from",
    "at",
    "as",
    "be",
    "file",
    "files",
    "module",
    "class",
    "server",
    "host",
    "user",
    "name",
    "variable",
    "variables",
    "database",
    "service",
    "required",
    "following",
    "missing",
    "error",
    "failed",
    "unknown",
    "image",
    "container",
    "command",
    "program",
    "one",
    "all",
    "your",
    "which",
    "with",
    "by",
    "client",
    "address",
    "config",
    "configuration",
    "specified",
    "given",
    "null",
    "none",
    "undefined",
    "true",
    "false",
];

const LONGEST: usize = 200;

impl NameShape {
    /// Whether a text has this shape.
    pub fn fits(self, text: &str) -> bool {
        if text.is_empty() || text.len() > LONGEST || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return false;
        }
        let of = |others: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte));
        let begins = |with: fn(&u8) -> bool| text.as_bytes().first().is_some_and(with);
        match self {
            // In capitals, or in parts; a plain lower-case word could be anything.
            Self::Variable => {
                of(b"_.-")
                    && begins(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
                    && text.bytes().any(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'.'))
            }
            Self::Module => of(b"_.-@/\\:") && text.bytes().any(|byte| byte.is_ascii_alphabetic()),
            Self::Path => {
                of(b"_.-@/\\:~+=%")
                    && text.contains(['/', '\\', '.'])
                    && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
            }
            Self::Command => of(b"_.-@/\\:~+") && text.bytes().any(|byte| byte.is_ascii_alphabetic()),
            Self::Action => text.split_once(':').is_some_and(|(service, action)| {
                let small =
                    service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
                small
                    && !service.is_empty()
                    && begins_upper(action)
                    && action.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'*')
            }),
            Self::Host => {
                of(b".-:_[]") && begins(|byte| byte.is_ascii_alphanumeric() || *byte == b'[') && text.len() > 2
            }
            Self::Name => of(b"_.-"),
            Self::Arn => of(b"_.-@/:+=") && text.bytes().any(|byte| byte.is_ascii_alphanumeric()) && text.len() > 1,
            Self::Platform => {
                let parts: Vec<&str> = text.split('/').collect();
                let word = |part: &&str| {
                    !part.is_empty()
                        && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
                };
                matches!(parts.len(), 2 | 3)
                    && matches!(parts.first(), Some(&"linux" | &"windows" | &"darwin" | &"freebsd"))
                    && parts.iter().all(word)
            }
            Self::Option => {
                text.contains('-')
                    && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            }
        }
    }
}

fn begins_upper(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase() || first == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_shape_and_a_word_of_a_sentence_has_none() {
        for (shape, fitting, others) in [
            (
                NameShape::Variable,
                &["DATABASE_URL", "PORT", "db.url", "SOME_KEY2"][..],
                &["is", "missing", "the key", "2X", "$(id)"][..],
            ),
            (
                NameShape::Module,
                &["core.aws_service", "@scope/pkg", "Acme\\Kernel", "flask"],
                &["module", "a b", "1.2", "`x`"],
            ),
            (
                NameShape::Path,
                &["/etc/app.conf", "appsettings.json", "C:\\app\\x"],
                &["file", "x", "/a b", "/a;rm", "..."],
            ),
            (NameShape::Command, &["./run.sh", "npm", "python3.11"], &["127", "the", "sh -c", "a|b"]),
            (
                NameShape::Action,
                &["ecr:BatchGetImage", "logs:CreateLogGroup", "ecr:*"],
                &["ecr", "this action", "Ecr:x", "a:b c"],
            ),
            (
                NameShape::Host,
                &["db.internal", "10.0.0.7:5432", "[::1]:80", "redis"],
                &["server", "the database", "x y", "a/b"],
            ),
            (
                NameShape::Arn,
                &["arn:aws:iam::123456789012:role/team/app", "app", "/prod/db/password"],
                &["of the task", "a'b", "the"],
            ),
            (
                NameShape::Platform,
                &["linux/arm64/v8", "windows/amd64"],
                &["linux", "the/host", "linux/amd64 10.0"],
            ),
            (NameShape::Option, &["awslogs-region", "splunk-token"], &["option", "a-B", "x y"]),
        ] {
            fitting.iter().for_each(|text| assert!(shape.fits(text), "{shape:?}: {text}"));
            others.iter().for_each(|text| assert!(!shape.fits(text), "{shape:?}: {text}"));
        }
        assert!(!NameShape::Path.fits(&"a/".repeat(LONGEST)));
    }
}
