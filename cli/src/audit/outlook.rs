//! What will go wrong with the images of what runs, found by the same look that the remediator takes once a day. It
//! only reads.

use aws_config::SdkConfig;
use pullsafe::clock;
use pullsafe::settings::{MIRROR_PREFIX, MIRROR_REGISTRY, MODE, QUEUE, Settings, TABLE, TOPIC};
use pullsafe_aws::Failure;
use pullsafe_incident::outlook::Outlook;
use pullsafe_registry::Client;
use remediator::Remediator;
use remediator::aws::running::Running;

/// Every outlook, and what could not be looked at.
#[derive(Debug, Default)]
pub(super) struct OutlooksFound {
    pub(super) outlooks: Vec<Outlook>,
    pub(super) unknown: Vec<String>,
}

/// Looks at everything that runs on these clusters, or on all clusters of the region.
pub(super) async fn look(
    config: &SdkConfig,
    registry: Client,
    clusters: &[String],
    mirror: Option<(&str, &str)>,
) -> Result<OutlooksFound, Failure> {
    let read = |name: &str| match name {
        name if name == MODE.name => Some("observe".to_owned()),
        // A mere look remembers, tells and queues nothing.
        name if [TABLE.name, TOPIC.name, QUEUE.name].contains(&name) => Some("none".to_owned()),
        name if name == MIRROR_REGISTRY.name => mirror.map(|(host, _)| host.to_owned()),
        name if name == MIRROR_PREFIX.name => mirror.map(|(_, prefix)| prefix.to_owned()),
        _ => None,
    };
    let settings = Settings::read(read).map_err(|faults| Failure::unexpected("the settings", format!("{faults:?}")))?;
    let clock = clock::system();
    let remediator = Remediator::new(settings, config, registry, clock.clone());
    let running = Running::new(config);
    let clusters = chosen(&running, clusters).await?;
    let launchers = running.launchers(&clusters, clock()).await;
    let mut found = OutlooksFound::default();
    found.unknown.extend(launchers.unread.iter().map(ToString::to_string));
    for (subject, definition) in launchers.found {
        match remediator.outlook_of(&subject, definition.as_deref(), clock()).await {
            Ok(outlook) => found.outlooks.extend(outlook),
            Err(failure) => found.unknown.push(format!("{subject}: {failure}")),
        }
    }
    found.unknown.extend(found.outlooks.iter().flat_map(|outlook| outlook.unknown.clone()));
    Ok(found)
}

/// Returns the ARNs of these clusters, or of all. A name that the region does not have stays as it is, so that ECS
/// reports it.
async fn chosen(running: &Running, clusters: &[String]) -> Result<Vec<String>, Failure> {
    if !clusters.is_empty() && clusters.iter().all(|cluster| cluster.starts_with("arn:")) {
        return Ok(clusters.to_vec());
    }
    let all = running.clusters().await?;
    let arn = |name: &String| all.iter().find(|arn| arn.rsplit('/').next() == Some(name)).unwrap_or(name).clone();
    Ok(if clusters.is_empty() {
        all.clone()
    } else {
        clusters.iter().map(arn).collect()
    })
}
