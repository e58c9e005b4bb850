//! A compose override: the images of services from the new registry, without a change of the compose file itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::key::plain_or_quoted;
use pullsafe::foreign;
use pullsafe_find::finding::Finding;

use super::{NewRegistry, Unmoved};

/// An override file's text, and the Docker Hub images that it cannot move.
#[derive(Debug)]
pub struct Override {
    /// YAML, for `docker compose -f FILE -f OVERRIDE`.
    pub text: String,
    /// What has to be moved otherwise.
    pub left: Vec<Unmoved>,
}

/// Writes the override for the services among the findings.
pub fn compose_override(findings: &[Finding], target: &NewRegistry) -> Override {
    let mut services: BTreeMap<&str, (String, &Finding)> = BTreeMap::new();
    let mut left = Vec::new();
    let mut leave = |finding: &Finding, why: String| {
        left.push(Unmoved {
            file: finding.file.clone(),
            line: finding.line,
            reference: finding.reference.clone(),
            why,
        });
    };
    for finding in findings.iter().filter(|finding| finding.is_docker_hub()) {
        // A variable stays one: whoever sets it means the override, too.
        let kept = target.moved_as_written(finding).filter(|_| finding.written.contains('$'));
        let Some(image) = kept.or_else(|| target.moved(finding)) else {
            leave(finding, "its repository or its new registry is not known".to_owned());
            continue;
        };
        if finding.services.is_empty() {
            leave(finding, "not the image of a compose service: move it with --fix".to_owned());
        }
        for service in &finding.services {
            match services.get(service.as_str()) {
                Some((other, first)) if *other != image => {
                    let why = format!("service `{service}` has another image in {}:{}", first.file, first.line);
                    leave(finding, why);
                }
                _ => {
                    services.insert(service, (image.clone(), finding));
                }
            }
        }
    }
    let mut text = String::from("# Written by `pullsafe scan --compose-override`: the same images, from the mirror.\n");
    text.push_str(if services.is_empty() { "services: {}\n" } else { "services:\n" });
    for (service, (image, _)) in services {
        // Writing to a string cannot fail.
        let _ = write!(text, "  {}:\n    image: \"{image}\"\n", plain_or_quoted(service));
    }
    // What the files say is in double quotes, in which an escape means the same.
    Override { text: foreign::json(&text), left }
}
