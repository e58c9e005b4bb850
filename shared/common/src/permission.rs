//! The permissions that each function needs: each observation and each step declares its own.
//!
//! A test compares the roles of `template.yaml` with these lists in both directions, and the scenarios compare every
//! call that the remediator makes with its list. The tables of docs/permissions.md and docs/mirror.md are generated
//! from them.

/// Something a function does that needs permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// What is done, in a few words.
    pub purpose: &'static str,
    /// The IAM actions that it takes.
    pub actions: &'static [&'static str],
    /// Whether it changes something that belongs to the user.
    pub writes: bool,
    /// The stack parameter that grants it, where it has one of its own.
    pub parameter: Option<&'static str>,
}

impl Permission {
    const fn with(self, parameter: &'static str) -> Self {
        Self { parameter: Some(parameter), ..self }
    }
}

const fn reads(purpose: &'static str, actions: &'static [&'static str]) -> Permission {
    Permission { purpose, actions, writes: false, parameter: None }
}

const fn writes(purpose: &'static str, actions: &'static [&'static str]) -> Permission {
    Permission { purpose, actions, writes: true, parameter: None }
}

/// What a customer key requires of a function that sends to a queue or a topic, takes from a queue, or uses a table
/// that the key encrypts.
const KEY: &[&str] = &["kms:Decrypt", "kms:GenerateDataKey"];

/// Every permission of the remediator.
pub const REMEDIATOR: &[Permission] = &[
    reads("look at the service and its cluster's tags", &["ecs:DescribeServices", "ecs:DescribeClusters"]),
    reads(
        "look at the task definition, and find a clone made before",
        &["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"],
    ),
    reads("find the digests that the service's tasks run", &["ecs:ListTasks", "ecs:DescribeTasks"]),
    reads(
        "see whether a deployment of the service waits at a hook",
        &["ecs:ListServiceDeployments", "ecs:DescribeServiceDeployments"],
    ),
    reads(
        "look up a tag or digest in ECR, and whether it lies in the archive",
        &["ecr:BatchGetImage", "ecr:DescribeImages"],
    ),
    reads(
        "find out whether the execution role may pull an image, or read a secret",
        &["iam:SimulatePrincipalPolicy"],
    ),
    reads("look at what a deployment that waits is to run", &["ecs:DescribeServiceRevisions"]).with("AnswerHooks"),
    reads(
        "read the platform of an image without an index, in its config",
        &["ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"],
    )
    .with("AnswerHooks"),
    reads(
        "see whether a missing image would come by a pull-through cache",
        &["ecr:DescribePullThroughCacheRules"],
    )
    .with("AnswerHooks"),
    reads("see whether a log group is there", &["logs:DescribeLogGroups"]).with("AnswerHooks"),
    writes(
        "let a deployment go on that waits at the hook, or, in act mode, roll it back",
        &["ecs:ContinueServiceDeployment"],
    )
    .with("AnswerHooks"),
    reads("read the log of a task that failed, and of a build", &["logs:GetLogEvents"]),
    reads("see why a load balancer's health check fails", &["elasticloadbalancing:DescribeTargetHealth"]),
    reads("see whether the service's stack is being deployed", &["cloudformation:DescribeStacks"]),
    reads(
        "see which other stacks of pullsafe the region has, and what they may do",
        &["cloudformation:ListStacks"],
    ),
    reads(
        "see whether autoscaling would raise the count",
        &["application-autoscaling:DescribeScalableTargets"],
    ),
    reads("find services that are paused and that nobody remembers, once a day", &["tag:GetResources"]),
    reads(
        "see once a day what runs, and what will go wrong with its images, unless a parameter forbids it",
        &[
            "ecs:ListClusters",
            "ecs:ListServices",
            "ecr:GetLifecyclePolicy",
            "events:ListRuleNamesByTarget",
            "events:ListTargetsByRule",
            "scheduler:ListSchedules",
            "scheduler:GetSchedule",
        ],
    ),
    writes("keep an image that runs by a tag, where a parameter names its repository", &["ecr:PutImage"]),
    writes("say on the service what was done", &["ecs:TagResource", "ecs:UntagResource"]),
    writes(
        "clone the task definition",
        &["ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "iam:PassRole"],
    ),
    writes("move, pause, restore the service, or force a new deployment", &["ecs:UpdateService"]),
    writes("bring an image back from the archive that a service needs", &["ecr:UpdateImageStorageClass"])
        .with("RestoreArchivedImages"),
    writes("suspend and resume autoscaling during a pause", &["application-autoscaling:RegisterScalableTarget"]),
    reads("ask the mirror, and put events back into the own queue", &["sqs:SendMessage"]),
    reads(
        "take events from the own queue",
        &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    ),
    reads("let an event whose service is being worked on come again later", &["sqs:ChangeMessageVisibility"]),
    reads(
        "keep incidents and leases in the own table",
        &[
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:Query",
        ],
    ),
    reads("tell people and programs", &["sns:Publish", "events:PutEvents"]),
    reads("use the stack's own key for them, where there is one", KEY),
    reads("write the own log", &["logs:CreateLogStream", "logs:PutLogEvents"]),
];

/// Every permission of the mirror. On ECR they apply to the repositories under the mirror's prefix, except for the
/// sign-in. Writing there, deleting, the configuration, the secret and the key come with the stack parameters that ask
/// for them.
pub const MIRROR: &[Permission] = &[
    reads("sign in to ECR", &["ecr:GetAuthorizationToken"]),
    reads(
        "see what the mirror holds, and what one of its repositories can give to another",
        &[
            "ecr:DescribeRepositories",
            "ecr:DescribeImages",
            "ecr:BatchGetImage",
            "ecr:BatchCheckLayerAvailability",
            "ecr:GetDownloadUrlForLayer",
        ],
    ),
    writes(
        "create the mirror's repositories",
        &["ecr:CreateRepository", "ecr:PutLifecyclePolicy", "ecr:TagResource"],
    ),
    reads(
        "see whether a repository whose creation was interrupted lacks its lifecycle policy",
        &["ecr:GetLifecyclePolicy"],
    ),
    writes(
        "store copies there",
        &["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"],
    ),
    writes("delete what nothing wants, where a parameter allows it", &["ecr:BatchDeleteImage"]),
    reads("read what to mirror", &["ssm:GetParameter"]),
    reads("read Docker Hub's credentials", &["secretsmanager:GetSecretValue"]),
    reads(
        "see which images run in ECS",
        &["ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices", "ecs:DescribeTaskDefinition"],
    ),
    reads(
        "see, before it deletes, what else uses an image",
        &["ecs:ListTasks", "ecs:DescribeTasks", "ecs:ListTaskDefinitions"],
    ),
    reads(
        "keep its memory and leases in the own table, and what its workers share",
        &["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
    ),
    reads("hand out planned copies, and keep a run that failed", &["sqs:SendMessage"]),
    reads(
        "take jobs from the own queues",
        &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    ),
    reads("let a failed job come again soon", &["sqs:ChangeMessageVisibility"]),
    reads("tell people and whoever asked", &["sns:Publish", "events:PutEvents"]),
    reads("use the stack's own key for them, where there is one, and that of Docker Hub's credentials", KEY),
    reads("write the own log", &["logs:CreateLogStream", "logs:PutLogEvents"]),
];

/// Every permission of the image gate. It answers a Delete without any of them.
pub const GATE: &[Permission] = &[
    LOOK_AT_IMAGES,
    LOOK_AT_SIGNATURES,
    LOOK_AT_POLICIES,
    LOOK_AT_PLATFORMS,
    LOOK_AT_STACKS,
    reads(
        "park requests in the own table, and remember digests there",
        &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
    ),
    reads(
        "ask the mirror for a `Source`, wake the waker in time, and keep a request that failed",
        &["sqs:SendMessage"],
    ),
    reads("use the stack's own key for them, where there is one", KEY),
    reads("write the own log", &["logs:CreateLogStream", "logs:PutLogEvents"]),
];

/// Every permission of the gate's waker.
pub const WAKER: &[Permission] = &[
    LOOK_AT_IMAGES,
    LOOK_AT_SIGNATURES,
    LOOK_AT_POLICIES,
    LOOK_AT_PLATFORMS,
    LOOK_AT_STACKS,
    reads(
        "find who waits, claim and mark an answer, remember digests",
        &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
    ),
    reads("ask the mirror again, wake itself in time, and keep what failed", &["sqs:SendMessage"]),
    reads(
        "take requests that the gate failed at",
        &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    ),
    reads("use the stack's own key for them, where there is one", KEY),
    reads("write the own log", &["logs:CreateLogStream", "logs:PutLogEvents"]),
];

const LOOK_AT_IMAGES: Permission =
    reads("look whether the image is there, and what it is", &["ecr:BatchGetImage", "ecr:DescribeImages"]);
const LOOK_AT_SIGNATURES: Permission =
    reads("see whether ECR has signed it, for `Signed`", &["ecr:DescribeImageSigningStatus"]);
const LOOK_AT_POLICIES: Permission =
    reads("see whether a stack of another account may see the repository", &["ecr:GetRepositoryPolicy"]);
const LOOK_AT_PLATFORMS: Permission = reads(
    "read the platform of an image without an index, in its config",
    &["ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"],
);
const LOOK_AT_STACKS: Permission = reads("see whether an update is a rollback", &["cloudformation:DescribeStacks"]);

/// Every permission of the probe. The probe calls nothing of AWS itself: Lambda attaches it to its subnets and passes
/// on its answer.
pub const PROBE: &[Permission] = &[
    reads(
        "be attached to the tasks' subnets, which Lambda does for it and its code may not",
        &[
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ],
    ),
    reads("have what it read put on the bus", &["events:PutEvents"]),
    reads("write the own log", &["logs:CreateLogStream", "logs:PutLogEvents"]),
];

/// Every permission of the widget: read only, on one table and one of its indexes.
pub const WIDGET: &[Permission] = &[
    reads(
        "list the open incidents, by the index of the own table, and what is known to go wrong",
        &["dynamodb:Query"],
    ),
    reads("read them, and no other rows", &["dynamodb:BatchGetItem"]),
    reads("use the stack's own key for it, where there is one", &["kms:Decrypt"]),
    reads("write the own log", &["logs:CreateLogStream", "logs:PutLogEvents"]),
];

/// All actions of a list, sorted.
pub fn actions(permissions: &[Permission]) -> Vec<&'static str> {
    let mut actions: Vec<_> = permissions.iter().flat_map(|permission| permission.actions).copied().collect();
    actions.sort_unstable();
    actions
}

/// All actions of the remediator, sorted.
pub fn remediator_actions() -> Vec<&'static str> {
    actions(REMEDIATOR)
}
