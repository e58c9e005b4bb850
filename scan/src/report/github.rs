//! The report as workflow commands of GitHub Actions, which shows them at the lines of a pull request.

use std::fmt::Write as _;

use pullsafe::foreign;
use pullsafe_find::finding::Level;
use pullsafe_find::walk::Scanned;

use super::advice;

/// `::warning` for each pull from Docker Hub, `::notice` where a variable decides, `::error` for a file that cannot be
/// read.
pub fn github(scanned: &Scanned) -> String {
    let mut text = String::new();
    for finding in &scanned.findings {
        let level = match (finding.is_docker_hub(), finding.registry) {
            (true, _) => "warning",
            (false, None) => "notice",
            (false, Some(_)) => continue,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}",
            annotation(level, &finding.file, (finding.line, finding.column), "Docker Hub pull", &advice(finding))
        );
    }
    for problem in &scanned.problems {
        let level = if problem.level == Level::Unreadable { "error" } else { "warning" };
        let _ = writeln!(
            text,
            "::{level} file={},line={}::{}",
            property(&problem.file),
            problem.line.max(1),
            data(&problem.message)
        );
    }
    text
}

/// One annotation at a line and column of a file.
pub fn annotation(level: &str, file: &str, (line, column): (usize, usize), title: &str, message: &str) -> String {
    format!(
        "::{level} file={},line={line},col={column},title={}::{}",
        property(file),
        property(title),
        data(message)
    )
}

/// A command's message, with `%` and line ends escaped.
fn data(text: &str) -> String {
    foreign::visible(&text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")).replace("##", "# #")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
