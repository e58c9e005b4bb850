//! What an expression of a program comes to, as far as it is a text.
//!
//! An expression is a text, texts added together, a name that the same file gives a text, or a call that only passes
//! its text on; anything else is not known.

use std::ops::Range;

use super::{Quotes, SourceTokens, TokenKind};
use crate::traced::{Traced, Unknown};
use crate::variables::name_length;

/// How deep expressions in expressions are followed.
const DEPTH: usize = 12;
/// How long texts put together may become.
const LENGTH: usize = 1 << 16;

/// Calls that give back the text that they are given.
const WRAPPERS: [&str; 18] = [
    "parse",
    "String",
    "string",
    "Sprintf",
    "format",
    "DockerImageName",
    "of",
    "StringPtr",
    "Ptr",
    "str",
    "raw",
    "fromString",
    "Of",
    "Output",
    "Val",
    "ImageReference",
    "lazyOf",
    "f",
];
/// Calls that look a value up elsewhere, and may name what it is otherwise.
const LOOKUPS: [&str; 13] = [
    "getenv",
    "Getenv",
    "getProperty",
    "get",
    "env",
    "getEnv",
    "getOrDefault",
    "GetEnvironmentVariable",
    "environ",
    "optional",
    "getString",
    "tryGetContext",
    "GetValue",
];

impl SourceTokens {
    /// What the expression that begins at an index is.
    pub fn value(&self, start: usize) -> Option<Traced> {
        self.expression(start, 0).map(|(value, _)| value).filter(|value| !value.is_empty())
    }

    /// A sum of terms, or else what `??`, `||` and the like give instead.
    fn expression(&self, start: usize, depth: usize) -> Option<(Traced, usize)> {
        let (mut value, mut at) = self.term(start, depth)?;
        loop {
            while self.is_mark(at, b'\n')
                && (self.is_mark(at + 1, b'+') || self.is_mark(at + 1, b'|') || self.is_mark(at + 1, b'?'))
            {
                at += 1;
            }
            let double = |mark: u8| self.is_mark(at, mark) && self.is_mark(at + 1, mark);
            if self.is_mark(at, b'+') && !self.is_mark(at + 1, b'+') && !self.is_mark(at + 1, b'=') {
                let mut next = at + 1;
                while self.is_mark(next, b'\n') {
                    next += 1;
                }
                let (more, end) = self.term(next, depth + 1)?;
                // What has grown so long is no image.
                if value.as_str().len() + more.as_str().len() > LENGTH {
                    return None;
                }
                value.push(&more);
                at = end;
            } else if double(b'?') || double(b'|') || self.is_mark(at, b'?') && self.is_mark(at + 1, b':') {
                let (other, end) = self.expression(at + 2, depth + 1)?;
                return Some((if value.unknowns().next().is_some() { other } else { value }, end));
            } else if self.word(at) == Some("or") {
                let (other, end) = self.expression(at + 1, depth + 1)?;
                return Some((if value.unknowns().next().is_some() { other } else { value }, end));
            } else {
                return Some((value, at));
            }
        }
    }

    fn term(&self, start: usize, depth: usize) -> Option<(Traced, usize)> {
        let left = self.steps.get().checked_sub(1).filter(|_| depth < DEPTH)?;
        self.steps.set(left);
        let mut at = start;
        while matches!(self.word(at), Some("new" | "await"))
            || self.is_mark(at, b'&')
            || self.is_mark(at, b'*')
            || self.is_mark(at, b'$')
            || self.is_mark(at, b'@')
        {
            at += 1;
        }
        // The prefix of a text is a word of its own.
        if matches!(self.word(at), Some("f" | "r" | "b" | "fr" | "rf" | "s" | "F")) && self.literal(at + 1).is_some() {
            at += 1;
        }
        let (mut value, mut at) = match self.tokens.list.get(at)?.kind {
            TokenKind::Text(quotes) => {
                let mut value = self.filled(at, quotes, depth);
                let mut end = at + 1;
                // Texts side by side are one in Python.
                while let Some(TokenKind::Text(quotes)) = self.tokens.list.get(end).map(|token| token.kind) {
                    value.push(&self.filled(end, quotes, depth));
                    end += 1;
                }
                (value, end)
            }
            TokenKind::Mark(b'(') => {
                let (value, _) = self.expression(at + 1, depth + 1)?;
                (value, self.close(at)? + 1)
            }
            TokenKind::Word => self.path(at, depth)?,
            TokenKind::Mark(_) => return None,
        };
        while self.is_mark(at, b'.') || self.is_mark(at, b'!') {
            let Some(name) = self.word(at + 1) else { break };
            let Some(open) = self.call(at + 1) else { break };
            let close = self.close(open)?;
            match name {
                "withTag" | "WithTag" | "with_tag" => {
                    let (tag, _) = self.expression(open + 1, depth + 1)?;
                    // It takes the place of the tag that is there.
                    let last = value.as_str().rfind('/').map_or(0, |slash| slash + 1);
                    if let Some(colon) = value.as_str()[last..].find(':') {
                        value = value.slice(0..last + colon);
                    }
                    value.push_computed(":");
                    value.push(&tag);
                }
                // `"postgres:%s".formatted(version)`, `"postgres:{}".format(version)`
                "formatted" | "format" => value = self.formatted(&value, &self.arguments(open), depth),
                _ => {}
            }
            at = close + 1;
        }
        Some((value, at))
    }

    /// A name, or a call.
    fn path(&self, start: usize, depth: usize) -> Option<(Traced, usize)> {
        let mut at = start;
        let mut name = self.word(at)?;
        let mut path = name.to_owned();
        loop {
            if let Some(open) = self.call(at) {
                let close = self.close(open)?;
                let arguments = self.arguments(open);
                if WRAPPERS.contains(&name) {
                    let (value, _) = self.expression(*arguments.first()?, depth + 1)?;
                    return Some((self.formatted(&value, arguments.get(1..).unwrap_or_default(), depth), close + 1));
                }
                if LOOKUPS.contains(&name) {
                    let default = arguments.get(1).map(|&start| self.named_at(start).map_or(start, |(_, value)| value));
                    let default = default.and_then(|start| self.expression(start, depth + 1)).map(|(value, _)| value);
                    let asked = arguments.first().and_then(|&first| self.literal(first));
                    let asked = asked.map_or_else(|| path.clone(), |asked| asked.as_str().to_owned());
                    return Some((default.unwrap_or_else(|| self.unknown(&asked, start)), close + 1));
                }
                // What a call gives is not known; a call on it may be.
                if self.is_mark(close + 1, b'.') && self.word(close + 2).is_some() {
                    at = close + 2;
                    name = self.word(at)?;
                    path.push('.');
                    path.push_str(name);
                    continue;
                }
                return Some((self.unknown(&path, start), close + 1));
            }
            // `process.env.NAME`, `Images::NAME`, `a?.b`
            let mut next = at + 1;
            while self.is_mark(next, b'.')
                || self.is_mark(next, b':') && self.is_mark(next + 1, b':')
                || self.is_mark(next, b'?') && self.is_mark(next + 1, b'.')
            {
                next += if self.is_mark(next, b'.') { 1 } else { 2 };
            }
            if next == at + 1 || self.word(next).is_none() {
                break;
            }
            at = next;
            name = self.word(at)?;
            path.push('.');
            path.push_str(name);
        }
        if self.is_mark(at + 1, b'[') {
            let close = self.close(at + 1)?;
            let asked = self.literal(at + 2).map_or_else(|| path.clone(), |asked| asked.as_str().to_owned());
            return Some((self.unknown(&asked, start), close + 1));
        }
        let is_environment = path.contains("env.") || path.starts_with("params.");
        let known = if is_environment && !self.names.contains_key(name) {
            None
        } else {
            self.names.get(name)
        };
        let value = known.filter(|&&value| value != start).and_then(|&value| self.expression(value, depth + 2));
        Some((value.map_or_else(|| self.unknown(&path, start), |(value, _)| value), at + 1))
    }

    fn unknown(&self, name: &str, at: usize) -> Traced {
        let place = self.tokens.list.get(at).and_then(|token| self.tokens.text.origin(token.range.start));
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

    /// `%s`, `%v` and `{}` replaced in turn.
    fn formatted(&self, pattern: &Traced, arguments: &[usize], depth: usize) -> Traced {
        let text = pattern.as_str();
        let mut filled = Traced::default();
        let (mut copied, mut arguments) = (0, arguments.iter());
        while let Some(found) = text[copied..].find(['%', '{']) {
            let start = copied + found;
            let length = match text.as_bytes().get(start..) {
                Some([b'%', b's' | b'v' | b'd', ..]) => 2,
                Some([b'{', rest @ ..]) => match rest.iter().position(|&byte| byte == b'}') {
                    Some(close) => close + 2,
                    None => break,
                },
                _ => 1,
            };
            filled.push(&pattern.slice(copied..start));
            copied = start + length;
            if length == 1 {
                filled.push(&pattern.slice(start..copied));
                continue;
            }
            let value =
                arguments.next().and_then(|&argument| self.expression(argument, depth + 1)).map(|(value, _)| value);
            filled.push(&value.unwrap_or_else(|| self.unknown("a value", 0)));
        }
        filled.push(&pattern.slice(copied..text.len()));
        filled
    }

    /// A text with its escapes taken away and its values put in.
    fn filled(&self, index: usize, quotes: Quotes, depth: usize) -> Traced {
        let whole = self.tokens.text.slice(self.tokens.list[index].range.clone());
        let text = whole.as_str();
        if !text.contains(['\\', '$', '{']) {
            return whole;
        }
        let mut filled = Traced::default();
        let (mut copied, mut at) = (0, 0);
        while let Some(found) = text[at..].find(['\\', '$', '{']) {
            let here = at + found;
            let rest = &text[here..];
            if let Some(escaped) = rest.strip_prefix('\\') {
                filled.push(&whole.slice(copied..here));
                let next = escaped.chars().next();
                copied = here
                    + 1
                    + match next {
                        // A line that ends in a backslash goes on.
                        Some('n' | 'r' | 't' | '\n') => {
                            filled.push_computed(if next == Some('n') { "\n" } else { " " });
                            1
                        }
                        _ => 0,
                    };
                at = here + 1 + next.map_or(0, char::len_utf8);
                continue;
            }
            let (open, name_start) = match quotes {
                Quotes::Dollar if rest.starts_with("${") => (true, here + 2),
                Quotes::Dollar if rest.starts_with('$') => (false, here + 1),
                Quotes::Braces if rest.starts_with("{{") => {
                    at = here + 2;
                    continue;
                }
                Quotes::Braces if rest.starts_with('{') => (true, here + 1),
                Quotes::Plain | Quotes::Dollar | Quotes::Braces => {
                    at = here + 1;
                    continue;
                }
            };
            let length = if open {
                text[name_start..].find('}')
            } else {
                Some(name_length(&text[name_start..]))
            };
            let Some(length) = length.filter(|&length| length > 0) else {
                at = here + 1;
                continue;
            };
            filled.push(&whole.slice(copied..here));
            filled.push(&self.interpolated(&whole, name_start..name_start + length, index, depth));
            copied = name_start + length + usize::from(open);
            at = copied;
        }
        filled.push(&whole.slice(copied..text.len()));
        filled
    }

    fn interpolated(&self, whole: &Traced, range: Range<usize>, index: usize, depth: usize) -> Traced {
        let inner = whole.as_str()[range.clone()].trim();
        // Of `A || 'x'` and `A ?: "x"` it is `x` where nothing sets `A`.
        for operator in ["||", "??", "?:"] {
            if let Some((name, default)) = inner.split_once(operator) {
                let default = default.trim();
                let known = self.names.contains_key(name.trim());
                if !known && default.len() > 2 && default.starts_with(['\'', '"', '`']) {
                    let start = range.start + whole.as_str()[range.clone()].find(default).unwrap_or(0);
                    return whole.slice(start + 1..start + default.len() - 1);
                }
            }
        }
        let name = inner.rsplit(['.', ':']).next().unwrap_or(inner);
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let value = self.names.get(name).filter(|_| plain).and_then(|&value| self.expression(value, depth + 2));
        value.map_or_else(|| self.unknown(inner, index), |(value, _)| value)
    }
}
