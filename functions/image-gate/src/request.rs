//! A request of CloudFormation, read leniently: every property arrives as text, whatever the template wrote.
//!
//! The envelope, which is what an answer needs, is read apart from the properties, so that bad properties are answered.

use std::time::Duration;

use pullsafe::domain::manifest::Platform;
use pullsafe::domain::reference::{Digest, Reference, ecr_host};
use pullsafe::domain::timestamp::Timestamp;
use pullsafe::registry::Secret;
use serde_json::Value;

/// CloudFormation's own limit, which also holds where a template sets none.
const LONGEST_TIMEOUT_SECONDS: u64 = 3600;

/// What CloudFormation wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestType {
    Create,
    Update,
    Delete,
}

/// Who asks, and where the answer goes.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) request_type: Option<RequestType>,
    pub(crate) response_url: Secret,
    pub(crate) stack_id: String,
    pub(crate) request_id: String,
    pub(crate) logical_resource_id: String,
    pub(crate) physical_resource_id: Option<String>,
    pub(crate) properties: Value,
    /// The condition under which Lambda gave an earlier invocation up, where this is the record of that.
    pub(crate) failed_before: Option<String>,
}

impl Envelope {
    /// Finds the request in an event: the event itself, an SNS notification that carries it, or Lambda's record of an
    /// invocation that failed.
    pub(crate) fn find(event: &Value) -> Option<Self> {
        if let Some(response_url) = event.get("ResponseURL").and_then(Value::as_str) {
            return Some(Self::of(event, response_url));
        }
        if let Some(payload) = event.get("requestPayload") {
            let condition = event.pointer("/requestContext/condition").and_then(Value::as_str).unwrap_or("no condition given");
            return Some(Self { failed_before: Some(condition.to_owned()), ..Self::find(payload)? });
        }
        let message = event.pointer("/Records/0/Sns/Message").and_then(Value::as_str)?;
        Self::find(&serde_json::from_str(message).ok()?)
    }

    fn of(event: &Value, response_url: &str) -> Self {
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut properties = event.get("ResourceProperties").cloned().unwrap_or_default();
        // Seen beside the properties as well as among them.
        if let (Some(properties), Some(timeout)) = (properties.as_object_mut(), event.get("ServiceTimeout")) {
            properties.entry("ServiceTimeout").or_insert_with(|| timeout.clone());
        }
        Self {
            request_type: match text("RequestType").as_str() {
                "Create" => Some(RequestType::Create),
                "Update" => Some(RequestType::Update),
                "Delete" => Some(RequestType::Delete),
                _ => None,
            },
            response_url: Secret::new(response_url),
            stack_id: text("StackId"),
            request_id: text("RequestId"),
            logical_resource_id: text("LogicalResourceId"),
            physical_resource_id: Some(text("PhysicalResourceId")).filter(|id| !id.is_empty()),
            properties,
            failed_before: None,
        }
    }

    /// The id of the resource: constant, so that no change of an image makes CloudFormation replace and delete it.
    pub(crate) fn physical_id(&self) -> String {
        let own = || {
            let stack = self.stack_id.split_once(":stack/").map_or(self.stack_id.as_str(), |(_, stack)| stack);
            format!("pullsafe-image/{stack}/{}", self.logical_resource_id)
        };
        let id = self.physical_resource_id.clone().unwrap_or_else(own);
        id.chars().take(1000).collect()
    }

    /// How long ago CloudFormation signed the address for the answer, which is when it began to wait. Zero if that does not
    /// show or cannot be.
    pub(crate) fn response_url_age(&self, now: Timestamp) -> Duration {
        let signed_at = || {
            let (_, rest) = self.response_url.expose().split_once("X-Amz-Date=")?;
            let (date, time) = rest.get(..16)?.split_once('T')?;
            let part = |text: &str, from: usize, to: usize| text.get(from..to).map(str::to_owned);
            let date = format!("{}-{}-{}", part(date, 0, 4)?, part(date, 4, 6)?, part(date, 6, 8)?);
            Timestamp::parse(&format!("{date}T{}:{}:{}Z", part(time, 0, 2)?, part(time, 2, 4)?, part(time, 4, 6)?))
        };
        let age = signed_at().map(|signed_at| now.seconds_since(signed_at)).filter(|age| (0..7200).contains(age));
        Duration::from_secs(age.unwrap_or_default().unsigned_abs())
    }
}

/// Which image of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Tag(String),
    Digest(Digest),
}

/// What a template asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Properties {
    /// The repository's name, without its registry.
    pub(crate) repository: String,
    /// The registry's host, where the template gave the whole address.
    pub(crate) registry: Option<String>,
    pub(crate) wanted: Wanted,
    pub(crate) platforms: Vec<Platform>,
    pub(crate) source: Option<String>,
    service_timeout_seconds: u64,
}

/// Properties that cannot be used, in words for the template's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Custom::PullsafeImage: {0}")]
pub(crate) struct InvalidProperties(String);

impl Properties {
    pub(crate) fn parse(properties: &Value) -> Result<Self, InvalidProperties> {
        const KNOWN: [&str; 8] =
            ["ImageDigest", "ImageTag", "Platforms", "RepositoryName", "ServiceTimeout", "ServiceToken", "Source", "Trigger"];
        let fail = |why: String| InvalidProperties(why);
        let unknown = properties.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| !KNOWN.contains(key));
        let unknown: Vec<&str> = unknown.collect();
        if !unknown.is_empty() {
            return Err(fail(format!("unknown property {}; known are {}", unknown.join(", "), KNOWN.join(", "))));
        }
        let text = |key: &str| properties.get(key).and_then(as_text);
        let name = text("RepositoryName").ok_or_else(|| fail("RepositoryName is missing".to_owned()))?;
        let (registry, repository) = split_repository(&name).map_err(fail)?;
        let wanted = match (text("ImageTag"), text("ImageDigest")) {
            (Some(_), Some(_)) => return Err(fail("give ImageTag or ImageDigest, not both".to_owned())),
            (None, None) => return Err(fail("ImageTag is missing (or ImageDigest)".to_owned())),
            (None, Some(digest)) => Wanted::Digest(digest.parse().map_err(|_| fail(format!("ImageDigest `{digest}` is not a digest")))?),
            (Some(tag), None) => {
                let valid = Reference::new("registry.example", &repository, Some(&tag), None);
                valid.map_err(|error| fail(format!("ImageTag: {error}")))?;
                Wanted::Tag(tag)
            }
        };
        let platforms = properties.get("Platforms").map(as_list).unwrap_or_default();
        let platforms = platforms.iter().map(|platform| platform.parse()).collect::<Result<_, _>>();
        Ok(Self {
            repository,
            registry,
            wanted,
            platforms: platforms.map_err(|error| fail(format!("Platforms: {error}")))?,
            source: text("Source"),
            // CloudFormation itself refuses what is not 1 to 3600.
            service_timeout_seconds: text("ServiceTimeout").and_then(|seconds| seconds.parse().ok()).unwrap_or(LONGEST_TIMEOUT_SECONDS),
        })
    }

    /// How long to wait: somewhat shorter than CloudFormation does, or the answer comes too late.
    pub(crate) fn patience(&self) -> Duration {
        let seconds = self.service_timeout_seconds.clamp(1, LONGEST_TIMEOUT_SECONDS);
        Duration::from_secs(seconds - (seconds / 4).min(30))
    }
}

/// A name, or a repository's whole address in a private registry.
fn split_repository(name: &str) -> Result<(Option<String>, String), String> {
    let host = name.split('/').next().unwrap_or_default();
    let in_ecr = ecr_host(host).is_some();
    let reference = if in_ecr { name.to_owned() } else { format!("registry.example/{name}") };
    let reference: Reference = reference.parse().map_err(|error| format!("RepositoryName: {error}"))?;
    if reference.tag().is_some() || reference.digest().is_some() {
        return Err(format!("RepositoryName `{name}` carries a tag or a digest; give it as ImageTag or ImageDigest"));
    }
    Ok((in_ecr.then(|| host.to_owned()), reference.repository().to_owned()))
}

/// Text, number or truth value, as text; `None` where it is empty.
fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A list, or a text with commas.
fn as_list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().filter_map(as_text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            let text = as_text(value).unwrap_or_default();
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(properties: &Value) -> Result<Properties, String> {
        Properties::parse(properties).map_err(|error| error.to_string())
    }

    #[test]
    fn properties_are_read_leniently() {
        let properties = parse(&json!({
            "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:gate", "ServiceTimeout": "600",
            "RepositoryName": " 111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/web ", "ImageTag": 14,
            "Platforms": "linux/amd64, linux/arm64", "Trigger": true,
        }))
        .unwrap();
        assert_eq!(properties.registry.as_deref(), Some("111122223333.dkr.ecr.eu-west-1.amazonaws.com"));
        assert_eq!((properties.repository.as_str(), &properties.wanted), ("team/web", &Wanted::Tag("14".to_owned())));
        assert_eq!(properties.platforms.len(), 2);
        assert_eq!(properties.patience(), Duration::from_secs(570));
        let plain = parse(&json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": "20"})).unwrap();
        assert_eq!((plain.registry.as_deref(), plain.repository.as_str()), (None, "web"));
        assert_eq!(plain.patience(), Duration::from_secs(15));
    }

    #[test]
    fn a_bad_property_is_named() {
        for (properties, why) in [
            (json!({}), "RepositoryName is missing"),
            (json!({"RepositoryName": "web"}), "ImageTag is missing"),
            (json!({"RepositoryName": "web", "ImageTag": "1", "Timeout": "5"}), "unknown property Timeout"),
            (json!({"RepositoryName": "web:1", "ImageTag": "1"}), "carries a tag"),
            (json!({"RepositoryName": "Web", "ImageTag": "1"}), "lower case"),
            (json!({"RepositoryName": "web", "ImageTag": "a b"}), "a tag is"),
            (json!({"RepositoryName": "web", "ImageDigest": "sha256:1"}), "not a digest"),
            (json!({"RepositoryName": "web", "ImageTag": "1", "ImageDigest": "x"}), "not both"),
            (json!({"RepositoryName": "web", "ImageTag": "1", "Platforms": ["arm64"]}), "os/architecture"),
        ] {
            let error = parse(&properties).unwrap_err();
            assert!(error.contains(why), "{properties}: {error}");
        }
    }

    fn request() -> Value {
        json!({
            "RequestType": "Create", "RequestId": "r-1", "LogicalResourceId": "Image",
            "ResponseURL": "https://bucket.s3.eu-west-1.amazonaws.com/x?X-Amz-Date=20261121T060000Z&X-Amz-Signature=secret",
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b",
            "ResourceProperties": {"RepositoryName": "web", "ImageTag": "1"},
        })
    }

    #[test]
    fn a_request_is_found_in_every_wrapping() {
        let sns = json!({"Records": [{"Sns": {"Message": request().to_string()}}]});
        let failed = json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": sns.clone()});
        for event in [request(), sns, failed] {
            let envelope = Envelope::find(&event).unwrap();
            assert_eq!((envelope.request_id.as_str(), envelope.request_type), ("r-1", Some(RequestType::Create)));
            assert_eq!(envelope.physical_id(), "pullsafe-image/app/0a1b/Image");
            assert!(!format!("{envelope:?}").contains("secret"));
        }
        assert!(Envelope::find(&json!({"Records": [{"Sns": {"Message": "hello"}}]})).is_none());
        assert!(Envelope::find(&json!("text")).is_none());
    }

    #[test]
    fn the_wait_is_counted_from_the_signature() {
        let envelope = Envelope::find(&request()).unwrap();
        let at = |text: &str| envelope.response_url_age(Timestamp::parse(text).unwrap()).as_secs();
        assert_eq!(at("2026-11-21T06:01:30Z"), 90);
        assert_eq!(at("2026-11-21T05:59:00Z"), 0);
        assert_eq!(at("2026-11-22T06:00:00Z"), 0);
    }
}
