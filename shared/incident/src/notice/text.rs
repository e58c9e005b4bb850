//! The text of a message: its sections, in a length that people read, and the subject line.

use pullsafe::notice::bounded;
use pullsafe_diagnosis::cause::Diagnosis;

use crate::brief;
use crate::incident::Incident;
use crate::refusal::{GRACE_SECONDS, StepRefusal};

/// Fits a text into a subject of SNS, which allows 100 characters of ASCII without control characters.
pub(crate) fn subject_line(text: &str) -> String {
    let line: String = format!("pullsafe: {text}")
        .chars()
        .map(|character| if (' '..='~').contains(&character) { character } else { '?' })
        .collect();
    match line.char_indices().nth(100) {
        Some(_) => format!("{}...", line.get(..97).unwrap_or(&line)),
        None => line,
    }
}

/// The longest text of a message, in bytes. SNS takes 262,144, attributes included, but nobody reads that much.
const LONGEST_TEXT: usize = 60_000;

#[derive(Default)]
pub(crate) struct NoticeText(String);

impl NoticeText {
    /// Writes what to do, and what shows whether the diagnosis is right.
    pub(super) fn advice(&mut self, title: &str, diagnosis: &Diagnosis) {
        self.section(title, [diagnosis.advice.clone()]);
        self.section("What shows whether it is so", diagnosis.check.clone());
    }

    /// Writes the lines of the timeline that tell the most, and the estimate of the quota.
    pub(crate) fn short_form(&mut self, incident: &Incident) {
        self.section("Docker Hub's quota, an estimate", brief::quota(incident));
        self.section("Timeline", brief::timeline(incident));
    }

    /// Writes what was refused, what is missing, what stays done, and when it is tried again.
    pub(super) fn refusal(&mut self, refusal: &StepRefusal, summary: Option<&str>, again: Option<&str>) {
        self.section(
            "Refused by AWS",
            summary.map(str::to_owned).into_iter().chain([format!("{}: {}", refusal.call, refusal.why)]),
        );
        self.section("What is missing", [refusal.missing.clone()]);
        match refusal.done.is_empty() {
            true => self.line("\nNothing is left changed on the service by it."),
            false => self.section(
                "Done before the refusal, and left as it is",
                refusal.done.iter().map(|step| format!("  {step}")),
            ),
        }
        self.section("Left to do by hand", refusal.left.clone());
        let once = format!(
            "by itself once more after {} minutes, since a new permission takes a while to count; then only ",
            GRACE_SECONDS / 60
        );
        let once = if refusal.denied && refusal.tries < 2 { once } else { "only ".to_owned() };
        let lines = match again {
            Some(command) => {
                vec![format!("{once}when the service is changed, or when you say so:"), format!("  {command}")]
            }
            None => vec!["only with the next deployment of another task definition".to_owned()],
        };
        self.section("It is tried again", lines);
    }

    pub(crate) fn finish(self) -> String {
        bounded(&self.0, LONGEST_TEXT)
    }

    /// Returns the length of the text so far, in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(crate) fn section(&mut self, title: &str, lines: impl IntoIterator<Item = String>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            self.line(&format!("\n{title}:"));
            lines.for_each(|line| self.line(&format!("  {}", line.replace('\n', "\n  "))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_fits_sns() {
        let subject = subject_line(&"naïve ".repeat(40));
        assert!(subject.len() == 100 && subject.is_ascii() && subject.ends_with("..."), "{subject}");
        assert_eq!(subject_line("prod/web: resolved"), "pullsafe: prod/web: resolved");
    }

    #[test]
    fn a_text_fits_sns() {
        let mut text = NoticeText::default();
        (0..10_000).for_each(|_| text.line("nothing but naïve evidence"));
        let text = text.finish();
        assert!(text.len() <= LONGEST_TEXT && text.ends_with("has the rest]\n"), "{}", text.len());
    }
}
