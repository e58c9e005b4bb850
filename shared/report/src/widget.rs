//! What is open, as a fragment of HTML for a custom widget on a CloudWatch dashboard: first what a person has to
//! answer, then outbreaks, what will fail next, and the open incidents.
//!
//! The dashboard puts the fragment into its own page, so that it has no script, loads nothing from outside, and keeps
//! every style rule under one class. It changes nothing and has no links. The only exceptions are the buttons that
//! answer a question, which are there only if the stack turns them on: with these, the dashboard calls the function
//! that takes answers, with the credentials of whoever looks. Errors are shown in the widget, because there is no other
//! place for them.

use maud::{Markup, PreEscaped, html};

use super::asked::PendingQuestion;
use super::html::{DARK, LIGHT, STYLE};
use super::outbreak::OutbreakReport;
use super::parts::{cell, list, prose, table, written};
use super::story::duration;
use super::when::When;
use super::{CauseLine, Change, NO_CAUSE, Report, left_out, svg};
use pullsafe::count::{count, counted};
use pullsafe::timestamp::Timestamp;
use pullsafe_events::answer::{Answer, YesOrNo};
use pullsafe_incident::outlook::{Outlook, Urgency};
use pullsafe_incident::quota::QuotaWindow;

/// How many incidents are drawn; a dashboard is looked at, not read. Any others, and those of an outbreak, get a row
/// each, up to [`ROWS`].
const DRAWN: usize = 20;
const ROWS: usize = 100;
/// How many coming outages, questions, outbreaks, and needs of one outbreak are shown.
const OUTAGES: usize = 10;
const QUESTIONS: usize = 20;
const OUTBREAKS: usize = 5;
const NEEDS: usize = 5;
/// From this width on, in pixels, the picture of the quota is drawn below the words.
const WIDE: u32 = 700;
/// For how long the no of the button holds.
const NO_SECONDS: i64 = 7 * 24 * 3600;

/// The background that the dashboard is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark text on a light background.
    Light,
    /// Light text on a dark background.
    Dark,
}

/// How the widget is looked at.
#[derive(Debug, Clone, Copy)]
pub struct WidgetView {
    /// The dashboard's background.
    pub theme: Theme,
    /// The widget's width in pixels, if that is known.
    pub width: Option<u32>,
    /// When it is looked at.
    pub now: Timestamp,
}

/// What the widget shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct WidgetContent<'a> {
    /// The open incidents.
    pub reports: &'a [Report],
    /// The outbreaks among them.
    pub outbreaks: &'a [OutbreakReport],
    /// What is expected to fail.
    pub outlooks: &'a [Outlook],
    /// A warning about what is shown.
    pub warning: Option<&'a str>,
    /// The ARN of the function that the buttons call with an answer; without it there are no buttons.
    pub answers: Option<&'a str>,
}

/// The description for whoever adds the widget, in Markdown.
pub const DESCRIPTION: &str = "### pullsafe: open incidents\n\nThe questions that wait for a person's answer; the \
    outbreaks, and the services whose image pulls or \
                               tasks fail right now: since when, the current blocker, what pullsafe did or waits for, \
                               and an estimate of Docker Hub's quota; and what will \
                               fail within a week. It takes no parameters and changes nothing.\n";

/// Draws the widget.
pub fn board(board: &WidgetContent<'_>, look: WidgetView) -> String {
    let mut open: Vec<&Report> = board.reports.iter().collect();
    open.sort_by(|one, other| (one.opened_at, &one.incident).cmp(&(other.opened_at, &other.incident)));
    let of_outbreak =
        |report: &&Report| board.outbreaks.iter().any(|outbreak| outbreak.incidents.contains(&report.incident));
    let (together, alone): (Vec<&Report>, Vec<&Report>) = open.iter().partition(|report| of_outbreak(report));
    let (drawn, more) = alone.split_at(alone.len().min(DRAWN));
    let rows: Vec<&Report> = together.into_iter().chain(more.iter().copied()).collect();
    let is_wide = look.width.is_none_or(|width| width >= WIDE);
    fragment(
        look.theme,
        html! {
            @if let Some(warning) = board.warning { p role="alert" { strong { (warning) } } }
            (questions(&open, board.answers, look.now))
            @for (index, outbreak) in board.outbreaks.iter().take(OUTBREAKS).enumerate() {
                (self::outbreak(outbreak, is_wide.then(|| format!("pullsafe-outbreak-{index}"))))
            }
            @if board.outbreaks.len() > OUTBREAKS {
                p { (count(board.outbreaks.len() - OUTBREAKS, "more outbreak")) ": pullsafe report" }
            }
            (outages(board.outlooks, look.now))
            @if open.is_empty() {
                p { "No incident is open (" (look.now) ")." }
            } @else {
                p { (count(open.len(), "open incident")) ", the longest open first (" (look.now) ")." }
            }
            @for (index, report) in drawn.iter().enumerate() {
                (incident(report, is_wide.then(|| format!("pullsafe-quota-{index}"))))
            }
            (in_rows(&rows, look.now))
        },
    )
}

/// Draws an error in place of the widget.
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

/// Draws the questions that wait. Those of one cause at one registry stand together, because one yes can answer them
/// all.
fn questions(open: &[&Report], function: Option<&str>, now: Timestamp) -> Markup {
    let when = &When::of(now);
    let mut asked: Vec<(&Report, &PendingQuestion)> =
        open.iter().filter_map(|report| Some((*report, report.asked.as_ref()?))).collect();
    let alike = |asked: &PendingQuestion| (asked.cause, asked.registry);
    asked.sort_by_key(|(report, asked)| (alike(asked), asked.until, report.subject.as_str()));
    let shown = &asked[..asked.len().min(QUESTIONS)];
    html! {
        @if !asked.is_empty() {
            h3 { (counted(asked.len(), "question", "waits", "wait")) " for an answer" }
            @for group in shown.chunk_by(|(_, one), (_, next)| alike(one) == alike(next)) {
                ul.asks { @for (report, asked) in group { li { (question(report, asked, function, when)) } } }
                @let all = asked.iter().filter(|(_, one)| alike(one) == alike(group[0].1)).count();
                @if all > 1 {
                    p {
                        "Yes to all " (all) " of " (group[0].1.cause)
                        @if let Some(registry) = group[0].1.registry { " at " (registry) } ": "
                        code { (group[0].1.yes()) " --all" }
                    }
                }
            }
            @if asked.len() > QUESTIONS { p { (asked.len() - QUESTIONS) " more: " code { "pullsafe approve" } " lists them" } }
        }
    }
}

fn question(report: &Report, asked: &PendingQuestion, function: Option<&str>, when: &When) -> Markup {
    html! {
        (asked.in_html(&report.subject, when))
        @if let Some(function) = function {
            p {
                (button("Approve", "btn btn-primary", YesOrNo::Yes, report, asked, function))
                " "
                (button("Decline for a week", "btn", YesOrNo::No(Some(NO_SECONDS)), report, asked, function))
            }
        }
    }
}

/// Draws a button of the dashboard, and the call that a click makes once it is confirmed.
fn button(
    label: &str,
    class: &str,
    verdict: YesOrNo,
    report: &Report,
    asked: &PendingQuestion,
    function: &str,
) -> Markup {
    let confirmation = match verdict {
        YesOrNo::Yes => {
            format!("May {} be {}? It is looked at once more, and then done.", report.subject, asked.result)
        }
        YesOrNo::No(_) => format!("{} stays as it is, and is not asked about again for a week?", report.subject),
    };
    let answer = Answer { verdict, codes: vec![asked.code.clone()], proof: None };
    html! {
        a class=(class) role="button" tabindex="0" { (label) }
        cwdb-action action="call" confirmation=(confirmation) display="popup" endpoint=(function) event="click" {
            (answer.to_event())
        }
    }
}

/// Draws an outbreak; `picture` is the id of the quota's picture, if there is to be one.
fn outbreak(report: &OutbreakReport, picture: Option<String>) -> Markup {
    let when = &When::of(report.since);
    html! {
        article.open {
            h3 { (report.title) }
            p { (when.text(&report.stands)) }
            @if !report.needs.is_empty() {
                (list(report.needs.iter().take(NEEDS).map(|need| {
                    let who = counted(need.count, "service", "needs", "need");
                    html! { strong { (who) " a person" } ": " (need.names()) p.lines { (prose(&when.text(&need.what))) } }
                })))
            }
            @if report.needs.len() > NEEDS { p { (report.needs.len() - NEEDS) " more needs: pullsafe report" } }
            @if let Some(quota) = &report.quota { (self::quota(quota, when, picture)) }
        }
    }
}

/// Draws what is known to fail within a week, the first to happen first; nothing where nothing is known.
fn outages(outlooks: &[Outlook], now: Timestamp) -> Markup {
    let findings = outlooks.iter().flat_map(|outlook| outlook.findings.iter().map(move |finding| (outlook, finding)));
    let mut severe: Vec<_> = findings.filter(|(_, finding)| finding.severity(now) < Urgency::Later).collect();
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
            p { "Open " (report.span(when)) ". " (summary(report.blocker.as_ref(), when)) }
            @if let Some(act) = &report.act { p { (act.remedy) ", " (when.text(&act.words())) ": " (when.text(&act.summary)) } }
            @if let Some(waiting) = &report.waiting {
                p { "pullsafe waits since " (when.at(waiting.at)) ": " (when.text(&waiting.what)) }
            }
            @if report.causes.len() > 1 {
                (table("Causes, oldest first", ["Cause", "Last", "Tasks"], report.causes.iter().map(row)))
                @if let Some(left_out) = left_out(report) { p { (left_out) } }
            }
            @if let Some(quota) = &report.quota { (self::quota(quota, when, picture)) }
            @for change in report.changes.iter().take(2) { (self::change(change)) }
        }
    }
}

fn quota(quota: &QuotaWindow, when: &When, picture: Option<String>) -> Markup {
    html! {
        p { "Docker Hub's quota, an estimate from what failed launches tried:" }
        (list(quota.sentences().iter().take(2).map(|sentence| when.text(sentence))))
        @if let Some(id) = picture { (svg::draw(quota, when, &id)) }
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

/// Draws a row for each incident that is not drawn in full.
fn in_rows(reports: &[&Report], now: Timestamp) -> Markup {
    let when = &When::of(now);
    let row = |report: &&Report| {
        let blocker = report.blocker.as_ref().map_or(NO_CAUSE, |blocker| blocker.summary.as_str());
        let lasted = duration(now.seconds_since(report.opened_at).max(0));
        let since = format!("{} ({lasted})", when.at(report.opened_at));
        [cell(&report.subject), cell(report.state.words()), cell(since), cell(blocker)]
    };
    let heads = ["Service", "How it stands", "Open since", "Current blocker"];
    html! {
        @if !reports.is_empty() { (table("Open incidents, in short", heads, reports.iter().take(ROWS).map(row))) }
        @if reports.len() > ROWS { p { (reports.len() - ROWS) " more: pullsafe report" } }
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
