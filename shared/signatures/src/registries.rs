//! What registries say: one row for each registry, with the hosts that it answers from, the words of its own errors,
//! and what its 429 means.
//!
//! The codes of the OCI Distribution specification hold for all registries ([`CODES`]); a row adds what only this
//! registry says. To add a registry's vocabulary, add one row.

use pullsafe::reference::Registry;

/// What a registry means by its error, whatever its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorMeaning {
    /// No credentials, or wrong ones.
    Unauthorized,
    /// The credentials are valid, but may not do this.
    Denied,
    /// The repository does not exist.
    NameUnknown,
    /// The manifest, by tag or by digest, does not exist.
    ManifestUnknown,
    /// The manifest exists, but one of its parts does not.
    BlobUnknown,
    /// The bytes or the manifest are not what they claim to be.
    Invalid,
    /// The registry does not know this kind of artifact.
    Unsupported,
    /// Too many requests.
    TooManyRequests,
    /// The registry failed.
    ServerError,
    /// The image exists, and a rule of the registry keeps it from being pulled.
    Blocked,
    /// The image exists, in a storage class from which it must be restored first.
    Archived,
}

/// A word of a registry's error, and what it means. Case does not matter.
pub type ErrorWord = (&'static str, ErrorMeaning);

/// The error codes of the OCI Distribution specification, and how Docker and containerd write them out.
pub static CODES: &[ErrorWord] = &[
    ("toomanyrequests", ErrorMeaning::TooManyRequests),
    ("too many requests", ErrorMeaning::TooManyRequests),
    ("manifest_blob_unknown", ErrorMeaning::BlobUnknown),
    ("manifest blob unknown", ErrorMeaning::BlobUnknown),
    ("manifest_unknown", ErrorMeaning::ManifestUnknown),
    ("manifest unknown", ErrorMeaning::ManifestUnknown),
    ("manifest_unverified", ErrorMeaning::Invalid),
    ("manifest_invalid", ErrorMeaning::Invalid),
    ("manifest invalid", ErrorMeaning::Invalid),
    ("name_unknown", ErrorMeaning::NameUnknown),
    ("name unknown", ErrorMeaning::NameUnknown),
    ("name_invalid", ErrorMeaning::NameUnknown),
    ("blob_unknown", ErrorMeaning::BlobUnknown),
    ("blob unknown", ErrorMeaning::BlobUnknown),
    ("digest_invalid", ErrorMeaning::Invalid),
    ("size_invalid", ErrorMeaning::Invalid),
    ("unauthorized", ErrorMeaning::Unauthorized),
    ("authentication required", ErrorMeaning::Unauthorized),
    ("denied", ErrorMeaning::Denied),
    ("forbidden", ErrorMeaning::Denied),
    ("unsupported", ErrorMeaning::Unsupported),
    ("unavailable", ErrorMeaning::ServerError),
    ("internal_error", ErrorMeaning::ServerError),
];

/// One registry's own vocabulary.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// The name that people use for it.
    pub name: &'static str,
    /// The registry, by its name in the contract.
    pub registry: Registry,
    /// The hosts that it answers from: a whole host, or the end of one, which begins with a dot. Content hosts are
    /// among them.
    pub hosts: &'static [&'static str],
    /// What only this registry says.
    pub codes: &'static [ErrorWord],
    /// What its 429 means, for a person.
    pub limit: &'static str,
}

/// The registries that are known by their hosts. The first row that fits decides.
pub static VOCABULARIES: &[Vocabulary] = &[
    Vocabulary {
        name: "Docker Hub",
        registry: Registry::DockerHub,
        hosts: &[
            "docker.io",
            ".docker.io",
            "registry.hub.docker.com",
            "hub.docker.com",
            "production.cloudflare.docker.com",
            ".cloudflare.docker.com",
            "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
            "dseasb33srnrn.cloudfront.net",
            "d2iks1dkcwqcbx.cloudfront.net",
        ],
        codes: &[
            ("incorrect username or password", ErrorMeaning::Unauthorized),
            ("insufficient_scope", ErrorMeaning::Denied),
            ("access to the resource is denied", ErrorMeaning::Denied),
            ("hap429", ErrorMeaning::TooManyRequests),
            ("email must be verified", ErrorMeaning::Denied),
            ("personal access token is expired", ErrorMeaning::Unauthorized),
        ],
        limit: "the pull quota of the address or account, or the abuse limit on bursts; only the registry's own words \
            tell which",
    },
    Vocabulary {
        name: "Amazon ECR Public",
        registry: Registry::EcrPublic,
        hosts: &[
            "public.ecr.aws",
            "ecr-public.aws.com",
            ".ecr-public.aws.com",
            "d5l0dvt14r5h8.cloudfront.net",
            "d2glxqk2uabbnd.cloudfront.net",
        ],
        codes: &[
            ("rate exceeded", ErrorMeaning::TooManyRequests),
            ("your authorization token has expired", ErrorMeaning::Unauthorized),
        ],
        limit: "one pull a second for each anonymous address, ten for an account",
    },
    Vocabulary {
        name: "Amazon ECR",
        registry: Registry::EcrPrivate,
        hosts: &[],
        codes: &[
            ("rate exceeded", ErrorMeaning::TooManyRequests),
            ("throttlingexception", ErrorMeaning::TooManyRequests),
            ("requested image not found", ErrorMeaning::ManifestUnknown),
            ("repositorynotfoundexception", ErrorMeaning::NameUnknown),
            ("imagenotfoundexception", ErrorMeaning::ManifestUnknown),
            ("layersnotfoundexception", ErrorMeaning::BlobUnknown),
            ("layerinaccessibleexception", ErrorMeaning::BlobUnknown),
            ("your authorization token has expired", ErrorMeaning::Unauthorized),
            ("no basic auth credentials", ErrorMeaning::Unauthorized),
            ("imagearchivedexception", ErrorMeaning::Archived),
            ("image is archived", ErrorMeaning::Archived),
            ("storage class archive", ErrorMeaning::Archived),
            ("upstreamimagenotfound", ErrorMeaning::ManifestUnknown),
        ],
        limit: "the pull rate of the account in this region, a quota that can be raised",
    },
    Vocabulary {
        name: "GitHub Container Registry",
        registry: Registry::Ghcr,
        hosts: &["ghcr.io", ".ghcr.io", "docker.pkg.github.com", "pkg-containers.githubusercontent.com"],
        codes: &[
            ("permission_denied", ErrorMeaning::Denied),
            ("does not match expected scopes", ErrorMeaning::Denied),
            ("unauthenticated", ErrorMeaning::Unauthorized),
        ],
        limit: "a limit on requests a minute; it says how many and when to come back",
    },
    Vocabulary {
        name: "Quay",
        registry: Registry::Quay,
        hosts: &["quay.io", ".quay.io"],
        codes: &[
            ("access to the requested resource is not authorized", ErrorMeaning::Unauthorized),
            ("invalid_auth_token", ErrorMeaning::Unauthorized),
        ],
        limit: "a limit on requests a second for each address",
    },
    Vocabulary {
        name: "GitLab",
        registry: Registry::Gitlab,
        hosts: &["registry.gitlab.com", ".gitlab.com", ".registry.gitlab-static.net"],
        codes: &[
            ("http basic: access denied", ErrorMeaning::Unauthorized),
            ("access forbidden", ErrorMeaning::Denied),
        ],
        limit: "the instance's limit on requests of an address or user",
    },
    Vocabulary {
        name: "Azure Container Registry",
        registry: Registry::Other,
        hosts: &[".azurecr.io", ".azurecr.cn", ".azurecr.us"],
        codes: &[
            ("client with ip", ErrorMeaning::Denied),
            ("is not allowed access", ErrorMeaning::Denied),
            ("connect_unauthorized", ErrorMeaning::Unauthorized),
            ("tag_unknown", ErrorMeaning::ManifestUnknown),
            ("registry is disabled", ErrorMeaning::Denied),
            ("aad authentication failed", ErrorMeaning::Unauthorized),
        ],
        limit: "the read operations a minute of the registry's tier",
    },
    Vocabulary {
        name: "Microsoft's registry",
        registry: Registry::Other,
        hosts: &["mcr.microsoft.com", ".data.mcr.microsoft.com", ".cdn.mscr.io", ".mcr.microsoft.com"],
        codes: &[("manifest tagged by", ErrorMeaning::ManifestUnknown)],
        limit: "a limit on bursts from one address",
    },
    Vocabulary {
        name: "Google's registries",
        registry: Registry::Other,
        hosts: &["gcr.io", ".gcr.io", ".pkg.dev", "registry.k8s.io", "k8s.gcr.io"],
        codes: &[
            ("permission \"artifactregistry", ErrorMeaning::Denied),
            ("permission 'artifactregistry", ErrorMeaning::Denied),
            ("unauthenticated request", ErrorMeaning::Unauthorized),
            ("failed to fetch \"", ErrorMeaning::ManifestUnknown),
            ("quota exceeded for quota metric", ErrorMeaning::TooManyRequests),
            ("caller does not have permission", ErrorMeaning::Denied),
            ("does not exist in repository", ErrorMeaning::ManifestUnknown),
            ("container registry is deprecated", ErrorMeaning::Denied),
        ],
        limit: "the project's quota of requests a minute",
    },
    Vocabulary {
        name: "JFrog Artifactory",
        registry: Registry::Proxy,
        hosts: &[".jfrog.io"],
        codes: &[
            ("the named manifest is not known to the registry", ErrorMeaning::ManifestUnknown),
            ("unable to find docker repository", ErrorMeaning::NameUnknown),
            ("download blocked", ErrorMeaning::Blocked),
            ("blocked by xray", ErrorMeaning::Blocked),
            ("blocked by policy", ErrorMeaning::Blocked),
            ("bad props auth token", ErrorMeaning::Unauthorized),
            ("forbidden request", ErrorMeaning::Denied),
            ("the requested resource requires authentication", ErrorMeaning::Unauthorized),
        ],
        limit: "its own limit, or the one of the registry behind it, which it repeats",
    },
    Vocabulary {
        name: "Harbor",
        registry: Registry::Proxy,
        hosts: &[],
        codes: &[
            ("current image with", ErrorMeaning::Blocked),
            ("projectpolicyviolation", ErrorMeaning::Blocked),
            ("cannot be pulled due to configured policy", ErrorMeaning::Blocked),
            ("the image is not signed", ErrorMeaning::Blocked),
            ("project not found", ErrorMeaning::NameUnknown),
            ("artifact not found", ErrorMeaning::ManifestUnknown),
            ("unauthorized to access repository", ErrorMeaning::Denied),
        ],
        limit: "the limit of the registry behind its proxy cache",
    },
    Vocabulary {
        name: "Sonatype Nexus",
        registry: Registry::Proxy,
        hosts: &[],
        codes: &[
            ("manifest not found", ErrorMeaning::ManifestUnknown),
            ("access denied by repository firewall", ErrorMeaning::Blocked),
        ],
        limit: "the limit of the registry behind its proxy repository",
    },
    Vocabulary {
        name: "a signature or admission policy on the puller's side",
        registry: Registry::Other,
        hosts: &[],
        codes: &[
            ("source image rejected", ErrorMeaning::Blocked),
            ("signature was required", ErrorMeaning::Blocked),
            ("signature verification failed", ErrorMeaning::Blocked),
            ("no matching signatures", ErrorMeaning::Blocked),
            ("no signatures found", ErrorMeaning::Blocked),
            ("signatures can't be fetched", ErrorMeaning::Blocked),
            ("invalid signature", ErrorMeaning::Blocked),
            ("image verification failed", ErrorMeaning::Blocked),
            ("denied the request", ErrorMeaning::Blocked),
            ("blocked due to the following policies", ErrorMeaning::Blocked),
        ],
        limit: "nothing: it asks no registry",
    },
    Vocabulary {
        name: "NVIDIA NGC",
        registry: Registry::Other,
        hosts: &["nvcr.io", ".nvcr.io", "authn.nvidia.com"],
        codes: &[
            ("payment required", ErrorMeaning::Denied),
            ("access token is not valid", ErrorMeaning::Unauthorized),
        ],
        limit: "a limit on bursts from one address or key",
    },
    Vocabulary {
        name: "Red Hat's registry",
        registry: Registry::Other,
        hosts: &[
            "registry.redhat.io",
            "registry.access.redhat.com",
            "registry.connect.redhat.com",
            ".registry.redhat.io",
        ],
        codes: &[("please login to the red hat registry", ErrorMeaning::Unauthorized)],
        limit: "a limit on bursts from one address",
    },
];

/// Returns the vocabulary of the registry that answers from this host.
pub fn of_host(host: &str) -> Option<&'static Vocabulary> {
    host_in(VOCABULARIES, host)
}

/// Returns the meaning of the words of a part (in lower case), if a registry of the table uses them.
pub(crate) fn meaning_in(table: &[Vocabulary], lower: &str) -> Option<ErrorMeaning> {
    table
        .iter()
        .flat_map(|row| row.codes.iter())
        .find(|(word, _)| lower.contains(word))
        .map(|(_, meaning)| *meaning)
}

fn host_in<'a>(table: &'a [Vocabulary], host: &str) -> Option<&'a Vocabulary> {
    let host = host.split(':').next().unwrap_or_default();
    let fits = |pattern: &str| {
        if pattern.starts_with('.') {
            host.len() > pattern.len()
                && host.get(host.len() - pattern.len()..).is_some_and(|end| end.eq_ignore_ascii_case(pattern))
        } else {
            host.eq_ignore_ascii_case(pattern)
        }
    };
    table.iter().find(|row| row.hosts.iter().any(|pattern| fits(pattern)))
}

/// Returns the vocabulary of a registry by its name in the contract.
pub fn of_registry(registry: Registry) -> Option<&'static Vocabulary> {
    VOCABULARIES.iter().find(|row| row.registry == registry && registry != Registry::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry that the table lacks: its words are understood as soon as its row is added.
    #[test]
    fn adding_a_registrys_vocabulary_is_one_row() {
        let added = Vocabulary {
            name: "Scaleway",
            registry: Registry::Other,
            hosts: &["rg.fr-par.scw.cloud", ".scw.cloud"],
            codes: &[("namespace is locked by its owner", ErrorMeaning::Blocked)],
            limit: "the namespace's limit on requests",
        };
        let said = "the namespace is locked by its owner";
        assert_eq!(of_host("rg.fr-par.scw.cloud").map(|row| row.name), None, "it is not there today");
        assert_eq!(meaning_in(VOCABULARIES, said), None);
        let table = [VOCABULARIES, &[added]].concat();
        assert_eq!(host_in(&table, "rg.fr-par.scw.cloud:443").map(|row| row.name), Some("Scaleway"));
        assert_eq!(meaning_in(&table, said), Some(ErrorMeaning::Blocked));
    }
}
