//! What will go wrong with the images of what runs, by the same look that the remediator takes once a day. Read only.

use aws_config::SdkConfig;
use pullsafe::clock;
use pullsafe::settings::{MIRROR_PREFIX, MIRROR_REGISTRY, MODE, QUEUE, Settings, TABLE, TOPIC};
use pullsafe_aws::Failure;
use pullsafe_events::Subject;
use pullsafe_incident::outlook::Outlook;
use pullsafe_registry::Client;
use remediator::Remediator;
use remediator::aws::running::Running;

/// Every outlook, and what could not be looked at.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) outlooks: Vec<Outlook>,
    pub(super) unknown: Vec<String>,
}

/// Looks at everything that runs on these clusters, or on all of the region.
pub(super) async fn look(
    config: &SdkConfig,
    registry: Client,
    clusters: &[String],
    mirror: Option<(&str, &str)>,
) -> Result<Found, Failure> {
    let read = |name: &str| match name {
        name if name == MODE.name => Some("observe".to_owned()),
        // Nothing is remembered, told or queued by a look alone.
        name if [TABLE.name, TOPIC.name, QUEUE.name].contains(&name) => Some("none".to_owned()),
        name if name == MIRROR_REGISTRY.name => mirror.map(|(host, _)| host.to_owned()),
        name if name == MIRROR_PREFIX.name => mirror.map(|(_, prefix)| prefix.to_owned()),
        _ => None,
    };
    let settings = Settings::read(read).map_err(|faults| Failure::unexpected("the settings", format!("{faults:?}")))?;
    let clock = clock::system();
    let remediator = Remediator::new(settings, config, registry, clock.clone());
    let running = Running::new(config);
    let clusters = if clusters.is_empty() { running.clusters().await? } else { clusters.to_vec() };
    let mut found = Found::default();
    for cluster in &clusters {
        let mut subjects: Vec<(Subject, Option<String>)> = Vec::new();
        match running.services(cluster).await {
            Ok(services) => subjects.extend(services.into_iter().map(|id| (Subject::Service(id), None))),
            Err(failure) => found.unknown.push(format!("cluster {cluster}: {failure}")),
        }
        match running.scheduled(cluster).await {
            Ok(tasks) => subjects.extend(tasks.into_iter().map(|task| {
                let subject = Subject::Family { cluster_arn: cluster.clone(), family: task.rule };
                (subject, Some(task.definition))
            })),
            Err(failure) => found.unknown.push(format!("what is started on {cluster} on a schedule: {failure}")),
        }
        for (subject, definition) in subjects {
            match remediator.outlook_of(&subject, definition.as_deref(), clock()).await {
                Ok(outlook) => found.outlooks.extend(outlook),
                Err(failure) => found.unknown.push(format!("{subject}: {failure}")),
            }
        }
    }
    found.unknown.extend(found.outlooks.iter().flat_map(|outlook| outlook.unknown.clone()));
    Ok(found)
}
