//! A Dockerfile as instructions: directives, comments, continuation lines and heredocs taken care of.
//!
//! Read the way BuildKit reads it. Each instruction's text keeps the origin of every byte, across continuation lines.

use crate::traced::Traced;

/// One instruction.
pub struct Instruction {
    /// Upper case.
    pub keyword: String,
    /// What follows the keyword, on one line.
    pub arguments: Traced,
    /// Byte offset of its first line in the text.
    pub offset: usize,
}

/// A Dockerfile in its parts.
#[derive(Default)]
pub struct Parsed {
    /// The value of `# syntax=`.
    pub syntax: Option<Traced>,
    /// In order. An `ONBUILD` gives the instruction that it holds.
    pub instructions: Vec<Instruction>,
    /// Heredocs without an end: byte offset and delimiter.
    pub unterminated: Vec<(usize, String)>,
}

/// Takes a Dockerfile apart.
pub fn parse(text: &Traced) -> Parsed {
    let mut parsed = Parsed::default();
    let mut lines = InstructionLines {
        text,
        at: if text.as_str().starts_with('\u{feff}') { 3 } else { 0 },
    };
    let escape = directives(&mut lines, &mut parsed);
    let mut pending: Option<(usize, Traced)> = None;
    while let Some((start, end)) = lines.next_line() {
        let line = &text.as_str()[start..end];
        let trimmed = line.trim();
        // Comments and blank lines are allowed in the middle of an instruction.
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (content_end, goes_on) = continuation(line, escape);
        let (offset, mut logical) = pending.take().unwrap_or_else(|| (start, Traced::default()));
        logical.push(&text.slice(start..start + content_end));
        if goes_on {
            pending = Some((offset, logical));
            continue;
        }
        finish(logical, offset, &mut lines, &mut parsed);
    }
    if let Some((offset, logical)) = pending {
        finish(logical, offset, &mut lines, &mut parsed);
    }
    parsed
}

struct InstructionLines<'t> {
    text: &'t Traced,
    at: usize,
}

impl InstructionLines<'_> {
    /// Start and end of the next line, without its line ending.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        let text = self.text.as_str();
        if self.at >= text.len() {
            return None;
        }
        let start = self.at;
        let end = text[start..].find('\n').map_or(text.len(), |end| start + end);
        self.at = end + 1;
        let content = text[start..end].strip_suffix('\r').map_or(end, |line| start + line.len());
        Some((start, content))
    }
}

/// Reads `# name=value` lines at the top; the first line of any other form ends them. Gives the escape character.
fn directives(lines: &mut InstructionLines<'_>, parsed: &mut Parsed) -> char {
    let mut escape = '\\';
    if lines.text.as_str()[lines.at..].starts_with("#!") {
        lines.next_line();
    }
    loop {
        let before = lines.at;
        let Some((start, end)) = lines.next_line() else { break };
        let line = &lines.text.as_str()[start..end];
        let comment = line.strip_prefix('#').or_else(|| line.strip_prefix("//"));
        let directive = comment.and_then(|comment| comment.split_once('=')).filter(|(name, value)| {
            let name = name.trim();
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !value.trim().is_empty()
        });
        let Some((name, value)) = directive else {
            lines.at = before;
            break;
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "syntax" => {
                // What follows the reference on the line is the frontend's affair.
                let value_start = end - value.len() + (value.len() - value.trim_start().len());
                let length = value.split_whitespace().next().map_or(0, str::len);
                parsed.syntax.get_or_insert_with(|| lines.text.slice(value_start..value_start + length));
            }
            "escape" if value.trim() == "`" => escape = '`',
            _ => {}
        }
    }
    escape
}

/// Length of the line's content, and whether the next line belongs to it.
fn continuation(line: &str, escape: char) -> (usize, bool) {
    let trimmed = line.trim_end_matches([' ', '\t']);
    match trimmed.strip_suffix(escape) {
        Some(content) if !content.ends_with(escape) => (content.len(), true),
        _ => (line.len(), false),
    }
}

fn finish(logical: Traced, offset: usize, lines: &mut InstructionLines<'_>, parsed: &mut Parsed) {
    let mut rest = logical.trimmed();
    loop {
        let text = rest.as_str();
        let length = text.find(char::is_whitespace).unwrap_or(text.len());
        let keyword = text[..length].to_ascii_uppercase();
        let arguments = rest.slice(length..text.len()).trimmed();
        if keyword == "ONBUILD" && !arguments.is_empty() {
            rest = arguments;
            continue;
        }
        if matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
            skip_heredocs(arguments.as_str(), lines, parsed);
        }
        parsed.instructions.push(Instruction { keyword, arguments, offset });
        return;
    }
}

fn skip_heredocs(arguments: &str, lines: &mut InstructionLines<'_>, parsed: &mut Parsed) {
    for (delimiter, strips_tabs) in heredocs(arguments) {
        let begin = lines.at;
        let mut ended = false;
        while let Some((start, end)) = lines.next_line() {
            let line = &lines.text.as_str()[start..end];
            if (if strips_tabs { line.trim_start_matches('\t') } else { line }) == delimiter {
                ended = true;
                break;
            }
        }
        if !ended {
            parsed.unterminated.push((begin.saturating_sub(1), delimiter));
        }
    }
}

/// The delimiters of the heredocs that a line opens, and whether leading tabs are stripped.
pub fn heredocs(arguments: &str) -> Vec<(String, bool)> {
    word_ranges(arguments)
        .into_iter()
        .filter_map(|(start, end)| {
            let word = arguments[start..end].trim_start_matches(|first: char| first.is_ascii_digit());
            let word = word.strip_prefix("<<")?;
            let (word, strips_tabs) = word.strip_prefix('-').map_or((word, false), |word| (word, true));
            let name: String = word.chars().filter(|&character| !matches!(character, '"' | '\'')).collect();
            let valid = !name.is_empty()
                && !word.starts_with('<')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
            valid.then_some((name, strips_tabs))
        })
        .collect()
}

/// The words of a line as ranges: white space separates, quotes hold together.
pub fn word_ranges(text: &str) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut escaped = false;
    // Where a `$(...)` ends, which is a part of its word; and whether the last one searched for has an end.
    let mut inside = 0;
    let mut closed = true;
    for (index, character) in text.char_indices() {
        if index < inside {
            continue;
        }
        if closed && !escaped && quote != Some('\'') && text[index..].starts_with("$(") {
            match substitution_end(text, index) {
                Some(end) => {
                    start.get_or_insert(index);
                    inside = end;
                    continue;
                }
                None => closed = false,
            }
        }
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => {
                escaped = true;
                start.get_or_insert(index);
            }
            (Some(_), _) => {}
            (None, '"' | '\'') => {
                quote = Some(character);
                start.get_or_insert(index);
            }
            (None, _) if character.is_whitespace() => {
                if let Some(start) = start.take() {
                    words.push((start, index));
                }
            }
            (None, _) => {
                start.get_or_insert(index);
            }
        }
    }
    words.extend(start.map(|start| (start, text.len())));
    words
}

/// Where the `$(...)` that begins at `start` ends.
pub fn substitution_end(text: &str, start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    for (index, byte) in text.bytes().enumerate().skip(start + 1) {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => {
                depth -= 1;
                if depth == 0 {
                    return Some(index + 1);
                }
            }
            (None, _) => {}
        }
    }
    None
}

/// A word without the quotes around it, or within it as in `--from="image"`.
pub fn unquoted(word: &Traced) -> Traced {
    let mut plain = Traced::default();
    let text = word.as_str();
    let mut copied = 0;
    for (index, _) in text.match_indices(['"', '\'']) {
        plain.push(&word.slice(copied..index));
        copied = index + 1;
    }
    plain.push(&word.slice(copied..text.len()));
    plain
}
