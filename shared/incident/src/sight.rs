//! The pages of the console that a message links to: the service, the task that stopped, its log at that time.

use serde::{Deserialize, Serialize};

use super::incident::CauseSeen;
use pullsafe::arn::ServiceId;
use pullsafe::console::Console;
use pullsafe::notice::ConsoleLink;
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::cause::LogRead;
use pullsafe_events::Subject;

/// What a message links to besides its subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// The task that stopped, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The task's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogRead>,
    /// When the task stopped.
    pub at: Timestamp,
}

impl Sight {
    /// Returns what a cause leaves to look at: its latest task, and that task's log.
    pub fn of(seen: &CauseSeen) -> Self {
        Self {
            task: seen.task.clone(),
            log: seen.diagnosis.log.clone(),
            at: seen.last_at,
        }
    }
}

/// Returns links to the console's pages of a subject, and of the task and log in `sight`.
pub fn links(subject: &Subject, sight: Option<&Sight>) -> Vec<ConsoleLink> {
    let (cluster, service) = match subject {
        Subject::Service(service) => (service.cluster_arn.as_str(), Some(service)),
        Subject::Family { cluster_arn, .. } => (cluster_arn.as_str(), None),
        Subject::Project { .. } => return Vec::new(),
    };
    let Some(console) = Console::of_arn(cluster) else {
        return Vec::new();
    };
    let name = ServiceId { cluster_arn: cluster.to_owned(), name: String::new() };
    let task = sight.and_then(|sight| sight.task.as_deref()).map(|task| console.task(name.cluster(), task));
    let log = sight.and_then(|sight| {
        let log = sight.log.as_ref()?;
        Some(console.clone().in_region(log.region.as_deref())?.log(&log.group, &log.stream, sight.at))
    });
    let service = service.map(|service| console.service(service));
    let named = [("service", service), ("task", task), ("log", log)];
    named
        .into_iter()
        .filter_map(|(name, url)| Some(ConsoleLink { name: name.to_owned(), url: url? }))
        .collect()
}
