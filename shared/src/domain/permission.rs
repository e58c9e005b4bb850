//! The permissions that the remediator needs: each observation and each step declares its own.
//!
//! A test holds the role of `template.yaml` against this list in both directions, and the scenarios hold every call
//! that was made against it. The README's table is generated from it.

/// Something the remediator does that needs permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// What is done, in a few words.
    pub purpose: &'static str,
    /// The IAM actions that it takes.
    pub actions: &'static [&'static str],
    /// Whether it changes something of the user's.
    pub writes: bool,
}

const fn reads(purpose: &'static str, actions: &'static [&'static str]) -> Permission {
    Permission { purpose, actions, writes: false }
}

const fn writes(purpose: &'static str, actions: &'static [&'static str]) -> Permission {
    Permission { purpose, actions, writes: true }
}

/// Every permission of the remediator.
pub const REMEDIATOR: &[Permission] = &[
    reads("look at the service and its cluster's tags", &["ecs:DescribeServices", "ecs:DescribeClusters"]),
    reads("look at the task definition, and find a clone made before", &["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"]),
    reads("find the digests that the service's tasks run", &["ecs:ListTasks", "ecs:DescribeTasks"]),
    reads("look up a tag or digest in ECR", &["ecr:BatchGetImage"]),
    reads("find out whether the execution role may pull from the mirror", &["iam:SimulatePrincipalPolicy"]),
    reads("see whether the service's stack is being deployed", &["cloudformation:DescribeStacks"]),
    reads("see whether autoscaling would raise the count", &["application-autoscaling:DescribeScalableTargets"]),
    writes("say on the service what was done", &["ecs:TagResource", "ecs:UntagResource"]),
    writes("clone the task definition", &["ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "iam:PassRole"]),
    writes("move, pause, restore the service, or force a new deployment", &["ecs:UpdateService"]),
    writes("suspend and resume autoscaling during a pause", &["application-autoscaling:RegisterScalableTarget"]),
    writes("ask the mirror, and put events back into the own queue", &["sqs:SendMessage"]),
    reads("take events from the own queue", &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]),
    reads(
        "keep incidents and leases in the own table",
        &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"],
    ),
    reads("tell people and programs", &["sns:Publish", "events:PutEvents"]),
    reads("write the own log", &["logs:CreateLogStream", "logs:PutLogEvents"]),
];

/// All actions of the remediator, sorted.
pub fn remediator_actions() -> Vec<&'static str> {
    let mut actions: Vec<_> = REMEDIATOR.iter().flat_map(|permission| permission.actions).copied().collect();
    actions.sort_unstable();
    actions
}
