//! Amazon ECS, as JSON.
//!
//! The SDK sends, signs and retries the calls; the answers are read as JSON, so that no field is lost that the SDK does
//! not know yet. RegisterTaskDefinition sends JSON for the same reason (docs/adr/0002). The two calls that are not safe
//! to repeat, RegisterTaskDefinition and a forced UpdateService, are never retried by the SDK: where an answer was
//! lost, a look finds out what happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::types::{ClusterField, DesiredStatus, ServiceField, SortOrder, Tag, TaskDefinitionField};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

use super::deployments::Deployments;
use pullsafe::arn::ServiceId;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_events::task_definition::TaskDefinition;
use remediator_decide::limit::TaskLaunch;
use remediator_decide::service::Service;

/// Keeps the body of the answer.
#[derive(Debug, Clone, Default)]
struct Capture(Arc<Mutex<Vec<u8>>>);

impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "Capture"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        body.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

impl Capture {
    fn json(&self, call: &'static str) -> Result<Value, Failure> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::from_slice(&body)
            .map_err(|error| Failure::unexpected(call, format!("the answer is not JSON: {error}")))
    }
}

/// Sends a call and gives its answer as JSON.
macro_rules! call {
    ($name:literal, $operation:expr) => {{
        let capture = Capture::default();
        $operation.interceptor(capture.clone()).send().await.map_err(|error| Failure::of($name, &error))?;
        capture.json($name)?
    }};
}

/// Amazon ECS.
#[derive(Debug, Clone)]
pub struct Ecs(Client);

/// Whether a change of a service's count starts a new deployment too, which resolves the tags again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deploys {
    /// The change starts a new deployment.
    Anew,
    /// The change starts no deployment.
    Nothing,
}

impl Ecs {
    /// Makes a client with the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// A client for deployments of services.
    pub fn deployments(&self) -> Deployments {
        Deployments::new(self.0.clone())
    }

    /// The service with its tags, and whether a deployment of it waits at a hook; `None` if ECS does not know it.
    ///
    /// # Errors
    /// The call failed.
    pub async fn service(&self, id: &ServiceId) -> Result<Option<Service>, Failure> {
        let operation = self
            .0
            .describe_services()
            .cluster(&id.cluster_arn)
            .services(&id.name)
            .include(ServiceField::Tags)
            .customize();
        let capture = Capture::default();
        match operation
            .interceptor(capture.clone())
            .send()
            .await
            .map_err(|error| Failure::of("ecs:DescribeServices", &error))
        {
            Ok(_) => {
                let answer = capture.json("ecs:DescribeServices")?;
                let mut service = first("ecs:DescribeServices", &answer, "services")?.and_then(Service::from_json);
                if let Some(service) = service.as_mut().filter(|service| service.may_be_held()) {
                    service.held = Box::pin(async { self.deployments().held(id).await }).await;
                }
                Ok(service)
            }
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Looks up at most ten services of one cluster, without their tags. Those that ECS does not know are left out.
    ///
    /// # Errors
    /// The call failed.
    pub async fn services(&self, ids: &[&ServiceId]) -> Result<Vec<Service>, Failure> {
        let Some(first) = ids.first() else {
            return Ok(Vec::new());
        };
        let names = ids.iter().map(|id| id.name.clone()).collect();
        let operation = self.0.describe_services().cluster(&first.cluster_arn).set_services(Some(names)).customize();
        let answer = call!("ecs:DescribeServices", operation);
        Ok(answer["services"].as_array().into_iter().flatten().filter_map(Service::from_json).collect())
    }

    /// The launches of a service that ECS still shows: up to a hundred tasks that run or are to run, and up to a
    /// hundred that stopped within the hour.
    ///
    /// # Errors
    /// A call failed.
    pub async fn launches(&self, id: &ServiceId) -> Result<Vec<TaskLaunch>, Failure> {
        let mut launches = Vec::new();
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let operation = self
                .0
                .list_tasks()
                .cluster(&id.cluster_arn)
                .service_name(&id.name)
                .desired_status(status)
                .customize();
            let arns = strings(&call!("ecs:ListTasks", operation)["taskArns"]);
            if arns.is_empty() {
                continue;
            }
            let operation = self.0.describe_tasks().cluster(&id.cluster_arn).set_tasks(Some(arns)).customize();
            let answer = call!("ecs:DescribeTasks", operation);
            launches.extend(answer["tasks"].as_array().into_iter().flatten().filter_map(launch));
        }
        Ok(launches)
    }

    /// One tag of a cluster.
    ///
    /// # Errors
    /// The call failed.
    pub async fn cluster_tag(&self, cluster_arn: &str, key: &str) -> Result<Option<String>, Failure> {
        let operation = self.0.describe_clusters().clusters(cluster_arn).include(ClusterField::Tags).customize();
        let answer = call!("ecs:DescribeClusters", operation);
        let cluster = first("ecs:DescribeClusters", &answer, "clusters")?;
        let mut tags = cluster.and_then(|cluster| cluster["tags"].as_array()).into_iter().flatten();
        let found = tags.find(|tag| tag["key"].as_str() == Some(key));
        Ok(found.and_then(|tag| tag["value"].as_str()).map(str::to_owned))
    }

    /// A task definition with its tags, by ARN, `family:revision` or family.
    ///
    /// # Errors
    /// The call failed, or the answer holds no definition.
    pub async fn task_definition(&self, name: &str) -> Result<TaskDefinition, Failure> {
        let operation = self
            .0
            .describe_task_definition()
            .task_definition(name)
            .include(TaskDefinitionField::Tags)
            .customize();
        let answer = call!("ecs:DescribeTaskDefinition", operation);
        TaskDefinition::from_json(&answer)
            .ok_or_else(|| Failure::unexpected("ecs:DescribeTaskDefinition", "the answer holds no definition"))
    }

    /// The ARNs of a family's newest active revisions, the newest first, at most 20.
    ///
    /// # Errors
    /// The call failed.
    pub async fn newest_revisions(&self, family: &str) -> Result<Vec<String>, Failure> {
        let operation = self
            .0
            .list_task_definitions()
            .family_prefix(family)
            .sort(SortOrder::Desc)
            .max_results(20)
            .customize();
        Ok(strings(&call!("ecs:ListTaskDefinitions", operation)["taskDefinitionArns"]))
    }

    /// Registers a task definition from a request that may have fields that the SDK does not know.
    ///
    /// # Errors
    /// The call failed. It is not retried: after `Unavailable` the definition may exist.
    pub async fn register(&self, request: &Value) -> Result<TaskDefinition, Failure> {
        const CALL: &str = "ecs:RegisterTaskDefinition";
        let body = request.to_string();
        let operation = self
            .0
            .register_task_definition()
            .family("replaced-below")
            .customize()
            .config_override(never_retry());
        let operation = operation.mutate_request(move |request| {
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = SdkBody::from(body.as_str());
        });
        let answer = call!("ecs:RegisterTaskDefinition", operation);
        // RegisterTaskDefinition shows the tags only where the caller sent some, which we always do.
        TaskDefinition::from_json(&answer).ok_or_else(|| Failure::unexpected(CALL, "the answer holds no definition"))
    }

    /// Makes a revision unusable for new tasks.
    ///
    /// # Errors
    /// The call failed.
    pub async fn deregister(&self, task_definition: &str) -> Result<(), Failure> {
        let operation = self.0.deregister_task_definition().task_definition(task_definition);
        operation.send().await.map_err(|error| Failure::of("ecs:DeregisterTaskDefinition", &error))?;
        Ok(())
    }

    /// Moves a service to a task definition. Repeating it changes nothing.
    ///
    /// # Errors
    /// The call failed.
    pub async fn set_task_definition(&self, id: &ServiceId, task_definition: &str) -> Result<(), Failure> {
        let operation =
            self.0.update_service().cluster(&id.cluster_arn).service(&id.name).task_definition(task_definition);
        operation.send().await.map_err(|error| Failure::of("ecs:UpdateService", &error))?;
        Ok(())
    }

    /// Sets the desired count.
    ///
    /// # Errors
    /// The call failed. With a new deployment it is not retried: after `Unavailable` it may have happened.
    pub async fn set_desired_count(&self, id: &ServiceId, count: i64, deploys: Deploys) -> Result<(), Failure> {
        let count = i32::try_from(count)
            .map_err(|_| Failure::unexpected("ecs:UpdateService", format!("{count} is no desired count")))?;
        let operation = self.0.update_service().cluster(&id.cluster_arn).service(&id.name).desired_count(count);
        let operation = match deploys {
            Deploys::Anew => operation.force_new_deployment(true).customize().config_override(never_retry()),
            Deploys::Nothing => operation.customize(),
        };
        operation.send().await.map_err(|error| Failure::of("ecs:UpdateService", &error))?;
        Ok(())
    }

    /// Starts a new deployment of what the service already runs.
    ///
    /// # Errors
    /// The call failed. It is not retried: after `Unavailable` it may have happened.
    pub async fn force_new_deployment(&self, id: &ServiceId) -> Result<(), Failure> {
        let operation = self.0.update_service().cluster(&id.cluster_arn).service(&id.name).force_new_deployment(true);
        let operation = operation.customize().config_override(never_retry());
        operation.send().await.map_err(|error| Failure::of("ecs:UpdateService", &error))?;
        Ok(())
    }

    /// Writes tags on a service.
    ///
    /// # Errors
    /// The call failed.
    pub async fn tag(&self, id: &ServiceId, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        let operation = self.0.tag_resource().resource_arn(id.arn()).set_tags(Some(tags));
        operation.send().await.map_err(|error| Failure::of("ecs:TagResource", &error))?;
        Ok(())
    }

    /// Removes tags from a service.
    ///
    /// # Errors
    /// The call failed.
    pub async fn untag(&self, id: &ServiceId, keys: &[String]) -> Result<(), Failure> {
        let operation = self.0.untag_resource().resource_arn(id.arn()).set_tag_keys(Some(keys.to_vec()));
        operation.send().await.map_err(|error| Failure::of("ecs:UntagResource", &error))?;
        Ok(())
    }

    /// Pairs of image and digest, as up to ten running tasks of the service show them.
    ///
    /// # Errors
    /// A call failed.
    pub async fn running_digests(&self, id: &ServiceId) -> Result<Vec<(String, String)>, Failure> {
        let operation = self.0.list_tasks().cluster(&id.cluster_arn).service_name(&id.name).max_results(10).customize();
        let arns = strings(&call!("ecs:ListTasks", operation)["taskArns"]);
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let operation = self.0.describe_tasks().cluster(&id.cluster_arn).set_tasks(Some(arns)).customize();
        let answer = call!("ecs:DescribeTasks", operation);
        first("ecs:DescribeTasks", &answer, "tasks")?;
        let containers = answer["tasks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|task| task["containers"].as_array())
            .flatten();
        let pair = |container: &Value| {
            Some((container["image"].as_str()?.to_owned(), container["imageDigest"].as_str()?.to_owned()))
        };
        Ok(containers.filter_map(pair).collect())
    }
}

fn launch(task: &Value) -> Option<TaskLaunch> {
    Some(TaskLaunch {
        began: Timestamp::from_epoch_seconds(task["createdAt"].as_f64()?),
        has_pulled: !task["pullStartedAt"].is_null(),
        is_over: task["desiredStatus"] == "STOPPED",
    })
}

fn never_retry() -> aws_sdk_ecs::config::Builder {
    aws_sdk_ecs::config::Builder::new().retry_config(RetryConfig::disabled())
}

/// The first item of a list in an answer; `None` where ECS says that it is missing. Any other reason for a missing item
/// is a failure of the call: the item may exist.
fn first<'a>(call: &'static str, answer: &'a Value, list: &str) -> Result<Option<&'a Value>, Failure> {
    let failed = &answer["failures"][0];
    match (answer[list].get(0), failed["reason"].as_str()) {
        (None, Some(reason)) if reason != "MISSING" => {
            Err(Failure::unexpected(call, format!("{reason} {}", failed["detail"].as_str().unwrap_or_default())))
        }
        (found, _) => Ok(found),
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_ecs_does_not_know_is_absent_and_what_it_does_not_say_is_not() {
        let found = json!({ "services": [{ "serviceName": "web" }], "failures": [] });
        assert!(first("ecs:DescribeServices", &found, "services").unwrap().is_some());
        let missing = json!({ "services": [], "failures": [{ "arn": "a", "reason": "MISSING" }] });
        assert_eq!(first("ecs:DescribeServices", &missing, "services").unwrap(), None);
        let denied = json!({ "clusters": [], "failures": [{ "arn": "a", "reason": "ACCESS_DENIED", "detail": "no" }] });
        let failure = first("ecs:DescribeClusters", &denied, "clusters").unwrap_err();
        assert!(failure.is_transient() && failure.to_string().contains("ACCESS_DENIED no"), "{failure}");
    }
}
