//! Registries: each is one row of [`ROWS`], with everything that is known about it in advance.

use serde::{Deserialize, Serialize};

use crate::ecr::ecr_host;

/// Who runs a registry, as far as its host tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registry {
    /// Docker Hub (`docker.io`).
    #[serde(rename = "dockerhub")]
    DockerHub,
    /// Amazon ECR Public (`public.ecr.aws`).
    EcrPublic,
    /// A private registry of Amazon ECR: the data plane, which serves images.
    EcrPrivate,
    /// The API of Amazon ECR (`GetAuthorizationToken` and so on), as against its data plane.
    EcrPrivateApi,
    /// GitHub Container Registry.
    Ghcr,
    /// Red Hat Quay.
    Quay,
    /// A GitLab container registry.
    Gitlab,
    /// A proxy or cache in front of another registry (Artifactory, Nexus, Harbor, an ECR pull-through cache).
    Proxy,
    /// Any other registry.
    Other,
}

/// What a request does: the kinds that registries limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// HEAD or GET of a manifest.
    ReadManifest,
    /// PUT of a manifest: ECR's `PutImage`.
    WriteManifest,
    /// HEAD or GET of a blob.
    ReadBlob,
    /// POST for an upload: ECR's `InitiateLayerUpload`.
    OpenUpload,
    /// PUT of a blob: ECR's `CompleteLayerUpload`.
    WriteBlob,
}

/// Which limit a 429 enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Docker Hub's pull quota: it can take hours until it allows another pull.
    PullQuota,
    /// Docker Hub's protection against bursts: it lasts about a minute.
    Burst,
    /// The limit of Docker Hub's web API: it lasts up to a minute.
    HubApi,
    /// ECR Public's rate of pulls: it lasts a second.
    EcrPublicRate,
    /// ECR Public's monthly amount of data for an address that has not signed in.
    EcrPublicData,
    /// The rate of one action of private ECR: it lasts a second.
    Ecr,
    /// A limit of another registry.
    Other,
}

impl Limit {
    /// Tells the limits apart, by the registry's row. `remaining` is what the answer says is left of the quota.
    pub fn of_429(registry: &str, answer: TooManyRequests<'_>) -> Self {
        (row_of(registry).limit)(TooManyRequests { text: &answer.text.to_ascii_lowercase(), ..answer })
    }

    /// Whether the limit lasts longer than one run can wait.
    pub const fn lasts(self) -> bool {
        match self {
            Self::PullQuota | Self::EcrPublicData => true,
            Self::Burst | Self::HubApi | Self::EcrPublicRate | Self::Ecr | Self::Other => false,
        }
    }
}

/// An answer with the status 429.
#[derive(Debug, Clone, Copy)]
pub struct TooManyRequests<'a> {
    /// Whether a manifest was asked for by GET, which is all that a pull quota counts.
    pub is_manifest_get: bool,
    /// What the answer says is left of the quota.
    pub remaining: Option<u64>,
    /// Its text; in lower case where a registry's row reads it.
    pub text: &'a str,
}

/// Docker Hub's quota for callers that have not signed in, as Docker publishes it. Where an answer's headers name a
/// quota, that one counts.
pub mod pull_quota {
    /// Pulls in a window.
    pub const ANONYMOUS: u32 = 100;
    /// The length of the window.
    pub const WINDOW_SECONDS: u64 = 6 * 3600;
}

/// What a host looks like.
#[derive(Debug, Clone, Copy)]
pub enum HostPattern {
    /// The host is exactly this one.
    Is(&'static str),
    /// The host contains this text: for registries that run under many names.
    Has(&'static str),
    /// This function recognises the host.
    Matches(fn(&str) -> bool),
}

impl HostPattern {
    fn fits(self, host: &str) -> bool {
        match self {
            Self::Is(name) => host == name,
            Self::Has(part) => host.contains(part),
            Self::Matches(matches) => matches(host),
        }
    }
}

/// Everything that is known about a registry in advance.
#[derive(Debug)]
pub struct RegistryRow {
    /// Who runs it.
    pub kind: Registry,
    /// Its hosts.
    pub hosts: &'static [HostPattern],
    /// The hosts of its token service. Empty where they are not known: then the registry's own answer names the host.
    pub token_hosts: &'static [&'static str],
    /// The rates that it publishes, in requests a second.
    pub rates: &'static [(RequestKind, f64)],
    /// Which limit its 429 enforces.
    pub limit: fn(TooManyRequests<'_>) -> Limit,
    /// Where it publishes Docker's official images, as the first part of their repositories; `None` if it does not.
    pub official: Option<&'static str>,
    /// Whether its pulls are limited or counted. If so, another place that has the same image is asked first.
    pub counts_pulls: bool,
}

impl RegistryRow {
    const PLAIN: Self = Self {
        kind: Registry::Other,
        hosts: &[],
        token_hosts: &[],
        rates: &[],
        limit: |_| Limit::Other,
        official: None,
        counts_pulls: false,
    };
}

/// Every registry. The first row that fits a host counts: exact names, then forms, then parts of names, then all the
/// rest.
///
/// Sources: Docker's documentation of pull limits and its authentication; the service quotas of ECR and ECR Public; 429
/// answers seen in the field.
pub const ROWS: &[RegistryRow] = &[
    RegistryRow {
        kind: Registry::DockerHub,
        hosts: &[
            HostPattern::Is("docker.io"),
            HostPattern::Is("index.docker.io"),
            HostPattern::Is("registry-1.docker.io"),
            HostPattern::Is("registry.hub.docker.com"),
            HostPattern::Is("auth.docker.io"),
            HostPattern::Is("production.cloudflare.docker.com"),
        ],
        token_hosts: &["auth.docker.io"],
        limit: |refusal| {
            // The texts about the quota vary, but all contain "pull rate limit".
            let quota =
                refusal.text.contains("pull rate limit") || refusal.is_manifest_get && refusal.remaining == Some(0);
            if quota { Limit::PullQuota } else { Limit::Burst }
        },
        counts_pulls: true,
        ..RegistryRow::PLAIN
    },
    // Docker Hub's web API is no registry, and has a limiter of its own.
    RegistryRow {
        hosts: &[HostPattern::Is("hub.docker.com")],
        limit: |_| Limit::HubApi,
        ..RegistryRow::PLAIN
    },
    RegistryRow {
        kind: Registry::EcrPublic,
        hosts: &[HostPattern::Is("public.ecr.aws"), HostPattern::Is("ecr-public.aws.com")],
        token_hosts: &["public.ecr.aws", "ecr-public.aws.com"],
        // Anonymous callers outside AWS get only one a second; each 429 slows the client down, as far as that.
        rates: &[(RequestKind::ReadManifest, 10.0)],
        limit: |refusal| {
            if refusal.text.contains("data limit") {
                Limit::EcrPublicData
            } else {
                Limit::EcrPublicRate
            }
        },
        official: Some("docker/"),
        counts_pulls: true,
    },
    // Google's cache of Docker Hub.
    RegistryRow {
        hosts: &[HostPattern::Is("mirror.gcr.io")],
        kind: Registry::Proxy,
        official: Some(""),
        ..RegistryRow::PLAIN
    },
    RegistryRow {
        kind: Registry::Ghcr,
        hosts: &[HostPattern::Is("ghcr.io")],
        token_hosts: &["ghcr.io"],
        counts_pulls: true,
        ..RegistryRow::PLAIN
    },
    RegistryRow {
        kind: Registry::Quay,
        hosts: &[HostPattern::Is("quay.io")],
        token_hosts: &["quay.io"],
        counts_pulls: true,
        ..RegistryRow::PLAIN
    },
    RegistryRow {
        kind: Registry::Gitlab,
        hosts: &[HostPattern::Is("registry.gitlab.com")],
        token_hosts: &["gitlab.com"],
        counts_pulls: true,
        ..RegistryRow::PLAIN
    },
    RegistryRow {
        kind: Registry::EcrPrivate,
        hosts: &[HostPattern::Matches(|host| ecr_host(host).is_some())],
        rates: &[
            (RequestKind::WriteManifest, 10.0),
            (RequestKind::OpenUpload, 100.0),
            (RequestKind::WriteBlob, 100.0),
            (RequestKind::ReadManifest, 2000.0),
            (RequestKind::ReadBlob, 1000.0),
        ],
        limit: |_| Limit::Ecr,
        ..RegistryRow::PLAIN
    },
    RegistryRow {
        kind: Registry::EcrPrivateApi,
        hosts: &[HostPattern::Matches(|host| {
            host.starts_with("api.ecr.") || host.starts_with("ecr.") && host.contains(".amazonaws.com")
        })],
        limit: |_| Limit::Ecr,
        ..RegistryRow::PLAIN
    },
    RegistryRow {
        kind: Registry::Gitlab,
        hosts: &[HostPattern::Has("gitlab")],
        counts_pulls: true,
        ..RegistryRow::PLAIN
    },
    RegistryRow {
        kind: Registry::Proxy,
        hosts: &[
            HostPattern::Has("artifactory"),
            HostPattern::Has("jfrog"),
            HostPattern::Has("nexus"),
            HostPattern::Has("harbor"),
            HostPattern::Has("proxy"),
            HostPattern::Has("mirror"),
            HostPattern::Has("cache"),
        ],
        ..RegistryRow::PLAIN
    },
    RegistryRow { hosts: &[HostPattern::Has("")], ..RegistryRow::PLAIN },
];

/// The row of the registry at a host. The host's port and case do not matter.
pub fn row_of(host: &str) -> &'static RegistryRow {
    let host = host.to_ascii_lowercase();
    let name = host.split(':').next().unwrap_or_default();
    ROWS.iter().find(|row| row.hosts.iter().any(|host| host.fits(name))).unwrap_or(&RegistryRow::PLAIN)
}

impl Registry {
    /// Which registry a host is.
    pub fn of_host(host: &str) -> Self {
        row_of(host).kind
    }

    /// The name used in output (`dockerhub`, `ecr-public`, ...).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DockerHub => "dockerhub",
            Self::EcrPublic => "ecr-public",
            Self::EcrPrivate => "ecr-private",
            Self::EcrPrivateApi => "ecr-private-api",
            Self::Ghcr => "ghcr",
            Self::Quay => "quay",
            Self::Gitlab => "gitlab",
            Self::Proxy => "proxy",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_and_every_host_finds_one() {
        let kinds = [
            Registry::DockerHub,
            Registry::EcrPublic,
            Registry::EcrPrivate,
            Registry::EcrPrivateApi,
            Registry::Ghcr,
            Registry::Quay,
            Registry::Gitlab,
            Registry::Proxy,
            Registry::Other,
        ];
        for kind in kinds {
            assert!(ROWS.iter().any(|row| row.kind == kind), "{}", kind.as_str());
        }
        assert_eq!(row_of("registry.example:5000").kind, Registry::Other);
        assert_eq!(row_of("DOCKER.io").kind, Registry::DockerHub);
        assert_eq!(row_of("123456789012.dkr.ecr.evil.example.amazonaws.com").kind, Registry::Other);
    }
}
