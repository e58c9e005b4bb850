//! The report as Markdown for GitHub and most wikis. It can be read as plain text too.

use super::plot;
use super::story::story;
use super::when::When;
use super::{CauseLine, Change, Moment, NO_CAUSE, Report, WAITS, left_out};
use pullsafe::foreign::{block, code, code_in_table, markdown};
use pullsafe_incident::quota::CAVEAT;

/// What is said where there is no incident.
const NOTHING: &str = "There is nothing to report.\n";

/// Writes reports one after the other.
pub fn page(reports: &[Report]) -> String {
    joined(reports, report)
}

/// Writes a line for each report: since when, the subject, the state and the blocker.
pub fn list(reports: &[Report]) -> String {
    let lines: String = reports
        .iter()
        .map(|report| format!("- since {}: {}\n", report.opened_at, markdown(&report.title)))
        .collect();
    if lines.is_empty() { NOTHING.to_owned() } else { lines }
}

/// Writes only what was decided about each incident: what was or would be done, what is waited for, and what was
/// declined and why.
pub fn plans(reports: &[Report]) -> String {
    joined(reports, |report| {
        let mut page = Page(String::new());
        page.line(&format!("# {}", markdown(&report.title)));
        decided(&mut page, report, &When::of(report.opened_at));
        page.0
    })
}

fn joined(reports: &[Report], write: impl Fn(&Report) -> String) -> String {
    match reports {
        [] => NOTHING.to_owned(),
        _ => reports.iter().map(write).collect::<Vec<_>>().join("\n---\n\n"),
    }
}

/// Writes one report: what happened and what to change come first, the evidence later.
pub fn report(report: &Report) -> String {
    let when = &When::of(report.opened_at);
    let mut page = Page(String::new());
    page.line(&format!("# {}", markdown(&report.title)));
    page.line(&format!("\n**{}** {}", markdown(report.state.words()), markdown(&report.span(when))));
    if let Some(asked) = &report.asked {
        page.section(WAITS, |page| {
            let (question, until) = asked.asks(&report.subject, when);
            page.line(&format!("**{}** {until}\n", markdown(&question)));
            page.line(&format!("- Would change: {}", markdown(&asked.changes)));
            page.line(&format!("- Yes: {}", code(&asked.yes())));
            page.line(&format!("- No, for a week: {}", code(&asked.no())));
        });
    }
    page.section("What happened", |page| {
        page.items(story(report, when).iter().map(|sentence| markdown(sentence)));
        page.line(&format!("\n{}", markdown(&when.text(&report.resolution))));
    });
    if !report.changes.is_empty() {
        page.section("What to change", |page| page.paragraphs(&report.changes, change));
    }
    if !report.advice.is_empty() {
        page.section("What to do", |page| {
            page.paragraphs(&report.advice, |page, advice| page.0.push_str(&block("text", advice)));
        });
    }
    decided(&mut page, report, when);
    page.section("Causes, oldest first", |page| causes(page, report, when));
    if let Some(quota) = &report.quota {
        page.section("Docker Hub's quota window (an estimate)", |page| {
            page.line(&markdown(CAVEAT));
            page.line("");
            page.0.push_str(&block("text", &plot::draw(quota, when)));
            page.line("");
            page.items(quota.sentences().iter().map(|sentence| markdown(&when.text(sentence))));
        });
    }
    if !report.causes.is_empty() {
        page.section("Evidence", |page| page.paragraphs(&report.causes, evidence));
    }
    if !report.timeline.is_empty() {
        page.section("Timeline", |page| page.items(report.timeline.iter().map(|one| moment(one, when))));
    }
    page.line(&format!("\nAs of {}, incident {}.", report.as_of, code(&report.incident)));
    page.0
}

fn decided(page: &mut Page, report: &Report, when: &When) {
    page.section("What pullsafe did", |page| acted(page, report, when));
    if let Some(waiting) = &report.waiting {
        page.section("What pullsafe waits for", |page| {
            page.line(&format!("Since {}: {}.", when.at(waiting.at), markdown(&when.text(&waiting.what))))
        });
    }
    if !report.declined.is_empty() {
        page.section("What was declined, and why", |page| {
            page.items(report.declined.iter().map(|declined| {
                format!("**{}**: {}", declined.remedy, markdown(&when.text(&declined.reasons.join("; "))))
            }));
        });
    }
}

fn causes(page: &mut Page, report: &Report, when: &When) {
    if report.causes.is_empty() {
        page.line(NO_CAUSE);
        return;
    }
    page.line("| Cause | First | Last | Tasks | What stood before it |\n|---|---|---|---|---|");
    for cause in &report.causes {
        let latest = if report.blocker.as_ref() == Some(cause) { " **latest**" } else { "" };
        let hidden = cause.hidden_by.map_or_else(String::new, super::hidden);
        page.line(&format!(
            "| {}{latest} | {} | {} | {} | {hidden} |",
            code_in_table(&cause.summary),
            when.at(cause.first_at),
            when.at(cause.last_at),
            cause.tasks
        ));
    }
    if let Some(left_out) = left_out(report) {
        page.line(&format!("\n{left_out}"));
    }
}

fn change(page: &mut Page, change: &Change) {
    page.line(&format!("**{}**. {}", markdown(&change.what), markdown(&change.note)));
    for edit in &change.edits {
        page.line(&format!("\n{}:\n", markdown(&edit.file)));
        let before = edit.before.iter().map(|line| format!("- {line}"));
        let lines: Vec<String> = before.chain(edit.after.iter().map(|line| format!("+ {line}"))).collect();
        page.0.push_str(&block("diff", &lines.join("\n")));
    }
}

fn acted(page: &mut Page, report: &Report, when: &When) {
    match &report.act {
        Some(act) => {
            page.line(&format!(
                "**{}** for {}, decided at {}: {}.",
                act.remedy,
                act.cause,
                when.at(act.decided_at),
                markdown(&act.words())
            ));
            page.line(&format!("\n{}", markdown(&when.text(&act.summary))));
            if !act.steps.is_empty() {
                page.line("");
                page.items(act.steps.iter().map(|step| markdown(step)));
            }
        }
        None => page.line("Nothing was changed at the service."),
    }
    if !report.done.is_empty() {
        page.line("\nIn the timeline:\n");
        page.items(report.done.iter().map(|one| moment(one, when)));
    }
}

fn evidence(page: &mut Page, cause: &CauseLine) {
    let container = cause
        .container
        .as_deref()
        .map_or_else(String::new, |container| format!(", container {}", code(container)));
    let settled = cause
        .settled_by
        .as_deref()
        .map_or_else(String::new, |by| format!(" What would settle it: {}", markdown(by)));
    let likely = cause.likely.as_deref().map_or_else(String::new, |likely| format!(" {}", markdown(likely)));
    page.line(&format!("**{}** (confidence {}{container}).{likely}{settled}", cause.cause, cause.confidence));
    for evidence in &cause.evidence {
        page.line(&format!("\n{}:\n", code(&evidence.source)));
        page.0.push_str(&block("text", &evidence.text));
    }
}

fn moment(moment: &Moment, when: &When) -> String {
    format!("{} {}", when.at(moment.at), markdown(&when.text(&moment.what)))
}

struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn section(&mut self, title: &str, content: impl FnOnce(&mut Self)) {
        self.line(&format!("\n## {title}\n"));
        content(self);
    }

    fn items(&mut self, items: impl Iterator<Item = String>) {
        items.for_each(|item| self.line(&format!("- {item}")));
    }

    fn paragraphs<T>(&mut self, all: &[T], write: impl Fn(&mut Self, &T)) {
        for (index, one) in all.iter().enumerate() {
            if index > 0 {
                self.line("");
            }
            write(self, one);
        }
    }
}
