//! The report as HTML: one self-contained file that asks nobody for anything.
//!
//! Every element is closed where it is opened and every text is escaped, because nothing can be written in another way
//! than through `Html`. A Content-Security-Policy forbids what the page does not need: scripts, connections, forms.

use super::outbreak::{self, OutbreakReport};
use super::page::{Html, heading};
use super::plot;
use super::story::{span, story};
use super::svg;
use super::when::When;
use super::{ActLine, CauseLine, Change, Moment, NO_CAUSE, Report, left_out};
use pullsafe_incident::quota::{CAVEAT, Quota};

/// The rules for everything under `.pullsafe`, in terms of the colours below.
pub(super) const STYLE: &str = include_str!("style.css");
/// Colours on a light ground.
pub(super) const LIGHT: &str = "--text:#16191f;--quiet:#5b6470;--ground:#ffffff;--panel:#f4f6f8;--line:#cfd6dd;--accent:#0b62c4;--bad:#b3261e;--good:#146c2e;--area:#d6e6fa;";
/// Colours on a dark ground.
pub(super) const DARK: &str = "--text:#e6e9ed;--quiet:#a3adb8;--ground:#10151b;--panel:#1b222b;--line:#3a4552;--accent:#7db7ff;--bad:#ff9a92;--good:#7fd897;--area:#1f3a5c;";

/// A page of these reports, under a title that is shown if it is not one report.
pub fn page(title: &str, reports: &[Report]) -> String {
    page_with(title, &[], reports)
}

/// The same, with the outbreaks among them first.
pub fn page_with(title: &str, outbreaks: &[OutbreakReport], reports: &[Report]) -> String {
    let mut page = Html::document();
    page.element("html", &[("lang", "en")], |page| {
        page.element("head", &[], |page| {
            page.void("meta", &[("charset", "utf-8")]);
            page.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
            let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
            page.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", policy)]);
            page.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
            page.element("title", &[], |page| {
                page.text(reports.first().filter(|_| reports.len() == 1).map_or(title, |report| &report.title))
            });
            page.style(&format!(
                "html{{{LIGHT}background:var(--ground)}}@media (prefers-color-scheme:dark){{html{{{DARK}}}}}body{{margin:0}}\n{STYLE}"
            ));
        });
        page.element("body", &[], |page| {
            page.element("main", &[("class", "pullsafe")], |page| match reports {
                [report] if outbreaks.is_empty() => article(page, report, "i1", 1),
                _ => {
                    page.element("h1", &[], |page| page.text(title));
                    if reports.is_empty() {
                        page.paragraph("There is nothing to report.");
                    }
                    for (index, report) in outbreaks.iter().enumerate() {
                        outbreak::in_html(page, report, &format!("o{}", index + 1));
                    }
                    for (index, report) in reports.iter().enumerate() {
                        article(page, report, &format!("i{}", index + 1), 2);
                    }
                }
            });
        });
    });
    page.0.push('\n');
    page.0
}

/// One report; its headings begin at a level. What happened and what to change come first, what it rests on later.
fn article(page: &mut Html, report: &Report, id: &str, level: usize) {
    let when = &When::of(report.opened_at);
    let class = if report.state.is_over() { "over" } else { "open" };
    page.element("article", &[("class", class), ("aria-labelledby", id)], |page| {
        page.element(heading(level), &[("id", id)], |page| page.text(&report.title));
        page.element("p", &[("class", "stands")], |page| {
            page.element("strong", &[("class", "tag")], |page| page.text(report.state.words()));
            page.text(&format!(" {}", span(report, when)));
        });
        page.section(level, "What happened", |page| {
            story(report, when).iter().for_each(|sentence| page.paragraph(sentence));
            page.paragraph(&when.text(&report.resolution));
        });
        if !report.changes.is_empty() {
            page.section(level, "What to change", |page| report.changes.iter().for_each(|item| change(page, item)));
        }
        if !report.advice.is_empty() {
            page.section(level, "What to do", |page| {
                report
                    .advice
                    .iter()
                    .for_each(|advice| page.element("p", &[("class", "lines")], |page| page.text(advice)));
            });
        }
        page.section(level, "What pullsafe did", |page| acted(page, report, when));
        if !report.declined.is_empty() {
            page.section(level, "What was declined, and why", |page| declined(page, report, when));
        }
        page.section(level, "Causes, oldest first", |page| causes(page, report, when));
        if let Some(quota) = &report.quota {
            page.section(level, "Docker Hub's quota window (an estimate)", |page| {
                page.paragraph(CAVEAT);
                svg::draw(page, quota, when, &format!("{id}-quota"));
                picture_in_words(page, quota, when);
            });
        }
        if !report.causes.is_empty() {
            page.section(level, "Evidence", |page| evidence(page, &report.causes));
        }
        if !report.timeline.is_empty() {
            page.section(level, "Timeline", |page| timeline(page, &report.timeline, when));
        }
        facts(page, report);
    });
}

fn facts(page: &mut Html, report: &Report) {
    let confidence = report.blocker.as_ref().map(|blocker| ("Confidence", blocker.confidence.to_string()));
    let rest = [("As of", report.as_of.to_string()), ("Incident", report.incident.clone())];
    page.element("dl", &[], |page| {
        for (name, value) in confidence.into_iter().chain(rest) {
            page.element("div", &[], |page| {
                page.element("dt", &[], |page| page.text(name));
                page.element("dd", &[], |page| page.text(&value));
            });
        }
    });
}

fn causes(page: &mut Html, report: &Report, when: &When) {
    if report.causes.is_empty() {
        page.paragraph(NO_CAUSE);
        return;
    }
    let Report { causes, blocker, .. } = report;
    let heads = ["Cause", "First", "Last", "Tasks", "What stood before it"];
    page.table("Causes of this incident, oldest first", &heads, |page| {
        for cause in causes {
            page.element("tr", &[], |page| {
                page.element("th", &[("scope", "row")], |page| {
                    page.text(&cause.summary);
                    if blocker.as_ref() == Some(cause) {
                        page.text(" ");
                        page.element("strong", &[("class", "tag")], |page| page.text("latest"));
                    }
                });
                page.cell(heads[1], &when.at(cause.first_at));
                page.cell(heads[2], &when.at(cause.last_at));
                page.cell(heads[3], &cause.tasks.to_string());
                page.cell(heads[4], &cause.hidden_by.map_or_else(String::new, super::hidden));
            });
        }
    });
    if let Some(left_out) = left_out(report) {
        page.paragraph(&left_out);
    }
}

fn picture_in_words(page: &mut Html, quota: &Quota, when: &When) {
    page.element("ul", &[], |page| {
        quota
            .sentences()
            .iter()
            .for_each(|sentence| page.element("li", &[], |page| page.text(&when.text(sentence))));
    });
    page.details("The same picture as text", |page| page.block(&plot::draw(quota, when)));
    if quota.gives_back.len() > 1 {
        page.details("What the window gives back", |page| {
            page.table("When the window gives pulls back", &["When", "Pulls"], |page| {
                for back in &quota.gives_back {
                    page.element("tr", &[], |page| {
                        page.element("th", &[("scope", "row")], |page| page.text(&when.at(back.at)));
                        page.cell("Pulls", &back.pulls.to_string());
                    });
                }
            });
        });
    }
}

fn change(page: &mut Html, change: &Change) {
    page.element("p", &[], |page| {
        page.element("strong", &[], |page| page.text(&change.what));
        page.text(". ");
        page.text(&change.note);
    });
    for edit in &change.edits {
        page.element("figure", &[], |page| {
            page.element("figcaption", &[], |page| page.text(&edit.file));
            page.element("pre", &[("class", "edit"), ("tabindex", "0")], |page| {
                for line in &edit.before {
                    page.element("del", &[], |page| page.text(&format!("- {line}")));
                    page.text("\n");
                }
                for line in &edit.after {
                    page.element("ins", &[], |page| page.text(&format!("+ {line}")));
                    page.text("\n");
                }
            });
        });
    }
}

fn acted(page: &mut Html, report: &Report, when: &When) {
    match &report.act {
        Some(act) => the_act(page, act, when),
        None => page.paragraph("Nothing was changed at the service."),
    }
    if !report.done.is_empty() {
        page.element("ul", &[], |page| {
            report.done.iter().for_each(|moment| page.element("li", &[], |page| page.moment(moment, when)))
        });
    }
}

fn the_act(page: &mut Html, act: &ActLine, when: &When) {
    page.element("p", &[], |page| {
        page.element("strong", &[], |page| page.text(act.remedy.as_str()));
        page.text(&format!(" for {}, decided at ", act.cause));
        page.time(act.decided_at, when);
        page.text(&format!(": {}.", act.words()));
    });
    page.paragraph(&when.text(&act.summary));
    if !act.steps.is_empty() {
        page.element("ol", &[], |page| {
            act.steps.iter().for_each(|step| page.element("li", &[], |page| page.text(step)))
        });
    }
}

fn declined(page: &mut Html, report: &Report, when: &When) {
    page.element("ul", &[], |page| {
        for declined in &report.declined {
            page.element("li", &[], |page| {
                page.element("strong", &[], |page| page.text(declined.remedy.as_str()));
                page.text(": ");
                page.text(&when.text(&declined.reasons.join("; ")));
            });
        }
    });
}

fn evidence(page: &mut Html, causes: &[CauseLine]) {
    for cause in causes {
        let container =
            cause.container.as_deref().map_or_else(String::new, |container| format!(", container {container}"));
        page.element("p", &[], |page| {
            page.element("strong", &[], |page| page.text(cause.cause.as_str()));
            page.text(&format!(" (confidence {}{container})", cause.confidence));
            if let Some(likely) = &cause.likely {
                page.text(&format!(". {likely}"));
            }
            if let Some(settled_by) = &cause.settled_by {
                page.text(&format!(". What would settle it: {settled_by}"));
            }
        });
        for evidence in &cause.evidence {
            page.element("figure", &[], |page| {
                page.element("figcaption", &[], |page| page.text(&evidence.source));
                page.block(&evidence.text);
            });
        }
    }
}

fn timeline(page: &mut Html, timeline: &[Moment], when: &When) {
    page.element("ol", &[("class", "timeline")], |page| {
        timeline.iter().for_each(|moment| page.element("li", &[], |page| page.moment(moment, when)));
    });
}
