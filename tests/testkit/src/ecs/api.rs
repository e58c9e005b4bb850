//! The control plane: operations by name, JSON in, JSON out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::arguments::{client, list, text, texts, wants_tags};
use super::state::EcsState;
use super::{ACCOUNT, REGION};
use crate::aws::service::{AwsError, FakeService};
use crate::clock::VirtualClock;

/// The most bytes that a request to ECS may have.
const MAX_REQUEST: usize = 64 * 1024;

/// The ECS control plane of one account and region. Clones share one state.
#[derive(Clone)]
pub struct EcsApi {
    state: Arc<Mutex<EcsState>>,
}

impl EcsApi {
    /// An empty ECS in [`ACCOUNT`] and [`REGION`].
    pub fn new(clock: VirtualClock) -> Self {
        Self::of(clock, ACCOUNT, REGION)
    }

    /// An empty ECS in another account or region.
    pub fn of(clock: VirtualClock, account: &str, region: &str) -> Self {
        Self {
            state: Arc::new(Mutex::new(EcsState::new(clock, account, region))),
        }
    }

    /// Locks the state. A panic elsewhere cannot leave it half written in a way that a test would notice.
    pub(super) fn lock(&self) -> MutexGuard<'_, EcsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What DescribeServices says of one service, or null. For assertions.
    pub fn service(&self, cluster: &str, service: &str) -> Value {
        let answer =
            self.call("DescribeServices", &json!({"cluster": cluster, "services": [service], "include": ["TAGS"]}));
        answer.map_or(Value::Null, |answer| answer["services"][0].clone())
    }
}

impl FakeService for EcsApi {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let bytes = request.to_string().len();
        if bytes > MAX_REQUEST {
            return Err(client(format!("Actual length: '{bytes}'. Max allowed length is '{MAX_REQUEST}' bytes.")));
        }
        let mut state = self.lock();
        match operation {
            "RegisterTaskDefinition" => state.register_definition(request),
            "DescribeTaskDefinition" => state.describe_definition(request),
            "DeregisterTaskDefinition" => state.deregister_definition(request),
            "ListTaskDefinitions" => state.list_definitions(request),
            "CreateCluster" => state.create_cluster(request),
            "DescribeClusters" => Ok(state.describe_clusters(request)),
            "ListClusters" => Ok(state.list_clusters(request)),
            "CreateService" => state.create_service(request),
            "DescribeServices" => state.describe_services(request),
            "UpdateService" => state.update_service(request),
            "DeleteService" => state.delete_service(request),
            "ListServices" => state.list_services(request),
            "DescribeServiceDeployments" => state.describe_service_deployments(request),
            "DescribeServiceRevisions" => state.describe_service_revisions(request),
            "ContinueServiceDeployment" => state.continue_deployment(request),
            "ListServiceDeployments" => state.list_service_deployments(request),
            "RunTask" => state.run_task(request),
            "ListTasks" => state.list_tasks(request),
            "DescribeTasks" => state.describe_tasks(request),
            "StopTask" => state.stop_task(request),
            "TagResource" => state.tag_resource(request),
            "UntagResource" => state.untag_resource(request),
            "ListTagsForResource" => state.list_tags(request),
            unknown => Err(AwsError::client(
                "UnknownOperationException",
                format!("{unknown} is not an operation of this fake ECS."),
            )),
        }
    }
}

impl EcsState {
    fn create_cluster(&mut self, request: &Value) -> Result<Value, AwsError> {
        let name = text(request, "clusterName").unwrap_or("default").to_owned();
        let arn = self.cluster_arn(&name);
        if !self.clusters.contains_key(&name) {
            self.set_tags(&arn, list(request, "tags"))?;
            self.clusters.insert(name.clone(), request.clone());
        }
        Ok(json!({"cluster": self.cluster_json(&name, true)}))
    }

    fn describe_clusters(&self, request: &Value) -> Value {
        let mut wanted = texts(request, "clusters");
        if wanted.is_empty() {
            wanted.push("default".to_owned());
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for cluster in wanted {
            let name = cluster.rsplit('/').next().unwrap_or_default();
            if self.clusters.contains_key(name) {
                found.push(self.cluster_json(name, wants_tags(request)));
            } else {
                failures.push(json!({"arn": self.cluster_arn(name), "reason": "MISSING"}));
            }
        }
        json!({"clusters": found, "failures": failures})
    }

    fn list_clusters(&self, request: &Value) -> Value {
        let arns: Vec<String> = self.clusters.keys().map(|name| self.cluster_arn(name)).collect();
        super::lists::answer("clusterArns", &arns, request, 100)
    }

    fn cluster_json(&self, name: &str, with_tags: bool) -> Value {
        let arn = self.cluster_arn(name);
        let tasks = |status: &str| {
            self.tasks.values().filter(|task| task.cluster_arn == arn && task.last_status == status).count()
        };
        let services = self.services.values().filter(|service| service.cluster_arn == arn && service.active).count();
        let given = self.clusters.get(name).cloned().unwrap_or_default();
        let member = |key: &str| given.get(key).cloned().unwrap_or_else(|| json!([]));
        json!({
            "clusterArn": arn,
            "clusterName": name,
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": tasks("RUNNING"),
            "pendingTasksCount": tasks("PENDING") + tasks("PROVISIONING"),
            "activeServicesCount": services,
            "statistics": [],
            "settings": member("settings"),
            "capacityProviders": member("capacityProviders"),
            "defaultCapacityProviderStrategy": member("defaultCapacityProviderStrategy"),
            "tags": if with_tags { self.tags_json(&arn) } else { json!([]) },
        })
    }
}
