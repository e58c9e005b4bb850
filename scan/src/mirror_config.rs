//! The mirror's configuration for what a repository pulls from Docker Hub.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::finding::Finding;

/// What stands for the registry where none was given: a name that no reference can be pulled from by accident.
const PLACEHOLDER: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// The configuration as YAML: each Docker Hub repository with the tags that the findings name.
///
/// What a variable or a digest decides is listed as a comment: the configuration selects by tag.
pub fn mirror_config(findings: &[Finding], registry: Option<&str>, prefix: &str) -> String {
    let mut tags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut open: BTreeMap<String, String> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.is_docker_hub()) {
        match finding.parsed() {
            Some(reference) => {
                let tag = reference.tag().or(if reference.digest().is_none() { Some("latest") } else { None });
                if let Some(tag) = tag {
                    tags.entry(reference.repository().to_owned()).or_default().insert(tag.to_owned());
                }
                if reference.digest().is_some() {
                    let why = if tag.is_some() { "its tag is in the list, but may have moved on" } else { "by digest alone" };
                    open.entry(finding.reference.clone()).or_insert_with(|| format!("{}:{}: {why}", finding.file, finding.line));
                }
            }
            None => {
                let why = format!("{}:{}: no value for {}", finding.file, finding.line, finding.variables.join(", "));
                open.entry(finding.reference.clone()).or_insert(why);
            }
        }
    }
    let mut text = String::new();
    if registry.is_none() {
        text.push_str("# Put your own registry here, or give it with --registry.\n");
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "registry: {}", registry.unwrap_or(PLACEHOLDER));
    let _ = writeln!(text, "prefix: {prefix}");
    text.push_str(if tags.is_empty() { "images: []\n" } else { "images:\n" });
    for (repository, tags) in &tags {
        let name = repository.strip_prefix("library/").unwrap_or(repository);
        let tags: Vec<String> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
        let _ = writeln!(text, "  - {name}: [{}]", tags.join(", "));
    }
    if !open.is_empty() {
        text.push_str("# To be looked at: what the list, which selects by tag, cannot say.\n");
        for (reference, why) in &open {
            let _ = writeln!(text, "#   {} ({})", one_line(reference), one_line(why));
        }
    }
    text
}

/// A comment must not end where the text has a line's end.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
