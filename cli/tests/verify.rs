//! Tests `pullsafe verify` and `pullsafe protect` as programs, with an account and registries on this machine: what
//! failed in the cases is found before anything is deployed.

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};
use testkit::aws::iam::Iam;
use testkit::aws::logs::FakeLogs;
use testkit::aws::service::FakeService as _;
use testkit::aws::sts::Sts;
use testkit::aws::{FakeAws, Served};
use testkit::clock::VirtualClock;
use testkit::ecr::EcrApi;
use testkit::ecs::EcsApi;
use testkit::registry::{EcrOptions, HubOptions, ImageStore, RegistryServer, Sample};
use testkit::rounds::Rounds;

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const ROLE: &str = "arn:aws:iam::123456789012:role/pull";

/// An account, its registry, and Docker Hub.
struct Place {
    clock: VirtualClock,
    ecs: EcsApi,
    ecr: RegistryServer,
    images: EcrApi,
    hub: RegistryServer,
    fake: FakeAws,
    aws: Served,
    folder: PathBuf,
}

impl Place {
    async fn new(name: &str) -> Self {
        let clock = VirtualClock::at(Timestamp::from_millis(1_768_504_620_000));
        let ecs = EcsApi::new(clock.clone());
        ecs.call("CreateCluster", &json!({ "clusterName": "prod" })).unwrap();
        let store = ImageStore::new(clock.clone());
        let ecr = RegistryServer::ecr(&store, EcrOptions::default());
        let images = EcrApi::new(&store).downloads_from(&ecr);
        let hub = RegistryServer::hub(
            &ImageStore::new(clock.clone()),
            HubOptions { anonymous_pulls: Some(100), ..HubOptions::default() },
        );
        let iam = Iam::new().allow("pull", "ecr:*", "*").with_role("bare");
        let fake = FakeAws::new(clock.clone())
            .with_service("ecs", Arc::new(ecs.clone()))
            .with_service("ecr", Arc::new(images.clone()))
            .with_service("iam", Arc::new(iam))
            .with_service("sts", Arc::new(Sts::default()))
            .with_service("logs", Arc::new(FakeLogs::new(clock.clone()).with_group("/ecs/web")));
        let aws = fake.serve().await.unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("verify-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self { clock, ecs, ecr, images, hub, fake, aws, folder }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn command(&self, arguments: &[&str], signed_in: bool) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pullsafe"));
        let endpoints = format!("docker.io={},{HOST}={}", self.hub.url(), self.ecr.url());
        command.args(arguments).env_clear().current_dir(&self.folder).kill_on_drop(true);
        command
            .env("HOME", &self.folder)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ENDPOINT_URL", self.aws.url()).env("PULLSAFE_REGISTRY_ENDPOINTS", endpoints);
        if signed_in {
            command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        }
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments, true).output().await.expect("it runs")
    }

    /// The certain faults, the exit status, and the whole document.
    async fn faults(&self, arguments: &[&str]) -> (Vec<String>, Option<i32>, Value) {
        let output = self.run(&[&["verify", "--output", "json"], arguments].concat()).await;
        let document: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
        let all = document["subjects"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|subject| subject["findings"].as_array().cloned().unwrap_or_default());
        let certain = all
            .filter(|finding| finding["certainty"] == "certain")
            .map(|finding| finding["fault"].as_str().unwrap_or_default().to_owned());
        (certain.collect(), output.status.code(), document)
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn definition(image: &str, role: &str) -> Value {
    json!({
        "family": "web", "executionRoleArn": role, "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "containerDefinitions": [{ "name": "app", "image": image, "essential": true }],
    })
}

/// Case A: the pull quota of the address is used up.
#[tokio::test(flavor = "multi_thread")]
async fn case_a_is_found_in_the_task_definition() {
    let place = Place::new("a").await;
    Sample::new(1).build().push(place.hub.store(), "iseepatterns/court-case-backend", "latest");
    let file = place.write("taskdef.json", &definition("iseepatterns/court-case-backend:latest", ROLE).to_string());
    assert_eq!(place.run(&["verify", &file]).await.status.code(), Some(0), "a hundred pulls are left");
    place.hub.quota().spend("lambda", 100, place.clock.now());
    let (faults, code, document) = place.faults(&["--mirror", &format!("{HOST}/docker-hub"), &file]).await;
    assert_eq!((faults, code), (vec!["no-copy".to_owned()], Some(1)), "{document:#}");
    let quota = &document["subjects"][0]["findings"][1];
    assert_eq!(
        (&quota["fault"], &quota["cause"]),
        (&json!("quota-too-small"), &json!("registry-rate-limited")),
        "{document:#}"
    );
    assert_eq!(place.run(&["verify", "--strict", &file]).await.status.code(), Some(1));
}

/// Cases B and E: what builds and compose files pull from Docker Hub, on a machine without pulls left.
#[tokio::test(flavor = "multi_thread")]
async fn cases_b_and_e_are_found_in_the_repositorys_files() {
    let place = Place::new("e").await;
    for (repository, tag) in [
        ("library/python", "3.11-slim"),
        ("docker/dockerfile", "1"),
        ("postgis/postgis", "16-3.4"),
        ("library/redis", "7-alpine"),
        ("minio/minio", "latest"),
        ("mailhog/mailhog", "v1.0.1"),
    ] {
        Sample::multi_arch(3).build().push(place.hub.store(), repository, tag);
    }
    let build = place.write("Dockerfile", "# syntax=docker/dockerfile:1\nFROM python:3.11-slim AS base\n");
    place.write(
        "infra/docker-compose.yml",
        "services:\n  api: \
         {build: {context: .., dockerfile: Dockerfile}}\n  db: {image: 'postgis/postgis:16-3.4'}\n  cache: \
         {image: 'redis:7-alpine'}\n  store: {image: 'minio/minio:latest'}\n  mail: \
         {image: 'mailhog/mailhog:v1.0.1'}\n",
    );
    let (faults, code, _) = place.faults(&["."]).await;
    assert_eq!((faults, code), (Vec::new(), Some(0)));
    place.hub.quota().spend("lambda", 100, place.clock.now());
    for (target, images) in [(".", 6), (build.as_str(), 2)] {
        let (faults, code, document) = place.faults(&[target]).await;
        assert_eq!((faults, code), (vec!["quota-too-small".to_owned()], Some(1)), "{document:#}");
        assert_eq!(document["subjects"][0]["images"].as_array().unwrap().len(), images);
    }
    // An image that does not exist is shown at its line.
    place.write("infra/compose.yaml", "services:\n  web:\n    image: redis:8-typo\n");
    let output = place.run(&["verify", "--output", "github", "infra/compose.yaml"]).await;
    assert!(
        said(&output).contains("::error file=infra/compose.yaml,line=3,col=12,title=pullsafe verify::"),
        "{}",
        said(&output)
    );
}

/// Case D: the image has not been pushed.
#[tokio::test(flavor = "multi_thread")]
async fn case_d_is_found_and_can_be_waited_for() {
    let place = Place::new("d").await;
    place.images.store().create_repository("app-mp", testkit::registry::Mutability::Mutable);
    let file = place.write(
        "taskdef.json",
        &json!({ "taskDefinition": definition(&format!("{HOST}/app-mp:3f2c1ab"), ROLE) }).to_string(),
    );
    let (faults, code, document) = place.faults(&[&file]).await;
    assert_eq!((faults, code), (vec!["image-absent".to_owned()], Some(1)), "{document:#}");
    assert_eq!(document["subjects"][0]["findings"][0]["cause"], "image-not-found");
    let template = place.write(
        "template.yaml",
        &format!(
            "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Task:\n    Type: \
            AWS::ECS::TaskDefinition\n    Properties:\n      ContainerDefinitions:\n        - {{Name: app, Image: \
            '{HOST}/app-mp:3f2c1ab'}}\n"
        ),
    );
    assert_eq!(place.faults(&[&template]).await.0, ["image-absent"]);

    let begin = Instant::now();
    let waiting = place
        .command(&["verify", "--wait", "60s", &file], true)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    tokio::time::sleep(Duration::from_millis(500)).await;
    Sample::multi_arch(4).build().push(place.images.store(), "app-mp", "3f2c1ab");
    let output = waiting.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

/// Cases A and D in a synthesized CDK app, whose own images have names that CloudFormation completes.
#[tokio::test(flavor = "multi_thread")]
async fn a_synthesized_cdk_app_is_verified() {
    let place = Place::new("cdk").await;
    let assets = "cdk-hnb659fds-container-assets-123456789012-eu-west-1";
    Sample::multi_arch(1).build().push(place.images.store(), assets, "pushed");
    Sample::multi_arch(2).build().push(place.hub.store(), "amazon/cloudwatch-agent", "latest");
    let of_account = |tag: &str| json!({ "Fn::Sub": format!("${{AWS::AccountId}}.dkr.ecr.${{AWS::Region}}.${{AWS::URLSuffix}}/cdk-hnb659fds-container-assets-${{AWS::AccountId}}-${{AWS::Region}}:{tag}") });
    let of_environment =
        |tag: &str| json!({ "Fn::Sub": format!("123456789012.dkr.ecr.eu-west-1.${{AWS::URLSuffix}}/{assets}:{tag}") });
    let template = |image: Value| {
        let containers = json!([
            { "Name": "web", "Image": image, "Essential": true },
            { "Name": "agent", "Image": "amazon/cloudwatch-agent:latest" },
        ]);
        let definition =
            json!({ "Type": "AWS::ECS::TaskDefinition", "Properties": { "ContainerDefinitions": containers } });
        place.write("cdk.out/App.template.json", &format!("{:#}", json!({ "Resources": { "Task": definition } })))
    };
    for (image, faults) in [
        (of_account("pushed"), vec![]),
        (of_environment("pushed"), vec![]),
        (of_account("3f2c1ab"), vec!["image-absent"]),
        (of_environment("3f2c1ab"), vec!["image-absent"]),
    ] {
        template(image);
        let (found, code, document) = place.faults(&["cdk.out"]).await;
        assert_eq!(
            (&found, code),
            (&faults.iter().map(|fault| (*fault).to_owned()).collect(), Some(i32::from(!faults.is_empty()))),
            "{document:#}"
        );
        assert_eq!(document["subjects"][0]["left_out"], json!([]), "{document:#}");
    }
    let output = place.run(&["verify", "--output", "github", "cdk.out"]).await;
    assert!(said(&output).contains("::error file=cdk.out/App.template.json,line="), "{}", said(&output));
    let output = place.command(&["verify", "cdk.out"], false).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("are not known without AWS credentials"), "{}", said(&output));
    place.hub.quota().spend("lambda", 100, place.clock.now());
    template(of_account("pushed"));
    assert_eq!(place.faults(&["cdk.out"]).await.0, ["quota-too-small"]);
}

/// An image that nobody has pushed is found in every kind of file that names it.
#[tokio::test(flavor = "multi_thread")]
async fn an_absent_image_is_found_in_every_kind_of_file() {
    let place = Place::new("kinds").await;
    place.images.store().create_repository("app", testkit::registry::Mutability::Mutable);
    let image = format!("{HOST}/app:3f2c1ab");
    for (name, text) in [
        (
            "sam/template.yaml",
            format!("Transform: AWS::Serverless-2016-10-31\nResources:\n  Job:\n    Type: \
                AWS::Serverless::Function\n    Properties: {{PackageType: Image, ImageUri: '{image}'}}\n"),
        ),
        (
            "copilot/web/manifest.yml",
            format!("name: web\ntype: Load Balanced Web Service\nimage:\n  location: {image}\n  port: 80\n"),
        ),
        ("compose/compose.yaml", format!("services:\n  web: {{image: '{image}'}}\n")),
        ("docker/Dockerfile", format!("FROM {image}\n")),
        (
            "pipeline/taskdef.json",
            json!({ "family": "web", "executionRoleArn": "<ROLE>", "containerDefinitions": [{ "name": "app", "image": image }] }).to_string(),
        ),
    ] {
        place.write(name, &text);
        let folder = name.split('/').next().unwrap();
        let (faults, code, document) = place.faults(&[folder]).await;
        assert_eq!((faults, code), (vec!["image-absent".to_owned()], Some(1)), "{name}: {document:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn platform_role_and_log_group_are_looked_at() {
    let place = Place::new("rest").await;
    Sample::new(5).platforms(&["linux/arm64"]).build().push(place.images.store(), "app", "1");
    Sample::multi_arch(5).build().push(place.images.store(), "app", "2");
    for (image, role, change, fault) in [
        ("app:1", ROLE, json!({}), Some("wrong-platform")),
        ("app:1", ROLE, json!({ "runtimePlatform": { "cpuArchitecture": "ARM64" } }), None),
        ("app:2", "arn:aws:iam::123456789012:role/bare", json!({}), Some("pull-denied")),
        ("app:2", "arn:aws:iam::123456789012:role/gone", json!({}), Some("pull-denied")),
        ("app:2", ROLE, json!({}), None),
    ] {
        let mut definition = definition(&format!("{HOST}/{image}"), role);
        definition.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
        let (faults, code, document) = place.faults(&[&place.write("taskdef.json", &definition.to_string())]).await;
        assert_eq!(
            (faults, code),
            (Vec::from_iter(fault.map(str::to_owned)), Some(i32::from(fault.is_some()))),
            "{image} {role}: {document:#}"
        );
    }
    let mut definition = definition(&format!("{HOST}/app:2"), ROLE);
    for (group, fault) in [("/ecs/web", None), ("/ecs/we", Some("log-group-missing"))] {
        definition["containerDefinitions"][0]["logConfiguration"] =
            json!({ "logDriver": "awslogs", "options": { "awslogs-group": group, "awslogs-region": "eu-west-1" } });
        let (faults, _, document) = place.faults(&[&place.write("taskdef.json", &definition.to_string())]).await;
        assert_eq!(faults, Vec::from_iter(fault.map(str::to_owned)), "{group}: {document:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_registered_and_what_a_service_runs_is_verified_by_name() {
    let place = Place::new("named").await;
    place.ecs.call("RegisterTaskDefinition", &definition(&format!("{HOST}/gone:1"), ROLE)).unwrap();
    let service = json!({ "cluster": "prod", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 2, "launchType": "FARGATE" });
    place.ecs.call("CreateService", &service).unwrap();
    for target in [
        "web:1",
        "web",
        "prod/web",
        "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:1",
        "arn:aws:ecs:eu-west-1:123456789012:service/prod/web",
    ] {
        let (faults, code, document) = place.faults(&[target]).await;
        assert_eq!((faults, code), (vec!["image-absent".to_owned()], Some(1)), "{target}: {document:#}");
    }
    for wrong in ["prod/nobody", "nobody/web", "nothing:7", "no file.json"] {
        let output = place.run(&["verify", wrong]).await;
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_it_does_what_needs_none_and_says_so() {
    let place = Place::new("nobody").await;
    Sample::multi_arch(1).build().push(place.hub.store(), "library/redis", "7");
    let mut definition = definition("redis:7", ROLE);
    definition["containerDefinitions"].as_array_mut().unwrap().extend([
        json!({ "name": "side", "image": "redis:typo" }),
        json!({ "name": "third", "image": format!("{HOST}/app:1") }),
    ]);
    let file = place.write("taskdef.json", &definition.to_string());
    let output = place.command(&["verify", &file], false).output().await.unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("`docker.io/library/redis:typo` does not exist")
            && text.contains("no AWS credentials to ask ECR with"),
        "{text}"
    );
    assert!(text.contains("left out: everything in AWS"), "{text}");
    let named = place.command(&["verify", "web:1"], false).output().await.unwrap();
    assert_eq!(named.status.code(), Some(2), "{}", said(&named));
}

/// The load for the time limit: ten images, half of them Docker Hub's with a copy each, and every answer of AWS and of
/// a registry takes a fiftieth of a second.
#[tokio::test(flavor = "multi_thread")]
async fn ten_images_are_verified_in_less_than_five_seconds() {
    let place = Place::new("ten").await;
    let images: Vec<Value> = (0..10)
        .map(|number| {
            let (sample, name) = (Sample::multi_arch(number).build(), format!("acme/app-{number}"));
            let image = match number % 2 {
                0 => {
                    sample.push(place.images.store(), &name, "1");
                    format!("{HOST}/{name}:1")
                }
                _ => {
                    sample.push(place.hub.store(), &name, "1");
                    sample.push(place.images.store(), &format!("docker-hub/{name}"), "1");
                    format!("{name}:1")
                }
            };
            json!({ "name": format!("c{number}"), "image": image, "essential": true })
        })
        .collect();
    let mut definition = definition("x", ROLE);
    definition["containerDefinitions"] = images.into();
    let file = place.write("taskdef.json", &definition.to_string());
    let rounds = Rounds::new(Duration::from_millis(20));
    place.fake.count_rounds(&rounds);
    place.hub.count_rounds(&rounds);
    place.ecr.count_rounds(&rounds);
    let begin = Instant::now();
    let output = place.run(&["verify", "--mirror", &format!("{HOST}/docker-hub"), &file]).await;
    let took = begin.elapsed();
    println!(
        "pullsafe verify, ten images, 20 ms a call: {took:?} ({} calls, {} deep)",
        rounds.calls().len(),
        rounds.calls().iter().map(|(_, depth)| *depth).max().unwrap_or_default()
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(took < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_protected_once_and_the_hook_goes_again() {
    let place = Place::new("protect").await;
    place.ecs.call("RegisterTaskDefinition", &definition(&format!("{HOST}/app:1"), ROLE)).unwrap();
    let theirs = json!({ "targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"], "timeoutConfiguration": { "timeoutInMinutes": 60, "action": "ROLLBACK" } });
    let service = json!({
        "cluster": "prod", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 0, "launchType": "FARGATE",
        "deploymentConfiguration": { "maximumPercent": 150, "lifecycleHooks": [theirs] },
    });
    place.ecs.call("CreateService", &service).unwrap();
    let configuration = || place.ecs.service("prod", "web")["deploymentConfiguration"].clone();
    let before = configuration();
    let dry = place.run(&["protect", "prod/web", "--dry-run"]).await;
    assert_eq!((dry.status.code(), configuration()), (Some(0), before.clone()), "{}", said(&dry));
    assert!(said(&dry).contains("PRE_SCALE_UP"), "{}", said(&dry));
    for expected in ["5 minutes at most", "has the hook already"] {
        let output = place.run(&["protect", "prod/web"]).await;
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    let hooks = configuration()["lifecycleHooks"].clone();
    assert_eq!(
        (&hooks[0], &hooks[1]["lifecycleStages"], &configuration()["maximumPercent"]),
        (&theirs, &json!(["PRE_SCALE_UP"]), &json!(150))
    );
    assert_eq!(place.run(&["protect", "prod/web", "--undo"]).await.status.code(), Some(0));
    assert_eq!(configuration(), before);
    assert_eq!(place.run(&["protect", "prod/nobody"]).await.status.code(), Some(1));
    assert_eq!(place.run(&["protect", "nonsense"]).await.status.code(), Some(2));
}
