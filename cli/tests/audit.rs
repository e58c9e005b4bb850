//! `pullsafe audit` as a user runs it: the binary, over HTTP, on an account with ECS and ECR.

use std::process::{Command, Output};

use scenarios::world::{Setup, World};
use serde_json::{Value, json};
use testkit::aws::fault::{Fault, FaultKind};
use testkit::aws::{ACCOUNT, REGION};
use testkit::registry::Sample;

fn account() -> World {
    Setup::new().without_pullsafe().build()
}

fn subnets(names: &[&str]) -> Value {
    json!({ "networkConfiguration": { "awsvpcConfiguration": { "subnets": names } } })
}

async fn audit(world: &World, arguments: &[&str]) -> Output {
    let served = world.aws.serve().await.unwrap();
    Command::new(env!("CARGO_BIN_EXE_pullsafe"))
        .arg("audit")
        .args(arguments)
        .env_clear()
        .env("AWS_ENDPOINT_URL", served.url())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_MAX_ATTEMPTS", "1")
        .output()
        .unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Case A's service beside others: 100 pulls, seven for each launch that fails.
#[tokio::test(flavor = "multi_thread")]
async fn says_what_depends_on_docker_hub_and_what_that_can_cost() {
    let world = account();
    let backend = world.define("court-case-backend", &["iseepatterns/court-case-backend:latest"]);
    world.create_service("court-case-backend", &backend, 2, subnets(&["subnet-a", "subnet-b"]));
    let web = world.define("web", &["nginx:1.27", "docker.io/library/redis:7"]);
    world.create_service("web", &web, 3, subnets(&["subnet-b", "subnet-a"]));
    let own = world.define("own", &[&format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/own:1"), "public.ecr.aws/docker/library/nginx:1"]);
    world.create_service("own", &own, 5, json!({}));
    let nginx = Sample::multi_arch(1).build();
    nginx.push(world.ecr.store(), "docker-hub/library/nginx", "1.27");
    let registry = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com");

    let output = audit(&world, &["--output", "json", "--registry", &registry]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found = document(&output);
    assert_eq!((&found["account"], &found["region"], &found["services_seen"]), (&json!(ACCOUNT), &json!(REGION), &json!(3)));
    let services: Vec<Value> = found["exposed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| {
            json!([
                service["service"],
                service["pulls_per_deployment"],
                service["pulls_per_failing_launch"],
                service["failing_launches_to_empty_quota"]
            ])
        })
        .collect();
    assert_eq!(services, [json!(["web", 6, 8, 12]), json!(["court-case-backend", 2, 7, 14])]);
    let web = &found["exposed"][0]["images"];
    assert_eq!(web[0]["reference"], "docker.io/library/nginx:1.27");
    assert_eq!(web[0]["mirror"], json!({"state": "held", "digest": nginx.top.digest.to_string()}));
    assert_eq!(web[1]["mirror"], json!({"state": "missing"}));
    assert_eq!(found["addresses"].as_array().unwrap().len(), 1, "the order of subnets does not matter");
    assert_eq!(found["addresses"][0]["pulls_per_deployment_of_all"], 8);
    assert_eq!(found["unknown"], json!([]));
    assert!(world.aws.writes().is_empty(), "an audit only looks: {:?}", world.aws.writes());

    let text = said(&audit(&world, &[]).await.stdout);
    assert!(text.contains("14 failing launches empty the quota of its address"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_docker_hub_passes() {
    let world = account();
    let own = world.define("own", &["public.ecr.aws/docker/library/nginx:1"]);
    world.create_service("own", &own, 5, json!({}));
    let output = audit(&world, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(world.aws.count("BatchGetImage"), 0, "without a registry none is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_read_and_a_definition_once() {
    let world = account();
    let shared = world.define("shared", &["redis:7"]);
    for index in 0..123 {
        world.create_service(&format!("service-{index}"), &shared, 1, json!({}));
    }
    let output = audit(&world, &["--output", "json"]).await;
    assert_eq!(document(&output)["exposed"].as_array().unwrap().len(), 123);
    assert_eq!(world.aws.count("DescribeTaskDefinition"), 1);
    assert_eq!(world.aws.count("DescribeServices"), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named_and_the_rest_goes_on() {
    let world = account();
    for name in ["first", "second"] {
        let definition = world.define(name, &["redis:7"]);
        world.create_service(name, &definition, 1, json!({}));
    }
    world.aws.inject(Fault::on("ecs", "DescribeTaskDefinition", FaultKind::AccessDenied));
    let output = audit(&world, &["--output", "json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let found = document(&output);
    assert_eq!(found["exposed"].as_array().unwrap().len(), 1);
    let unknown = found["unknown"][0].as_str().unwrap();
    assert!(unknown.contains("ecs:DescribeTaskDefinition") && unknown.contains("AccessDenied"), "{unknown}");

    world.aws.clear_faults();
    world.aws.inject(Fault::on("ecs", "ListClusters", FaultKind::AccessDenied));
    let output = audit(&world, &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let error = said(&output.stderr);
    assert!(error.starts_with("error: ") && error.contains("ecs:ListClusters"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_not_ecr_is_wrong_usage() {
    let world = account();
    let output = audit(&world, &["--registry", "registry.example.com"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output.stderr).contains("registry.example.com"), "{output:?}");
    assert!(world.aws.calls().is_empty());
}
