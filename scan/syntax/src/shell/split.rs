//! Scripts taken apart: the simple commands with their heredocs, and the commands in commands.

use crate::instruction::{heredocs, substitution_end};
use crate::traced::Traced;

/// A simple command, and the texts that follow it as heredocs.
pub(super) struct SimpleCommand {
    pub(super) text: Traced,
    pub(super) heredocs: Vec<Traced>,
}

/// The scripts in the `$(...)` and the backquotes of a command, which the shell runs, too.
pub(super) fn substitutions(command: &Traced) -> Vec<Traced> {
    let text = command.as_str();
    let mut inner = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(['$', '`']).map(|found| at + found) {
        let (start, end) = match &text[found..] {
            rest if rest.starts_with("$(") => (found + 2, substitution_end(text, found).map(|end| end - 1)),
            rest if rest.starts_with('`') => (found + 1, rest[1..].find('`').map(|length| found + 1 + length)),
            _ => {
                at = found + 1;
                continue;
            }
        };
        let Some(end) = end else { break };
        inner.push(command.slice(start..end));
        at = end + 1;
    }
    inner
}

/// The simple commands of a script, continuation lines joined.
pub(super) fn commands(script: &Traced) -> Vec<SimpleCommand> {
    let text = script.as_str();
    let bytes = text.as_bytes();
    let mut commands = Vec::new();
    let mut current = Traced::default();
    let mut start = 0;
    let mut quote = None;
    let mut at = 0;
    let mut closed = true;
    let mut fresh = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let mut length = 1;
        // What `$(...)` runs is a part of this command.
        if closed && byte == b'$' && quote != Some(b'\'') && bytes.get(at + 1) == Some(&b'(') {
            match substitution_end(text, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => closed = false,
            }
        }
        let mut ends = false;
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(b'\''), _) => {}
            (_, b'\\') if bytes.get(at + 1) == Some(&b'\n') => {
                current.push(&script.slice(start..at));
                current.push_computed(" ");
                at += 2;
                start = at;
                continue;
            }
            (_, b'\\') => length = 2,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'#') if at == 0 || bytes[at - 1].is_ascii_whitespace() => {
                current.push(&script.slice(start..at));
                push(&mut commands, &mut current);
                at = text[at..].find('\n').map_or(bytes.len(), |end| at + end);
                start = at;
                continue;
            }
            (None, b'\n' | b';' | b'|' | b'&') => ends = true,
            (None, _) => {}
        }
        if ends {
            current.push(&script.slice(start..at));
            push(&mut commands, &mut current);
            start = at + 1;
            // The bodies of the line's heredocs follow it.
            if byte == b'\n' {
                for (delimiter, of) in opened(&commands, &mut fresh) {
                    let end = heredoc_end(text, start, &delimiter);
                    commands[of].heredocs.push(script.slice(start..end.start));
                    start = end.end;
                }
                at = start;
                continue;
            }
        }
        at += length;
    }
    if start < bytes.len() {
        current.push(&script.slice(start..bytes.len()));
    }
    push(&mut commands, &mut current);
    commands
}

fn push(commands: &mut Vec<SimpleCommand>, current: &mut Traced) {
    let text = std::mem::take(current);
    if !text.as_str().trim().is_empty() {
        commands.push(SimpleCommand { text, heredocs: Vec::new() });
    }
}

/// The heredocs that the commands since the last line's end have opened, each with its command.
fn opened(commands: &[SimpleCommand], fresh: &mut usize) -> Vec<(String, usize)> {
    let line = *fresh..commands.len();
    *fresh = commands.len();
    let of = |at: usize| {
        // `<< EOF` as `<<EOF`.
        let text = commands[at].text.as_str().replace("<<- ", "<<-").replace("<< ", "<<");
        heredocs(&text).into_iter().map(move |(delimiter, _)| (delimiter, at))
    };
    line.filter(|&at| commands[at].text.as_str().contains("<<")).flat_map(of).collect()
}

/// Where the line is that ends a heredoc.
fn heredoc_end(text: &str, from: usize, delimiter: &str) -> std::ops::Range<usize> {
    let mut at = from.min(text.len());
    for line in text[at..].split_inclusive('\n') {
        if line.trim() == delimiter {
            return at..at + line.len();
        }
        at += line.len();
    }
    text.len()..text.len()
}
