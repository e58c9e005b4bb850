//! The report as HTML: one self-contained file that loads nothing from elsewhere.
//!
//! maud closes every element and escapes every text. A Content-Security-Policy forbids what the page does not need:
//! scripts, connections, forms.

use maud::{Markup, PreEscaped, html};

use super::outbreak::{self, OutbreakReport};
use super::parts::{block, cell, details, heading, list, moment, prose, section, table, time, written};
use super::plot;
use super::story::story;
use super::svg;
use super::when::When;
use super::{ActLine, CauseLine, Change, NO_CAUSE, Report, WAITS, left_out};
use pullsafe_incident::quota::{CAVEAT, QuotaWindow};

/// The style rules for everything under `.pullsafe`, in terms of the colours below.
pub(super) const STYLE: &str = include_str!("style.css");
/// The colours on a light background.
pub(super) const LIGHT: &str = "--text:#16191f;--quiet:#5b6470;--ground:#ffffff;--panel:#f4f6f8;--line:#cfd6dd;--accent:#0b62c4;--bad:#b3261e;--good:#146c2e;--area:#d6e6fa;";
/// The colours on a dark background.
pub(super) const DARK: &str = "--text:#e6e9ed;--quiet:#a3adb8;--ground:#10151b;--panel:#1b222b;--line:#3a4552;--accent:#7db7ff;--bad:#ff9a92;--good:#7fd897;--area:#1f3a5c;";
/// The Content-Security-Policy: the page may only be seen.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes a page of these reports. `title` is shown unless there is exactly one report.
pub fn page(title: &str, reports: &[Report]) -> String {
    page_with(title, &[], reports)
}

/// Writes a page as [`page`] does, with the outbreaks among the reports first.
pub fn page_with(title: &str, outbreaks: &[OutbreakReport], reports: &[Report]) -> String {
    let (dark, named) = ("@media (prefers-color-scheme:dark)", reports.first().filter(|_| reports.len() == 1));
    let style = format!("html{{{LIGHT}background:var(--ground)}}{dark}{{html{{{DARK}}}}}body{{margin:0}}\n{STYLE}");
    written(html! {
        (PreEscaped("<!doctype html>\n"))
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (named.map_or(title, |report| &report.title)) }
                style { (PreEscaped(style)) }
            }
            body {
                main.pullsafe {
                    @match reports {
                        [report] if outbreaks.is_empty() => (article(report, "i1", 1)),
                        _ => {
                            h1 { (title) }
                            @if reports.is_empty() { p { "There is nothing to report." } }
                            @for (index, report) in outbreaks.iter().enumerate() {
                                (outbreak::in_html(report, &format!("o{}", index + 1)))
                            }
                            @for (index, report) in reports.iter().enumerate() {
                                (article(report, &format!("i{}", index + 1), 2))
                            }
                        }
                    }
                }
            }
        }
        "\n"
    })
}

/// Writes one report, whose headings begin at `level`. What happened and what to change come first, the evidence later.
fn article(report: &Report, id: &str, level: usize) -> Markup {
    let when = &When::of(report.opened_at);
    let part = |title: &str, content: Markup| section(level, title, content);
    html! {
        article class=(if report.state.is_over() { "over" } else { "open" }) aria-labelledby=(id) {
            (heading(level, Some(id), &report.title))
            p.stands { strong.tag { (report.state.words()) } " " (report.span(when)) }
            @if let Some(asked) = &report.asked { (part(WAITS, asked.in_html(&report.subject, when))) }
            (part("What happened", html! {
                @for sentence in story(report, when) { p { (sentence) } }
                p { (when.text(&report.resolution)) }
            }))
            @if !report.changes.is_empty() {
                (part("What to change", html! { @for item in &report.changes { (change(item)) } }))
            }
            @if !report.advice.is_empty() {
                (part("What to do", html! { @for advice in &report.advice { p.lines { (prose(advice)) } } }))
            }
            (part("What pullsafe did", acted(report, when)))
            @if !report.declined.is_empty() { (part("What was declined, and why", declined(report, when))) }
            (part("Causes, oldest first", causes(report, when)))
            @if let Some(quota) = &report.quota {
                (part("Docker Hub's quota window (an estimate)", html! {
                    p { (CAVEAT) }
                    (svg::draw(quota, when, &format!("{id}-quota")))
                    (picture_in_words(quota, when))
                }))
            }
            @if !report.causes.is_empty() {
                (part("Evidence", html! { @for cause in &report.causes { (evidence(cause)) } }))
            }
            @if !report.timeline.is_empty() {
                (part("Timeline", html! {
                    ol.timeline { @for entry in &report.timeline { li { (moment(entry, when)) } } }
                }))
            }
            dl {
                @if let Some(blocker) = &report.blocker { (fact("Confidence", blocker.confidence)) }
                (fact("As of", report.as_of))
                (fact("Incident", &report.incident))
            }
        }
    }
}

fn fact(name: &str, value: impl std::fmt::Display) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn causes(report: &Report, when: &When) -> Markup {
    let row = |cause: &CauseLine| {
        let is_latest = report.blocker.as_ref() == Some(cause);
        [
            html! { (cause.summary) @if is_latest { " " strong.tag { "latest" } } },
            cell(when.at(cause.first_at)),
            cell(when.at(cause.last_at)),
            cell(cause.tasks),
            cell(cause.hidden_by.map_or_else(String::new, super::hidden)),
        ]
    };
    let heads = ["Cause", "First", "Last", "Tasks", "What stood before it"];
    html! {
        @if report.causes.is_empty() {
            p { (NO_CAUSE) }
        } @else {
            (table("Causes of this incident, oldest first", heads, report.causes.iter().map(row)))
            @if let Some(left_out) = left_out(report) { p { (left_out) } }
        }
    }
}

fn picture_in_words(quota: &QuotaWindow, when: &When) -> Markup {
    let back = quota.gives_back.iter().map(|back| [cell(when.at(back.at)), cell(back.pulls)]);
    html! {
        (list(quota.sentences().iter().map(|sentence| when.text(sentence))))
        (details("The same picture as text", block(&plot::draw(quota, when))))
        @if quota.gives_back.len() > 1 {
            (details("What the window gives back", table("When the window gives pulls back", ["When", "Pulls"], back)))
        }
    }
}

fn change(change: &Change) -> Markup {
    html! {
        p { strong { (change.what) } ". " (change.note) }
        @for edit in &change.edits {
            figure {
                figcaption { (edit.file) }
                pre.edit tabindex="0" {
                    @for line in &edit.before { del { "- " (line) } "\n" }
                    @for line in &edit.after { ins { "+ " (line) } "\n" }
                }
            }
        }
    }
}

fn acted(report: &Report, when: &When) -> Markup {
    html! {
        @match &report.act {
            Some(act) => (the_act(act, when)),
            None => p { "Nothing was changed at the service." },
        }
        @if !report.done.is_empty() { (list(report.done.iter().map(|entry| moment(entry, when)))) }
    }
}

fn the_act(act: &ActLine, when: &When) -> Markup {
    html! {
        p {
            strong { (act.remedy) }
            " for " (act.cause) ", decided at " (time(act.decided_at, when)) ": " (act.words()) "."
        }
        p { (when.text(&act.summary)) }
        @if !act.steps.is_empty() { ol { @for step in &act.steps { li { (step) } } } }
    }
}

fn declined(report: &Report, when: &When) -> Markup {
    list(report.declined.iter().map(|declined| {
        html! { strong { (declined.remedy) } ": " (when.text(&declined.reasons.join("; "))) }
    }))
}

fn evidence(cause: &CauseLine) -> Markup {
    html! {
        p {
            strong { (cause.cause) }
            " (confidence " (cause.confidence)
            @if let Some(container) = &cause.container { ", container " (container) }
            ")"
            @if let Some(likely) = &cause.likely { ". " (likely) }
            @if let Some(settled_by) = &cause.settled_by { ". What would settle it: " (settled_by) }
        }
        @for evidence in &cause.evidence {
            figure { figcaption { (evidence.source) } (block(&evidence.text)) }
        }
    }
}
