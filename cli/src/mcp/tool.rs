//! A tool: a command of this program, and the inputs that an assistant may give to it.

use std::sync::Arc;

use pullsafe::foreign;
use rmcp::model::{self, JsonObject, ToolAnnotations};
use serde_json::{Value, json};

use crate::terminal::CommandResult;

/// A command of this program, for an assistant.
pub(super) struct AssistantTool {
    pub(super) name: &'static str,
    /// The tool's name for people.
    pub(super) title: &'static str,
    /// What the tool answers, and when it helps.
    pub(super) description: &'static str,
    /// The arguments that the command always gets.
    pub(super) always: &'static [&'static str],
    /// Whether the command reads the stack's table.
    pub(super) reads_table: bool,
    pub(super) inputs: &'static [Input],
    /// Runs the command with these arguments.
    pub(super) answer: fn(&[String]) -> Result<CommandResult, String>,
}

/// An input of a tool.
pub(super) struct Input {
    pub(super) name: &'static str,
    /// What the input means.
    pub(super) description: &'static str,
    /// The option that the input becomes; without one, it is a positional argument.
    pub(super) option: Option<&'static str>,
    /// The form of its value.
    pub(super) kind: InputKind,
    /// Whether the tool needs the input.
    pub(super) required: bool,
}

/// The form of an input's value.
pub(super) enum InputKind {
    /// A text.
    Text,
    /// Several texts.
    Texts,
    /// An integer from zero on.
    Count,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl InputKind {
    fn schema(&self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
            Self::Count => json!({ "type": "integer", "minimum": 0 }),
            Self::Choice(words) => json!({ "type": "string", "enum": words }),
        }
    }

    /// Returns the value as words of a command line; `None` if it has another form.
    fn words(&self, given: &Value) -> Option<Vec<String>> {
        match self {
            Self::Text => Some(vec![given.as_str()?.to_owned()]),
            Self::Texts => given.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
            Self::Count => Some(vec![given.as_u64()?.to_string()]),
            Self::Choice(words) => Some(vec![given.as_str().filter(|text| words.contains(text))?.to_owned()]),
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::Text => "a string".to_owned(),
            Self::Texts => "an array of strings".to_owned(),
            Self::Count => "a number from 0 on".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

impl AssistantTool {
    /// Describes the tool as the protocol requires.
    pub(super) fn described(&self) -> model::Tool {
        let properties: JsonObject =
            self.inputs.iter().map(|input| (input.name.to_owned(), described(input))).collect();
        let required: Vec<&str> = self.inputs.iter().filter(|input| input.required).map(|input| input.name).collect();
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("required".to_owned(), json!(required));
        schema.insert("additionalProperties".to_owned(), json!(false));
        let annotations = ToolAnnotations::with_title(self.title)
            .read_only(true)
            .destructive(false)
            .idempotent(true)
            .open_world(true);
        let mut tool = model::Tool::new(self.name, self.description, Arc::new(schema));
        tool.title = Some(self.title.to_owned());
        tool.annotations = Some(annotations);
        tool
    }

    /// Returns the command's arguments. An input can never become an option: each value follows its option's name, or
    /// `--`.
    pub(super) fn line(&self, given: &JsonObject, table: Option<&str>) -> Result<Vec<String>, String> {
        if let Some(stray) = given.keys().find(|name| self.inputs.iter().all(|input| input.name != name.as_str())) {
            let names: Vec<&str> = self.inputs.iter().map(|input| input.name).collect();
            return Err(format!(
                "{}: `{}` is none of its arguments: {}",
                self.name,
                foreign::line(stray),
                names.join(", ")
            ));
        }
        let mut line: Vec<String> = ["pullsafe"].iter().chain(self.always).map(|&word| word.to_owned()).collect();
        line.extend(table.filter(|_| self.reads_table).map(|table| format!("--table={table}")));
        let mut positional = Vec::new();
        for input in self.inputs {
            let Some(value) = given.get(input.name).filter(|value| !value.is_null()) else {
                if input.required {
                    return Err(format!("{}: `{}` is missing: {}", self.name, input.name, input.description));
                }
                continue;
            };
            let words = input
                .kind
                .words(value)
                .ok_or_else(|| format!("{}: `{}` is not {}", self.name, input.name, input.kind.expected()))?;
            match input.option {
                Some(option) => line.extend(words.iter().map(|word| format!("{option}={word}"))),
                None => positional.extend(words),
            }
        }
        if !positional.is_empty() {
            line.push("--".to_owned());
            line.extend(positional);
        }
        Ok(line)
    }
}

fn described(input: &Input) -> Value {
    let mut schema = input.kind.schema();
    schema["description"] = json!(input.description);
    schema
}

#[cfg(test)]
mod tests {
    use super::super::tools::TOOLS;
    use super::*;

    fn line(name: &str, given: Value) -> Result<Vec<String>, String> {
        let tool = TOOLS.iter().find(|tool| tool.name == name).unwrap();
        tool.line(given.as_object().unwrap(), Some("incidents"))
    }

    #[test]
    fn what_is_given_can_be_no_option() {
        let of = |given| line("report", given).unwrap().join(" ");
        assert_eq!(
            of(json!({ "service": "--table=other", "since": "-1h" })),
            "pullsafe --table=incidents --since=-1h -- --table=other"
        );
        assert_eq!(of(json!({ "service": null })), "pullsafe --table=incidents");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (name, given, said) in [
            ("report", json!({ "servcie": "web" }), "`servcie` is none of its arguments: service, since, format"),
            ("report", json!({ "since": 7 }), "`since` is not a string"),
            ("report", json!({ "format": "html" }), "`format` is not one of markdown, json"),
            ("verify", json!({}), "`targets` is missing"),
            ("verify", json!({ "targets": ["a", 7] }), "`targets` is not an array of strings"),
            ("verify", json!({ "targets": ["a"], "tasks": -1 }), "`tasks` is not a number from 0 on"),
            ("plan", json!({}), "`service` is missing"),
        ] {
            let problem = line(name, given).unwrap_err();
            assert!(problem.contains(said), "{problem}");
        }
    }
}
