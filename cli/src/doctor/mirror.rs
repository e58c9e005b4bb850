//! The table and the mirror: whether they can be reached, and whether the mirror is up to date.

use aws_config::SdkConfig;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::json::{DYNAMODB, JsonApi};
use serde_json::{Value, json};

use super::finding::Check;
use super::stack::Deployed;

/// Looks at the table, and at what the mirror has stored in it.
pub(super) async fn look(config: &SdkConfig, stack: &Deployed, now: Timestamp) -> Vec<Check> {
    let Some(name) = stack.physical("Table") else {
        return vec![Check::wrong("table", "the stack has none", "deploy the template of this version")];
    };
    let api = JsonApi::new(config, DYNAMODB);
    let table = match api
        .call("dynamodb:DescribeTable", "DynamoDB_20120810.DescribeTable", &json!({ "TableName": name }))
        .await
    {
        Ok(answer) if answer["Table"]["TableStatus"] == "ACTIVE" => Check::right("table", "active"),
        Ok(answer) => {
            let status = answer["Table"]["TableStatus"].as_str().unwrap_or("of unknown state").to_owned();
            Check::wrong(
                "table",
                status,
                "wait until it is ACTIVE; a key that was disabled makes it INACCESSIBLE_ENCRYPTION_CREDENTIALS",
            )
        }
        Err(failure) => Check::unknown("table", failure.to_string(), "allow dynamodb:DescribeTable"),
    };
    if stack.parameter("MirrorConfigParameter").is_empty() {
        return vec![table, Check::right("mirror", "nothing is named to mirror on a schedule")];
    }
    let request = json!({ "TableName": name, "Key": { "pk": { "S": "mirror" }, "sk": { "S": "state" } } });
    let mirror = match api.call("dynamodb:GetItem", "DynamoDB_20120810.GetItem", &request).await {
        Ok(answer) => current(&answer["Item"], stack, now),
        Err(failure) => Check::unknown("mirror", failure.to_string(), "allow dynamodb:GetItem on the stack's table"),
    };
    vec![table, mirror]
}

/// Judges what the mirror remembers: its configuration, its pruning, and for how long the image that is furthest behind
/// has been behind, against what the stack allows.
fn current(item: &Value, stack: &Deployed, now: Timestamp) -> Check {
    let Some(memory) = item["doc"]["S"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return Check::wrong("mirror", "no run has ended yet", "read the mirror's log; its configuration may be wrong");
    };
    if memory["told"].is_string() {
        let mend = "mend the configuration in the SSM parameter; the message and the mirror's log name line and key";
        return Check::wrong("mirror", "its configuration is wrong", mend);
    }
    if memory["stuck"][1] == true {
        let mend = "the message and the mirror's log say what is in the way";
        return Check::wrong("mirror", "images that nothing wants cannot be deleted", mend);
    }
    let behind = memory["behind"].as_object().cloned().unwrap_or_default();
    let since = behind.iter().filter_map(|(target, since)| Some((Timestamp::parse(since.as_str()?)?, target))).min();
    let allowed: i64 = stack.parameter("MirrorStaleHours").parse().unwrap_or(24);
    match since {
        None => Check::right("mirror", "every image was current at the last run"),
        Some((since, target)) => {
            let hours = (now.seconds() - since.seconds()) / 3600;
            let seen = format!("{} images are behind, {target} for {hours} hours", behind.len());
            if hours < allowed {
                Check::right("mirror", seen)
            } else {
                Check::wrong("mirror", seen, "the mirror's log says why")
            }
        }
    }
}
