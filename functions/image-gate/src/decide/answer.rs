//! The answer to CloudFormation: at most 4,096 bytes, always the same attributes, always the same physical id.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::foreign::harmless;
use super::request::Requester;
use pullsafe::timestamp::Timestamp;

/// CloudFormation takes no longer answer.
const LONGEST_ANSWER: usize = 4096;

/// Every attribute that a template may ask for.
pub const ATTRIBUTES: [&str; 10] = [
    "DigestFrom",
    "ImageDigest",
    "ImageTag",
    "ImageUri",
    "MediaType",
    "Platforms",
    "PushedAt",
    "RepositoryUri",
    "SizeBytes",
    "WaitedSeconds",
];

/// What the image turned out to be; an empty text where something is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// The digest.
    pub digest: String,
    /// The tag that was asked for; empty where it was a digest.
    pub tag: String,
    /// The repository's address.
    pub repository_uri: String,
    /// The manifest's media type.
    pub media_type: String,
    /// What it is for, with commas.
    pub platforms: String,
    /// When it was pushed.
    pub pushed_at: String,
    /// Its size as ECR counts it.
    pub size_bytes: String,
}

/// Where the digest of an answer comes from. No digest is given out that a look did not find, but one: that of a
/// rollback, where the image is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestOrigin {
    /// A look at ECR, at this moment.
    Look(Timestamp),
    /// The memory of a rollback; a look at ECR found the image.
    Remembered {
        /// When the resource was given the digest.
        given_at: Timestamp,
        /// When ECR was looked at.
        looked_at: Timestamp,
    },
    /// The memory of a rollback; a look at ECR did not find the image, and nothing else is left.
    OnlyRemembered {
        /// When the resource was given the digest.
        given_at: Timestamp,
        /// When ECR was looked at.
        looked_at: Timestamp,
    },
}

impl fmt::Display for DigestOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Look(at) => write!(formatter, "found in ECR at {at}"),
            Self::Remembered { given_at, looked_at } => {
                write!(
                    formatter,
                    "given to this resource at {given_at} and kept for its rollback; found in ECR at {looked_at}"
                )
            }
            Self::OnlyRemembered { given_at, looked_at } => {
                write!(
                    formatter,
                    "given to this resource at {given_at} and kept for its rollback; NOT found in ECR at {looked_at}"
                )
            }
        }
    }
}

/// What is told to CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomResourceResponse {
    outcome: Result<BTreeMap<&'static str, String>, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseBody<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    physical_resource_id: &'a str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: &'a BTreeMap<&'static str, String>,
}

impl CustomResourceResponse {
    /// The image exists, or existed when the resource was given it.
    pub fn present(attributes: Attributes, origin: &DigestOrigin, waited_seconds: u64) -> Self {
        let image_uri = format!("{}@{}", attributes.repository_uri, attributes.digest);
        let values = [
            origin.to_string(),
            attributes.digest,
            attributes.tag,
            image_uri,
            attributes.media_type,
            attributes.platforms,
            attributes.pushed_at,
            attributes.repository_uri,
            attributes.size_bytes,
            waited_seconds.to_string(),
        ];
        Self { outcome: Ok(ATTRIBUTES.into_iter().zip(values).collect()) }
    }

    /// There is nothing to delete.
    pub const fn deleted() -> Self {
        Self { outcome: Ok(BTreeMap::new()) }
    }

    /// The stack has to stop, for this reason.
    pub fn failed(reason: &str) -> Self {
        Self { outcome: Err(harmless(reason)) }
    }

    /// Whether the stack can go on.
    pub const fn is_success(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Why it has to stop.
    pub fn reason(&self) -> Option<&str> {
        self.outcome.as_ref().err().map(String::as_str)
    }

    /// What an answer that was made before says of the image; `None` if it says FAILED, or answers a Delete.
    pub fn image_of(body: &str) -> Option<Attributes> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Data {
            image_digest: String,
            image_tag: String,
            repository_uri: String,
            media_type: String,
            platforms: String,
            pushed_at: String,
            size_bytes: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Sent {
            data: Data,
        }
        let Data {
            image_digest: digest,
            image_tag: tag,
            repository_uri,
            media_type,
            platforms,
            pushed_at,
            size_bytes,
        } = serde_json::from_str::<Sent>(body).ok()?.data;
        Some(Attributes {
            digest,
            tag,
            repository_uri,
            media_type,
            platforms,
            pushed_at,
            size_bytes,
        })
    }

    /// The JSON that is sent. A reason that is too long loses its middle: it begins with what failed and ends with what
    /// to do.
    pub fn body(&self, requester: &Requester) -> String {
        let physical_id = requester.physical_id();
        let none = BTreeMap::new();
        let serialise = |reason: Option<&str>| {
            let body = ResponseBody {
                status: if self.is_success() { "SUCCESS" } else { "FAILED" },
                reason,
                physical_resource_id: &physical_id,
                stack_id: &requester.stack_id,
                request_id: &requester.request_id,
                logical_resource_id: &requester.logical_resource_id,
                data: self.outcome.as_ref().unwrap_or(&none),
            };
            // A struct of texts always serialises.
            serde_json::to_string(&body).unwrap_or_default()
        };
        let Some(reason) = self.reason() else {
            return serialise(None);
        };
        let characters: Vec<char> = reason.chars().collect();
        let mut kept = characters.len().min(1500);
        loop {
            let body = serialise(Some(&without_middle(&characters, kept)));
            if body.len() <= LONGEST_ANSWER || kept == 0 {
                return body;
            }
            kept = kept * 3 / 4;
        }
    }
}

fn without_middle(characters: &[char], kept: usize) -> String {
    if characters.len() <= kept {
        return characters.iter().collect();
    }
    let tail = kept / 3;
    let head = kept - tail;
    characters[..head]
        .iter()
        .chain(&[' ', '…', ' '])
        .chain(&characters[characters.len() - tail..])
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn requester(stack_id: &str) -> Requester {
        let text = str::to_owned;
        Requester {
            stack_id: text(stack_id),
            request_id: text("r"),
            logical_resource_id: text("Image"),
            physical_resource_id: None,
        }
    }

    #[test]
    fn a_success_has_every_attribute_as_text() {
        let attributes = Attributes {
            digest: "sha256:0".to_owned(),
            repository_uri: "r/web".to_owned(),
            ..Attributes::default()
        };
        let origin = DigestOrigin::Look(Timestamp::from_millis(1_768_504_620_000));
        let body =
            CustomResourceResponse::present(attributes.clone(), &origin, 7).body(&requester("arn:x:stack/app/1"));
        assert_eq!(CustomResourceResponse::image_of(&body), Some(attributes));
        let body: Value = serde_json::from_str(&body).unwrap();
        let data = body["Data"].as_object().unwrap();
        assert_eq!(data.keys().map(String::as_str).collect::<Vec<_>>(), ATTRIBUTES);
        assert!(data.values().all(Value::is_string));
        assert_eq!(
            (&data["ImageUri"], &data["WaitedSeconds"], &data["SizeBytes"]),
            (&json!("r/web@sha256:0"), &json!("7"), &json!(""))
        );
        assert_eq!(data["DigestFrom"], "found in ECR at 2026-01-15T19:17:00Z");
        assert_eq!(
            (&body["Status"], &body["PhysicalResourceId"]),
            (&json!("SUCCESS"), &json!("pullsafe-image/app/1/Image"))
        );
        assert!(body.get("Reason").is_none());
    }

    #[test]
    fn a_long_reason_loses_its_middle_and_nothing_else() {
        let reason = format!("It failed. {} docker push r/web:1", "\"quotes\" \\ and ünïcode ".repeat(500));
        let body =
            CustomResourceResponse::failed(&reason).body(&requester(&format!("arn:x:stack/{}/1", "a".repeat(255))));
        assert!(body.len() <= LONGEST_ANSWER, "{}", body.len());
        let body: Value = serde_json::from_str(&body).unwrap();
        let reason = body["Reason"].as_str().unwrap();
        assert!(
            reason.starts_with("It failed. ") && reason.ends_with("docker push r/web:1") && reason.contains(" … "),
            "{reason}"
        );
        assert_eq!(body["Status"], "FAILED");
        assert!(body.get("Data").is_none());
    }

    #[test]
    fn a_delete_is_a_success_without_data() {
        let body: Value = serde_json::from_str(&CustomResourceResponse::deleted().body(&requester("s"))).unwrap();
        assert_eq!((&body["Status"], body.get("Data")), (&json!("SUCCESS"), None));
    }
}
