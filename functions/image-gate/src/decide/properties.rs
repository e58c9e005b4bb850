//! The properties of `Custom::PullsafeImage`, read leniently where a text can mean one thing only, and refused at once
//! where waiting for what it says could never end well. Every fault is found, not only the first.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::deadline::LONGEST_TIMEOUT_SECONDS;
use super::refusal::{InvalidProperties, PropertyRefusal};
use super::wanted::GateImage;
use super::{platforms, repository_name, source};
use pullsafe::manifest::Platform;
use pullsafe::reference::Reference;
use pullsafe::similar::similar;

/// Every property that a template may set.
pub const KNOWN: [&str; 9] = [
    "ImageDigest",
    "ImageTag",
    "Platforms",
    "RepositoryName",
    "ServiceTimeout",
    "ServiceToken",
    "Signed",
    "Source",
    "Trigger",
];

/// What a template asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Properties {
    /// The repository's name, without its registry.
    pub repository: String,
    /// The registry's host, where the template gave the whole address.
    pub registry: Option<String>,
    /// Which image.
    pub wanted: GateImage,
    /// The platforms that it has to be for.
    pub platforms: Vec<Platform>,
    /// The image that the mirror copies where this one is absent.
    pub source: Option<Reference>,
    /// Any text; a change makes CloudFormation ask again.
    pub trigger: Option<String>,
    /// Whether ECR has to have signed it.
    #[serde(default)]
    pub signed: bool,
    /// Whether the tag arrived as a number with a fraction, which loses its last zeros on the way: `1.10` is `1.1`.
    #[serde(default)]
    pub tag_was_a_fraction: bool,
    /// How long CloudFormation waits.
    pub timeout_seconds: i64,
}

impl Properties {
    /// Reads them.
    ///
    /// # Errors
    /// Everything that is missing, unknown, or cannot be used.
    pub fn parse(properties: &Value) -> Result<Self, InvalidProperties> {
        if !properties.is_object() && !properties.is_null() {
            let fault = PropertyRefusal::without_value(
                "ResourceProperties",
                "is not an object",
                "the properties by their names",
            );
            return Err(InvalidProperties(vec![fault]));
        }
        let mut reader = PropertiesReader { properties, faults: Vec::new() };
        reader.refuse_unknown();
        let repository = match reader.text("RepositoryName") {
            Some(text) => reader.keep(repository_name::parse(&text)),
            None => reader.missing("RepositoryName", "RepositoryName: the name of the repository in ECR"),
        };
        let (tag, digest) = (reader.text("ImageTag"), reader.text("ImageDigest"));
        let wanted = if reader.is_odd("ImageTag") || reader.is_odd("ImageDigest") {
            None
        } else {
            reader.keep(GateImage::parse(tag.as_deref(), digest.as_deref()))
        };
        let platforms = reader.keep(platforms::parse(&properties["Platforms"]));
        let source = match (reader.text("Source"), &wanted) {
            (Some(text), Some(wanted)) => reader.keep(source::parse(&text, wanted)),
            (Some(_) | None, _) => None,
        };
        let signed = reader.text("Signed").map_or(Ok(false), |text| flag("Signed", &text));
        let signed = reader.keep(signed);
        let timeout = reader.text("ServiceTimeout").map_or(Ok(LONGEST_TIMEOUT_SECONDS), |text| seconds(&text));
        let timeout = reader.keep(timeout);
        let trigger = reader.text("Trigger");
        match (repository, wanted, platforms, signed, timeout, reader.faults) {
            (
                Some((registry, repository)),
                Some(wanted),
                Some(platforms),
                Some(signed),
                Some(timeout_seconds),
                faults,
            ) if faults.is_empty() => {
                let tag_was_a_fraction = properties["ImageTag"].is_f64();
                Ok(Self {
                    repository,
                    registry,
                    wanted,
                    platforms,
                    source,
                    trigger,
                    signed,
                    tag_was_a_fraction,
                    timeout_seconds,
                })
            }
            (.., faults) => Err(InvalidProperties(faults)),
        }
    }

    /// What makes these properties the same as others: everything but how long to wait.
    pub fn identity(&self) -> String {
        let Self { registry, repository, wanted, platforms, source, trigger, .. } = self;
        if self.signed {
            return json!([registry, repository, wanted, platforms, source, trigger, "signed"]).to_string();
        }
        json!([registry, repository, wanted, platforms, source, trigger]).to_string()
    }

    /// The image in a repository with this address.
    pub fn image_at(&self, uri: &str) -> String {
        match &self.wanted {
            GateImage::Tag(tag) => format!("{uri}:{tag}"),
            GateImage::Digest(digest) => format!("{uri}@{digest}"),
        }
    }
}

struct PropertiesReader<'a> {
    properties: &'a Value,
    faults: Vec<PropertyRefusal>,
}

impl PropertiesReader<'_> {
    /// A property as text. A number and a truth value are taken as they were written, without an exponent or a fraction
    /// of zero.
    fn text(&mut self, name: &'static str) -> Option<String> {
        let text = match &self.properties[name] {
            Value::String(text) => text.trim().to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number
                .as_f64()
                .filter(|float| number.is_f64() && float.fract() == 0.0)
                .map_or_else(|| number.to_string(), |float| format!("{float}")),
            Value::Null => return None,
            // An object where a text belongs must not pass for one that is missing.
            Value::Array(_) | Value::Object(_) => {
                self.faults
                    .push(PropertyRefusal::without_value(name, "is not a text", format!("{name} as one text")));
                return None;
            }
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Whether a property is there as something that is no text, which is told already.
    fn is_odd(&self, name: &str) -> bool {
        self.properties[name].is_array() || self.properties[name].is_object()
    }

    fn missing<T>(&mut self, name: &'static str, write: &str) -> Option<T> {
        if !self.is_odd(name) {
            self.faults.push(PropertyRefusal::without_value(name, "is missing", write));
        }
        None
    }

    fn keep<T>(&mut self, outcome: Result<T, PropertyRefusal>) -> Option<T> {
        outcome.map_err(|refusal| self.faults.push(refusal)).ok()
    }

    fn refuse_unknown(&mut self) {
        let names = self
            .properties
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .filter(|name| !KNOWN.contains(name));
        let faults: Vec<PropertyRefusal> = names.take(5).map(unknown).collect();
        self.faults.extend(faults);
    }
}

fn unknown(name: &str) -> PropertyRefusal {
    if name.eq_ignore_ascii_case("NotArchived") {
        return PropertyRefusal::without_value(
            name,
            "is no property: an image in the archive is never taken",
            "nothing: it is always so",
        );
    }
    let capitals = |known: &&&str| known.eq_ignore_ascii_case(name);
    let short: String = name.chars().take(64).collect();
    let nearest = KNOWN
        .iter()
        .find(capitals)
        .copied()
        .or_else(|| similar(&short, KNOWN.iter().copied()).into_iter().next());
    let write = match nearest {
        Some(nearest) => format!("{nearest}, if that is meant; known are {}", KNOWN.join(", ")),
        None => format!("one of {}", KNOWN.join(", ")),
    };
    PropertyRefusal::without_value(name, "is an unknown property", write)
}

fn flag(name: &str, text: &str) -> Result<bool, PropertyRefusal> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(PropertyRefusal::new(
            name,
            text,
            "is neither true nor false",
            format!("{name}: true or {name}: false"),
        )),
    }
}

/// CloudFormation itself refuses what is not 1 to 3600, but it lets a template's author write 3600.0.
fn seconds(text: &str) -> Result<i64, PropertyRefusal> {
    match text.parse::<f64>() {
        Ok(number) if (1.0..=LONGEST_TIMEOUT_SECONDS as f64).contains(&number) => Ok(number as i64),
        Ok(number) if number.is_finite() => Err(PropertyRefusal::new(
            "ServiceTimeout",
            text,
            "is out of CloudFormation's bounds",
            format!("1 to {LONGEST_TIMEOUT_SECONDS} seconds"),
        )),
        _ => {
            let write = in_seconds(text).map_or_else(
                || format!("1 to {LONGEST_TIMEOUT_SECONDS}"),
                |seconds| format!("ServiceTimeout: {seconds}"),
            );
            Err(PropertyRefusal::new("ServiceTimeout", text, "is not a number of seconds", write))
        }
    }
}

/// What `10m` or `1h` may mean.
fn in_seconds(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "seconds" => 1,
        "m" | "min" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        _ => return None,
    };
    number
        .parse::<i64>()
        .ok()?
        .checked_mul(factor)
        .filter(|seconds| (1..=LONGEST_TIMEOUT_SECONDS).contains(seconds))
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            (properties.repository.as_str(), &properties.wanted),
            ("team/web", &GateImage::Tag("14".to_owned()))
        );
        assert_eq!(properties.platforms.len(), 2);
        assert_eq!((properties.timeout_seconds, properties.trigger.as_deref()), (600, Some("true")));
        let plain = parse(&json!({"RepositoryName": "web", "ImageTag": "1", "ServiceTimeout": "20"})).unwrap();
        assert_eq!((plain.registry.as_deref(), plain.repository.as_str()), (None, "web"));
        assert_eq!(plain.timeout_seconds, 20);
        let slower =
            parse(&json!({"RepositoryName": "web", "ImageTag": 1, "ServiceTimeout": 3600, "ServiceToken": "x"}))
                .unwrap();
        assert_eq!((plain.identity(), slower.timeout_seconds), (slower.identity(), 3600));
        for other in [json!({"Trigger": "2"}), json!({"Signed": "true"})] {
            let mut touched = json!({"RepositoryName": "web", "ImageTag": "1"});
            touched.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
            assert_ne!(plain.identity(), parse(&touched).unwrap().identity());
        }
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let error =
            parse(&json!({"RepositoryName": "docker.io/redis", "ImageTag": "7@sha256:1", "Platforms": "linux/amd65", "Timeout": "10m"}))
                .unwrap_err();
        for property in [
            "RepositoryName `docker.io/redis`",
            "ImageTag `7@",
            "Platforms `linux/amd65`",
            "Timeout is an unknown property",
        ] {
            assert!(error.contains(property), "{property}: {error}");
        }
        assert!(
            parse(&json!({"RepositoryName": {"a": 1}, "ImageTag": ["1"]}))
                .unwrap_err()
                .contains("RepositoryName is not a text")
        );
        assert_eq!(in_seconds("10m"), Some(600));
    }
}
