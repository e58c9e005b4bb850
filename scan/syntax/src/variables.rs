//! `$NAME` and `${NAME:-default}` as Docker, compose, GitLab and the shell read them.

use crate::traced::{ByteOrigin, Traced, Unknown};

/// How deep defaults in defaults are followed.
const DEPTH: usize = 16;
/// By how many bytes values may make a text longer: one that doubles another again and again is no image.
const GROWTH: usize = 1 << 16;
/// Longer values are not taken apart by patterns.
const PATTERN: usize = 256;

/// What differs between the tools that know `${...}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Dockerfile: `\$` is a dollar sign; a variable without a value is empty.
    Docker,
    /// Compose: `$$` is a dollar sign; a variable without a value is empty.
    Compose,
    /// GitLab CI: `$$` is a dollar sign; a variable without a value stays.
    Gitlab,
    /// POSIX shell: `\$` is a dollar sign, `$(...)` a command.
    Shell,
}

/// Puts values in. `value` gives a variable's value, or `None` where it has none.
pub fn expand(text: &Traced, dialect: Dialect, value: &dyn Fn(&str) -> Option<Traced>) -> Traced {
    expand_within(text, dialect, value, 0)
}

fn expand_within(text: &Traced, dialect: Dialect, value: &dyn Fn(&str) -> Option<Traced>, depth: usize) -> Traced {
    let whole = text.as_str();
    let mut expanded = Traced::default();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = whole[at..].find(['$', '\\']) {
        let here = at + found;
        let rest = &whole[here..];
        if let Some(escaped) = rest.strip_prefix('\\') {
            let escapes = matches!(dialect, Dialect::Docker | Dialect::Shell) && escaped.starts_with('$');
            if escapes {
                expanded.push(&text.slice(copied..here));
                copied = here + 1;
            }
            at = here + 1 + usize::from(escapes);
            continue;
        }
        if rest.starts_with("$$") && matches!(dialect, Dialect::Compose | Dialect::Gitlab) {
            expanded.push(&text.slice(copied..here + 1));
            copied = here + 2;
            at = copied;
            continue;
        }
        let (length, result) = if rest.starts_with("${") {
            let Some(close) = closing(rest) else { break };
            let inner = text.slice(here + 2..here + close);
            (close + 1, braced(&inner, dialect, value, depth))
        } else if rest.starts_with("$(") && dialect == Dialect::Shell {
            let end = rest.find(')').map_or(rest.len(), |end| end + 1);
            (end, unknown(rest[..end].trim_start_matches('$'), dialect, text.origin(here)))
        } else {
            let name_length = name_length(&rest[1..]);
            if name_length == 0 {
                at = here + 1;
                continue;
            }
            let name = &rest[1..1 + name_length];
            (1 + name_length, value(name).unwrap_or_else(|| unknown(name, dialect, text.origin(here))))
        };
        expanded.push(&text.slice(copied..here));
        if expanded.as_str().len() + result.as_str().len() <= whole.len() + GROWTH {
            expanded.push(&result);
        } else {
            expanded.push(&unknown("a value that is too long", dialect, text.origin(here)));
        }
        copied = here + length;
        at = copied;
    }
    expanded.push(&text.slice(copied..whole.len()));
    expanded
}

fn braced(inner: &Traced, dialect: Dialect, value: &dyn Fn(&str) -> Option<Traced>, depth: usize) -> Traced {
    let text = inner.as_str();
    let place = inner.origin(0);
    let length = name_length(text);
    let (name, operation) = text.split_at(length);
    let known = value(name);
    let set = known.clone().filter(|known| !known.is_empty());
    let word = |skip: usize| {
        let word = inner.slice(length + skip..text.len());
        if depth >= DEPTH {
            word
        } else {
            expand_within(&word, dialect, value, depth + 1)
        }
    };
    if length == 0 {
        return unknown(text, dialect, place);
    }
    if let Some(rest) = operation.strip_prefix(':') {
        return match rest.chars().next() {
            Some('-') => set.unwrap_or_else(|| word(2)),
            Some('+') => set.map_or_else(Traced::default, |_| word(2)),
            _ => set.unwrap_or_else(|| required(name, place)),
        };
    }
    match operation.chars().next() {
        Some('-') => known.unwrap_or_else(|| word(1)),
        Some('+') => known.map_or_else(Traced::default, |_| word(1)),
        Some('?') => known.unwrap_or_else(|| required(name, place)),
        None => known.unwrap_or_else(|| unknown(name, dialect, place)),
        Some(kind @ ('#' | '%' | '/')) => known
            .and_then(|known| edited(&known, kind, &word(1)))
            .unwrap_or_else(|| unknown(name, dialect, place)),
        Some(_) => unknown(name, dialect, place),
    }
}

/// `${name#prefix}`, `${name%suffix}`, `${name/old/new}` and their greedy forms, with the wildcards `*` and `?`.
fn edited(known: &Traced, kind: char, word: &Traced) -> Option<Traced> {
    if known.unknowns().next().is_some()
        || word.unknowns().next().is_some()
        || known.as_str().len() + word.as_str().len() > PATTERN
    {
        return None;
    }
    let text = known.as_str();
    let (twice, pattern) = match word.as_str().strip_prefix(kind) {
        Some(rest) => (true, rest),
        None => (false, word.as_str()),
    };
    match kind {
        '#' => {
            let ends = matched(pattern, text);
            let end = if twice { ends.last() } else { ends.first() };
            Some(known.slice(end.copied().unwrap_or(0)..text.len()))
        }
        '%' => {
            let mut starts = text.char_indices().map(|(start, _)| start).chain([text.len()]);
            let fits = |start: &usize| matched(pattern, &text[*start..]).last() == Some(&(text.len() - start));
            let start = if twice { starts.find(fits) } else { starts.rfind(fits) };
            Some(known.slice(0..start.unwrap_or(text.len())))
        }
        _ => {
            let (old, new) = pattern.split_once('/').unwrap_or((pattern, ""));
            let mut replaced = Traced::default();
            let mut copied = 0;
            let mut at = 0;
            while at < text.len() {
                let length = matched(old, &text[at..]).last().copied().unwrap_or(0);
                if length == 0 {
                    at += text[at..].chars().next().map_or(1, char::len_utf8);
                    continue;
                }
                replaced.push(&known.slice(copied..at));
                replaced.push_computed(new);
                at += length;
                copied = at;
                if !twice {
                    break;
                }
            }
            replaced.push(&known.slice(copied..text.len()));
            Some(replaced)
        }
    }
}

/// The lengths of the text's beginnings that a pattern matches, shortest first.
fn matched(pattern: &str, text: &str) -> Vec<usize> {
    let mut ends = vec![0];
    let mut pattern = pattern.chars();
    while let Some(wanted) = pattern.next() {
        let next = |end: usize| text[end..].chars().next();
        ends = match wanted {
            '*' => match ends.first() {
                Some(&first) => text[first..].char_indices().map(|(at, _)| first + at).chain([text.len()]).collect(),
                None => Vec::new(),
            },
            '?' => ends.iter().filter_map(|&end| Some(end + next(end)?.len_utf8())).collect(),
            _ => {
                let literal = if wanted == '\\' { pattern.next().unwrap_or(wanted) } else { wanted };
                ends.iter().filter(|end| next(**end) == Some(literal)).map(|end| end + literal.len_utf8()).collect()
            }
        };
    }
    ends
}

fn unknown(name: &str, dialect: Dialect, place: Option<ByteOrigin>) -> Traced {
    let empty_if_unset = matches!(dialect, Dialect::Docker | Dialect::Compose) && !name.starts_with('(');
    Traced::unknown_at(
        Unknown {
            name: name.to_owned(),
            written: None,
            assumed: None,
            empty_if_unset,
        },
        place,
    )
}

/// A value without which the tool stops: nothing takes its place.
fn required(name: &str, place: Option<ByteOrigin>) -> Traced {
    Traced::unknown_at(
        Unknown {
            name: name.to_owned(),
            written: None,
            assumed: None,
            empty_if_unset: false,
        },
        place,
    )
}

/// Length of the variable's name that a text begins with.
pub fn name_length(text: &str) -> usize {
    let end = text
        .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .unwrap_or(text.len());
    if text.starts_with(|first: char| first.is_ascii_digit()) { 0 } else { end }
}

/// Index of the brace that closes the `${` at the beginning.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let bytes = text.as_bytes();
    for (index, &byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if index > 0 && bytes[index - 1] == b'$' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::shown;

    fn check(text: &str, dialect: Dialect, wanted: &str) {
        let values = |name: &str| match name {
            "SET" => Some(Traced::computed("redis")),
            "EMPTY" => Some(Traced::default()),
            _ => None,
        };
        let traced = Traced::written(text, ByteOrigin { source: 0, offset: 0 });
        assert_eq!(shown(&expand(&traced, dialect, &values)), wanted, "{text}");
    }

    #[test]
    fn every_form_of_default() {
        for (text, wanted) in [
            ("${SET}", "redis"),
            ("$SET:7", "redis:7"),
            ("${SET:-x}", "redis"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY-x}", ""),
            ("${NO:-x}", "x"),
            ("${NO-x}", "x"),
            ("${NO:-${EMPTY:-${OTHER:-deep:1}}}", "deep:1"),
            ("${SET:+x}${NO:+y}", "x"),
            ("${SET+x}${EMPTY+y}", "xy"),
            ("${NO:?say}", "${NO}"),
            ("${NO?say}", "${NO}"),
            ("a${NO}b$OTHER", "a${NO}b${OTHER}"),
            ("${unclosed", "${unclosed"),
            ("a$", "a$"),
        ] {
            check(text, Dialect::Compose, wanted);
            check(text, Dialect::Docker, wanted);
        }
    }

    #[test]
    fn each_dialect_has_its_escape() {
        check("$$SET", Dialect::Compose, "$SET");
        check("\\$SET", Dialect::Docker, "$SET");
        check("$(cmd x)/a", Dialect::Shell, "${(cmd x)}/a");
        check("${SET%is}${SET#re}", Dialect::Docker, "reddis");
        check("${SET/red/blue}", Dialect::Docker, "blueis");
    }

    #[test]
    fn patterns_cut_and_replace() {
        let values = |name: &str| match name {
            "V" => Some(Traced::computed("v3.12-rc1-x")),
            "CUT" => Some(Traced::computed("v")),
            _ => None,
        };
        for (text, wanted) in [
            ("${V#v}", "3.12-rc1-x"),
            ("${V#*-}", "rc1-x"),
            ("${V##*-}", "x"),
            ("${V%-*}", "v3.12-rc1"),
            ("${V%%-*}", "v3.12"),
            ("${V%no}", "v3.12-rc1-x"),
            ("${V#$CUT}", "3.12-rc1-x"),
            ("${V//-/_}", "v3.12_rc1_x"),
            ("${V/-/}", "v3.12rc1-x"),
            ("${V/r?1/final}", "v3.12-final-x"),
            ("${V//[}", "v3.12-rc1-x"),
            ("${NO#v}", "${NO}"),
            ("${V#$NO}", "${V}"),
        ] {
            let traced = Traced::written(text, ByteOrigin { source: 0, offset: 0 });
            assert_eq!(shown(&expand(&traced, Dialect::Docker, &values)), wanted, "{text}");
        }
    }
}
