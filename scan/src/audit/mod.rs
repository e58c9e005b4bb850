//! What runs in an account, and how exposed it is to Docker Hub's pull quota.
//!
//! A pure function over an [`AccountInventory`]: whoever fills that asks AWS. The numbers are estimates from above, and
//! each says what it is: a task on Fargate pulls every image anew, an instance of EC2 may have it in its cache.

mod render;

use std::collections::{BTreeMap, BTreeSet};

use pullsafe::reference::{Reference, Registry, pull_quota};
use serde::Serialize;

/// Anonymous pulls that Docker Hub grants an address in six hours.
pub const ANONYMOUS_QUOTA: u32 = pull_quota::ANONYMOUS;
/// How often ECS tries one image's manifest within one task launch before it gives up.
pub const TRIES_PER_LAUNCH: u32 = 7;

/// What was found in an account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountInventory {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// The active services.
    pub services: Vec<AuditedService>,
    /// What the mirror was asked for, by full Docker Hub reference; what is not there was not asked for.
    pub mirror: BTreeMap<String, Mirrored>,
    /// What could not be looked up, in words.
    pub unknown: Vec<String>,
}

/// A service and its active task definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditedService {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub name: String,
    /// Tasks that one deployment starts.
    pub desired_count: u32,
    /// Family and revision, or ARN.
    pub task_definition: String,
    /// The containers of a task.
    pub containers: Vec<AuditedContainer>,
    /// Subnets of the tasks: services with the same ones share the address that Docker Hub counts by.
    pub subnets: BTreeSet<String>,
}

/// A container of a task definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditedContainer {
    /// Its name.
    pub name: String,
    /// Its image, as the task definition has it.
    pub image: String,
    /// Whether the pull uses `repositoryCredentials`: it counts for their account, not for the address.
    pub has_credentials: bool,
}

/// What the mirror has of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Mirrored {
    /// A copy.
    Held {
        /// Its digest.
        digest: String,
    },
    /// No copy.
    Missing,
}

/// How exposed an account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// Services that were looked at.
    pub services_seen: usize,
    /// Those that pull from Docker Hub, the most exposed first.
    pub exposed: Vec<Exposed>,
    /// Services that share an address, and what a deployment of all of them costs.
    pub addresses: Vec<EgressAddress>,
    /// Task definitions with an image that is no reference.
    pub unreadable: Vec<String>,
    /// What could not be looked up.
    pub unknown: Vec<String>,
}

/// A service that pulls from Docker Hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exposed {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub service: String,
    /// Its task definition.
    pub task_definition: String,
    /// Its Docker Hub images.
    pub images: Vec<AuditedImage>,
    /// Pulls that one deployment costs at most, by address and by credentials.
    pub pulls_per_deployment: u32,
    /// Pulls that one failing task launch costs at most.
    pub pulls_per_failing_launch: u32,
    /// Failing launches after which the address has no anonymous quota left; `None` where all pulls have credentials.
    pub failing_launches_to_empty_quota: Option<u32>,
}

/// A Docker Hub image of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditedImage {
    /// Name of the container.
    pub container: String,
    /// The full reference.
    pub reference: Reference,
    /// Whether it is a Docker Official Image.
    pub official: bool,
    /// Whether a digest fixes it.
    pub pinned: bool,
    /// Whether the pull has credentials.
    pub has_credentials: bool,
    /// What the mirror has; `None` where it was not asked.
    pub mirror: Option<Mirrored>,
}

/// Services behind one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EgressAddress {
    /// The subnets that they have in common; empty where they are not known.
    pub subnets: BTreeSet<String>,
    /// `cluster/service` of each.
    pub services: Vec<String>,
    /// Anonymous pulls that a deployment of all of them costs at most.
    pub pulls_per_deployment_of_all: u32,
    /// The quota that they share.
    pub quota: u32,
}

/// Judges an inventory. `quota` is what the address is granted, [`ANONYMOUS_QUOTA`] unless known better.
pub fn audit(inventory: &AccountInventory, quota: u32) -> Audit {
    let mut unreadable = Vec::new();
    let mut exposed = Vec::new();
    let mut addresses: BTreeMap<&BTreeSet<String>, EgressAddress> = BTreeMap::new();
    for service in &inventory.services {
        let images = hub_images(service, inventory, &mut unreadable);
        if images.is_empty() {
            continue;
        }
        let found = exposure(service, images, quota);
        let anonymous = found.images.iter().filter(|image| !image.has_credentials).count();
        if anonymous > 0 {
            let address = addresses.entry(&service.subnets).or_insert_with(|| EgressAddress {
                subnets: service.subnets.clone(),
                services: Vec::new(),
                pulls_per_deployment_of_all: 0,
                quota,
            });
            address.services.push(format!("{}/{}", service.cluster, service.name));
            address.pulls_per_deployment_of_all =
                address.pulls_per_deployment_of_all.saturating_add(times(service.desired_count, anonymous));
        }
        exposed.push(found);
    }
    exposed.sort_by(|a, b| {
        (b.pulls_per_deployment, &a.cluster, &a.service).cmp(&(a.pulls_per_deployment, &b.cluster, &b.service))
    });
    let mut addresses: Vec<EgressAddress> = addresses.into_values().collect();
    addresses.sort_by(|a, b| {
        b.pulls_per_deployment_of_all
            .cmp(&a.pulls_per_deployment_of_all)
            .then_with(|| a.subnets.cmp(&b.subnets))
    });
    Audit {
        account: inventory.account.clone(),
        region: inventory.region.clone(),
        services_seen: inventory.services.len(),
        exposed,
        addresses,
        unreadable,
        unknown: inventory.unknown.clone(),
    }
}

fn hub_images(
    service: &AuditedService,
    inventory: &AccountInventory,
    unreadable: &mut Vec<String>,
) -> Vec<AuditedImage> {
    let mut images = Vec::new();
    for container in &service.containers {
        match container.image.parse::<Reference>() {
            Ok(reference) if reference.kind() == Registry::DockerHub => images.push(AuditedImage {
                container: container.name.clone(),
                official: reference.is_official(),
                pinned: reference.digest().is_some(),
                has_credentials: container.has_credentials,
                mirror: inventory.mirror.get(&reference.to_string()).cloned(),
                reference,
            }),
            Ok(_) => {}
            Err(error) => {
                unreadable.push(format!("{}: container `{}`: {error}", service.task_definition, container.name))
            }
        }
    }
    images
}

fn exposure(service: &AuditedService, images: Vec<AuditedImage>, quota: u32) -> Exposed {
    let anonymous = images.iter().filter(|image| !image.has_credentials).count();
    // A launch fails at its first image that cannot be pulled; the others may have been pulled before.
    let pulls_per_failing_launch = TRIES_PER_LAUNCH.saturating_add(times(1, images.len().saturating_sub(1)));
    let anonymous_per_failing_launch = TRIES_PER_LAUNCH.saturating_add(times(1, anonymous.saturating_sub(1)));
    Exposed {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        task_definition: service.task_definition.clone(),
        pulls_per_deployment: times(service.desired_count, images.len()),
        pulls_per_failing_launch,
        failing_launches_to_empty_quota: (anonymous > 0).then_some(quota / anonymous_per_failing_launch),
        images,
    }
}

fn times(count: u32, images: usize) -> u32 {
    count.saturating_mul(u32::try_from(images).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
