//! Picks the telling lines out of a container's log.
//!
//! Logs are plain text, tracebacks, or one JSON object on each line. The line whose signature has the greatest weight
//! decides. A line that calls itself a warning or less counts for less, because an application that died did not die of
//! a warning.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::LOGS;
use super::log_line::{LineText, read_line};
use super::row::SignatureRow;
use super::text::redact;
use crate::cause::Evidence;

/// How many lines go into the evidence.
const SHOWN: usize = 4;
/// How many telling lines are kept to choose the evidence from.
const KEPT: usize = 64;
/// How many of the last lines are shown if no line tells.
const TAIL: usize = 3;
/// The most bytes of a line that are kept.
const LINE_BYTES: usize = 4 * 1024;
/// Lines of the same signature at most this many lines apart belong to one message, whose first line tells most.
const ONE_MESSAGE: i64 = 25;
/// The score of one unit of `row.weight`.
const SCORE_OF_WEIGHT: i32 = 2;

/// What a log tells.
pub(super) struct LogFinding {
    pub(super) row: &'static SignatureRow,
    pub(super) container: String,
    /// The line itself, as it was matched.
    pub(super) line: String,
    pub(super) evidence: Vec<Evidence>,
}

impl LogFinding {
    /// Whether the finding says more than that something failed.
    pub(super) fn is_specific(&self) -> bool {
        self.row.weight > 1
    }
}

#[derive(Debug, Clone)]
struct MatchedLine {
    row: &'static SignatureRow,
    score: i32,
    /// The line's place in the log. Lines before the first that was read have negative places.
    index: i64,
    line: String,
    message: String,
}

/// Reads a log of any length line by line, and keeps the few lines that may tell.
///
/// [`Self::push`] takes lines in their order; [`Self::before`] takes a page that precedes all that was read.
#[derive(Debug, Clone, Default)]
pub struct Picker {
    first: i64,
    next: i64,
    best: Option<MatchedLine>,
    telling: Vec<MatchedLine>,
    tail: VecDeque<String>,
}

impl Picker {
    /// Reads the lines of a log that is in memory.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut picker = Self::default();
        lines.into_iter().for_each(|line| picker.push(line));
        picker
    }

    /// Reads the next line.
    pub fn push(&mut self, line: &str) {
        let index = self.next;
        self.next += 1;
        let trimmed = line.trim();
        if !trimmed.is_empty() {
            if self.tail.len() >= TAIL {
                self.tail.pop_front();
            }
            self.tail.push_back(cut(trimmed).to_owned());
        }
        let LineText { text, mild } = read_line(trimmed);
        // A match outside the usual keys still counts, unless the line is only a warning: its other fields may say
        // anything.
        let whole = || {
            if mild || matches!(text, Cow::Borrowed(_)) {
                None
            } else {
                LOGS.heaviest(trimmed)
            }
        };
        let Some(row) = LOGS.heaviest(&text).or_else(whole) else {
            return;
        };
        let score = i32::from(row.weight) * SCORE_OF_WEIGHT - i32::from(mild) * 3;
        let is_best = self.best.as_ref().is_none_or(|best| supersedes(best, row, score, index));
        let is_kept = score > 0
            && !is_heading(trimmed)
            && (self.telling.len() < KEPT || self.telling.iter().any(|kept| kept.score < score));
        if !is_best && !is_kept {
            return;
        }
        let candidate = MatchedLine {
            row,
            score,
            index,
            line: cut(trimmed).to_owned(),
            message: cut(&text).to_owned(),
        };
        if is_best {
            self.best = Some(candidate.clone());
        }
        if is_kept {
            self.keep(candidate);
        }
    }

    /// Reads a page that precedes everything that was read so far.
    pub fn before<'a>(&mut self, page: impl IntoIterator<Item = &'a str>) {
        let mut older = Self::of(page);
        let shift = self.first - older.next;
        let place = |candidate: MatchedLine| MatchedLine { index: candidate.index + shift, ..candidate };
        self.first = shift;
        for candidate in older.telling.into_iter().map(place) {
            self.keep(candidate);
        }
        self.best = match (older.best.map(place), self.best.take()) {
            (Some(old), Some(new)) => Some(if supersedes(&old, new.row, new.score, new.index) { new } else { old }),
            (old, new) => old.or(new),
        };
        while self.tail.len() < TAIL
            && let Some(line) = older.tail.pop_back()
        {
            self.tail.push_front(line);
        }
    }

    /// Whether no line was read.
    pub fn is_empty(&self) -> bool {
        self.first == self.next
    }

    /// Keeps the telling lines with the greatest scores; of equal ones, the earlier.
    fn keep(&mut self, candidate: MatchedLine) {
        self.telling.push(candidate);
        if self.telling.len() > KEPT {
            let rank = |kept: &MatchedLine| (std::cmp::Reverse(kept.score), kept.index);
            let worst = self.telling.iter().enumerate().max_by_key(|(_, kept)| rank(kept)).map(|(at, _)| at);
            worst.map(|at| self.telling.swap_remove(at));
        }
    }

    /// The last lines, for a log in which nothing is recognised.
    pub(super) fn tail(&self, container: &str) -> Vec<Evidence> {
        let line = |line: &String| Evidence { source: format!("logs[{container}]"), text: redact(line) };
        self.tail.iter().map(line).collect()
    }

    fn finding(&self, container: &str) -> Option<(i32, LogFinding)> {
        let best = self.best.as_ref()?;
        let source = format!("logs[{container}]");
        let mut evidence = vec![Evidence { source: source.clone(), text: redact(&best.line) }];
        let mut telling: Vec<&MatchedLine> = self.telling.iter().collect();
        telling.sort_by_key(|candidate| (std::cmp::Reverse(candidate.score), candidate.index));
        for candidate in telling {
            let text = redact(&candidate.line);
            if evidence.len() < SHOWN && evidence.iter().all(|shown| shown.text != text) {
                evidence.push(Evidence { source: source.clone(), text });
            }
        }
        let finding = LogFinding {
            row: best.row,
            container: container.to_owned(),
            line: best.message.clone(),
            evidence,
        };
        Some((best.score, finding))
    }
}

/// Whether a later line is the better one: it scores more, or as much without belonging to the same message.
fn supersedes(best: &MatchedLine, row: &SignatureRow, score: i32, index: i64) -> bool {
    let continues = best.row.id == row.id && index - best.index <= ONE_MESSAGE;
    score > best.score || (score == best.score && !continues)
}

/// Whether a line only says that an error follows.
fn is_heading(line: &str) -> bool {
    line.ends_with("(most recent call last):")
}

pub(super) fn cut(line: &str) -> &str {
    &line[..line.floor_char_boundary(LINE_BYTES)]
}

/// Returns the most telling line of the log of `container`, or of all logs if that container is not named or has none.
pub(super) fn read(logs: &BTreeMap<String, Picker>, container: Option<&str>) -> Option<LogFinding> {
    let of_one = container.filter(|name| logs.contains_key(*name));
    logs.iter()
        .filter(|(name, _)| of_one.is_none_or(|wanted| wanted == name.as_str()))
        .filter_map(|(name, log)| log.finding(name))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, finding)| finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Option<LogFinding> {
        read(&BTreeMap::from([("app".to_owned(), Picker::of(lines.iter().copied()))]), None)
    }

    fn signature(lines: &[&str]) -> Option<&'static str> {
        of(lines).map(|finding| finding.row.id)
    }

    /// A log that is read newest page first gives the same finding as one read from its beginning, wherever the pages
    /// end.
    #[test]
    fn pages_backwards_say_the_same() {
        let mut lines = vec!["listening on 8000".to_owned(); 300];
        for (at, line) in [
            (3, "{\"error\": \"Integration services initialization failed: No module named 'core.aws_service'\"}"),
            (40, "level=warn msg=\"redis: connection refused\""),
            (41, "Traceback (most recent call last):"),
            (60, "ModuleNotFoundError: No module named 'other'"),
            (290, "KeyError: 'x'"),
        ] {
            lines[at] = line.to_owned();
        }
        let forwards = of(&lines.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        for size in [1, 2, 7, 50, 100, 1000] {
            let mut picker = Picker::default();
            for page in lines.rchunks(size) {
                picker.before(page.iter().map(String::as_str));
            }
            let backwards = read(&BTreeMap::from([("app".to_owned(), picker)]), None).unwrap();
            assert_eq!(
                (backwards.line, backwards.evidence),
                (forwards.line.clone(), forwards.evidence.clone()),
                "pages of {size}"
            );
        }
    }

    #[test]
    fn what_is_kept_of_an_endless_log_is_bounded() {
        let mut picker = Picker::default();
        for number in 0..5_000 {
            picker.push(&format!("{number} No module named 'm{number}' {}", "x".repeat(10_000)));
        }
        let kept: usize = picker.telling.iter().map(|kept| kept.line.len() + kept.message.len()).sum();
        assert!(picker.telling.len() <= KEPT && kept <= KEPT * 2 * LINE_BYTES, "{kept} bytes");
        assert_eq!(picker.telling.iter().map(|kept| kept.index).min(), Some(0), "the first ones stay");
    }

    #[test]
    fn a_warning_on_the_way_does_not_hide_what_killed_it() {
        assert_eq!(
            signature(&[
                "level=warn msg=\"redis: connection refused, retrying\"",
                "panic: runtime error: index out of range"
            ]),
            Some("other-exception")
        );
        assert_eq!(
            signature(&[
                "{\"level\":\"warn\",\"msg\":\"ECONNREFUSED 10.0.0.1:6379\"}",
                "Error: Cannot find module 'x'"
            ]),
            Some("node-module")
        );
    }

    #[test]
    fn json_lines_are_read_by_their_message() {
        assert_eq!(
            signature(&[r#"{"error":"Error: Missing script: \"start\" (npm)","timestamp":"2026-01-15T20:18:32Z"}"#]),
            Some("npm-script")
        );
        assert_eq!(signature(&["{\"msg\":\"listening\"}", "hello"]), None);
    }

    #[test]
    fn colours_do_not_hide_a_signature() {
        assert_eq!(signature(&["\u{1b}[31mModuleNotFoundError\u{1b}[0m: No module named 'x'"]), Some("python-module"));
    }
}
