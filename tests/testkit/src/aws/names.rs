//! What the services are called on the wire and in IAM, and what their operations do. Data only.
//!
//! A service goes by its IAM prefix everywhere in this fake: `ecs`, `events`, `application-autoscaling`.

use serde_json::Value;

/// The prefix of `x-amz-target` of each service that speaks awsJson.
const TARGETS: &[(&str, &str)] = &[
    ("AmazonEC2ContainerServiceV20141113", "ecs"),
    ("AmazonEC2ContainerRegistry_V20150921", "ecr"),
    ("DynamoDB_20120810", "dynamodb"),
    ("AmazonSQS", "sqs"),
    ("AWSEvents", "events"),
    ("AnyScaleFrontendService", "application-autoscaling"),
    ("Logs_20140328", "logs"),
    ("secretsmanager", "secretsmanager"),
    ("AmazonSSM", "ssm"),
    ("GraniteServiceVersion20100801", "cloudwatch"),
    ("ResourceGroupsTaggingAPI_20170126", "tag"),
    ("CodeBuild_20161006", "codebuild"),
];

/// The API version that each service of the awsQuery protocol sends with every request.
const QUERY_VERSIONS: &[(&str, &str)] = &[
    ("2010-03-31", "sns"),
    ("2010-05-08", "iam"),
    ("2010-05-15", "cloudformation"),
    ("2015-12-01", "elasticloadbalancing"),
    ("2011-06-15", "sts"),
];

/// The first words of operations that read only.
const READING: &[&str] = &["Describe", "List", "Get", "BatchGet", "BatchCheck", "Simulate", "Filter", "Query", "Scan"];

/// Services that hold pullsafe's own table, functions, queue, topic and bus: a call to them changes nothing of the
/// user's.
const OWN: &[&str] = &["dynamodb", "lambda", "sqs", "sns", "events"];

/// Operations that IAM knows by another action.
const OTHER_ACTIONS: &[(&str, &str, &str)] = &[
    ("sqs", "SendMessageBatch", "SendMessage"),
    ("sqs", "DeleteMessageBatch", "DeleteMessage"),
    ("sqs", "ChangeMessageVisibilityBatch", "ChangeMessageVisibility"),
    ("sns", "PublishBatch", "Publish"),
    ("lambda", "Invoke", "InvokeFunction"),
];

/// Parts of a DynamoDB transaction and the action that each needs; the transaction itself has none.
const TRANSACTION_PARTS: &[(&str, &str)] = &[
    ("Put", "PutItem"),
    ("Update", "UpdateItem"),
    ("Delete", "DeleteItem"),
    ("ConditionCheck", "ConditionCheckItem"),
];

/// What the path of an invocation of Lambda begins with, and ends with; the function's name is between.
const INVOCATION: (&str, &str) = ("/2015-03-31/functions/", "/invocations");

/// The function that a path invokes.
pub(super) fn invoked(path: &str) -> Option<&str> {
    path.strip_prefix(INVOCATION.0)?.strip_suffix(INVOCATION.1)
}

/// What every path of EventBridge Scheduler begins with that is read here.
const SCHEDULES: &str = "/schedules";

/// The operation of EventBridge Scheduler that a method and a path stand for, and the schedule's name in it.
pub(super) fn of_schedules<'a>(method: &str, path: &'a str) -> Option<(&'static str, Option<&'a str>)> {
    let rest = path.strip_prefix(SCHEDULES).filter(|_| method == "GET")?;
    match rest.strip_prefix('/') {
        Some(name) => (!name.is_empty() && !name.contains('/')).then_some(("GetSchedule", Some(name))),
        None => rest.is_empty().then_some(("ListSchedules", None)),
    }
}

/// The service that a target prefix belongs to.
pub(super) fn service_of_target(prefix: &str) -> Option<&'static str> {
    TARGETS.iter().find(|(target, _)| *target == prefix).map(|(_, service)| *service)
}

/// The service that a version of the awsQuery protocol belongs to.
pub(super) fn service_of_version(version: &str) -> Option<&'static str> {
    QUERY_VERSIONS.iter().find(|(known, _)| *known == version).map(|(_, service)| *service)
}

/// Whether requests can be routed to a service of this name.
pub(super) fn is_service(name: &str) -> bool {
    ["lambda", "scheduler"].contains(&name) || TARGETS.iter().chain(QUERY_VERSIONS).any(|(_, service)| *service == name)
}

/// Whether an operation changes resources of the user. An operation nobody has heard of does.
pub fn changes_user_resources(service: &str, operation: &str) -> bool {
    !OWN.contains(&service) && !READING.iter().any(|word| operation.starts_with(word))
}

/// The IAM actions that a request needs, such as `ecs:UpdateService`.
pub fn actions(service: &str, operation: &str, request: &Value) -> Vec<String> {
    if (service, operation) == ("dynamodb", "TransactWriteItems") {
        let parts = request["TransactItems"].as_array().into_iter().flatten();
        return parts
            .flat_map(|part| TRANSACTION_PARTS.iter().filter(|(name, _)| part.get(name).is_some()))
            .map(|(_, action)| format!("dynamodb:{action}"))
            .collect();
    }
    let action = OTHER_ACTIONS
        .iter()
        .find(|(owner, name, _)| (*owner, *name) == (service, operation))
        .map_or(operation, |(_, _, other)| other);
    let mut actions = vec![format!("{service}:{action}")];
    if (service, operation) == ("cloudformation", "DescribeStacks") && request.get("StackName").is_none() {
        // All stacks at once are authorised on no stack, and are a list besides.
        actions.push("cloudformation:ListStacks".to_owned());
    }
    if (service, operation) == ("ecs", "RegisterTaskDefinition") {
        // Handing roles to a task and tagging at birth are permissions of their own.
        if ["taskRoleArn", "executionRoleArn"].iter().any(|role| request.get(role).is_some()) {
            actions.push("iam:PassRole".to_owned());
        }
        if request["tags"].as_array().is_some_and(|tags| !tags.is_empty()) {
            actions.push("ecs:TagResource".to_owned());
        }
    }
    actions
}
