//! A request of CloudFormation, read leniently: every property arrives as text, whatever the template wrote.
//!
//! The envelope, which is what an answer needs, is read apart from the properties, so that bad properties are answered.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::deadline::LONGEST_TIMEOUT_SECONDS;
use super::url::ResponseUrl;
use pullsafe::manifest::Platform;
use pullsafe::reference::{Digest, Reference, ecr_host};
use pullsafe::timestamp::Timestamp;

/// So many bytes CloudFormation takes as the id of a resource.
const LONGEST_ID: usize = 1024;

/// What CloudFormation wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestType {
    /// A new resource.
    Create,
    /// Other properties of a resource; a rollback too.
    Update,
    /// An end of a resource.
    Delete,
}

/// Who asks, in CloudFormation's own words, which an answer has to repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// The stack.
    pub stack_id: String,
    /// The request.
    pub request_id: String,
    /// The resource in the template.
    pub logical_resource_id: String,
    /// What was answered for this resource before.
    pub physical_resource_id: Option<String>,
}

impl Requester {
    /// The id of the resource: constant, so that no change of an image makes CloudFormation replace and delete it.
    pub fn physical_id(&self) -> String {
        let own = || {
            let stack = self.stack_id.split_once(":stack/").map_or(self.stack_id.as_str(), |(_, stack)| stack);
            format!("pullsafe-image/{stack}/{}", self.logical_resource_id)
        };
        // Another id than the one that came would make CloudFormation replace the resource.
        let mut id = self.physical_resource_id.clone().unwrap_or_else(own);
        id.truncate(id.floor_char_boundary(LONGEST_ID));
        id
    }
}

/// A request, and where its answer goes.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// What is wanted; `None` if that cannot be read.
    pub request_type: Option<RequestType>,
    /// Where the answer goes.
    pub response_url: ResponseUrl,
    /// Who asks.
    pub requester: Requester,
    /// The properties as they came.
    pub properties: Value,
    /// When the request was on its way, where its wrapping says so.
    pub sent_at: Option<Timestamp>,
    /// The condition under which Lambda gave an earlier invocation up, where this is the record of that.
    pub failed_before: Option<String>,
}

impl Envelope {
    /// Finds the requests in an event: the event itself, SNS notifications that carry them (from Lambda, or from a queue), or
    /// Lambda's record of an invocation that failed.
    pub fn find(event: &Value) -> Vec<Self> {
        if let Some(payload) = event.get("requestPayload") {
            let condition = event.pointer("/requestContext/condition").and_then(Value::as_str).unwrap_or("no condition given");
            let failed = |envelope| Self { failed_before: Some(condition.to_owned()), ..envelope };
            return Self::find_delivered(payload).into_iter().map(failed).collect();
        }
        Self::find_delivered(event)
    }

    /// Finds the requests in what Lambda was given.
    fn find_delivered(event: &Value) -> Vec<Self> {
        if let Some(response_url) = event.get("ResponseURL").and_then(Value::as_str) {
            return vec![Self::of(event, response_url)];
        }
        let records = event.get("Records").and_then(Value::as_array).into_iter().flatten().filter_map(|record| record.get("Sns"));
        records.chain([event]).filter_map(Self::notified).collect()
    }

    /// The request in a notification: never another notification.
    fn notified(notification: &Value) -> Option<Self> {
        let message: Value = serde_json::from_str(notification.get("Message")?.as_str()?).ok()?;
        let sent_at = notification.get("Timestamp").and_then(Value::as_str).and_then(Timestamp::parse);
        let response_url = message.get("ResponseURL").and_then(Value::as_str)?;
        Some(Self { sent_at, ..Self::of(&message, response_url) })
    }

    /// Whether an event is a request whose answer has nowhere to go.
    pub fn is_unanswerable(event: &Value) -> bool {
        let has = |key: &str| event.get(key).is_some();
        (has("RequestType") || has("ResponseURL")) && !event.get("ResponseURL").is_some_and(Value::is_string)
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
            response_url: ResponseUrl::new(response_url),
            requester: Requester {
                stack_id: text("StackId"),
                request_id: text("RequestId"),
                logical_resource_id: text("LogicalResourceId"),
                physical_resource_id: Some(text("PhysicalResourceId")).filter(|id| !id.is_empty()),
            },
            properties,
            sent_at: None,
            failed_before: None,
        }
    }
}

/// Which image of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// What a tag means.
    Tag(String),
    /// This very one.
    Digest(Digest),
}

/// What a template asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Properties {
    /// The repository's name, without its registry.
    pub repository: String,
    /// The registry's host, where the template gave the whole address.
    pub registry: Option<String>,
    /// Which image.
    pub wanted: Wanted,
    /// The platforms that it has to be for.
    pub platforms: Vec<Platform>,
    /// The image that the mirror copies where this one is absent.
    pub source: Option<Reference>,
    /// Any text; a change makes CloudFormation ask again.
    pub trigger: Option<String>,
    /// How long CloudFormation waits.
    pub timeout_seconds: i64,
}

/// Properties that cannot be used, in words for the template's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Custom::PullsafeImage: {0}")]
pub struct InvalidProperties(String);

impl Properties {
    /// Reads them.
    ///
    /// # Errors
    /// One is missing, unknown, or cannot be used.
    pub fn parse(properties: &Value) -> Result<Self, InvalidProperties> {
        const KNOWN: [&str; 8] =
            ["ImageDigest", "ImageTag", "Platforms", "RepositoryName", "ServiceTimeout", "ServiceToken", "Source", "Trigger"];
        let fail = |why: String| InvalidProperties(why);
        if !properties.is_object() && !properties.is_null() {
            return Err(fail("ResourceProperties is not an object".to_owned()));
        }
        let unknown = properties.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| !KNOWN.contains(key));
        let unknown: Vec<&str> = unknown.collect();
        if !unknown.is_empty() {
            return Err(fail(format!("unknown property {}; known are {}", unknown.join(", "), KNOWN.join(", "))));
        }
        // An object where a text belongs must not pass for one that is missing.
        let scalar = |key: &&&str| **key != "Platforms" && properties.get(**key).is_some_and(|value| value.is_object() || value.is_array());
        if let Some(key) = KNOWN.iter().find(scalar) {
            return Err(fail(format!("{key} is not a text")));
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
        let platforms = properties.get("Platforms").map(as_list).unwrap_or_else(|| Ok(Vec::new())).map_err(fail)?;
        let platforms = platforms.iter().map(|platform| platform.parse()).collect::<Result<_, _>>();
        let source = text("Source").map(|source| source.parse::<Reference>()).transpose();
        let timeout = match text("ServiceTimeout") {
            None => LONGEST_TIMEOUT_SECONDS,
            // CloudFormation itself refuses what is not 1 to 3600, but it lets a template's author write 3600.0.
            Some(seconds) => match seconds.parse::<f64>() {
                Ok(number) if number.is_finite() && number >= 1.0 => number as i64,
                _ => return Err(fail(format!("ServiceTimeout `{seconds}` is not a number of seconds"))),
            },
        };
        Ok(Self {
            repository,
            registry,
            wanted,
            platforms: platforms.map_err(|error| fail(format!("Platforms: {error}")))?,
            source: source.map_err(|error| fail(format!("Source: {error}")))?,
            trigger: text("Trigger"),
            timeout_seconds: timeout.clamp(1, LONGEST_TIMEOUT_SECONDS),
        })
    }

    /// What makes these properties the same as others: everything but how long to wait.
    pub fn identity(&self) -> String {
        json!([self.registry, self.repository, self.wanted, self.platforms, self.source, self.trigger]).to_string()
    }

    /// The image in a repository with this address.
    pub fn image_at(&self, uri: &str) -> String {
        match &self.wanted {
            Wanted::Tag(tag) => format!("{uri}:{tag}"),
            Wanted::Digest(digest) => format!("{uri}@{digest}"),
        }
    }
}

/// A name, or a repository's whole address in a private registry.
fn split_repository(name: &str) -> Result<(Option<String>, String), String> {
    if let Some((scheme, _)) = name.split_once("://") {
        return Err(format!("RepositoryName `{name}` is a URL; give it without `{scheme}://`"));
    }
    if name.starts_with("arn:") {
        return Err(format!("RepositoryName `{name}` is an ARN; give the repository's name or its URI"));
    }
    if ecr_host(name).is_some() {
        return Err(format!("RepositoryName `{name}` names a registry and no repository"));
    }
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

/// A list of texts, or a text with commas.
fn as_list(value: &Value) -> Result<Vec<String>, String> {
    let is_text = |value: &Value| !value.is_object() && !value.is_array();
    match value {
        Value::Array(values) if values.iter().all(is_text) => Ok(values.iter().filter_map(as_text).collect()),
        Value::Array(_) => Err("Platforms has an item that is not a text".to_owned()),
        Value::Object(_) => Err("Platforms is neither a text nor a list".to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let text = as_text(value).unwrap_or_default();
            Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
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
        assert_eq!((properties.timeout_seconds, properties.trigger.as_deref()), (600, Some("true")));
        let plain = parse(&json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": "20"})).unwrap();
        assert_eq!((plain.registry.as_deref(), plain.repository.as_str()), (None, "web"));
        assert_eq!(plain.timeout_seconds, 20);
        let slower = parse(&json!({"RepositoryName": "web", "ImageTag": 1, "ServiceTimeout": 3600, "ServiceToken": "x"})).unwrap();
        assert_eq!((plain.identity(), slower.timeout_seconds), (slower.identity(), 3600));
        let touched = parse(&json!({"RepositoryName": "web", "ImageTag": "1", "Trigger": "2"})).unwrap();
        assert_ne!(plain.identity(), touched.identity());
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
            (json!({"RepositoryName": "web", "ImageTag": "1", "Source": "Redis"}), "Source: "),
            (json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": "soon"}), "not a number of seconds"),
            (json!({"RepositoryName": {"a": 1}, "ImageTag": "1"}), "RepositoryName is not a text"),
            (json!([1]), "not an object"),
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
            let [envelope] = Envelope::find(&event).try_into().unwrap();
            assert_eq!((envelope.requester.request_id.as_str(), envelope.request_type), ("r-1", Some(RequestType::Create)));
            assert_eq!(envelope.requester.physical_id(), "pullsafe-image/app/0a1b/Image");
            assert!(!format!("{envelope:?}").contains("secret"));
        }
        assert!(Envelope::find(&json!({"Records": [{"Sns": {"Message": "hello"}}]})).is_empty());
        assert!(Envelope::find(&json!("text")).is_empty());
    }
}
