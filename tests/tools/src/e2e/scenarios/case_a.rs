//! Case A: the service's image is on Docker Hub, the quota is used up, every failed task spends seven pulls more.

use std::collections::BTreeSet;

use super::service::{DeployedService, ServicePlan};
use super::{digest_in_ecr, remediate, runs, says, told};
use crate::e2e::emulator::{ACCOUNT, REGION};
use crate::e2e::hub::Hub;
use crate::e2e::report::StepReport;
use crate::e2e::stack::{EmulatedStack, event};
use crate::e2e::{Result, WhatWasTried as _, ensure};

const IMAGE: &str = "iseepatterns/court-case-backend";
/// Where the mirror keeps it.
const COPY: &str = "docker-hub/iseepatterns/court-case-backend";
const TAG: &str = "latest";

/// Plays it.
///
/// # Errors
/// The first step that failed.
pub async fn play(stack: &EmulatedStack, hub: &Hub, report: &mut StepReport) -> Result<()> {
    report.heading("Case A: the rate-limit loop");
    let digest = report.step("the image is on Docker Hub", hub.push(IMAGE, TAG).await)?;
    report.step("a service that pullsafe only observes stays as it is", observed(stack).await)?;
    let deployed = DeployedService::deploy(stack, &plan("court-case-backend", 2, &[])).await;
    let deployed = report.step("the service is deployed", deployed)?;

    let stop = deployed.stop("task-stopped-hub-quota", 0)?;
    report.step(
        "the first STOPPED event asks the mirror",
        remediate(stack, &stop, "acted", Some("prepare-mirror")).await,
    )?;
    let text = report.step("people are told", told(stack, "queued for the mirror (registry-rate-limited)").await)?;
    report.step("the message reads alone", says(&text, &["429", IMAGE, "ask the mirror", "Incident "]))?;
    report.step("the mirror copies, the bus says so, the service is moved", moved(stack, &deployed).await)?;
    report.step("its task definition differs in the image alone", only_the_image_differs(stack, &deployed).await)?;
    report.step("the service's tags say what was done", tags(stack, &deployed).await)?;
    report.step("ECR holds the digest of Docker Hub", same_digest(stack, &digest).await)?;
    report.step("nobody asked Docker Hub by GET what the tag means", by_digest_only(hub))?;
    let text =
        report.step("people are told of the move", told(stack, "moved to the mirror (registry-rate-limited)").await)?;
    report.step("the message names the change to make", says(&text, &["Change there", COPY]))?;
    report.step("the incident has its one act", one_act(stack, &deployed).await)?;
    report.step("other programs get what events/ shows them", as_documented(stack).await)?;
    report.step("the same events again change nothing", nothing_twice(stack, &deployed).await)?;
    Ok(())
}

fn plan<'a>(name: &'a str, count: i32, tags: &'a [(&'a str, &'a str)]) -> ServicePlan<'a> {
    ServicePlan {
        cluster: "court-case",
        name,
        container: "backend",
        image: "iseepatterns/court-case-backend:latest",
        count,
        tags,
    }
}

async fn observed(stack: &EmulatedStack) -> Result<()> {
    let deployed = DeployedService::deploy(stack, &plan("observed", 1, &[("pullsafe:mode", "observe")])).await?;
    let before = (deployed.look(stack).await?, deployed.revisions(stack).await?, runs(stack, "mirror").await?);
    remediate(stack, &deployed.stop("task-stopped-hub-quota", 0)?, "observed", Some("prepare-mirror")).await?;
    let text = told(stack, "would be queued for the mirror (observing)").await?;
    says(&text, &["nothing was changed", "would ask the mirror"])?;
    let after = (deployed.look(stack).await?, deployed.revisions(stack).await?, runs(stack, "mirror").await?);
    ensure(before == after, format!("{before:?} became {after:?}"))?;
    ensure(digest_in_ecr(stack, COPY, TAG).await?.is_none(), "the mirror has been filled")
}

async fn moved(stack: &EmulatedStack, deployed: &DeployedService) -> Result<()> {
    let expected = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{COPY}:{TAG}@sha256:");
    stack
        .until("the service is moved", async |stack| {
            Ok((deployed.look(stack).await?.task_definition != deployed.task_definition).then_some(()))
        })
        .await?;
    let image = deployed.image(stack).await?;
    ensure(image.starts_with(&expected), format!("it runs {image}"))
}

async fn only_the_image_differs(stack: &EmulatedStack, deployed: &DeployedService) -> Result<()> {
    let now = deployed.look(stack).await?.task_definition;
    let (before, mut after) = (definition(stack, &deployed.task_definition).await?, definition(stack, &now).await?);
    ensure(
        before["containerDefinitions"][0]["image"] != after["containerDefinitions"][0]["image"],
        "the image is the same",
    )?;
    after["containerDefinitions"][0]["image"] = before["containerDefinitions"][0]["image"].clone();
    ensure(before == after, format!("{before} became {after}"))
}

/// A task definition, without what tells one revision from another.
async fn definition(stack: &EmulatedStack, arn: &str) -> Result<serde_json::Value> {
    let request = serde_json::json!({ "taskDefinition": arn });
    let answer = stack
        .emulator()
        .json("ecs", "AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition", &request)
        .await?;
    let mut definition = answer["taskDefinition"].clone();
    if let Some(fields) = definition.as_object_mut() {
        for field in ["taskDefinitionArn", "revision", "registeredAt", "registeredBy"] {
            fields.remove(field);
        }
    }
    Ok(definition)
}

async fn tags(stack: &EmulatedStack, deployed: &DeployedService) -> Result<()> {
    let tags = stack
        .until("the service is tagged", async |stack| {
            let tags = deployed.look(stack).await?.tags;
            Ok((!tags.is_empty()).then_some(tags))
        })
        .await?;
    ensure(tags.get("pullsafe:moved-from") == Some(&deployed.task_definition), format!("{tags:?}"))?;
    ensure(
        tags.get("pullsafe:cause").is_some_and(|cause| cause == "registry-rate-limited"),
        format!("{tags:?}"),
    )?;
    ensure(tags.contains_key("pullsafe:moved-at"), format!("{tags:?}"))
}

async fn same_digest(stack: &EmulatedStack, expected: &str) -> Result<()> {
    let found = digest_in_ecr(stack, COPY, TAG).await?;
    ensure(found.as_deref() == Some(expected), format!("ECR has {found:?}, Docker Hub {expected}"))
}

fn by_digest_only(hub: &Hub) -> Result<()> {
    let requests = hub.manifest_requests(IMAGE)?;
    let (gets, others): (Vec<_>, Vec<_>) = requests.iter().partition(|(method, _)| method == "GET");
    ensure(
        others.iter().any(|(method, name)| method == "HEAD" && name == TAG),
        format!("no HEAD: {requests:?}"),
    )?;
    ensure(gets.len() == 1, format!("one manifest takes one GET: {gets:?}"))?;
    ensure(gets.iter().all(|(_, name)| name.starts_with("sha256:")), format!("{gets:?}"))
}

async fn one_act(stack: &EmulatedStack, deployed: &DeployedService) -> Result<()> {
    let act = stack
        .until("the incident's row is written", async |stack| {
            let act = deployed.record(stack).await?["open"]["act"].clone();
            Ok((act["state"] == "done").then_some(act))
        })
        .await?;
    ensure(act["plan"]["remedy"] == "move-to-mirror", act)
}

/// The events that pullsafe has put on the bus have the fields of their examples in `events/`, and no others.
async fn as_documented(stack: &EmulatedStack) -> Result<()> {
    let events = stack.take_events().await?;
    for (name, detail_type) in [("image-mirrored", "Image Mirrored"), ("remedy-applied", "Remedy Applied")] {
        let example = event(name)?;
        // The last one, for the stack's own checks have put one of `events/` on the bus.
        let real = events
            .iter()
            .rfind(|event| event["detail-type"] == detail_type)
            .context(format!("no {detail_type}"))?;
        let fields = |event: &serde_json::Value| {
            event["detail"].as_object().map(|detail| detail.keys().cloned().collect::<BTreeSet<_>>())
        };
        ensure(fields(real) == fields(&example), format!("events/{name}.json is not like {real}"))?;
    }
    Ok(())
}

async fn nothing_twice(stack: &EmulatedStack, deployed: &DeployedService) -> Result<()> {
    let before = (deployed.look(stack).await?, deployed.revisions(stack).await?, runs(stack, "mirror").await?);
    for name in ["task-stopped-hub-quota", "task-stopped-hub-quota-duplicate"] {
        remediate(stack, &deployed.stop(name, 0)?, "ignored", None).await?;
    }
    let after = (deployed.look(stack).await?, deployed.revisions(stack).await?, runs(stack, "mirror").await?);
    ensure(before == after, format!("{before:?} became {after:?}"))?;
    let told = stack.take_notifications().await?;
    ensure(told.is_empty(), format!("told again: {told:?}"))
}
