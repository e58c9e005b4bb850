//! Chooses, for each action, a resource that the template's statements are meant for, to ask IAM about.

use super::stack::Deployed;

/// Returns the ARN to ask about for an action of a role.
pub(super) fn arn_for(stack: &Deployed, role: &str, action: &str) -> String {
    let of = |service: &str, rest: &str| {
        format!("arn:{}:{service}:{}:{}:{rest}", stack.partition, stack.region, stack.account)
    };
    let (service, name) = action.split_once(':').unwrap_or((action, ""));
    match (service, name) {
        ("ecs", "DescribeServiceDeployments" | "ContinueServiceDeployment") => {
            of("ecs", &format!("service-deployment/{}/0a1b2c3d", service_of(stack)))
        }
        ("ecs", "DescribeServiceRevisions") => of("ecs", &format!("service-revision/{}/0a1b2c3d", service_of(stack))),
        ("ecs", "DescribeServices" | "ListServiceDeployments" | "UpdateService" | "TagResource" | "UntagResource") => {
            of("ecs", &format!("service/{}", service_of(stack)))
        }
        ("ecs", "DescribeClusters") => of("ecs", "cluster/doctor"),
        ("ecs", "DescribeTasks") => of("ecs", "task/doctor/0a1b2c3d"),
        ("ecs", "RegisterTaskDefinition") => of("ecs", "task-definition/doctor:1"),
        ("iam", "PassRole") => {
            format!(
                "arn:{}:iam::{}:role/{}",
                stack.partition,
                stack.account,
                sample(stack.parameter("TaskRolePattern"))
            )
        }
        ("iam", _) => format!("arn:{}:iam::{}:role/doctor", stack.partition, stack.account),
        ("ecr", "GetAuthorizationToken" | "DescribePullThroughCacheRules") | ("logs", "DescribeLogGroups") => {
            "*".to_owned()
        }
        ("ecr", "PutImage") if role == "Remediator" => {
            of("ecr", &format!("repository/{}", sample(stack.parameter("KeepRepositories"))))
        }
        ("ecr", _) => of("ecr", &format!("repository/{}/doctor", stack.parameter("MirrorPrefix"))),
        ("logs", "GetLogEvents") => {
            let groups = stack.parameter("ReadableLogGroups");
            of(
                "logs",
                &format!("log-group:{}:log-stream:doctor", sample(groups.split(',').next().unwrap_or_default())),
            )
        }
        ("logs", _) => {
            let group = stack.physical(&format!("{role}LogGroup")).unwrap_or("doctor");
            of("logs", &format!("log-group:{group}:log-stream:doctor"))
        }
        ("cloudformation", "ListStacks") => "*".to_owned(),
        ("cloudformation", _) => of("cloudformation", "stack/doctor/0a1b2c3d"),
        ("application-autoscaling", "RegisterScalableTarget") => {
            of("application-autoscaling", "scalable-target/0a1b2c3d")
        }
        ("dynamodb", _) => {
            let index = if name == "Query" && role == "Widget" { "/index/due-index" } else { "" };
            of("dynamodb", &format!("table/{}{index}", stack.physical("Table").unwrap_or("doctor")))
        }
        ("sns", _) => stack.physical("Topic").unwrap_or("*").to_owned(),
        ("events", "ListRuleNamesByTarget") | ("scheduler", "ListSchedules") => "*".to_owned(),
        ("scheduler", _) => of("scheduler", "schedule/default/doctor"),
        ("events", "ListTargetsByRule") => of("events", "rule/doctor"),
        ("events", _) => of("events", "event-bus/default"),
        ("sqs", _) => {
            let url = stack.physical(queue_of(role, name)).unwrap_or("doctor");
            of("sqs", url.rsplit('/').next().unwrap_or(url))
        }
        ("ssm", _) => of("ssm", &format!("parameter{}", stack.parameter("MirrorConfigParameter"))),
        ("secretsmanager", _) => stack.parameter("DockerHubSecretArn").to_owned(),
        ("kms", _) => stack.parameter("EncryptionKeyArn").to_owned(),
        _ => "*".to_owned(),
    }
}

/// A service that the parameter `ServicePattern` allows to be changed.
fn service_of(stack: &Deployed) -> String {
    let service = sample(stack.parameter("ServicePattern"));
    if service.contains('/') { service } else { format!("{service}/doctor") }
}

/// A text that a pattern with wildcards matches.
fn sample(pattern: &str) -> String {
    if pattern.is_empty() {
        "doctor".to_owned()
    } else {
        pattern.replace(['*', '?'], "d")
    }
}

fn queue_of(role: &str, action: &str) -> &'static str {
    match (role, action) {
        ("Mirror", "SendMessage") => "MirrorPlanQueue",
        ("Mirror", _) | ("ImageGate" | "GateWaker", "SendMessage") => "MirrorQueue",
        ("GateWaker", _) => "ImageGateFailureQueue",
        _ => "WorkQueue",
    }
}
