//! The open incidents as a fragment of HTML, for a custom widget on a CloudWatch dashboard.
//!
//! The dashboard puts it into its own page: no script, nothing from outside, every rule of style under one class, and
//! nothing that opens or navigates. What is wrong is shown in the widget, for there is no other place.

use super::html::{DARK, LIGHT, STYLE};
use super::page::Html;
use super::story::span;
use super::when::When;
use super::{CauseLine, NO_CAUSE, Report, left_out, svg};
use pullsafe::count::count;
use pullsafe::timestamp::Timestamp;
use pullsafe_incident::outlook::{Outlook, Severity};

/// How many incidents are drawn; a dashboard is looked at, not read.
const SHOWN: usize = 20;
/// How many coming outages.
const OUTAGES: usize = 10;
/// From this width on, in pixels, the quota is drawn beside the words.
const WIDE: u32 = 700;

/// The ground that the dashboard is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
}

/// What is written for whoever adds the widget, in Markdown.
pub const DESCRIPTION: &str = "### pullsafe: open incidents\n\nThe services whose image pulls or tasks fail right now: since when, the current blocker, \
                               what pullsafe did or waits for, and an estimate of Docker Hub's quota; and what will fail within a week. It takes no parameters and changes nothing.\n";

/// The open incidents, the longest open first, under a warning if there is one, and after what will fail next.
pub fn incidents(
    reports: &[Report],
    outlooks: &[Outlook],
    warning: Option<&str>,
    theme: Theme,
    width: Option<u32>,
    now: Timestamp,
) -> String {
    fragment(theme, |page| {
        outages(page, outlooks, now);
        if let Some(warning) = warning {
            page.element("p", &[("role", "alert")], |page| page.element("strong", &[], |page| page.text(warning)));
        }
        if reports.is_empty() {
            page.paragraph(&format!("No incident is open ({now})."));
            return;
        }
        let mut oldest_first: Vec<&Report> = reports.iter().collect();
        oldest_first.sort_by(|one, other| (one.opened_at, &one.incident).cmp(&(other.opened_at, &other.incident)));
        page.paragraph(&format!("{}, the longest open first ({now}).", count(reports.len(), "open incident")));
        for (index, report) in oldest_first.iter().take(SHOWN).enumerate() {
            incident(page, report, index, width.is_none_or(|width| width >= WIDE));
        }
        if reports.len() > SHOWN {
            page.paragraph(&format!("{} more: pullsafe report", reports.len() - SHOWN));
        }
    })
}

/// What is shown instead, because something is wrong.
pub fn error(theme: Theme, what: &str) -> String {
    fragment(theme, |page| {
        page.element("p", &[("role", "alert")], |page| {
            page.element("strong", &[], |page| page.text("The open incidents cannot be shown. "));
            page.text(what);
        });
    })
}

fn fragment(theme: Theme, content: impl FnOnce(&mut Html)) -> String {
    let mut page = Html::fragment();
    let colours = match theme {
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    page.style(&format!("{STYLE}.pullsafe{{{colours}max-width:none}}"));
    page.element("div", &[("class", "pullsafe")], content);
    page.into_string()
}

/// What is known to fail within a week, the first to happen first. Nothing where nothing is known.
fn outages(page: &mut Html, outlooks: &[Outlook], now: Timestamp) {
    let findings = outlooks.iter().flat_map(|outlook| outlook.findings.iter().map(move |finding| (outlook, finding)));
    let mut severe: Vec<_> = findings.filter(|(_, finding)| finding.severity(now) < Severity::Later).collect();
    if severe.is_empty() {
        return;
    }
    severe.sort_by_key(|(outlook, finding)| {
        (finding.severity(now), finding.expected(), outlook.subject.as_str(), finding.key())
    });
    page.element("h3", &[], |page| page.text("Tomorrow's outage"));
    page.element("ul", &[], |page| {
        for (outlook, finding) in severe.iter().take(OUTAGES) {
            page.element("li", &[], |page| {
                page.element("strong", &[], |page| page.text(&outlook.consequence(finding.severity(now))));
                page.text(&format!(". {}", finding.says()));
            });
        }
    });
    if severe.len() > OUTAGES {
        page.paragraph(&format!("{} more: pullsafe audit --outlook", severe.len() - OUTAGES));
    }
}

fn incident(page: &mut Html, report: &Report, index: usize, with_picture: bool) {
    let when = &When::of(report.opened_at);
    page.element("article", &[("class", "open")], |page| {
        page.element("h3", &[], |page| page.text(&report.title));
        page.paragraph(&format!("Open {}. {}", span(report, when), summary(report.blocker.as_ref(), when)));
        if let Some(act) = &report.act {
            page.paragraph(&format!("{}, {}: {}", act.remedy, act.words(), when.text(&act.summary)));
        }
        if let Some(waiting) = &report.waiting {
            page.paragraph(&format!("pullsafe waits since {}: {}", when.at(waiting.at), when.text(&waiting.what)));
        }
        if report.causes.len() > 1 {
            page.table("Causes, oldest first", &["Cause", "Last", "Tasks"], |page| {
                for cause in &report.causes {
                    page.element("tr", &[], |page| {
                        page.element("th", &[("scope", "row")], |page| page.text(&cause.summary));
                        page.cell("Last", &when.at(cause.last_at));
                        page.cell("Tasks", &cause.tasks.to_string());
                    });
                }
            });
            if let Some(left_out) = left_out(report) {
                page.paragraph(&left_out);
            }
        }
        if let Some(quota) = &report.quota {
            page.paragraph("Docker Hub's quota, an estimate from what failed launches tried:");
            page.element("ul", &[], |page| {
                quota
                    .sentences()
                    .iter()
                    .take(2)
                    .for_each(|sentence| page.element("li", &[], |page| page.text(&when.text(sentence))));
            });
            if with_picture {
                svg::draw(page, quota, when, &format!("pullsafe-quota-{index}"));
            }
        }
        report.changes.iter().take(2).for_each(|change| {
            if let Some(edit) = change.edits.first() {
                page.paragraph(&format!("{}, to change in {}:", change.what, edit.file));
                page.element("pre", &[], |page| {
                    edit.before.iter().for_each(|line| page.text(&format!("- {line}\n")));
                    edit.after.iter().for_each(|line| page.text(&format!("+ {line}\n")));
                });
            }
        });
    });
}

fn summary(blocker: Option<&CauseLine>, when: &When) -> String {
    match blocker {
        Some(blocker) => {
            let (tasks, latest) = (count(blocker.tasks, "task"), when.at(blocker.last_at));
            format!("{}; {tasks}, the latest at {latest}, confidence {}.", blocker.summary, blocker.confidence)
        }
        None => NO_CAUSE.to_owned(),
    }
}
