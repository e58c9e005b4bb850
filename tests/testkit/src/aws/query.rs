//! The awsQuery protocol: nested values as form parameters in, XML out.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

use super::service::AwsError;

/// The parameters of a form, decoded, in order.
pub(super) fn parse_form(form: &str) -> Vec<(String, String)> {
    form.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One level of the nested parameters.
#[derive(Debug, Default)]
struct ParameterLevel {
    value: Option<String>,
    members: BTreeMap<String, ParameterLevel>,
}

/// The parameters as JSON: `A.member.1` becomes a list, `A.entry.1.Name` and `.Value` become a map, everything else
/// becomes objects. All values are strings, because a form does not say their types.
pub(super) fn to_json(parameters: Vec<(String, String)>) -> Value {
    let mut root = ParameterLevel::default();
    for (name, value) in parameters {
        let leaf = name.split('.').fold(&mut root, |node, part| node.members.entry(part.to_owned()).or_default());
        leaf.value = Some(value);
    }
    Value::Object(root.members.into_iter().map(|(name, node)| (name, node.into_json())).collect())
}

impl ParameterLevel {
    fn into_json(mut self) -> Value {
        if let Some(list) = self.members.remove("member") {
            return Value::Array(list.numbered().into_iter().map(Self::into_json).collect());
        }
        if let Some(entries) = self.members.remove("entry") {
            return Value::Object(entries.numbered().into_iter().filter_map(Self::into_entry).collect());
        }
        match self.value {
            Some(value) => Value::String(value),
            None => Value::Object(self.members.into_iter().map(|(name, node)| (name, node.into_json())).collect()),
        }
    }

    fn numbered(self) -> Vec<Self> {
        let mut members: Vec<(u32, Self)> =
            self.members.into_iter().filter_map(|(number, node)| Some((number.parse().ok()?, node))).collect();
        members.sort_by_key(|(number, _)| *number);
        members.into_iter().map(|(_, node)| node).collect()
    }

    fn into_entry(mut self) -> Option<(String, Value)> {
        let mut take = |names: [&str; 2]| names.iter().find_map(|name| self.members.remove(*name));
        let key = take(["Name", "key"])?.value?;
        Some((key, take(["Value", "value"])?.into_json()))
    }
}

/// An answer as XML. Lists become `<member>` tags, objects become nested tags. Maps would need other tags, but no
/// answer of the operations served here has one.
pub(super) fn answer_xml(operation: &str, answer: &Value) -> String {
    let mut xml = format!("<{operation}Response><{operation}Result>");
    write_value(&mut xml, answer);
    xml.push_str(&format!(
        "</{operation}Result><ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata></{operation}Response>"
    ));
    xml
}

/// An error as XML.
pub(super) fn error_xml(error: &AwsError) -> String {
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>",
        escape(&error.code),
        escape(&error.message)
    )
}

fn write_value(xml: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(value) => xml.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => xml.push_str(&value.to_string()),
        Value::String(value) => xml.push_str(&escape(value)),
        Value::Array(values) => values.iter().for_each(|value| write_tag(xml, "member", value)),
        Value::Object(members) => write_members(xml, members),
    }
}

fn write_members(xml: &mut String, members: &Map<String, Value>) {
    // An absent member is left out, because an empty tag would mean an empty string.
    members
        .iter()
        .filter(|(_, value)| !value.is_null())
        .for_each(|(name, value)| write_tag(xml, name, value));
}

fn write_tag(xml: &mut String, name: &str, value: &Value) {
    xml.push_str(&format!("<{name}>"));
    write_value(xml, value);
    xml.push_str(&format!("</{name}>"));
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#xD;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nests_lists_and_maps() {
        let form = "A=1%262&L.member.2=b&L.member.1=a&M.entry.1.Name=k&M.entry.1.Value.S=v+w&E=";
        assert_eq!(to_json(parse_form(form)), json!({"A": "1&2", "E": "", "L": ["a", "b"], "M": {"k": {"S": "v w"}}}));
    }

    #[test]
    fn keeps_more_than_nine_members_in_order() {
        let form: Vec<String> = (1..=11).map(|number| format!("L.member.{number}={number}")).collect();
        let list = to_json(parse_form(&form.join("&")));
        assert_eq!(list["L"][9], "10");
        assert_eq!(list["L"][10], "11");
    }
}
