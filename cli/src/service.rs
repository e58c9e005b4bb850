//! Reads a service or a task definition of ECS by the name that a person uses, with the answers as ECS gave them.

use pullsafe::arn::ServiceId;
use pullsafe_aws::json::{ECS, JsonApi};
use pullsafe_aws::{Failure, FailureKind, SdkConfig};
use serde_json::{Value, json};

pub(crate) struct EcsClient(JsonApi);

impl EcsClient {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(JsonApi::new(config, ECS))
    }

    /// Reads a service, as DescribeServices shows it.
    ///
    /// # Errors
    /// The service does not exist, or the call failed; a sentence says which.
    pub(crate) async fn service(&self, cluster: &str, service: &str) -> Result<Value, String> {
        const CALL: &str = "ecs:DescribeServices";
        let request = json!({ "cluster": cluster, "services": [service] });
        match self.0.call(CALL, "AmazonEC2ContainerServiceV20141113.DescribeServices", &request).await {
            Ok(mut answer) if answer["services"][0].is_object() => Ok(answer["services"][0].take()),
            Ok(_) => Err(format!("there is no service {service} in cluster {cluster}")),
            Err(failure) if failure.kind == FailureKind::NotFound => Err(format!("there is no cluster {cluster}")),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Reads a task definition by ARN, `family:revision` or family, as DescribeTaskDefinition shows it.
    ///
    /// # Errors
    /// The task definition does not exist, or the call failed.
    #[cfg(feature = "verify")]
    pub(crate) async fn task_definition(&self, name: &str) -> Result<Value, String> {
        let request = json!({ "taskDefinition": name });
        let call = self.0.call(
            "ecs:DescribeTaskDefinition",
            "AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition",
            &request,
        );
        call.await.map_err(|failure| format!("task definition {name}: {failure}"))
    }

    /// Changes a service.
    ///
    /// # Errors
    /// The call failed.
    #[cfg(feature = "protect")]
    pub(crate) async fn update(&self, request: &Value) -> Result<Value, Failure> {
        self.0.call("ecs:UpdateService", "AmazonEC2ContainerServiceV20141113.UpdateService", request).await
    }
}

/// Splits a name into cluster and service: `CLUSTER/SERVICE`, or the service's ARN.
pub(crate) fn named(text: &str) -> Option<(String, String)> {
    if let Some(id) = ServiceId::from_arn(text) {
        return Some((id.cluster_arn, id.name));
    }
    let (cluster, service) = text.split_once('/')?;
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|character| character.is_ascii_alphanumeric() || "-_".contains(character))
    };
    (is_name(cluster) && is_name(service)).then(|| (cluster.to_owned(), service.to_owned()))
}
