//! The open incidents as a fragment of HTML, for a custom widget on a CloudWatch dashboard.
//!
//! The dashboard puts it into its own page: no script, nothing from outside, every rule of style under one class, and
//! nothing that opens or navigates. What is wrong is shown in the widget, for there is no other place.

use maud::{Markup, PreEscaped, html};

use super::html::{DARK, LIGHT, STYLE};
use super::parts::{cell, list, table, written};
use super::story::span;
use super::when::When;
use super::{CauseLine, Change, NO_CAUSE, Report, left_out, svg};
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
    let mut oldest_first: Vec<&Report> = reports.iter().collect();
    oldest_first.sort_by(|one, other| (one.opened_at, &one.incident).cmp(&(other.opened_at, &other.incident)));
    let with_picture = width.is_none_or(|width| width >= WIDE);
    fragment(
        theme,
        html! {
            (outages(outlooks, now))
            @if let Some(warning) = warning { p role="alert" { strong { (warning) } } }
            @if reports.is_empty() {
                p { "No incident is open (" (now) ")." }
            } @else {
                p { (count(reports.len(), "open incident")) ", the longest open first (" (now) ")." }
            }
            @for (index, report) in oldest_first.iter().take(SHOWN).enumerate() {
                (incident(report, with_picture.then(|| format!("pullsafe-quota-{index}"))))
            }
            @if reports.len() > SHOWN { p { (reports.len() - SHOWN) " more: pullsafe report" } }
        },
    )
}

/// What is shown instead, because something is wrong.
pub fn error(theme: Theme, what: &str) -> String {
    fragment(theme, html! { p role="alert" { strong { "The open incidents cannot be shown. " } (what) } })
}

fn fragment(theme: Theme, content: Markup) -> String {
    let colours = match theme {
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    written(html! {
        style { (PreEscaped(format!("{STYLE}.pullsafe{{{colours}max-width:none}}"))) }
        div.pullsafe { (content) }
    })
}

/// What is known to fail within a week, the first to happen first. Nothing where nothing is known.
fn outages(outlooks: &[Outlook], now: Timestamp) -> Markup {
    let findings = outlooks.iter().flat_map(|outlook| outlook.findings.iter().map(move |finding| (outlook, finding)));
    let mut severe: Vec<_> = findings.filter(|(_, finding)| finding.severity(now) < Severity::Later).collect();
    severe.sort_by_key(|(outlook, finding)| {
        (finding.severity(now), finding.expected(), outlook.subject.as_str(), finding.key())
    });
    html! {
        @if !severe.is_empty() {
            h3 { "Tomorrow's outage" }
            (list(severe.iter().take(OUTAGES).map(|(outlook, finding)| {
                html! { strong { (outlook.consequence(finding.severity(now))) } ". " (finding.says()) }
            })))
        }
        @if severe.len() > OUTAGES { p { (severe.len() - OUTAGES) " more: pullsafe audit --outlook" } }
    }
}

fn incident(report: &Report, picture: Option<String>) -> Markup {
    let when = &When::of(report.opened_at);
    let row = |cause: &CauseLine| [cell(&cause.summary), cell(when.at(cause.last_at)), cell(cause.tasks)];
    html! {
        article.open {
            h3 { (report.title) }
            p { "Open " (span(report, when)) ". " (summary(report.blocker.as_ref(), when)) }
            @if let Some(act) = &report.act { p { (act.remedy) ", " (act.words()) ": " (when.text(&act.summary)) } }
            @if let Some(waiting) = &report.waiting {
                p { "pullsafe waits since " (when.at(waiting.at)) ": " (when.text(&waiting.what)) }
            }
            @if report.causes.len() > 1 {
                (table("Causes, oldest first", ["Cause", "Last", "Tasks"], report.causes.iter().map(row)))
                @if let Some(left_out) = left_out(report) { p { (left_out) } }
            }
            @if let Some(quota) = &report.quota {
                p { "Docker Hub's quota, an estimate from what failed launches tried:" }
                (list(quota.sentences().iter().take(2).map(|sentence| when.text(sentence))))
                @if let Some(id) = picture { (svg::draw(quota, when, &id)) }
             }
            @for change in report.changes.iter().take(2) { (self::change(change)) }
        }
    }
}

fn change(change: &Change) -> Markup {
    html! {
        @if let Some(edit) = change.edits.first() {
            p { (change.what) ", to change in " (edit.file) ":" }
            pre {
                @for line in &edit.before { "- " (line) "\n" }
                @for line in &edit.after { "+ " (line) "\n" }
            }
        }
    }
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
