//! The figures as a document, printed while it grows.

use std::fmt::Write as _;

/// A wanted figure, and whether it was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// What is wanted.
    pub wanted: String,
    /// Whether it is so.
    pub met: bool,
}

impl Goal {
    /// At most this many of a unit.
    pub fn at_most(limit: f64, unit: &str, found: f64) -> Option<Self> {
        Some(Self { wanted: format!("at most {limit} {unit}").trim_end().to_owned(), met: found <= limit })
    }

    /// At least this many of a unit.
    pub fn at_least(limit: u32, unit: &str, found: f64) -> Option<Self> {
        Some(Self {
            wanted: format!("at least {} {unit}", thousands(u64::from(limit))).trim_end().to_owned(),
            met: found >= f64::from(limit),
        })
    }
}

/// The document.
#[derive(Debug, Default)]
pub struct Report {
    text: String,
    missed: Vec<String>,
    in_table: bool,
}

impl Report {
    /// Opens a section.
    pub fn section(&mut self, title: &str) {
        println!("\n{title}");
        self.in_table = false;
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "\n## {title}");
    }

    /// A paragraph, which is not printed.
    pub fn prose(&mut self, text: &str) {
        self.in_table = false;
        let _ = writeln!(self.text, "\n{text}");
    }

    /// A figure, with its goal if there is one.
    pub fn figure(&mut self, what: &str, figure: &str, goal: Option<Goal>) {
        let (wanted, met) = match &goal {
            Some(goal) => (goal.wanted.as_str(), if goal.met { "yes" } else { "**no**" }),
            None => ("", ""),
        };
        println!(
            "  {what}: {figure}{}",
            if wanted.is_empty() { String::new() } else { format!("  ({wanted}: {})", met.trim_matches('*')) }
        );
        if !self.in_table {
            self.in_table = true;
            self.text.push_str("\n| | Figure | Wanted | Met |\n|---|---|---|---|\n");
        }
        let _ = writeln!(self.text, "| {what} | {figure} | {wanted} | {met} |");
        if goal.is_some_and(|goal| !goal.met) {
            self.missed.push(what.to_owned());
        }
    }

    /// What missed its goal.
    pub fn missed(&self) -> &[String] {
        &self.missed
    }

    /// The document, with what stands above its sections.
    pub fn document(&self, head: &str) -> String {
        format!("{}\n{}", head.trim_end(), self.text)
    }
}

/// A number with commas between its thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// The same for what was divided: without decimals.
pub fn rounded(number: f64) -> String {
    // A figure is neither negative nor beyond 2^53.
    thousands(number.round() as u64)
}

/// Bytes as a person reads them. A megabyte is 1,000,000 bytes here, so that no goal is met by the larger unit.
pub fn megabytes(bytes: u64) -> f64 {
    (bytes as f64 / 10_000.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!((rounded(1999.6).as_str(), megabytes(5_994_999)), ("2,000", 5.99));
    }

    #[test]
    fn a_missed_goal_is_written_down_and_remembered() {
        let mut report = Report::default();
        report.section("Sizes");
        report.figure("a.zip", "7 MB", Goal::at_most(6.0, "MB", 7.0));
        report.figure("b.zip", "5 MB", Goal::at_most(6.0, "MB", 5.0));
        report.figure("speed", "900", Goal::at_least(1000, "a second", 900.0));
        report.figure("other", "1", None);
        assert_eq!(report.missed(), ["a.zip", "speed"]);
        insta::assert_snapshot!(report.document("# Figures\n"), @r"
        # Figures

        ## Sizes

        | | Figure | Wanted | Met |
        |---|---|---|---|
        | a.zip | 7 MB | at most 6 MB | **no** |
        | b.zip | 5 MB | at most 6 MB | yes |
        | speed | 900 | at least 1,000 a second | **no** |
        | other | 1 |  |  |
        ");
    }
}
