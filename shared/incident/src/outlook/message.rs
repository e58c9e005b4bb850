//! What people and programs are told of outlooks: what is new and severe at once, everything once a week.

use std::collections::BTreeSet;

use pullsafe::count::count;
use pullsafe::digest::Digest;
use pullsafe::notice::Notice;
use pullsafe::timestamp::Timestamp;

use super::{NextLaunch, Outlook, OutlookFinding, Outlooks, SOON_SECONDS, Urgency};
use crate::notice::{NoticeText, subject_line};
use crate::published::Published;

impl Outlook {
    /// Writes the message about what is new and severe; `None` if nothing is.
    pub fn news(&self, told: &BTreeSet<String>) -> Option<Notice> {
        let severe =
            |finding: &&OutlookFinding| finding.severity(self.at) < Urgency::Later && !told.contains(&finding.key());
        let new: Vec<&OutlookFinding> = self.findings.iter().filter(severe).collect();
        let worst = new.first()?.severity(self.at);
        let mut text = NoticeText::default();
        text.line(&format!("Nothing has failed yet: {}.", self.consequence(worst)));
        write(&mut text, &new);
        let keys: Vec<String> = new.iter().map(|finding| finding.key()).collect();
        let id = format!(
            "outlook-{}-{}",
            self.subject,
            Digest::of(keys.join("\n").as_bytes()).as_str().get(7..19).unwrap_or_default()
        );
        Some(notice(id, &self.consequence(worst), text, vec![self.clone()], Vec::new()))
    }
}

/// Writes the weekly message about everything that is known and what could not be listed; `None` if there is neither.
pub fn week(mut outlooks: Vec<Outlook>, unread: Vec<String>, now: Timestamp) -> Option<Notice> {
    outlooks.retain(|outlook| !outlook.findings.is_empty());
    let worst = outlooks.iter().flat_map(|outlook| &outlook.findings).map(|finding| finding.severity(now)).min();
    // The id makes it one message a week, even if the schedule fires twice.
    let id = format!("outlook-week-{}", now.seconds().div_euclid(SOON_SECONDS));
    let headline = match worst {
        Some(Urgency::Next) => format!("the outlook of {} services: some cannot launch a task", outlooks.len()),
        Some(Urgency::Soon) => {
            format!("the outlook of {} services: some cannot launch a task in a week", outlooks.len())
        }
        Some(Urgency::Later) => format!("the outlook of {} services", outlooks.len()),
        None if unread.is_empty() => return None,
        None => "the outlook leaves something out that could not be listed".to_owned(),
    };
    let mut text = NoticeText::default();
    text.line(page(&outlooks, now).trim());
    text.section("Not looked at, for it could not be listed", unread.clone());
    Some(notice(id, &headline, text, outlooks, unread))
}

/// Lists for a person everything that is known, the first to happen first; empty if nothing is known.
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
    let services = count(some.len(), "service");
    let what = match some.iter().any(|outlook| outlook.next == NextLaunch::OfFile) {
        true => ", scheduled tasks and files",
        false => " and scheduled tasks",
    };
    let mut lines =
        vec![format!("\nWhat will go wrong with the images of {services}{what}, the first to happen first.")];
    for outlook in some {
        let severity = outlook.findings.first().map_or(Urgency::Later, |finding| finding.severity(now));
        lines.push(format!("\n{}:", outlook.consequence(severity)));
        lines.extend(outlook.findings.iter().flat_map(said));
    }
    lines.join("\n") + "\n"
}

fn said(finding: &OutlookFinding) -> Vec<String> {
    let advice = finding.advice().map(|advice| format!("    {}", advice.replace('\n', "\n    ")));
    std::iter::once(format!("  {}", finding.says())).chain(advice).collect()
}

fn write(text: &mut NoticeText, findings: &[&OutlookFinding]) {
    findings.iter().flat_map(|finding| said(finding)).for_each(|line| text.line(&line));
}

fn notice(id: String, headline: &str, text: NoticeText, outlooks: Vec<Outlook>, unread: Vec<String>) -> Notice {
    let detail = Published::Outlook(Outlooks { notice: id.clone(), outlooks, unread }).detail();
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
