//! Manifests: pull, push, referrers.

use axum::body::Body;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::response::Builder;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use pullsafe::reference::Digest;
use serde_json::{Value, json};

use super::SharedServer;
use super::answer::{Cut, EarlyRefusal, ServerAnswer, empty, error, json_body, respond, too_many_requests, with_body};
use super::auth::Caller;
use super::fault::RetryAfter;
use super::options::PlayedRegistry;
use super::request::{Query, header, source};
use crate::registry::manifest::media_type;
use crate::registry::repository::{ImageStatus, StoredManifest};
use crate::registry::store::PushError;

const PULL_LIMIT: &str =
    "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
const PULL_LIMIT_SIGNED_IN: &str = "You have reached your pull rate limit. You may increase the limit by \
    authenticating and upgrading: https://www.docker.com/increase-rate-limit";
/// The largest manifest that ECR and the OCI specification accept, in bytes.
const LARGEST: usize = 4_194_304;

impl SharedServer {
    /// GET and HEAD of a manifest.
    pub(super) fn pull_manifest(
        &self,
        method: &Method,
        headers: &HeaderMap,
        caller: &Caller,
        repository: &str,
        reference: &str,
    ) -> Response<Body> {
        let Some(found) = self.store.read(repository, |repository| repository.image(reference).cloned()) else {
            return self.no_repository(repository);
        };
        let Some(image) = found.filter(|image| image.status == ImageStatus::Active) else {
            return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", self.manifest_unknown());
        };
        if !accepts(headers, image.media_type()) {
            let what = if image.links.is_index() { "index" } else { "manifest" };
            let message = format!("{what} found, but the accept header does not support {}", image.media_type());
            return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message);
        }
        let response = match self.count_pull(method, headers, caller) {
            Ok(response) => response,
            Err(refused) => return *refused,
        };
        let response = response
            .header(CONTENT_TYPE, image.media_type())
            .header("docker-content-digest", image.digest.as_str());
        if method == Method::HEAD {
            return empty(response.header(CONTENT_LENGTH, image.manifest.len()));
        }
        self.store.record_pull(repository, &image.digest);
        with_body(response, image.manifest)
    }

    /// Docker Hub's pull quota. A GET costs one unit and is refused when none is left. A HEAD costs nothing and is
    /// always answered.
    fn count_pull(&self, method: &Method, headers: &HeaderMap, caller: &Caller) -> Result<Builder, EarlyRefusal> {
        let response = respond(StatusCode::OK);
        let PlayedRegistry::Hub(options) = &self.mode else {
            return Ok(response);
        };
        let (counted_as, limit) = match &caller.account {
            Some(account) => (account_id(&account.name), account.pulls),
            None => (source(headers), options.anonymous_pulls),
        };
        let Some(limit) = limit else { return Ok(response) };
        let refused = method == Method::GET && !self.quota.take(&counted_as, limit);
        let left = limit.saturating_sub(self.quota.used(&counted_as));
        let window = options.window_seconds;
        let quota = [
            ("ratelimit-limit", format!("{limit};w={window}")),
            ("ratelimit-remaining", format!("{left};w={window}")),
            ("docker-ratelimit-source", counted_as),
        ];
        if !refused {
            return Ok(quota.into_iter().fold(response, |response, (name, value)| response.header(name, value)));
        }
        let message = if caller.account.is_some() { PULL_LIMIT_SIGNED_IN } else { PULL_LIMIT };
        let mut response = too_many_requests(RetryAfter::Absent, "TOOMANYREQUESTS", message);
        for (name, value) in quota {
            response.headers_mut().insert(name, value.parse().expect("a limit or a source"));
        }
        Err(response.into())
    }

    /// PUT of a manifest.
    pub(super) async fn push_manifest(
        &self,
        headers: &HeaderMap,
        repository: &str,
        reference: &str,
        body: &mut Body,
    ) -> ServerAnswer {
        let mut manifest = Vec::new();
        while let Some(frame) = body.frame().await {
            manifest.extend_from_slice(&frame.map_err(|_| Cut)?.into_data().unwrap_or_default());
            if manifest.len() > LARGEST {
                return Ok(error(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "MANIFEST_INVALID",
                    "the manifest is larger than 4 MiB",
                ));
            }
        }
        let manifest = Bytes::from(manifest);
        self.create_if_open(repository);
        Ok(
            match self.store.push(repository, Some(reference), manifest, header(headers, CONTENT_TYPE.as_str())) {
                Ok(image) => self.pushed(repository, &image),
                Err(refusal) => self.refuse_push(repository, reference, refusal),
            },
        )
    }

    fn pushed(&self, repository: &str, image: &StoredManifest) -> Response<Body> {
        let mut response = respond(StatusCode::CREATED).header("docker-content-digest", image.digest.as_str());
        // ECR sends no `Location` here.
        if !self.mode.is_ecr() {
            response = response.header("location", format!("/v2/{repository}/manifests/{}", image.digest));
        }
        if let Some(subject) = &image.links.subject {
            response = response.header("oci-subject", subject.as_str());
        }
        empty(response)
    }

    fn refuse_push(&self, repository: &str, reference: &str, refusal: PushError) -> Response<Body> {
        let place = format!("repository with name '{repository}' in the registry with id '{}'", self.account());
        let list = |digests: &[Digest]| digests.iter().map(Digest::as_str).collect::<Vec<_>>().join(", ");
        let bad = StatusCode::BAD_REQUEST;
        match refusal {
            PushError::RepositoryNotFound => self.no_repository(repository),
            PushError::Invalid(why) if self.mode.is_ecr() => {
                let message = format!(
                    "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax' ({why})"
                );
                error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
            }
            PushError::Invalid(why) => error(bad, "MANIFEST_INVALID", why),
            PushError::DigestMismatch(_) if self.mode.is_ecr() => error(
                bad,
                "MANIFEST_INVALID",
                format!(
                    "The image with digest '{reference}' in repository '{repository}' and registry ID '{}' does not \
                     match the image digest that Amazon ECR has calculated.",
                    self.account()
                ),
            ),
            PushError::DigestMismatch(_) => {
                error(bad, "DIGEST_INVALID", "provided digest did not match uploaded content")
            }
            PushError::BlobsMissing(digests) if self.mode.is_ecr() => {
                let message = format!(
                    "Layers with digests '[{}]' required for pushing image into {place} do not exist",
                    list(&digests)
                );
                error(bad, "BLOB_UPLOAD_INVALID", message)
            }
            PushError::BlobsMissing(digests) => {
                error(bad, "MANIFEST_BLOB_UNKNOWN", format!("blob unknown to registry: {}", list(&digests)))
            }
            PushError::ChildrenMissing(digests) => {
                let message = format!(
                    "Images with digests '[{}]' required for pushing image into {place} do not exist",
                    list(&digests)
                );
                error(bad, "MANIFEST_BLOB_UNKNOWN", message)
            }
            // Even if the tag points to this very image: https://github.com/aws/containers-roadmap/issues/2179
            PushError::TagLocked { tag, .. } => error(
                bad,
                "TAG_INVALID",
                format!(
                    "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten \
                     because the tag is immutable."
                ),
            ),
        }
    }

    /// The manifests that have this one as their subject.
    pub(super) fn referrers(&self, repository: &str, digest: &str, query: &Query) -> Response<Body> {
        let Ok(subject) = digest.parse::<Digest>() else {
            return error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "invalid digest");
        };
        let wanted = query.get("artifactType");
        let read = self.store.read(repository, |repository| {
            let about = repository.images().filter(|image| image.links.subject.as_ref() == Some(&subject));
            about
                .map(referrer)
                .filter(|entry| wanted.is_none_or(|wanted| entry["artifactType"] == wanted))
                .collect::<Vec<Value>>()
        });
        let Some(entries) = read else {
            return self.no_repository(repository);
        };
        let mut response = respond(StatusCode::OK);
        if wanted.is_some() {
            response = response.header("oci-filters-applied", "artifactType");
        }
        let mut response =
            json_body(response, &json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries}));
        response.headers_mut().insert(CONTENT_TYPE, media_type::OCI_INDEX.parse().expect("a media type"));
        response
    }

    /// The answer if the repository does not exist.
    pub(super) fn no_repository(&self, repository: &str) -> Response<Body> {
        let message = if self.mode.is_ecr() {
            format!(
                "The repository with name '{repository}' does not exist in the registry with id '{}'",
                self.account()
            )
        } else {
            "repository name not known to registry".to_owned()
        };
        error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message)
    }

    fn manifest_unknown(&self) -> &'static str {
        if self.mode.is_ecr() {
            "Requested image not found"
        } else {
            "manifest unknown"
        }
    }
}

fn referrer(image: &StoredManifest) -> Value {
    let json: Value = serde_json::from_slice(&image.manifest).unwrap_or_default();
    let config_type = image.links.config.as_ref().map(|config| config.media_type.clone());
    let artifact_type = image.links.artifact_type.clone().or(config_type);
    let mut entry = json!({
        "mediaType": image.media_type(), "digest": image.digest, "size": Bytes::len(&image.manifest), "artifactType": artifact_type,
    });
    if let Some(annotations) = json.get("annotations") {
        entry["annotations"] = annotations.clone();
    }
    entry
}

/// Whether the request accepts this media type. A request without `Accept` accepts all.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut ranges = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .peekable();
    let any = ranges.peek().is_none();
    any || ranges
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .any(|range| range == media_type || range == "*/*" || range == "application/*")
}

/// The id of an account in Docker Hub's headers: a UUID.
pub(super) fn account_id(name: &str) -> String {
    let digest = Digest::of(name.as_bytes());
    let hex = &digest.as_str()["sha256:".len()..];
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}
