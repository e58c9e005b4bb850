//! The mirror's configuration for what a repository pulls from Docker Hub.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::key::plain_or_quoted;
use pullsafe::foreign::log_line;
use pullsafe::reference::Digest;
use pullsafe_find::finding::Finding;

/// What stands for the registry where none was given: a name that no reference can be pulled from by accident.
const PLACEHOLDER: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// The configuration as YAML: each Docker Hub repository with the tags and digests that the findings name.
///
/// What a variable decides is listed as a comment. A digest goes with its tag where nothing else uses that tag.
pub fn mirror_config(findings: &[Finding], registry: Option<&str>, prefix: &str) -> String {
    let mut images: BTreeMap<&str, WantedImages> = BTreeMap::new();
    let mut open: BTreeMap<&str, String> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.is_docker_hub()) {
        let Some(reference) = finding.parsed() else {
            let why = format!("{}:{}: no value for {}", finding.file, finding.line, finding.variables.join(", "));
            open.entry(&finding.reference).or_insert(why);
            continue;
        };
        let found = images.entry(reference.repository()).or_default();
        match (reference.tag_or_latest(), reference.digest()) {
            (Some(tag), _) => found.tags.entry(tag).or_default().floats = true,
            (None, Some(digest)) => match reference.tag() {
                Some(tag) => drop(found.tags.entry(tag).or_default().pins.insert(digest)),
                None => drop(found.digests.insert(digest)),
            },
            (None, None) => {}
        }
    }
    let mut text = String::new();
    if registry.is_none() {
        text.push_str("# Put your own registry here, or give it with --registry.\n");
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "registry: {}", registry.unwrap_or(PLACEHOLDER));
    let _ = writeln!(text, "prefix: {}", if prefix.is_empty() { "\"\"" } else { prefix });
    text.push_str(if images.is_empty() { "images: []\n" } else { "images:\n" });
    for (repository, found) in &images {
        let name = repository.strip_prefix("library/").unwrap_or(repository);
        let _ = writeln!(text, "  - {}: [{}]", plain_or_quoted(name), found.list().join(", "));
    }
    if !open.is_empty() {
        text.push_str("# To be looked at: variables decide which images these are.\n");
        for (reference, why) in &open {
            let _ = writeln!(text, "#   {} ({})", log_line(reference), log_line(why));
        }
    }
    text
}

/// What is wanted of one repository.
#[derive(Default)]
struct WantedImages<'f> {
    tags: BTreeMap<&'f str, Tag<'f>>,
    digests: BTreeSet<&'f Digest>,
}

/// How a tag is used: as it is, and with which digests.
#[derive(Default)]
struct Tag<'f> {
    floats: bool,
    pins: BTreeSet<&'f Digest>,
}

impl WantedImages<'_> {
    fn list(&self) -> Vec<String> {
        let mut list = Vec::new();
        let mut digests = self.digests.clone();
        for (name, tag) in &self.tags {
            match (tag.floats, tag.pins.first()) {
                (false, Some(digest)) if tag.pins.len() == 1 => {
                    digests.remove(digest);
                    list.push(format!("\"{name}@{digest}\""));
                }
                (floats, _) => {
                    digests.extend(&tag.pins);
                    list.extend(floats.then(|| format!("\"{name}\"")));
                }
            }
        }
        list.extend(digests.iter().map(|digest| format!("\"{digest}\"")));
        list
    }
}

#[cfg(test)]
mod tests {
    use mirror::decide::MirrorConfig;

    use super::*;
    use pullsafe_find::detect::scan_text;
    use pullsafe_find::neighbours::NoNeighbours;

    #[test]
    fn tags_digests_and_pins_are_what_the_mirror_reads() {
        let [a, b] = ["a", "b"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let dockerfile = [
            "FROM python:3.11-slim".to_owned(),
            "FROM python".to_owned(),
            format!("FROM node:22@{a}"),
            format!("FROM redis:7@{a}"),
            "FROM redis:7".to_owned(),
            format!("FROM nginx@{b}"),
            format!("FROM acme/app:1@{a}"),
            format!("FROM acme/app:1@{b}"),
            "FROM 1024".to_owned(),
            "FROM postgres:${VERSION}".to_owned(),
            "FROM quay.io/a/b:1".to_owned(),
        ];
        let (findings, problems) = scan_text("Dockerfile", &dockerfile.join("\n"), &NoNeighbours);
        assert!(problems.is_empty(), "{problems:?}");
        let text = mirror_config(&findings, Some("registry.example.com"), "");
        assert_eq!(
            text,
            format!(
                "registry: registry.example.com\nprefix: \"\"\nimages:\n  - acme/app: [\"{a}\", \"{b}\"]\n  - \
                 \"1024\": [\"latest\"]\n  \
                 - nginx: [\"{b}\"]\n  - node: [\"22@{a}\"]\n  - python: [\"3.11-slim\", \"latest\"]\n  - redis: \
                 [\"7\", \"{a}\"]\n\
                 # To be looked at: variables decide which images these are.\n\
                 #   docker.io/library/postgres:${{VERSION}} (Dockerfile:10: no value for VERSION)\n"
            )
        );
        let config = MirrorConfig::parse(&text).unwrap();
        assert_eq!((config.registry.as_str(), config.images.len()), ("registry.example.com", 6));
    }
}
