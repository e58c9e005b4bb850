//! The mirror's schedule: the deployed rule fires, the run plans, its jobs go through the queue, and ECR holds what
//! Docker Hub has.
//!
//! The emulator fires rules by their schedule. So that nobody waits an hour, the deployed rule gets another rate until
//! it has fired; its target and what it sends stay as the template made them. The second run is invoked with such an
//! event, for its answer.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::service::{DeployedService, ServicePlan};
use super::{digest_in_ecr, invoke, runs};
use crate::e2e::emulator::{ACCOUNT, REGION};
use crate::e2e::hub::Hub;
use crate::e2e::report::StepReport;
use crate::e2e::stack::{EmulatedStack, NAME};
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// The parameter with the mirror's configuration, which the stack is deployed with.
pub const PARAMETER: &str = "/pullsafe/mirror";

/// What Docker Hub has: repository and tag, and whether the configuration wants it.
const IMAGES: &[(&str, &str, bool)] = &[
    ("library/base", "3.11-slim", true),
    ("library/base", "3.12-slim", true),
    ("library/tool", "20.1-alpine", false),
    ("library/tool", "22.3.0-alpine", true),
    ("library/tool", "22.10.0-alpine", true),
    ("library/tool", "22.10.0", false),
    ("acme/discovered", "7", true),
];
/// The rule of the template that starts a run, as SAM names it.
const RULE: &str = "MirrorFunctionPlan";
/// The shortest rate that there is, and the emulator looks every ten seconds.
const UNTIL_IT_FIRES: Duration = Duration::from_secs(100);

/// Plays it.
///
/// # Errors
/// The first step that failed.
pub async fn play(stack: &EmulatedStack, hub: &Hub, report: &mut StepReport) -> Result<()> {
    report.heading("The mirror's schedule");
    let digests = report.step("the images are on Docker Hub", publish(hub).await)?;
    report.step("a service runs one that the configuration does not name", discovered(stack).await)?;
    report.step("the configuration is in its parameter", configure(stack).await)?;
    // What other scenarios have caused is not what this one is about.
    report.step("the bus has a listener", stack.take_events().await.map(drop))?;
    let rule =
        report.step("the template's rule is enabled and leads to the mirror", DeployedRule::deployed(stack).await)?;
    report.step("the rule fires, the run plans, the jobs are done", fired(stack, &rule, &digests).await)?;
    report.step("ECR holds the digests of Docker Hub, and nothing else", same_digests(stack, &digests).await)?;
    report.step("every copy is announced once", announced(stack, &digests).await)?;
    report.step("nobody asked Docker Hub by GET what a tag means", by_digest_only(hub, &digests))?;
    report.step("the table has what the workers share", shared(stack).await)?;
    let before = report.step("what there is is noted", Moved::look(stack, hub).await)?;
    report.step("the second run finds everything current", again(stack, &rule).await)?;
    let after = Moved::look(stack, hub).await;
    report.step(
        "nothing moves",
        after.and_then(|after| ensure(after == before, format!("{before:?} became {after:?}"))),
    )?;
    Ok(())
}

/// By repository and tag, the digests that Docker Hub has of what is wanted.
type Digests = BTreeMap<(&'static str, &'static str), String>;

async fn publish(hub: &Hub) -> Result<Digests> {
    let mut digests = Digests::new();
    for (repository, tag, wanted) in IMAGES {
        let digest = hub.push(repository, tag).await?;
        if *wanted {
            digests.insert((repository, tag), digest);
        }
    }
    Ok(digests)
}

async fn discovered(stack: &EmulatedStack) -> Result<()> {
    let plan = ServicePlan {
        cluster: "mirrored",
        name: "discovered",
        container: "app",
        image: "acme/discovered:7",
        count: 1,
        tags: &[],
    };
    DeployedService::deploy(stack, &plan).await.map(drop)
}

async fn configure(stack: &EmulatedStack) -> Result<()> {
    let config = format!(
        "registry: {ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com
discover: ecs
images:
- base: [3.11-slim, 3.12-slim]
- source: docker.io/library/tool
  tags: {{semver: '>=20 <23', include: '*-alpine', newest: 2}}
repositories: {{scan_on_push: true, lifecycle: {{keep: 30}}}}
"
    );
    let request = json!({"Name": PARAMETER, "Type": "String", "Value": config, "Overwrite": true});
    stack.emulator().json("ssm", "AmazonSSM.PutParameter", &request).await.map(drop)
}

/// The rule that starts a run, as it is deployed.
struct DeployedRule {
    name: String,
    arn: String,
    rate: String,
}

impl DeployedRule {
    async fn deployed(stack: &EmulatedStack) -> Result<Self> {
        let resource = stack.cloudformation.describe_stack_resource().stack_name(NAME).logical_resource_id(RULE);
        let resource = resource.send().await.context("describe the rule's resource")?;
        let name = resource
            .stack_resource_detail()
            .and_then(|detail| detail.physical_resource_id())
            .context("the rule has no name")?;
        let rule = stack.emulator().json("events", "AWSEvents.DescribeRule", &json!({ "Name": name })).await?;
        ensure(rule["State"] == "ENABLED", &rule)?;
        let targets = stack.emulator().json("events", "AWSEvents.ListTargetsByRule", &json!({ "Rule": name })).await?;
        let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", stack.function("mirror")?);
        ensure(targets["Targets"].as_array().is_some_and(|targets| targets.len() == 1), &targets)?;
        // Without an input of its own the target gets EventBridge's event as it is.
        let target = &targets["Targets"][0];
        ensure(
            target["Arn"] == function && target.get("Input").is_none() && target.get("InputPath").is_none(),
            target,
        )?;
        let text = |key: &str| rule[key].as_str().map(str::to_owned).context(format!("the rule has no {key}: {rule}"));
        Ok(Self {
            name: text("Name")?,
            arn: text("Arn")?,
            rate: text("ScheduleExpression")?,
        })
    }

    async fn set_rate(&self, stack: &EmulatedStack, rate: &str) -> Result<()> {
        let request = json!({"Name": self.name, "ScheduleExpression": rate, "State": "ENABLED"});
        stack.emulator().json("events", "AWSEvents.PutRule", &request).await.map(drop)
    }

    /// What EventBridge sends when the rule fires.
    fn event(&self) -> Value {
        json!({
            "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event", "source": "aws.events",
            "account": ACCOUNT, "time": pullsafe::clock::system()().to_string(), "region": REGION, "resources": [self.arn], "detail": {},
        })
    }
}

/// Lets the rule fire once, and waits until everything that is wanted is there.
async fn fired(stack: &EmulatedStack, rule: &DeployedRule, digests: &Digests) -> Result<()> {
    let before = runs(stack, "mirror").await?;
    rule.set_rate(stack, "rate(1 minute)").await?;
    let fired = stack
        .until_within(UNTIL_IT_FIRES, "the rule wakes the mirror", async |stack| {
            Ok((runs(stack, "mirror").await? > before).then_some(()))
        })
        .await;
    // It must not fire again, whatever has become of it.
    rule.set_rate(stack, &rule.rate).await?;
    fired?;
    stack
        .until("the copies are there", async |stack| {
            for (repository, tag) in digests.keys() {
                if digest_in_ecr(stack, &copy_of(repository), tag).await?.is_none() {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await
}

/// Where the mirror keeps it.
fn copy_of(repository: &str) -> String {
    format!("docker-hub/{repository}")
}

async fn same_digests(stack: &EmulatedStack, digests: &Digests) -> Result<()> {
    for (repository, tag, _) in IMAGES {
        let (found, expected) =
            (digest_in_ecr(stack, &copy_of(repository), tag).await?, digests.get(&(*repository, *tag)));
        ensure(found.as_ref() == expected, format!("{repository}:{tag} is {found:?}, and ought to be {expected:?}"))?;
    }
    let policy = json!({"repositoryName": copy_of("library/base")});
    let policy = stack
        .emulator()
        .json("ecr", "AmazonEC2ContainerRegistry_V20150921.GetLifecyclePolicy", &policy)
        .await?;
    ensure(
        policy["lifecyclePolicyText"].as_str().is_some_and(|text| text.contains("\"countNumber\":30")),
        policy,
    )
}

async fn announced(stack: &EmulatedStack, digests: &Digests) -> Result<()> {
    let heard = RefCell::new(Vec::new());
    stack
        .until("the last copy is announced", async |stack| {
            let new = stack.take_events().await?;
            let mut heard = heard.borrow_mut();
            heard.extend(new.into_iter().filter(|event| event["detail-type"] == "Image Mirrored"));
            Ok((heard.len() >= digests.len()).then_some(()))
        })
        .await?;
    let told: Vec<Value> = heard.into_inner();
    let expected: BTreeSet<(String, String)> = digests
        .iter()
        .map(|((repository, tag), digest)| (format!("docker.io/{repository}:{tag}"), digest.clone()))
        .collect();
    let text = |event: &Value, key: &str| event["detail"][key].as_str().unwrap_or_default().to_owned();
    let found: BTreeSet<(String, String)> =
        told.iter().map(|event| (text(event, "source"), text(event, "digest"))).collect();
    ensure(found == expected && told.len() == expected.len(), format!("{found:?} instead of {expected:?}"))?;
    ensure(told.iter().all(|event| text(event, "requested_by") == "schedule"), "somebody else has asked")
}

/// The moments of PutImage and the holders of blobs are there, no lease is held, and no repository is left unfinished.
async fn shared(stack: &EmulatedStack) -> Result<()> {
    stack
        .until("the last job has given back what it held", async |stack| {
            let items = stack.items().await?;
            let named = |key: &str, prefix: &str| {
                items
                    .iter()
                    .filter(|item| item[key]["S"].as_str().is_some_and(|name| name.starts_with(prefix)))
                    .count()
            };
            let unfinished =
                items.iter().any(|item| item["unfinished"]["SS"].as_array().is_some_and(|marks| !marks.is_empty()));
            let there = named("sk", "pace#") == 1 && named("sk", "held#") >= 2;
            Ok((there && !unfinished && named("pk", "mirror-copy#") == 0).then_some(()))
        })
        .await
}

fn by_digest_only(hub: &Hub, digests: &Digests) -> Result<()> {
    for repository in digests.keys().map(|(repository, _)| *repository).collect::<BTreeSet<_>>() {
        let requests = hub.manifest_requests(repository)?;
        let gets: Vec<&str> =
            requests.iter().filter(|(method, _)| method == "GET").map(|(_, name)| name.as_str()).collect();
        let expected = digests.keys().filter(|(own, _)| *own == repository).count();
        ensure(
            gets.len() == expected && gets.iter().all(|name| name.starts_with("sha256:")),
            format!("{repository}: {gets:?}"),
        )?;
    }
    Ok(())
}

async fn again(stack: &EmulatedStack, rule: &DeployedRule) -> Result<()> {
    let answer = invoke(stack, "mirror", &rule.event()).await?;
    let none = ["planned", "asked", "later", "blocked", "absent", "unknown"]
        .iter()
        .all(|state| answer[*state] == 0);
    let current = answer["current"].as_u64().unwrap_or_default();
    let wanted = IMAGES.iter().filter(|(_, _, wanted)| *wanted).count() as u64;
    ensure(none && current >= wanted, answer)
}

/// What a run that has something to do would change.
#[derive(Debug, PartialEq, Eq)]
struct Moved {
    pulls: usize,
    copies: Vec<String>,
    announced: usize,
    jobs: usize,
}

impl Moved {
    async fn look(stack: &EmulatedStack, hub: &Hub) -> Result<Self> {
        let mut pulls = 0;
        let mut copies = Vec::new();
        for repository in IMAGES.iter().map(|(repository, _, _)| *repository).collect::<BTreeSet<_>>() {
            pulls += hub.manifest_requests(repository)?.iter().filter(|(method, _)| method == "GET").count();
            let images = stack
                .ecr
                .describe_images()
                .repository_name(copy_of(repository))
                .send()
                .await
                .context("describe the copies")?;
            let line = |image: &aws_sdk_ecr::types::ImageDetail| {
                format!("{:?} {:?}", image.image_digest(), image.image_pushed_at())
            };
            copies.extend(images.image_details().iter().map(line));
        }
        let announced =
            stack.take_events().await?.iter().filter(|event| event["detail-type"] == "Image Mirrored").count();
        // The run itself is invoked; a job would be one more.
        let jobs = stack.logs("mirror").await?.iter().filter(|line| line.contains("the image is mirrored")).count();
        Ok(Self { pulls, copies, announced, jobs })
    }
}
