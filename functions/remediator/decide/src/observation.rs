//! What a look at the world found: the facts that plans are made of.
//!
//! Every lookup may also have failed. `Unknown` is not `Absent`: a guard that needs the fact declines and says what it
//! could not find out.

use std::collections::BTreeMap;

use super::service::Service;
use pullsafe::lookup::{Lookup, ResolvedImage, Storage};
use pullsafe::reference::{Digest, Reference};
use pullsafe::stack::StackStatus;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::limit::LimitAhead;
use pullsafe_incident::plan::Suspended;

/// A Docker Hub image of a task definition, everywhere it could be pulled from.
#[derive(Debug, Clone, PartialEq)]
pub struct DockerHubImage {
    /// The image as the task definition has it.
    pub written: String,
    /// The same, parsed.
    pub reference: Reference,
    /// What it means at Docker Hub right now (a HEAD, which spends no quota).
    pub hub: Lookup<ResolvedImage>,
    /// How many pulls Docker Hub leaves to the address that asked, and of how many.
    pub left: Option<(u64, u64)>,
    /// The digest that this service last ran, where a task shows one.
    pub last_run: Lookup<Digest>,
    /// The copy in the private mirror: where it would be, and what is there.
    pub mirror: Option<(Reference, Lookup<ResolvedImage>)>,
    /// The copy at ECR Public, for official images.
    pub public: Option<(Reference, Lookup<ResolvedImage>)>,
}

/// The state of the CloudFormation stack that a service belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    pub name: String,
    pub status: StackStatus,
}

/// The service's target in Application Auto Scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalingTarget {
    /// What is suspended.
    pub suspended: Suspended,
    /// The least and the most tasks. Autoscaling moves a count that lies outside.
    pub bounds: (i64, i64),
}

/// Everything that was looked up for one plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    pub service: Lookup<Service>,
    /// The task definition that the failed task ran, or that the service uses now.
    pub task_definition: Lookup<TaskDefinition>,
    /// Its Docker Hub images.
    pub hub_images: Vec<DockerHubImage>,
    /// Per mirror repository: whether the execution role may pull from it.
    pub role_may_pull: BTreeMap<String, Lookup<bool>>,
    /// What becomes of Docker Hub's limit, where a probe reads it for the address of the service's tasks.
    pub limit: Option<LimitAhead>,
    /// The CloudFormation stack of the service.
    pub stack: Lookup<Stack>,
    /// The service's target in Application Auto Scaling.
    pub scaling: Lookup<ScalingTarget>,
    /// The image whose absence was diagnosed: what its tag means now.
    pub wanted: Lookup<ResolvedImage>,
    /// The image that could not be pulled: its digest, and where ECR keeps it.
    pub kept: Lookup<(Digest, Storage)>,
}

impl Observation {
    /// Whether something could not be found out that another look may settle: for a short while after a denial, for
    /// longer after a failure that passes. `age_seconds` is the time since the cause was first seen.
    pub fn is_worth_another_look(&self, age_seconds: i64) -> bool {
        let places = self.hub_images.iter().flat_map(|image| [&image.mirror, &image.public]).flatten();
        let alone = [
            self.service.patience_seconds(),
            self.task_definition.patience_seconds(),
            self.stack.patience_seconds(),
            self.scaling.patience_seconds(),
            self.wanted.patience_seconds(),
            self.kept.patience_seconds(),
        ];
        let roles = self.role_may_pull.values().map(Lookup::patience_seconds);
        let images = self.hub_images.iter().map(|image| image.hub.patience_seconds());
        let copies = places.into_iter().map(|(_, copy)| copy.patience_seconds());
        alone.into_iter().chain(roles).chain(images).chain(copies).any(|patience| age_seconds < patience)
    }
}

impl Default for Observation {
    fn default() -> Self {
        Self {
            service: Lookup::not_asked(),
            task_definition: Lookup::not_asked(),
            hub_images: Vec::new(),
            role_may_pull: BTreeMap::new(),
            limit: None,
            stack: Lookup::not_asked(),
            scaling: Lookup::not_asked(),
            wanted: Lookup::not_asked(),
            kept: Lookup::not_asked(),
        }
    }
}
