//! IAM, Application Auto Scaling and CloudFormation through their SDK clients. Logs, secrets and parameters as JSON,
//! because the workspace does not have their clients.

use std::sync::Arc;

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace, SuspendedState};
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use serde_json::{Value, json};

use super::clock;
use crate::aws::FakeAws;
use crate::aws::autoscaling::AutoScaling;
use crate::aws::cloudformation::CloudFormation;
use crate::aws::iam::Iam;
use crate::aws::logs::FakeLogs;
use crate::aws::parameters::Parameters;
use crate::aws::secrets::Secrets;
use crate::aws::service::FakeService;

#[tokio::test]
async fn a_role_is_simulated() {
    let iam = Iam::new()
        .allow("execution", "ecr:*", "arn:aws:ecr:eu-west-1:123456789012:repository/docker-hub/*")
        .allow("execution", "ecr:GetAuthorizationToken", "*")
        .deny("execution", "ecr:BatchGetImage", "*/library/secret")
        .with_role("bare");
    let fake = FakeAws::new(clock()).with_service("iam", Arc::new(iam));
    let client = aws_sdk_iam::Client::new(&fake.sdk_config());
    let repository = |name: &str| format!("arn:aws:ecr:eu-west-1:123456789012:repository/{name}");
    let simulate =
        |role: &str| client.simulate_principal_policy().policy_source_arn(role).action_names("ecr:BatchGetImage");

    let answer = simulate(&Iam::role_arn("execution"))
        .action_names("ecr:GetAuthorizationToken")
        .resource_arns(repository("docker-hub/library/python"))
        .resource_arns(repository("docker-hub/library/secret"))
        .resource_arns(repository("other"))
        .send()
        .await
        .unwrap();
    let [pull, token] = answer.evaluation_results() else {
        panic!("one result per action")
    };
    assert_eq!((pull.eval_decision().as_str(), token.eval_decision().as_str()), ("explicitDeny", "allowed"));
    let decisions: Vec<_> = pull
        .resource_specific_results()
        .iter()
        .map(|result| result.eval_resource_decision().as_str())
        .collect();
    assert_eq!(decisions, ["allowed", "explicitDeny", "implicitDeny"]);
    assert_eq!(pull.resource_specific_results()[0].eval_resource_name(), repository("docker-hub/library/python"));
    assert!(!answer.is_truncated());

    let bare = simulate(&Iam::role_arn("bare")).send().await.unwrap();
    assert_eq!(bare.evaluation_results()[0].eval_decision().as_str(), "implicitDeny");
    let missing = simulate(&Iam::role_arn("none")).send().await.unwrap_err().into_service_error();
    assert!(missing.is_no_such_entity_exception());
    let assumed = simulate("arn:aws:sts::123456789012:assumed-role/execution/x")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(assumed.is_invalid_input_exception());
}

#[tokio::test]
async fn only_what_is_given_of_a_target_changes() {
    let targets =
        AutoScaling::new(clock())
            .with_service("service/live/worker", 2, 10)
            .with_service("service/live/web", 1, 4);
    let fake = FakeAws::new(clock()).with_service("application-autoscaling", Arc::new(targets.clone()));
    let client = aws_sdk_applicationautoscaling::Client::new(&fake.sdk_config());
    let register = |resource: &str| {
        client
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id(resource)
    };

    let suspended = SuspendedState::builder().dynamic_scaling_out_suspended(true).build();
    register("service/live/worker").suspended_state(suspended).send().await.unwrap();
    register("service/live/worker").max_capacity(12).send().await.unwrap();
    let answer = client
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_ids("service/live/worker")
        .send()
        .await
        .unwrap();
    let [target] = answer.scalable_targets() else {
        panic!("one target was asked for")
    };
    assert_eq!((target.min_capacity(), target.max_capacity()), (2, 12));
    let state = target.suspended_state().unwrap();
    assert_eq!(
        (
            state.dynamic_scaling_in_suspended(),
            state.dynamic_scaling_out_suspended(),
            state.scheduled_scaling_suspended()
        ),
        (Some(false), Some(true), Some(false))
    );
    assert_eq!(targets.target("service/live/web").unwrap()["SuspendedState"]["DynamicScalingOutSuspended"], false);

    assert!(
        register("service/live/new")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_validation_exception()
    );
    let pages = client
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .max_results(1)
        .into_paginator()
        .items()
        .send();
    assert_eq!(pages.collect::<Result<Vec<_>, _>>().await.unwrap().len(), 2);
    assert_eq!(fake.writes().len(), 3);
    assert!(fake.actions().contains("application-autoscaling:RegisterScalableTarget"));
}

#[tokio::test]
async fn a_stack_is_found_by_name_and_by_arn() {
    let stacks = CloudFormation::new(clock()).with_stack("app", "UPDATE_IN_PROGRESS");
    let fake = FakeAws::new(clock()).with_service("cloudformation", Arc::new(stacks.clone()));
    let client = aws_sdk_cloudformation::Client::new(&fake.sdk_config());
    let status = |name: String| {
        let request = client.describe_stacks().stack_name(name);
        async move { request.send().await.map(|answer| answer.stacks()[0].stack_status().unwrap().as_str().to_owned()) }
    };
    let id = stacks.id("app").unwrap();
    assert_eq!(status("app".to_owned()).await.unwrap(), "UPDATE_IN_PROGRESS");
    assert_eq!(status(id.clone()).await.unwrap(), "UPDATE_IN_PROGRESS");
    stacks.set_status("app", "DELETE_COMPLETE");
    assert_eq!(status(id).await.unwrap(), "DELETE_COMPLETE");
    let error = status("app".to_owned()).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Some("ValidationError"), Some("Stack with id app does not exist")));
}

#[test]
fn streams_are_read_in_pages_both_ways() {
    let clock = clock();
    let logs = FakeLogs::new(clock.clone());
    logs.write("/build", "one", &["a", "b", "c", "d", "e"]);
    let get = |request: Value| logs.call("GetLogEvents", &request).unwrap();
    let messages = |answer: &Value| -> String {
        answer["events"].as_array().unwrap().iter().filter_map(|event| event["message"].as_str()).collect()
    };

    let first = get(json!({"logGroupName": "/build", "logStreamName": "one", "startFromHead": true, "limit": 3}));
    assert_eq!(messages(&first), "abc");
    let second = get(
        json!({"logGroupName": "/build", "logStreamName": "one", "limit": 3, "nextToken": first["nextForwardToken"]}),
    );
    assert_eq!(messages(&second), "de");
    let end = get(
        json!({"logGroupName": "/build", "logStreamName": "one", "limit": 3, "nextToken": second["nextForwardToken"]}),
    );
    assert_eq!((messages(&end).as_str(), &end["nextForwardToken"]), ("", &second["nextForwardToken"]));
    let latest = get(json!({"logGroupName": "/build", "logStreamName": "one", "limit": 2}));
    assert_eq!(messages(&latest), "de");
    let before = get(
        json!({"logGroupName": "/build", "logStreamName": "one", "limit": 2, "nextToken": latest["nextBackwardToken"]}),
    );
    assert_eq!(messages(&before), "bc");

    for (group, stream, missing) in [("/none", "one", "group"), ("/build", "two", "stream")] {
        let error = logs.call("GetLogEvents", &json!({"logGroupName": group, "logStreamName": stream})).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message),
            ("ResourceNotFoundException", format!("The specified log {missing} does not exist."))
        );
    }
}

#[test]
fn filters_may_answer_with_empty_pages() {
    let clock = clock();
    let logs = FakeLogs::new(clock.clone());
    logs.write("/build", "one", &["FROM python", "pulling", "toomanyrequests: rate limit"]);
    clock.advance(60);
    logs.write("/build", "two", &["exit status 1"]);
    let (mut pages, mut found, mut token) = (0, Vec::new(), Value::Null);
    loop {
        let request = json!({"logGroupName": "/build", "filterPattern": "?toomanyrequests ?\"exit status\" -python", "limit": 1, "nextToken": token});
        let answer = logs.call("FilterLogEvents", &request).unwrap();
        pages += 1;
        found.extend(
            answer["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["logStreamName"].as_str().unwrap().to_owned()),
        );
        token = answer["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((pages, found), (4, vec!["one".to_owned(), "two".to_owned()]));

    let newest = json!({"logGroupName": "/build", "orderBy": "LastEventTime", "descending": true, "limit": 1});
    let answer = logs.call("DescribeLogStreams", &newest).unwrap();
    assert_eq!(answer["logStreams"][0]["logStreamName"], "two");
    assert_eq!(answer["nextToken"], "1");
}

#[test]
fn secrets_and_parameters() {
    let secrets = Secrets::new().with_secret("hub", "{\"username\":\"u\"}");
    for id in ["hub".to_owned(), Secrets::arn("hub"), Secrets::arn("hub").replace("-AbCdEf", "")] {
        assert_eq!(
            secrets.call("GetSecretValue", &json!({"SecretId": id})).unwrap()["SecretString"],
            "{\"username\":\"u\"}"
        );
    }
    assert_eq!(
        secrets.call("GetSecretValue", &json!({"SecretId": "no"})).unwrap_err().code,
        "ResourceNotFoundException"
    );

    let parameters = Parameters::new(clock()).with_parameter("/mirror", "a: 1").with_secure("/token", "t");
    parameters.set("/mirror", "a: 2");
    let get = |request: Value| parameters.call("GetParameter", &request).map(|answer| answer["Parameter"].clone());
    let mirror = get(json!({"Name": "/mirror"})).unwrap();
    assert_eq!((&mirror["Value"], &mirror["Version"]), (&json!("a: 2"), &json!(2)));
    assert_ne!(get(json!({"Name": "/token"})).unwrap()["Value"], "t");
    assert_eq!(get(json!({"Name": "/token", "WithDecryption": true})).unwrap()["Value"], "t");
    assert_eq!(get(json!({"Name": "/none"})).unwrap_err().code, "ParameterNotFound");
}
