//! Amazon ECS: deployments of services, their hooks and their revisions.

use std::collections::BTreeMap;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{
    DeploymentLifecycleHookAction, LaunchType, ServiceDeployment, ServiceDeploymentStatus, ServiceRevision,
};

use pullsafe::arn::ServiceId;
use pullsafe::lookup::Lookup;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::Failure;
use pullsafe_events::hook::HookWaits;
use pullsafe_inspect::LaunchPlatform;
use remediator_decide::door::{Configured, Hook, Revision, WaitingDeployment, held_by};
use remediator_decide::state::{HookKind, TimeoutAction};

/// A client for deployments of services.
#[derive(Debug, Clone)]
pub struct Deployments(Client);

/// What becomes of a deployment that waits at a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookReply {
    /// It goes on.
    GoOn,
    /// It is rolled back.
    RollBack,
}

impl Deployments {
    /// Uses this client.
    pub const fn new(client: Client) -> Self {
        Self(client)
    }

    /// A deployment; `None` if ECS does not know it.
    ///
    /// # Errors
    /// The call failed.
    pub async fn deployment(&self, arn: &str) -> Result<Option<WaitingDeployment>, Failure> {
        let operation = self.0.describe_service_deployments().service_deployment_arns(arn);
        let answer = operation.send().await.map_err(|error| Failure::of("ecs:DescribeServiceDeployments", &error))?;
        Ok(answer.service_deployments().first().map(deployment))
    }

    /// The hook that a deployment of a service waits at; absent if none does.
    pub async fn held(&self, id: &ServiceId) -> Lookup<String> {
        match self.waiting(id).await {
            Ok(Some(hook)) => Lookup::Found(hook),
            Ok(None) => Lookup::Absent,
            Err(failure) => failure.doubt(),
        }
    }

    async fn waiting(&self, id: &ServiceId) -> Result<Option<String>, Failure> {
        let operation = self.0.list_service_deployments().cluster(&id.cluster_arn).service(&id.name);
        let operation = operation
            .status(ServiceDeploymentStatus::Pending)
            .status(ServiceDeploymentStatus::InProgress)
            .max_results(10);
        let answer = operation.send().await.map_err(|error| Failure::of("ecs:ListServiceDeployments", &error))?;
        for arn in answer.service_deployments().iter().filter_map(|brief| brief.service_deployment_arn()) {
            if let Some(deployment) = self.deployment(arn).await?
                && let Some(hook) = held_by(&deployment)
            {
                return Ok(Some(hook.id.clone()));
            }
        }
        Ok(None)
    }

    /// A revision of a service; `None` if ECS does not know it.
    ///
    /// # Errors
    /// The call failed.
    pub async fn revision(&self, arn: &str) -> Result<Option<Revision>, Failure> {
        let operation = self.0.describe_service_revisions().service_revision_arns(arn);
        let answer = operation.send().await.map_err(|error| Failure::of("ecs:DescribeServiceRevisions", &error))?;
        Ok(answer.service_revisions().first().and_then(revision))
    }

    /// Answers a hook.
    ///
    /// # Errors
    /// The call failed. It also fails where the hook does not wait any more.
    pub async fn answer(&self, waits: &HookWaits, answer: HookReply) -> Result<(), Failure> {
        let action = match answer {
            HookReply::RollBack => DeploymentLifecycleHookAction::Rollback,
            HookReply::GoOn => DeploymentLifecycleHookAction::Continue,
        };
        let operation = self
            .0
            .continue_service_deployment()
            .service_deployment_arn(&waits.deployment)
            .hook_id(&waits.hook)
            .action(action);
        operation.send().await.map_err(|error| Failure::of("ecs:ContinueServiceDeployment", &error))?;
        Ok(())
    }
}

fn deployment(answer: &ServiceDeployment) -> WaitingDeployment {
    let configured = answer
        .deployment_configuration()
        .map(|configuration| configuration.lifecycle_hooks())
        .unwrap_or_default();
    WaitingDeployment {
        status: answer.status().map_or("", |status| status.as_str()).into(),
        hooks: answer
            .lifecycle_hook_details()
            .iter()
            .map(|hook| Hook {
                id: hook.hook_id().unwrap_or_default().to_owned(),
                kind: hook.target_type().map_or(HookKind::Lambda, |kind| kind.as_str().into()),
                status: hook.status().map_or("", |status| status.as_str()).into(),
                expires_at: hook.expires_at().and_then(moment),
                then: hook.timeout_action().map_or(TimeoutAction::Rollback, |action| action.as_str().into()),
            })
            .collect(),
        configured: configured
            .iter()
            .map(|hook| Configured {
                kind: hook.target_type().map_or(HookKind::Lambda, |kind| kind.as_str().into()),
                stages: hook.lifecycle_stages().iter().map(|stage| stage.as_str().to_owned()).collect(),
                then: hook
                    .timeout_configuration()
                    .and_then(|timeout| timeout.action())
                    .map_or(TimeoutAction::Rollback, |action| action.as_str().into()),
            })
            .collect(),
        target: answer.target_service_revision().and_then(|revision| revision.arn()).map(str::to_owned),
        replaces: !answer.source_service_revisions().is_empty(),
    }
}

fn revision(answer: &ServiceRevision) -> Option<Revision> {
    let on_fargate = |provider: &str| provider == "FARGATE" || provider == "FARGATE_SPOT";
    let strategy = answer.capacity_provider_strategy();
    let fargate = match answer.launch_type() {
        Some(launch) => *launch == LaunchType::Fargate,
        None => !strategy.is_empty() && strategy.iter().all(|item| on_fargate(item.capacity_provider())),
    };
    let digests: BTreeMap<_, _> = answer
        .container_images()
        .iter()
        .filter_map(|image| Some((image.container_name()?.to_owned(), image.image_digest()?.parse().ok()?)))
        .collect();
    Some(Revision {
        task_definition: answer.task_definition()?.to_owned(),
        launch: if fargate { LaunchPlatform::Fargate } else { LaunchPlatform::Instances },
        digests,
    })
}

fn moment(moment: &DateTime) -> Option<Timestamp> {
    moment.to_millis().ok().map(Timestamp::from_millis)
}
