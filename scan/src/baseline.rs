//! A baseline: the Docker Hub images that a repository has today, so that only new ones fail.
//!
//! An image is known by its file and its reference, not by its line: edits elsewhere in the file change nothing. A
//! second use of the same image in the same file is new.

use std::collections::BTreeMap;

use pullsafe_find::finding::Finding;
use serde::{Deserialize, Serialize};

/// What a baseline file holds.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u32,
    images: Vec<BaselineEntry>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineEntry {
    file: String,
    reference: String,
    count: usize,
}

const VERSION: u32 = 1;

/// A baseline that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// Not JSON of this form.
    #[error("not a baseline: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another version.
    #[error("a baseline of version {0}: this pullsafe reads version {VERSION}")]
    Version(u32),
}

impl Baseline {
    /// The baseline of what a scan found.
    pub fn of(findings: &[Finding]) -> Self {
        let images = counted(findings)
            .into_iter()
            .map(|((file, reference), count)| BaselineEntry { file, reference, count })
            .collect();
        Self { version: VERSION, images }
    }

    /// Reads a baseline file.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let baseline: Self = serde_json::from_str(text)?;
        if baseline.version == VERSION {
            Ok(baseline)
        } else {
            Err(Invalid::Version(baseline.version))
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        format!("{:#}\n", serde_json::json!(self))
    }

    /// Takes what the baseline knows out of the findings, and gives how many that were.
    pub fn take_known(&self, findings: &mut Vec<Finding>) -> usize {
        let mut left: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for entry in &self.images {
            left.entry(&entry.file).or_default().insert(&entry.reference, entry.count);
        }
        let before = findings.len();
        findings.retain(|finding| {
            let known = left
                .get_mut(finding.file.as_str())
                .and_then(|file| file.get_mut(finding.reference.as_str()))
                .filter(|_| matters(finding));
            match known {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    false
                }
                Some(_) | None => true,
            }
        });
        before - findings.len()
    }
}

fn counted(findings: &[Finding]) -> BTreeMap<(String, String), usize> {
    let mut counted = BTreeMap::new();
    for finding in findings.iter().filter(|finding| matters(finding)) {
        *counted.entry((finding.file.clone(), finding.reference.clone())).or_default() += 1;
    }
    counted
}

/// Whether a finding can make a scan fail.
fn matters(finding: &Finding) -> bool {
    finding.is_docker_hub() || finding.registry.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullsafe_find::detect::scan_text;
    use pullsafe_find::neighbours::NoNeighbours;

    #[test]
    fn only_what_is_new_is_left() {
        let (before, _) = scan_text("Dockerfile", "FROM redis:7 AS a\nFROM quay.io/x/y:1\nFROM ${X}\n", &NoNeighbours);
        let baseline = Baseline::parse(&Baseline::of(&before).text()).unwrap();
        let (mut after, _) = scan_text(
            "Dockerfile",
            "# moved\nFROM redis:7 AS a\nFROM redis:7\nFROM redis:8\nFROM quay.io/x/y:1\nFROM ${X}\n",
            &NoNeighbours,
        );
        assert_eq!(baseline.take_known(&mut after), 2);
        let left: Vec<_> = after.iter().map(|finding| finding.reference.as_str()).collect();
        assert_eq!(left, ["docker.io/library/redis:7", "docker.io/library/redis:8", "quay.io/x/y:1"]);
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for (text, why) in [("[]", "not a baseline: "), ("{\"version\": 2, \"images\": []}", "a baseline of version 2")]
        {
            assert!(Baseline::parse(text).unwrap_err().to_string().starts_with(why));
        }
    }
}
