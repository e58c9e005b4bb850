//! Tags, with AWS's limits.

use serde_json::{Value, json};

use super::arguments::{invalid, list, required, text, texts};
use super::state::EcsState;
use crate::aws::service::AwsError;

const MOST_TAGS: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

impl EcsState {
    pub(super) fn tag_resource(&mut self, request: &Value) -> Result<Value, AwsError> {
        let arn = self.taggable(request)?;
        self.set_tags(&arn, list(request, "tags"))?;
        Ok(json!({}))
    }

    pub(super) fn untag_resource(&mut self, request: &Value) -> Result<Value, AwsError> {
        let arn = self.taggable(request)?;
        let keys = texts(request, "tagKeys");
        if keys.iter().any(|key| is_reserved(key)) {
            return Err(reserved());
        }
        self.tags.entry(arn).or_default().retain(|(key, _)| !keys.contains(key));
        Ok(json!({}))
    }

    pub(super) fn list_tags(&self, request: &Value) -> Result<Value, AwsError> {
        let arn = self.taggable(request)?;
        Ok(json!({"tags": self.tags_json(&arn)}))
    }

    /// The tags of a resource as the API shows them.
    pub(super) fn tags_json(&self, arn: &str) -> Value {
        self.tags
            .get(arn)
            .into_iter()
            .flatten()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect()
    }

    /// Sets the tags that a caller may set: all of them, or none if one is invalid.
    pub(super) fn set_tags(&mut self, arn: &str, tags: &[Value]) -> Result<(), AwsError> {
        let mut all = self.tags.get(arn).cloned().unwrap_or_default();
        for tag in tags {
            let (key, value) = checked(tag)?;
            match all.iter_mut().find(|(known, _)| known == key) {
                Some(known) => known.1 = value.to_owned(),
                None => all.push((key.to_owned(), value.to_owned())),
            }
        }
        // Tags that AWS sets do not count.
        if all.iter().filter(|(key, _)| !is_reserved(key)).count() > MOST_TAGS {
            return Err(invalid(format!("The resource can not have more than {MOST_TAGS} tags.")));
        }
        self.tags.insert(arn.to_owned(), all);
        Ok(())
    }

    fn taggable(&self, request: &Value) -> Result<String, AwsError> {
        let arn = required(request, "resourceArn")?;
        let known = self.services.get(arn).is_some_and(|service| service.active)
            || self.tasks.contains_key(arn)
            || self.definition(arn).is_some()
            || self.clusters.keys().any(|name| self.cluster_arn(name) == arn);
        if known {
            return Ok(arn.to_owned());
        }
        let parsed = arn
            .strip_prefix(&self.arn(""))
            .ok_or_else(|| invalid(format!("Invalid identifier: Unexpected identifier: {arn}")))?;
        Err(match parsed.split('/').next() {
            Some("cluster") => AwsError::client("ClusterNotFoundException", "Cluster not found."),
            _ => AwsError::client(
                "ResourceNotFoundException",
                "The specified resource is inactive or does not exist. Specify an active resource and try again.",
            ),
        })
    }
}

impl super::EcsApi {
    /// Sets a tag that only AWS may set, such as `aws:cloudformation:stack-name`.
    pub fn set_aws_tag(&self, arn: &str, key: &str, value: &str) {
        let mut state = self.lock();
        let tags = state.tags.entry(arn.to_owned()).or_default();
        tags.retain(|(known, _)| known != key);
        tags.push((key.to_owned(), value.to_owned()));
    }
}

fn checked(tag: &Value) -> Result<(&str, &str), AwsError> {
    let key = text(tag, "key").unwrap_or_default();
    let value = text(tag, "value").unwrap_or_default();
    if is_reserved(key) {
        return Err(reserved());
    }
    if !(1..=LONGEST_KEY).contains(&key.chars().count()) {
        return Err(invalid(format!("Tag keys must be between 1 and {LONGEST_KEY} characters long.")));
    }
    if value.chars().count() > LONGEST_VALUE {
        return Err(invalid(format!("Tag values can not be longer than {LONGEST_VALUE} characters.")));
    }
    let allowed = |character: char| character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character);
    if !key.chars().chain(value.chars()).all(allowed) {
        return Err(invalid(
            "Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers and _ . / = + - : \
             @",
        ));
    }
    Ok((key, value))
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

fn reserved() -> AwsError {
    invalid("Tag keys that start with aws: are reserved for AWS use. Remove the prefix and try again.")
}
