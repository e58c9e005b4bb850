//! What an account's ECS runs in one region: clusters, services, their task definitions, tasks on their own. Read only,
//! page by page.
//!
//! Nothing is left out in silence: what could not be read is named, so that whoever may act only on a complete look can
//! tell.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{ContainerDefinition, Service, SortOrder, TaskDefinitionStatus};

use crate::decide::InUse;
use pullsafe_aws::failure::Failure;

/// Services that DescribeServices takes at once.
const SERVICES_AT_ONCE: usize = 10;
/// Tasks that DescribeTasks takes at once.
const TASKS_AT_ONCE: usize = 100;
/// Task definitions that one look reads at most. An account with more is not looked at completely, and that is said.
const MOST_DEFINITIONS: usize = 3000;

/// ECS in one region.
#[derive(Debug, Clone)]
pub struct EcsInventory(Client);

/// The images that ECS uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsedImages {
    /// Each image and what uses it.
    pub used: Vec<InUse>,
    /// What could not be looked at, and why.
    pub unknown: Vec<String>,
}

/// How far to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InventoryScope {
    /// The services: what they run, and what they are being moved to.
    Services,
    /// Also tasks that belong to no service, and the newest revision of every family, which a schedule or a person may
    /// start.
    Everything,
}

impl EcsInventory {
    /// ECS through this client.
    pub const fn new(client: Client) -> Self {
        Self(client)
    }

    /// ECS by this configuration.
    pub fn of(config: &aws_config::SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// All clusters.
    ///
    /// # Errors
    /// The call failed.
    pub async fn clusters(&self) -> Result<Vec<String>, Failure> {
        let pages = self.0.list_clusters().into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(|error| Failure::of("ecs:ListClusters", &error))
    }

    /// The services of a cluster. One that is gone by the time it is described is left out, as it would be a moment
    /// later.
    ///
    /// # Errors
    /// A call failed.
    pub async fn services(&self, cluster: &str) -> Result<Vec<Service>, Failure> {
        let pages = self.0.list_services().cluster(cluster).into_paginator().items().send();
        let arns = pages
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(|error| Failure::of("ecs:ListServices", &error))?;
        let mut services = Vec::new();
        for some in arns.chunks(SERVICES_AT_ONCE) {
            let request = self.0.describe_services().cluster(cluster).set_services(Some(some.to_vec()));
            let answer = request.send().await.map_err(|error| Failure::of("ecs:DescribeServices", &error))?;
            complete("ecs:DescribeServices", answer.failures())?;
            services.extend(answer.services.unwrap_or_default());
        }
        Ok(services)
    }

    /// The containers of a task definition.
    ///
    /// # Errors
    /// The call failed.
    pub async fn containers(&self, definition: &str) -> Result<Vec<ContainerDefinition>, Failure> {
        let request = self.0.describe_task_definition().task_definition(definition);
        let answer = request.send().await.map_err(|error| Failure::of("ecs:DescribeTaskDefinition", &error))?;
        Ok(answer.task_definition.and_then(|definition| definition.container_definitions).unwrap_or_default())
    }

    /// The images that ECS uses, each with everything that uses it.
    pub async fn images(&self, reach: InventoryScope) -> UsedImages {
        let mut unknown = Vec::new();
        let mut used = BTreeSet::new();
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let clusters = self.clusters().await.unwrap_or_else(|failure| {
            unknown.push(failure.to_string());
            Vec::new()
        });
        for cluster in &clusters {
            match self.services(cluster).await {
                Ok(services) => {
                    for service in &services {
                        let name = format!("{}/{}", last_part(cluster), service.service_name().unwrap_or_default());
                        for definition in definitions_of(service) {
                            users.entry(definition).or_default().insert(name.clone());
                        }
                    }
                }
                Err(failure) => unknown.push(format!("cluster {}: {failure}", last_part(cluster))),
            }
            if reach == InventoryScope::Everything {
                match self.tasks(cluster).await {
                    Ok(images) => used.extend(images),
                    Err(failure) => unknown.push(format!("cluster {}: {failure}", last_part(cluster))),
                }
            }
        }
        if reach == InventoryScope::Everything {
            match self.newest_definitions().await {
                Ok(definitions) => {
                    for definition in definitions {
                        let name = format!("family {}", last_part(&definition));
                        users.entry(definition).or_default().insert(name);
                    }
                }
                Err(failure) => unknown.push(failure.to_string()),
            }
        }
        if users.len() > MOST_DEFINITIONS {
            unknown.push(format!("{} task definitions are in use, of which {MOST_DEFINITIONS} were read", users.len()));
        }
        for (definition, users) in users.into_iter().take(MOST_DEFINITIONS) {
            match self.containers(&definition).await {
                Ok(containers) => {
                    let images = containers.iter().filter_map(ContainerDefinition::image);
                    used.extend(
                        images
                            .flat_map(|image| users.iter().map(|by| InUse { image: image.to_owned(), by: by.clone() })),
                    );
                }
                Err(failure) => unknown.push(format!("task definition {}: {failure}", last_part(&definition))),
            }
        }
        UsedImages { used: used.into_iter().collect(), unknown }
    }

    /// What the tasks of a cluster run, by tag and by the digest that they pulled.
    async fn tasks(&self, cluster: &str) -> Result<Vec<InUse>, Failure> {
        let pages = self.0.list_tasks().cluster(cluster).into_paginator().items().send();
        let arns = pages.collect::<Result<Vec<_>, _>>().await.map_err(|error| Failure::of("ecs:ListTasks", &error))?;
        let mut used = Vec::new();
        for some in arns.chunks(TASKS_AT_ONCE) {
            let request = self.0.describe_tasks().cluster(cluster).set_tasks(Some(some.to_vec()));
            let answer = request.send().await.map_err(|error| Failure::of("ecs:DescribeTasks", &error))?;
            complete("ecs:DescribeTasks", answer.failures())?;
            for task in answer.tasks() {
                let by = format!("{}/{}", last_part(cluster), task.group().unwrap_or_default());
                for container in task.containers() {
                    let Some(image) = container.image() else { continue };
                    used.push(InUse { image: image.to_owned(), by: by.clone() });
                    if let (Some(digest), false) = (container.image_digest(), image.contains('@')) {
                        used.push(InUse { image: format!("{image}@{digest}"), by: by.clone() });
                    }
                }
            }
        }
        Ok(used)
    }

    /// The newest active revision of every family.
    async fn newest_definitions(&self) -> Result<Vec<String>, Failure> {
        let request = self.0.list_task_definitions().status(TaskDefinitionStatus::Active).sort(SortOrder::Asc);
        let mut newest: BTreeMap<String, (u64, String)> = BTreeMap::new();
        let mut pages = request.into_paginator().items().send();
        while let Some(arn) = pages.next().await {
            let arn = arn.map_err(|error| Failure::of("ecs:ListTaskDefinitions", &error))?;
            let Some((family, revision)) = arn.rsplit_once(':') else {
                continue;
            };
            let revision = revision.parse().unwrap_or_default();
            let known = newest.entry(family.to_owned()).or_insert_with(|| (revision, arn.clone()));
            if revision >= known.0 {
                *known = (revision, arn);
            }
        }
        Ok(newest.into_values().map(|(_, arn)| arn).collect())
    }
}

/// Whether an answer has everything that was asked for, but for what is gone by now.
fn complete(call: &'static str, failures: &[aws_sdk_ecs::types::Failure]) -> Result<(), Failure> {
    let other = failures.iter().find(|failure| failure.reason() != Some("MISSING"));
    let why = |failure: &aws_sdk_ecs::types::Failure| {
        format!("{}: {}", failure.arn().unwrap_or_default(), failure.reason().unwrap_or_default())
    };
    other.map_or(Ok(()), |failure| Err(Failure::unexpected(call, why(failure))))
}

/// The task definitions of a service: of every deployment, and of the task sets of an external controller.
pub fn definitions_of(service: &Service) -> Vec<String> {
    let own = service.task_definition().into_iter();
    let deployments = service.deployments().iter().filter_map(|deployment| deployment.task_definition());
    let sets = service.task_sets().iter().filter_map(|set| set.task_definition());
    let all: BTreeSet<String> = own.chain(deployments).chain(sets).map(str::to_owned).collect();
    all.into_iter().collect()
}

/// The name at the end of an ARN.
pub fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
