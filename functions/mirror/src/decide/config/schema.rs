//! The configuration as a JSON schema, for editors: made from the list of keys.
//!
//! It is never stricter than the parser, for a red line under what is right is worse than none under what is wrong.
//! What it cannot say (that a range has a meaning, that a key comes once) the parser says.

use serde_json::{Map, Value, json};

use super::keys::{ConfigKey, IMAGE, KEYS, LIFECYCLE, MUST_BE_SET, TAGS, ValueKind};

/// The schema, draft 2020-12.
pub fn schema() -> Value {
    let mut root = mapping("");
    root.extend(object(json!({
        "required": ["registry"],
        // What selects nothing is a mistake.
        "anyOf": [{"required": ["discover"]}, {"required": ["images"], "properties": {"images": {"minItems": 1}}}],
    })));
    let mut schema = object(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of pullsafe's mirror",
    }));
    schema.extend(root);
    schema.insert(
        "$defs".to_owned(),
        json!({
            "image": image(),
            "selection": {"anyOf": [{"$ref": "#/$defs/tags"}, {"$ref": "#/$defs/rule"}]},
            "tags": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/tag"}},
            "tag": {"type": ["string", "number", "boolean"], "pattern": TAG},
            "rule": rule(),
            "pattern": {"type": ["string", "number", "boolean"], "pattern": "^\\s*[A-Za-z0-9_.*?-]{1,128}\\s*$"},
        }),
    );
    Value::Object(schema)
}

/// A tag, a digest, or both. White space around any text is left out by the parser.
const TAG: &str = "^\\s*([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{64})\\s*$";
/// A colon only before the port of a registry, capital letters only in its host, no digest.
const REPOSITORY: &str = "^\\s*([^/@\\s]+/)?[a-z0-9][a-z0-9._/-]*\\s*$";

/// One repository with its tags, or a mapping that names both.
fn image() -> Value {
    let keys: Vec<&str> = KEYS.iter().filter(|key| key.within == IMAGE).map(|key| key.name).collect();
    let any: Vec<Value> = keys.iter().map(|key| json!({"required": [key]})).collect();
    json!({
        "type": "object",
        "properties": properties(IMAGE),
        "if": {"anyOf": any},
        "then": {"required": ["source", "tags"], "propertyNames": {"enum": keys}},
        "else": {
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": {"pattern": REPOSITORY, "not": {"const": "scratch"}},
            "additionalProperties": {"$ref": "#/$defs/selection"},
        },
    })
}

fn rule() -> Value {
    let mut rule = mapping(TAGS);
    let selects = ["semver", "include", "newest", "max_age_days"];
    let any: Vec<Value> = selects.iter().map(|key| json!({"required": [key]})).collect();
    rule.insert("anyOf".to_owned(), any.into());
    Value::Object(rule)
}

/// A mapping with the keys of the list and no other.
fn mapping(within: &str) -> Map<String, Value> {
    let mut mapping =
        object(json!({"type": "object", "additionalProperties": false, "properties": properties(within)}));
    if within == LIFECYCLE {
        mapping.insert("required".to_owned(), json!(["keep"]));
    }
    mapping
}

fn properties(within: &str) -> Value {
    KEYS.iter()
        .filter(|key| key.within == within)
        .map(|key| (key.name.to_owned(), property(key)))
        .collect::<Map<_, _>>()
        .into()
}

fn property(key: &ConfigKey) -> Value {
    let default = if key.default == MUST_BE_SET {
        "It must be set.".to_owned()
    } else {
        format!("Default: {}.", key.default)
    };
    let mut property = object(json!({"description": format!("{} {default}", key.meaning)}));
    property.extend(object(value(key.kind)));
    Value::Object(property)
}

fn value(kind: ValueKind) -> Value {
    match kind {
        ValueKind::Host => json!({"type": "string", "pattern": "^[^/@\\s]+$", "not": {"const": "docker.io"}}),
        ValueKind::Prefix => json!({"type": ["string", "number", "boolean"], "pattern": "^[a-z0-9._/\\s-]*$"}),
        ValueKind::Repository => json!({"type": "string", "pattern": REPOSITORY, "not": {"const": "scratch"}}),
        ValueKind::Choice(words) => json!({"enum": words}),
        ValueKind::Images => json!({"type": "array", "items": {"$ref": "#/$defs/image"}}),
        ValueKind::Selection => json!({"$ref": "#/$defs/selection"}),
        ValueKind::Platforms => {
            json!({"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^\\s*[^/]+/[^/]+(/[^/]+)?\\s*$"}})
        }
        ValueKind::Range => json!({"type": ["string", "number"], "pattern": "[0-9*xX]"}),
        ValueKind::Patterns => {
            json!({"anyOf": [{"$ref": "#/$defs/pattern"}, {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/pattern"}}]})
        }
        ValueKind::Flag => json!({"type": "boolean"}),
        ValueKind::Number(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        ValueKind::Mapping(name) => Value::Object(mapping(name)),
        ValueKind::Texts => json!({
            "type": "object",
            "propertyNames": {"minLength": 1, "maxLength": 128, "not": {"pattern": "^aws:"}},
            "additionalProperties": {"type": ["string", "number", "boolean"], "pattern": "\\S"},
        }),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
