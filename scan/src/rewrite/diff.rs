//! Edits as a unified diff that `git apply` and `patch -p1` take.

use pullsafe::foreign;
use similar::TextDiff;

use super::{FileEdit, apply};

/// The diff of one file, or `None` where one of its lines would be more than text to a terminal, or a command to a CI
/// system. Nothing can be escaped, for a patch needs its lines as they are. Instead lines around the change are left
/// out where that helps.
pub fn unified(path: &str, before: &str, edits: &[FileEdit]) -> Option<String> {
    let after = apply(before.as_bytes(), edits);
    let after = String::from_utf8_lossy(&after);
    let path = path.trim_start_matches('/');
    let (old, new) = (quoted(&format!("a/{path}")), quoted(&format!("b/{path}")));
    let diff = TextDiff::from_lines(before, &after);
    let with = |around: usize| diff.unified_diff().context_radius(around).header(&old, &new).to_string();
    let (least, most) = if is_environment(path) { (0, 0) } else { (1, AROUND) };
    (least..=most).rev().map(with).find(|text| text.split('\n').all(is_text))
}

/// Whether a file holds the values of variables. Only its images are shown, without the lines around them: `git apply`
/// takes such a diff with `--unidiff-zero`.
fn is_environment(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.starts_with(".env") || name.ends_with(".env")
}

/// How many lines are shown around a change at most.
const AROUND: usize = 3;

fn is_text(line: &str) -> bool {
    let line = line.strip_suffix('\r').unwrap_or(line);
    foreign::ci_log(line) == line
}

/// A path as git writes it in a header: in quotes where it has invisible characters, or characters that would end it.
fn quoted(path: &str) -> String {
    if !path.contains(['"', '\\']) && foreign::visible(path) == path && !path.contains('\n') {
        return path.to_owned();
    }
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    };
    format!("\"{}\"", path.bytes().map(byte).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(path: &str, before: &str) -> Option<String> {
        let start = before.find("redis").unwrap();
        unified(path, before, &[FileEdit { start, end: start, text: "r.example.com/".to_owned() }])
    }

    #[test]
    fn what_is_more_than_text_is_not_shown() {
        let shown = diff("Dockerfile", "a\nb\r\nFROM redis\nc\n").unwrap();
        assert!(shown.contains("-FROM redis\n+FROM r.example.com/redis\n") && shown.contains(" b\r\n"), "{shown}");
        let shown = diff("a.yml", "::set-output name=a::b\nx\nFROM redis\nc\n").unwrap();
        assert!(!shown.contains("::") && shown.contains(" x\n"), "{shown}");
        for text in [
            "::add-mask::x\nFROM redis\n",
            "FROM redis ##vso[task.complete]\n",
            "FROM redis # \u{1b}[2J\n",
            "\u{202e}\nFROM redis\n",
        ] {
            assert_eq!(diff("a.yml", text), None, "{text}");
        }
    }

    #[test]
    fn a_path_is_quoted_as_git_quotes_it() {
        let shown = diff("x\n::error::y/\"é\".yml", "FROM redis\n").unwrap();
        assert!(shown.starts_with("--- \"a/x\\012::error::y/\\\"\\303\\251\\\".yml\"\n"), "{shown}");
    }
}
