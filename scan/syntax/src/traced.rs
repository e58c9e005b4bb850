//! Text that knows where each of its bytes was written.
//!
//! A reference is seldom in one piece: `FROM ${BASE:-python}:${TAG}` is a default, a literal and an `ARG` of another
//! line. Each format puts its references together as [`Traced`] text, so that whoever rewrites one afterwards finds
//! the bytes that its author typed, in this file or in the `.env` file beside it. What has no value stays in the text
//! as an [`Unknown`], under its name.

use std::ops::Range;
use std::sync::Arc;

/// Stands in the text where a value is not known. It is a private-use character, which no reference has.
pub const HOLE: &str = "\u{E000}";

/// Where a byte was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteOrigin {
    /// Number of the source; 0 is the scanned file.
    pub source: usize,
    /// Byte offset there.
    pub offset: usize,
}

/// A value that the files do not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What it is called where it is used.
    pub name: String,
    /// How it is written there, if not as `${NAME}`.
    pub written: Option<String>,
    /// A value of the same form, where the registry follows from the form alone (`AWS::AccountId`).
    pub assumed: Option<&'static str>,
    /// Whether the tool that reads the file puts in nothing where no value is set.
    pub empty_if_unset: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    Written(ByteOrigin),
    Computed,
    Unknown(Arc<Unknown>, Option<ByteOrigin>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TracedRun {
    start: usize,
    from: From,
}

/// A text, and for each byte where it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traced {
    text: String,
    runs: Vec<TracedRun>,
}

impl AsRef<str> for Traced {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl Traced {
    /// Text that stands at `origin`, byte for byte.
    pub fn written(text: &str, origin: ByteOrigin) -> Self {
        let mut traced = Self::default();
        traced.push_run(text, From::Written(origin));
        traced
    }

    /// Text that no file has as it is.
    pub fn computed(text: &str) -> Self {
        let mut traced = Self::default();
        traced.push_computed(text);
        traced
    }

    /// A value that the files do not give.
    pub fn unknown(unknown: Unknown) -> Self {
        Self::unknown_at(unknown, None)
    }

    /// A value that the files do not give, and where it is asked for.
    pub fn unknown_at(unknown: Unknown, origin: Option<ByteOrigin>) -> Self {
        let mut traced = Self::default();
        traced.push_run(HOLE, From::Unknown(Arc::new(unknown), origin));
        traced
    }

    /// The same text, its unknown parts asked for at `origin` where they do not say otherwise.
    pub fn asked_at(mut self, origin: Option<ByteOrigin>) -> Self {
        for run in &mut self.runs {
            if let From::Unknown(_, place @ None) = &mut run.from {
                *place = origin;
            }
        }
        self
    }

    /// The text, with [`HOLE`] where a value is unknown.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Appends text that no file has as it is.
    pub fn push_computed(&mut self, text: &str) {
        self.push_run(text, From::Computed);
    }

    /// Appends another text with its origins.
    pub fn push(&mut self, other: &Self) {
        for (index, run) in other.runs.iter().enumerate() {
            self.push_run(&other.text[other.extent(index)], run.from.clone());
        }
    }

    /// A part of the text with its origins. The range has to lie on character boundaries.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let mut part = Self::default();
        let first = self.runs.partition_point(|run| run.start <= range.start).saturating_sub(1);
        for index in first..self.runs.len() {
            let extent = self.extent(index);
            let (start, end) = (extent.start.max(range.start), extent.end.min(range.end));
            if extent.start >= range.end {
                break;
            }
            if start >= end {
                continue;
            }
            let from = match &self.runs[index].from {
                From::Written(origin) => From::Written(ByteOrigin {
                    source: origin.source,
                    offset: origin.offset + (start - extent.start),
                }),
                From::Computed => From::Computed,
                From::Unknown(unknown, origin) => From::Unknown(Arc::clone(unknown), *origin),
            };
            part.push_run(&self.text[start..end], from);
        }
        part
    }

    /// The text without white space at its ends.
    pub fn trimmed(&self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        let end = self.text.trim_end().len();
        if start >= end { Self::default() } else { self.slice(start..end) }
    }

    /// The parts between the separators.
    pub fn split<'t>(&'t self, separator: &str) -> impl Iterator<Item = Self> + use<'t> {
        let length = separator.len();
        let ends: Vec<usize> = self.text.match_indices(separator).map(|(at, _)| at).chain([self.text.len()]).collect();
        let starts = [0].into_iter().chain(ends.iter().map(|end| end + length)).collect::<Vec<_>>();
        starts.into_iter().zip(ends).map(|(start, end)| self.slice(start..end))
    }

    /// The sources that its bytes were written in.
    pub fn sources(&self) -> impl Iterator<Item = usize> {
        self.runs.iter().filter_map(|run| match &run.from {
            From::Written(origin) => Some(origin.source),
            From::Computed | From::Unknown(..) => None,
        })
    }

    /// Where the byte at `offset` was written, or else the first one after it that was written anywhere.
    pub fn origin(&self, offset: usize) -> Option<ByteOrigin> {
        let first = self.runs.partition_point(|run| run.start <= offset).saturating_sub(1);
        self.runs.iter().skip(first).find_map(|run| match &run.from {
            From::Written(origin) => Some(ByteOrigin {
                source: origin.source,
                offset: origin.offset + offset.saturating_sub(run.start),
            }),
            From::Unknown(_, origin) => *origin,
            From::Computed => None,
        })
    }

    /// The bytes in a source that are this range, if it was written in one piece. An empty range is the place before
    /// `start`.
    pub fn written_at(&self, range: Range<usize>) -> Option<(usize, Range<usize>)> {
        let index = self.runs.partition_point(|run| run.start <= range.start).checked_sub(1)?;
        let extent = self.extent(index);
        if range.end > extent.end || range.start >= extent.end {
            return None;
        }
        match &self.runs[index].from {
            From::Written(origin) => {
                let start = origin.offset + (range.start - extent.start);
                Some((origin.source, start..start + range.len()))
            }
            From::Computed | From::Unknown(..) => None,
        }
    }

    /// The values that are not known, each with its place in the text.
    pub fn unknowns(&self) -> impl Iterator<Item = (usize, &Arc<Unknown>)> {
        self.runs.iter().filter_map(|run| match &run.from {
            From::Unknown(unknown, _) => Some((run.start, unknown)),
            From::Written(_) | From::Computed => None,
        })
    }

    /// The text with `fill` of each unknown in its place.
    pub fn filled<'a>(&'a self, fill: impl Fn(&'a Unknown) -> std::borrow::Cow<'a, str>) -> String {
        let mut text = String::with_capacity(self.text.len());
        for (index, run) in self.runs.iter().enumerate() {
            match &run.from {
                From::Unknown(unknown, _) => text.push_str(&fill(unknown)),
                From::Written(_) | From::Computed => text.push_str(&self.text[self.extent(index)]),
            }
        }
        text
    }

    /// The texts that come of putting values in for unknown parts; `values` gives none for one that stays.
    pub fn substituted(&self, limit: usize, values: impl Fn(&Unknown) -> Vec<Self>) -> Vec<Self> {
        let mut results = vec![Self::default()];
        for (index, run) in self.runs.iter().enumerate() {
            let mut alternatives = match &run.from {
                From::Unknown(unknown, _) => values(unknown),
                From::Written(_) | From::Computed => Vec::new(),
            };
            if alternatives.is_empty() {
                alternatives.push(self.slice(self.extent(index)));
            }
            if let [only] = alternatives.as_slice() {
                results.iter_mut().for_each(|result| result.push(only));
                continue;
            }
            results = results
                .iter()
                .flat_map(|result| alternatives.iter().map(move |alternative| (result, alternative)))
                .take(limit)
                .map(|(result, alternative)| {
                    let mut longer = result.clone();
                    longer.push(alternative);
                    longer
                })
                .collect();
        }
        results
    }

    fn extent(&self, index: usize) -> Range<usize> {
        self.runs[index].start..self.runs.get(index + 1).map_or(self.text.len(), |next| next.start)
    }

    fn push_run(&mut self, text: &str, from: From) {
        if text.is_empty() {
            return;
        }
        let start = self.text.len();
        let joins = match (self.runs.last(), &from) {
            (Some(TracedRun { start: last, from: From::Written(before) }), From::Written(origin)) => {
                before.source == origin.source && before.offset + (start - last) == origin.offset
            }
            (Some(TracedRun { from: From::Computed, .. }), From::Computed) => true,
            _ => false,
        };
        self.text.push_str(text);
        if !joins {
            self.runs.push(TracedRun { start, from });
        }
    }
}

/// Joins texts with a separator that no file has.
pub fn join(parts: &[Traced], separator: &str) -> Traced {
    let mut joined = Traced::default();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            joined.push_computed(separator);
        }
        joined.push(part);
    }
    joined
}

/// How a source writes a text down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// As it is, but for white space (plain and block scalars, heredocs).
    None,
    /// A single quote is written twice.
    Single,
    /// A backslash begins an escape.
    Backslash,
}

/// Aligns a value that a parser gave with the source text that it came from.
///
/// White space in the value stands for any white space in the source (folding, indentation). What cannot be aligned is
/// computed: it can be shown, but not rewritten.
pub fn align(value: &str, source: &Traced, quoting: Quoting) -> Traced {
    let text = source.as_str();
    if value == text {
        return source.clone();
    }
    let mut aligned = Traced::default();
    let mut at = 0;
    for (index, character) in value.char_indices() {
        let width = character.len_utf8();
        let here = &value[index..index + width];
        let rest = &text[at..];
        let escape = if quoting == Quoting::Backslash { escape_length(rest) } else { None };
        if let Some(length) = escape {
            at += length;
            aligned.push_computed(here);
            continue;
        }
        if rest.starts_with(character) {
            aligned.push(&source.slice(at..at + width));
            at += width;
            if quoting == Quoting::Single && character == '\'' && text[at..].starts_with('\'') {
                at += 1;
            }
            continue;
        }
        if character == '\n' && rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n') {
            at += rest.find('\n').map_or(0, |end| end + 1);
            aligned.push_computed(here);
            continue;
        }
        let blank = rest.len() - rest.trim_start().len();
        if character.is_whitespace() && blank > 0 {
            at += blank;
            aligned.push_computed(here);
        } else if blank > 0 && rest[blank..].starts_with(character) {
            aligned.push(&source.slice(at + blank..at + blank + width));
            at += blank + width;
        } else {
            aligned.push_computed(&value[index..]);
            break;
        }
    }
    aligned
}

/// Length of the escape that a text begins with.
fn escape_length(text: &str) -> Option<usize> {
    let mut characters = text.strip_prefix('\\')?.chars();
    let first = characters.next()?;
    let wanted = match first {
        'x' => 4,
        'u' => 6,
        'U' => 10,
        other => 1 + other.len_utf8(),
    };
    text.is_char_boundary(wanted).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Traced {
        Traced::written(text, ByteOrigin { source: 0, offset: 0 })
    }

    #[test]
    fn slices_and_joins_keep_their_origin() {
        let text = written("FROM python:3.11");
        let mut built = text.slice(5..11);
        built.push_computed(":");
        built.push(&text.slice(12..16));
        assert_eq!(built.as_str(), "python:3.11");
        assert_eq!(built.written_at(0..6), Some((0, 5..11)));
        assert_eq!(built.written_at(0..0), Some((0, 5..5)));
        assert_eq!(built.written_at(4..8), None);
        assert_eq!(built.origin(6), Some(ByteOrigin { source: 0, offset: 12 }));
    }

    #[test]
    fn aligns_folded_indented_and_escaped_text() {
        for (value, source, quoting, part, at) in [
            ("FROM a\nFROM b\n", "FROM a\n    FROM b\n", Quoting::None, "FROM b", 11),
            ("a:\n\n  b c\n", "a:\n  \n    b c\n", Quoting::None, "b c", 10),
            ("x redis:7", "x\n   redis:7", Quoting::None, "redis:7", 5),
            ("a\"redis\"", "a\\\"redis\\\"", Quoting::Backslash, "redis", 3),
            ("it's '' redis", "it''s '''' redis", Quoting::Single, "redis", 11),
            ("a\nFROM redis", "a\\nFROM redis", Quoting::Backslash, "FROM redis", 3),
        ] {
            let aligned = align(value, &written(source), quoting);
            assert_eq!(aligned.as_str(), value);
            let start = value.find(part).unwrap();
            assert_eq!(
                aligned.written_at(start..start + part.len()),
                Some((0, at..at + part.len())),
                "{value:?} in {source:?}"
            );
        }
    }
}
