//! Tests `pullsafe drill` as a user runs it: the program, over HTTP, with a real remediator's answers behind Lambda's
//! API.

use std::process::{Command, Output};
use std::sync::Arc;

use scenarios::world::{NAT, Setup, World};
use serde_json::{Value, json};
use testkit::aws::server::Served;
use testkit::aws::service::{AwsError, FakeService};
use testkit::registry::Sample;

type Answer = Arc<dyn Fn(&str, &Value) -> Result<Value, AwsError> + Send + Sync>;

struct Scripted(Answer);

impl FakeService for Scripted {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        (self.0)(operation, request)
    }
}

/// A service whose image the mirror has, in act mode.
fn world() -> World {
    let world = Setup::new().build();
    for (repository, store) in [("acme/app", world.hub.store()), ("docker-hub/acme/app", world.images.store())] {
        Sample::new(1).build().push(store, repository, "1");
    }
    world.hub.quota().spend(NAT, 100, world.clock.now());
    let definition = world.define("app", &["acme/app:1"]);
    world.create_service("web", &definition, 2, json!({}));
    world
}

/// The remediator's answer to the command's request.
async fn remediator_answers(world: &World) -> Value {
    let service = json!({ "cluster_arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "name": "web" });
    let asked = json!({ "pullsafe": "drill", "subject": { "service": service } });
    world.remediator.clone().expect("deployed").handle(&asked, "drill").await.expect("an answer")
}

async fn serve(world: &World, lambda: Answer) -> Served {
    let stack: Answer = Arc::new(|operation, request| match (operation, request["StackName"].as_str()) {
        ("DescribeStackResource", Some("pullsafe")) => Ok(json!({ "StackResourceDetail": {
            "LogicalResourceId": request["LogicalResourceId"], "PhysicalResourceId": "pullsafe-RemediatorFunction-1A",
            "ResourceType": "AWS::Lambda::Function", "ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": "2026-01-15T19:00:00Z" } })),
        (_, name) => {
            Err(AwsError::client("ValidationError", format!("Stack '{}' does not exist", name.unwrap_or_default())))
        }
    });
    let aws = world
        .aws
        .clone()
        .with_service("cloudformation", Arc::new(Scripted(stack)))
        .with_service("lambda", Arc::new(Scripted(lambda)));
    aws.serve().await.expect("it listens")
}

async fn run(served: &Served, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullsafe"));
    command.arg("drill").args(arguments).env_clear().envs([
        ("AWS_ENDPOINT_URL", served.url()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ]);
    tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("it starts")
}

#[tokio::test]
async fn what_would_be_told_and_done_is_shown() {
    let world = world();
    let answer = remediator_answers(&world).await;
    let served = serve(&world, Arc::new(move |_, _| Ok(answer.clone()))).await;
    let output = run(&served, &["--service", "prod/web"]).await;
    let said = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(said.starts_with("DRILL for prod/web: no task has stopped, and nothing was changed.\n"), "{said}");
    assert!(
        said.contains("Would be done, for pullsafe may act here")
            && said.contains("People:    told\nPrograms:  told\nTook:      "),
        "{said}"
    );
    let call = world.aws.calls().into_iter().rfind(|call| call.service == "lambda").expect("it was invoked");
    assert_eq!(call.request["FunctionName"], "pullsafe-RemediatorFunction-1A");
    let payload: Value = serde_json::from_str(call.request["Payload"].as_str().expect("a text")).expect("JSON");
    assert_eq!((&payload["pullsafe"], &payload["subject"]["service"]["name"]), (&json!("drill"), &json!("web")));
    let output =
        run(&served, &["--service", "arn:aws:ecs:eu-west-1:123456789012:service/prod/web", "--output", "json"]).await;
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&document["outcome"], &document["remedy"], &document["shown"]["people"]),
        (&json!("drill"), &json!("move-to-mirror"), &json!("told"))
    );
    assert!(world.writes().iter().all(|call| call == "lambda:Invoke"), "{:?}", world.writes());
}

#[tokio::test]
async fn what_was_not_played_or_not_told_is_no_success() {
    let world = world();
    let old =
        json!({ "outcome": "ignored", "why": "`pullsafe`: \"drill\" is not a message of pullsafe", "remedy": null });
    let off = json!({ "outcome": "drill", "why": "pullsafe is off for prod/web: a stop would be neither looked at nor \
        told", "remedy": null });
    let broken = json!({ "errorMessage": "ecs:DescribeServices: denied", "errorType": "Failure" });
    for (answer, said) in [
        (old, "deploy this release first"),
        (off, "DRILL, not played: pullsafe is off"),
        (broken, "the remediator failed: ecs:DescribeServices"),
    ] {
        let served = serve(&world, Arc::new(move |_, _| Ok(answer.clone()))).await;
        let output = run(&served, &["--service", "prod/web"]).await;
        let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.code() == Some(1) && all.contains(said), "{all}");
    }
    let denied: Answer = Arc::new(|_, _| {
        Err(AwsError {
            status: 403,
            ..AwsError::client("AccessDeniedException", "no")
        })
    });
    let served = serve(&world, denied).await;
    for (arguments, code, said) in [
        (["--service", "prod/web"].as_slice(), 1, "lambda:InvokeFunction"),
        (&["--service", "prod/other"], 1, "there is no service other"),
        (&["--service", "prod/web", "--stack", "none"], 1, "the stack none has no remediator"),
        (&["--service", "web"], 2, "neither CLUSTER/SERVICE nor"),
    ] {
        let output = run(&served, arguments).await;
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && message.contains(said), "{arguments:?}: {message}");
    }
}
