//! Knows the address at which a registry's API answers.
//!
//! A reference names a registry by its host, and the API usually answers there over https. Docker Hub answers
//! elsewhere, loopback hosts use plain http, and for local runs any host can be mapped to another address.

use std::collections::BTreeMap;
use std::str::FromStr;

use pullsafe::reference::DOCKER_HUB;
pub use pullsafe::reference::is_loopback;

/// The environment variable that maps registry hosts to addresses.
pub const VARIABLE: &str = "PULLSAFE_REGISTRY_ENDPOINTS";

/// The addresses of registries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    mapped: BTreeMap<String, String>,
}

/// A mapping that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE}: `{entry}` {why}; write host=url, separated by commas, such as docker.io=http://127.0.0.1:5001")]
pub struct InvalidEndpoints {
    entry: String,
    why: &'static str,
}

impl FromStr for Endpoints {
    type Err = InvalidEndpoints;

    /// Reads `host=url,host=url`; an empty text maps nothing.
    fn from_str(text: &str) -> Result<Self, InvalidEndpoints> {
        let mut mapped = BTreeMap::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let fail = |why| Err(InvalidEndpoints { entry: entry.to_owned(), why });
            let Some((host, url)) = entry.split_once('=') else {
                return fail("has no `=`");
            };
            let (host, url) = (host.trim().to_ascii_lowercase(), url.trim().trim_end_matches('/'));
            if host.is_empty() || host.contains('/') {
                return fail("does not start with a host");
            }
            let Some((scheme, authority)) = url.split_once("://") else {
                return fail("maps to no URL");
            };
            if !matches!(scheme, "http" | "https") {
                return fail("maps to a URL of another scheme than http or https");
            }
            if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
                return fail("maps to more than scheme, host and port");
            }
            if mapped.insert(host, url.to_owned()).is_some() {
                return fail("maps a host for the second time");
            }
        }
        Ok(Self { mapped })
    }
}

impl Endpoints {
    /// Returns the address of a registry's API, without a slash at its end.
    pub fn of(&self, registry: &str) -> String {
        if let Some(url) = self.mapped.get(registry) {
            return url.clone();
        }
        if registry == DOCKER_HUB {
            return "https://registry-1.docker.io".to_owned();
        }
        let scheme = if is_loopback(registry) { "http" } else { "https" };
        format!("{scheme}://{registry}")
    }

    /// Whether this registry is mapped to an address other than its own, as in a local run.
    pub fn is_mapped(&self, registry: &str) -> bool {
        self.mapped.contains_key(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_answers_at_its_host_unless_mapped() {
        let endpoints: Endpoints =
            "docker.io=http://127.0.0.1:5001/, ghcr.io=https://proxy.example:8443".parse().unwrap();
        for (registry, address) in [
            ("docker.io", "http://127.0.0.1:5001"),
            ("ghcr.io", "https://proxy.example:8443"),
            ("public.ecr.aws", "https://public.ecr.aws"),
            ("localhost:5000", "http://localhost:5000"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("localhost.example", "https://localhost.example"),
        ] {
            assert_eq!(endpoints.of(registry), address);
        }
        assert_eq!(Endpoints::default().of("docker.io"), "https://registry-1.docker.io");
        assert!(endpoints.is_mapped("docker.io") && !endpoints.is_mapped("quay.io"));
    }

    #[test]
    fn a_bad_mapping_is_an_error_that_shows_it() {
        for (text, why) in [
            ("docker.io", "has no `=`"),
            ("=http://a", "does not start with a host"),
            ("a=b", "maps to no URL"),
            ("a=ftp://b", "another scheme"),
            ("a=http://b/c", "more than scheme"),
            ("a=http://u@b", "more than scheme"),
            ("a=http://b,a=http://c", "second time"),
        ] {
            let error = text.parse::<Endpoints>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!("".parse::<Endpoints>().unwrap(), Endpoints::default());
    }
}
