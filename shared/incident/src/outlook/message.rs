//! What people and programs are told of outlooks: what is new and severe at once, everything once a week.

use std::collections::BTreeSet;

use pullsafe::digest::Digest;
use pullsafe::notice::Notice;
use pullsafe::timestamp::Timestamp;

use super::{Finding, Outlook, Outlooks, SOON_SECONDS, Severity};
use crate::notice::{Text, subject_line};
use crate::published::Published;

impl Outlook {
    /// The message about what is new and severe; `None` if nothing is.
    pub fn news(&self, told: &BTreeSet<String>) -> Option<Notice> {
        let severe = |finding: &&Finding| finding.severity(self.at) < Severity::Later && !told.contains(&finding.key());
        let new: Vec<&Finding> = self.findings.iter().filter(severe).collect();
        let worst = new.first()?.severity(self.at);
        let mut text = Text::default();
        text.line(&format!("Nothing has failed yet: {}.", self.consequence(worst)));
        write(&mut text, &new);
        let keys: Vec<String> = new.iter().map(|finding| finding.key()).collect();
        let id = format!(
            "outlook-{}-{}",
            self.subject,
            Digest::of(keys.join("\n").as_bytes()).as_str().get(7..19).unwrap_or_default()
        );
        Some(notice(id, &self.consequence(worst), text, std::slice::from_ref(self)))
    }
}

/// The message of the week about everything that is known; `None` if nothing is.
pub fn week(mut outlooks: Vec<Outlook>, now: Timestamp) -> Option<Notice> {
    outlooks.retain(|outlook| !outlook.findings.is_empty());
    let worst = outlooks.iter().flat_map(|outlook| &outlook.findings).map(|finding| finding.severity(now)).min()?;
    let mut text = Text::default();
    text.line(page(&outlooks, now).trim_start());
    // One message a week, also where the schedule comes twice.
    let id = format!("outlook-week-{}", now.seconds().div_euclid(SOON_SECONDS));
    let headline = match worst {
        Severity::Next => format!("the outlook of {} services: some cannot launch a task", outlooks.len()),
        Severity::Soon => format!("the outlook of {} services: some cannot launch a task in a week", outlooks.len()),
        Severity::Later => format!("the outlook of {} services", outlooks.len()),
    };
    Some(notice(id, &headline, text, &outlooks))
}

/// Everything that is known, for a person, the first to happen first; empty if nothing is.
pub fn page(outlooks: &[Outlook], now: Timestamp) -> String {
    let mut some: Vec<&Outlook> = outlooks.iter().filter(|outlook| !outlook.findings.is_empty()).collect();
    some.sort_by_key(|outlook| {
        outlook
            .findings
            .first()
            .map(|finding| (finding.severity(now), finding.expected(), outlook.subject.clone()))
    });
    if some.is_empty() {
        return String::new();
    }
    let count = some.len();
    let mut lines = vec![format!(
        "\nWhat will go wrong with the images of {count} service(s) and scheduled tasks, the first to happen first."
    )];
    for outlook in some {
        let severity = outlook.findings.first().map_or(Severity::Later, |finding| finding.severity(now));
        lines.push(format!("\n{}:", outlook.consequence(severity)));
        lines.extend(outlook.findings.iter().flat_map(said));
    }
    lines.join("\n") + "\n"
}

fn said(finding: &Finding) -> Vec<String> {
    let advice = finding.advice().map(|advice| format!("    {}", advice.replace('\n', "\n    ")));
    std::iter::once(format!("  {}", finding.says())).chain(advice).collect()
}

fn write(text: &mut Text, findings: &[&Finding]) {
    findings.iter().flat_map(|finding| said(finding)).for_each(|line| text.line(&line));
}

fn notice(id: String, headline: &str, text: Text, outlooks: &[Outlook]) -> Notice {
    let detail = Published::Outlook(Outlooks { notice: id.clone(), outlooks: outlooks.to_vec() }).detail();
    Notice {
        id,
        detail_type: "Outlook".to_owned(),
        subject: subject_line(headline),
        text: text.finish(),
        evidence: None,
        severity: pullsafe::notice::Severity::NextLaunch,
        links: Vec::new(),
        detail,
    }
}
