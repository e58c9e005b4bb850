//! The report as Markdown, as GitHub and most wikis read it. It reads as plain text too.

use super::plot;
use super::quota::CAVEAT;
use super::{CauseLine, Change, Moment, NO_CAUSE, Report, left_out};
use pullsafe::foreign::{block, code, markdown};

/// Reports one after the other.
pub fn page(reports: &[Report]) -> String {
    match reports {
        [] => "There is nothing to report.\n".to_owned(),
        _ => reports.iter().map(report).collect::<Vec<_>>().join("\n---\n\n"),
    }
}

/// One report.
pub fn report(report: &Report) -> String {
    let mut page = Page(String::new());
    page.line(&format!("# {}", markdown(&report.title)));
    page.line("");
    let mut facts = vec![("State", markdown(report.state.words())), ("Opened", report.opened_at.to_string())];
    if let Some(blocker) = &report.blocker {
        let name = if report.state.is_over() { "Last blocker" } else { "Current blocker" };
        facts.push((name, format!("{} (confidence {})", code(&blocker.summary, true), blocker.confidence)));
    }
    if let Some(likely) = report.blocker.as_ref().and_then(|blocker| blocker.likely.as_deref()) {
        facts.push(("Likely explanation", markdown(likely)));
    }
    if let Some(resolved) = report.resolved_at {
        facts.push(("Over since", resolved.to_string()));
    }
    facts.extend([("As of", report.as_of.to_string()), ("Incident", code(&report.incident, true))]);
    page.line("| | |\n|---|---|");
    for (name, value) in facts {
        page.line(&format!("| {name} | {value} |"));
    }
    page.section("How it stands", |page| page.line(&markdown(&report.resolution)));
    page.section("Causes, oldest first", |page| causes(page, report));
    if let Some(quota) = &report.quota {
        page.section("Docker Hub's quota window (an estimate)", |page| {
            page.line(&markdown(CAVEAT));
            page.line("");
            page.0.push_str(&block("text", &plot::draw(quota)));
            page.line("");
            page.items(quota.sentences().iter().map(|sentence| markdown(sentence)));
        });
    }
    if !report.changes.is_empty() {
        page.section("What to change", |page| page.paragraphs(&report.changes, change));
    }
    if !report.advice.is_empty() {
        page.section("What to do", |page| {
            page.paragraphs(&report.advice, |page, advice| page.0.push_str(&block("text", advice)));
        });
    }
    page.section("What pullsafe did", |page| acted(page, report));
    if let Some(waiting) = &report.waiting {
        page.section("What pullsafe waits for", |page| page.line(&format!("Since {}: {}.", waiting.at, markdown(&waiting.what))));
    }
    if !report.declined.is_empty() {
        page.section("What was declined, and why", |page| {
            page.items(
                report.declined.iter().map(|declined| format!("**{}**: {}", declined.remedy, markdown(&declined.reasons.join("; ")))),
            );
        });
    }
    if !report.causes.is_empty() {
        page.section("Evidence", |page| page.paragraphs(&report.causes, evidence));
    }
    if !report.timeline.is_empty() {
        page.section("Timeline", |page| page.items(report.timeline.iter().map(moment)));
    }
    page.0
}

fn causes(page: &mut Page, report: &Report) {
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
            code(&cause.summary, true),
            cause.first_at,
            cause.last_at,
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

fn acted(page: &mut Page, report: &Report) {
    match &report.act {
        Some(act) => {
            page.line(&format!("**{}** for {}, decided at {}: {}.", act.remedy, act.cause, act.decided_at, markdown(&act.words())));
            page.line(&format!("\n{}", markdown(&act.summary)));
            if !act.steps.is_empty() {
                page.line("");
                page.items(act.steps.iter().map(|step| markdown(step)));
            }
        }
        None => page.line("Nothing was changed at the service."),
    }
    if !report.done.is_empty() {
        page.line("\nIn the timeline:\n");
        page.items(report.done.iter().map(moment));
    }
}

fn evidence(page: &mut Page, cause: &CauseLine) {
    let container = cause.container.as_deref().map_or_else(String::new, |container| format!(", container {}", code(container, false)));
    let settled = cause.settled_by.as_deref().map_or_else(String::new, |by| format!(" What would settle it: {}", markdown(by)));
    let likely = cause.likely.as_deref().map_or_else(String::new, |likely| format!(" {}", markdown(likely)));
    page.line(&format!("**{}** (confidence {}{container}).{likely}{settled}", cause.cause, cause.confidence));
    for evidence in &cause.evidence {
        page.line(&format!("\n{}:\n", code(&evidence.source, false)));
        page.0.push_str(&block("text", &evidence.text));
    }
}

fn moment(moment: &Moment) -> String {
    format!("{} {}", moment.at, markdown(&moment.what))
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
