//! The template with given parameters: which of its conditions hold, and what becomes of a value then.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::template::TemplateTree;

/// The template with a value for every parameter.
pub(crate) struct ChosenParameters<'a> {
    template: &'a TemplateTree,
    parameters: BTreeMap<String, String>,
}

impl<'a> ChosenParameters<'a> {
    /// The defaults, except for these parameters.
    pub(crate) fn new(template: &'a TemplateTree, instead: &[(&str, &str)]) -> Self {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let defaults = template
            .section("Parameters")
            .iter()
            .map(|(name, parameter)| (name.clone(), text(&parameter["Default"])));
        let mut parameters: BTreeMap<String, String> = defaults.collect();
        for (name, value) in instead {
            assert!(
                parameters.insert((*name).to_owned(), (*value).to_owned()).is_some(),
                "the template has no parameter {name}"
            );
        }
        Self { template, parameters }
    }

    /// Whether a condition of the template holds.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.truth(self.template.section("Conditions").get(name).unwrap_or_else(|| panic!("no condition {name}")))
    }

    /// The value with every condition decided: of an `If` only the branch that applies, and nothing where the value is
    /// `AWS::NoValue`.
    pub(crate) fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(entries) if value["Ref"] == "AWS::NoValue" => {
                assert_eq!(entries.len(), 1);
                None
            }
            Value::Object(_) if value["Fn::If"].is_array() => {
                let condition = value["Fn::If"][0].as_str().expect("a condition's name");
                self.resolve(&value["Fn::If"][if self.holds(condition) { 1 } else { 2 }])
            }
            Value::Object(entries) => {
                let entry = |(name, value): (&String, &Value)| Some((name.clone(), self.resolve(value)?));
                Some(Value::Object(entries.iter().filter_map(entry).collect::<Map<_, _>>()))
            }
            Value::Array(items) => Some(items.iter().filter_map(|item| self.resolve(item)).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.clone()),
        }
    }

    fn truth(&self, expression: &Value) -> bool {
        let (operator, operands) =
            expression.as_object().and_then(|entries| entries.iter().next()).expect("an operator");
        let mut each = operands.as_array().into_iter().flatten();
        match operator.as_str() {
            "Condition" => self.holds(operands.as_str().expect("a condition's name")),
            "Fn::Equals" => self.text(&operands[0]) == self.text(&operands[1]),
            "Fn::Not" => !self.truth(&operands[0]),
            "Fn::And" => each.all(|operand| self.truth(operand)),
            "Fn::Or" => each.any(|operand| self.truth(operand)),
            other => panic!("{other} is not known here"),
        }
    }

    fn text(&self, value: &Value) -> String {
        if let Some(list) = value["Fn::Join"].as_array() {
            assert_eq!(list[0], "", "parts that are only asked whether there are any");
            return self.text(&list[1]).replace(',', "");
        }
        match value["Ref"].as_str() {
            Some(name) => self.parameters.get(name).unwrap_or_else(|| panic!("no parameter {name}")).clone(),
            None => value.as_str().expect("a text").to_owned(),
        }
    }
}

#[test]
fn choices_are_made_as_cloudformation_makes_them() {
    let template = TemplateTree::load();
    let value = json!({"a": {"Fn::If": ["ActingAllowed", "yes", {"Ref": "AWS::NoValue"}]}, "b": [{"Fn::If": ["ActingAllowed", 1, 2]}]});
    let chosen = |instead: &[(&str, &str)]| ChosenParameters::new(&template, instead).resolve(&value).expect("a value");
    assert_eq!(chosen(&[]), json!({"b": [2]}));
    for instead in [("Mode", "act"), ("AllowTagToAct", "true")] {
        assert_eq!(chosen(&[instead]), json!({"a": "yes", "b": [1]}));
    }
}
