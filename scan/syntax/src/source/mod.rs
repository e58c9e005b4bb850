//! Programs that name images: tokens, brackets, calls and their arguments.
//!
//! Nothing is executed and no type is known; what an expression comes to is read in `value.rs`.

mod lexer;
mod value;

use std::collections::HashMap;

pub use lexer::{Language, Quotes, TokenKind};
use lexer::{Tokens, read};

use crate::traced::Traced;

/// How many expressions of one file are looked at: names stand for names again and again.
const STEPS: usize = 200_000;

/// A program's tokens, and what its names stand for.
pub struct SourceTokens {
    tokens: Tokens,
    /// Where the expression begins that a name is given.
    names: HashMap<String, usize>,
    steps: std::cell::Cell<usize>,
}

/// The language of a file, by its extension.
pub fn language(extension: &str) -> Option<Language> {
    Some(match extension {
        "java" | "kt" | "kts" | "scala" | "cs" | "fs" | "vb" | "go" | "rs" => Language::Braces,
        "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" | "groovy" | "jenkinsfile" => Language::Script,
        "py" | "bzl" | "bazel" => Language::Python,
        "hcl" | "nomad" => Language::Hcl,
        _ => return None,
    })
}

impl SourceTokens {
    /// Reads a program.
    pub fn read(text: &Traced, language: Language) -> Self {
        let mut source = Self {
            tokens: read(text.clone(), language),
            names: HashMap::new(),
            steps: STEPS.into(),
        };
        source.names = source.assignments(language);
        source
    }

    /// How many tokens there are.
    pub fn count(&self) -> usize {
        self.tokens.list.len()
    }

    /// The word at an index, if there is one.
    pub fn word(&self, index: usize) -> Option<&str> {
        let token = self.tokens.list.get(index)?;
        (token.kind == TokenKind::Word).then(|| &self.tokens.text.as_str()[token.range.clone()])
    }

    /// Whether a mark is at an index.
    pub fn is_mark(&self, index: usize, mark: u8) -> bool {
        self.tokens.list.get(index).is_some_and(|token| token.kind == TokenKind::Mark(mark))
    }

    /// The content of the text at an index, as it is written.
    pub fn literal(&self, index: usize) -> Option<Traced> {
        let token = self.tokens.list.get(index)?;
        matches!(token.kind, TokenKind::Text(_)).then(|| self.tokens.text.slice(token.range.clone()))
    }

    /// Where the bracket at an index closes.
    pub fn close(&self, open: usize) -> Option<usize> {
        self.tokens.partner.get(open).copied().filter(|&close| close != usize::MAX && close > open)
    }

    /// Where the bracket at an index opens.
    pub fn open(&self, close: usize) -> Option<usize> {
        self.tokens.partner.get(close).copied().filter(|&open| open < close)
    }

    /// What is at an index.
    pub fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.list.get(index).map(|token| token.kind)
    }

    /// The brackets that an index is in, the innermost first.
    pub fn around(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.tokens.inside.get(index).copied().flatten(), |&open| self.tokens.inside[open])
    }

    /// The word that a bracket belongs to: a call's name, a key, an assigned name.
    pub fn owner(&self, open: usize) -> &str {
        let mut at = open;
        // `new Foo<Bar>(`: the type's parameters stand between.
        for _ in 0..12 {
            let Some(before) = at.checked_sub(1) else { return "" };
            match self.tokens.list[before].kind {
                TokenKind::Word => {
                    let inside_angles = self.is_mark(at, b'>') || self.is_mark(before.wrapping_sub(1), b'<');
                    if !inside_angles {
                        return self.word(before).unwrap_or_default();
                    }
                }
                TokenKind::Mark(b'<' | b'>' | b':' | b'=' | b'?' | b',' | b'\n') => {}
                TokenKind::Text(_) if self.is_mark(at, b':') => {
                    return &self.tokens.text.as_str()[self.tokens.list[before].range.clone()];
                }
                TokenKind::Text(_) | TokenKind::Mark(_) => return "",
            }
            at = before;
        }
        ""
    }

    /// Where the arguments of a call begin, if the word at `index` is called: after its type parameters.
    pub fn call(&self, index: usize) -> Option<usize> {
        let mut at = index + 1;
        if self.is_mark(at, b'<') {
            let mut depth = 0;
            for _ in 0..40 {
                match self.tokens.list.get(at)?.kind {
                    TokenKind::Mark(b'<') => depth += 1,
                    TokenKind::Mark(b'>') => depth -= 1,
                    TokenKind::Mark(b'(' | b'{' | b';') => return None,
                    TokenKind::Word | TokenKind::Text(_) | TokenKind::Mark(_) => {}
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
    pub fn arguments(&self, open: usize) -> Vec<usize> {
        let Some(close) = self.close(open) else {
            return Vec::new();
        };
        let mut starts = Vec::new();
        let mut at = open + 1;
        let mut fresh = true;
        while at < close {
            match self.tokens.list[at].kind {
                TokenKind::Mark(b'\n') => {}
                TokenKind::Mark(b',') => fresh = true,
                _ if fresh => {
                    starts.push(at);
                    fresh = false;
                    continue;
                }
                TokenKind::Mark(b'(' | b'[' | b'{') => at = self.close(at).unwrap_or(at),
                TokenKind::Word | TokenKind::Text(_) | TokenKind::Mark(_) => {}
            }
            at += 1;
            if starts.len() > 64 {
                break;
            }
        }
        starts
    }

    /// The argument of a name among arguments: `image = "x"`, `image: "x"`.
    pub fn named(&self, open: usize, name: &str) -> Option<usize> {
        self.arguments(open)
            .into_iter()
            .find_map(|start| self.named_at(start).filter(|(found, _)| *found == name).map(|(_, value)| value))
    }

    /// The key and where its value begins, if a key with a value is at an index: `key: value`, `key = value`, `"key":
    /// value`.
    pub fn named_at(&self, start: usize) -> Option<(&str, usize)> {
        let token = self.tokens.list.get(start)?;
        if matches!(token.kind, TokenKind::Mark(_)) {
            return None;
        }
        let equals = self.is_mark(start + 1, b'=') && !self.is_mark(start + 2, b'=') && !self.is_mark(start + 2, b'>');
        let colon = self.is_mark(start + 1, b':') && !self.is_mark(start + 2, b':') && !self.is_mark(start + 2, b'=');
        (equals || colon).then(|| (&self.tokens.text.as_str()[token.range.clone()], start + 2))
    }

    /// Every name that is given a value anywhere but among a call's arguments; of several the first one counts.
    fn assignments(&self, language: Language) -> HashMap<String, usize> {
        let mut names = HashMap::new();
        for index in 1..self.count() {
            if !self.is_mark(index, b'=') || self.is_mark(index + 1, b'=') || self.is_mark(index + 1, b'>') {
                continue;
            }
            let compares = self
                .tokens
                .list
                .get(index - 1)
                .is_some_and(|before| matches!(before.kind, TokenKind::Mark(b'=' | b'!' | b'<' | b'+' | b'-')));
            let group = self.tokens.inside[index];
            let argument = group
                .is_some_and(|open| self.is_mark(open, b'(') && !matches!(self.owner(open), "const" | "var" | "val"));
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
            for index in 0..self.count() {
                if self.word(index) == Some("variable")
                    && let Some(name) = self.literal(index + 1)
                    && let Some(close) = self.close(index + 2)
                    && let Some(default) =
                        (index + 3..close).find(|&at| self.word(at) == Some("default") && self.is_mark(at + 1, b'='))
                {
                    names.insert(name.as_str().to_owned(), default + 2);
                }
            }
        }
        names
    }
}
