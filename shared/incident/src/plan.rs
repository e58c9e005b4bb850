//! Plans: what is to be done, specific enough that nothing is left to decide while acting, and what was declined.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::waiting::WaitingFor;
use pullsafe::arn::ServiceId;
use pullsafe::reference::{Digest, Reference};
use pullsafe_diagnosis::cause::RemedyName;

/// A remedy that was considered and not chosen, with every reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declined {
    /// The remedy.
    pub remedy: RemedyName,
    /// Every guard that held it back, as a sentence for a person.
    pub reasons: Vec<String>,
}

/// What to do: a remedy and its steps, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub remedy: RemedyName,
    /// What becomes of the service, in a word or two that complete "it was ...".
    pub result: String,
    /// One sentence that says what is done and why, for people.
    pub summary: String,
    /// The steps, in order. Each may be repeated: it looks first, and says `already done`.
    pub steps: Vec<Step>,
    /// What the incident waits for once the steps are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then_wait_for: Option<WaitingFor>,
    /// What a person should change so that the next deployment does not undo this.
    pub follow_up: String,
}

/// One image that is replaced by its copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMove {
    /// The image as the task definition has it.
    pub from: String,
    /// The image as the clone of the definition has it.
    pub to: String,
    /// The digest of both images.
    pub digest: Digest,
}

/// One call that changes something outside, with all it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Writes tags on the service, so that its state can be seen and undone there.
    TagService {
        service: ServiceId,
        /// The tags to write, by their keys.
        tags: BTreeMap<String, String>,
    },
    /// Removes tags from the service.
    UntagService {
        service: ServiceId,
        /// The tags' keys.
        keys: Vec<String>,
    },
    /// Sets which activities of Application Auto Scaling are suspended.
    SetScaling {
        service: ServiceId,
        /// What is suspended afterwards.
        suspended: Suspended,
        /// What must be suspended before the step. Anything else means that a person has changed it, and their setting
        /// stays.
        expected: Suspended,
    },
    /// Sets the desired count, if it still is what it was when the plan was made.
    SetDesiredCount {
        service: ServiceId,
        /// The count when the plan was made.
        from: i64,
        /// The count to set.
        to: i64,
        /// Also force a new deployment, which resolves the tags again.
        force: bool,
    },
    /// Registers a clone of the service's task definition with other images and moves the service to it, if the
    /// service still uses the definition that was cloned.
    MoveService {
        service: ServiceId,
        /// The task definition that the service uses now.
        from: String,
        /// The request that registers the clone.
        request: Value,
        /// The images that differ; none where only a new revision is wanted.
        moves: Vec<ImageMove>,
    },
    /// Forces a new deployment, if the deployment that failed is still the newest.
    ForceNewDeployment {
        service: ServiceId,
        /// The deployment that failed.
        deployment: String,
    },
    /// Brings an image back from ECR's archive, if it is still there.
    RestoreImage {
        /// The service that needs the image.
        service: ServiceId,
        /// The image, by its digest.
        image: Reference,
    },
    /// Asks the mirror for an image.
    AskMirror {
        /// The image at Docker Hub.
        source: Reference,
        /// Where the copy is wanted.
        target: Reference,
        requested_by: String,
    },
}

/// Which activities of Application Auto Scaling are suspended (`SuspendedState`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspended {
    pub scale_in: bool,
    pub scale_out: bool,
    /// Scheduled actions.
    pub scheduled: bool,
}

impl Suspended {
    /// Everything suspended.
    pub const ALL: Self = Self { scale_in: true, scale_out: true, scheduled: true };

    /// Reads what [`std::fmt::Display`] writes; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut state = Self::default();
        let mut words = 0;
        for word in text.split_whitespace() {
            let (key, value) = word.split_once('=')?;
            let value: bool = value.parse().ok()?;
            match key {
                "in" => state.scale_in = value,
                "out" => state.scale_out = value,
                "scheduled" => state.scheduled = value,
                _ => return None,
            }
            words += 1;
        }
        (words == 3).then_some(state)
    }
}

impl std::fmt::Display for Suspended {
    /// Writes a form that fits into the value of a tag, whose characters AWS limits.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "in={} out={} scheduled={}", self.scale_in, self.scale_out, self.scheduled)
    }
}

impl Plan {
    /// Whether it sets a service's desired count to 0.
    pub fn is_pause(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::SetDesiredCount { to: 0, .. }))
    }

    /// Drops what was needed only to carry it out. Of the clone of a task definition, only the containers whose images
    /// moved stay, because a report shows them.
    pub fn slim(&mut self) {
        for step in &mut self.steps {
            let Step::MoveService { request, moves, .. } = step else {
                continue;
            };
            let containers = request["containerDefinitions"].as_array().into_iter().flatten();
            let moved = containers.filter(|container| moves.iter().any(|image| container["image"] == image.to));
            let kept: Vec<Value> =
                moved.map(|container| json!({ "name": container["name"], "image": container["image"] })).collect();
            *request = json!({ "containerDefinitions": kept });
        }
    }

    /// Returns the remedy and the kinds of its steps. People are told once of plans with the same key.
    pub fn key(&self) -> String {
        let steps: Vec<_> = self.steps.iter().map(Step::kind).collect();
        format!("{}/{}", self.remedy, steps.join("+"))
    }
}

impl Step {
    const fn kind(&self) -> &'static str {
        match self {
            Self::TagService { .. } => "tag",
            Self::UntagService { .. } => "untag",
            Self::SetScaling { .. } => "scaling",
            Self::SetDesiredCount { .. } => "count",
            Self::MoveService { .. } => "move",
            Self::ForceNewDeployment { .. } => "force",
            Self::RestoreImage { .. } => "unarchive",
            Self::AskMirror { .. } => "ask",
        }
    }

    /// Returns the service that the step is for; `None` where it is for no service in particular.
    pub const fn service(&self) -> Option<&ServiceId> {
        match self {
            Self::TagService { service, .. }
            | Self::UntagService { service, .. }
            | Self::SetScaling { service, .. }
            | Self::SetDesiredCount { service, .. }
            | Self::MoveService { service, .. }
            | Self::ForceNewDeployment { service, .. }
            | Self::RestoreImage { service, .. } => Some(service),
            Self::AskMirror { .. } => None,
        }
    }

    /// Describes the step in one line for people.
    pub fn describe(&self) -> String {
        match self {
            Self::TagService { service, tags } => {
                let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("tag service {service} with {}", tags.join(", "))
            }
            Self::UntagService { service, keys } => {
                format!("remove the tags {} from service {service}", keys.join(", "))
            }
            Self::SetScaling { service, suspended, .. } => {
                format!("set the suspended state of autoscaling of {service} to {suspended}")
            }
            Self::SetDesiredCount { service, from, to, force } => {
                let force = if *force { " and force a new deployment" } else { "" };
                format!("set the desired count of {service} from {from} to {to}{force}")
            }
            Self::MoveService { service, from, moves, .. } if moves.is_empty() => {
                format!(
                    "register {} again as it is and move service {service} to it",
                    from.rsplit('/').next().unwrap_or(from)
                )
            }
            Self::MoveService { service, from, moves, .. } => {
                let moves: Vec<_> = moves.iter().map(|image| format!("{} -> {}", image.from, image.to)).collect();
                format!(
                    "clone {} with {} and move service {service} to it",
                    from.rsplit('/').next().unwrap_or(from),
                    moves.join(", ")
                )
            }
            Self::ForceNewDeployment { service, .. } => format!("force a new deployment of {service}"),
            Self::RestoreImage { image, .. } => format!("bring {image} back from ECR's archive"),
            Self::AskMirror { source, target, .. } => format!("ask the mirror to copy {source} to {target}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suspended_state_survives_a_tag() {
        for state in [Suspended::default(), Suspended::ALL, Suspended { scale_out: true, ..Suspended::default() }] {
            assert_eq!(Suspended::parse(&state.to_string()), Some(state));
        }
        assert_eq!(Suspended::parse("in=true"), None);
        assert_eq!(Suspended::parse("in=true out=maybe scheduled=false"), None);
    }
}
