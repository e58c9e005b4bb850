//! Whether the stack receives events: its rules are enabled, and its functions have run lately.

use aws_config::SdkConfig;
use pullsafe_aws::Failure;
use pullsafe_aws::json::{EVENTS, JsonApi, LOGS};
use pullsafe_aws::telemetry::VERSION;
use serde_json::{Value, json};

use super::finding::Check;
use super::stack::Deployed;

/// How many of the newest lines are searched for the version.
const LINES: u8 = 50;
/// How much longer than the sweep's interval is normal: a run takes time, and its log arrives late.
const GRACE_MINUTES: i64 = 10;

/// Looks at every rule of the stack, and at when each function that the sweep wakes last wrote to its log.
pub(super) async fn look(config: &SdkConfig, stack: &Deployed, now_millis: i64) -> Vec<Check> {
    let events = JsonApi::new(config, EVENTS);
    let mut findings = Vec::new();
    for (logical, physical) in stack.of_type("AWS::Events::Rule") {
        let answer = events
            .call("events:DescribeRule", "AWSEvents.DescribeRule", &json!({ "Name": name_of(physical) }))
            .await;
        findings.push(rule(stack, logical, answer));
    }
    let logs = JsonApi::new(config, LOGS);
    let sweep: i64 = stack.parameter("SweepMinutes").parse().unwrap_or(1);
    for (logical, every) in [("RemediatorLogGroup", sweep), ("GateWakerLogGroup", 1)] {
        let Some(group) = stack.physical(logical) else { continue };
        let request = json!({ "logGroupName": group, "orderBy": "LastEventTime", "descending": true, "limit": 1 });
        let answer = logs.call("logs:DescribeLogStreams", "Logs_20140328.DescribeLogStreams", &request).await;
        let stream = answer
            .as_ref()
            .ok()
            .and_then(|answer| answer["logStreams"][0]["logStreamName"].as_str().map(str::to_owned));
        findings.push(written(group, every, answer, now_millis));
        if let Some(stream) = stream {
            let request = json!({ "logGroupName": group, "logStreamName": stream, "limit": LINES });
            let answer = logs.call("logs:GetLogEvents", "Logs_20140328.GetLogEvents", &request).await;
            findings.push(version(group, answer));
        }
    }
    findings
}

/// Checks the version of a function, which it writes in every line of its log.
fn version(group: &str, answer: Result<Value, Failure>) -> Check {
    let about = format!("version in {group}");
    let events = match answer {
        Ok(answer) => answer["events"].clone(),
        Err(failure) => return Check::unknown(about, failure.to_string(), "allow logs:GetLogEvents"),
    };
    let of_line = |event: &Value| {
        let line: Value = serde_json::from_str(event["message"].as_str()?).ok()?;
        line["version"].as_str().map(pullsafe::foreign::line)
    };
    match events.as_array().into_iter().flatten().rev().find_map(of_line) {
        Some(version) if version == VERSION => Check::right(about, version),
        Some(version) => Check::wrong(
            about,
            format!("{version}, and this command line is {VERSION}"),
            "bring the older one up to the newer (docs/deploy.md, Upgrade): each knows the resources of its own \
             version",
        ),
        None => Check::unknown(
            about,
            "none of the newest lines names one",
            "invoke the function with events/sweep.json, and look again",
        ),
    }
}

/// The name of a rule on the default bus, from its physical id; an ARN ends with the name.
fn name_of(physical: &str) -> &str {
    physical.rsplit(['/', '|']).next().unwrap_or(physical)
}

fn rule(stack: &Deployed, logical: &str, answer: Result<Value, Failure>) -> Check {
    let about = format!("rule {logical}");
    match answer {
        Ok(rule) if rule["State"] == "ENABLED" => Check::right(about, "enabled"),
        Ok(_) if logical == "MirrorFunctionPlan" && stack.parameter("MirrorConfigParameter").is_empty() => {
            Check::right(about, "disabled, as nothing is named to mirror on a schedule")
        }
        Ok(rule) => {
            let name = rule["Name"].as_str().unwrap_or(logical);
            Check::wrong(
                about,
                rule["State"].as_str().unwrap_or("of unknown state"),
                format!("aws events enable-rule --name {name}"),
            )
        }
        Err(failure) => Check::unknown(about, failure.to_string(), "allow events:DescribeRule"),
    }
}

fn written(group: &str, every_minutes: i64, answer: Result<Value, Failure>, now_millis: i64) -> Check {
    let about = format!("last sweep in {group}");
    let streams = match answer {
        Ok(answer) => answer["logStreams"].clone(),
        Err(failure) => return Check::unknown(about, failure.to_string(), "allow logs:DescribeLogStreams"),
    };
    let stream = &streams[0];
    // CloudWatch Logs tells the time of the last event up to an hour late, but the time of its arrival at once.
    let Some(last) = stream["lastIngestionTime"].as_i64().max(stream["lastEventTimestamp"].as_i64()) else {
        return Check::wrong(
            about,
            "nothing was ever written",
            "see whether the function runs at all: its metrics Invocations and Errors",
        );
    };
    let minutes = (now_millis - last) / 60_000;
    if minutes <= every_minutes + GRACE_MINUTES {
        Check::right(about, format!("{} minutes ago", minutes.max(0)))
    } else {
        let mend = "see the function's metrics Errors and Throttles, and whether its schedule is enabled";
        Check::wrong(about, format!("{minutes} minutes ago, where it runs every {every_minutes}"), mend)
    }
}
