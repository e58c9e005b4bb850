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
        Some(Self {
            wanted: format!("at most {limit} {unit}").trim_end().to_owned(),
            met: found <= limit,
        })
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
pub struct FiguresDocument {
    taken: String,
    text: String,
    missed: Vec<String>,
    in_table: bool,
}

impl FiguresDocument {
    /// A document of figures taken on this day, on this machine.
    pub fn taken(on: &str, machine: &str) -> Self {
        Self {
            taken: format!("Taken on {on}, {machine}."),
            ..Self::default()
        }
    }

    /// Opens a section.
    pub fn section(&mut self, title: &str) {
        println!("\n{title}");
        self.in_table = false;
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "\n## {title}");
        if !self.taken.is_empty() {
            let _ = writeln!(self.text, "\n{}", self.taken);
        }
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
            if wanted.is_empty() {
                String::new()
            } else {
                format!("  ({wanted}: {})", met.trim_matches('*'))
            }
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

    /// The document, with what stands above its sections. A section that was not measured stays as an earlier document
    /// has it.
    pub fn document(&self, head: &str, earlier: &str) -> String {
        let measured: Vec<(&str, &str)> = sections(&self.text).collect();
        let mut text = head.trim_end().to_owned();
        let kept: Vec<(&str, &str)> = sections(earlier).collect();
        for (title, section) in &kept {
            let section = measured.iter().find(|(new, _)| new == title).map_or(*section, |(_, section)| section);
            let _ = write!(text, "\n\n## {}", section.trim_end());
        }
        for (_, section) in measured.iter().filter(|(title, _)| kept.iter().all(|(old, _)| old != title)) {
            let _ = write!(text, "\n\n## {}", section.trim_end());
        }
        text + "\n"
    }
}

/// The sections of a document: each title, and the section from it on.
fn sections(document: &str) -> impl Iterator<Item = (&str, &str)> {
    document.split("\n## ").skip(1).map(|section| (section.lines().next().unwrap_or_default(), section))
}

/// A number with commas between its thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
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
        let mut report = FiguresDocument::taken("2026-01-15", "2 cores");
        report.section("Sizes");
        report.figure("a.zip", "7 MB", Goal::at_most(6.0, "MB", 7.0));
        report.figure("b.zip", "5 MB", Goal::at_most(6.0, "MB", 5.0));
        report.figure("speed", "900", Goal::at_least(1000, "a second", 900.0));
        report.figure("other", "1", None);
        assert_eq!(report.missed(), ["a.zip", "speed"]);
        let earlier = "# Old\n\n## Start\n\n1 s\n\n## Sizes\n\nlarge\n";
        insta::assert_snapshot!(report.document("# Figures\n", earlier), @r"
        # Figures

        ## Start

        1 s

        ## Sizes

        Taken on 2026-01-15, 2 cores.

        | | Figure | Wanted | Met |
        |---|---|---|---|
        | a.zip | 7 MB | at most 6 MB | **no** |
        | b.zip | 5 MB | at most 6 MB | yes |
        | speed | 900 | at least 1,000 a second | **no** |
        | other | 1 |  |  |
        ");
    }
}
