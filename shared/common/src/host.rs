//! Whose registry a host is.

use serde::{Deserialize, Serialize};

/// Who runs a registry, as far as its host tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registry {
    /// Docker Hub (`docker.io`).
    #[serde(rename = "dockerhub")]
    DockerHub,
    /// Amazon ECR Public (`public.ecr.aws`).
    EcrPublic,
    /// A private registry of Amazon ECR, its image data plane.
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

impl Registry {
    /// Which registry a host is.
    pub fn of_host(host: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let name = host.split(':').next().unwrap_or_default();
        match name {
            "docker.io"
            | "index.docker.io"
            | "registry-1.docker.io"
            | "registry.hub.docker.com"
            | "auth.docker.io"
            | "production.cloudflare.docker.com" => Self::DockerHub,
            "public.ecr.aws" | "ecr-public.aws.com" => Self::EcrPublic,
            "ghcr.io" => Self::Ghcr,
            "quay.io" => Self::Quay,
            _ if ecr_host(name).is_some() => Self::EcrPrivate,
            _ if name.starts_with("api.ecr.") || name.starts_with("ecr.") && name.contains(".amazonaws.com") => Self::EcrPrivateApi,
            _ if name.contains("gitlab") => Self::Gitlab,
            _ if ["artifactory", "jfrog", "nexus", "harbor", "proxy", "mirror", "cache"].iter().any(|word| name.contains(word)) => {
                Self::Proxy
            }
            _ => Self::Other,
        }
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

/// Account and region of a private ECR host, in any of its forms (plain, FIPS, dual-stack, China).
pub fn ecr_host(host: &str) -> Option<EcrHost<'_>> {
    let (account, rest) = host.split_once('.')?;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest = rest
        .strip_prefix("dkr.ecr.")
        .or_else(|| rest.strip_prefix("dkr.ecr-fips."))
        .or_else(|| rest.strip_prefix("dkr-ecr."))
        .or_else(|| rest.strip_prefix("dkr-ecr-fips."))?;
    let region = rest
        .strip_suffix(".amazonaws.com")
        .or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
        .or_else(|| rest.strip_suffix(".on.aws"))
        .or_else(|| rest.strip_suffix(".on.amazonwebservices.com.cn"))?;
    Some(EcrHost { account, region })
}

/// Whose private ECR registry a host is, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcrHost<'a> {
    /// The twelve digits of the account, which is also ECR's `registryId`.
    pub account: &'a str,
    /// The region, such as `eu-west-1`.
    pub region: &'a str,
}
