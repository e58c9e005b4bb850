//! Tests `pullsafe audit` as a user runs it: the binary, over HTTP, on an account with ECS and ECR.

use std::process::{Command, Output};

use scenarios::world::{Setup, World};
use serde_json::{Value, json};
use testkit::aws::fault::{AwsFault, FaultKind};
use testkit::aws::service::FakeService as _;
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
        .env("PULLSAFE_REGISTRY_ENDPOINTS", format!("docker.io={}", world.hub.url()))
        .output()
        .unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Case A's service among others: 100 pulls, seven for each launch that fails.
#[tokio::test(flavor = "multi_thread")]
async fn says_what_depends_on_docker_hub_and_what_that_can_cost() {
    let world = account();
    let backend = world.define("court-case-backend", &["iseepatterns/court-case-backend:latest"]);
    world.create_service("court-case-backend", &backend, 2, subnets(&["subnet-a", "subnet-b"]));
    let web = world.define("web", &["nginx:1.27", "docker.io/library/redis:7"]);
    world.create_service("web", &web, 3, subnets(&["subnet-b", "subnet-a"]));
    let own = world.define(
        "own",
        &[&format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/own:1"), "public.ecr.aws/docker/library/nginx:1"],
    );
    world.create_service("own", &own, 5, json!({}));
    let nginx = Sample::multi_arch(1).build();
    nginx.push(world.ecr.store(), "docker-hub/library/nginx", "1.27");
    let registry = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com");

    let output = audit(&world, &["--output", "json", "--registry", &registry]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found = document(&output);
    assert_eq!(
        (&found["account"], &found["region"], &found["services_seen"]),
        (&json!(ACCOUNT), &json!(REGION), &json!(3))
    );
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
    world.aws.inject(AwsFault::on("ecs", "DescribeTaskDefinition", FaultKind::AccessDenied));
    let output = audit(&world, &["--output", "json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let found = document(&output);
    assert_eq!(found["exposed"].as_array().unwrap().len(), 1);
    let unknown = found["unknown"][0].as_str().unwrap();
    assert!(unknown.contains("ecs:DescribeTaskDefinition") && unknown.contains("AccessDenied"), "{unknown}");

    world.aws.clear_faults();
    world.aws.inject(AwsFault::on("ecs", "ListClusters", FaultKind::AccessDenied));
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

/// What the account will run into tomorrow: an image that is gone, a policy that is about to delete one, a scheduled
/// task.
#[tokio::test(flavor = "multi_thread")]
async fn says_what_will_go_wrong_with_what_runs() {
    let world = account();
    let host = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com");
    let kept = Sample::new(1).build();
    kept.push(world.images.store(), "app", "1");
    let selection = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1 });
    let policy = json!({ "rules": [{ "rulePriority": 1, "selection": selection, "action": { "type": "expire" } }] });
    let request = json!({ "repositoryName": "app", "lifecyclePolicyText": policy.to_string() });
    world.images.call("PutLifecyclePolicy", &request).unwrap();
    for (name, image) in [("web", format!("{host}/app:1")), ("gone", format!("{host}/app:2"))] {
        let definition = world.define(name, &[&image]);
        world.create_service(name, &definition, 1, json!({}));
    }
    let job = world.define("job", &[&format!("{host}/job:1")]);
    world.bus.start_by_rule("nightly", "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", &job);
    let output = audit(&world, &["--outlook", "--output", "json"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found = document(&output);
    let outlooks = found["outlooks"].as_array().unwrap();
    let kinds: Vec<Value> = outlooks
        .iter()
        .map(|outlook| json!([outlook["subject"], outlook["findings"][0]["trouble"]["kind"]]))
        .collect();
    assert_eq!(
        kinds,
        [
            json!(["prod/gone", "gone"]),
            json!(["prod/web", "goes"]),
            json!(["prod/nightly (no service)", "gone"])
        ]
    );
    let goes = &outlooks[1]["findings"][0]["trouble"];
    assert_eq!((&goes["digest"], &goes["pushes"]), (&json!(kept.top.digest), &json!(1)));
    assert_eq!(found["unknown"], json!([]));
    assert!(world.aws.writes().is_empty(), "an audit only looks: {:?}", world.aws.writes());
    let text = said(&audit(&world, &["--outlook"]).await.stdout);
    let first = text.find("the next scale-out or Fargate retirement of prod/gone fails").expect("what fails next");
    assert!(first < text.find("prod/web may not be able to launch a task").expect("what may fail"), "{text}");
    assert!(text.contains("make this the lifecycle policy, and set the tag pullsafe-keep-"), "{text}");
}

/// What EventBridge Scheduler starts is looked at. A list that is refused is named, and the audit goes on. A cluster
/// may be given by its name.
#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_looked_at_and_a_refused_list_is_named() {
    let world = account();
    world.ecs.call("CreateCluster", &json!({ "clusterName": "test" })).unwrap();
    let host = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com");
    Sample::new(1).build().push(world.images.store(), "job", "1");
    let broken = world.define("job", &[&format!("{host}/job:2")]);
    for cluster in ["prod", "test"] {
        world
            .schedules
            .start(cluster, &format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster}"), &broken);
    }
    let subjects = |found: &Value| -> Vec<Value> {
        found["outlooks"].as_array().unwrap().iter().map(|outlook| outlook["subject"].clone()).collect()
    };
    let output = audit(&world, &["--outlook", "--output", "json"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let all = ["prod/default/prod (no service)", "test/default/test (no service)"];
    assert_eq!((subjects(&document(&output)), world.aws.count("ListSchedules")), (all.map(Value::from).to_vec(), 1));
    for name in ["test", "arn:aws:ecs:eu-west-1:123456789012:cluster/test"] {
        let found = document(&audit(&world, &["--outlook", "--cluster", name, "--output", "json"]).await);
        assert_eq!(subjects(&found), [all[1]], "{name}");
        assert_eq!(found["unknown"], json!([]));
    }
    world.create_service("web", &broken, 1, json!({}));
    world.aws.inject(AwsFault::on("scheduler", "ListSchedules", FaultKind::AccessDenied));
    let found = document(&audit(&world, &["--outlook", "--output", "json"]).await);
    assert_eq!(subjects(&found), ["prod/web"]);
    let unknown = found["unknown"][0].as_str().unwrap();
    assert!(unknown.contains("scheduler:ListSchedules") && unknown.contains("AccessDenied"), "{unknown}");
}

/// The base images of a repository's Dockerfiles, and what else it pulls, compared with the mirror: no copy, an old
/// copy, a copy that is named but missing.
#[tokio::test(flavor = "multi_thread")]
async fn says_which_base_images_are_behind_their_mirror() {
    let world = account();
    let host = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com");
    let (old, new) = (Sample::multi_arch(1).build(), Sample::multi_arch(2).build());
    for (name, copy) in [("python", Some(&new)), ("node", Some(&old)), ("golang", None), ("redis", Some(&old))] {
        new.push(world.hub.store(), &format!("library/{name}"), "1");
        if let Some(copy) = copy {
            copy.push(world.images.store(), &format!("docker-hub/library/{name}"), "1");
        }
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-files");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("api")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write(
        "Dockerfile",
        "FROM python:1 AS base\nFROM node:1 AS build\nFROM golang:1\nFROM docker.io/library/node:1\n",
    );
    write(
        "api/Dockerfile",
        &format!(
            "ARG BASE\nFROM $BASE\nFROM {host}/docker-hub/library/redis:1\nFROM \
             {host}/docker-hub/library/gone:1\nFROM {host}/own:1\n"
        ),
    );
    write("compose.yaml", "services:\n  web:\n    image: python:1\n");
    let path = folder.to_str().unwrap();
    let output = audit(&world, &["--registry", &host, "--files", path, "--output", "json"]).await;
    let found = document(&output);
    let findings: Vec<Value> = found["outlooks"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|outlook| {
            let file = outlook["subject"].as_str().unwrap().rsplit("audit-files/").next().unwrap().to_owned();
            let of_file = outlook["findings"].as_array().unwrap().iter();
            of_file
                .map(move |finding| json!([file, finding["container"], finding["image"], finding["trouble"]["kind"]]))
        })
        .collect();
    let copy = |name: &str| format!("{host}/docker-hub/library/{name}:1");
    assert_eq!(
        findings,
        [
            json!(["Dockerfile", "line 3", "docker.io/library/golang:1", "no-copy"]),
            json!(["Dockerfile", "lines 2, 4", "docker.io/library/node:1", "copy-behind"]),
            json!(["api/Dockerfile", "line 4", copy("gone"), "gone"]),
            json!(["api/Dockerfile", "line 3", copy("redis"), "copy-behind"]),
        ],
        "{found:#}"
    );
    let behind = &found["outlooks"][1]["findings"][1]["trouble"];
    assert_eq!((&behind["copy"], &behind["hub"]), (&json!(old.top.digest), &json!(new.top.digest)));
    assert!(found["left_out"][0].as_str().is_some_and(|text| text.contains("api/Dockerfile:2: ")), "{found:#}");
    assert_eq!((output.status.code(), &found["unknown"]), (Some(1), &json!([])), "a build that fails");
    assert!(world.aws.writes().is_empty() && world.hub.quota().used("lambda") == 0);
    let text = said(&audit(&world, &["--registry", &host, "--files", path]).await.stdout);
    let next = text.find("api/Dockerfile fails").expect("what fails next");
    assert!(next < text.find("audit-files/Dockerfile may fail one day, or get an old image").unwrap(), "{text}");
    assert!(text.contains("lines 2, 4: docker.io/library/node:1: the mirror has sha256:"), "{text}");
    // An image that only has an old copy or none does not fail yet.
    std::fs::remove_dir_all(folder.join("api")).unwrap();
    assert_eq!(audit(&world, &["--registry", &host, "--files", path]).await.status.code(), Some(0));
    world.aws.inject(AwsFault::on("ecr", "BatchGetImage", FaultKind::AccessDenied).always());
    let output = audit(&world, &["--registry", &host, "--files", path, "--output", "json"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        document(&output)["unknown"][0]
            .as_str()
            .is_some_and(|text| text.contains("the mirror could not be asked"))
    );
    for wrong in [vec!["--files", path], vec!["--registry", &host, "--files", "no-such-folder"]] {
        assert_eq!(audit(&world, &wrong).await.status.code(), Some(2), "{wrong:?}");
    }
}
