//! Tests the contract of `pullsafe report` with the built program and a fake AWS behind a real socket.

use std::process::{Command, Output};

use pullsafe::arn::ServiceId;
use pullsafe_events::Subject;
use pullsafe_incident::record::Record;
use scenarios::reported;
use scenarios::world::{Setup, TABLE, World};
use serde_json::{Value, json};
use testkit::aws::server::Served;

/// The world's table after one run of case A: `prod/web` is in the archive, and another incident is open.
async fn history() -> World {
    let mut world = reported::limited(Setup::new());
    world.run_for(1200).await;
    put_open(&world, "test/api", reported::open_record());
    world
}

fn put_open(world: &World, name: &str, record: Record) {
    let (cluster, name) = name.split_once('/').expect("cluster/name");
    let cluster_arn = format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{cluster}");
    let subject = Subject::Service(ServiceId { cluster_arn, name: name.to_owned() });
    put(world, &subject.key(), "state", &json!(subject), &json!(record));
}

fn put(world: &World, key: &str, sort: &str, subject: &Value, document: &Value) {
    let item = json!({ "pk": { "S": key }, "sk": { "S": sort }, "shard": { "S": "incident#0" }, "due_at": { "N": "0" },
        "subject": { "S": subject.to_string() }, "doc": { "S": document.to_string() } });
    world.tables.put(TABLE, item);
}

async fn run(served: &Served, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullsafe"));
    command.arg("report").args(arguments).env_clear().envs([
        ("AWS_ENDPOINT_URL", served.url()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("PULLSAFE_TABLE", TABLE),
    ]);
    tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("it starts")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

fn subjects(output: &Output) -> Vec<(String, String)> {
    let reports: Vec<Value> = serde_json::from_slice(&output.stdout).expect("one JSON array");
    let text = |report: &Value, key: &str| report[key].as_str().unwrap_or_default().to_owned();
    reports.iter().map(|report| (text(report, "subject"), text(report, "state"))).collect()
}

/// Reaches back to the scenario's time, January 2026, for the program reads the system's clock.
const EVER: &str = "36500d";

#[tokio::test]
async fn all_incidents_the_open_one_and_the_archive() {
    let world = history().await;
    let served = world.aws.serve().await.expect("it listens");
    let output = run(&served, &["--since", EVER, "--output", "json"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let expected =
        [("prod/web", "resolved"), ("test/api", "open")].map(|(subject, state)| (subject.to_owned(), state.to_owned()));
    assert_eq!(
        subjects(&output).into_iter().collect::<std::collections::BTreeSet<_>>(),
        expected.into_iter().collect()
    );
    let recent = run(&served, &["--since", "1m", "--output", "json"]).await;
    assert_eq!(subjects(&recent), [("test/api".to_owned(), "open".to_owned())], "what is open is always reported");
    let calls = world.aws.calls();
    let read = calls.iter().rev().take(8).map(|call| call.operation.as_str());
    assert!(
        read.clone().all(|operation| matches!(operation, "Query" | "BatchGetItem" | "Scan")),
        "{:?}",
        read.collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn one_service_by_name_cluster_and_name_or_arn() {
    let world = history().await;
    let served = world.aws.serve().await.expect("it listens");
    for name in ["web", "prod/web", "arn:aws:ecs:eu-west-1:123456789012:service/prod/web"] {
        let output = run(&served, &[name, "--since", EVER, "--output", "json"]).await;
        assert_eq!(subjects(&output), [("prod/web".to_owned(), "resolved".to_owned())], "{name}");
    }
    let nothing = run(&served, &["other/web", "--since", EVER]).await;
    assert_eq!((nothing.status.code(), out(&nothing).as_str()), (Some(0), "There is nothing to report.\n"));
    let page = run(&served, &["prod/web", "--since", EVER, "--output", "html"]).await;
    assert!(out(&page).starts_with("<!doctype html>") && out(&page).contains("<svg"));
    let text = run(&served, &["prod/web", "--since", EVER]).await;
    assert!(
        out(&text).starts_with("# prod/web: resolved, last blocker registry-rate-limited\n"),
        "{}",
        out(&text)
    );
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_hides_nothing() {
    let world = history().await;
    put(
        &world,
        "arn:aws:ecs:eu-west-1:123456789012:service/prod/odd",
        "state",
        &json!("what"),
        &json!({ "open": 7 }),
    );
    let served = world.aws.serve().await.expect("it listens");
    let output = run(&served, &["--output", "json"]).await;
    assert_eq!((output.status.code(), subjects(&output).len()), (Some(1), 1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("service/prod/odd state cannot be read"),
        "{output:?}"
    );
}

#[tokio::test]
async fn wrong_usage_is_2_and_says_what_to_do() {
    let world = Setup::new().build();
    let served = world.aws.serve().await.expect("it listens");
    for (arguments, said) in [
        (["--table", "other"].as_slice(), "there is no table other"),
        (&["--since", "soon"], "is no duration"),
        (&["--output", "pdf"], "markdown"),
        (&["--table", ""], "TableName"),
    ] {
        let output = run(&served, arguments).await;
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(said), "{message}");
    }
}
