//! The program itself under Lambda's Runtime API. Whatever comes in and whatever fails around it: it answers where an
//! answer is possible, it never hangs, and it never writes an address for an answer, even at the finest log level.

use std::time::{Duration, Instant};

use scenarios::gate::answers::SIGNATURE;
use scenarios::gate::{GateStage, Manner};
use serde_json::json;
use testkit::aws::{AwsFault, FaultKind};
use testkit::runtime_api::FunctionOutcome;
use tokio::net::TcpListener;

use support::Program;

mod support;

#[tokio::test]
async fn a_request_is_parked_woken_and_answered() {
    let mut program = Program::start(&[]).await;
    let request = program.stage.request("Create", "app", "1");
    assert_eq!(program.handled(&request).await["parked"], true);
    let pushed = program.stage.push("web", "1", 1);
    assert_eq!(program.handled(&pushed).await["answered"], 1);
    let answer = program.stage.answer("Create", "app");
    assert_eq!(answer["Data"]["ImageDigest"], GateStage::digest(1));
    let [received] = program.stage.answers.received().try_into().expect("one answer");
    assert!(
        received.target.contains("arn%3Aaws%3Acloudformation%3Aeu-west-1/Create-app%7CImage%7C?"),
        "byte for byte: {}",
        received.target
    );
    assert_eq!(
        (received.headers["content-type"].as_str(), received.headers["content-length"].clone()),
        ("", received.body.len().to_string())
    );
    assert!(!received.headers.contains_key("transfer-encoding") && !received.headers.contains_key("authorization"));
    let request = program.stage.request_with(
        "Create",
        "source",
        json!({"RepositoryName": "docker-hub/library/redis", "ImageTag": "9", "Source": "redis:9"}),
    );
    assert_eq!(program.handled(&request).await["parked"], true);
    assert_eq!(program.handled(&json!({"pullsafe": "sweep"})).await["waiting"], 1);
    let delete = program.stage.request("Delete", "source", "9");
    assert_eq!(program.handled(&delete).await["answered"], true);
    program.end().await;
}

#[tokio::test]
async fn a_bad_setting_ends_the_start_and_every_fault_is_named() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gate-program"))
        .env_remove("PULLSAFE_TABLE")
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
        .env("PULLSAFE_ALLOW_LOCAL_RESPONSE_URL", "ja")
        .env("PULLSAFE_GATE_QUEUE_URL", "queue")
        .env("PULLSAFE_REGISTRY_ENDPOINTS", "nonsense")
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for name in [
        "PULLSAFE_TABLE",
        "PULLSAFE_ALLOW_LOCAL_RESPONSE_URL",
        "PULLSAFE_GATE_QUEUE_URL",
        "PULLSAFE_REGISTRY_ENDPOINTS",
    ] {
        assert!(told.contains(name), "{name}: {told}");
    }
}

#[tokio::test]
async fn nothing_that_comes_in_ends_it() {
    let mut program = Program::start(&[]).await;
    for bytes in [
        b"{".to_vec(),
        b"\xff\xfe".to_vec(),
        b"".to_vec(),
        format!("{{\"ResponseURL\": \"https://x?X-Amz-Signature={SIGNATURE}\"").into_bytes(),
    ] {
        let outcome = program.runtime.invoke_bytes(bytes).await.expect("it answers the runtime");
        assert!(matches!(outcome, FunctionOutcome::Error(_)), "no JSON is an error");
    }
    // Nested deeper than any parser allows.
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    program.runtime.invoke_bytes(deep.into_bytes()).await.expect("it answers the runtime");
    for event in [
        json!(null),
        json!([]),
        json!("text"),
        json!({}),
        json!({"ResponseURL": 1}),
        json!({"Records": []}),
        json!({"Records": [{"Sns": {"Message": 5}}]}),
    ] {
        program.handled(&event).await;
    }
    let request = program.stage.request("Create", "app", "1");
    for (name, value) in [
        ("RequestType", json!(1)),
        ("RequestType", json!("create")),
        ("ResourceProperties", json!("text")),
        ("ResourceProperties", json!(["a"])),
        ("ResourceProperties", json!(null)),
        ("ResourceProperties", json!({"RepositoryName": ["web"], "ImageTag": {"a": 1}})),
        (
            "ResourceProperties",
            json!({"RepositoryName": "web", "ImageTag": "1", "Nonsense": "n".repeat(5_000_000)}),
        ),
        ("ResourceProperties", json!({"RepositoryName": "w".repeat(5_000_000), "ImageTag": "1"})),
        ("ResourceProperties", json!({"RepositoryName": "web", "ImageTag": "1", "n".repeat(1_000_000): "x"})),
        ("ResourceProperties", json!({"RepositoryName": "web", "ImageTag": "1", "Platforms": 7})),
    ] {
        let mut odd = request.clone();
        odd[name] = value.clone();
        let before = program.stage.answers.received().len();
        assert_eq!(program.handled(&odd).await["success"], false, "{name}");
        let received = program.stage.answers.received();
        let answer = received.last().expect("an answer");
        assert!(
            received.len() == before + 1 && answer.body.len() <= 4096 && answer.json()["Status"] == "FAILED",
            "{name}: {} bytes",
            answer.body.len()
        );
    }
    for name in ["StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId"] {
        let mut odd = program.stage.request("Delete", "odd", "1");
        odd[name] = json!({"not": "a text"});
        assert_eq!(program.handled(&odd).await["answered"], true, "{name}");
    }
    program.end().await;
}

#[tokio::test]
async fn an_ecr_out_of_reach_is_waited_for() {
    let closed = closed_port().await;
    let mut program = Program::start(&[("AWS_ENDPOINT_URL_ECR", &closed)]).await;
    let request = program.stage.request("Create", "app", "1");
    assert_eq!(program.handled(&request).await["parked"], true, "the next sweep looks again");
    assert_eq!(program.handled(&json!({"pullsafe": "sweep"})).await["outcome"], "woken");
    program.end().await;
}

#[tokio::test]
async fn with_everything_out_of_reach_the_answer_comes_in_time() {
    let closed = closed_port().await;
    let mut program = Program::start(&[("AWS_ENDPOINT_URL", &closed)]).await;
    let begin = Instant::now();
    let request = program.stage.request("Create", "app", "1");
    assert_eq!(program.handled(&request).await["success"], false);
    let reason = program.stage.answer("Create", "app")["Reason"].as_str().unwrap_or_default().to_owned();
    assert!(
        reason.contains("could not be parked") && begin.elapsed() < Duration::from_secs(19),
        "{reason} after {:?}",
        begin.elapsed()
    );
    program.end().await;
}

#[tokio::test]
async fn services_that_never_answer_do_not_hold_it() {
    // The operating system accepts the connections, but nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = format!("http://{}", silent.local_addr().expect("an address"));
    let mut program = Program::start(&[("AWS_ENDPOINT_URL", &silent)]).await;
    let request = program.stage.request("Create", "app", "1");
    assert_eq!(program.handled(&request).await["success"], false);
    assert!(program.stage.is_answered("Create", "app"));
    let delete = program.stage.request("Delete", "app", "1");
    let begin = Instant::now();
    assert_eq!(program.handled(&delete).await["answered"], true);
    assert!(begin.elapsed() < Duration::from_secs(10), "a Delete is answered first");
    program.end().await;
}

#[tokio::test]
async fn an_address_that_does_not_take_the_answer_is_tried_within_reason() {
    let mut program = Program::start(&[]).await;
    program.stage.push("web", "1", 1);
    program.stage.answers.always(Manner::Refuse(403));
    let request = program.stage.request("Create", "refused", "1");
    assert_eq!(program.handled(&request).await["answered"], false);
    assert_eq!(program.stage.answers.received().len(), 1);
    for manner in [Manner::Refuse(500), Manner::Reset, Manner::Hang] {
        program.stage.answers.always(manner);
        let request =
            program.stage.request("Create", &format!("{manner:?}").to_lowercase().replace(['(', ')'], ""), "1");
        let begin = Instant::now();
        let FunctionOutcome::Error(error) = program.invoke(&request).await else {
            panic!("{manner:?}: Lambda has to try again")
        };
        assert!(
            !error.to_string().contains(SIGNATURE) && begin.elapsed() < Duration::from_secs(20),
            "{manner:?}: {error} in {:?}",
            begin.elapsed()
        );
    }
    // Sometimes the failures end after a while.
    program.stage.answers.next(&[Manner::Refuse(500), Manner::Reset, Manner::Refuse(503)]);
    let request = program.stage.request("Create", "late", "1");
    assert_eq!(program.handled(&request).await["success"], true);
    program.stage.aws.inject(AwsFault::on("dynamodb", "Query", FaultKind::InternalError).always());
    assert!(
        matches!(program.invoke(&json!({"pullsafe": "sweep"})).await, FunctionOutcome::Error(_)),
        "the alarm on errors rings"
    );
    program.end().await;
}

async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}
