//! Lists tags, from a registry's own list or from Docker Hub's web API, which also knows when each tag was pushed and
//! what it means. Neither costs a pull.

use std::collections::HashSet;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::client::Client;
use super::error::RegistryError;
use super::request::RegistryRequest;
use super::sign_in::auth::TokenScope;
use pullsafe::manifest::Platform;
use pullsafe::reference::{DOCKER_HUB, Digest, Reference};
use pullsafe::tags::TagFacts;
use pullsafe::timestamp::Timestamp;

/// Docker Hub's web API. It has a limit of its own (180 requests a minute), apart from pulls.
pub const HUB_API: &str = "hub.docker.com";
/// The largest page that Docker Hub's web API gives.
const HUB_PAGE: usize = 100;
/// The largest page that is read. A list takes a few bytes a tag; a page of Docker Hub's, with all platforms, has up to
/// 2 MiB. Some registries give everything in one page.
const LARGEST_PAGE: usize = 8 * 1024 * 1024;
/// The most pages that are read: more than any repository has.
const MOST_PAGES: usize = 1000;
/// The most tags that are read: more than any repository has that somebody selects from.
const MOST_TAGS: usize = 50_000;
/// The longest tag, by the specification. A longer text is not a tag, and is left out.
const LONGEST_TAG: usize = 128;

/// What Docker Hub says of a tag, under its own names.
#[derive(Deserialize)]
struct HubTag {
    name: String,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    tag_last_pushed: Option<String>,
    #[serde(default)]
    last_updated: Option<String>,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    images: Option<AtMost<HubTagImage, 200>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HubTagImage {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    digest: Option<String>,
}

impl HubTagImage {
    fn facts(&self) -> Option<(Platform, Digest)> {
        let (os, architecture) = (self.os.clone()?, self.architecture.clone()?);
        let variant = self.variant.clone().filter(|variant| !variant.is_empty());
        Some((Platform { os, architecture, variant }, self.digest.as_deref()?.parse().ok()?))
    }
}

/// A page of a registry's own list.
#[derive(Deserialize)]
struct TagPage {
    tags: Option<AtMost<String, MOST_TAGS>>,
}

#[derive(Deserialize)]
struct HubPage {
    #[serde(default)]
    next: Option<String>,
    results: AtMost<HubTag, 1000>,
}

impl HubTag {
    fn facts(self) -> TagFacts {
        let pushed = self.tag_last_pushed.or(self.last_updated);
        let is_index = self.media_type.as_deref().is_some_and(|kind| kind.contains("index") || kind.contains("list"));
        let images = self.images.iter().flat_map(|images| &images.0).filter_map(HubTagImage::facts).collect();
        let children = match self.images {
            Some(images) if is_index || images.0.len() > 1 => u32::try_from(images.0.len()).ok(),
            Some(_) if self.media_type.is_some() => Some(0),
            Some(_) | None => None,
        };
        TagFacts {
            pushed_at: pushed.as_deref().and_then(Timestamp::parse),
            digest: self.digest.and_then(|digest| digest.parse().ok()),
            children,
            images,
            name: self.name,
        }
    }
}

impl Client {
    /// Whether Docker Hub's web API can be asked about a repository. It cannot if Docker Hub is mapped to another
    /// address and the API is not.
    pub fn has_hub_api(&self, repository: &Reference) -> bool {
        repository.is_docker_hub() && (!self.endpoints().is_mapped(DOCKER_HUB) || self.endpoints().is_mapped(HUB_API))
    }

    /// Lists all tags of a repository, by name alone.
    ///
    /// # Errors
    /// As for any request.
    pub async fn tags(&self, repository: &Reference) -> Result<Vec<TagFacts>, RegistryError> {
        let mut tags = Vec::new();
        let mut call = tags_call(repository);
        for _ in 0..MOST_PAGES {
            let (page, link): (TagPage, Option<String>) = self.page(&call).await?;
            let names = page.tags.map(|names| names.0).unwrap_or_default();
            tags.extend(names.into_iter().filter(|name| name.len() <= LONGEST_TAG).map(TagFacts::named));
            check_count(&call, &tags)?;
            match link {
                Some(next) => call.path = next,
                None => return Ok(tags),
            }
        }
        let why = format!("its list has more than {MOST_PAGES} pages");
        Err(RegistryError::Answer {
            registry: repository.registry().to_owned(),
            what: format!("the tags of {}", repository.repository()),
            why,
        })
    }

    /// Lists all tags of a repository with one request; `None` if they take more than one page.
    pub(crate) async fn tags_at_once(&self, repository: &Reference) -> Result<Option<HashSet<String>>, RegistryError> {
        let (page, link): (TagPage, Option<String>) = self.page(&tags_call(repository)).await?;
        Ok(link.is_none().then(|| page.tags.map(|names| names.0.into_iter().collect()).unwrap_or_default()))
    }

    /// Lists the tags of a repository of Docker Hub with their times and digests, those pushed last first, until
    /// `enough` returns true.
    ///
    /// # Errors
    /// As for any request, among them the API's own limit.
    pub async fn hub_tags(
        &self,
        repository: &Reference,
        mut enough: impl FnMut(&[TagFacts]) -> bool,
    ) -> Result<Vec<TagFacts>, RegistryError> {
        let mut tags = Vec::new();
        for number in 1..=MOST_PAGES {
            let query = format!("tags?page_size={HUB_PAGE}&page={number}&ordering=last_updated");
            let Some(call) = hub_call(repository, &query) else {
                break;
            };
            let (page, _): (HubPage, _) = self.page(&call).await?;
            // The images of each tag are asked for one by one, where they are needed.
            let facts = page.results.0.into_iter().map(|tag| TagFacts { images: Vec::new(), ..tag.facts() });
            tags.extend(facts.filter(|tag| tag.name.len() <= LONGEST_TAG));
            check_count(&call, &tags)?;
            if page.next.is_none() || enough(&tags) {
                break;
            }
        }
        Ok(tags)
    }

    /// Returns what Docker Hub says of one tag.
    ///
    /// # Errors
    /// As for any request.
    pub async fn hub_tag(&self, repository: &Reference, tag: &str) -> Result<TagFacts, RegistryError> {
        let call = hub_call(repository, &format!("tags/{tag}"));
        let call =
            call.ok_or_else(|| RegistryError::Invalid(format!("{repository} is not a repository of Docker Hub")))?;
        let (tag, _): (HubTag, _) = self.page(&call).await?;
        Ok(tag.facts())
    }

    /// Reads one page, and the path of the next by its `Link` header.
    async fn page<T: serde::de::DeserializeOwned>(
        &self,
        call: &RegistryRequest<'_>,
    ) -> Result<(T, Option<String>), RegistryError> {
        let answer = self.call(call).await?;
        let next = answer.header("link").and_then(|link| next_path(link, &call.path));
        let unusable = |why: String| RegistryError::Answer {
            registry: call.registry.to_owned(),
            what: call.what.clone(),
            why,
        };
        let bytes = self.inner.http.whole(answer.response.into_body(), &answer.host, LARGEST_PAGE).await?;
        let bytes = bytes.ok_or_else(|| unusable(format!("it is longer than {LARGEST_PAGE} bytes")))?;
        Ok((serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?, next))
    }
}

/// Returns how many tags a page of either kind holds; `None` if it is not such a page.
pub(super) fn count(bytes: &[u8]) -> Option<usize> {
    let names = serde_json::from_slice::<TagPage>(bytes).ok().map(|page| page.tags.map_or(0, |tags| tags.0.len()));
    names.or_else(|| {
        serde_json::from_slice::<HubPage>(bytes)
            .ok()
            .map(|page| page.results.0.into_iter().map(HubTag::facts).count())
    })
}

/// A list of at most `MOST` entries; a longer one is an error before it is in memory.
struct AtMost<T, const MOST: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AtMostVisitor<T, const MOST: usize>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> serde::de::Visitor<'de> for AtMostVisitor<T, MOST> {
            type Value = Vec<T>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "a list of at most {MOST} entries")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = entries.next_element()? {
                    if list.len() == MOST {
                        return Err(serde::de::Error::invalid_length(MOST + 1, &self));
                    }
                    list.push(entry);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(AtMostVisitor::<T, MOST>(std::marker::PhantomData)).map(Self)
    }
}

fn check_count(call: &RegistryRequest<'_>, tags: &[TagFacts]) -> Result<(), RegistryError> {
    if tags.len() <= MOST_TAGS {
        return Ok(());
    }
    let why = format!("it lists more than {MOST_TAGS} tags");
    Err(RegistryError::Answer {
        registry: call.registry.to_owned(),
        what: call.what.clone(),
        why,
    })
}

fn tags_call(repository: &Reference) -> RegistryRequest<'_> {
    let name = repository.repository();
    RegistryRequest {
        method: Method::GET,
        registry: repository.registry(),
        path: format!("{name}/tags/list?n=1000"),
        scopes: vec![TokenScope { repository: name.to_owned(), push: false }],
        headers: Vec::new(),
        body: Bytes::new(),
        what: format!("the tags of {name}"),
    }
}

fn hub_call<'a>(repository: &Reference, rest: &str) -> Option<RegistryRequest<'a>> {
    let (namespace, name) = repository.repository().split_once('/').filter(|_| repository.is_docker_hub())?;
    Some(RegistryRequest {
        method: Method::GET,
        registry: HUB_API,
        path: format!("namespaces/{namespace}/repositories/{name}/{rest}"),
        scopes: Vec::new(),
        headers: Vec::new(),
        body: Bytes::new(),
        what: format!("the tags of {}", repository.repository()),
    })
}

/// Reads `</v2/library/node/tags/list?last=x&n=1000>; rel="next"`: returns the path below `/v2/`, if it belongs to the
/// same list as the page's own path.
pub(super) fn next_path(link: &str, own: &str) -> Option<String> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => target.trim_start_matches('/'),
    };
    let list = |path: &str| path.split('?').next().unwrap_or_default().to_owned();
    let next = path
        .strip_prefix("v2/")
        .filter(|path| list(path) == list(own) && *path != own && path.len() <= 2048)?;
    parameters.contains("rel=\"next\"").then(|| next.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_where_the_link_says() {
        for (link, expected) in [
            ("</v2/a/b/tags/list?last=1&n=2>; rel=\"next\"", Some("a/b/tags/list?last=1&n=2")),
            ("<https://r.example/v2/a/b/tags/list?n=2>; rel=\"next\"", Some("a/b/tags/list?n=2")),
            ("</v2/a/b/tags/list?n=1000>; rel=\"next\"", None),
            ("</v2/other/tags/list?n=2>; rel=\"next\"", None),
            ("</v2/a/b/blobs/uploads/?x>; rel=\"next\"", None),
            ("</v2/a/tags/list>; rel=\"prev\"", None),
            ("nonsense", None),
        ] {
            assert_eq!(next_path(link, "a/b/tags/list?n=1000").as_deref(), expected, "{link}");
        }
    }

    #[test]
    fn docker_hubs_answer_is_read_as_far_as_it_goes() {
        let text = r#"{"next": null, "results": [{"name": "3", "digest": "sha256:x", "tag_last_pushed": "2026-01-02T03:04:05.678901Z",
            "media_type": "application/vnd.oci.image.index.v1+json", "images": [{}, {}]}, {"name": "4", "last_updated": null, "images": null}]}"#;
        let page: HubPage = serde_json::from_str(text).unwrap();
        let facts: Vec<TagFacts> = page.results.0.into_iter().map(HubTag::facts).collect();
        assert_eq!((facts[0].children, facts[0].pushed_at.is_some(), &facts[0].digest), (Some(2), true, &None));
        assert_eq!(facts[1], TagFacts::named("4"));
    }
}
