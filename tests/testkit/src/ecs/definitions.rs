//! Task definitions: registered once and never changed.

use serde_json::{Map, Value, json};

use super::arguments::{client, epoch, list, required, text, texts, wants_tags};
use super::state::EcsState;
use crate::aws::service::AwsError;

/// The defaults that ECS fills into a container definition.
const CONTAINER_DEFAULTS: [(&str, &str); 7] = [
    ("cpu", "0"),
    ("portMappings", "[]"),
    ("essential", "true"),
    ("environment", "[]"),
    ("mountPoints", "[]"),
    ("volumesFrom", "[]"),
    ("systemControls", "[]"),
];

impl EcsState {
    pub(super) fn register_definition(&mut self, request: &Value) -> Result<Value, AwsError> {
        let family = required(request, "family").map_err(|_| client("Family should not be null or empty."))?.to_owned();
        let valid = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
        if family.len() > 255 || !family.chars().all(valid) {
            return Err(client("Invalid 'family' setting for task definition."));
        }
        let containers = list(request, "containerDefinitions");
        if containers.is_empty() {
            return Err(client("Container list cannot be empty."));
        }
        if containers.iter().any(|container| text(container, "image").is_none_or(str::is_empty)) {
            return Err(client("Container.image should not be null or empty."));
        }
        if !containers.iter().any(|container| container["essential"] != json!(false)) {
            return Err(client("At least one container must be marked as essential."));
        }

        let revision = self.definitions.get(&family).map_or(0, Vec::len) + 1;
        let arn = self.arn(&format!("task-definition/{family}:{revision}"));
        self.set_tags(&arn, list(request, "tags"))?;
        let definition = self.registered(request, &arn, revision);
        self.definitions.entry(family).or_default().push(definition.clone());
        let mut answer = json!({"taskDefinition": definition});
        if !list(request, "tags").is_empty() {
            answer["tags"] = self.tags_json(&arn);
        }
        Ok(answer)
    }

    /// The request with what ECS adds to it. Every member of the request is kept, known or unknown.
    fn registered(&self, request: &Value, arn: &str, revision: usize) -> Value {
        let mut definition: Map<String, Value> = request.as_object().cloned().unwrap_or_default();
        definition.remove("tags");
        if let Some(Value::Array(containers)) = definition.get_mut("containerDefinitions") {
            containers.iter_mut().filter_map(Value::as_object_mut).for_each(fill_in);
        }
        for list in ["volumes", "placementConstraints"] {
            definition.entry(list).or_insert_with(|| json!([]));
        }
        let network = text(request, "networkMode").unwrap_or("bridge");
        let fargate = network == "awsvpc" && definition.contains_key("cpu") && definition.contains_key("memory");
        definition.insert("taskDefinitionArn".to_owned(), json!(arn));
        definition.insert("revision".to_owned(), json!(revision));
        definition.insert("status".to_owned(), json!("ACTIVE"));
        definition.insert("requiresAttributes".to_owned(), required_attributes(request));
        definition
            .insert("compatibilities".to_owned(), if fargate { json!(["EC2", "FARGATE"]) } else { json!(["EC2"]) });
        definition.insert("registeredAt".to_owned(), epoch(self.now()));
        definition.insert(
            "registeredBy".to_owned(),
            json!(format!("arn:aws:sts::{}:assumed-role/deployer/session", self.account)),
        );
        Value::Object(definition)
    }

    pub(super) fn describe_definition(&self, request: &Value) -> Result<Value, AwsError> {
        let name = required(request, "taskDefinition")?;
        let found = self.definition(name).ok_or_else(|| client("Unable to describe task definition."))?;
        let mut answer = json!({"taskDefinition": found});
        if wants_tags(request) {
            answer["tags"] = self.tags_json(text(found, "taskDefinitionArn").unwrap_or_default());
        }
        Ok(answer)
    }

    pub(super) fn deregister_definition(&mut self, request: &Value) -> Result<Value, AwsError> {
        let name = required(request, "taskDefinition")?;
        if !name.rsplit('/').next().unwrap_or_default().contains(':') {
            return Err(client("Invalid revision number. Number: null"));
        }
        let arn = self.definition(name).and_then(|found| text(found, "taskDefinitionArn")).map(str::to_owned);
        let arn = arn.ok_or_else(|| client("The specified task definition does not exist."))?;
        let now = epoch(self.now());
        let found = self
            .definitions
            .values_mut()
            .flatten()
            .find(|revision| revision["taskDefinitionArn"] == arn.as_str());
        let Some(found) = found else {
            return Err(client("The specified task definition does not exist."));
        };
        if found["status"] == "ACTIVE" {
            found["status"] = json!("INACTIVE");
            found["deregisteredAt"] = now;
        }
        Ok(json!({"taskDefinition": found}))
    }
}

fn fill_in(container: &mut Map<String, Value>) {
    for (member, value) in CONTAINER_DEFAULTS {
        // The constants above are valid JSON.
        container.entry(member).or_insert_with(|| value.parse().unwrap_or_default());
    }
    if let Some(Value::Array(ports)) = container.get_mut("portMappings") {
        for port in ports.iter_mut().filter_map(Value::as_object_mut) {
            let host = port.get("containerPort").cloned();
            if let Some(host) = host {
                port.entry("hostPort").or_insert(host);
            }
            port.entry("protocol").or_insert_with(|| json!("tcp"));
        }
    }
}

fn required_attributes(request: &Value) -> Value {
    let mut names = vec!["com.amazonaws.ecs.capability.docker-remote-api.1.18".to_owned()];
    if text(request, "executionRoleArn").is_some() {
        names.push("ecs.capability.execution-role-ecr-pull".to_owned());
    }
    if text(request, "networkMode") == Some("awsvpc") {
        names.push("ecs.capability.task-eni".to_owned());
    }
    for driver in list(request, "containerDefinitions")
        .iter()
        .filter_map(|container| container["logConfiguration"]["logDriver"].as_str())
    {
        names.push(format!("com.amazonaws.ecs.capability.logging-driver.{driver}"));
    }
    if texts(request, "requiresCompatibilities").iter().any(|kind| kind == "FARGATE") {
        names.push("com.amazonaws.ecs.capability.docker-remote-api.1.29".to_owned());
    }
    names.dedup();
    names.into_iter().map(|name| json!({"name": name})).collect()
}
