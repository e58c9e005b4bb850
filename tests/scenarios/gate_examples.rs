//! The gate's examples use what it understands, and its table of costs follows from its calls.

use std::collections::BTreeSet;

use image_gate::decide::properties::Properties;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples");

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{FOLDER}/{name}")).unwrap()
}

/// A template as JSON. A value that is known only when the stack is deployed becomes the text `deployed`.
fn template(name: &str) -> Value {
    let documents = Yaml::load_from_str(&read(name)).unwrap();
    assert_eq!(documents.len(), 1);
    convert(&documents[0])
}

fn convert(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Tagged(..) => json!("deployed"),
        Yaml::Mapping(entries) => {
            let entries: Map<String, Value> = entries
                .iter()
                .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), convert(value)))
                .collect();
            if entries.keys().any(|key| key.starts_with("Fn::")) {
                json!("deployed")
            } else {
                Value::Object(entries)
            }
        }
        Yaml::Sequence(items) => items.iter().map(convert).collect(),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::Boolean(flag)) => json!(flag),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Value(Scalar::Null | Scalar::FloatingPoint(_))
        | Yaml::Representation(..)
        | Yaml::Alias(_)
        | Yaml::BadValue => {
            panic!("not expected in an example: {node:?}")
        }
    }
}

#[test]
fn the_templates_ask_for_what_the_gate_understands() {
    for name in ["one-stack.yaml", "gate.yaml"] {
        let template = template(name);
        let gates: Vec<&Value> = template["Resources"]
            .as_object()
            .unwrap()
            .values()
            .filter(|resource| resource["Type"] == "Custom::PullsafeImage")
            .collect();
        assert_eq!(gates.len(), 1, "{name}");
        let mut properties = gates[0]["Properties"].clone();
        if properties["Platforms"] == "deployed" {
            properties["Platforms"] = template["Parameters"]["Platforms"]["Default"].clone();
        }
        let asked = Properties::parse(&properties).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            !asked.platforms.is_empty() && properties["ServiceTimeout"].is_number(),
            "{name} sets ServiceTimeout"
        );
    }
    let service = &template("one-stack.yaml")["Resources"];
    for resource in ["Repository", "Image", "Cluster", "TaskDefinition", "Service"] {
        assert!(service[resource]["Type"].is_string(), "{resource}");
    }
    assert!(read("one-stack.yaml").contains("Image: !GetAtt Image.ImageUri"), "the service runs what was pushed");
}

#[test]
fn the_other_tools_use_the_same_names() {
    let known =
        BTreeSet::from(["RepositoryName", "ImageTag", "ImageDigest", "Platforms", "Signed", "Source", "Trigger"]);
    for (name, begin, end) in [("cdk.ts", "properties: {", "  },"), ("terraform.tf", "parameters = {", "  }\n")] {
        let text = read(name);
        let block = text
            .split_once(begin)
            .and_then(|(_, rest)| rest.split_once(end))
            .unwrap_or_else(|| panic!("{name}: {begin}"))
            .0;
        let names: Vec<&str> = block
            .lines()
            .filter_map(|line| line.split([':', '=']).next().map(str::trim))
            .filter(|name| !name.is_empty())
            .collect();
        assert!(names.len() >= 3 && names.iter().all(|name| known.contains(name)), "{name}: {names:?}");
        assert!(text.contains("ImageUri"), "{name}");
    }
    let parameters = template("gate.yaml")["Parameters"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for parameter in ["RepositoryName", "ImageTag", "Platforms"] {
        assert!(parameters.iter().any(|name| name == parameter), "what terraform.tf sets");
    }
}

#[tokio::test]
async fn the_cost_is_that_of_the_calls() {
    super::documents::check("docs/gate.md", "gate-cost", &scenarios::gate::cost::table().await);
}

#[test]
fn the_errors_of_ecr_are_those_of_the_code() {
    super::documents::check("docs/gate.md", "gate-ecr-errors", &image_gate::decide::ecr_errors::table());
}

/// The hook in the examples is the one that `pullsafe protect` sets and the remediator answers.
#[test]
fn the_examples_of_the_door_have_its_hook() {
    let timeout = json!({ "TimeoutInMinutes": 5, "Action": "CONTINUE" });
    let hook = json!({ "TargetType": "PAUSE", "LifecycleStages": ["PRE_SCALE_UP"], "TimeoutConfiguration": timeout });
    let service = &template("door.yaml")["Resources"]["Service"];
    assert_eq!(service["Type"], "AWS::ECS::Service");
    assert_eq!(service["Properties"]["DeploymentConfiguration"]["LifecycleHooks"], json!([hook]));
    let page = read("../door.md");
    let lines = page.lines().skip_while(|line| line.trim() != "DeploymentConfiguration:").take(3);
    let documents = lines.map(|line| line.get(7..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let three_lines = convert(&Yaml::load_from_str(&documents).unwrap()[0]);
    assert_eq!(three_lines, json!({ "DeploymentConfiguration": { "LifecycleHooks": [hook] } }));
    let terraform = read("door.tf");
    assert!(
        terraform.contains("pullsafe protect ${self.input}")
            && terraform.contains("ignore_changes = [deployment_configuration]")
    );
}
