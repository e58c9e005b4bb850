//! Tests the contract of `pullsafe approve` and `pullsafe decline` with the built program, and a function behind a real
//! socket.

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};
use testkit::aws::FakeAws;
use testkit::aws::functions::FakeFunction;
use testkit::aws::server::Served;
use testkit::clock::VirtualClock;

const FUNCTION: &str = "pullsafe-RemediatorFunction-1A2B";

/// A function that keeps the requests it gets, and answers each code with `outcome`.
async fn function(outcome: &'static str) -> (Served, Arc<Mutex<Vec<Value>>>) {
    let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = Arc::clone(&heard);
    let question = |code: &str| json!({ "code": code, "subject": "prod/web", "summary": "move it", "expires_at": "2026-01-15T20:17:00Z" });
    let answers = move |event: &Value| {
        let mut kept = kept.lock().expect("no panic");
        kept.push(event.clone());
        if event["pullsafe"] == "questions" {
            return json!({ "questions": [question("K7Q2M4XW"), question("00000001")] });
        }
        // `busy` at the first answer, `done` from then on.
        let outcome = if outcome == "busy" && kept.len() > 1 { "done" } else { outcome };
        let answers: Vec<Value> = event["codes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|code| json!({ "code": code, "outcome": outcome, "said": "so it is", "subject": "prod/web" }))
            .collect();
        json!({ "answers": answers, "by": "x" })
    };
    let aws = FakeAws::new(VirtualClock::at(Timestamp::from_millis(0)))
        .with_service("lambda", Arc::new(FakeFunction::new(FUNCTION, answers)));
    (aws.serve().await.expect("it listens"), heard)
}

async fn run(served: &Served, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullsafe"));
    command.args(arguments).env_clear().envs([
        ("AWS_ENDPOINT_URL", served.url()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("it starts")
}

fn text(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    )
}

#[tokio::test]
async fn a_yes_is_signed_and_its_outcome_is_the_exit_status() {
    for (outcome, status) in [
        ("done", 0),
        ("declined", 0),
        ("asked-anew", 1),
        ("not-now", 1),
        ("answered-before", 1),
        ("unknown", 1),
        ("failed", 1),
    ] {
        let (served, heard) = function(outcome).await;
        let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{FUNCTION}");
        let (code, said) = text(&run(&served, &["approve", "k7q2-m4xw", "--function", &arn]).await);
        assert_eq!((code, said.as_str()), (Some(status), "K7Q2M4XW  prod/web: so it is\n"), "{outcome}");
        let heard = heard.lock().expect("no panic").clone();
        assert_eq!(
            (heard.len(), &heard[0]["pullsafe"], &heard[0]["codes"]),
            (1, &json!("approve"), &json!(["K7Q2M4XW"]))
        );
        let signed = heard[0]["proof"]["authorization"].as_str().unwrap_or_default();
        assert!(signed.contains("/eu-west-1/sts/aws4_request") && signed.contains("x-pullsafe-answer"), "{heard:?}");
    }
}

#[tokio::test]
async fn whoever_is_busy_is_answered_again_and_a_no_has_its_time() {
    let (served, heard) = function("busy").await;
    let (code, said) =
        text(&run(&served, &["decline", "K7Q2M4XW", "--for", "7d", "--function", FUNCTION, "--output", "json"]).await);
    assert_eq!(code, Some(0), "{said}");
    assert!(serde_json::from_str::<Value>(&said).is_ok_and(|said| said["outcome"] == "done"), "{said}");
    let heard = heard.lock().expect("no panic").clone();
    assert!(
        heard.len() == 2 && heard.iter().all(|event| event["pullsafe"] == "decline" && event["seconds"] == 604_800),
        "{heard:?}"
    );
}

#[tokio::test]
async fn questions_are_listed_and_answered_together() {
    let (served, heard) = function("done").await;
    let (code, said) = text(&run(&served, &["approve", "--function", FUNCTION]).await);
    assert_eq!((code, said.lines().count()), (Some(0), 2), "{said}");
    let (code, said) =
        text(&run(&served, &["approve", "K7Q2M4XW", "--all", "--dry-run", "--function", FUNCTION]).await);
    assert!(
        code == Some(0) && said.contains("00000001  prod/web: move it (open until 2026-01-15T20:17:00Z)"),
        "{said}"
    );
    assert!(heard.lock().expect("no panic").iter().all(|event| event["pullsafe"] == "questions"));
    let (code, said) = text(&run(&served, &["approve", "K7Q2M4XW", "--all", "--function", FUNCTION]).await);
    assert_eq!(code, Some(0), "{said}");
    let heard = heard.lock().expect("no panic").clone();
    assert_eq!(heard[heard.len() - 2]["like"], "K7Q2M4XW");
    assert_eq!(heard[heard.len() - 1]["codes"], json!(["K7Q2M4XW", "00000001"]));
}

#[tokio::test]
async fn wrong_usage_says_what_is_right() {
    let (served, heard) = function("done").await;
    for (arguments, why) in [
        (["approve", "K7Q2M4XW"].as_slice(), "PULLSAFE_FUNCTION"),
        (&["approve", "short", "--function", FUNCTION], "no code"),
        (&["approve", "--all", "--function", FUNCTION], "CODE"),
        (&["decline", "--function", FUNCTION], "CODE"),
        (&["decline", "K7Q2M4XW", "--for", "31d", "--function", FUNCTION], "30 days"),
        (&["approve", "K7Q2M4XW", "--function", "another"], "there is no function another"),
    ] {
        let (code, said) = text(&run(&served, arguments).await);
        assert!(code == Some(2) && said.contains(why), "{arguments:?}: {code:?} {said}");
    }
    assert!(heard.lock().expect("no panic").is_empty());
}
