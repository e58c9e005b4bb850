//! The template sets what the code reads, and has no parameter that nothing uses.

use std::collections::BTreeSet;

use pullsafe::settings::{ALL, Settings};

use crate::conditions::ChosenParameters;
use crate::declared::FUNCTIONS;
use crate::template::TemplateTree;

#[test]
fn every_function_gets_the_variables_that_it_reads_and_no_other() {
    let template = TemplateTree::load();
    let functions: BTreeSet<&str> = template.functions().into_iter().map(|(id, _)| id).collect();
    assert_eq!(
        functions,
        FUNCTIONS.iter().map(|declared| declared.function).collect(),
        "declared.rs knows every function"
    );
    for declared in FUNCTIONS {
        let variables =
            template.resource(declared.function)["Environment"]["Variables"].as_object().expect("variables");
        let set: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
        assert_eq!(set, declared.environment(), "{}", declared.function);
    }
}

/// A stack that deploys with a function that refuses to start would be worse than a stack that does not deploy.
#[test]
fn whatever_a_parameter_allows_the_remediator_takes() {
    let template = TemplateTree::load();
    let variables = template.resource("RemediatorFunction")["Environment"]["Variables"].as_object().expect("variables");
    let parameters = template.section("Parameters");
    let mut tried = 0;
    for (name, value) in variables {
        let Some(parameter) = value["Ref"].as_str().and_then(|parameter| parameters.get(parameter)) else {
            continue;
        };
        let allowed = parameter["AllowedValues"].as_array().cloned().unwrap_or_default();
        let bounds = ["MinValue", "MaxValue", "Default"].iter().filter_map(|key| parameter.get(key).cloned());
        for value in allowed.into_iter().chain(bounds) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let lookup = |asked: &str| Some(if asked == name { value.clone() } else { sensible(asked)? });
            assert!(Settings::read(lookup).is_ok(), "{name}={value}");
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried} values");
}

/// A value for a variable that has to be set.
fn sensible(name: &str) -> Option<String> {
    ALL.iter()
        .any(|setting| setting.name == name && setting.default.is_none())
        .then(|| "set".to_owned())
}

#[test]
fn every_parameter_is_explained_grouped_and_used() {
    let template = TemplateTree::load();
    let parameters = template.section("Parameters");
    let text = template.text();
    for (name, parameter) in parameters {
        assert!(parameter["Description"].as_str().is_some_and(|help| help.len() > 30), "{name} has a help text");
        assert!(parameter.get("Default").is_some(), "{name}: the stack deploys without a question");
        let used = [format!("{{\"Ref\":\"{name}\"}}"), format!("${{{name}}}")];
        assert!(used.iter().any(|form| text.contains(form)), "{name} is not used");
    }
    let groups = template.section("Metadata")["AWS::CloudFormation::Interface"]["ParameterGroups"]
        .as_array()
        .expect("groups");
    let grouped: BTreeSet<&str> =
        groups.iter().flat_map(|group| crate::template::strings(&group["Parameters"])).collect();
    assert_eq!(grouped, parameters.keys().map(String::as_str).collect());
}

#[test]
fn the_safe_value_is_the_default() {
    let template = TemplateTree::load();
    let parameters = template.section("Parameters");
    assert_eq!(parameters["Mode"]["Default"], "observe");
    assert_eq!(parameters["AllowTagToAct"]["Default"], "false");
    assert_eq!(parameters["AnswersInWidget"]["Default"], "false");
    assert_eq!(parameters["AllowLocalResponseUrl"]["Default"], "false");
    assert_eq!(parameters["RegistryEndpoints"]["Default"], "");
}

/// A button makes its call with the credentials of the person who looks: the widget's role gets no permission for it.
#[test]
fn the_widget_has_buttons_only_where_the_stack_says_so() {
    let template = TemplateTree::load();
    let chosen = |choice: &str| {
        let chosen = ChosenParameters::new(&template, &[("AnswersInWidget", choice)]);
        let variables = &template.resource("WidgetFunction")["Environment"]["Variables"];
        let function = chosen.resolve(&variables["PULLSAFE_ANSWERS_FUNCTION"]).expect("a value");
        (function, chosen.resolve(template.resource("WidgetRole")).expect("a role").to_string())
    };
    let ((without, role), (with, same_role)) = (chosen("false"), chosen("true"));
    assert_eq!(without, "");
    assert!(with.to_string().contains("RemediatorFunction"), "{with}");
    assert_eq!(role, same_role);
    assert!(!role.contains("lambda:"), "{role}");
}

#[test]
fn every_function_is_where_cargo_lambda_puts_it() {
    let template = TemplateTree::load();
    for (id, function) in template.functions() {
        let name = function["CodeUri"].as_str().and_then(|uri| uri.strip_prefix("target/lambda/")?.strip_suffix('/'));
        let name = name.unwrap_or_else(|| panic!("{id}: CodeUri"));
        assert!(
            crate::template::project().join("functions").join(name).join("Cargo.toml").is_file(),
            "{id}: functions/{name}"
        );
        // A name of our own could be too long if the stack's name is long.
        assert!(function.get("FunctionName").is_none(), "{id}");
        let output = &template.section("Outputs")[&format!("{id}Name")];
        assert_eq!(output["Value"]["Ref"], id, "the output that says what CloudFormation called it");
        assert!((128..=512).contains(&function["MemorySize"].as_i64().expect("a size")), "{id}");
    }
}
