//! The schema says what the parser says, as far as a schema can.

use serde_json::{Map, Number, Value, json};

use crate::decide::schema;
use crate::decide::{KEYS, MirrorConfig, ValueKind};
use pullsafe_yaml::{Node, Shape, Style, Tree};

/// What a text is as JSON, as an editor sees it: by the core schema of YAML 1.2. `None` where it is no document.
fn json_of(text: &str) -> Option<Value> {
    fn value(node: Node<'_, &str>) -> Value {
        match node.shape() {
            Shape::Null => Value::Null,
            Shape::Scalar(text, Style::Plain) => match text {
                "true" | "True" | "TRUE" => true.into(),
                "false" | "False" | "FALSE" => false.into(),
                _ => text.parse::<Number>().map_or_else(|_| text.into(), Value::Number),
            },
            Shape::Scalar(text, _) => text.into(),
            Shape::Sequence(items) => items.into_iter().map(value).collect(),
            Shape::Mapping(entries) => {
                let name = |key: Node<'_, &str>| key.scalar().unwrap_or_default().to_owned();
                entries.into_iter().map(|(key, entry)| (name(key), value(entry))).collect::<Map<_, _>>().into()
            }
        }
    }
    let (tree, broken) = Tree::read(text.trim_start_matches('\u{feff}'));
    let mut documents = tree.documents();
    let root = documents.next().filter(|_| broken.is_none() && documents.next().is_none())?;
    Some(value(root))
}

/// Whether the schema takes a text.
pub(crate) fn takes(text: &str) -> bool {
    let schema = schema();
    json_of(text).is_some_and(|value| valid(&schema, &schema, &value))
}

/// The keywords that the schema uses, as draft 2020-12 defines them. Another keyword is an error, and not ignored.
fn valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(schema) = schema.as_object() else {
        return schema != &Value::Bool(false);
    };
    let each =
        |list: &Value| -> Vec<bool> { list.as_array().unwrap().iter().map(|one| valid(root, one, value)).collect() };
    let keys: Vec<&String> = value.as_object().map(|map| map.keys().collect()).unwrap_or_default();
    let length = value.as_str().map(|text| text.chars().count() as u64);
    schema.iter().all(|(keyword, wanted)| match keyword.as_str() {
        "$schema" | "$defs" | "title" | "description" | "then" | "else" => true,
        "$ref" => valid(root, root.pointer(wanted.as_str().unwrap().trim_start_matches('#')).unwrap(), value),
        "type" => match wanted.as_array() {
            Some(names) => names.iter().any(|name| is(value, name.as_str().unwrap())),
            None => is(value, wanted.as_str().unwrap()),
        },
        "const" => value == wanted,
        "enum" => wanted.as_array().unwrap().contains(value),
        "not" => !valid(root, wanted, value),
        "anyOf" => each(wanted).contains(&true),
        "if" => {
            let branch = if valid(root, wanted, value) { "then" } else { "else" };
            schema.get(branch).is_none_or(|branch| valid(root, branch, value))
        }
        "pattern" => value
            .as_str()
            .is_none_or(|text| regex::Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text)),
        "minLength" => length.is_none_or(|length| length >= wanted.as_u64().unwrap()),
        "maxLength" => length.is_none_or(|length| length <= wanted.as_u64().unwrap()),
        "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| valid(root, wanted, item))),
        "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= wanted.as_u64().unwrap()),
        "maxProperties" => value.as_object().is_none_or(|map| map.len() as u64 <= wanted.as_u64().unwrap()),
        "required" => {
            !value.is_object()
                || wanted.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "propertyNames" => keys.iter().all(|key| valid(root, wanted, &Value::String((*key).clone()))),
        "properties" => keys.iter().all(|key| wanted.get(*key).is_none_or(|schema| valid(root, schema, &value[*key]))),
        "additionalProperties" => {
            let named = |key: &str| schema.get("properties").is_some_and(|named| named.get(key).is_some());
            keys.iter().all(|key| named(key) || valid(root, wanted, &value[*key]))
        }
        other => panic!("`{other}` is no keyword that this test knows"),
    })
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("`{other}` is no type"),
    }
}

/// The schema of the value of a key.
fn property<'s>(schema: &'s Value, within: &str, name: &str) -> &'s Value {
    let place = match within {
        "images[]" => "/$defs/image".to_owned(),
        "images[].tags" => "/$defs/rule".to_owned(),
        path => path.split('.').filter(|part| !part.is_empty()).map(|part| format!("/properties/{part}")).collect(),
    };
    schema
        .pointer(&format!("{place}/properties/{name}"))
        .unwrap_or_else(|| panic!("{within}.{name} is not in the schema"))
}

#[test]
fn every_key_is_in_the_schema_and_no_other() {
    fn count(schema: &Value) -> usize {
        match schema {
            Value::Object(map) => {
                let own = map.get("properties").and_then(Value::as_object);
                let described =
                    own.map_or(0, |own| own.values().filter(|value| value.get("description").is_some()).count());
                described + map.values().map(count).sum::<usize>()
            }
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }
    let schema = schema();
    for key in KEYS {
        assert!(property(&schema, key.within, key.name)["description"].as_str().unwrap().contains(key.meaning));
    }
    assert_eq!(count(&schema), KEYS.len());
}

#[test]
fn bounds_and_words_are_those_of_the_parser() {
    for key in KEYS {
        let with = |value: &str| {
            let inner = if key.within == "repositories.lifecycle" {
                "repositories: {lifecycle: {keep: VALUE}}".to_owned()
            } else {
                let nested = format!("{}: VALUE", key.name);
                match key.within {
                    "images[].tags" => format!("images: [{{a: {{include: x, {nested}}}}}]"),
                    "prune.keep" => format!("prune: {{keep: {{{nested}}}}}"),
                    "" => nested,
                    within => format!("{within}: {{{nested}}}"),
                }
            };
            format!(
                "registry: localhost:5000\n{}{}\n",
                if key.name == "discover" { "" } else { "discover: ecs\n" },
                inner.replace("VALUE", value)
            )
        };
        let check = |value: &str, taken: bool| {
            let text = with(value);
            assert_eq!((MirrorConfig::parse(&text).is_ok(), takes(&text)), (taken, taken), "{text}");
        };
        match key.kind {
            ValueKind::Number(least, most) => {
                check(&least.to_string(), true);
                check(&most.to_string(), true);
                check(&(i64::from(least) - 1).to_string(), false);
                check(&(i64::from(most) + 1).to_string(), false);
                check("'3'", false);
                check("1.5", false);
            }
            ValueKind::Choice(words) => {
                words.iter().for_each(|word| check(word, true));
                check("other", false);
            }
            ValueKind::Flag => {
                check("true", true);
                check("false", true);
                check("yes", false);
            }
            ValueKind::Host
            | ValueKind::Prefix
            | ValueKind::Repository
            | ValueKind::Images
            | ValueKind::Selection
            | ValueKind::Platforms => {}
            ValueKind::Range | ValueKind::Patterns | ValueKind::Mapping(_) | ValueKind::Texts => {}
        }
    }
}

#[test]
fn the_examples_in_the_documents_are_read_and_valid() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let page = include_str!("../../../../../docs/mirror.md");
    let examples: Vec<String> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|text| text.contains("registry:"))
        .map(|text| text.replace("sha256:...", &digest))
        .collect();
    assert!(!examples.is_empty());
    for text in examples {
        assert!(MirrorConfig::parse(&text).is_ok() && takes(&text), "{text}");
    }
}

#[test]
fn plain_numbers_and_words_are_tags_patterns_and_texts() {
    for rest in [
        "images: [{a: [3.10, 3, true, \" 1 \"]}]",
        "images: [{a: {include: 3.1, exclude: [true, 4], semver: 3.11}}]",
        "images: [{LOCALHOST:5000/a: ['1']}]",
        "discover: ecs\nrepositories: {tags: {team: 1, live: true}}",
        "discover: ecs\nprefix: 7",
        "discover: ecs\nprefix: /a/",
        "discover: ecs\nimages: []",
    ] {
        let text = format!("registry: localhost:5000\n{rest}\n");
        assert!(MirrorConfig::parse(&text).is_ok() && takes(&text), "{text}");
    }
    assert_eq!(json_of("a: [1, '1', ~]"), Some(json!({"a": [1, "1", null]})));
}
