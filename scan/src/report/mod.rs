//! What was found, for people and for tools.

use pullsafe_find::finding::Finding;
use pullsafe_find::walk::Scanned;

mod github;
mod json;
mod sarif;
mod text;

pub use github::{annotation, github};
pub use json::json;
pub use sarif::sarif;
pub use text::{Colours, FindingsShown, terminal, text};

/// Counts that every report gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Places that pull an image.
    pub findings: usize,
    /// Those that pull from Docker Hub.
    pub docker_hub: usize,
    /// Those of which a variable decides the registry.
    pub undecided: usize,
    /// Files that were seen.
    pub files_seen: usize,
    /// Files that were read in full.
    pub files_read: usize,
}

impl Summary {
    /// Counts.
    pub fn of(scanned: &Scanned) -> Self {
        Self {
            findings: scanned.findings.len(),
            docker_hub: scanned.findings.iter().filter(|finding| finding.is_docker_hub()).count(),
            undecided: scanned.findings.iter().filter(|finding| finding.registry.is_none()).count(),
            files_seen: scanned.seen,
            files_read: scanned.read,
        }
    }
}

/// A number with its noun.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// What a finding means to the one who reads it.
fn advice(finding: &Finding) -> String {
    let variables = finding.variables.join(", ");
    match (finding.is_docker_hub(), finding.certain) {
        (true, true) => format!("{} is pulled from Docker Hub", finding.reference),
        (true, false) if finding.variables.is_empty() => {
            format!("{} is likely pulled from Docker Hub", finding.reference)
        }
        (true, false) => format!("{} is pulled from Docker Hub, whatever {variables} is", finding.reference),
        (false, _) if finding.registry.is_none() => {
            format!("{}: no value for {variables}, which decides the registry", finding.reference)
        }
        (false, _) => format!("{} is not pulled from Docker Hub", finding.reference),
    }
}
