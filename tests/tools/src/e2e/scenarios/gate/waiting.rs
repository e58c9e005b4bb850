//! Stacks with gates in them: their templates, what they do, and what they are waited for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{invoke, push_to_ecr};
use super::REPOSITORY;
use crate::e2e::stack::{EmulatedStack, event};
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// A template with one gate.
pub(super) fn one(tag: &str, timeout_seconds: u32) -> Value {
    json!({
        "Resources": {"Image": {"Type": "Custom::PullsafeImage", "Properties": {
            "ServiceToken": null, "ServiceTimeout": timeout_seconds, "RepositoryName": REPOSITORY, "ImageTag": tag,
        }}},
        "Outputs": {"ImageUri": {"Value": {"Fn::GetAtt": ["Image", "ImageUri"]}}},
    })
}

/// Writes the gate's ARN into every gate of a template.
pub(super) fn with_token(stack: &EmulatedStack, template: &Value) -> Result<String> {
    let mut template = template.clone();
    for (_, resource) in template["Resources"].as_object_mut().context("resources")? {
        resource["Properties"]["ServiceToken"] = json!(stack.output("ImageGateArn")?);
    }
    Ok(template.to_string())
}

pub(super) async fn create(stack: &EmulatedStack, name: &str, template: &Value) -> Result<()> {
    let create = stack.cloudformation.create_stack().stack_name(name).template_body(with_token(stack, template)?);
    create.send().await.context("create the stack").map(drop)
}

pub(super) async fn update(stack: &EmulatedStack, name: &str, template: &Value) -> Result<()> {
    let update = stack.cloudformation.update_stack().stack_name(name).template_body(with_token(stack, template)?);
    update.send().await.context("update the stack").map(drop)
}

/// Creates a stack and waits until its request is parked.
pub(super) async fn begin(stack: &EmulatedStack, name: &str, template: &Value) -> Result<()> {
    create(stack, name, template).await?;
    waiting(stack, name, 1).await?;
    ensure(status(stack, name).await? == "CREATE_IN_PROGRESS", format!("{name} does not wait"))
}

/// Waits until this many requests of a stack are parked.
pub(super) async fn waiting(stack: &EmulatedStack, name: &str, count: usize) -> Result<()> {
    stack
        .until(&format!("{name} is parked"), async |stack| Ok((open(stack, name).await? >= count).then_some(())))
        .await
}

/// How many requests of a stack are parked.
pub(super) async fn open(stack: &EmulatedStack, name: &str) -> Result<usize> {
    rows(stack, name).await.map(|rows| rows.len())
}

/// The parked requests of a stack.
pub(super) async fn rows(stack: &EmulatedStack, name: &str) -> Result<Vec<Value>> {
    let mine = format!(":stack/{name}/");
    let items = stack.items().await?;
    let docs = items.iter().filter(|item| item["open"]["S"] == "gate").filter_map(|item| item["doc"]["S"].as_str());
    docs.filter(|doc| doc.contains(&mine))
        .map(|doc| serde_json::from_str(doc).context("read a row"))
        .collect()
}

/// Pushes an image and sends its event, as ECR would; returns the time from the push to the answer.
pub(super) async fn wake(stack: &EmulatedStack, tag: &str) -> Result<Duration> {
    push_to_ecr(stack, REPOSITORY, tag).await?;
    tell(stack, tag).await
}

/// Sends the event of a push, as ECR would; returns how long it takes until all waiting requests are answered.
pub(super) async fn tell(stack: &EmulatedStack, tag: &str) -> Result<Duration> {
    let begin = Instant::now();
    let outcome = invoke(stack, "gate-waker", &pushed_event(REPOSITORY, tag)?).await?;
    // A sweep may have answered them first.
    ensure(
        outcome["answered"] == 1 || outcome["waiting"] == 0 || outcome["outcome"] == "woken",
        format!("not woken: {outcome}"),
    )?;
    Ok(begin.elapsed())
}

pub(in super::super) fn pushed_event(repository: &str, tag: &str) -> Result<Value> {
    let mut pushed = event("ecr-image-pushed")?;
    pushed["detail"]["repository-name"] = json!(repository);
    pushed["detail"]["image-tag"] = json!(tag);
    Ok(pushed)
}

pub(super) async fn status(stack: &EmulatedStack, name: &str) -> Result<String> {
    let answer = stack.cloudformation.describe_stacks().stack_name(name).send().await.context("describe the stack")?;
    let found = answer.stacks().first().context("the stack is gone")?;
    Ok(found.stack_status().map_or("", |status| status.as_str()).to_owned())
}

/// Waits until a stack has ended, which must be with this status; returns its outputs.
pub(super) async fn ended(stack: &EmulatedStack, name: &str, expected: &str) -> Result<BTreeMap<String, String>> {
    let found = stack
        .until("the stack comes to an end", async |stack| {
            let found = status(stack, name).await?;
            Ok((!found.ends_with("_IN_PROGRESS") && !found.ends_with("_FAILED") || found == expected).then_some(found))
        })
        .await?;
    ensure(found == expected, format!("{name} is {found}: {:?}", reasons(stack, name).await?))?;
    let answer = stack.cloudformation.describe_stacks().stack_name(name).send().await.context("describe the stack")?;
    let outputs = answer.stacks().first().context("the stack is gone")?.outputs();
    Ok(outputs
        .iter()
        .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
        .collect())
}

pub(super) async fn reasons(stack: &EmulatedStack, name: &str) -> Result<Vec<String>> {
    let events = stack
        .cloudformation
        .describe_stack_events()
        .stack_name(name)
        .send()
        .await
        .context("describe the events")?;
    Ok(events
        .stack_events()
        .iter()
        .filter_map(|event| event.resource_status_reason())
        .map(str::to_owned)
        .collect())
}

/// Fails unless one reason in a stack's events has all of these parts.
pub(super) async fn explained(stack: &EmulatedStack, name: &str, parts: &[&str]) -> Result<()> {
    let reasons = reasons(stack, name).await?;
    let explained = reasons.iter().any(|reason| parts.iter().all(|part| reason.contains(part)));
    ensure(explained, format!("no reason of the gate with {parts:?}: {reasons:?}"))
}

pub(super) async fn remove(stack: &EmulatedStack, name: &str) -> Result<()> {
    stack.cloudformation.delete_stack().stack_name(name).send().await.context("delete the stack")?;
    stack
        .until("the stack is deleted", async |stack| {
            // A deleted stack cannot be found by its name.
            Ok(match status(stack, name).await {
                Ok(status) => (status == "DELETE_COMPLETE").then_some(()),
                Err(_) => Some(()),
            })
        })
        .await
}
