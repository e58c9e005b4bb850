//! Programs that name images: tokens, and what the expressions among them are.
//!
//! Nothing is executed and no type is known. An expression is a text, texts added together, a name that the same file
//! gives a text, or a call that only passes its text on; anything else is not known.

mod lexer;

use std::collections::HashMap;

pub(crate) use lexer::{Kind, Language, Quotes};
use lexer::{Tokens, read};

use crate::traced::{Traced, Unknown};

/// How deep expressions in expressions are followed.
const DEPTH: usize = 12;
/// How many expressions of one file are looked at: names stand for names again and again.
const STEPS: usize = 200_000;

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

/// A program's tokens, and what its names stand for.
pub(crate) struct Source {
    tokens: Tokens,
    /// Where the expression begins that a name is given.
    names: HashMap<String, usize>,
    steps: std::cell::Cell<usize>,
}

/// The language of a file, by its extension.
pub(crate) fn language(extension: &str) -> Option<Language> {
    Some(match extension {
        "java" | "kt" | "kts" | "scala" | "cs" | "fs" | "vb" | "go" | "rs" => Language::Braces,
        "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" | "groovy" | "jenkinsfile" => Language::Script,
        "py" | "bzl" | "bazel" => Language::Python,
        "hcl" | "nomad" => Language::Hcl,
        _ => return None,
    })
}

impl Source {
    /// Reads a program.
    pub(crate) fn read(text: &Traced, language: Language) -> Self {
        let mut source = Self { tokens: read(text.clone(), language), names: HashMap::new(), steps: STEPS.into() };
        source.names = source.assignments(language);
        source
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.tokens.list.len()
    }

    /// The word at an index, if there is one.
    pub(crate) fn word(&self, index: usize) -> Option<&str> {
        let token = self.tokens.list.get(index)?;
        (token.kind == Kind::Word).then(|| &self.tokens.text.as_str()[token.range.clone()])
    }

    /// Whether a mark is at an index.
    pub(crate) fn is_mark(&self, index: usize, mark: u8) -> bool {
        self.tokens.list.get(index).is_some_and(|token| token.kind == Kind::Mark(mark))
    }

    /// The content of the text at an index, as it is written.
    pub(crate) fn literal(&self, index: usize) -> Option<Traced> {
        let token = self.tokens.list.get(index)?;
        matches!(token.kind, Kind::Text(_)).then(|| self.tokens.text.slice(token.range.clone()))
    }

    /// Where the bracket at an index closes.
    pub(crate) fn close(&self, open: usize) -> Option<usize> {
        self.tokens.partner.get(open).copied().filter(|&close| close != usize::MAX && close > open)
    }

    /// Where the bracket at an index opens.
    pub(crate) fn open(&self, close: usize) -> Option<usize> {
        self.tokens.partner.get(close).copied().filter(|&open| open < close)
    }

    /// What is at an index.
    pub(crate) fn kind(&self, index: usize) -> Option<Kind> {
        self.tokens.list.get(index).map(|token| token.kind)
    }

    /// The brackets that an index is in, the innermost first.
    pub(crate) fn around(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.tokens.inside.get(index).copied().flatten(), |&open| self.tokens.inside[open])
    }

    /// The word that a bracket belongs to: a call's name, a key, an assigned name.
    pub(crate) fn owner(&self, open: usize) -> &str {
        let mut at = open;
        // `new Foo<Bar>(`: the type's parameters stand between.
        for _ in 0..12 {
            let Some(before) = at.checked_sub(1) else { return "" };
            match self.tokens.list[before].kind {
                Kind::Word => {
                    let inside_angles = self.is_mark(at, b'>') || self.is_mark(before.wrapping_sub(1), b'<');
                    if !inside_angles {
                        return self.word(before).unwrap_or_default();
                    }
                }
                Kind::Mark(b'<' | b'>' | b':' | b'=' | b'?' | b',' | b'\n') => {}
                Kind::Text(_) if self.is_mark(at, b':') => return &self.tokens.text.as_str()[self.tokens.list[before].range.clone()],
                Kind::Text(_) | Kind::Mark(_) => return "",
            }
            at = before;
        }
        ""
    }

    /// Where the arguments of a call begin, if the word at `index` is called: after its type parameters.
    pub(crate) fn call(&self, index: usize) -> Option<usize> {
        let mut at = index + 1;
        if self.is_mark(at, b'<') {
            let mut depth = 0;
            for _ in 0..40 {
                match self.tokens.list.get(at)?.kind {
                    Kind::Mark(b'<') => depth += 1,
                    Kind::Mark(b'>') => depth -= 1,
                    Kind::Mark(b'(' | b'{' | b';') => return None,
                    Kind::Word | Kind::Text(_) | Kind::Mark(_) => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
        }
        self.is_mark(at, b'(').then_some(at)
    }

    /// Where the arguments of the call whose bracket opens at `open` begin.
    pub(crate) fn arguments(&self, open: usize) -> Vec<usize> {
        let Some(close) = self.close(open) else { return Vec::new() };
        let mut starts = Vec::new();
        let mut at = open + 1;
        let mut fresh = true;
        while at < close {
            match self.tokens.list[at].kind {
                Kind::Mark(b'\n') => {}
                Kind::Mark(b',') => fresh = true,
                _ if fresh => {
                    starts.push(at);
                    fresh = false;
                    continue;
                }
                Kind::Mark(b'(' | b'[' | b'{') => at = self.close(at).unwrap_or(at),
                Kind::Word | Kind::Text(_) | Kind::Mark(_) => {}
            }
            at += 1;
            if starts.len() > 64 {
                break;
            }
        }
        starts
    }

    /// The argument of a name among arguments: `image = "x"`, `image: "x"`.
    pub(crate) fn named(&self, open: usize, name: &str) -> Option<usize> {
        self.arguments(open).into_iter().find_map(|start| self.named_at(start).filter(|(found, _)| *found == name).map(|(_, value)| value))
    }

    /// The key and where its value begins, if a key with a value is at an index: `key: value`, `key = value`, `"key": value`.
    pub(crate) fn named_at(&self, start: usize) -> Option<(&str, usize)> {
        let token = self.tokens.list.get(start)?;
        if matches!(token.kind, Kind::Mark(_)) {
            return None;
        }
        let equals = self.is_mark(start + 1, b'=') && !self.is_mark(start + 2, b'=') && !self.is_mark(start + 2, b'>');
        let colon = self.is_mark(start + 1, b':') && !self.is_mark(start + 2, b':') && !self.is_mark(start + 2, b'=');
        (equals || colon).then(|| (&self.tokens.text.as_str()[token.range.clone()], start + 2))
    }

    /// What the expression that begins at an index is.
    pub(crate) fn value(&self, start: usize) -> Option<Traced> {
        self.expression(start, 0).map(|(value, _)| value).filter(|value| !value.is_empty())
    }

    /// A sum of terms, or else what `??`, `||` and the like give instead.
    fn expression(&self, start: usize, depth: usize) -> Option<(Traced, usize)> {
        let (mut value, mut at) = self.term(start, depth)?;
        loop {
            while self.is_mark(at, b'\n') && (self.is_mark(at + 1, b'+') || self.is_mark(at + 1, b'|') || self.is_mark(at + 1, b'?')) {
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
            Kind::Text(quotes) => {
                let mut value = self.filled(at, quotes, depth);
                let mut end = at + 1;
                // Texts side by side are one in Python.
                while let Some(Kind::Text(quotes)) = self.tokens.list.get(end).map(|token| token.kind) {
                    value.push(&self.filled(end, quotes, depth));
                    end += 1;
                }
                (value, end)
            }
            Kind::Mark(b'(') => {
                let (value, _) = self.expression(at + 1, depth + 1)?;
                (value, self.close(at)? + 1)
            }
            Kind::Word => self.path(at, depth)?,
            Kind::Mark(_) => return None,
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
        let known = if is_environment && !self.names.contains_key(name) { None } else { self.names.get(name) };
        let value = known.filter(|&&value| value != start).and_then(|&value| self.expression(value, depth + 2));
        Some((value.map_or_else(|| self.unknown(&path, start), |(value, _)| value), at + 1))
    }

    fn unknown(&self, name: &str, at: usize) -> Traced {
        let place = self.tokens.list.get(at).and_then(|token| self.tokens.text.origin(token.range.start));
        Traced::unknown_at(Unknown { name: name.to_owned(), written: None, assumed: None, empty_if_unset: false }, place)
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
            let value = arguments.next().and_then(|&argument| self.expression(argument, depth + 1)).map(|(value, _)| value);
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
            let length = if open { text[name_start..].find('}') } else { Some(crate::variables::name_length(&text[name_start..])) };
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

    fn interpolated(&self, whole: &Traced, range: std::ops::Range<usize>, index: usize, depth: usize) -> Traced {
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

    /// Every name that is given a value anywhere but among a call's arguments; of several the first one counts.
    fn assignments(&self, language: Language) -> HashMap<String, usize> {
        let mut names = HashMap::new();
        for index in 1..self.len() {
            if !self.is_mark(index, b'=') || self.is_mark(index + 1, b'=') || self.is_mark(index + 1, b'>') {
                continue;
            }
            let compares =
                self.tokens.list.get(index - 1).is_some_and(|before| matches!(before.kind, Kind::Mark(b'=' | b'!' | b'<' | b'+' | b'-')));
            let group = self.tokens.inside[index];
            let argument = group.is_some_and(|open| self.is_mark(open, b'(') && !matches!(self.owner(open), "const" | "var" | "val"));
            if compares || argument {
                continue;
            }
            let mut before = index - 1;
            // `name := x`, `name ?= x`
            if self.is_mark(before, b':') || self.is_mark(before, b'?') {
                before = before.wrapping_sub(1);
            }
            // `name: Type = x`, `name string = x`
            if self.word(before).is_some() && self.is_mark(before.wrapping_sub(1), b':') {
                before = before.wrapping_sub(2);
            } else if self.word(before) == Some("string") && self.word(before.wrapping_sub(1)).is_some() {
                before = before.wrapping_sub(1);
            }
            if let Some(name) = self.word(before) {
                names.entry(name.to_owned()).or_insert(index + 1);
            }
        }
        if language == Language::Hcl {
            // `variable "name" { default = x }` is what `var.name` stands for.
            for index in 0..self.len() {
                if self.word(index) == Some("variable")
                    && let Some(name) = self.literal(index + 1)
                    && let Some(close) = self.close(index + 2)
                    && let Some(default) = (index + 3..close).find(|&at| self.word(at) == Some("default") && self.is_mark(at + 1, b'='))
                {
                    names.insert(name.as_str().to_owned(), default + 2);
                }
            }
        }
        names
    }
}
