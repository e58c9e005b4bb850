//! A task definition as the JSON that AWS gives, cloned without loss.
//!
//! A typed copy drops every field that the SDK does not know yet (docs/adr/0002). Here a definition stays the
//! JSON it came as: what AWS adds on registration is taken off, the images are changed, and everything else is
//! passed on as it is, known or not. What comes back is compared with what was sent.

use serde_json::{Map, Value, json};

use pullsafe::reference::Reference;

/// The fields that AWS adds when it registers a definition, and refuses in a request.
/// Source: the shapes of RegisterTaskDefinition and DescribeTaskDefinition in the API model.
const OUTPUT_ONLY: &[&str] = &[
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// The tag on a definition that pullsafe registered, naming the definition it was cloned from.
pub const CLONED_FROM: &str = "pullsafe:cloned-from";

/// A registered task definition and its tags.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskDefinition {
    definition: Map<String, Value>,
    tags: Vec<Value>,
}

/// A container of a task definition and what it pulls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// The container's name.
    pub container: String,
    /// The image as written.
    pub written: String,
    /// The image as a reference; `None` if it is malformed.
    pub reference: Option<Reference>,
}

impl TaskDefinition {
    /// Reads the answer of DescribeTaskDefinition (with `include: [TAGS]`) or RegisterTaskDefinition.
    pub fn from_json(answer: &Value) -> Option<Self> {
        let definition = answer.get("taskDefinition")?.as_object()?.clone();
        let tags = answer.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
        Some(Self { definition, tags })
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.definition.get(key)?.as_str()
    }

    /// Returns the network mode, where the definition names one.
    pub fn network_mode(&self) -> Option<&str> {
        self.text("networkMode")
    }

    /// Returns the definition's ARN, with its revision.
    pub fn arn(&self) -> &str {
        self.text("taskDefinitionArn").unwrap_or_default()
    }

    pub fn family(&self) -> &str {
        self.text("family").unwrap_or_default()
    }

    /// Returns the role with which ECS pulls the images, if there is one.
    pub fn execution_role_arn(&self) -> Option<&str> {
        self.text("executionRoleArn")
    }

    /// Returns the platform that the tasks run on, as `os/architecture` in OCI's words. It is Linux on x86-64 unless
    /// the definition says otherwise.
    pub fn platform(&self) -> String {
        let runtime = |key: &str| {
            self.definition
                .get("runtimePlatform")
                .and_then(|platform| platform.get(key))
                .and_then(Value::as_str)
        };
        let architecture = if runtime("cpuArchitecture") == Some("ARM64") { "arm64" } else { "amd64" };
        let os = if runtime("operatingSystemFamily").is_some_and(|family| family.starts_with("WINDOWS")) {
            "windows"
        } else {
            "linux"
        };
        format!("{os}/{architecture}")
    }

    /// Whether it says on which processor its tasks run.
    pub fn says_its_processor(&self) -> bool {
        self.definition
            .get("runtimePlatform")
            .is_some_and(|platform| platform.get("cpuArchitecture").is_some_and(Value::is_string))
    }

    /// Whether it requires this compatibility and no other.
    pub fn requires_only(&self, compatibility: &str) -> bool {
        let required = self.definition.get("requiresCompatibilities").and_then(Value::as_array);
        required.is_some_and(|required| !required.is_empty() && required.iter().all(|one| one == compatibility))
    }

    /// Returns what the definition says of each container.
    pub fn containers(&self) -> &[Value] {
        self.definition
            .get("containerDefinitions")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// Returns what the definition says of one container.
    pub fn container(&self, name: &str) -> Option<&Value> {
        self.containers()
            .iter()
            .find(|container| container.get("name").and_then(Value::as_str) == Some(name))
    }

    /// Returns the value of one of the definition's tags.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let found = self.tags.iter().find(|tag| tag.get("key").and_then(Value::as_str) == Some(key))?;
        found.get("value")?.as_str()
    }

    /// Returns what each container pulls, in the definition's order.
    pub fn images(&self) -> Vec<ContainerImage> {
        self.containers()
            .iter()
            .map(|container| {
                let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                let written = text("image");
                ContainerImage {
                    container: text("name"),
                    reference: written.parse().ok(),
                    written,
                }
            })
            .collect()
    }

    /// Returns the request that registers this definition with some images replaced and all else as it is.
    ///
    /// `moves` pairs an image as written with its replacement. A moved container also loses its
    /// `repositoryCredentials`: they would be sent to the new registry, which does not know them. Tags come along,
    /// without AWS's own (which may not be set), and [`CLONED_FROM`] is added.
    pub fn clone_request(&self, moves: &[(String, String)]) -> Value {
        let mut request = self.without_output();
        for container in request.get_mut("containerDefinitions").and_then(Value::as_array_mut).into_iter().flatten() {
            let image = container.get("image").and_then(Value::as_str);
            let Some((_, replacement)) = image.and_then(|image| moves.iter().find(|(written, _)| written == image))
            else {
                continue;
            };
            if let Some(container) = container.as_object_mut() {
                container.insert("image".to_owned(), Value::String(replacement.clone()));
                container.remove("repositoryCredentials");
            }
        }
        let own = |tag: &&Value| {
            let key = tag.get("key").and_then(Value::as_str).unwrap_or_default();
            !key.starts_with("aws:") && key != CLONED_FROM
        };
        let mut tags: Vec<Value> = self.tags.iter().filter(own).cloned().collect();
        tags.push(json!({ "key": CLONED_FROM, "value": self.arn() }));
        request.insert("tags".to_owned(), Value::Array(tags));
        Value::Object(request)
    }

    /// Returns the paths at which this definition differs from the request that it should have been registered from,
    /// for a person.
    ///
    /// An absent field, `null` and an empty array or object mean the same to ECS and count as equal.
    pub fn differences(&self, request: &Value) -> Vec<String> {
        let mut wanted = request.as_object().cloned().unwrap_or_default();
        wanted.remove("tags");
        let mut paths = Vec::new();
        compare("", &Value::Object(wanted), &Value::Object(self.without_output()), &mut paths);
        paths
    }

    fn without_output(&self) -> Map<String, Value> {
        self.definition
            .iter()
            .filter(|(key, _)| !OUTPUT_ONLY.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn compare(path: &str, wanted: &Value, found: &Value, paths: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let keys = wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key)));
            for key in keys {
                let absent = Value::Null;
                compare(
                    &format!("{path}.{key}"),
                    wanted.get(key).unwrap_or(&absent),
                    found.get(key).unwrap_or(&absent),
                    paths,
                );
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{path}[{index}]"), wanted, found, paths);
            }
        }
        _ if wanted == found || is_empty(wanted) && is_empty(found) => {}
        // An object whose fields are all empty counts as an absent one.
        (Value::Object(fields), other) | (other, Value::Object(fields))
            if is_empty(other) && fields.values().all(is_empty) => {}
        _ => paths.push(path.trim_start_matches('.').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> TaskDefinition {
        TaskDefinition::from_json(&json!({
            "taskDefinition": {
                "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7", "family": "web", "revision": 7, "status": "ACTIVE",
                "registeredAt": 1.0, "requiresAttributes": [{"name": "x"}], "compatibilities": ["FARGATE"],
                "containerDefinitions": [
                    {"name": "app", "image": "redis:7", "repositoryCredentials": {"credentialsParameter": "arn"}, "command": [], "futureField": {"deep": [1, {"x": null}]}},
                    {"name": "side", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/side:1", "repositoryCredentials": {"credentialsParameter": "keep"}},
                ],
                "trustedExecutionConfiguration": {"enclave": true}, "notInventedYet": [{"a": 1}],
            },
            "tags": [{"key": "team", "value": "a"}, {"key": "aws:cloudformation:stack-name", "value": "s"}],
        }))
        .unwrap()
    }

    #[test]
    fn a_clone_differs_only_in_what_was_moved() {
        let request = definition().clone_request(&[("redis:7".to_owned(), "mirror/redis:7".to_owned())]);
        let expected = json!({
            "family": "web",
            "containerDefinitions": [
                {"name": "app", "image": "mirror/redis:7", "command": [], "futureField": {"deep": [1, {"x": null}]}},
                {"name": "side", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/side:1", "repositoryCredentials": {"credentialsParameter": "keep"}},
            ],
            "trustedExecutionConfiguration": {"enclave": true}, "notInventedYet": [{"a": 1}],
            "tags": [{"key": "team", "value": "a"}, {"key": CLONED_FROM, "value": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7"}],
        });
        assert_eq!(request, expected);
    }

    #[test]
    fn a_lost_field_is_named_and_an_empty_one_is_not() {
        let request = definition().clone_request(&[]);
        let mut answer = json!({ "taskDefinition": request });
        answer["taskDefinition"]["revision"] = json!(8);
        answer["taskDefinition"]["volumes"] = json!([]);
        answer["taskDefinition"].as_object_mut().unwrap().remove("tags");
        answer["taskDefinition"]["containerDefinitions"][0].as_object_mut().unwrap().remove("command");
        assert_eq!(TaskDefinition::from_json(&answer).unwrap().differences(&request), Vec::<String>::new());

        answer["taskDefinition"].as_object_mut().unwrap().remove("trustedExecutionConfiguration");
        answer["taskDefinition"]["containerDefinitions"][1]["image"] = json!("other");
        assert_eq!(
            TaskDefinition::from_json(&answer).unwrap().differences(&request),
            ["containerDefinitions[1].image", "trustedExecutionConfiguration"]
        );
    }

    #[test]
    fn the_platform_is_linux_on_x86_unless_said() {
        assert_eq!(definition().platform(), "linux/amd64");
        let arm = json!({"taskDefinition": {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}});
        assert_eq!(TaskDefinition::from_json(&arm).unwrap().platform(), "linux/arm64");
    }
}
