//! Reading requests: which operation a path names, queries, sources, basic credentials.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// An operation of a registry, by its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Ping,
    Token,
    Manifest {
        repository: &'a str,
        reference: &'a str,
    },
    Blob {
        repository: &'a str,
        digest: &'a str,
    },
    Uploads {
        repository: &'a str,
    },
    Upload {
        repository: &'a str,
        id: &'a str,
    },
    Tags {
        repository: &'a str,
    },
    Referrers {
        repository: &'a str,
        digest: &'a str,
    },
    HubTags {
        namespace: &'a str,
        repository: &'a str,
        tag: Option<&'a str>,
    },
    Unknown,
}

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        if path.trim_end_matches('/') == "/token" {
            return Self::Token;
        }
        let Some(rest) = path.strip_prefix("/v2/") else {
            return if path == "/v2" { Self::Ping } else { Self::Unknown };
        };
        if rest.is_empty() {
            return Self::Ping;
        }
        if let Some(route) = hub_tags(rest) {
            return route;
        }
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Self::Tags { repository };
        }
        if let Some((repository, id)) = rest.rsplit_once("/blobs/uploads") {
            let id = id.trim_start_matches('/');
            return if id.is_empty() {
                Self::Uploads { repository }
            } else {
                Self::Upload { repository, id }
            };
        }
        let Some((front, last)) = rest.rsplit_once('/') else {
            return Self::Unknown;
        };
        match front.rsplit_once('/') {
            Some((repository, "manifests")) => Self::Manifest { repository, reference: last },
            Some((repository, "blobs")) => Self::Blob { repository, digest: last },
            Some((repository, "referrers")) => Self::Referrers { repository, digest: last },
            Some(_) | None => Self::Unknown,
        }
    }

    /// The repository that the operation is on.
    pub(super) fn repository(&self) -> Option<&'a str> {
        match self {
            Self::Manifest { repository, .. }
            | Self::Blob { repository, .. }
            | Self::Uploads { repository }
            | Self::Upload { repository, .. }
            | Self::Tags { repository }
            | Self::Referrers { repository, .. } => Some(repository),
            Self::Ping | Self::Token | Self::HubTags { .. } | Self::Unknown => None,
        }
    }
}

fn hub_tags(rest: &str) -> Option<Route<'_>> {
    let (namespace, rest) = rest.strip_prefix("namespaces/")?.split_once("/repositories/")?;
    let rest = rest.trim_end_matches('/');
    let (repository, tag) = match rest.strip_suffix("/tags") {
        Some(repository) => (repository, None),
        None => rest.split_once("/tags/").map(|(repository, tag)| (repository, Some(tag)))?,
    };
    Some(Route::HubTags { namespace, repository, tag })
}

/// The query of a request, decoded.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }
}

/// Decodes percent-encoding and `+`. Invalid sequences stay as they are.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(code) => {
                plain.push(code);
                at += 3;
            }
            None => {
                plain.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// A header as text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The address that a request came from: the first of `x-forwarded-for`, so that one process can act as several
/// clients.
pub(super) fn source(headers: &HeaderMap) -> String {
    let forwarded = header(headers, "x-forwarded-for").and_then(|list| list.split(',').next()).map(str::trim);
    super::quota::source_of(forwarded.unwrap_or("lambda"))
}

/// User and password of basic authentication, if the request has them.
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = header(headers, AUTHORIZATION.as_str())?.strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_operations() {
        let cases = [
            ("/v2/", Route::Ping),
            ("/token/", Route::Token),
            (
                "/v2/library/python/manifests/3.11",
                Route::Manifest { repository: "library/python", reference: "3.11" },
            ),
            ("/v2/a/blobs/sha256:1", Route::Blob { repository: "a", digest: "sha256:1" }),
            ("/v2/a/b/c/blobs/uploads/", Route::Uploads { repository: "a/b/c" }),
            ("/v2/a/b/blobs/uploads/7", Route::Upload { repository: "a/b", id: "7" }),
            ("/v2/a/tags/list", Route::Tags { repository: "a" }),
            (
                "/v2/namespaces/library/repositories/python/tags",
                Route::HubTags { namespace: "library", repository: "python", tag: None },
            ),
            (
                "/v2/namespaces/library/repositories/python/tags/3.11",
                Route::HubTags {
                    namespace: "library",
                    repository: "python",
                    tag: Some("3.11"),
                },
            ),
            ("/v2/a/referrers/sha256:1", Route::Referrers { repository: "a", digest: "sha256:1" }),
            ("/favicon.ico", Route::Unknown),
        ];
        for (path, route) in cases {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }

    #[test]
    fn queries_are_decoded_and_may_repeat() {
        let query = Query::of("scope=repository%3Aa%2Fb%3Apull&scope=x&n=5&bad=%zz");
        assert_eq!(query.all("scope").collect::<Vec<_>>(), ["repository:a/b:pull", "x"]);
        assert_eq!((query.number("n"), query.get("bad"), query.get("absent")), (Some(5), Some("%zz"), None));
    }
}
