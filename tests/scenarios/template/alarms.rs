//! Whatever goes wrong is told to somebody.

use std::collections::BTreeSet;

use crate::template::{TemplateTree, events, refers_to};

/// The resources that an alarm on this metric watches.
fn watched<'a>(template: &'a TemplateTree, metric: &str) -> BTreeSet<&'a str> {
    let alarms = template
        .resources("AWS::CloudWatch::Alarm")
        .into_iter()
        .filter(|(_, alarm)| alarm["MetricName"] == metric);
    alarms.map(|(_, alarm)| refers_to(&alarm["Dimensions"][0]["Value"])).collect()
}

#[test]
fn every_alarm_reaches_the_topic_and_says_what_is_wrong() {
    let template = TemplateTree::load();
    for (id, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        assert_eq!(refers_to(&alarm["AlarmActions"][0]), "Topic", "{id}");
        assert!(alarm["AlarmDescription"].as_str().is_some_and(|text| text.ends_with('.')), "{id}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{id}: silence is the normal state");
    }
}

#[test]
fn every_function_and_every_queue_is_watched() {
    let template = TemplateTree::load();
    let functions: BTreeSet<&str> = template.functions().into_iter().map(|(id, _)| id).collect();
    assert_eq!(watched(&template, "Errors"), functions);
    assert_eq!(watched(&template, "Throttles"), functions);
    let queues: BTreeSet<&str> = template.resources("AWS::SQS::Queue").into_iter().map(|(id, _)| id).collect();
    let worked_off: BTreeSet<&str> = template
        .functions()
        .into_iter()
        .flat_map(|(_, function)| events(function))
        .filter(|(_, kind, _)| *kind == "SQS")
        .map(|(_, _, source)| refers_to(&source["Queue"]))
        .collect();
    assert_eq!(
        watched(&template, "ApproximateAgeOfOldestMessage"),
        worked_off,
        "a queue that is worked off is watched for age"
    );
    let kept: BTreeSet<&str> = queues.difference(&worked_off).copied().collect();
    assert_eq!(
        watched(&template, "ApproximateNumberOfMessagesVisible"),
        kept,
        "a queue that nobody works off is watched for depth"
    );
}

/// Two stacks in one region have separate counts.
#[test]
fn every_alarm_on_a_metric_of_our_own_is_about_this_stack() {
    let template = TemplateTree::load();
    for (id, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        let metrics = alarm["Metrics"].as_array().into_iter().flatten().map(|metric| &metric["MetricStat"]["Metric"]);
        for metric in metrics.chain([alarm]).filter(|metric| metric["Namespace"] == "Pullsafe") {
            assert_eq!(
                metric["Dimensions"],
                serde_json::json!([{"Name": "Stack", "Value": {"Ref": "AWS::StackName"}}]),
                "{id}"
            );
        }
    }
    let dashboard = template.resource("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().expect("a text");
    assert!(dashboard.contains(r#"Namespace=\"Pullsafe\" Stack=\"${AWS::StackName}\""#));
}

/// CloudFormation accepts any text. A dashboard that is not JSON fails only when it is deployed.
#[test]
fn the_dashboard_is_json() {
    let template = TemplateTree::load();
    let body = template.resource("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().expect("a text");
    let dashboard: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let widgets = dashboard["widgets"].as_array().expect("widgets");
    assert!(widgets.iter().all(|widget| widget["properties"]["title"].is_string()));
    let custom: Vec<_> = widgets.iter().filter(|widget| widget["type"] == "custom").collect();
    assert_eq!(custom.len(), 1);
    assert_eq!(custom[0]["properties"]["endpoint"], "${WidgetFunction.Arn}");
    // No two widgets overlap.
    let place = |widget: &serde_json::Value, key: &str| widget[key].as_i64().expect("a place");
    for (index, one) in widgets.iter().enumerate() {
        for other in &widgets[index + 1..] {
            let apart = |start: &str, length: &str| {
                place(one, start) + place(one, length) <= place(other, start)
                    || place(other, start) + place(other, length) <= place(one, start)
            };
            assert!(apart("x", "width") || apart("y", "height"), "{one} lies on {other}");
        }
    }
}
