//! Who can cause messages by the thousand: whoever may start tasks or builds, or write tags. New names cost them
//! nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Subject;

/// Somebody whose messages are limited together, whatever they are about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Author {
    /// Whoever runs tasks that belong to no service in a cluster, and chooses their groups: the cluster's ARN.
    Tasks(String),
    /// Whoever starts builds: region and account, as in a build's ARN.
    Builds(String),
    /// Whoever writes the tags of a pause onto services.
    Marks,
}

impl Author {
    /// Returns who causes the messages about a subject, if its name can be made up; `None` for a service, which has to
    /// be created first.
    pub fn of(subject: &Subject) -> Option<Self> {
        match subject {
            Subject::Service(_) => None,
            Subject::Family { cluster_arn, .. } => Some(Self::Tasks(cluster_arn.clone())),
            Subject::Project { scope, .. } => Some(Self::Builds(scope.clone())),
        }
    }

    /// Returns the key under which the table knows this author.
    pub fn key(&self) -> String {
        match self {
            Self::Tasks(cluster) => format!("tasks#{cluster}"),
            Self::Builds(scope) => format!("builds#{scope}"),
            Self::Marks => "marks".to_owned(),
        }
    }
}

impl fmt::Display for Author {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tasks(cluster) => {
                write!(formatter, "{}, tasks of no service", cluster.rsplit('/').next().unwrap_or_default())
            }
            Self::Builds(_) => formatter.write_str("builds"),
            Self::Marks => formatter.write_str("services with the tags of a pause"),
        }
    }
}
