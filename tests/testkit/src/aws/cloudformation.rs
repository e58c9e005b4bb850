//! CloudFormation: `DescribeStacks` and `ListStacks`, with the status that the test gives each stack.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pullsafe::stack::DESCRIPTION;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::ids::Ids;
use super::service::{AwsError, FakeService};
use super::{ACCOUNT, REGION};
use crate::clock::VirtualClock;

/// Stacks. Clones share one state.
#[derive(Debug, Clone)]
pub struct CloudFormation(Arc<Mutex<CloudFormationState>>);

#[derive(Debug)]
struct CloudFormationState {
    clock: VirtualClock,
    ids: Ids,
    stacks: Vec<FakeStack>,
}

#[derive(Debug)]
struct FakeStack {
    name: String,
    id: String,
    status: String,
    created: Timestamp,
    /// Given for a stack of this project's template only.
    parameters: Option<Value>,
}

impl CloudFormation {
    /// Starts without stacks.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(CloudFormationState { clock, ids: Ids::of_kind(0xcf05), stacks: Vec::new() })))
    }

    /// Creates a stack with a status such as `UPDATE_IN_PROGRESS`.
    #[must_use]
    pub fn with_stack(self, name: &str, status: &str) -> Self {
        {
            let mut state = self.lock();
            let id = format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{}", state.ids.next());
            let created = state.clock.now();
            state.stacks.push(FakeStack {
                name: name.to_owned(),
                id,
                status: status.to_owned(),
                created,
                parameters: None,
            });
        }
        self
    }

    /// Creates a stack of pullsafe with these parameters, or changes the parameters of an existing one.
    pub fn deploy_pullsafe(&self, name: &str, parameters: &[(&str, &str)]) {
        let of = |(key, value): &(&str, &str)| json!({"ParameterKey": key, "ParameterValue": value});
        let parameters = Some(parameters.iter().map(of).collect());
        if self.id(name).is_none() {
            drop(self.clone().with_stack(name, "CREATE_COMPLETE"));
        }
        for stack in self.lock().stacks.iter_mut().filter(|stack| stack.name == name) {
            stack.parameters.clone_from(&parameters);
        }
    }

    /// Changes the status of a stack.
    pub fn set_status(&self, name: &str, status: &str) {
        for stack in self.lock().stacks.iter_mut().filter(|stack| stack.name == name) {
            status.clone_into(&mut stack.status);
        }
    }

    /// Creates a stack with this id, or changes its status.
    pub fn set(&self, id: &str, name: &str, status: &str) {
        let mut state = self.lock();
        let created = state.clock.now();
        state.stacks.retain(|stack| stack.id != id);
        state.stacks.push(FakeStack {
            name: name.to_owned(),
            id: id.to_owned(),
            status: status.to_owned(),
            created,
            parameters: None,
        });
    }

    /// The ARN of a stack.
    pub fn id(&self, name: &str) -> Option<String> {
        self.lock().stacks.iter().find(|stack| stack.name == name).map(|stack| stack.id.clone())
    }

    fn lock(&self) -> MutexGuard<'_, CloudFormationState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for CloudFormation {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        if operation == "ListStacks" {
            return Ok(
                json!({"StackSummaries": self.lock().stacks.iter().filter(|stack| is_listed(stack, request)).map(summary).collect::<Vec<_>>()}),
            );
        }
        if operation != "DescribeStacks" {
            return Err(AwsError::client("InvalidAction", format!("{operation} is not modelled by this fake")));
        }
        let wanted = request["StackName"].as_str();
        // A deleted stack is found by its ARN only.
        let fits = |stack: &&FakeStack| match wanted {
            Some(wanted) if stack.id == wanted => true,
            Some(wanted) => stack.name == wanted && stack.status != "DELETE_COMPLETE",
            None => stack.status != "DELETE_COMPLETE",
        };
        let state = self.lock();
        let stacks: Vec<Value> = state.stacks.iter().filter(fits).map(describe).collect();
        match wanted {
            Some(wanted) if stacks.is_empty() => {
                Err(AwsError::client("ValidationError", format!("Stack with id {wanted} does not exist")))
            }
            _ => Ok(json!({"Stacks": stacks})),
        }
    }
}

/// Whether a stack has one of the statuses that the request asks for.
fn is_listed(stack: &FakeStack, request: &Value) -> bool {
    let wanted = request["StackStatusFilter"].as_array();
    wanted.is_none_or(|wanted| wanted.iter().any(|status| *status == stack.status.as_str()))
}

fn summary(stack: &FakeStack) -> Value {
    let mut summary = describe(stack);
    if let Some(fields) = summary.as_object_mut() {
        fields.remove("Parameters");
        if let Some(description) = fields.remove("Description") {
            fields.insert("TemplateDescription".to_owned(), description);
        }
    }
    summary
}

fn describe(stack: &FakeStack) -> Value {
    let mut described = json!({"StackId": stack.id, "StackName": stack.name, "StackStatus": stack.status, "CreationTime": stack.created});
    if let Some(parameters) = &stack.parameters {
        described["Description"] = json!(format!("{DESCRIPTION}ECS deployments that survive image pulls"));
        described["Parameters"] = parameters.clone();
    }
    described
}
