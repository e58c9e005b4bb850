//! The audit for people and for tools.

use std::fmt::Write as _;

use super::{Audit, AuditedImage, Exposed, Mirrored};

impl Audit {
    /// Whether any service pulls from Docker Hub.
    pub fn is_exposed(&self) -> bool {
        !self.exposed.is_empty()
    }

    /// One JSON document.
    ///
    /// # Errors
    /// None in practice: every key is a text.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// A report that a person reads from the top.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{} of {} services in {} {} pull from Docker Hub",
            self.exposed.len(),
            self.services_seen,
            self.account,
            self.region
        );
        for exposed in &self.exposed {
            service(&mut text, exposed);
        }
        if !self.addresses.is_empty() {
            text.push_str("\nshared addresses (Docker Hub counts anonymous pulls by address):\n");
        }
        for address in &self.addresses {
            let subnets = if address.subnets.is_empty() {
                "subnets not known".to_owned()
            } else {
                address.subnets.iter().cloned().collect::<Vec<_>>().join(", ")
            };
            let _ = writeln!(
                text,
                "  {subnets}: a deployment of all {} services costs up to {} of {} pulls in 6 hours: {}",
                address.services.len(),
                address.pulls_per_deployment_of_all,
                address.quota,
                address.services.join(", ")
            );
        }
        for line in self.unreadable.iter().chain(&self.unknown) {
            let _ = writeln!(text, "not known: {line}");
        }
        text
    }
}

fn service(text: &mut String, exposed: &Exposed) {
    let _ = writeln!(text, "\n{}/{} ({})", exposed.cluster, exposed.service, exposed.task_definition);
    for image in &exposed.images {
        let _ = writeln!(text, "  {}: {}{}", image.container, image.reference, notes(image));
    }
    let _ = writeln!(
        text,
        "  pulls at most: {} by one deployment, {} by one failing launch",
        exposed.pulls_per_deployment, exposed.pulls_per_failing_launch
    );
    if let Some(launches) = exposed.failing_launches_to_empty_quota {
        let _ = writeln!(text, "  {launches} failing launches empty the quota of its address");
    }
}

fn notes(image: &AuditedImage) -> String {
    let mut notes = Vec::new();
    for (applies, word) in
        [(image.official, "official"), (image.pinned, "pinned"), (image.has_credentials, "with credentials")]
    {
        if applies {
            notes.push(word);
        }
    }
    match &image.mirror {
        Some(Mirrored::Held { .. }) => notes.push("mirrored"),
        Some(Mirrored::Missing) => notes.push("not mirrored"),
        None => {}
    }
    if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join(", "))
    }
}
