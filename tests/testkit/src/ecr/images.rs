//! Reading and deleting images.

use pullsafe::reference::Digest;
use serde_json::{Value, json};

use super::api::{EcrApi, epoch};
use super::request::{find, has_wanted_status, invalid, page, passes, up_to_a_hundred};
use crate::aws::service::AwsError;
use crate::registry::repository::{ImageStatus, StoredManifest, StoredRepository};

impl EcrApi {
    /// `DescribeImages`. With identifiers, finds all of them or answers `ImageNotFoundException`. Without, answers
    /// pages of 100 unless `maxResults` says otherwise.
    ///
    /// An image in the archive is found only with a filter that asks for its status. ECR's documentation says so for
    /// lists. Here it holds for identifiers too, which is the harder case for a client.
    pub(super) fn describe_images(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let filter = &request["filter"];
        if request.get("imageIds").is_some() {
            if request.get("nextToken").is_some() || request.get("maxResults").is_some() {
                return Err(invalid("imageIds"));
            }
            let ids = up_to_a_hundred(request, "imageIds")?;
            let read = |repository: &StoredRepository| {
                let found = ids.iter().map(|id| match find(repository, id) {
                    Ok(image) if has_wanted_status(filter, image) => Ok(image),
                    Ok(_) => Err(self.image_not_found(name, id)),
                    Err(("ImageNotFound" | "ImageTagDoesNotMatchDigest", _)) => Err(self.image_not_found(name, id)),
                    Err((_, reason)) => Err(AwsError::client("InvalidParameterException", reason)),
                });
                let mut images = found.collect::<Result<Vec<&StoredManifest>, AwsError>>()?;
                images.sort_by(|a, b| a.digest.cmp(&b.digest));
                images.dedup_by(|a, b| a.digest == b.digest);
                Ok(images.into_iter().map(|image| self.detail(name, repository, image)).collect::<Vec<_>>())
            };
            let details = self.store.read(name, read).unwrap_or_else(|| Ok(Vec::new()))?;
            return Ok(json!({"imageDetails": details}));
        }
        let read = |repository: &StoredRepository| {
            let images = repository
                .images()
                .filter(|image| passes(filter, image, !repository.tags_of(&image.digest).is_empty()));
            images.map(|image| self.detail(name, repository, image)).collect::<Vec<_>>()
        };
        page(request, "imageDetails", self.store.read(name, read).unwrap_or_default(), 100)
    }

    pub(super) fn list_images(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let filter = &request["filter"];
        let read = |repository: &StoredRepository| {
            let ids = repository.images().flat_map(|image| {
                let tags = repository.tags_of(&image.digest);
                let wanted = passes(filter, image, !tags.is_empty());
                let untagged = tags.is_empty().then(|| json!({"imageDigest": image.digest}));
                let tagged = tags.into_iter().map(|tag| json!({"imageDigest": image.digest, "imageTag": tag}));
                tagged.chain(untagged).filter(|_| wanted).collect::<Vec<_>>()
            });
            ids.collect::<Vec<_>>()
        };
        page(request, "imageIds", self.store.read(name, read).unwrap_or_default(), 100)
    }

    /// `BatchGetImage`. `acceptedMediaTypes` is ignored: the manifest is returned as it is stored, where ECR would
    /// convert between OCI and Docker when asked by tag.
    pub(super) fn batch_get_image(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let (mut images, mut failures, mut pulled) = (Vec::new(), Vec::new(), Vec::new());
        let ids = up_to_a_hundred(request, "imageIds")?;
        self.store.read(name, |repository| {
            for id in ids {
                match find(repository, id) {
                    Ok(image) if image.status != ImageStatus::Active => {
                        failures.push(failure(
                            id,
                            ("ImageInaccessible", "The image is in the archive and has to be restored first"),
                        ));
                    }
                    Ok(image) => {
                        pulled.push(image.digest.clone());
                        images.push(self.manifest(name, image, id["imageTag"].as_str()));
                    }
                    Err(not_found) => failures.push(failure(id, not_found)),
                }
            }
        });
        pulled.iter().for_each(|digest| self.store.record_pull(name, digest));
        Ok(json!({"images": images, "failures": failures}))
    }

    /// `BatchDeleteImage`. Deleting the last tag of an image deletes the image. Deleting a digest deletes its tags too.
    /// What an index names stays.
    pub(super) fn batch_delete_image(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        for id in up_to_a_hundred(request, "imageIds")? {
            let read = |repository: &StoredRepository| {
                let image = find(repository, id)?;
                let by_tag = id["imageTag"].as_str().is_some();
                if !by_tag && !repository.parents_of(&image.digest).is_empty() {
                    return Err(("ImageReferencedByManifestList", "Requested image is referenced by a manifest list"));
                }
                Ok((image.digest.clone(), repository.tags_of(&image.digest)))
            };
            match self.store.read(name, read).unwrap_or(Err(("ImageNotFound", "Requested image not found"))) {
                Ok((digest, tags)) => {
                    let gone = self.delete(name, id["imageTag"].as_str(), &digest, tags);
                    deleted.extend(gone);
                }
                Err(not_found) => failures.push(failure(id, not_found)),
            }
        }
        Ok(json!({"imageIds": deleted, "failures": failures}))
    }

    fn delete(&self, name: &str, tag: Option<&str>, digest: &Digest, tags: Vec<String>) -> Vec<Value> {
        match tag {
            Some(tag) => {
                self.store.untag(name, tag);
                vec![json!({"imageDigest": digest, "imageTag": tag})]
            }
            None => {
                self.store.remove_image(name, digest);
                let tagged = tags.iter().map(|tag| json!({"imageDigest": digest, "imageTag": tag}));
                let untagged = tags.is_empty().then(|| json!({"imageDigest": digest}));
                tagged.chain(untagged).collect()
            }
        }
    }

    pub(super) fn manifest(&self, name: &str, image: &StoredManifest, tag: Option<&str>) -> Value {
        let mut id = json!({"imageDigest": image.digest});
        if let Some(tag) = tag {
            id["imageTag"] = tag.into();
        }
        json!({
            "registryId": self.account,
            "repositoryName": name,
            "imageId": id,
            "imageManifest": String::from_utf8_lossy(&image.manifest),
            "imageManifestMediaType": image.media_type(),
        })
    }

    fn detail(&self, name: &str, repository: &StoredRepository, image: &StoredManifest) -> Value {
        let tags = repository.tags_of(&image.digest);
        let mut detail = json!({
            "registryId": self.account,
            "repositoryName": name,
            "imageDigest": image.digest,
            "imageSizeInBytes": repository.size_of(image),
            "imagePushedAt": epoch(image.pushed_at),
            "imageManifestMediaType": image.media_type(),
            "imageStatus": image.status.as_str(),
        });
        let artifact_type = image.links.artifact_type.clone().or(image
            .links
            .config
            .as_ref()
            .map(|config| config.media_type.clone()));
        let optional = [
            ("imageTags", (!tags.is_empty()).then(|| json!(tags))),
            ("artifactMediaType", artifact_type.map(Value::from)),
            ("lastRecordedPullTime", image.last_pull.map(epoch)),
            ("subjectManifestDigest", image.links.subject.as_ref().map(|subject| json!(subject))),
        ];
        for (field, value) in optional {
            if let Some(value) = value {
                detail[field] = value;
            }
        }
        detail
    }

    pub(super) fn image_not_found(&self, name: &str, id: &Value) -> AwsError {
        let field = |field: &str| id[field].as_str().map_or("null".to_owned(), str::to_owned);
        let message = format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with \
             name '{name}' in the registry with id '{}'",
            field("imageDigest"),
            field("imageTag"),
            self.account
        );
        AwsError::client("ImageNotFoundException", message)
    }
}

fn failure(id: &Value, (code, reason): (&str, &str)) -> Value {
    json!({"imageId": id, "failureCode": code, "failureReason": reason})
}
