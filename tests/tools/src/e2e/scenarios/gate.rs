//! The gate: real stacks with `Custom::PullsafeImage` that wait for their images.
//!
//! The emulator fires the schedule, so sweeps come by themselves. ECR's events are sent by invoking the waker with
//! them.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

mod waiting;

pub(super) use self::waiting::pushed_event;
use self::waiting::{begin, create, ended, explained, one, open, remove, rows, status, tell, update, waiting, wake};
use super::{digest_in_ecr, gate_killed, invoke, push_index_to_ecr, push_to_ecr};
use crate::e2e::emulator::{ACCOUNT, REGION};
use crate::e2e::report::StepReport;
use crate::e2e::stack::{EmulatedStack, event};
use crate::e2e::tools::project;
use crate::e2e::{Result, WhatWasTried as _, ensure};
use scenarios::gate::Answers;

/// The repository of these stacks.
pub(super) const REPOSITORY: &str = "gated";
/// A tag that exists from the beginning.
pub(super) const TAG: &str = "1.0.0";
/// CloudFormation's default timeout of a custom resource, in seconds.
const LONG: u32 = 3600;
/// A timeout shorter than the time between two sweeps, in seconds: only a timer can end it in time.
const SHORT: u32 = 20;
/// A timeout of a few minutes, in seconds: the gate waits all of it but a small margin.
const MINUTES: u32 = 310;
/// How many pushes are timed. One in every `SINGLE` is a single image; the others are indexes, as build tools make
/// them.
const PUSHES: usize = 30;
const SINGLE: usize = 3;
/// How many pushes are left to the sweep.
const SWEPT: usize = 15;

/// Plays the gate's scenario.
///
/// # Errors
/// The first step that failed.
pub async fn play(stack: &EmulatedStack, report: &mut StepReport) -> Result<()> {
    report.heading("The gate: Custom::PullsafeImage");
    let repository = stack.ecr.create_repository().repository_name(REPOSITORY).send().await;
    report.step("there is a repository with an image", repository.context("create the repository").map(drop))?;
    push_to_ecr(stack, REPOSITORY, TAG).await?;
    report.step("a stack whose image does not come is parked", begin(stack, "never", &one("never", MINUTES)).await)?;
    report.step("a stack whose image exists completes, with its digest", present(stack).await)?;
    report.step("two gates in one stack wait and go on one by one", two(stack).await)?;
    let latencies =
        report.step(&format!("{PUSHES} stacks go on after the push of their image"), pushed(stack).await)?;
    let push = format!(
        "median {:.2} s, worst {:.2} s",
        latencies[PUSHES / 2].as_secs_f32(),
        latencies[PUSHES - 1].as_secs_f32()
    );
    report.note(&format!("from the end of the push to the answer: {push}"));
    let swept = report.step(&format!("{SWEPT} stacks go on although no event comes"), swept(stack).await)?;
    let sweep = format!("worst {:.1} s", swept.as_secs_f32());
    report.note(&format!("from the end of the push to the answer: {sweep}"));
    report.step("an update waits for its tag and gets its digest", updated(stack).await)?;
    report.step("an update that fails goes back to a tag that is gone", rolled_back(stack).await)?;
    report.step("an update forward to a tag that is gone waits for it", forward(stack).await)?;
    report.step("an index that follows its image after 1.5 s wins", index_follows(stack).await)?;
    report.step("what cannot come is refused at once, and the stack rolls back", refused(stack).await)?;
    report.step("a request that the gate failed at is taken up by the waker", taken_up(stack).await)?;
    report.step("a stack that waits is deleted at once", deleted(stack).await)?;
    report.step("a resource that never came about is deleted", never_created(stack).await)?;
    report.step("a stack with little time waits nearly all of it, fails and rolls back", short(stack).await)?;
    report.step(
        "a stack whose image never comes is given up shortly before its end and rolls back",
        given_up(stack).await,
    )?;
    let load = report.step("200 gates wait at once on 50 repositories", many(stack).await)?;
    report.note(&load);
    gate_killed::play(stack, report).await?;
    document(&[
        (
            format!("{PUSHES} stacks, every third with a single image: from the end of the push to the answer"),
            push,
        ),
        (format!("{SWEPT} stacks to which no event comes: the sweep alone"), sweep),
        ("200 gates on 50 repositories at once".to_owned(), load),
    ])?;
    report.step("no address for an answer is in any log", nothing_leaked(stack).await)?;
    Ok(())
}

/// Writes the measurements into docs/gate.md, if `UPDATE_DOCS` is set.
fn document(rows: &[(String, String)]) -> Result<()> {
    const BEGIN: &str = "<!-- measured: UPDATE_DOCS=1 cargo e2e -->\n";
    if std::env::var_os("UPDATE_DOCS").is_none() {
        return Ok(());
    }
    let path = project().join("docs/gate.md");
    let text = std::fs::read_to_string(&path).context("read docs/gate.md")?;
    let (before, rest) = text.split_once(BEGIN).context("docs/gate.md has no place for what is measured")?;
    let (_, after) = rest.split_once("<!-- end -->").context("what is measured in docs/gate.md has no end")?;
    let lines: String = rows.iter().map(|(what, found)| format!("| {what} | {found} |\n")).collect();
    let table = format!("| Measured in the local emulator, 2 cores | |\n|---|---|\n{lines}");
    std::fs::write(&path, format!("{before}{BEGIN}{table}<!-- end -->{after}")).context("write docs/gate.md")
}

async fn present(stack: &EmulatedStack) -> Result<()> {
    create(stack, "with-image", &one(TAG, LONG)).await?;
    let outputs = ended(stack, "with-image", "CREATE_COMPLETE").await?;
    let digest = digest_in_ecr(stack, REPOSITORY, TAG).await?.context("the image is gone")?;
    let uri = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{digest}");
    ensure(outputs.get("ImageUri") == Some(&uri), format!("not {uri}: {outputs:?}"))?;
    remove(stack, "with-image").await?;
    ensure(digest_in_ecr(stack, REPOSITORY, TAG).await?.is_some(), "the image went with the stack")
}

async fn two(stack: &EmulatedStack) -> Result<()> {
    let mut template = one("first", LONG);
    template["Resources"]["Second"] = template["Resources"]["Image"].clone();
    template["Resources"]["Second"]["Properties"]["ImageTag"] = json!("second");
    create(stack, "two-gates", &template).await?;
    // The emulator requests one resource after the other; CloudFormation would request both at once.
    waiting(stack, "two-gates", 1).await?;
    wake(stack, "second").await?;
    ensure(
        status(stack, "two-gates").await? == "CREATE_IN_PROGRESS",
        "the stack does not wait for its first image",
    )?;
    wake(stack, "first").await?;
    ended(stack, "two-gates", "CREATE_COMPLETE").await.map(drop)
}

/// The time from each push to the answer, sorted.
async fn pushed(stack: &EmulatedStack) -> Result<Vec<Duration>> {
    for number in 0..PUSHES {
        begin(stack, &format!("pushed-{number}"), &one(&format!("push-{number}"), LONG)).await?;
    }
    let mut latencies = Vec::new();
    for number in 0..PUSHES {
        let tag = format!("push-{number}");
        if number % SINGLE == 0 {
            push_to_ecr(stack, REPOSITORY, &tag).await?;
        } else {
            push_index_to_ecr(stack, REPOSITORY, &tag).await?;
        }
        latencies.push(tell(stack, &tag).await?);
    }
    for number in 0..PUSHES {
        ended(stack, &format!("pushed-{number}"), "CREATE_COMPLETE").await?;
    }
    latencies.sort();
    Ok(latencies)
}

async fn updated(stack: &EmulatedStack) -> Result<()> {
    create(stack, "updated", &one(TAG, LONG)).await?;
    ended(stack, "updated", "CREATE_COMPLETE").await?;
    update(stack, "updated", &one("2.0.0", LONG)).await?;
    waiting(stack, "updated", 1).await?;
    wake(stack, "2.0.0").await?;
    let outputs = ended(stack, "updated", "UPDATE_COMPLETE").await?;
    let digest = digest_in_ecr(stack, REPOSITORY, "2.0.0").await?.context("the image is gone")?;
    ensure(
        outputs.get("ImageUri").is_some_and(|uri| uri.ends_with(&digest)),
        format!("not {digest}: {outputs:?}"),
    )
}

/// An update fails after the gate, and rolls back to a tag that has been deleted meanwhile.
async fn rolled_back(stack: &EmulatedStack) -> Result<()> {
    let with_next = |tag: &str, property: &str| {
        let mut template = one(tag, LONG);
        template["Resources"]["Next"] = template["Resources"]["Image"].clone();
        template["Resources"]["Next"]["DependsOn"] = json!("Image");
        template["Resources"]["Next"]["Properties"]["ImageTag"] = json!(TAG);
        template["Resources"]["Next"]["Properties"][property] = json!("1");
        template
    };
    let old = push_to_ecr(stack, REPOSITORY, "old").await?;
    push_to_ecr(stack, REPOSITORY, "new").await?;
    create(stack, "rolled-back", &with_next("old", "Trigger")).await?;
    ended(stack, "rolled-back", "CREATE_COMPLETE").await?;
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("old").build();
    stack
        .ecr
        .batch_delete_image()
        .repository_name(REPOSITORY)
        .image_ids(id)
        .send()
        .await
        .context("delete the tag")?;
    update(stack, "rolled-back", &with_next("new", "Trigered")).await?;
    let outputs = ended(stack, "rolled-back", "UPDATE_ROLLBACK_COMPLETE").await?;
    ensure(outputs.get("ImageUri").is_none_or(|uri| uri.ends_with(&old)), format!("not {old}: {outputs:?}"))
}

/// An update goes forward to a tag that the stack had before. Its image is gone from ECR, and the remembered digest
/// must not be used.
async fn forward(stack: &EmulatedStack) -> Result<()> {
    push_to_ecr(stack, REPOSITORY, "first").await?;
    create(stack, "forward", &one("first", LONG)).await?;
    ended(stack, "forward", "CREATE_COMPLETE").await?;
    update(stack, "forward", &one(TAG, LONG)).await?;
    ended(stack, "forward", "UPDATE_COMPLETE").await?;
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("first").build();
    stack
        .ecr
        .batch_delete_image()
        .repository_name(REPOSITORY)
        .image_ids(id)
        .send()
        .await
        .context("delete the tag")?;
    update(stack, "forward", &one("first", LONG)).await?;
    waiting(stack, "forward", 1).await?;
    ensure(status(stack, "forward").await? == "UPDATE_IN_PROGRESS", "a digest that is gone was given out")?;
    let pushed = push_index_to_ecr(stack, REPOSITORY, "first").await?;
    tell(stack, "first").await?;
    let outputs = ended(stack, "forward", "UPDATE_COMPLETE").await?;
    ensure(
        outputs.get("ImageUri").is_some_and(|uri| uri.ends_with(&pushed)),
        format!("not {pushed}: {outputs:?}"),
    )
}

async fn index_follows(stack: &EmulatedStack) -> Result<()> {
    begin(stack, "index-follows", &one("follows", LONG)).await?;
    push_to_ecr(stack, REPOSITORY, "follows").await?;
    let index = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        push_index_to_ecr(stack, REPOSITORY, "follows").await
    };
    let (told, index) = tokio::join!(tell(stack, "follows"), index);
    told?;
    let index = index?;
    let outputs = ended(stack, "index-follows", "CREATE_COMPLETE").await?;
    ensure(
        outputs.get("ImageUri").is_some_and(|uri| uri.ends_with(&index)),
        format!("not {index}: {outputs:?}"),
    )
}

async fn refused(stack: &EmulatedStack) -> Result<()> {
    for (number, (property, value, part)) in [
        (
            "ImageTag",
            json!("1.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
            "Write ImageTag: 1.0",
        ),
        ("RepositoryName", json!("ghcr.io/org/app"), "private ECR registries only"),
        ("Platforms", json!("linux/amd65"), "linux/amd64, if that is meant"),
        ("Source", json!("redis:7"), "Write Source: docker.io/library/redis:refused"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("refused-{number}");
        let mut template = one("refused", LONG);
        template["Resources"]["Image"]["Properties"][property] = value;
        create(stack, &name, &template).await?;
        ended(stack, &name, "ROLLBACK_COMPLETE").await?;
        explained(stack, &name, &[property, part]).await?;
    }
    Ok(())
}

/// The waker gets Lambda's record of a failed invocation, as the queue delivers it: once with an image that exists, and
/// once with one that comes later.
async fn taken_up(stack: &EmulatedStack) -> Result<()> {
    let answers = Answers::start().await.context("listen for answers")?;
    for (name, tag) in [("taken-up", TAG), ("parked-late", "late")] {
        let request = json!({
            "RequestType": "Create", "RequestId": name, "LogicalResourceId": "Image", "ResourceType": "Custom::PullsafeImage",
            "ResponseURL": answers.url(name), "StackId": format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/0a1b"),
            "ResourceProperties": {"RepositoryName": REPOSITORY, "ImageTag": tag, "ServiceTimeout": "60"},
        });
        let failed =
            json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": request});
        let record = json!({"messageId": name, "eventSource": "aws:sqs", "body": failed.to_string()});
        invoke(stack, "gate-waker", &json!({"Records": [record]})).await?;
    }
    let status = |name: &str| answers.taken(name).first().map(|answer| answer.json()["Status"].clone());
    ensure(status("taken-up") == Some(json!("SUCCESS")), "the image is there")?;
    ensure(status("parked-late").is_none() && open(stack, "parked-late").await? == 1, "it waits like any other")?;
    push_index_to_ecr(stack, REPOSITORY, "late").await?;
    tell(stack, "late").await?;
    ensure(status("parked-late") == Some(json!("SUCCESS")), "the push is heard")
}

/// The longest time from a push to the answer, where only the sweep can find the image.
async fn swept(stack: &EmulatedStack) -> Result<Duration> {
    let answers = Answers::start().await.context("listen for answers")?;
    for number in 0..SWEPT {
        let name = format!("swept-{number}");
        let request = json!({
            "RequestType": "Create", "RequestId": name, "LogicalResourceId": "Image", "ResourceType": "Custom::PullsafeImage",
            "ResponseURL": answers.url(&name), "StackId": format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/0a1b"),
            "ResourceProperties": {"RepositoryName": REPOSITORY, "ImageTag": name},
        });
        invoke(stack, "image-gate", &request).await?;
    }
    let mut pushed = Vec::new();
    for number in 0..SWEPT {
        push_index_to_ecr(stack, REPOSITORY, &format!("swept-{number}")).await?;
        pushed.push(Instant::now());
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    ensure(answers.until(SWEPT, Duration::from_secs(70)).await, "a sweep has missed a push")?;
    let received = answers.received();
    let times = pushed.iter().enumerate().filter_map(|(number, at)| {
        let answer = received.iter().find(|answer| answer.target.contains(&format!("swept-{number}%7C")))?;
        Some(answer.at.saturating_duration_since(*at))
    });
    times.max().context("no answer")
}

/// For a resource that is still being created, CloudFormation sends a Delete; the emulator does not. So it is sent
/// here.
async fn deleted(stack: &EmulatedStack) -> Result<()> {
    begin(stack, "deleted", &one("not-yet", LONG)).await?;
    let waiting = rows(stack, "deleted").await?.pop().context("nothing waits")?;
    let begin = Instant::now();
    remove(stack, "deleted").await?;
    ensure(begin.elapsed() < Duration::from_secs(20), format!("it took {:?}", begin.elapsed()))?;
    let answers = Answers::start().await.context("listen for answers")?;
    let request = json!({
        "RequestType": "Delete", "RequestId": "deleted", "LogicalResourceId": "Image", "ResourceType": "Custom::PullsafeImage",
        "ResponseURL": answers.url("deleted"), "StackId": waiting["requester"]["stack_id"], "ResourceProperties": {"RepositoryName": REPOSITORY},
    });
    invoke(stack, "image-gate", &request).await?;
    ensure(
        answers.taken("deleted").first().is_some_and(|answer| answer.json()["Status"] == "SUCCESS"),
        "the Delete is not answered",
    )?;
    ensure(open(stack, "deleted").await? == 0, "the request still waits")
}

async fn never_created(stack: &EmulatedStack) -> Result<()> {
    let mut template = one(TAG, LONG);
    template["Resources"]["Image"]["Properties"]["Tag"] = json!("1");
    create(stack, "never-created", &template).await?;
    ended(stack, "never-created", "ROLLBACK_COMPLETE").await?;
    explained(stack, "never-created", &["Tag is an unknown property"]).await?;
    remove(stack, "never-created").await
}

async fn short(stack: &EmulatedStack) -> Result<()> {
    let begin = Instant::now();
    create(stack, "short", &one("never", SHORT)).await?;
    ended(stack, "short", "ROLLBACK_COMPLETE").await?;
    ensure(begin.elapsed().as_secs() < u64::from(2 * SHORT), format!("it took {:?}", begin.elapsed()))?;
    explained(stack, "short", &["did not appear", "of the 20 s that ServiceTimeout gives", "Newest tags there"]).await
}

async fn given_up(stack: &EmulatedStack) -> Result<()> {
    // This takes longer than one wait allows, so it waits up to five times.
    for _ in 0..5 {
        if ended(stack, "never", "ROLLBACK_COMPLETE").await.is_ok() {
            break;
        }
    }
    ended(stack, "never", "ROLLBACK_COMPLETE").await?;
    explained(
        stack,
        "never",
        &["did not appear", "of the 310 s that ServiceTimeout gives", "Newest tags there", "docker push"],
    )
    .await
}

/// Two hundred requests, sent past CloudFormation, for which the emulator would take too long.
async fn many(stack: &EmulatedStack) -> Result<String> {
    let answers = Answers::start().await.context("listen for answers")?;
    for number in 0..50 {
        stack
            .ecr
            .create_repository()
            .repository_name(format!("many-{number}"))
            .send()
            .await
            .context("create a repository")?;
    }
    let begin = Instant::now();
    let ask = |number: usize| {
        let request = json!({
            "RequestType": "Create", "RequestId": format!("many-{number}"), "LogicalResourceId": "Image", "ResourceType": "Custom::PullsafeImage",
            "ResponseURL": answers.url(&format!("many-{number}")), "StackId": format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/many-{number}/0a1b"),
            "ResourceProperties": {"RepositoryName": format!("many-{}", number % 50), "ImageTag": format!("{number}")},
        });
        async move { invoke(stack, "image-gate", &request).await }
    };
    let outcomes: Vec<Value> = stream::iter((0..200).map(ask)).buffer_unordered(4).try_collect().await?;
    ensure(outcomes.iter().all(|outcome| outcome["parked"] == true), "not all are parked")?;
    let parked_in = begin.elapsed();
    let begin = Instant::now();
    let swept = invoke(stack, "gate-waker", &event("sweep")?).await?;
    let swept_in = begin.elapsed();
    ensure(swept["waiting"].as_u64() >= Some(200) && swept["outcome"] == "woken", format!("not swept: {swept}"))?;
    ensure(swept["batches"] == swept["repositories"], format!("more than one batch for a repository: {swept}"))?;
    push_to_ecr(stack, "many-7", "57").await?;
    invoke(stack, "gate-waker", &pushed_event("many-7", "57")?).await?;
    ensure(
        answers.until(1, Duration::from_secs(10)).await && answers.taken("many-57").len() == 1,
        "the push did not wake its gate",
    )?;
    Ok(format!(
        "parked in {:.1} s; one sweep of all takes {:.1} s and {} batches of ECR",
        parked_in.as_secs_f32(),
        swept_in.as_secs_f32(),
        swept["batches"]
    ))
}

async fn nothing_leaked(stack: &EmulatedStack) -> Result<()> {
    for function in ["image-gate", "gate-waker"] {
        let lines = stack.logs(function).await?;
        ensure(lines.len() > 10, format!("{function} has not logged"))?;
        let leak = lines
            .iter()
            .find(|line| line.contains("X-Amz-Signature") || line.contains(scenarios::gate::answers::SIGNATURE));
        ensure(leak.is_none(), format!("{function}: {leak:?}"))?;
    }
    Ok(())
}
