//! What an incident has in common with others, so that they are told as one story ([`crate::outbreak`]).

use serde::{Deserialize, Serialize};

use super::incident::Incident;
use pullsafe::reference::{Reference, Registry};
use pullsafe_diagnosis::cause::{Cause, Diagnosis, Kind};
use pullsafe_radar::Source;

/// What the incidents of an outbreak have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Common {
    pub cause: Cause,
    /// The kind of the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The registry: its name, or its host where there are many of its kind.
    pub place: String,
    /// The address whose pulls Docker Hub counts, if the cause is its quota and a probe has read the address: each
    /// address has a quota of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Common {
    /// Returns what a diagnosis has in common with others; `None` where its cause does not lie with a registry.
    /// `source` is the address from which the tasks pull, where it is known.
    pub fn of(diagnosis: &Diagnosis, source: Option<&Source>) -> Option<Self> {
        let registry = diagnosis.registry.filter(|_| diagnosis.cause.is_at_registry())?;
        let host = match registry {
            Registry::DockerHub | Registry::EcrPublic | Registry::Ghcr | Registry::Quay => None,
            Registry::EcrPrivate | Registry::EcrPrivateApi | Registry::Gitlab | Registry::Proxy | Registry::Other => {
                let image = diagnosis.image.as_deref().and_then(|image| image.parse::<Reference>().ok());
                image.map(|image| image.registry().to_owned())
            }
        };
        Some(Self {
            cause: diagnosis.cause,
            kind: diagnosis.kind,
            place: host.unwrap_or_else(|| registry.as_str().to_owned()),
            source: source.filter(|_| is_of_an_address(diagnosis)).cloned(),
        })
    }

    /// Returns the key under which the table knows it.
    pub fn key(&self) -> String {
        let kind = self.kind.map(|kind| format!("/{kind}")).unwrap_or_default();
        let source = self.source.clone().map(|source| format!("/{}", String::from(source))).unwrap_or_default();
        format!("{}{kind}@{}{source}", self.cause, self.place)
    }
}

/// Whether the cause is the quota of an address. A pull with credentials counts for their account, wherever it comes
/// from.
pub fn is_of_an_address(diagnosis: &Diagnosis) -> bool {
    diagnosis.docker_hub_quota() && diagnosis.anonymous != Some(false)
}

impl std::fmt::Display for Common {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
        let source = self.source.as_ref().map(|source| format!(" for {source}")).unwrap_or_default();
        write!(formatter, "{}{kind} at {}{source}", self.cause, self.place)
    }
}

/// What it takes to tell a message together with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joins {
    /// What its incident has in common with others.
    pub common: Common,
    /// The incident's id.
    pub incident: String,
    /// The outbreak that the incident belongs to already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_of: Option<String>,
}

impl Joins {
    /// Returns it by the current blocker of an incident; `None` where that has nothing in common with others.
    pub fn of(incident: &Incident) -> Option<Self> {
        let common = Common::of(&incident.blocker()?.diagnosis, incident.source.as_ref())?;
        Some(Self {
            common,
            incident: incident.id.clone(),
            member_of: incident.outbreak.clone(),
        })
    }
}
