//! The gate: real stacks with `Custom::PullsafeImage`, which wait for their image.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use super::case_d::{REPOSITORY, TAG};
use super::{digest_in_ecr, push_to_ecr};
use crate::e2e::emulator::{ACCOUNT, REGION};
use crate::e2e::report::Report;
use crate::e2e::stack::Stack;
use crate::e2e::{Context as _, Result, ensure};

/// How long CloudFormation waits for the gate's answer: long enough for the emulator to start the function.
const TIMEOUT_SECONDS: u32 = 16;

/// Plays it.
///
/// # Errors
/// The first step that failed.
pub async fn play(stack: &Stack, report: &mut Report) -> Result<()> {
    report.heading("The gate: Custom::PullsafeImage");
    report.step("a stack whose image exists completes, with its digest", present(stack).await)?;
    report.step("a stack waits for its image, and completes when it is pushed", pushed_meanwhile(stack).await)?;
    report.step("a stack whose image never comes fails and rolls back", absent(stack).await)?;
    Ok(())
}

async fn present(stack: &Stack) -> Result<()> {
    create(stack, "with-image", TAG).await?;
    let outputs = ended(stack, "with-image", "CREATE_COMPLETE").await?;
    let digest = digest_in_ecr(stack, REPOSITORY, TAG).await?.context("the image is gone")?;
    let uri = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{digest}");
    ensure(outputs.get("ImageUri") == Some(&uri), format!("not {uri}: {outputs:?}"))?;
    stack.cloudformation.delete_stack().stack_name("with-image").send().await.context("delete the stack")?;
    gone(stack, "with-image").await?;
    ensure(digest_in_ecr(stack, REPOSITORY, TAG).await?.is_some(), "the image went with the stack")
}

async fn pushed_meanwhile(stack: &Stack) -> Result<()> {
    create(stack, "before-image", "later").await?;
    // Nothing shows from outside that the gate has looked. If it needs longer for it, this step proves less and holds all
    // the same.
    let begin = Instant::now();
    stack.until("the gate had time for a look", async |_| Ok((begin.elapsed().as_secs() >= 2).then_some(()))).await?;
    ensure(status(stack, "before-image").await? == "CREATE_IN_PROGRESS", "the stack does not wait")?;
    let digest = push_to_ecr(stack, REPOSITORY, "later").await?;
    let outputs = ended(stack, "before-image", "CREATE_COMPLETE").await?;
    ensure(outputs.get("ImageUri").is_some_and(|uri| uri.ends_with(&digest)), format!("not {digest}: {outputs:?}"))
}

async fn absent(stack: &Stack) -> Result<()> {
    let begin = Instant::now();
    create(stack, "without-image", "never").await?;
    ended(stack, "without-image", "ROLLBACK_COMPLETE").await?;
    ensure(begin.elapsed().as_secs() < u64::from(2 * TIMEOUT_SECONDS), format!("it took {:?}", begin.elapsed()))?;
    let events = stack.cloudformation.describe_stack_events().stack_name("without-image").send().await.context("describe the events")?;
    let reasons: Vec<_> = events.stack_events().iter().filter_map(|event| event.resource_status_reason()).collect();
    let explained = reasons.iter().any(|reason| reason.contains("did not appear") && reason.contains("Newest tags there"));
    ensure(explained, format!("no reason of the gate: {reasons:?}"))
}

async fn create(stack: &Stack, name: &str, tag: &str) -> Result<()> {
    let template = json!({
        "Resources": {"Image": {"Type": "Custom::PullsafeImage", "Properties": {
            "ServiceToken": stack.output("ImageGateArn")?, "ServiceTimeout": TIMEOUT_SECONDS, "RepositoryName": REPOSITORY, "ImageTag": tag,
        }}},
        "Outputs": {"ImageUri": {"Value": {"Fn::GetAtt": ["Image", "ImageUri"]}}},
    });
    let create = stack.cloudformation.create_stack().stack_name(name).template_body(template.to_string());
    create.send().await.context("create the stack").map(drop)
}

async fn status(stack: &Stack, name: &str) -> Result<String> {
    let answer = stack.cloudformation.describe_stacks().stack_name(name).send().await.context("describe the stack")?;
    let found = answer.stacks().first().context("the stack is gone")?;
    Ok(found.stack_status().map_or("", |status| status.as_str()).to_owned())
}

/// Waits for the end of a stack, which has to be this one; returns its outputs.
async fn ended(stack: &Stack, name: &str, expected: &str) -> Result<BTreeMap<String, String>> {
    let found = stack
        .until("the stack comes to an end", async |stack| {
            let found = status(stack, name).await?;
            Ok((!found.ends_with("_IN_PROGRESS") && !found.ends_with("_FAILED") || found == expected).then_some(found))
        })
        .await?;
    ensure(found == expected, format!("{name} is {found}"))?;
    let answer = stack.cloudformation.describe_stacks().stack_name(name).send().await.context("describe the stack")?;
    let outputs = answer.stacks().first().context("the stack is gone")?.outputs();
    Ok(outputs.iter().filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))).collect())
}

async fn gone(stack: &Stack, name: &str) -> Result<()> {
    stack
        .until("the stack is deleted", async |stack| {
            // A deleted stack is not found by its name.
            Ok(match status(stack, name).await {
                Ok(status) => (status == "DELETE_COMPLETE").then_some(()),
                Err(_) => Some(()),
            })
        })
        .await
}
