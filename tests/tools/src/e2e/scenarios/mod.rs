//! What is played on the deployed stack. A scenario stops at its first failure; the next one is played all the same.

pub mod case_a;
pub mod case_d;
pub mod gate;
mod gate_killed;
pub mod mirror;
pub mod service;
pub mod widget;

use serde_json::{Value, json};

use super::report::StepReport;
use super::stack::{EmulatedStack, event};
use super::{Result, WhatWasTried as _, ensure};

/// The stack itself: every way into the remediator leads there.
///
/// # Errors
/// The first step that failed.
pub async fn every_way_in(stack: &EmulatedStack, report: &mut StepReport) -> Result<()> {
    report.heading("The stack: every way into the remediator");
    for name in ["sweep", "task-running", "task-stopped-scaling", "sqs-raw-events", "sqs-failed-event"] {
        report.step(&format!("{name} is handled"), invoke(stack, "remediator", &event(name)?).await)?;
    }
    report.step("an event on the bus comes through its rule", through_the_rule(stack).await)?;
    report.step("an event on the work queue comes back", through_the_queue(stack).await)?;
    // What these events have said is not what the cases are about.
    report.step("the topic has a listener", stack.take_notifications().await.map(drop))?;
    Ok(())
}

/// Invokes a function that has to succeed.
async fn invoke(stack: &EmulatedStack, function: &str, event: &Value) -> Result<Value> {
    let answer = stack.invoke(function, event).await?;
    ensure(answer.error.is_none(), format!("{function} failed: {}", answer.payload))?;
    Ok(answer.payload)
}

/// Invokes the remediator, which has to come to this outcome.
async fn remediate(stack: &EmulatedStack, event: &Value, outcome: &str, remedy: Option<&str>) -> Result<()> {
    let answer = invoke(stack, "remediator", event).await?;
    ensure(
        answer["outcome"] == outcome && answer["remedy"].as_str() == remedy,
        format!("not {outcome}, {remedy:?}: {answer}"),
    )
}

/// Waits for a notification with this in its subject; returns its text.
async fn told(stack: &EmulatedStack, subject: &str) -> Result<String> {
    stack
        .until(&format!("a message about `{subject}`"), async |stack| stack.take_notification(subject).await)
        .await
}

/// Fails if a text lacks one of these parts.
fn says(text: &str, parts: &[&str]) -> Result<()> {
    let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
    ensure(missing.is_empty(), format!("{missing:?} is not in: {text}"))
}

/// How often a function has been started on an event, by its log.
async fn runs(stack: &EmulatedStack, function: &str) -> Result<usize> {
    Ok(stack.logs(function).await?.iter().filter(|line| line.starts_with("START RequestId:")).count())
}

async fn through_the_rule(stack: &EmulatedStack) -> Result<()> {
    let before = runs(stack, "remediator").await?;
    let mirrored = event("image-mirrored")?;
    let entry = json!({"Source": "pullsafe", "DetailType": "Image Mirrored", "Detail": mirrored["detail"].to_string()});
    let answer = stack.emulator().json("events", "AWSEvents.PutEvents", &json!({ "Entries": [entry] })).await?;
    ensure(answer["FailedEntryCount"] == 0, &answer)?;
    stack
        .until("the rule wakes the remediator", async |stack| {
            Ok((runs(stack, "remediator").await? > before).then_some(()))
        })
        .await
}

async fn through_the_queue(stack: &EmulatedStack) -> Result<()> {
    let before = runs(stack, "remediator").await?;
    let message = event("task-stopped-scaling")?.to_string();
    stack
        .sqs
        .send_message()
        .queue_url(stack.output("WorkQueueUrl")?)
        .message_body(message)
        .send()
        .await
        .context("send")?;
    stack
        .until("the queue wakes the remediator", async |stack| {
            Ok((runs(stack, "remediator").await? > before).then_some(()))
        })
        .await
}

/// The digest behind a tag of a private repository, as ECR has it.
async fn digest_in_ecr(stack: &EmulatedStack, repository: &str, tag: &str) -> Result<Option<String>> {
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag(tag).build();
    match stack.ecr.batch_get_image().repository_name(repository).image_ids(id).send().await {
        Ok(answer) => Ok(answer.images().first().and_then(|image| image.image_id()?.image_digest()).map(str::to_owned)),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_repository_not_found_exception()) => {
            Ok(None)
        }
        Err(error) => Err(error).context("look into ECR"),
    }
}

/// Pushes an image to the emulated ECR, over the registry protocol as `docker push` does.
async fn push_to_ecr(stack: &EmulatedStack, repository: &str, tag: &str) -> Result<String> {
    let basic = sign_in(stack).await?;
    super::hub::push(
        &super::http::EmulatorHttp::default(),
        stack.emulator().endpoint(),
        &[("authorization", &basic)],
        repository,
        tag,
    )
    .await
}

/// Pushes an index into ECR, through its registry.
async fn push_index_to_ecr(stack: &EmulatedStack, repository: &str, tag: &str) -> Result<String> {
    let basic = sign_in(stack).await?;
    super::hub::push_index(
        &super::http::EmulatorHttp::default(),
        stack.emulator().endpoint(),
        &[("authorization", &basic)],
        repository,
        tag,
    )
    .await
}

async fn sign_in(stack: &EmulatedStack) -> Result<String> {
    let answer = stack
        .emulator()
        .json("ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", &json!({}))
        .await?;
    let token = answer["authorizationData"][0]["authorizationToken"].as_str().context("no token")?;
    Ok(format!("Basic {token}"))
}
