//! IAM: `SimulatePrincipalPolicy`, over the policies that the test gives each role.
//!
//! Not modelled: conditions, permission boundaries, resource policies. Like the real simulation it knows nothing of
//! service control policies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::ACCOUNT;
use super::service::{AwsError, FakeService};

/// Roles. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Iam(Arc<Mutex<BTreeMap<String, Vec<Statement>>>>);

#[derive(Debug)]
struct Statement {
    allow: bool,
    action: String,
    resource: String,
}

impl Iam {
    /// Starts without roles.
    pub fn new() -> Self {
        Self::default()
    }

    /// The ARN of a role with this name.
    pub fn role_arn(name: &str) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role/{name}")
    }

    /// Creates a role that may do nothing.
    #[must_use]
    pub fn with_role(self, name: &str) -> Self {
        self.lock().entry(Self::role_arn(name)).or_default();
        self
    }

    /// Allows a role this action on this resource, and creates the role if needed. Both patterns may have `*` and `?`.
    #[must_use]
    pub fn allow(self, role: &str, action: &str, resource: &str) -> Self {
        self.state(true, role, action, resource)
    }

    /// Denies a role this action on this resource, whatever it is allowed, and creates the role if needed.
    #[must_use]
    pub fn deny(self, role: &str, action: &str, resource: &str) -> Self {
        self.state(false, role, action, resource)
    }

    fn state(self, allow: bool, role: &str, action: &str, resource: &str) -> Self {
        let statement = Statement {
            allow,
            action: action.to_owned(),
            resource: resource.to_owned(),
        };
        self.lock().entry(Self::role_arn(role)).or_default().push(statement);
        self
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Statement>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for Iam {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match operation {
            "SimulatePrincipalPolicy" => simulate(&self.lock(), request),
            _ => Err(AwsError::client("InvalidAction", format!("{operation} is not modelled by this fake"))),
        }
    }
}

fn simulate(roles: &BTreeMap<String, Vec<Statement>>, request: &Value) -> Result<Value, AwsError> {
    let principal = request["PolicySourceArn"].as_str().unwrap_or_default();
    if !principal.starts_with("arn:aws:iam::") {
        // Among others this refuses the ARN of an assumed role, which is easily mistaken for the ARN of the role.
        return Err(AwsError::client(
            "InvalidInput",
            format!("Invalid Entity Arn: {principal} does not clearly define entity type and name."),
        ));
    }
    let missing = || {
        let name = principal.rsplit('/').next().unwrap_or_default();
        let message = format!("The role with name {name} cannot be found.");
        AwsError { status: 404, code: "NoSuchEntity".to_owned(), message }
    };
    let statements = roles.get(principal).ok_or_else(missing)?;
    let texts = |member: &str| -> Vec<&str> {
        request[member].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let mut resources = texts("ResourceArns");
    if resources.is_empty() {
        resources.push("*");
    }
    let results: Vec<Value> =
        texts("ActionNames").into_iter().map(|action| evaluate(statements, action, &resources)).collect();
    Ok(json!({"IsTruncated": false, "EvaluationResults": results}))
}

/// The result for one action: the most restrictive decision over all resources, and the decision for each resource
/// where there are several.
///
/// Until 2026 there was one result per action and resource, and each had the decision over all of them. Only a caller
/// that reads the decisions per resource, or asks for one resource at a time, is right on both.
fn evaluate(statements: &[Statement], action: &str, resources: &[&str]) -> Value {
    let decisions: Vec<IamDecision> = resources.iter().map(|resource| decide(statements, action, resource)).collect();
    let worst = decisions.iter().max().copied().unwrap_or(IamDecision::ImplicitDeny);
    let mut result = json!({
        "EvalActionName": action,
        // The form of the resource's ARN, or `*`. Until 2026 it was the resource that was asked for.
        "EvalResourceName": "*",
        "EvalDecision": worst.name(),
        "MatchedStatements": [],
        "MissingContextValues": [],
    });
    if resources.len() > 1 {
        let each = resources.iter().zip(decisions);
        let each = each
            .map(|(resource, decision)| json!({"EvalResourceName": resource, "EvalResourceDecision": decision.name()}));
        result["ResourceSpecificResults"] = each.collect();
    }
    result
}

/// A decision. The more restrictive one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum IamDecision {
    Allowed,
    ImplicitDeny,
    ExplicitDeny,
}

impl IamDecision {
    fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicitDeny",
            Self::ExplicitDeny => "explicitDeny",
        }
    }
}

fn decide(statements: &[Statement], action: &str, resource: &str) -> IamDecision {
    let applies = |statement: &&Statement| {
        matches(&statement.action.to_lowercase(), &action.to_lowercase()) && matches(&statement.resource, resource)
    };
    let mut applying = statements.iter().filter(applies).peekable();
    if applying.peek().is_none() {
        return IamDecision::ImplicitDeny;
    }
    if applying.all(|statement| statement.allow) {
        IamDecision::Allowed
    } else {
        IamDecision::ExplicitDeny
    }
}

/// Whether a text fits a pattern with `*` and `?`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut characters = pattern.chars();
    match characters.next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len())
            .filter(|start| text.is_char_boundary(*start))
            .any(|start| matches(characters.as_str(), &text[start..])),
        Some(expected) => {
            let mut rest = text.chars();
            rest.next().is_some_and(|found| expected == '?' || expected == found)
                && matches(characters.as_str(), rest.as_str())
        }
    }
}
