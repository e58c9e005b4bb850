//! Events: read once, at the edge, into types that cannot hold an invalid one.
//!
//! An event is a hint to look. It says where to look and why; whatever is acted upon is looked up again. An event that
//! is not understood is an outcome with a reason, never a failure.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod answer;
pub mod arrival;
mod author;
mod codebuild;
mod ecr;
mod ecs;
mod envelope;
pub mod hook;
pub mod stopped_task;
pub mod task_definition;

use crate::arrival::Arrival;
use crate::hook::HookWaits;
use crate::stopped_task::StoppedTask;
use pullsafe::arn::ServiceId;
use pullsafe::mirror_job::ImageMirrored;
use pullsafe::timestamp::Timestamp;
use pullsafe_radar::Probed;

pub use author::Author;
pub use envelope::{QueueRecord, parse, records};

/// What an event is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    TaskStopped(Box<TaskStopped>),
    /// A deployment of a service began, ended or failed, or the service reported a change of its own.
    ServiceChanged(ServiceChanged),
    /// A deployment waits at a hook before its first task.
    HookWaits(HookWaits),
    /// An image appeared in ECR.
    ImageArrived(Arrival),
    /// The mirror has copied an image of Docker Hub.
    ImageMirrored(ImageMirrored),
    BuildFailed(Box<BuildFailed>),
    /// Look at everything that is open.
    Sweep,
    /// Look at one thing that is open.
    Look(Subject),
    /// Look for services with the tags of a pause, in case nobody remembers it.
    FindPaused,
    /// A service with the tags of a pause was found.
    Paused(Subject),
    /// Look for what runs, to see what will go wrong with it.
    FindOutlooks,
    /// See what will go wrong with this subject. The text is the task definition that a schedule starts, for a
    /// scheduled task.
    LookOut(Subject, Option<String>),
    /// Tell people what is known to go wrong.
    TellOutlooks,
    /// A probe has read how many pulls Docker Hub grants.
    QuotaRead(Probed),
    /// Move a service before the limit that it shares ends.
    MoveAhead(Subject),
    /// A person has mended what an act was refused for.
    TryAgain(Subject),
    /// Play a stop of this service, and tell what would become of it.
    Drill(ServiceId),
    /// Tell in one message which messages of an author were held back since this moment, in seconds since 1970.
    Summary(Author, i64),
    /// Nothing to do, and why.
    Ignored(String),
}

/// What an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A service of ECS.
    Service(ServiceId),
    /// Tasks that belong to no service: the cluster's ARN and the family.
    Family {
        cluster_arn: String,
        /// The task definition's family, or the group that the tasks were started with.
        family: String,
    },
    /// A CodeBuild project, by the ARN prefix of its builds.
    Project {
        /// Region and account, as in the build's ARN.
        scope: String,
        name: String,
    },
}

impl Subject {
    /// Returns the key under which the table knows it.
    pub fn key(&self) -> String {
        match self {
            Self::Service(service) => service.arn(),
            Self::Family { cluster_arn, family } => format!("{cluster_arn}#family/{family}"),
            Self::Project { scope, name } => format!("{scope}#project/{name}"),
        }
    }
}

impl Subject {
    /// Whether a person means it by this text: its name, its cluster and name, or its ARN in the old or the new form.
    pub fn is_called(&self, text: &str) -> bool {
        let (name, place) = match self {
            Self::Service(service) => (&service.name, service.cluster()),
            Self::Family { cluster_arn, family } => (family, cluster_arn.rsplit('/').next().unwrap_or_default()),
            Self::Project { name, .. } => (name, "project"),
        };
        let key = self.key();
        // The old form of a service's ARN does not name the cluster.
        let short = || key.strip_suffix(&format!("{place}/{name}")).map(|head| format!("{head}{name}"));
        text == name || text == key || text.split_once('/') == Some((place, name)) || short().as_deref() == Some(text)
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(service) => service.fmt(formatter),
            Self::Family { cluster_arn, family } => {
                write!(formatter, "{}/{family} (no service)", cluster_arn.rsplit('/').next().unwrap_or_default())
            }
            Self::Project { name, .. } => write!(formatter, "build project {name}"),
        }
    }
}

/// A task that stopped, and what it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskStopped {
    /// The service or family it belongs to.
    pub subject: Subject,
    pub task: StoppedTask,
}

impl TaskStopped {
    /// Returns the subject of a task that belongs to no service: the group that it was started with, or its family.
    pub fn of_no_service(task: &StoppedTask) -> Subject {
        let group = task.group.as_deref().filter(|group| !group.starts_with("service:"));
        let group = group.map(|group| group.strip_prefix("family:").unwrap_or(group));
        let family = group.unwrap_or_else(|| stopped_task::family(&task.task_definition_arn));
        Subject::Family {
            cluster_arn: task.cluster_arn.clone(),
            family: family.to_owned(),
        }
    }
}

/// Which change a service reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceChange {
    /// A deployment began.
    DeploymentStarted,
    /// A deployment ended well, or the service is steady.
    Settled,
    /// A deployment failed, or tasks fail to start.
    Trouble,
    /// Its tasks fail to start again and again; ECS repeats this.
    Impaired,
    /// Tasks cannot even be launched.
    Unplaceable,
}

/// A change that a service reports of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceChanged {
    pub service: ServiceId,
    pub change: ServiceChange,
    /// The event's own name, such as `SERVICE_DEPLOYMENT_FAILED`.
    pub name: String,
    /// The event's reason, if it has one.
    pub reason: String,
    pub at: Timestamp,
}

/// A build that failed, as the event of CodeBuild shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildFailed {
    pub project: Subject,
    /// The build's ARN.
    pub build: String,
    /// The event's detail, with the phases and their contexts.
    pub detail: serde_json::Value,
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_called_by_its_name_or_arn() {
        let cluster_arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod".to_owned();
        let service = Subject::Service(ServiceId { cluster_arn: cluster_arn.clone(), name: "web".to_owned() });
        for text in [
            "web",
            "prod/web",
            "arn:aws:ecs:eu-west-1:123456789012:service/prod/web",
            "arn:aws:ecs:eu-west-1:123456789012:service/web",
        ] {
            assert!(service.is_called(text), "{text}");
        }
        for text in ["", "we", "prod", "test/web", "arn:aws:ecs:us-east-1:123456789012:service/prod/web", "prod/web/x"]
        {
            assert!(!service.is_called(text), "{text}");
        }
        assert!(Subject::Family { cluster_arn, family: "batch".to_owned() }.is_called("prod/batch"));
        assert!(
            Subject::Project {
                scope: "arn:aws:codebuild:eu-west-1:1".to_owned(),
                name: "app".to_owned()
            }
            .is_called("app")
        );
    }
}
