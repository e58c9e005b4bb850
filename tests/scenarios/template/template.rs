//! Reads `template.yaml` as JSON, with CloudFormation's short forms (`!Ref`, `!GetAtt`, `!Sub`, ...) expanded.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The project's folder.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the package lies in the project")
        .to_owned()
}

/// The template as one tree.
pub(crate) struct TemplateTree(Value);

impl TemplateTree {
    /// Reads the project's template.
    pub(crate) fn load() -> Self {
        let text = std::fs::read_to_string(project().join("template.yaml")).expect("template.yaml");
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let documents = Yaml::load_from_str(text).expect("well-formed YAML");
        assert_eq!(documents.len(), 1, "one document");
        Self(convert(&documents[0]))
    }

    /// A section of the template, by name.
    pub(crate) fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap_or_else(|| panic!("no section {name}"))
    }

    /// The whole template as text, to search for what is used anywhere.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }

    /// Every resource of a type: logical id and properties.
    pub(crate) fn resources(&self, kind: &str) -> Vec<(&str, &Value)> {
        self.section("Resources")
            .iter()
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
            .collect()
    }

    /// Every function: logical id and properties.
    pub(crate) fn functions(&self) -> Vec<(&str, &Value)> {
        self.resources("AWS::Serverless::Function")
    }

    /// The properties of one resource.
    pub(crate) fn resource(&self, id: &str) -> &Value {
        let resource = &self.section("Resources").get(id).unwrap_or_else(|| panic!("no resource {id}"))["Properties"];
        assert!(resource.is_object(), "{id} has properties");
        resource
    }
}

/// The events of a function's properties: name, type and properties.
pub(crate) fn events(function: &Value) -> Vec<(&str, &str, &Value)> {
    let events = function["Events"].as_object().into_iter().flatten();
    events
        .map(|(name, event)| (name.as_str(), event["Type"].as_str().expect("a type"), &event["Properties"]))
        .collect()
}

/// The logical id that a `Ref` or `Fn::GetAtt` names.
pub(crate) fn refers_to(value: &Value) -> &str {
    value["Ref"]
        .as_str()
        .or_else(|| value["Fn::GetAtt"][0].as_str())
        .unwrap_or_else(|| panic!("not a reference: {value}"))
}

/// One string, or each string of a list.
pub(crate) fn strings(value: &Value) -> Vec<&str> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    values.iter().map(|value| value.as_str().expect("a string")).collect()
}

fn convert(node: &Yaml) -> Value {
    match node {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => json!(value),
            Scalar::Integer(value) => json!(value),
            Scalar::FloatingPoint(value) => json!(value.into_inner()),
            Scalar::String(value) => json!(value),
        },
        Yaml::Sequence(items) => items.iter().map(convert).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (&Yaml, &Yaml)| (key.as_str().expect("string keys").to_owned(), convert(value));
            Value::Object(entries.iter().map(entry).collect())
        }
        Yaml::Tagged(tag, inner) => intrinsic(&tag.suffix, convert(inner)),
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            panic!("CloudFormation reads neither aliases nor this: {node:?}")
        }
    }
}

fn intrinsic(name: &str, value: Value) -> Value {
    match (name, &value) {
        ("Ref" | "Condition", _) => json!({ name: value }),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').expect("resource.attribute");
            json!({ "Fn::GetAtt": [resource, attribute] })
        }
        _ => json!({ format!("Fn::{name}"): value }),
    }
}

#[test]
fn short_forms_are_written_out() {
    let template = TemplateTree::parse("a: [!Ref B, !GetAtt C.Arn, !Sub \"x-${D}\", !If [E, 1, yes]]");
    let expected =
        json!([{"Ref": "B"}, {"Fn::GetAtt": ["C", "Arn"]}, {"Fn::Sub": "x-${D}"}, {"Fn::If": ["E", 1, "yes"]}]);
    assert_eq!(template.0["a"], expected);
}
