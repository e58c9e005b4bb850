//! Lists of tags: that of the OCI specification, and that of hub.docker.com.

use axum::body::Body;
use http::{HeaderMap, Response, StatusCode};
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::SharedServer;
use super::answer::{json_body, respond, too_many_requests};
use super::fault::RetryAfter;
use super::options::PlayedRegistry;
use super::request::{Query, source};
use crate::registry::manifest::media_type;
use crate::registry::repository::{StoredManifest, StoredRepository, StoredTag};

/// How many requests hub.docker.com allows per minute and source.
const HUB_API_REQUESTS: u32 = 180;

impl SharedServer {
    /// GET `/v2/{repository}/tags/list`.
    pub(super) fn tags_list(&self, repository: &str, query: &Query) -> Response<Body> {
        let all = self
            .store
            .read(repository, |repository| repository.tags().map(|(name, _)| name.to_owned()).collect::<Vec<_>>());
        let Some(all) = all else {
            return self.no_repository(repository);
        };
        let after = query.get("last").unwrap_or_default();
        let mut tags: Vec<String> = all.into_iter().filter(|tag| tag.as_str() > after).collect();
        let limit = query.number("n").unwrap_or(1000).min(1000);
        let mut response = respond(StatusCode::OK);
        if tags.len() > limit {
            tags.truncate(limit);
            let last = tags.last().map(String::as_str).unwrap_or_default();
            response =
                response.header("link", format!(r#"</v2/{repository}/tags/list?last={last}&n={limit}>; rel="next""#));
        }
        json_body(response, &json!({"name": repository, "tags": tags}))
    }

    /// GET `/v2/namespaces/{namespace}/repositories/{repository}/tags` of hub.docker.com: newest first, with digests
    /// and dates. It uses no pull units. With a further `/{tag}` the answer is that tag alone.
    pub(super) fn hub_tags(&self, headers: &HeaderMap, name: &str, tag: Option<&str>, query: &Query) -> Response<Body> {
        let not_found = || {
            json_body(
                respond(StatusCode::NOT_FOUND),
                &json!({"message": "httperror 404: object not found", "errinfo": {}}),
            )
        };
        if !matches!(self.mode, PlayedRegistry::Hub(_)) {
            return not_found();
        }
        let source = source(headers);
        if !self.hub_api.take(&source, HUB_API_REQUESTS) {
            let reset = self.hub_api.frees_at(&source).unwrap_or(Timestamp::from_millis(0));
            // An epoch time, against the standard: https://github.com/docker/hub-feedback/issues/2459
            return too_many_requests(RetryAfter::Epoch(reset), "TOOMANYREQUESTS", "Rate limit exceeded");
        }
        let Some(mut tags) = self.store.read(name, all_tags) else {
            return not_found();
        };
        if let Some(wanted) = tag {
            let found = tags.into_iter().find(|(_, tag, _)| tag == wanted);
            return found.map_or_else(not_found, |(_, _, tag)| json_body(respond(StatusCode::OK), &tag));
        }
        tags.sort_by(|(a, a_name, _), (b, b_name, _)| b.cmp(a).then(a_name.cmp(b_name)));
        let size = query.number("page_size").unwrap_or(10).clamp(1, 100);
        let page = query.number("page").unwrap_or(1).max(1);
        let (namespace, repository) = name.split_once('/').unwrap_or_default();
        let link = |page: usize| {
            format!(
                "{}/v2/namespaces/{namespace}/repositories/{repository}/tags?page={page}&page_size={size}",
                self.url
            )
        };
        let (count, pages) = (tags.len(), tags.len().div_ceil(size).max(1));
        if page > pages {
            return not_found();
        }
        let results: Vec<Value> = tags.into_iter().skip((page - 1) * size).take(size).map(|(_, _, tag)| tag).collect();
        let left = HUB_API_REQUESTS.saturating_sub(self.hub_api.used(&source));
        let response = respond(StatusCode::OK)
            .header("x-ratelimit-limit", HUB_API_REQUESTS)
            .header("x-ratelimit-remaining", left);
        json_body(
            response,
            &json!({
                "count": count,
                "next": (page < pages).then(|| link(page + 1)),
                "previous": (page > 1).then(|| link(page - 1)),
                "results": results,
            }),
        )
    }
}

fn all_tags(repository: &StoredRepository) -> Vec<(Timestamp, String, Value)> {
    let tags = repository.tags().filter_map(|(name, tag)| Some((name, tag, repository.image(name)?)));
    tags.map(|(name, tag, image)| (tag.pushed_at, name.to_owned(), hub_tag(repository, name, tag, image)))
        .collect()
}

fn hub_tag(repository: &StoredRepository, name: &str, tag: &StoredTag, image: &StoredManifest) -> Value {
    let images: Vec<Value> = if image.links.is_index() {
        let children = image.links.children.iter();
        children
            .map(|child| hub_image(repository, child.platform.as_ref(), repository.image(child.digest.as_str())))
            .collect()
    } else {
        let config = image.links.config.as_ref().and_then(|config| repository.blob(&config.digest));
        let platform: Option<Value> = config.and_then(|config| serde_json::from_slice(&config.bytes()).ok());
        vec![hub_image(repository, platform.as_ref(), Some(image))]
    };
    let content_type = if image.media_type() == media_type::DOCKER_LIST || image.links.is_index() {
        "index"
    } else {
        "image"
    };
    json!({
        "name": name,
        "digest": image.digest,
        "media_type": image.media_type(),
        "content_type": content_type,
        "full_size": repository.size_of(image),
        "last_updated": tag.pushed_at,
        "tag_last_pushed": tag.pushed_at,
        "tag_status": "active",
        "images": images,
    })
}

fn hub_image(repository: &StoredRepository, platform: Option<&Value>, image: Option<&StoredManifest>) -> Value {
    let field = |name: &str| platform.and_then(|platform| platform.get(name)).cloned().unwrap_or(Value::Null);
    json!({
        "architecture": field("architecture"),
        "os": field("os"),
        "variant": field("variant"),
        "digest": image.map(|image| &image.digest),
        "size": image.map(|image| repository.size_of(image)),
        "status": "active",
        "last_pushed": image.map(|image| image.pushed_at),
    })
}
