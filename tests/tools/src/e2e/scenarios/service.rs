//! A service as its owner deploys it, and how it looks afterwards.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, NetworkMode, ServiceField, Tag};
use serde_json::{Value, json};

use crate::e2e::emulator::{ACCOUNT, REGION};
use crate::e2e::stack::{EmulatedStack, event};
use crate::e2e::{Result, WhatWasTried as _};

/// What is deployed.
#[derive(Debug, Clone)]
pub struct ServicePlan<'a> {
    /// The cluster, which is created if it does not exist.
    pub cluster: &'a str,
    /// The service, and the family of its task definition.
    pub name: &'a str,
    /// Its only container.
    pub container: &'a str,
    /// The container's image.
    pub image: &'a str,
    /// Its desired count.
    pub count: i32,
    /// Its tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// A service as its owner deployed it. None of its tasks runs.
#[derive(Debug)]
pub struct DeployedService {
    cluster: String,
    name: String,
    /// The task definition, with its revision.
    pub task_definition: String,
    deployment: String,
    /// Its tasks, which have stopped.
    tasks: Vec<String>,
}

/// How a service looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenService {
    /// The task definition, with its revision.
    pub task_definition: String,
    /// The desired count.
    pub desired: i32,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

impl DeployedService {
    /// Registers a task definition of one container, with an execution role that may pull from ECR, and creates a
    /// service of it. In the emulator every task starts, so they are stopped, and it does not replace them.
    ///
    /// # Errors
    /// If anything is refused.
    pub async fn deploy(stack: &EmulatedStack, plan: &ServicePlan<'_>) -> Result<Self> {
        let ServicePlan { cluster, name, .. } = *plan;
        stack.ecs.create_cluster().cluster_name(cluster).send().await.context("create the cluster")?;
        let container = ContainerDefinition::builder().name(plan.container).image(plan.image).essential(true).build();
        let definition =
            stack.ecs.register_task_definition().family(name).requires_compatibilities(Compatibility::Fargate);
        let definition = definition
            .network_mode(NetworkMode::Awsvpc)
            .cpu("2048")
            .memory("4096")
            .container_definitions(container);
        let registered = definition.execution_role_arn(execution_role(stack, name).await?).send().await;
        let registered =
            registered.context("register the task definition")?.task_definition.context("no task definition")?;
        let task_definition = registered.task_definition_arn.context("a task definition without an ARN")?;
        let tags = plan.tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        let service = stack
            .ecs
            .create_service()
            .cluster(cluster)
            .service_name(name)
            .desired_count(plan.count)
            .set_tags(Some(tags));
        let service = service
            .task_definition(&task_definition)
            .send()
            .await
            .context("create the service")?
            .service
            .context("no service")?;
        let deployment = service
            .deployments()
            .first()
            .and_then(|deployment| deployment.id())
            .context("no deployment")?
            .to_owned();
        let tasks = stack
            .until("the service has its tasks", async |stack| {
                let listed = stack
                    .ecs
                    .list_tasks()
                    .cluster(cluster)
                    .service_name(name)
                    .send()
                    .await
                    .context("list the tasks")?;
                let tasks = listed.task_arns.unwrap_or_default();
                Ok((i32::try_from(tasks.len()) == Ok(plan.count)).then_some(tasks))
            })
            .await?;
        for task in &tasks {
            stack.ecs.stop_task().cluster(cluster).task(task).send().await.context("stop a task")?;
        }
        Ok(Self {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            task_definition,
            deployment,
            tasks,
        })
    }

    /// A stop of `events/`, as the task with this number sends it now: a stop of long ago, before an incident that has
    /// been resolved meanwhile, would be no news.
    ///
    /// # Errors
    /// If there is no such event, or no such task.
    pub fn stop(&self, name: &str, task: usize) -> Result<Value> {
        let mut stop = event(name)?;
        let task = self.tasks.get(task).context("the service has fewer tasks")?;
        stop["detail"]["taskDefinitionArn"] = json!(self.task_definition);
        stop["detail"]["startedBy"] = json!(self.deployment);
        stop["detail"]["group"] = json!(format!("service:{}", self.name));
        stop["detail"]["taskArn"] = json!(task);
        stop["resources"] = json!([task]);
        let now = json!(pullsafe::clock::system()().to_string());
        for moment in ["stoppingAt", "executionStoppedAt", "stoppedAt", "updatedAt"] {
            stop["detail"][moment] = now.clone();
        }
        stop["time"] = now;
        Ok(stop)
    }

    /// The service as ECS describes it now.
    ///
    /// # Errors
    /// If it cannot be described.
    pub async fn look(&self, stack: &EmulatedStack) -> Result<SeenService> {
        let describe = stack
            .ecs
            .describe_services()
            .cluster(&self.cluster)
            .services(&self.name)
            .include(ServiceField::Tags);
        let answer = describe.send().await.context("describe the service")?;
        let service = answer.services().first().context("the service is gone")?;
        let tags = service
            .tags()
            .iter()
            .map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned()));
        Ok(SeenService {
            task_definition: service.task_definition().unwrap_or_default().to_owned(),
            desired: service.desired_count(),
            tags: tags.collect(),
        })
    }

    /// The image of the service's container now.
    ///
    /// # Errors
    /// If its task definition cannot be described.
    pub async fn image(&self, stack: &EmulatedStack) -> Result<String> {
        let definition = self.look(stack).await?.task_definition;
        let answer = stack
            .ecs
            .describe_task_definition()
            .task_definition(definition)
            .send()
            .await
            .context("describe the task definition")?;
        let image = answer.task_definition().and_then(|definition| definition.container_definitions().first()?.image());
        Ok(image.context("a container without an image")?.to_owned())
    }

    /// How many revisions the service's family has.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn revisions(&self, stack: &EmulatedStack) -> Result<usize> {
        let answer = stack
            .ecs
            .list_task_definitions()
            .family_prefix(&self.name)
            .send()
            .await
            .context("list the task definitions")?;
        Ok(answer.task_definition_arns().len())
    }

    /// What pullsafe remembers of the service: the record in its row of the table.
    ///
    /// # Errors
    /// If there is no such row.
    pub async fn record(&self, stack: &EmulatedStack) -> Result<Value> {
        let name = format!("{}/{}", self.cluster, self.name);
        let items = stack.items().await?;
        let text = |item: &Value, key: &str| item[key]["S"].as_str().unwrap_or_default().to_owned();
        let row = items.iter().find(|item| text(item, "sk") == "state" && text(item, "pk").ends_with(&name));
        serde_json::from_str(&text(row.context(format!("no row of {name}: {items:?}"))?, "doc"))
            .context("read the record")
    }
}

/// A role with the permissions that a pull from ECR needs. The remediator asks IAM whether it has them.
async fn execution_role(stack: &EmulatedStack, service: &str) -> Result<String> {
    let name = format!("{service}-execution");
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let pull = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/*")}]});
    let role = stack.iam.create_role().role_name(&name).assume_role_policy_document(trust.to_string());
    let role = role.send().await.context("create the execution role")?.role.context("no role")?;
    let policy = stack.iam.put_role_policy().role_name(&name).policy_name("pull").policy_document(pull.to_string());
    policy.send().await.context("let the execution role pull")?;
    Ok(role.arn)
}
