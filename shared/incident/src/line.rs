//! One line for a person: texts from outside, masked and cut to what is read.

use crate::happened::Happened;
use crate::incident::Incident;
use pullsafe_diagnosis::text::redact;

/// Longest text of one line from outside, in characters.
pub const LINE: usize = 1_200;
/// Longest text of one of many such lines, in characters.
pub const SHORT_LINE: usize = 400;

/// Writes a line of the timeline. A text that repeats the act's summary is replaced by the name of its remedy: the
/// summary stands with the act.
pub fn entry_line(incident: &Incident, what: &Happened) -> String {
    let text = match &incident.act {
        Some(act) => what.beside(&act.plan.summary, act.plan.remedy.as_str()),
        None => what.to_string(),
    };
    cut(&line(&text), SHORT_LINE)
}

/// Makes one line of a text from outside, masked and cut to what a person reads.
pub fn line(text: &str) -> String {
    cut(&redact(&text.split_whitespace().collect::<Vec<_>>().join(" ")), LINE)
}

/// Cuts a text to a number of characters.
pub fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
