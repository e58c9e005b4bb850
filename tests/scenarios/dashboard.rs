//! The dashboard's widget over the table of a world: what it shows at a moment, and what its buttons do.

use std::sync::Arc;

use pullsafe::settings::{ANSWERS_FUNCTION, OUTBREAK_AFTER, TABLE as TABLE_SETTING, WidgetSettings};
use scenarios::world::{Setup, TABLE, World};
use serde_json::{Value, json};
use widget::Widget;

use crate::ask;

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:pullsafe-RemediatorFunction-1A2B3C4D5E6F";

async fn shown(world: &World, settings: &[(&str, &str)]) -> String {
    let settings = WidgetSettings::read(|name| {
        let set = settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        set.or_else(|| (name == TABLE_SETTING.name).then(|| TABLE.to_owned()))
    });
    let clock = world.clock.clone();
    let widget = Widget::new(world.config(), settings.expect("sound settings"), Arc::new(move || clock.now()));
    let html = json!(widget.handle(&json!({ "widgetContext": { "theme": "light", "width": 588 } })).await);
    html.as_str().expect("HTML").to_owned()
}

/// What the dashboard sends to the function when somebody clicks the first button.
fn clicked(html: &str) -> Value {
    let (_, action) = html.split_once("<cwdb-action ").expect("a button");
    let (attributes, rest) = action.split_once('>').expect("an element");
    assert!(
        attributes.contains(FUNCTION) && attributes.contains("confirmation=\"May prod/web be moved"),
        "{attributes}"
    );
    let payload = rest.split_once('<').expect("an end").0.replace("&quot;", "\"");
    let mut event: Value = serde_json::from_str(&payload).expect("JSON");
    event["widgetContext"] = json!({ "dashboardName": "pullsafe-eu-west-1", "theme": "light", "width": 588 });
    event
}

#[tokio::test]
async fn a_question_is_shown_with_its_way_to_say_yes_and_a_button_only_where_the_stack_says_so() {
    let mut world = ask::movable(Setup::new().with("PULLSAFE_MODE", "ask"));
    world.run_for(300).await;
    let code = ask::code(&world);
    let plain = shown(&world, &[]).await;
    for part in ["1 question waits for an answer", "May prod/web be moved to the mirror?", "acme/app:1 → "] {
        assert!(plain.contains(part), "{part} is not in {plain}");
    }
    assert!(plain.contains(&format!("pullsafe approve {code}")) && !plain.contains("cwdb-action"), "{plain}");
    let event = clicked(&shown(&world, &[(ANSWERS_FUNCTION.name, FUNCTION)]).await);
    assert!(world.writes().is_empty(), "to look changes nothing");
    let answer = world.ask(&event).await;
    assert_eq!(answer["answers"][0]["outcome"], "done", "{answer}");
    // A dashboard that has not been refreshed sends the event again.
    let again = world.ask(&event).await;
    assert_eq!(again["answers"][0]["outcome"], "answered-before", "{again}");
    assert!(!shown(&world, &[]).await.contains("waits for an answer"));
}

#[tokio::test]
async fn an_outbreak_is_one_by_the_stacks_own_rules() {
    let mut world = ask::movable(Setup::new().with("PULLSAFE_MODE", "observe"));
    let definition = world.service("web")["taskDefinition"].as_str().expect("an ARN").to_owned();
    world.create_service("api", &definition, 2, json!({}));
    world.run_for(900).await;
    let two = shown(&world, &[(OUTBREAK_AFTER.name, "2")]).await;
    assert!(two.contains("Outbreak: registry-rate-limited") && two.contains("2 services need a person"), "{two}");
    assert!(two.contains("prod/api") && two.contains("prod/web"), "each has its row");
    let three = shown(&world, &[]).await;
    assert!(three.contains("2 open incidents") && !three.contains("Outbreak"), "{three}");
}

#[test]
fn what_is_no_function_is_named() {
    let faults = WidgetSettings::read(|name| (name != OUTBREAK_AFTER.name).then(|| "30".to_owned()));
    let faults = faults.expect_err("30 is no function");
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].to_string(), "PULLSAFE_ANSWERS_FUNCTION: is `30`, expected the ARN of a function");
}
