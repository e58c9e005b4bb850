//! Case B, a build's base image: CodeBuild meets Docker Hub's limit.

use pullsafe::permission;
use scenarios::world::{DEAD_LETTERS, Setup, WORK_QUEUE, World};
use serde_json::{Value, json};
use testkit::aws::{AwsFault, FaultKind};
use testkit::registry::Sample;
use testkit::registry::server::fault::{FaultRule, Gate, RegistryFault as Hold};

const GROUP: &str = "/aws/codebuild/court-case-backend";
const MIRRORED: &str =
    "FROM 123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/python:3.11-slim AS builder";
const PUBLIC: &str = "FROM public.ecr.aws/docker/library/python:3.11-slim AS builder";

fn event(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A build that failed in phase BUILD, as CodeBuild in this region reports it.
fn failed_build() -> Value {
    let text = include_str!("../../events/codebuild-failed-build.json").replace("us-east-1", "eu-west-1");
    let mut event = event(&text);
    event["time"] = json!("2026-01-15T19:17:30Z");
    event
}

fn stream(event: &Value) -> String {
    event["detail"]["additional-information"]["logs"]["stream-name"].as_str().unwrap().to_owned()
}

/// Writes the log of a long build, with the failure of `docker build` in its middle.
fn write_log(world: &World, event: &Value) {
    let stream = stream(event);
    let mut lines: Vec<String> = (0..3_000).map(|number| format!("#{number} Collecting package-{number}")).collect();
    for (at, line) in [
        (2_950, "[Container] 2026/01/12 16:13:18 Running command docker build -t court-case-backend ."),
        (2_951, "Step 1/14 : FROM python:3.11-slim AS builder"),
        (
            2_952,
            "toomanyrequests: You have reached your unauthenticated pull rate limit. \
             https://www.docker.com/increase-rate-limit",
        ),
        (
            2_953,
            "[Container] 2026/01/12 16:13:27 Command did not exit successfully docker build -t court-case-backend . \
             exit status 1",
        ),
    ] {
        lines[at] = line.to_owned();
    }
    world.logs.write(GROUP, &stream, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A world in which Docker Hub and ECR Public have the base image, but the mirror does not.
fn world(mode: &str) -> World {
    let world = Setup::new().with("PULLSAFE_MODE", mode).with("PULLSAFE_NOTIFY_ALL_BUILDS", "true").build();
    let image = Sample::new(1).build();
    image.push(world.hub.store(), "library/python", "3.11-slim");
    image.push(world.public.store(), "docker/library/python", "3.11-slim");
    world
}

fn asked(world: &World) -> usize {
    world
        .aws
        .calls_of("SendMessage")
        .iter()
        .filter(|call| call.request["QueueUrl"].as_str().is_some_and(|url| url.ends_with("mirror")))
        .count()
}

#[tokio::test]
async fn a_build_image_over_the_limit_is_named_with_its_replacement() {
    let mut world = Setup::new().build();
    let failed = event(include_str!("../../events/codebuild-failed-provisioning.json"));
    world.deliver(&failed).await;
    world.deliver(&failed).await;
    let told = world.told();
    assert_eq!(told.len(), 1, "the same build is told once: {told:?}");
    assert_eq!(
        told[0].subject.as_deref(),
        Some("pullsafe: build project court-case-backend: registry-rate-limited")
    );
    let message = &told[0].message;
    assert!(message.contains("public.ecr.aws/docker/library/python:3.11-slim"), "{message}");
    assert!(
        message.contains("As the project's environment image, instead of") && !message.contains("FROM "),
        "{message}"
    );
    assert_eq!(world.aws.count("GetLogEvents"), 0, "the context says it all");
}

/// People who break their tests notice it themselves: a build that fails for reasons of its own is not told, unless the
/// setting asks for all builds.
#[tokio::test]
async fn a_build_that_concerns_no_image_is_no_news() {
    let mut world = Setup::new().build();
    let failed = failed_build();
    let lines = [
        "[Container] Running command npm test",
        "1 failing",
        "[Container] Command did not exit successfully npm test exit status 1",
    ];
    world.logs.write(GROUP, &stream(&failed), &lines);
    world.deliver(&failed).await;
    world.deliver(&event(include_str!("../../events/codebuild-failed-download-source.json"))).await;
    world.run_for(600).await;
    assert!(world.told().is_empty(), "{:?}", world.told());
    assert!(world.records().is_empty(), "nothing is remembered of it");
}

/// The phase that misled the investigation is not taken for a pull, and the log is not read for it.
#[tokio::test]
async fn a_source_that_cannot_be_downloaded_is_no_pull() {
    let mut world = Setup::new().with("PULLSAFE_NOTIFY_ALL_BUILDS", "true").build();
    world.deliver(&event(include_str!("../../events/codebuild-failed-download-source.json"))).await;
    let message = &world.told()[0].message;
    assert!(message.contains("DOWNLOAD_SOURCE") && message.contains("not a pull of an image"), "{message}");
    assert_eq!((world.aws.count("GetLogEvents"), asked(&world)), (0, 0));
}

/// Both builds of the case in their order: two causes, told apart; then the copy, and the lines to write once the copy
/// is there.
#[tokio::test]
async fn the_log_names_the_base_image_and_the_lines_to_write_instead() {
    let mut world = world("act");
    let mut first =
        event(&include_str!("../../events/codebuild-failed-download-source.json").replace("us-east-1", "eu-west-1"));
    first["time"] = json!("2026-01-15T19:03:57Z");
    world.deliver(&first).await;
    let failed = failed_build();
    write_log(&world, &failed);
    world.deliver(&failed).await;
    world.deliver(&failed).await;
    let subjects: Vec<_> = world.told().into_iter().filter_map(|notice| notice.subject).collect();
    assert_eq!(
        subjects,
        [
            "pullsafe: build project court-case-backend: unknown",
            "pullsafe: build project court-case-backend: registry-rate-limited"
        ]
    );
    let message = &world.told()[1].message;
    for wanted in [
        "logs[build]: toomanyrequests: You have reached your unauthenticated pull rate limit",
        "FROM python:3.11-slim AS builder\n",
        &format!("{MIRRORED}\n      (not yet: the image is not there; the mirror was asked for it just now)"),
        &format!("{PUBLIC}\n      (verified: ECR Public has the same sha256:"),
        "read from log group `/aws/codebuild/court-case-backend`",
    ] {
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
    let records = world.records();
    let causes: Vec<Value> = records[0]["open"]["causes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|cause| cause["diagnosis"]["cause"].clone())
        .collect();
    assert_eq!(causes, ["unknown", "registry-rate-limited"]);
    assert_eq!((asked(&world), world.writes()), (1, Vec::new()));

    world.settle().await;
    let told = world.told();
    let message = &told[2].message;
    assert!(
        message.contains(&format!("{MIRRORED}\n      (verified: the mirror has the same sha256:")),
        "{message}"
    );
    world.settle().await;
    world.run_for(600).await;
    assert_eq!(world.told().len(), 3, "nobody is told twice");
    let declared: Vec<&str> =
        [permission::REMEDIATOR, permission::MIRROR].into_iter().flat_map(permission::actions).collect();
    assert!(
        world.aws.actions().iter().all(|action| declared.contains(&action.as_str())),
        "{:?}",
        world.aws.actions()
    );
}

#[tokio::test]
async fn observing_asks_nobody() {
    let mut world = world("observe");
    let failed = failed_build();
    write_log(&world, &failed);
    world.deliver(&failed).await;
    let message = &world.told()[0].message;
    assert!(
        message.contains("in act mode the mirror would be asked for it") && message.contains(PUBLIC),
        "{message}"
    );
    assert_eq!((asked(&world), world.writes()), (0, Vec::new()));
}

#[tokio::test]
async fn every_stage_has_its_line() {
    let mut world = world("act");
    Sample::new(2).build().push(world.hub.store(), "library/node", "20-alpine");
    let failed = failed_build();
    for line in [
        "#2 [internal] load metadata for docker.io/library/node:20-alpine",
        "#3 [internal] load metadata for docker.io/library/python:3.11-slim",
        "#3 ERROR: failed to copy: httpReadSeeker: failed open: unexpected status code \
         https://registry-1.docker.io/v2/library/python/manifests/sha256:1: 429 Too Many Requests - Server message: \
         toomanyrequests: You have reached your pull rate limit.",
        "Dockerfile:6",
        "   1 |     FROM node:20-alpine AS web",
        "   6 | >>> FROM python:3.11-slim",
    ] {
        world.logs.write(GROUP, &stream(&failed), &[line]);
    }
    world.deliver(&failed).await;
    let message = &world.told()[0].message;
    assert!(
        message.contains("docker-hub/library/node:20-alpine AS web")
            && message.contains("docker-hub/library/python:3.11-slim\n"),
        "{message}"
    );
    assert!(
        message.contains(
            "public.ecr.aws/docker/library/node:20-alpine AS web\n      (not verified: the image is not there)"
        ),
        "{message}"
    );
    assert_eq!(asked(&world), 2);
}

/// Docker Hub and ECR Public accept connections but do not answer. All base images are looked up side by side, both
/// when the build fails and after the mirror was asked, and the message calls none of them "not asked".
#[tokio::test]
async fn many_base_images_that_nobody_answers_cost_one_look() {
    let world = world("act");
    let images = ["node", "golang", "rust", "python", "debian"];
    for image in images {
        for registry in [&world.hub, &world.public] {
            registry.plant(
                FaultRule::new(http::Method::HEAD, &format!("library/{image}"), Hold::Hold(Gate::closed())).always(),
            );
        }
    }
    let failed = failed_build();
    for (number, image) in images.iter().enumerate() {
        world.logs.write(
            GROUP,
            &stream(&failed),
            &[&format!("#{number} [internal] load metadata for docker.io/library/{image}:1")],
        );
    }
    world.logs.write(
        GROUP,
        &stream(&failed),
        &["#9 ERROR: toomanyrequests: You have reached your pull rate limit.", "   1 | >>> FROM python:1"],
    );
    let remediator = world.remediator.clone().unwrap();
    let begin = std::time::Instant::now();
    remediator.handle(&failed, "a").await.unwrap();
    // Two looks of eight seconds each. One image after another would take that long for every image. Time is real in
    // this test: a clock that jumps would also jump over answers that are on their way.
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
    let message = &world.told()[0].message;
    assert_eq!(message.matches("no answer in 8 s").count(), images.len(), "{message}");
    assert_eq!(message.matches("the mirror was asked for it just now").count(), images.len(), "{message}");
    assert!(!message.contains("not asked"), "{message}");
}

/// Only the log says why `docker build` failed. If it cannot be read, the message says that, and nothing is guessed.
#[tokio::test]
async fn a_log_that_cannot_be_read_is_said_to_be() {
    let unreadable = |spoil: fn(&World, &mut Value), said: &'static str| async move {
        let mut world = world("act");
        let mut failed = failed_build();
        write_log(&world, &failed);
        spoil(&world, &mut failed);
        world.deliver(&failed).await;
        let message = world.told()[0].message.clone();
        assert!(
            message.contains("unknown") && message.contains("Read the build's log") && message.contains(said),
            "{said}: {message}"
        );
        assert_eq!(asked(&world), 0);
    };
    unreadable(
        |world, _| world.aws.inject(AwsFault::on("logs", "GetLogEvents", FaultKind::AccessDenied).times(9)),
        "AccessDenied",
    )
    .await;
    unreadable(|_, event| event["detail"]["additional-information"]["logs"] = json!({}), "not to CloudWatch Logs")
        .await;
    unreadable(
        |_, event| event["detail"]["additional-information"]["logs"]["stream-name"] = json!("gone"),
        "log stream does not exist",
    )
    .await;
}

/// AWS refuses the message to the mirror. People are told at once, with the statement that is missing. The message is
/// tried once more after the grace, and after that only when a person asks for it.
#[tokio::test]
async fn a_mirror_that_may_not_be_asked_is_told_with_what_is_missing() {
    const STATEMENT: &str = r#"{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"arn:aws:sqs:eu-west-1:123456789012:pullsafe-mirror"}"#;
    for (kind, missing) in [
        (FaultKind::AccessDenied, STATEMENT),
        (FaultKind::Code("KmsAccessDenied"), "kms:GenerateDataKey"),
        (FaultKind::Code("QueueDoesNotExist"), "What is missing: The queue is gone"),
    ] {
        let mut world = world("act");
        let failed = failed_build();
        write_log(&world, &failed);
        world.aws.inject(AwsFault::on("sqs", "SendMessage", kind).always());
        world.deliver(&failed).await;
        let told = world.told();
        assert_eq!(told.len(), 1, "{kind:?}: {told:?}");
        let message = &told[0].message;
        assert!(!message.contains("was asked for it just now"), "{kind:?}: {message}");
        assert!(
            message.contains("The mirror could not be asked. Refused by AWS: sqs:SendMessage")
                && message.contains(missing),
            "{message}"
        );
        assert!(message.contains(PUBLIC), "the other line stands: {message}");
        // The looks of the sweep go through a queue, which is refused too. So this look is made by hand.
        let subject =
            json!({ "project": { "scope": "arn:aws:codebuild:eu-west-1:123456789012", "name": "court-case-backend" } });
        let look = json!({ "pullsafe": "look", "subject": subject });
        let before = asked(&world);
        for _ in 0..30 {
            world.clock.advance(60);
            world.deliver(&look).await;
        }
        let denied = !matches!(kind, FaultKind::Code("QueueDoesNotExist"));
        assert_eq!(
            asked(&world) - before,
            usize::from(denied) * before,
            "{kind:?}: tried once more where it was denied"
        );
        assert_eq!(world.told().len(), 1, "{kind:?}: told once");
        assert!(
            world.queues.bodies(DEAD_LETTERS).is_empty() && world.queues.bodies(WORK_QUEUE).is_empty(),
            "{kind:?}"
        );

        world.aws.clear_faults();
        let (_, body) = message.split_once("--message-body '").unwrap();
        let again: Value = serde_json::from_str(body.split_once('\'').unwrap().0).unwrap();
        assert_eq!(again["subject"], subject);
        world.queues.send(WORK_QUEUE, &again);
        world.run_for(120).await;
        let last = world.told().pop().unwrap().message;
        assert!(last.contains("The mirror has been filled.") && last.contains(MIRRORED), "{kind:?}: {last}");
    }
}

/// If the permission arrives within the grace, nobody has to do anything.
#[tokio::test]
async fn a_mirror_that_may_be_asked_a_little_later_is_asked_by_itself() {
    let mut world = world("act");
    let failed = failed_build();
    write_log(&world, &failed);
    world.aws.inject(AwsFault::on("sqs", "SendMessage", FaultKind::AccessDenied));
    world.deliver(&failed).await;
    assert!(world.told()[0].message.contains("by itself once more after 2 minutes"), "{:?}", world.told());
    world.run_for(240).await;
    assert!(world.told().pop().unwrap().message.contains("The mirror has been filled."), "{:#?}", world.told());
}
