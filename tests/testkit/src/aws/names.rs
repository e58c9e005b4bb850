//! What the services are called on the wire and in IAM, and what their operations do. Data only.
//!
//! A service is known by its IAM prefix everywhere in this fake: `ecs`, `events`, `application-autoscaling`.

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

/// The first words of operations that only read.
const READING: &[&str] = &["Describe", "List", "Get", "BatchGet", "BatchCheck", "Simulate", "Filter", "Query", "Scan"];

/// Services that hold pullsafe's own table, functions, queue, topic and bus. A call to them changes nothing of the
/// user.
const OWN: &[&str] = &["dynamodb", "lambda", "sqs", "sns", "events"];

/// Operations whose IAM action has another name.
const OTHER_ACTIONS: &[(&str, &str, &str)] = &[
    ("sqs", "SendMessageBatch", "SendMessage"),
    ("sqs", "DeleteMessageBatch", "DeleteMessage"),
    ("sqs", "ChangeMessageVisibilityBatch", "ChangeMessageVisibility"),
    ("sns", "PublishBatch", "Publish"),
    ("lambda", "Invoke", "InvokeFunction"),
];

/// The parts of a DynamoDB transaction and the action that each needs. The transaction itself needs none.
const TRANSACTION_PARTS: &[(&str, &str)] = &[
    ("Put", "PutItem"),
    ("Update", "UpdateItem"),
    ("Delete", "DeleteItem"),
    ("ConditionCheck", "ConditionCheckItem"),
];

/// What the path of a Lambda invocation begins and ends with. The function's name is in between.
const INVOCATION: (&str, &str) = ("/2015-03-31/functions/", "/invocations");

/// The function that a path invokes, if it is the path of an invocation.
pub(super) fn invoked(path: &str) -> Option<&str> {
    path.strip_prefix(INVOCATION.0)?.strip_suffix(INVOCATION.1)
}

/// What every path of EventBridge Scheduler that is served here begins with.
const SCHEDULES: &str = "/schedules";

/// The operation of EventBridge Scheduler that a method and a path mean, and the name of the schedule in the path.
pub(super) fn of_schedules<'a>(method: &str, path: &'a str) -> Option<(&'static str, Option<&'a str>)> {
    let rest = path.strip_prefix(SCHEDULES).filter(|_| method == "GET")?;
    match rest.strip_prefix('/') {
        Some(name) => (!name.is_empty() && !name.contains('/')).then_some(("GetSchedule", Some(name))),
        None => rest.is_empty().then_some(("ListSchedules", None)),
    }
}

/// The service with this target prefix.
pub(super) fn service_of_target(prefix: &str) -> Option<&'static str> {
    TARGETS.iter().find(|(target, _)| *target == prefix).map(|(_, service)| *service)
}

/// The service with this version of the awsQuery protocol.
pub(super) fn service_of_version(version: &str) -> Option<&'static str> {
    QUERY_VERSIONS.iter().find(|(known, _)| *known == version).map(|(_, service)| *service)
}

/// Whether requests can be routed to a service of this name.
pub(super) fn is_service(name: &str) -> bool {
    ["lambda", "scheduler"].contains(&name) || TARGETS.iter().chain(QUERY_VERSIONS).any(|(_, service)| *service == name)
}

/// Whether an operation changes resources of the user. An unknown operation counts as one that does.
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
        // A call for all stacks is not authorised on any one stack, and needs the permission to list.
        actions.push("cloudformation:ListStacks".to_owned());
    }
    if (service, operation) == ("ecs", "RegisterTaskDefinition") {
        // Passing roles to a task and tagging on creation need permissions of their own.
        if ["taskRoleArn", "executionRoleArn"].iter().any(|role| request.get(role).is_some()) {
            actions.push("iam:PassRole".to_owned());
        }
        if request["tags"].as_array().is_some_and(|tags| !tags.is_empty()) {
            actions.push("ecs:TagResource".to_owned());
        }
    }
    actions
}
