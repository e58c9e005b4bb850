//! Manifests: resolves a tag, reads the bytes behind a digest, stores new content under a tag.

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;

use super::client::Client;
use super::error::RegistryError;
use super::limits::StatedQuota;
use super::request::{RegistryRequest, SuccessfulResponse};
use super::sign_in::auth::TokenScope;
use pullsafe::manifest::{ACCEPTED, Contents, DOCKER_MANIFEST, InvalidManifest, OCI_INDEX, OCI_MANIFEST, document};
use pullsafe::reference::{Digest, Reference};

/// The largest manifest: registries take no larger ones, and none larger should be kept in memory.
const LARGEST_MANIFEST: usize = 4 * 1024 * 1024;

/// What a tag means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTag {
    /// The manifest's digest.
    pub digest: Digest,
    /// The manifest's media type; empty if the registry does not say.
    pub media_type: String,
    /// The manifest's size in bytes, if the registry says.
    pub size: Option<u64>,
    /// The pull quota, if the registry states one.
    pub quota: Option<StatedQuota>,
}

/// A manifest whose bytes match its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The bytes, exactly as they were pushed.
    pub bytes: Bytes,
    /// The media type.
    pub media_type: String,
    /// The digest.
    pub digest: Digest,
}

impl Manifest {
    /// Parses what the manifest refers to.
    ///
    /// # Errors
    /// As for [`Contents::parse`].
    pub fn contents(&self) -> Result<Contents, InvalidManifest> {
        Contents::parse(&self.bytes)
    }
}

impl Client {
    /// Returns what a reference means now, by HEAD, which costs no pull quota.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if it does not exist; any other error leaves that open.
    pub async fn resolve(&self, reference: &Reference) -> Result<ResolvedTag, RegistryError> {
        let call = manifest_call(Method::HEAD, reference, reference.tag_or_digest());
        let answer = self.call(&call).await?;
        let stated = answer
            .header("docker-content-digest")
            .and_then(|digest| digest.parse().ok())
            .or_else(|| reference.digest().cloned());
        if let Some(digest) = stated {
            let size = answer.header(CONTENT_LENGTH).and_then(|size| size.parse().ok()).filter(|size| *size > 0);
            return Ok(ResolvedTag {
                digest,
                media_type: media_type_of(&answer),
                size,
                quota: StatedQuota::from_headers(answer.response.headers()),
            });
        }
        if reference.is_docker_hub() {
            // Docker Hub always states the digest; a GET to find it out would spend a pull.
            let why = "it states no digest".to_owned();
            return Err(RegistryError::Answer { registry: call.registry.to_owned(), what: call.what, why });
        }
        let answer = self.call(&RegistryRequest { method: Method::GET, ..call.clone() }).await?;
        let media_type = media_type_of(&answer);
        let bytes = self.manifest_bytes(&call, answer).await?;
        let size = u64::try_from(bytes.len()).ok();
        Ok(ResolvedTag { digest: Digest::of(&bytes), media_type, size, quota: None })
    }

    /// Fetches the manifest with this digest from a reference's repository; the reference's own tag and digest are
    /// ignored.
    ///
    /// # Errors
    /// [`RegistryError::Content`] if the bytes do not match the digest.
    pub async fn manifest(&self, reference: &Reference, digest: &Digest) -> Result<Manifest, RegistryError> {
        self.get_manifest(reference, digest.as_str(), Some(digest)).await
    }

    /// Fetches the manifest that a reference means now: what [`Self::resolve`] and [`Self::manifest`] tell, in one
    /// request. Registries that count pulls count it.
    pub(crate) async fn current_manifest(&self, reference: &Reference) -> Result<Manifest, RegistryError> {
        self.get_manifest(reference, reference.tag_or_digest(), reference.digest()).await
    }

    /// Fetches the manifest under a name. It must have this digest, or else the one that the answer states.
    async fn get_manifest(
        &self,
        reference: &Reference,
        name: &str,
        digest: Option<&Digest>,
    ) -> Result<Manifest, RegistryError> {
        let call = manifest_call(Method::GET, reference, name);
        let answer = self.call(&call).await?;
        let stated = || answer.header("docker-content-digest").and_then(|digest| digest.parse().ok());
        let expected: Option<Digest> = digest.cloned().or_else(stated);
        let mut media_type = media_type_of(&answer);
        let bytes = self.manifest_bytes(&call, answer).await?;
        let actual = Digest::of(&bytes);
        if let Some(digest) = expected.filter(|expected| *expected != actual) {
            let why = format!("it is {actual}");
            return Err(RegistryError::Content { from: call.registry.to_owned(), digest, why });
        }
        // Some registries and caches answer with a generic type; then the manifest's own `mediaType` is the next best.
        if !media_type.contains("manifest") && !media_type.contains("image.index") {
            media_type = own_media_type(&bytes);
        }
        Ok(Manifest { bytes, media_type, digest: actual })
    }

    /// Stores a manifest under the tag of a reference, or by its digest alone if the reference has no tag.
    ///
    /// # Errors
    /// [`RegistryError::TagImmutable`] if the tag holds something else and is immutable.
    pub async fn put_manifest(&self, target: &Reference, manifest: &Manifest) -> Result<(), RegistryError> {
        let name = target.tag().unwrap_or(manifest.digest.as_str());
        let call = RegistryRequest {
            headers: vec![(CONTENT_TYPE, manifest.media_type.clone())],
            body: manifest.bytes.clone(),
            scopes: vec![TokenScope { repository: target.repository().to_owned(), push: true }],
            ..manifest_call(Method::PUT, target, name)
        };
        let answer = match self.call(&call).await {
            Err(RegistryError::Refused { why, .. }) if why.to_ascii_lowercase().contains("immutable") => {
                return Err(RegistryError::TagImmutable { reference: target.to_string() });
            }
            answer => answer?,
        };
        match answer.header("docker-content-digest").map(str::parse::<Digest>) {
            Some(Ok(stored)) if stored != manifest.digest => {
                let why = format!("it was stored as {stored}");
                Err(RegistryError::Content {
                    from: call.registry.to_owned(),
                    digest: manifest.digest.clone(),
                    why,
                })
            }
            _ => Ok(()),
        }
    }

    async fn manifest_bytes(
        &self,
        call: &RegistryRequest<'_>,
        answer: SuccessfulResponse,
    ) -> Result<Bytes, RegistryError> {
        let bytes = self.inner.http.whole(answer.response.into_body(), &answer.host, LARGEST_MANIFEST).await?;
        bytes.ok_or_else(|| RegistryError::Answer {
            registry: call.registry.to_owned(),
            what: call.what.clone(),
            why: format!("it is longer than {LARGEST_MANIFEST} bytes"),
        })
    }
}

fn manifest_call<'a>(method: Method, reference: &'a Reference, name: &str) -> RegistryRequest<'a> {
    let repository = reference.repository();
    RegistryRequest {
        method,
        registry: reference.registry(),
        path: format!("{repository}/manifests/{name}"),
        scopes: vec![TokenScope { repository: repository.to_owned(), push: false }],
        // Without the full list a registry may convert the manifest, which changes its digest.
        headers: vec![(ACCEPT, ACCEPTED.join(", "))],
        body: Bytes::new(),
        what: format!("the manifest {repository}{}{name}", if name.contains(':') { '@' } else { ':' }),
    }
}

fn media_type_of(answer: &SuccessfulResponse) -> String {
    let value = answer.header(CONTENT_TYPE).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_owned()
}

fn own_media_type(bytes: &[u8]) -> String {
    let document = document(bytes).unwrap_or_default();
    let stated = document.get("mediaType").and_then(Value::as_str);
    let docker = bytes.windows(b"vnd.docker".len()).any(|window| window == b"vnd.docker");
    let by_shape = if document.get("manifests").is_some() {
        OCI_INDEX
    } else if docker {
        DOCKER_MANIFEST
    } else {
        OCI_MANIFEST
    };
    stated.unwrap_or(by_shape).to_owned()
}
