//! Reading requests of the ECR API: fields, limits, image identifiers, pages.

use serde_json::{Value, json};

use crate::aws::service::AwsError;
use crate::registry::repository::{ImageStatus, StoredManifest, StoredRepository};

/// The error for a request that breaks a constraint of the API.
pub(super) fn invalid(what: &str) -> AwsError {
    AwsError::client("InvalidParameterException", format!("Invalid parameter at '{what}'"))
}

/// A text field that is required.
pub(super) fn text<'a>(request: &'a Value, field: &str) -> Result<&'a str, AwsError> {
    request[field].as_str().filter(|text| !text.is_empty()).ok_or_else(|| invalid(field))
}

/// A list that has to hold between one and a hundred entries.
pub(super) fn up_to_a_hundred<'a>(request: &'a Value, field: &str) -> Result<&'a [Value], AwsError> {
    let list = request[field].as_array().map(Vec::as_slice).unwrap_or_default();
    if (1..=100).contains(&list.len()) { Ok(list) } else { Err(invalid(field)) }
}

/// One page of a list under this name, with `nextToken` if there is more.
pub(super) fn page(request: &Value, name: &str, all: Vec<Value>, default: u64) -> Result<Value, AwsError> {
    let size = request["maxResults"].as_u64().unwrap_or(default);
    if !(1..=1000).contains(&size) {
        return Err(invalid("maxResults"));
    }
    let start = match request["nextToken"].as_str() {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|start| start.parse::<usize>().ok())
            .ok_or_else(|| invalid("nextToken"))?,
    };
    let end = start.saturating_add(size as usize);
    let mut answer = json!({});
    if end < all.len() {
        answer["nextToken"] = format!("page-{end}").into();
    }
    answer[name] = all.into_iter().skip(start).take(size as usize).collect();
    Ok(answer)
}

/// Why an image identifier finds nothing: ECR's failure code and reason.
pub(super) type NotFound = (&'static str, &'static str);

/// The image that an identifier (tag, digest or both) names.
pub(super) fn find<'a>(repository: &'a StoredRepository, id: &Value) -> Result<&'a StoredManifest, NotFound> {
    let (tag, digest) = (id["imageTag"].as_str(), id["imageDigest"].as_str());
    let not_found = ("ImageNotFound", "Requested image not found");
    let by_digest = match digest {
        None => None,
        Some(digest) if digest.parse::<pullsafe::reference::Digest>().is_err() => {
            return Err(("InvalidImageDigest", "Invalid request parameter: image digest format is not valid"));
        }
        Some(digest) => Some(repository.image(digest).ok_or(not_found)?),
    };
    let Some(tag) = tag else {
        return by_digest
            .ok_or(("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"));
    };
    let by_tag = repository.image(tag).ok_or(not_found)?;
    match by_digest {
        Some(image) if image.digest != by_tag.digest => {
            Err(("ImageTagDoesNotMatchDigest", "Requested image tag does not match the image digest"))
        }
        Some(_) | None => Ok(by_tag),
    }
}

/// Whether a filter lets an image through. A filter without a status lets only active images through.
pub(super) fn passes(filter: &Value, image: &StoredManifest, tagged: bool) -> bool {
    let by_tags = match filter["tagStatus"].as_str() {
        Some("TAGGED") => tagged,
        Some("UNTAGGED") => !tagged,
        Some(_) | None => true,
    };
    by_tags && has_wanted_status(filter, image)
}

/// The part of [`passes`] that is about the status.
pub(super) fn has_wanted_status(filter: &Value, image: &StoredManifest) -> bool {
    match filter["imageStatus"].as_str() {
        Some("ANY") => true,
        Some(status) => image.status.as_str() == status,
        None => image.status == ImageStatus::Active,
    }
}
