//! Copies what belongs to an image beside its content: referrers by OCI 1.1, and what cosign stores under tags.
//!
//! Referrers are found by the API, or by the tag that stands in for it. A target without the API gets that tag too.

use serde_json::{Value, json};

use super::image::{ImageCopy, add};
use crate::error::RegistryError;
use crate::manifests::Manifest;
use pullsafe::manifest::{Contents, Descriptor, OCI_INDEX, document};
use pullsafe::reference::{Digest, Reference};

/// The suffixes that cosign appends to a digest written as a tag.
const COSIGN: [&str; 3] = [".sig", ".att", ".sbom"];

impl ImageCopy<'_> {
    /// Copies what belongs to an image. The referrers of its referrers (a signature of an attestation) are copied too.
    pub(crate) async fn copy_artifacts(&self, digest: &Digest) -> Result<(), RegistryError> {
        let artifacts = self.request.artifacts;
        if artifacts.cosign_tags {
            for suffix in COSIGN {
                self.copy_tag(&format!("{}{suffix}", as_tag(digest))).await?;
            }
        }
        if artifacts.referrers {
            let mut subjects = vec![digest.clone()];
            for _ in 0..3 {
                let mut next = Vec::new();
                for subject in subjects {
                    next.extend(self.copy_referrers(&subject).await?);
                }
                subjects = next;
            }
        }
        Ok(())
    }

    async fn copy_tag(&self, tag: &str) -> Result<(), RegistryError> {
        let (source, target) = (tagged(&self.request.source, tag)?, tagged(&self.request.target, tag)?);
        let Some(wanted) = self.digest_at(&source).await? else {
            return Ok(());
        };
        if self.digest_at(&target).await?.as_ref() != Some(&wanted) {
            let manifest = self.copy_tree(wanted, 0).await?;
            self.store(&target, &manifest).await?;
            add(&self.tally.artifacts_copied, 1);
        }
        Ok(())
    }

    /// Copies what refers to a manifest; returns the digests that it found.
    async fn copy_referrers(&self, subject: &Digest) -> Result<Vec<Digest>, RegistryError> {
        let source = &self.request.source;
        let Some(found) = self.client.referrers(source, subject).await?.index else {
            return Ok(Vec::new());
        };
        let Ok(Contents::Index { children }) = Contents::parse(&found) else {
            return Ok(Vec::new());
        };
        if children.is_empty() {
            return Ok(Vec::new());
        }
        let at_target = self.client.referrers(&self.request.target, subject).await?;
        let held: Vec<Digest> = match Contents::parse(&at_target.index.unwrap_or_default()) {
            Ok(Contents::Index { children }) => children.into_iter().map(|child| child.digest).collect(),
            Ok(Contents::Image { .. }) | Err(_) => Vec::new(),
        };
        for child in children.iter().filter(|child| !held.contains(&child.digest)) {
            let manifest = self.copy_tree(child.digest.clone(), 0).await?;
            self.store(&self.request.target.at_digest(child.digest.clone()), &manifest).await?;
            add(&self.tally.artifacts_copied, 1);
        }
        if !at_target.by_api {
            self.write_fallback(subject, &found, &children).await?;
        }
        Ok(children.into_iter().map(|child| child.digest).collect())
    }

    /// Writes the tag that stands in for the API, and keeps what it listed before.
    async fn write_fallback(
        &self,
        subject: &Digest,
        found: &[u8],
        children: &[Descriptor],
    ) -> Result<(), RegistryError> {
        let target = tagged(&self.request.target, &as_tag(subject))?;
        let mut listed: Vec<Value> = match self.digest_at(&target).await? {
            Some(digest) => entries(&self.client.manifest(&target, &digest).await?.bytes),
            None => Vec::new(),
        };
        let digest = |entry: &Value| entry.get("digest").and_then(Value::as_str).map(str::to_owned);
        let before = listed.len();
        for entry in entries(found) {
            let is_new = !listed.iter().any(|listed| digest(listed) == digest(&entry));
            let is_copied = children.iter().any(|child| digest(&entry).as_deref() == Some(child.digest.as_str()));
            if is_new && is_copied {
                listed.push(entry);
            }
        }
        if listed.len() == before {
            return Ok(());
        }
        let bytes = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}).to_string().into_bytes();
        let digest = Digest::of(&bytes);
        self.client
            .put_manifest(
                &target,
                &Manifest {
                    bytes: bytes.into(),
                    media_type: OCI_INDEX.to_owned(),
                    digest,
                },
            )
            .await
    }
}

fn entries(index: &[u8]) -> Vec<Value> {
    let index = document(index).unwrap_or_default();
    index.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Writes a digest as a tag: `sha256-<hex>`.
pub(crate) fn as_tag(digest: &Digest) -> String {
    digest.as_str().replacen(':', "-", 1)
}

fn tagged(reference: &Reference, tag: &str) -> Result<Reference, RegistryError> {
    Reference::new(reference.registry(), reference.repository(), Some(tag), None)
        .map_err(|error| RegistryError::Invalid(error.to_string()))
}
