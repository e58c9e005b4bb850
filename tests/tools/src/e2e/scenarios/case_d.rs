//! Case D: the service was created before its image was pushed, and is scaled automatically.

use serde_json::json;

use super::service::{DeployedService, ServicePlan};
use super::{push_to_ecr, remediate, says, told};
use crate::e2e::emulator::{ACCOUNT, REGION};
use crate::e2e::report::StepReport;
use crate::e2e::scaling::PlayedScaling;
use crate::e2e::stack::{EmulatedStack, event};
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// What Application Auto Scaling scales.
pub const SCALED: &str = "service/mp/app-mp";
/// The service's repository.
pub(super) const REPOSITORY: &str = "app-mp";
/// The tag that the service waits for.
pub(super) const TAG: &str = "9f1c2d7e";
const COUNT: i32 = 2;

/// Plays it.
///
/// # Errors
/// The first step that failed.
pub async fn play(stack: &EmulatedStack, scaling: &PlayedScaling, report: &mut StepReport) -> Result<()> {
    report.heading("Case D: chicken and egg");
    let repository = stack.ecr.create_repository().repository_name(REPOSITORY).send().await;
    report.step("the repository is empty", repository.context("create the repository").map(drop))?;
    let image = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}:{TAG}");
    let plan = ServicePlan {
        cluster: "mp",
        name: "app-mp",
        container: "app",
        image: &image,
        count: COUNT,
        tags: &[("owner", "mp")],
    };
    let deployed = report.step("the service is deployed", DeployedService::deploy(stack, &plan).await)?;

    let stop = deployed.stop("task-stopped-image-not-found", 0)?;
    report.step("one failing task is not enough", remediate(stack, &stop, "advised", None).await)?;
    report.step("nothing has changed", is_as_deployed(stack, scaling, &deployed).await)?;
    let stop = deployed.stop("task-stopped-image-not-found", 1)?;
    report.step(
        "the second one pauses the service",
        remediate(stack, &stop, "acted", Some("pause-and-restore")).await,
    )?;
    report.step(
        "the count is 0, the old one on a tag, scaling suspended",
        is_paused(stack, scaling, &deployed, &image).await,
    )?;
    let text = report.step("people are told", told(stack, "paused (image-not-found)").await)?;
    report.step("the message names the image to push", says(&text, &[&format!("Push {image}")]))?;
    let sweep = event("sweep")?;
    report.step("a sweep before the push changes nothing", remediate(stack, &sweep, "swept", None).await)?;
    report.step("it stays paused", is_paused(stack, scaling, &deployed, &image).await)?;

    let digest = report.step("the image is pushed", push_to_ecr(stack, REPOSITORY, TAG).await)?;
    let mut pushed = event("ecr-image-pushed")?;
    pushed["detail"]["image-digest"] = json!(digest);
    report.step("the push restores the service", restored_by(stack, &pushed, scaling, &deployed).await)?;
    let text = report.step("people are told", told(stack, "restored (image-not-found)").await)?;
    report.step("the message says that it is restored", says(&text, &["exists now", &format!("to {COUNT} tasks")]))?;
    Ok(())
}

async fn is_as_deployed(stack: &EmulatedStack, scaling: &PlayedScaling, deployed: &DeployedService) -> Result<()> {
    let seen = deployed.look(stack).await?;
    ensure(seen.desired == COUNT, format!("{seen:?}"))?;
    ensure(seen.tags.keys().eq(["owner"]), format!("{seen:?}"))?;
    ensure(!scaling.is_suspended(SCALED)?, "scaling is suspended")
}

async fn is_paused(
    stack: &EmulatedStack,
    scaling: &PlayedScaling,
    deployed: &DeployedService,
    image: &str,
) -> Result<()> {
    let seen = deployed.look(stack).await?;
    ensure(seen.desired == 0, format!("{seen:?}"))?;
    let expected = [
        ("owner", "mp"),
        ("pullsafe:paused-count", "2"),
        ("pullsafe:paused-for", image),
        ("pullsafe:cause", "image-not-found"),
    ];
    ensure(
        expected.iter().all(|(key, value)| seen.tags.get(*key).is_some_and(|found| found == value)),
        format!("{seen:?}"),
    )?;
    ensure(scaling.is_suspended(SCALED)?, "scaling goes on")
}

/// The event finds the service, or a sweep that was just under way holds it; then the event waits in the queue.
async fn restored_by(
    stack: &EmulatedStack,
    pushed: &serde_json::Value,
    scaling: &PlayedScaling,
    deployed: &DeployedService,
) -> Result<()> {
    super::invoke(stack, "remediator", pushed).await?;
    stack
        .until("the service is restored", async |stack| {
            Ok((deployed.look(stack).await?.tags.keys().eq(["owner"])).then_some(()))
        })
        .await?;
    is_as_deployed(stack, scaling, deployed).await
}
