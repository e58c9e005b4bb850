//! What is played on the deployed stack. A scenario stops at its first failure; the next one is played all the same.

use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, NetworkMode};
use serde_json::{Value, json};

use super::hub::Hub;
use super::report::Report;
use super::stack::{Stack, event};
use super::{Context as _, Result, ensure};

/// A service as its owner deployed it.
#[derive(Debug)]
pub struct Deployed {
    /// The task definition, with its revision.
    pub task_definition: String,
    /// The deployment that runs it, as `startedBy` of its tasks has it.
    pub deployment: String,
    /// One of its tasks, which has stopped.
    pub task: String,
}

impl Deployed {
    /// A stop of `events/`, as a task of this deployment sends it.
    ///
    /// # Errors
    /// If there is no such event.
    pub fn stop(&self, name: &str) -> Result<Value> {
        let mut stop = event(name)?;
        stop["detail"]["taskDefinitionArn"] = json!(self.task_definition);
        stop["detail"]["startedBy"] = json!(self.deployment);
        stop["detail"]["taskArn"] = json!(self.task);
        stop["resources"] = json!([self.task]);
        Ok(stop)
    }
}

/// The stack itself: every way into the remediator leads there.
///
/// # Errors
/// The first step that failed.
pub async fn every_way_in(stack: &Stack, report: &mut Report) -> Result<()> {
    report.heading("The stack: every way into the remediator");
    for name in ["sweep", "task-running", "task-stopped-scaling", "sqs-raw-events", "sqs-failed-event"] {
        report.step(&format!("{name} is handled"), invoke(stack, "remediator", &event(name)?).await)?;
    }
    report.step("an event on the bus comes through its rule", through_the_rule(stack).await)?;
    report.step("an event on the work queue comes back", through_the_queue(stack).await)?;
    report.step("the table can be read", stack.items().await.map(drop))?;
    report.step("the topic has a listener", stack.notifications().await.map(drop))?;
    Ok(())
}

/// Case A: the service's image is on Docker Hub, the quota is used up, every failed task spends seven pulls more.
///
/// # Errors
/// The first step that failed.
pub async fn case_a(stack: &Stack, hub: &Hub, report: &mut Report) -> Result<()> {
    report.heading("Case A: the rate-limit loop");
    let image = "iseepatterns/court-case-backend";
    report.step("the image is on Docker Hub", hub.push(image, "latest").await)?;
    let deployed = deploy_service(stack, "court-case", "court-case-backend", &format!("{image}:latest"), 2).await;
    let deployed = report.step("the service is deployed", deployed)?;
    let stop = deployed.stop("task-stopped-hub-quota")?;
    report.step("the first STOPPED event is handled", invoke(stack, "remediator", &stop).await)?;
    report.step(
        "the event, delivered again, is handled",
        invoke(stack, "remediator", &deployed.stop("task-stopped-hub-quota-duplicate")?).await,
    )?;
    report.step("what happened is in the log", logged(stack, "remediator").await)?;
    Ok(())
}

/// Case D: the service was created before its image was pushed.
///
/// # Errors
/// The first step that failed.
pub async fn case_d(stack: &Stack, report: &mut Report) -> Result<()> {
    report.heading("Case D: chicken and egg");
    let repository = stack.ecr.create_repository().repository_name("app-mp").send().await.context("create the repository");
    let uri = report
        .step("the repository is empty", repository)?
        .repository
        .and_then(|repository| repository.repository_uri)
        .context("no URI")?;
    let deployed = deploy_service(stack, "mp", "app-mp", &format!("{uri}:9f1c2d7e"), 1).await;
    let deployed = report.step("the service is deployed", deployed)?;
    report.step("the STOPPED event is handled", invoke(stack, "remediator", &deployed.stop("task-stopped-image-not-found")?).await)?;
    let digest = report.step("the image is pushed", push_to_ecr(stack, "app-mp", "9f1c2d7e").await)?;
    let mut pushed = event("ecr-image-pushed")?;
    pushed["detail"]["image-digest"] = json!(digest);
    report.step("the push is handled", invoke(stack, "remediator", &pushed).await)?;
    Ok(())
}

/// Invokes a function that has to succeed.
async fn invoke(stack: &Stack, function: &str, event: &Value) -> Result<Value> {
    let answer = stack.invoke(function, event).await?;
    ensure(answer.error.is_none(), format!("{function} failed: {}", answer.payload))?;
    Ok(answer.payload)
}

/// How often a function has been started on an event, by its log.
async fn runs(stack: &Stack, function: &str) -> Result<usize> {
    Ok(stack.logs(function).await?.iter().filter(|line| line.starts_with("START RequestId:")).count())
}

async fn logged(stack: &Stack, function: &str) -> Result<()> {
    ensure(runs(stack, function).await? > 0, "no run in the log")
}

async fn through_the_rule(stack: &Stack) -> Result<()> {
    let before = runs(stack, "remediator").await?;
    let mirrored = event("image-mirrored")?;
    let entry = json!({"Source": "pullsafe", "DetailType": "Image Mirrored", "Detail": mirrored["detail"].to_string()});
    let answer = stack.emulator().json("events", "AWSEvents.PutEvents", &json!({ "Entries": [entry] })).await?;
    ensure(answer["FailedEntryCount"] == 0, &answer)?;
    stack.until("the rule wakes the remediator", async |stack| Ok((runs(stack, "remediator").await? > before).then_some(()))).await
}

async fn through_the_queue(stack: &Stack) -> Result<()> {
    let before = runs(stack, "remediator").await?;
    let message = event("task-stopped-scaling")?.to_string();
    stack.sqs.send_message().queue_url(stack.output("WorkQueueUrl")?).message_body(message).send().await.context("send")?;
    stack.until("the queue wakes the remediator", async |stack| Ok((runs(stack, "remediator").await? > before).then_some(()))).await
}

/// Registers a task definition of one container and creates a service of it, of which no task runs: in the emulator
/// every task starts, so they are stopped, and it does not replace them.
async fn deploy_service(stack: &Stack, cluster: &str, name: &str, image: &str, count: i32) -> Result<Deployed> {
    stack.ecs.create_cluster().cluster_name(cluster).send().await.context("create the cluster")?;
    let container = ContainerDefinition::builder().name("app").image(image).essential(true).build();
    let registered = stack
        .ecs
        .register_task_definition()
        .family(name)
        .requires_compatibilities(Compatibility::Fargate)
        .network_mode(NetworkMode::Awsvpc)
        .cpu("2048")
        .memory("4096")
        .execution_role_arn(format!("arn:aws:iam::{}:role/{name}-execution", super::emulator::ACCOUNT))
        .container_definitions(container)
        .send()
        .await
        .context("register the task definition")?;
    let task_definition = registered.task_definition.and_then(|definition| definition.task_definition_arn).context("no task definition")?;
    let created = stack.ecs.create_service().cluster(cluster).service_name(name).task_definition(&task_definition).desired_count(count);
    let service = created.send().await.context("create the service")?.service.context("no service")?;
    let deployment = service.deployments().first().and_then(|deployment| deployment.id()).context("the service has no deployment")?;
    let tasks = stack
        .until("the service has its tasks", async |stack| {
            let listed = stack.ecs.list_tasks().cluster(cluster).service_name(name).send().await.context("list the tasks")?;
            let tasks = listed.task_arns.unwrap_or_default();
            Ok((i32::try_from(tasks.len()) == Ok(count)).then_some(tasks))
        })
        .await?;
    for task in &tasks {
        stack.ecs.stop_task().cluster(cluster).task(task).send().await.context("stop a task")?;
    }
    let task = tasks.into_iter().next().context("a service of no task")?;
    Ok(Deployed { task_definition, deployment: deployment.to_owned(), task })
}

/// Pushes an image to the emulated ECR, over the registry protocol as `docker push` does.
async fn push_to_ecr(stack: &Stack, repository: &str, tag: &str) -> Result<String> {
    let answer = stack.emulator().json("ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", &json!({})).await?;
    let token = answer["authorizationData"][0]["authorizationToken"].as_str().context("no token")?;
    let basic = format!("Basic {token}");
    super::hub::push(&super::http::Http::default(), stack.emulator().endpoint(), &[("authorization", &basic)], repository, tag).await
}
