//! Case B, the build's base image: CodeBuild meets Docker Hub's limit.

use scenarios::world::Setup;
use serde_json::Value;

fn event(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_build_image_over_the_limit_is_named_with_its_replacement() {
    let mut world = Setup::new().build();
    let failed = event(include_str!("../../events/codebuild-failed-provisioning.json"));
    world.deliver(&failed).await;
    world.deliver(&failed).await;
    let told = world.told();
    assert_eq!(told.len(), 1, "the same build is told once: {told:?}");
    assert_eq!(told[0].subject.as_deref(), Some("pullsafe: build project court-case-backend: registry-rate-limited"));
    assert!(told[0].message.contains("public.ecr.aws/docker/library/python:3.11-slim"), "{}", told[0].message);
}

/// The phase that misled the investigation is not taken for a pull.
#[tokio::test]
async fn a_source_that_cannot_be_downloaded_is_no_pull() {
    let mut world = Setup::new().build();
    world.deliver(&event(include_str!("../../events/codebuild-failed-download-source.json"))).await;
    let message = &world.told()[0].message;
    assert!(message.contains("DOWNLOAD_SOURCE") && message.contains("not a pull of an image"), "{message}");
}

/// Only the log says why `docker build` failed, and the message says that it has to be read.
#[tokio::test]
async fn a_failed_command_points_to_the_log() {
    let mut world = Setup::new().build();
    world.deliver(&event(include_str!("../../events/codebuild-failed-build.json"))).await;
    let message = &world.told()[0].message;
    assert!(message.contains("unknown") && message.contains("Read the build's log"), "{message}");
}
