//! No event is lost on its way, and the timeouts nest.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::template::{TemplateTree, events, refers_to, strings};

fn seconds(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not a number of seconds: {value}"))
}

/// The limits of Lambda and SQS, in seconds.
const LONGEST_RUN: i64 = 900;
const LONGEST_RETENTION: i64 = 14 * 24 * 3600;
/// CloudFormation allows a ServiceTimeout of up to an hour, in seconds.
const LONGEST_GATE: i64 = 3600;

#[test]
fn a_message_stays_hidden_for_six_times_as_long_as_a_run_may_take() {
    let template = TemplateTree::load();
    for (id, function) in template.functions() {
        let timeout = seconds(&function["Timeout"]);
        assert!((1..=LONGEST_RUN).contains(&timeout), "{id}");
        for (name, _, source) in events(function).into_iter().filter(|(_, kind, _)| *kind == "SQS") {
            let queue = template.resource(refers_to(&source["Queue"]));
            // The mirror extends the visibility of what it works on, first after two minutes: for it, one run is
            // enough. The waker takes one message at a time, and a stack waits for it.
            let runs = if id == "MirrorFunction" || id == "GateWakerFunction" { 1 } else { 6 };
            assert!(seconds(&queue["VisibilityTimeout"]) > runs * timeout - runs, "{id}.{name}");
            assert!(id != "GateWakerFunction" || source["BatchSize"] == 1, "{id}.{name}");
            assert_eq!(strings(&source["FunctionResponseTypes"]), ["ReportBatchItemFailures"], "{id}.{name}");
            assert!(source["ScalingConfig"]["MaximumConcurrency"] != Value::Null, "{id}.{name} is capped");
        }
    }
}

#[test]
fn as_many_workers_of_the_mirror_run_as_share_the_quota_of_ecr() {
    let template = TemplateTree::load();
    let sources = events(template.resource("MirrorFunction"));
    let queues = sources.iter().filter(|(_, kind, _)| *kind == "SQS");
    let workers: i64 = queues
        .map(|(_, _, source)| source["ScalingConfig"]["MaximumConcurrency"].as_i64().expect("a number"))
        .sum();
    assert_eq!(usize::try_from(workers), Ok(mirror::aws::shared_allowance::WORKERS));
}

#[test]
fn a_failed_message_has_time_for_every_try_and_then_a_place_to_go() {
    let template = TemplateTree::load();
    for (id, function) in template.functions() {
        for (name, _, source) in events(function).into_iter().filter(|(_, kind, _)| *kind == "SQS") {
            let queue = template.resource(refers_to(&source["Queue"]));
            let redrive = &queue["RedrivePolicy"];
            let (tries, retention) = (seconds(&redrive["maxReceiveCount"]), seconds(&queue["MessageRetentionPeriod"]));
            // The attempts of the mirror, with their pauses, last longer than the window of Docker Hub's quota.
            let most = match id {
                "MirrorFunction" => 30,
                // The attempts of the waker last as long as CloudFormation waits.
                "GateWakerFunction" => LONGEST_GATE / seconds(&queue["VisibilityTimeout"]),
                "RemediatorFunction" => 20,
                _ => 5,
            };
            // If the function is throttled for an hour, no message is lost.
            if id == "RemediatorFunction" {
                assert!(tries * seconds(&queue["VisibilityTimeout"]) >= 2 * 3600, "{id}.{name}");
            }
            assert!((2..=most).contains(&tries), "{id}.{name}");
            assert!(
                tries * seconds(&queue["VisibilityTimeout"]) < retention,
                "{id}.{name} expires before its last try"
            );
            let dead = template.resource(refers_to(&redrive["deadLetterTargetArn"]));
            // A message keeps its age when it moves, so the second queue must keep it at least as long.
            assert!(seconds(&dead["MessageRetentionPeriod"]) >= retention, "{id}.{name}");
            assert_eq!(seconds(&dead["MessageRetentionPeriod"]), LONGEST_RETENTION, "{id}.{name}");
        }
    }
}

#[test]
fn every_function_that_is_invoked_asynchronously_has_a_failure_destination() {
    let template = TemplateTree::load();
    for (id, function) in template.functions() {
        // Rules and schedules invoke asynchronously. So does CloudFormation, which is not an event source in the
        // template. The dashboard waits for its widget's answer.
        let by_dashboard = template.resource("Dashboard").to_string().contains(&format!("${{{id}.Arn}}"));
        let only_queues =
            events(function).iter().all(|(_, kind, _)| *kind == "SQS") && !events(function).is_empty() || by_dashboard;
        let config = &function["EventInvokeConfig"];
        assert_eq!(config.is_null(), only_queues, "{id}");
        if only_queues {
            continue;
        }
        let destination = &config["DestinationConfig"]["OnFailure"];
        // A lost reading is not worth a retry: the next one comes in a few minutes anyway.
        if id == "ProbeFunction" {
            assert_eq!((&config["MaximumRetryAttempts"], destination), (&0.into(), &Value::Null), "{id}");
            continue;
        }
        assert_eq!(destination["Type"], "SQS", "{id}");
        let queue = template.resource(refers_to(&destination["Destination"]));
        assert_eq!(seconds(&queue["MessageRetentionPeriod"]), LONGEST_RETENTION, "{id}");
        assert!((60..=LONGEST_GATE).contains(&seconds(&config["MaximumEventAgeInSeconds"])), "{id}");
    }
}

#[test]
fn failed_and_undelivered_events_come_back_to_the_remediator() {
    let template = TemplateTree::load();
    let remediator = template.resource("RemediatorFunction");
    let redrive = refers_to(&remediator["Events"]["Redrive"]["Properties"]["Queue"]);
    assert_eq!(
        refers_to(&remediator["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]),
        redrive
    );
    let policy = &template.resource("WorkQueuePolicy");
    assert_eq!(refers_to(&policy["Queues"][0]), redrive);
    let statement = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Principal"]["Service"], "events.amazonaws.com");
    let admitted = statement["Condition"]["ArnEquals"]["aws:SourceArn"].as_array().expect("a list");
    let mut admitted: BTreeSet<&str> = admitted.iter().map(refers_to).collect();
    for (name, kind, properties) in events(remediator) {
        if kind == "SQS" {
            continue;
        }
        assert_eq!(refers_to(&properties["DeadLetterConfig"]["Arn"]), redrive, "{name}");
        // EventBridge's own default is 24 hours, but a task that stopped a day ago is no reason to act.
        assert!(seconds(&properties["RetryPolicy"]["MaximumEventAgeInSeconds"]) <= 3600, "{name}");
        // SAM names a rule after the function and the event.
        assert!(
            admitted.remove(format!("RemediatorFunction{name}").as_str()),
            "{name} may put its events into the queue"
        );
    }
    assert!(admitted.is_empty(), "{admitted:?}");
}

#[test]
fn every_function_logs_into_a_group_of_its_own_that_forgets() {
    let template = TemplateTree::load();
    for (id, function) in template.functions() {
        let group = template.resource(refers_to(&function["LoggingConfig"]["LogGroup"]));
        assert_eq!(group["RetentionInDays"]["Ref"], "LogRetentionDays", "{id}");
        let program = function["CodeUri"]
            .as_str()
            .and_then(|uri| uri.trim_end_matches('/').rsplit('/').next())
            .expect("a program");
        // The waker is the gate's program under another name.
        let name = if id == "GateWakerFunction" { "gate-waker" } else { program };
        assert_eq!(
            group["LogGroupName"]["Fn::Sub"],
            format!("/aws/lambda/${{AWS::StackName}}-{name}"),
            "{id}: where people look for it"
        );
    }
}

#[test]
fn the_table_outlives_the_stack_and_has_the_keys_that_the_code_uses() {
    let template = TemplateTree::load();
    let table = template.resource("Table");
    // If the first deployment fails, the table is deleted with it: it is still empty, and the next attempt needs no
    // clean-up.
    assert_eq!(template.section("Resources")["Table"]["DeletionPolicy"], "RetainExceptOnCreate");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(table["DeletionProtectionEnabled"]["Ref"], "TableDeletionProtection");
    assert_eq!(template.section("Resources")["Table"]["UpdateReplacePolicy"], "Retain");
    let keys = |schema: &Value| {
        schema
            .as_array()
            .expect("keys")
            .iter()
            .map(|key| format!("{}={}", key["KeyType"], key["AttributeName"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&table["KeySchema"]), ["\"HASH\"=\"pk\"", "\"RANGE\"=\"sk\""]);
    assert_eq!(table["GlobalSecondaryIndexes"][0]["IndexName"], "open-index");
    assert_eq!(keys(&table["GlobalSecondaryIndexes"][0]["KeySchema"]), ["\"HASH\"=\"open\"", "\"RANGE\"=\"sk\""]);
    assert_eq!(table["GlobalSecondaryIndexes"][1]["IndexName"], pullsafe_incident::store::DUE_INDEX);
    assert_eq!(
        keys(&table["GlobalSecondaryIndexes"][1]["KeySchema"]),
        ["\"HASH\"=\"shard\"", "\"RANGE\"=\"due_at\""]
    );
    assert_eq!(table["TimeToLiveSpecification"]["AttributeName"], "expires_at");
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
}
