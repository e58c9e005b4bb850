//! Takes the inventory of an account, from ECS and ECR. It only reads; what cannot be looked up is named in the
//! inventory.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::{Region, SdkConfig};
use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::Service as EcsService;
use mirror::aws::inventory::{EcsInventory as Ecs, last_part};
use pullsafe::reference::{Reference, ecr_host};
use pullsafe::settings;
use pullsafe_aws::Failure;
use pullsafe_scan::audit::{AccountInventory, AuditedContainer, AuditedService, Mirrored};

/// The most images that one BatchGetImage call takes.
const IMAGES_AT_ONCE: usize = 100;

/// Where the copies are.
#[derive(Debug)]
pub(super) struct MirrorAccount {
    account: String,
    region: String,
    /// The mirror's host, and the prefix of its repositories.
    pub(super) place: settings::MirrorLocation,
}

impl MirrorAccount {
    /// A mirror in a private ECR registry.
    pub(super) fn new(host: &str, prefix: &str) -> Result<Self, String> {
        let registry = ecr_host(host).ok_or_else(|| {
            format!("`{host}` is not a registry of Amazon ECR, so that what it holds cannot be looked up")
        })?;
        Ok(Self {
            account: registry.account.to_owned(),
            region: registry.region.to_owned(),
            place: settings::MirrorLocation {
                registry: host.to_owned(),
                prefix: prefix.trim_matches('/').to_owned(),
            },
        })
    }
}

/// Takes the inventory of the account and region of the AWS configuration.
pub(super) async fn take(
    config: &SdkConfig,
    clusters: &[String],
    mirror: Option<&MirrorAccount>,
) -> Result<AccountInventory, Failure> {
    let ecs = Ecs::of(config);
    let mut inventory = AccountInventory {
        region: config.region().map(ToString::to_string).unwrap_or_default(),
        ..AccountInventory::default()
    };
    let clusters = if clusters.is_empty() { ecs.clusters().await? } else { clusters.to_vec() };
    let mut definitions: BTreeMap<String, Vec<AuditedContainer>> = BTreeMap::new();
    for cluster in &clusters {
        match ecs.services(cluster).await {
            Ok(services) => {
                for service in services {
                    add(&ecs, &mut inventory, &mut definitions, cluster, &service).await;
                }
            }
            Err(failure) => inventory.unknown.push(format!("cluster {cluster}: {failure}")),
        }
    }
    if let Some(mirror) = mirror {
        look_at_mirror(config, mirror, &mut inventory).await;
    }
    Ok(inventory)
}

async fn add(
    ecs: &Ecs,
    inventory: &mut AccountInventory,
    definitions: &mut BTreeMap<String, Vec<AuditedContainer>>,
    cluster: &str,
    service: &EcsService,
) {
    let name = service.service_name().unwrap_or_default();
    // A service with an external controller has its definition in its task sets.
    let Some(definition) = service
        .task_definition()
        .or_else(|| service.task_sets().first().and_then(|set| set.task_definition()))
    else {
        inventory.unknown.push(format!("service {name}: it names no task definition"));
        return;
    };
    if inventory.account.is_empty() {
        inventory.account = definition.split(':').nth(4).unwrap_or_default().to_owned();
    }
    if !definitions.contains_key(definition) {
        match containers_of(ecs, definition).await {
            Ok(containers) => {
                definitions.insert(definition.to_owned(), containers);
            }
            Err(failure) => {
                inventory.unknown.push(format!("service {name}: {failure}"));
                return;
            }
        }
    }
    let subnets = service
        .network_configuration()
        .and_then(|network| network.awsvpc_configuration())
        .map(|network| network.subnets());
    inventory.services.push(AuditedService {
        cluster: last_part(cluster).to_owned(),
        name: name.to_owned(),
        desired_count: u32::try_from(service.desired_count()).unwrap_or_default(),
        task_definition: last_part(definition).to_owned(),
        containers: definitions.get(definition).cloned().unwrap_or_default(),
        subnets: subnets.unwrap_or_default().iter().cloned().collect(),
    });
}

async fn containers_of(ecs: &Ecs, definition: &str) -> Result<Vec<AuditedContainer>, Failure> {
    let containers = ecs.containers(definition).await?;
    Ok(containers
        .iter()
        .map(|container| AuditedContainer {
            name: container.name().unwrap_or_default().to_owned(),
            image: container.image().unwrap_or_default().to_owned(),
            has_credentials: container.repository_credentials().is_some(),
        })
        .collect())
}

/// Asks the mirror for every Docker Hub image of the inventory, a hundred at a time.
async fn look_at_mirror(config: &SdkConfig, mirror: &MirrorAccount, inventory: &mut AccountInventory) {
    let settings = aws_sdk_ecr::config::Builder::from(config).region(Region::new(mirror.region.clone())).build();
    let ecr = aws_sdk_ecr::Client::from_conf(settings);
    let mut wanted: BTreeMap<String, BTreeSet<Reference>> = BTreeMap::new();
    for container in inventory.services.iter().flat_map(|service| &service.containers) {
        if let Ok(reference) = container.image.parse::<Reference>()
            && reference.is_docker_hub()
        {
            wanted.entry(reference.repository().to_owned()).or_default().insert(reference);
        }
    }
    for (repository, references) in wanted {
        let references: Vec<Reference> = references.into_iter().collect();
        for some in references.chunks(IMAGES_AT_ONCE) {
            match held(&ecr, mirror, &repository, some).await {
                Ok(found) => inventory.mirror.extend(found),
                Err(failure) => inventory.unknown.push(format!("mirror of {repository}: {failure}")),
            }
        }
    }
}

async fn held(
    ecr: &aws_sdk_ecr::Client,
    mirror: &MirrorAccount,
    repository: &str,
    references: &[Reference],
) -> Result<Vec<(String, Mirrored)>, Failure> {
    let prefix = &mirror.place.prefix;
    let name = if prefix.is_empty() {
        repository.to_owned()
    } else {
        format!("{prefix}/{repository}")
    };
    let identifiers = references.iter().map(|reference| match reference.digest() {
        Some(digest) => ImageIdentifier::builder().image_digest(digest.as_str()).build(),
        None => ImageIdentifier::builder().image_tag(reference.tag_or_digest()).build(),
    });
    let answer = ecr
        .batch_get_image()
        .registry_id(&mirror.account)
        .repository_name(name)
        .set_image_ids(Some(identifiers.collect()))
        .send()
        .await;
    let images = match answer {
        Ok(answer) => answer.images.unwrap_or_default(),
        // A repository that does not exist yet holds nothing.
        Err(error) if error.as_service_error().is_some_and(|error| error.is_repository_not_found_exception()) => {
            Vec::new()
        }
        Err(error) => return Err(Failure::of("ecr:BatchGetImage", &error)),
    };
    let state = |reference: &Reference| {
        let found = images.iter().filter_map(|image| image.image_id()).find(|id| match reference.digest() {
            Some(digest) => id.image_digest() == Some(digest.as_str()),
            None => id.image_tag() == Some(reference.tag_or_digest()),
        });
        found
            .map_or(Mirrored::Missing, |id| Mirrored::Held { digest: id.image_digest().unwrap_or_default().to_owned() })
    };
    Ok(references.iter().map(|reference| (reference.to_string(), state(reference))).collect())
}
