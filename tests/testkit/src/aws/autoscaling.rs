//! Application Auto Scaling: scalable targets, whose suspended state is kept exactly. Nothing here scales a service.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::ids::Ids;
use super::service::{AwsError, FakeService};
use super::{ACCOUNT, REGION};
use crate::clock::VirtualClock;

/// The scalable dimension of an ECS service: its desired count.
const DESIRED_COUNT: &str = "ecs:service:DesiredCount";

const SUSPENSIONS: [&str; 3] = ["DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"];

/// Scalable targets. Clones share one state.
#[derive(Debug, Clone)]
pub struct AutoScaling(Arc<Mutex<AutoscalingState>>);

#[derive(Debug)]
struct AutoscalingState {
    clock: VirtualClock,
    ids: Ids,
    // By namespace, resource and dimension.
    targets: BTreeMap<[String; 3], Value>,
}

impl AutoScaling {
    /// Starts without targets.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(AutoscalingState {
            clock,
            ids: Ids::of_kind(0xa5a5),
            targets: BTreeMap::new(),
        })))
    }

    /// Lets an ECS service scale between these counts. `resource` is `service/<cluster>/<service>`.
    ///
    /// # Panics
    /// If the counts are no range.
    #[must_use]
    pub fn with_service(self, resource: &str, minimum: i64, maximum: i64) -> Self {
        let request = json!({
            "ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": DESIRED_COUNT,
            "MinCapacity": minimum, "MaxCapacity": maximum,
        });
        if let Err(error) = self.lock().register(&request) {
            panic!("no target for {resource}: {}", error.message);
        }
        self
    }

    /// The target of an ECS service, as the API describes it.
    pub fn target(&self, resource: &str) -> Option<Value> {
        self.lock().targets.get(&["ecs", resource, DESIRED_COUNT].map(str::to_owned)).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, AutoscalingState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for AutoScaling {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match operation {
            "RegisterScalableTarget" => self.lock().register(request),
            "DescribeScalableTargets" => self.lock().describe(request),
            _ => {
                Err(AwsError::client("UnknownOperationException", format!("{operation} is not modelled by this fake")))
            }
        }
    }
}

fn invalid(message: &str) -> AwsError {
    AwsError::client("ValidationException", message)
}

impl AutoscalingState {
    /// Creates a target, or changes the members of it that the request gives.
    fn register(&mut self, request: &Value) -> Result<Value, AwsError> {
        let mut key = [const { String::new() }; 3];
        for (place, member) in key.iter_mut().zip(["ServiceNamespace", "ResourceId", "ScalableDimension"]) {
            *place = request[member].as_str().ok_or_else(|| invalid(&format!("{member} is required")))?.to_owned();
        }
        let mut target = match self.targets.get(&key) {
            Some(target) => target.clone(),
            None => {
                if ["MinCapacity", "MaxCapacity"].iter().any(|member| request[member].is_null()) {
                    return Err(invalid("MinCapacity and MaxCapacity are required to register a new scalable target"));
                }
                let [namespace, resource, dimension] = &key;
                let role = "aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService";
                json!({
                    "ServiceNamespace": namespace,
                    "ResourceId": resource,
                    "ScalableDimension": dimension,
                    "RoleARN": format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
                    "CreationTime": self.clock.now().seconds(),
                    "SuspendedState": {SUSPENSIONS[0]: false, SUSPENSIONS[1]: false, SUSPENSIONS[2]: false},
                    "ScalableTargetARN": format!("arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/{}", self.ids.next()),
                })
            }
        };
        for member in ["MinCapacity", "MaxCapacity"] {
            if !request[member].is_null() {
                target[member] = request[member].clone();
            }
        }
        for flag in SUSPENSIONS {
            if let Some(suspended) = request["SuspendedState"][flag].as_bool() {
                target["SuspendedState"][flag] = Value::Bool(suspended);
            }
        }
        if target["MinCapacity"].as_i64() > target["MaxCapacity"].as_i64() {
            return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
        }
        let answer = json!({"ScalableTargetARN": target["ScalableTargetARN"]});
        self.targets.insert(key, target);
        Ok(answer)
    }

    fn describe(&self, request: &Value) -> Result<Value, AwsError> {
        let namespace = request["ServiceNamespace"].as_str().ok_or_else(|| invalid("ServiceNamespace is required"))?;
        let resources: Option<Vec<&str>> =
            request["ResourceIds"].as_array().map(|ids| ids.iter().filter_map(Value::as_str).collect());
        let dimension = request["ScalableDimension"].as_str();
        let wanted = |[space, resource, scales]: &[String; 3]| {
            space == namespace
                && resources.as_ref().is_none_or(|resources| resources.contains(&resource.as_str()))
                && dimension.is_none_or(|dimension| dimension == scales)
        };
        let found: Vec<&Value> = self.targets.iter().filter(|(key, _)| wanted(key)).map(|(_, target)| target).collect();
        let start = request["NextToken"].as_str().and_then(|token| token.parse::<usize>().ok()).unwrap_or(0);
        let size = request["MaxResults"]
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(50)
            .clamp(1, 50);
        let page: Vec<&&Value> = found.iter().skip(start).take(size).collect();
        let mut answer = json!({"ScalableTargets": page});
        if start + size < found.len() {
            answer["NextToken"] = Value::from((start + size).to_string());
        }
        Ok(answer)
    }
}
