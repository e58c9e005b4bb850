//! The report for people: lines for a pipe, and files with a table for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pullsafe::foreign::log_line;
use pullsafe_find::finding::{Finding, Level, Problem};
use pullsafe_find::walk::Scanned;

use super::{Summary, count};
use crate::rewrite::NewRegistry;

/// Which findings are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingsShown {
    /// What concerns Docker Hub, and what a variable leaves open.
    DockerHub,
    /// All, and what was looked at and is none.
    All,
}

/// One line for each finding; then what could not be read; then the counts.
///
/// What is listed is what concerns Docker Hub, and what a variable leaves open; or all.
pub fn text(scanned: &Scanned, listed: FindingsShown) -> String {
    let mut text = String::new();
    for finding in shown(scanned, listed) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}:{}:{}: {}", log_line(&finding.file), finding.line, finding.column, line(finding));
    }
    for problem in &scanned.problems {
        let _ = writeln!(text, "{}", problem_line(problem));
    }
    if listed == FindingsShown::All {
        for other in &scanned.elsewhere {
            let (file, line) = (log_line(&other.finding.file), other.finding.line);
            let _ = writeln!(
                text,
                "{file}:{line}: {} is not pulled: {}",
                log_line(&other.finding.reference),
                other.why.as_str()
            );
        }
        for skipped in &scanned.skipped {
            let _ = writeln!(text, "{}: skipped: {}", log_line(&skipped.file), log_line(&skipped.reason));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(scanned));
    text
}

/// The same for a terminal: grouped by file, a table of the images, and what to do next. `target` is where they should
/// come from.
pub fn terminal(scanned: &Scanned, listed: FindingsShown, colours: Colours, target: Option<&NewRegistry>) -> String {
    let mut text = String::new();
    let mut file = "";
    for finding in shown(scanned, listed) {
        if finding.file != file {
            file = &finding.file;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", colours.bold(&log_line(file)));
        }
        let place = format!("{}:{}", finding.line, finding.column);
        let reference = log_line(&finding.reference);
        let reference = match (finding.is_docker_hub(), finding.registry) {
            (true, _) => colours.red(&reference),
            (false, None) => colours.yellow(&reference),
            (false, Some(_)) => reference,
        };
        let _ = writeln!(text, "  {place:>8}  {reference}  {}", colours.faint(&remarks(finding)));
    }
    for problem in &scanned.problems {
        let line = problem_line(problem);
        let _ = writeln!(
            text,
            "{}",
            if problem.level == Level::Unreadable {
                colours.red(&line)
            } else {
                colours.yellow(&line)
            }
        );
    }
    text.push_str(&table(scanned, colours, target));
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(scanned));
    if scanned.findings.iter().any(Finding::is_docker_hub) {
        let registry = if target.is_some() { "" } else { " --registry REGISTRY" };
        let _ = writeln!(
            text,
            "Next: pullsafe scan --mirror-config{registry} for a mirror of these, pullsafe scan --diff{registry} for \
             the changes."
        );
    }
    text
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// As a terminal understands them.
    Some,
    /// Only text.
    None,
}

impl Colours {
    fn wrapped(self, code: &str, text: &str) -> String {
        match self {
            Self::Some => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::None => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.wrapped("1", text)
    }

    fn red(self, text: &str) -> String {
        self.wrapped("31", text)
    }

    fn yellow(self, text: &str) -> String {
        self.wrapped("33", text)
    }

    fn faint(self, text: &str) -> String {
        self.wrapped("2", text)
    }
}

fn shown(scanned: &Scanned, listed: FindingsShown) -> impl Iterator<Item = &Finding> {
    scanned
        .findings
        .iter()
        .filter(move |finding| listed == FindingsShown::All || finding.is_docker_hub() || finding.registry.is_none())
}

/// Each Docker Hub image once: how often it is named, and where it should come from.
fn table(scanned: &Scanned, colours: Colours, target: Option<&NewRegistry>) -> String {
    let mut images: BTreeMap<&str, (usize, &Finding)> = BTreeMap::new();
    for finding in scanned.findings.iter().filter(|finding| finding.is_docker_hub()) {
        images.entry(&finding.reference).or_insert((0, finding)).0 += 1;
    }
    let Some(width) = images.keys().map(|reference| reference.chars().count()).max() else {
        return String::new();
    };
    let width = width.min(WIDTH);
    let mut table = format!("\n{}\n", colours.bold(&format!("{:<width$}  times  better from", "image on Docker Hub")));
    for (reference, (times, finding)) in images {
        let better = match target.and_then(|target| target.moved(finding)) {
            Some(moved) => moved,
            None if finding.official => finding.reference.replacen("docker.io/", "public.ecr.aws/docker/", 1),
            None => "a mirror".to_owned(),
        };
        let _ = writeln!(table, "{:<width$}  {times:>5}  {}", log_line(reference), log_line(&better));
    }
    table
}

/// How wide the first column of the table is at most.
const WIDTH: usize = 70;

fn summary(scanned: &Scanned) -> String {
    let summary = Summary::of(scanned);
    let (images, files) = (count(summary.findings, "image"), count(summary.files_read, "file"));
    let mut text = format!("{images} in {files}, {} from Docker Hub", summary.docker_hub);
    if summary.undecided > 0 {
        let _ = write!(text, ", {} undecided", summary.undecided);
    }
    let unreadable = scanned.problems.iter().filter(|problem| problem.level == Level::Unreadable).count();
    let warnings = scanned.problems.len() - unreadable;
    for (number, what) in
        [(unreadable, "unreadable file"), (warnings, "warning"), (scanned.skipped.len(), "skipped file")]
    {
        if number > 0 {
            let _ = write!(text, ", {}", count(number, what));
        }
    }
    text.push('\n');
    let unread: usize = scanned.unread.values().sum();
    if unread > 0 {
        let kinds: Vec<String> = scanned.unread.iter().map(|(kind, number)| format!("{kind} ({number})")).collect();
        let verb = if unread == 1 { "kind that is" } else { "kinds that are" };
        let _ = writeln!(text, "{} of {verb} not read: {}", count(unread, "file"), kinds.join(", "));
    }
    text
}

fn problem_line(problem: &Problem) -> String {
    let level = match problem.level {
        Level::Unreadable => "error",
        Level::Warning => "warning",
    };
    let file = log_line(&problem.file);
    match problem.line {
        0 => format!("{file}: {level}: {}", log_line(&problem.message)),
        line => format!("{file}:{line}: {level}: {}", log_line(&problem.message)),
    }
}

fn line(finding: &Finding) -> String {
    let registry = finding.registry.map_or("undecided", |registry| registry.as_str());
    format!("{registry} {} {}", log_line(&finding.reference), remarks(finding))
}

fn remarks(finding: &Finding) -> String {
    let mut words: Vec<String> = Vec::new();
    for (applies, word) in [(finding.official, "official"), (finding.pinned, "pinned")] {
        if applies {
            words.push(word.to_owned());
        }
    }
    let likely = if !finding.certain && finding.variables.is_empty() { ", likely" } else { "" };
    words.push(format!("({}{likely})", finding.place.as_str()));
    let mut text = words.join(" ");
    if !finding.variables.is_empty() {
        let _ = write!(text, ": no value for {}", log_line(&finding.variables.join(", ")));
    }
    text
}
