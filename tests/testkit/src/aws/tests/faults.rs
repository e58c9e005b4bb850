//! Faults, the end of a process, and the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::clock;
use crate::aws::dynamodb::{DynamoDb, Schema, text};
use crate::aws::service::{AwsError, FakeService};
use crate::aws::sns::Sns;
use crate::aws::sqs::Sqs;
use crate::aws::{AwsFault, CallOutcome, FakeAws, FaultKind};

/// An ECS that knows one service and answers everything else with nothing.
struct Echo;

impl FakeService for Echo {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match (operation, request["service"].as_str()) {
            ("UpdateService", Some("gone")) => Err(AwsError::client("ServiceNotFoundException", "Service not found.")),
            ("UpdateService", _) => {
                Ok(json!({"service": {"serviceName": request["service"], "desiredCount": request["desiredCount"]}}))
            }
            _ => Ok(json!({})),
        }
    }
}

fn aws() -> (FakeAws, Sns) {
    let sns = Sns::new(clock()).with_topic("people");
    let fake = FakeAws::new(clock()).with_service("ecs", Arc::new(Echo)).with_service("sns", Arc::new(sns.clone()));
    (fake, sns)
}

#[tokio::test]
async fn json_answers_and_typed_errors_arrive() {
    let (fake, _) = aws();
    let client = aws_sdk_ecs::Client::new(&fake.sdk_config());
    let updated = client.update_service().service("worker").desired_count(3).send().await.unwrap();
    assert_eq!(updated.service().unwrap().desired_count(), 3);
    let error = client.update_service().service("gone").send().await.unwrap_err().into_service_error();
    assert!(error.is_service_not_found_exception());
    assert_eq!(error.message(), Some("Service not found."));

    assert_eq!(fake.calls()[0].request, json!({"service": "worker", "desiredCount": 3}));
    assert!(
        matches!(&fake.calls()[1].outcome, CallOutcome::Refused(error) if error.code == "ServiceNotFoundException")
    );
}

#[tokio::test]
async fn passing_faults_are_retried_and_lasting_ones_reach_the_caller() {
    for kind in FaultKind::ALL {
        let (fake, sns) = aws();
        let client = aws_sdk_sns::Client::new(&fake.sdk_config());
        let publish = || client.publish().topic_arn(Sns::arn("people")).message("text").send();

        fake.inject(AwsFault::on("sns", "Publish", kind));
        let first = publish().await;
        let retried = kind != FaultKind::AccessDenied;
        assert_eq!(first.is_ok(), retried, "{kind:?}: {first:?}");
        assert_eq!(fake.count("Publish"), if retried { 2 } else { 1 }, "{kind:?}");
        // Only a cut after the effect publishes the message twice.
        assert_eq!(
            sns.published().len(),
            match kind {
                FaultKind::ConnectionCutAfter => 2,
                FaultKind::AccessDenied | FaultKind::Code(_) => 0,
                FaultKind::Throttle
                | FaultKind::InternalError
                | FaultKind::Unavailable
                | FaultKind::Timeout
                | FaultKind::ConnectionCut => 1,
            },
            "{kind:?}"
        );

        let lasting = aws_sdk_sns::Client::new(&fake.sdk_config_with_attempts(1));
        fake.clear_log();
        fake.inject(AwsFault::at_call(1, kind));
        let error = lasting.publish().topic_arn(Sns::arn("people")).message("text").send().await.unwrap_err();
        match kind {
            FaultKind::Timeout => {
                assert!(matches!(&error, SdkError::DispatchFailure(failure) if failure.is_timeout()), "{error:?}")
            }
            FaultKind::ConnectionCut | FaultKind::ConnectionCutAfter => {
                assert!(matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()), "{error:?}");
            }
            FaultKind::AccessDenied => assert!(error.into_service_error().is_authorization_error_exception()),
            FaultKind::Throttle => assert_eq!(error.code(), Some("Throttling")),
            FaultKind::Code(code) => assert_eq!(error.code(), Some(code)),
            FaultKind::InternalError | FaultKind::Unavailable => {
                assert!(error.raw_response().is_some_and(|response| response.status().is_server_error()));
            }
        }
        let call = &fake.calls()[0];
        assert!(matches!(call.outcome, CallOutcome::Faulted { .. }));
        assert_eq!(call.took_effect(), kind == FaultKind::ConnectionCutAfter);
    }
}

#[tokio::test]
async fn passing_faults_are_retried_in_the_json_protocols_too() {
    for kind in FaultKind::ALL.into_iter().filter(|kind| *kind != FaultKind::AccessDenied) {
        let tables = DynamoDb::new(clock()).with_table(Schema::new("state", text("pk")));
        let fake = aws()
            .0
            .with_dynamodb(tables)
            .with_service("sqs", Arc::new(Sqs::new(clock()).with_queue("work", 30)));
        let config = fake.sdk_config();
        for (service, operation) in [("ecs", "ListClusters"), ("dynamodb", "Scan"), ("sqs", "SendMessage")] {
            fake.inject(AwsFault::on(service, operation, kind));
        }
        aws_sdk_ecs::Client::new(&config).list_clusters().send().await.unwrap();
        aws_sdk_dynamodb::Client::new(&config).scan().table_name("state").send().await.unwrap();
        aws_sdk_sqs::Client::new(&config)
            .send_message()
            .queue_url(Sqs::url("work"))
            .message_body("x")
            .send()
            .await
            .unwrap();
        assert_eq!(fake.calls().len(), 6, "{kind:?}");
    }
}

#[tokio::test]
async fn a_body_that_the_sdk_did_not_write_arrives_as_it_is() {
    let fake = FakeAws::new(clock()).with_service("ecs", Arc::new(Echo)).with_service("ecr", Arc::new(Echo));
    let body = r#"{"family":"worker","aFieldNoSdkKnows":{"deep":[1,{"x":null}]}}"#;
    let register = aws_sdk_ecs::Client::new(&fake.sdk_config()).register_task_definition().family("replaced");
    let replaced = register.customize().mutate_request(move |request| *request.body_mut() = SdkBody::from(body));
    replaced.send().await.unwrap();
    assert_eq!(fake.calls()[0].request.to_string(), body);

    aws_sdk_ecr::Client::new(&fake.sdk_config())
        .describe_repositories()
        .repository_names("app")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (fake.calls()[1].service.as_str(), &fake.calls()[1].request),
        ("ecr", &json!({"repositoryNames": ["app"]}))
    );
}

#[tokio::test]
async fn something_happens_between_two_calls() {
    let (fake, sns) = aws();
    let client = aws_sdk_ecs::Client::new(&fake.sdk_config());
    let seen = sns.clone();
    fake.before("ecs", "UpdateService", move || {
        seen.call("Publish", &json!({"TopicArn": Sns::arn("people"), "Message": "a person was faster"}))
            .unwrap();
    });
    client.list_clusters().send().await.unwrap();
    assert_eq!(sns.published(), []);
    client.update_service().service("worker").send().await.unwrap();
    client.update_service().service("worker").send().await.unwrap();
    assert_eq!(sns.published().len(), 1);
}

#[tokio::test]
async fn two_handlers_at_once_meet_between_calls() {
    let (fake, _) = aws();
    let client = aws_sdk_ecs::Client::new(&fake.sdk_config());
    let handler = async |name: &str| {
        client.list_services().cluster(name).send().await.unwrap();
        client.update_service().service(name).send().await.unwrap();
    };
    tokio::join!(handler("a"), handler("b"));
    let order: Vec<String> = fake.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(order, ["ListServices", "ListServices", "UpdateService", "UpdateService"]);
}

#[tokio::test]
async fn faults_count_the_calls_they_apply_to() {
    let (fake, _) = aws();
    let client = aws_sdk_ecs::Client::new(&fake.sdk_config_with_attempts(1));
    fake.inject(AwsFault::on("ecs", "UpdateService", FaultKind::AccessDenied).nth(2).times(2));
    let mut refused = Vec::new();
    for _ in 0..5 {
        client.list_clusters().send().await.unwrap();
        refused.push(client.update_service().service("worker").send().await.is_err());
    }
    assert_eq!(refused, [false, true, true, false, false]);
    fake.inject(AwsFault::on("ecs", "ListClusters", FaultKind::Throttle).always());
    assert!(client.list_clusters().send().await.is_err());
    assert!(client.list_clusters().send().await.is_err());
    fake.clear_faults();
    assert!(client.list_clusters().send().await.is_ok());
}

#[tokio::test]
async fn a_process_can_die_after_any_call() {
    let (fake, sns) = aws();
    let process = || {
        let config = fake.sdk_config();
        async move {
            let ecs = aws_sdk_ecs::Client::new(&config);
            let sns = aws_sdk_sns::Client::new(&config);
            ecs.update_service().service("worker").desired_count(0).send().await.unwrap();
            sns.publish().topic_arn(Sns::arn("people")).message("paused").send().await.unwrap();
            "done"
        }
    };
    fake.die_after(1);
    assert_eq!(fake.run(process()).await, None);
    assert_eq!(fake.calls().len(), 1);
    assert!(matches!(&fake.calls()[0].outcome, CallOutcome::Died { effect: Some(Ok(_)) }));
    assert!(fake.calls()[0].took_effect());
    assert_eq!(sns.published(), []);

    fake.clear_log();
    assert_eq!(fake.run(process()).await, Some("done"));
    assert_eq!(fake.calls().iter().map(|call| call.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(sns.published().len(), 1);
}

#[tokio::test]
async fn the_dead_have_no_effect() {
    let (fake, sns) = aws();
    let client = aws_sdk_sns::Client::new(&fake.sdk_config());
    let publish = || client.publish().topic_arn(Sns::arn("people")).message("text").send();
    fake.die_after(1);
    assert!(fake.run(async { tokio::join!(publish(), publish()) }).await.is_none());
    assert_eq!(sns.published().len(), 1);
}

#[tokio::test]
async fn the_log_knows_writes_and_actions() {
    let (fake, _) = aws();
    let ecs = aws_sdk_ecs::Client::new(&fake.sdk_config());
    ecs.describe_services().services("worker").send().await.unwrap();
    ecs.register_task_definition().family("worker").execution_role_arn("arn:role").send().await.unwrap();
    ecs.update_service().service("worker").send().await.unwrap();
    let sns = aws_sdk_sns::Client::new(&fake.sdk_config());
    sns.publish().topic_arn(Sns::arn("people")).message("text").send().await.unwrap();

    let writes: Vec<String> = fake.writes().into_iter().map(|call| call.operation).collect();
    assert_eq!(writes, ["RegisterTaskDefinition", "UpdateService"]);
    let actions = [
        "ecs:DescribeServices",
        "ecs:RegisterTaskDefinition",
        "ecs:UpdateService",
        "iam:PassRole",
        "sns:Publish",
    ];
    assert_eq!(fake.actions(), actions.map(str::to_owned).into_iter().collect::<BTreeSet<_>>());
}

#[tokio::test]
async fn a_service_that_is_not_set_up_is_no_answer() {
    let fake = FakeAws::new(clock());
    let client = aws_sdk_ecs::Client::new(&fake.sdk_config());
    assert!(matches!(client.list_clusters().send().await, Err(SdkError::DispatchFailure(_))));
    assert_eq!(fake.calls().len(), 1, "and not retried");
    assert_eq!(fake.calls()[0].outcome, CallOutcome::Unserved);
}

#[tokio::test]
async fn limits_refuse_what_comes_too_fast_and_let_it_pass_after_a_pause() {
    let (fake, _) = aws();
    let client = aws_sdk_ecs::Client::new(&fake.sdk_config_with_attempts(1));
    fake.limit();
    let mut failed = 0;
    for _ in 0..60 {
        failed += usize::from(client.update_service().service("worker").send().await.is_err());
    }
    assert_eq!((failed, fake.refused().len()), (10, 10));
    assert!(matches!(&fake.calls()[59].outcome, CallOutcome::Refused(error) if error.code == "ThrottlingException"));
    fake.clock().advance(1);
    client.update_service().service("worker").send().await.unwrap();
    // Where time passes, the SDK's own pauses between attempts are enough.
    let patient = aws_sdk_ecs::Client::new(&fake.sdk_config());
    fake.share_among(1);
    for _ in 0..20 {
        patient.update_service().service("worker").send().await.unwrap();
    }
}
