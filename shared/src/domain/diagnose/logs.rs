//! Picks the telling lines out of a container's log.
//!
//! Logs are plain text, tracebacks, or one JSON object on each line. The line whose signature has the greatest
//! weight decides; a line that says of itself that it is a warning or less counts for less, because an application
//! that died did not die of a warning.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::matcher::Matcher;
use super::row::Row;
use super::text::{normalise, redact};
use crate::domain::cause::Evidence;

/// So many lines go into the evidence.
const SHOWN: usize = 4;
/// Lines of the same signature that are not further apart belong to one message, whose first line tells most.
const ONE_MESSAGE: usize = 25;
/// The greatest weight: `row.weight` goes up to 3.
const STEP: i32 = 2;

/// What a log tells.
pub(super) struct Finding {
    pub(super) row: &'static Row,
    pub(super) container: String,
    /// The line itself, as it was matched.
    pub(super) line: String,
    pub(super) evidence: Vec<Evidence>,
}

impl Finding {
    /// Whether it says more than that something failed.
    pub(super) fn is_specific(&self) -> bool {
        self.row.weight > 1
    }
}

struct Candidate<'a> {
    row: &'static Row,
    score: i32,
    index: usize,
    line: &'a str,
}

/// The most telling line of the log of `container`, or of any container if none is named.
pub(super) fn read(matcher: &Matcher, logs: &BTreeMap<String, Vec<String>>, container: Option<&str>) -> Option<Finding> {
    let of_one = container.filter(|name| logs.contains_key(*name));
    logs.iter()
        .filter(|(name, _)| of_one.is_none_or(|wanted| wanted == name.as_str()))
        .filter_map(|(name, lines)| read_one(matcher, name, lines))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, finding)| finding)
}

fn read_one(matcher: &Matcher, container: &str, lines: &[String]) -> Option<(i32, Finding)> {
    let mut telling: Vec<Candidate<'_>> = Vec::new();
    let mut best: Option<Candidate<'_>> = None;
    for (index, line) in lines.iter().enumerate() {
        let text = message(line);
        let Some(row) = matcher.heaviest(&text) else { continue };
        let score = i32::from(row.weight) * STEP - i32::from(is_mild(line)) * 3;
        let better = best.as_ref().is_none_or(|best| {
            let continues = best.row.id == row.id && index - best.index <= ONE_MESSAGE;
            score > best.score || (score == best.score && !continues)
        });
        if better {
            best = Some(Candidate { row, score, index, line });
        }
        if row.weight > 1 && telling.len() < 64 {
            telling.push(Candidate { row, score, index, line });
        }
    }
    let best = best?;
    let source = format!("logs[{container}]");
    let mut evidence = vec![Evidence { source: source.clone(), text: redact(best.line.trim()) }];
    telling.sort_by_key(|candidate| (std::cmp::Reverse(candidate.score), candidate.index));
    for candidate in telling {
        let text = redact(candidate.line.trim());
        if evidence.len() < SHOWN && candidate.score > 0 && evidence.iter().all(|shown| shown.text != text) {
            evidence.push(Evidence { source: source.clone(), text });
        }
    }
    let finding = Finding { row: best.row, container: container.to_owned(), line: message(best.line).into_owned(), evidence };
    Some((best.score, finding))
}

/// What a line says: for a JSON object its message, error and stack; else the line without colours.
fn message(line: &str) -> Cow<'_, str> {
    let trimmed = line.trim();
    if trimmed.starts_with('{')
        && let Ok(Value::Object(object)) = serde_json::from_str::<Value>(trimmed)
    {
        let mut text = String::new();
        for key in
            ["error", "err", "exception", "message", "msg", "log", "stack", "stack_trace", "exc_info", "detail", "@message", "reason"]
        {
            let inner = match object.get(key) {
                Some(Value::Object(inner)) => inner.get("message").or_else(|| inner.get("stack")),
                other => other,
            };
            if let Some(Value::String(value)) = inner {
                if !text.is_empty() {
                    text.push_str(" | ");
                }
                text.push_str(value);
            }
        }
        if !text.is_empty() {
            return Cow::Owned(normalise(&text).into_owned());
        }
    }
    if trimmed.contains('\u{1b}') { normalise(trimmed) } else { Cow::Borrowed(trimmed) }
}

/// Whether a line says of itself that it is a warning or less.
fn is_mild(line: &str) -> bool {
    let head: &str = line.char_indices().nth(160).map_or(line, |(end, _)| &line[..end]);
    let lower = head.to_ascii_lowercase();
    const MARKS: &[&str] = &[
        "\"level\":\"info",
        "\"level\":\"warn",
        "\"level\":\"debug",
        "\"level\":\"trace",
        "\"level\": \"info",
        "\"level\": \"warn",
        "\"level\": \"debug",
        "\"severity\":\"info",
        "\"severity\":\"warn",
        "\"severity\": \"warn",
        "\"levelname\": \"warn",
        "\"levelname\": \"info",
        "\"level\":30",
        "\"level\":40",
        "\"level\":20",
        "level=info",
        "level=warn",
        "level=debug",
        "level=trace",
        "[info]",
        "[warn]",
        "[warning]",
        "[debug]",
        " info ",
        " warn ",
        " warning ",
        " debug ",
        "info:",
        "warning:",
        "warn:",
        "debug:",
        "deprecationwarning",
        "[notice]",
        "npm warn",
    ];
    MARKS.iter().any(|mark| lower.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnose::tables;

    fn signature(lines: &[&str]) -> Option<&'static str> {
        let matcher = Matcher::new(tables::LOGS);
        let logs = BTreeMap::from([("app".to_owned(), lines.iter().map(|line| (*line).to_owned()).collect())]);
        read(&matcher, &logs, None).map(|finding| finding.row.id)
    }

    #[test]
    fn a_warning_on_the_way_does_not_hide_what_killed_it() {
        assert_eq!(
            signature(&["level=warn msg=\"redis: connection refused, retrying\"", "panic: runtime error: index out of range"]),
            Some("other-exception")
        );
        assert_eq!(
            signature(&["{\"level\":\"warn\",\"msg\":\"ECONNREFUSED 10.0.0.1:6379\"}", "Error: Cannot find module 'x'"]),
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
