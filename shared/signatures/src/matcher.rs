//! Finds the rows of a table that match a text, in one pass over it.
//!
//! All phrases of all rows go into one Aho-Corasick automaton, which is built once. A pass sets one bit for each phrase
//! that occurs; testing a row then takes a few bit tests.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::row::SignatureRow;
use pullsafe::reference::Registry;

/// The most different phrases in one matcher; a test checks that the tables stay below it.
const CAPACITY: usize = 1280;

/// What is known of the image that a text is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// The registry that the image comes from.
    pub registry: Option<Registry>,
    /// Whether it is an official image of Docker Hub.
    pub official: bool,
}

impl Context {
    /// Whether a row can apply to this registry and image.
    pub fn fits(self, row: &SignatureRow) -> bool {
        let of_registry =
            row.hosts.is_empty() || self.registry.map_or(row.or_unknown_host, |registry| row.hosts.contains(&registry));
        of_registry && (self.official || !row.official_image)
    }
}

/// The phrases that a text contains, one bit each.
#[derive(Clone, Copy)]
struct PhraseSet([u64; CAPACITY / 64]);

impl PhraseSet {
    const NOTHING: Self = Self([0; CAPACITY / 64]);

    fn set(&mut self, phrase: usize) {
        if let Some(word) = self.0.get_mut(phrase / 64) {
            *word |= 1 << (phrase % 64);
        }
    }

    fn has(&self, phrase: usize) -> bool {
        self.0.get(phrase / 64).is_some_and(|word| word & (1 << (phrase % 64)) != 0)
    }
}

struct Compiled {
    row: &'static SignatureRow,
    all: Vec<Vec<usize>>,
    none: Vec<usize>,
}

#[derive(Clone, Copy, Default)]
struct Anchors {
    start: bool,
    end: bool,
}

/// The compiled rows of some tables.
pub struct Matcher {
    automaton: Option<AhoCorasick>,
    /// For each pattern of the automaton, the phrases that have this text, with their anchors.
    phrases: Vec<Vec<(usize, Anchors)>>,
    rows: Vec<Compiled>,
    phrase_count: usize,
}

impl Matcher {
    /// Compiles tables. Rows take precedence in the order of the tables.
    pub fn new(tables: &[&'static [SignatureRow]]) -> Self {
        let mut intern = Interner::default();
        let rows: Vec<Compiled> = tables
            .iter()
            .flat_map(|table| table.iter())
            .map(|row| Compiled {
                row,
                all: row.all.iter().map(|group| group.iter().map(|phrase| intern.phrase(phrase)).collect()).collect(),
                none: row.none.iter().map(|phrase| intern.phrase(phrase)).collect(),
            })
            .collect();
        // Building fails only for tables of gigabytes. Without an automaton nothing matches and every text is unknown.
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&intern.patterns)
            .ok();
        Self {
            automaton,
            phrases: intern.phrases_of_pattern,
            rows,
            phrase_count: intern.phrase_count,
        }
    }

    /// Whether every phrase has a bit and the automaton was built.
    #[cfg(test)]
    pub(crate) fn is_complete(&self) -> bool {
        self.automaton.is_some() && self.phrase_count <= CAPACITY
    }

    /// Returns the phrases in this text; `None` if it has none.
    fn scan(&self, text: &str) -> Option<PhraseSet> {
        let automaton = self.automaton.as_ref()?;
        let mut found = PhraseSet::NOTHING;
        let mut any = false;
        for hit in automaton.find_overlapping_iter(text) {
            for (phrase, anchors) in self.phrases.get(hit.pattern().as_usize()).into_iter().flatten() {
                if (!anchors.start || hit.start() == 0) && (!anchors.end || hit.end() == text.len()) {
                    found.set(*phrase);
                    any = true;
                }
            }
        }
        (any && self.phrase_count <= CAPACITY).then_some(found)
    }

    /// Returns the first row that matches this text, in this context.
    pub fn first(&self, text: &str, context: Context) -> Option<&'static SignatureRow> {
        let found = self.scan(text)?;
        self.rows
            .iter()
            .find(|compiled| compiled.matches(&found, text, context))
            .map(|compiled| compiled.row)
    }

    /// Returns every row that matches this text, in the order of precedence.
    pub fn matching(&self, text: &str, context: Context) -> Vec<&'static SignatureRow> {
        let Some(found) = self.scan(text) else {
            return Vec::new();
        };
        self.rows
            .iter()
            .filter(|compiled| compiled.matches(&found, text, context))
            .map(|compiled| compiled.row)
            .collect()
    }

    /// Returns the row with the greatest weight that matches this line of a log; among equals, the first in the tables.
    pub fn heaviest(&self, line: &str) -> Option<&'static SignatureRow> {
        let found = self.scan(line)?;
        let matching = self
            .rows
            .iter()
            .filter(|compiled| compiled.matches(&found, line, Context::default()))
            .map(|compiled| compiled.row);
        matching.reduce(|best, row| if row.weight > best.weight { row } else { best })
    }
}

impl Compiled {
    fn matches(&self, found: &PhraseSet, text: &str, context: Context) -> bool {
        self.all.iter().all(|group| group.iter().any(|phrase| found.has(*phrase)))
            && !self.none.iter().any(|phrase| found.has(*phrase))
            && context.fits(self.row)
            && holds(self.row, text)
    }
}

/// Whether a row's further condition holds and the text was not cut inside a phrase that would mean something else.
pub fn holds(row: &SignatureRow, text: &str) -> bool {
    row.also.is_none_or(|holds| holds(text)) && !row.cut_inside.iter().any(|other| ends_inside(text, other))
}

/// Whether the text ends inside `phrase`: its tail is the beginning of the phrase, of at least one word.
fn ends_inside(text: &str, phrase: &str) -> bool {
    let first_word = phrase.find(' ').unwrap_or(phrase.len()).saturating_sub(1);
    let text = text.trim_end_matches(['.', ' ']).as_bytes();
    (first_word..phrase.len()).any(|length| {
        let beginning = &phrase.as_bytes()[..length];
        text.len() >= length && text[text.len() - length..].eq_ignore_ascii_case(beginning)
    })
}

#[derive(Default)]
struct Interner {
    patterns: Vec<&'static str>,
    pattern_of_text: HashMap<&'static str, usize>,
    phrase_of_text: HashMap<&'static str, usize>,
    phrases_of_pattern: Vec<Vec<(usize, Anchors)>>,
    phrase_count: usize,
}

impl Interner {
    fn phrase(&mut self, written: &'static str) -> usize {
        if let Some(known) = self.phrase_of_text.get(written) {
            return *known;
        }
        let phrase = self.phrase_count;
        self.phrase_count += 1;
        self.phrase_of_text.insert(written, phrase);
        let (text, start) = written.strip_prefix('^').map_or((written, false), |rest| (rest, true));
        let (text, end) = text.strip_suffix('$').map_or((text, false), |rest| (rest, true));
        let pattern = *self.pattern_of_text.entry(text).or_insert_with(|| {
            self.patterns.push(text);
            self.phrases_of_pattern.push(Vec::new());
            self.patterns.len() - 1
        });
        if let Some(phrases) = self.phrases_of_pattern.get_mut(pattern) {
            phrases.push((phrase, Anchors { start, end }));
        }
        phrase
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROWS: &[SignatureRow] = &[
        SignatureRow {
            id: "anchored",
            all: &[&["^head"], &["tail$"]],
            ..SignatureRow::EMPTY
        },
        SignatureRow {
            id: "either",
            all: &[&["one", "two"]],
            none: &["three"],
            ..SignatureRow::EMPTY
        },
        SignatureRow {
            id: "host",
            all: &[&["403"]],
            hosts: &[Registry::Ghcr],
            ..SignatureRow::EMPTY
        },
        SignatureRow {
            id: "not-cut",
            all: &[&["toomany:"]],
            cut_inside: &["toomany: data limit"],
            ..SignatureRow::EMPTY
        },
    ];

    #[test]
    fn rows_match_by_groups_anchors_hosts_and_cuts() {
        let matcher = Matcher::new(&[ROWS]);
        let id = |text: &str, registry| matcher.first(text, Context { registry, official: false }).map(|row| row.id);
        assert_eq!(id("HEAD and Tail", None), Some("anchored"));
        assert_eq!(id("a head and tail", None), None);
        assert_eq!(id("two", None), Some("either"));
        assert_eq!(id("two three", None), None);
        assert_eq!(id("403", Some(Registry::Ghcr)), Some("host"));
        assert_eq!(id("403", None), None);
        assert_eq!(id("toomany: requests", None), Some("not-cut"));
        assert_eq!(id("toomany:", None), None);
        assert_eq!(id("toomany: data l", None), None);
    }
}
