//! The tokens of a program: words, texts, and single marks; comments are left out.
//!
//! One lexer serves every language here, because an image is a text in a call in all of them. What it cannot know (a
//! regular expression, a macro) it gets over: a text without an end on its line is no text.

use std::collections::HashMap;
use std::ops::Range;

use crate::traced::Traced;

/// What differs between the languages, as far as texts and comments go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Java, C#, Go, Rust, Kotlin, Scala: `'` is for characters.
    Braces,
    /// JavaScript, TypeScript and Groovy: `'` and `"` are for texts.
    Script,
    /// Python and Starlark: `#` begins a comment.
    Python,
    /// HCL: `#` and `//` begin comments, `<<NAME` a text of many lines.
    Hcl,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A name or a number.
    Word,
    /// A text; its range is without the quotes.
    Text(Quotes),
    /// Any other character.
    Mark(u8),
}

/// How a text is written, which says what may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// Nothing in it is a value: `'x'`, a raw text.
    Plain,
    /// `$name` and `${name}` may be values.
    Dollar,
    /// `{name}` is a value: C#'s `$"..."`, Python's `f"..."`.
    Braces,
}

/// One token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

/// A text's tokens, and for each bracket the one that closes or opens it.
pub(super) struct Tokens {
    pub(super) text: Traced,
    pub(super) list: Vec<Token>,
    /// For an opening bracket where it closes, for a closing one where it opens.
    pub(super) partner: Vec<usize>,
    /// The innermost bracket that each token is in.
    pub(super) inside: Vec<Option<usize>>,
}

/// Reads the tokens of a text.
pub(super) fn read(text: Traced, language: Language) -> Tokens {
    let list = Lexer {
        text: text.as_str(),
        language,
        at: 0,
        list: Vec::new(),
        endless: HashMap::new(),
    }
    .read();
    let mut partner = vec![usize::MAX; list.len()];
    let mut inside = vec![None; list.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, token) in list.iter().enumerate() {
        if let TokenKind::Mark(b')' | b']' | b'}') = token.kind
            && let Some(start) = open.pop()
        {
            partner[start] = index;
            partner[index] = start;
        }
        inside[index] = open.last().copied();
        if let TokenKind::Mark(b'(' | b'[' | b'{') = token.kind {
            open.push(index);
        }
    }
    Tokens { text, list, partner, inside }
}

struct Lexer<'t> {
    text: &'t str,
    language: Language,
    at: usize,
    list: Vec<Token>,
    /// Up to where a quote is known to have no end, so that none is looked for again and again.
    endless: HashMap<(u8, usize), usize>,
}

impl Lexer<'_> {
    fn read(mut self) -> Vec<Token> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            let start = self.at;
            match byte {
                b'\n' if self.language == Language::Script => self.push(TokenKind::Mark(b'\n'), start..start + 1),
                _ if byte.is_ascii_whitespace() => self.at += 1,
                b'/' if self.rest().starts_with("//") && self.language != Language::Python => self.skip_line(),
                b'/' if self.rest().starts_with("/*") && self.language != Language::Python => {
                    self.at = self.rest().find("*/").map_or(self.text.len(), |end| start + end + 2);
                }
                b'#' if matches!(self.language, Language::Python | Language::Hcl) || self.rest().starts_with("#!") => {
                    self.skip_line()
                }
                b'<' if self.language == Language::Hcl && self.heredoc() => {}
                b'"' | b'\'' | b'`' if self.quoted(byte) => {}
                _ if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | 0x80..) => {
                    let end = self
                        .rest()
                        .find(|c: char| !c.is_alphanumeric() && c != '_')
                        .map_or(self.text.len(), |end| start + end);
                    let end = if end == start {
                        start + self.rest().chars().next().map_or(1, char::len_utf8)
                    } else {
                        end
                    };
                    self.push(TokenKind::Word, start..end);
                }
                _ => self.push(TokenKind::Mark(byte), start..start + 1),
            }
        }
        self.list
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: TokenKind, range: Range<usize>) {
        self.at = range.end;
        self.list.push(Token { kind, range });
    }

    fn skip_line(&mut self) {
        self.at = self.rest().find('\n').map_or(self.text.len(), |end| self.at + end);
    }

    /// Reads a text, if this quote begins one.
    fn quoted(&mut self, quote: u8) -> bool {
        let start = self.at;
        let prefix = self.prefix();
        let triple = [quote; 3];
        let rest = &self.text.as_bytes()[start..];
        if quote != b'`' && rest.starts_with(&triple) {
            let Some(length) = self.find_end(start + 3, &triple, false) else {
                return false;
            };
            let range = start + 3..start + 3 + length;
            self.push_text(quote, prefix, range, 3);
            return true;
        }
        if quote == b'`' && !matches!(self.language, Language::Script | Language::Braces) {
            return false;
        }
        if quote == b'\'' && matches!(self.language, Language::Braces) {
            // A character, or a lifetime.
            let length = match rest {
                [_, b'\\', ..] => rest.iter().skip(2).take(10).position(|&byte| byte == b'\'').map(|at| at + 1),
                _ => self.text[start + 1..]
                    .chars()
                    .next()
                    .map(char::len_utf8)
                    .filter(|length| rest.get(length + 1) == Some(&b'\'')),
            };
            let Some(length) = length else { return false };
            self.push(TokenKind::Text(Quotes::Plain), start + 1..start + 1 + length);
            self.at += 1;
            return true;
        }
        let one_line = quote != b'`' && !prefix.contains('@');
        let Some(length) = self.find_end(start + 1, &[quote], one_line) else {
            return false;
        };
        self.push_text(quote, prefix, start + 1..start + 1 + length, 1);
        true
    }

    fn push_text(&mut self, quote: u8, prefix: &str, range: Range<usize>, width: usize) {
        let quotes = match (self.language, quote) {
            (Language::Python, _) if prefix.contains(['f', 'F']) => Quotes::Braces,
            (Language::Braces, _) if prefix.contains('$') => Quotes::Braces,
            (Language::Python, _) | (Language::Script, b'\'') | (Language::Braces, b'`') => Quotes::Plain,
            _ => Quotes::Dollar,
        };
        self.push(TokenKind::Text(quotes), range);
        self.at += width;
    }

    /// What stands right before the quote: `f`, `$`, `@`.
    fn prefix(&self) -> &'static str {
        let before = &self.text.as_bytes()[..self.at];
        match before {
            [.., b'$', b'@'] | [.., b'@', b'$'] => "$@",
            [.., b'$'] => "$",
            [.., b'@'] => "@",
            [.., b'f' | b'F'] | [.., b'f' | b'F', b'r' | b'R']
                if self.list.last().is_some_and(|last| last.range.end == self.at && last.range.len() <= 2) =>
            {
                "f"
            }
            _ => "",
        }
    }

    /// How long a text is that begins at `from`.
    fn find_end(&mut self, from: usize, end: &[u8], one_line: bool) -> Option<usize> {
        let kind = (end[0], end.len());
        if self.endless.get(&kind).is_some_and(|&until| from <= until) {
            return None;
        }
        let bytes = self.text.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' => at += 2,
                b'\n' if one_line => break,
                // `"${name("x")}"` of HCL has a text in a text.
                b'$' if self.language == Language::Hcl && bytes.get(at + 1) == Some(&b'{') => {
                    at += self.text[at..].find(['}', '\n']).unwrap_or(1).max(1);
                }
                _ if bytes[at..].starts_with(end) => return Some(at - from),
                _ => at += 1,
            }
        }
        self.endless.insert(kind, at);
        None
    }

    /// Reads `<<NAME` up to the line that is `NAME`.
    fn heredoc(&mut self) -> bool {
        let Some(rest) = self.rest().strip_prefix("<<") else {
            return false;
        };
        let rest = rest.trim_start_matches(['-', '~']);
        let Some(name) = rest.lines().next().map(|line| line.trim().trim_matches('"')) else {
            return false;
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return false;
        }
        let begin = self.at + self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
        let mut end = begin;
        for line in self.text[begin..].split_inclusive('\n') {
            if line.trim() == name {
                break;
            }
            end += line.len();
        }
        self.push(TokenKind::Text(Quotes::Dollar), begin..end);
        self.skip_line();
        true
    }
}
