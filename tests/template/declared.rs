//! What the code needs from the template, by function.

/// One function, as the code knows it.
pub(crate) struct Declared {
    /// Its logical id in the template.
    pub(crate) function: &'static str,
    /// The environment variables that it reads, AWS's own aside.
    pub(crate) environment: &'static [&'static str],
    /// The AWS actions that its code calls. What Lambda calls for it follows from the template itself.
    pub(crate) actions: &'static [&'static str],
}

/// Every function of the template.
pub(crate) const FUNCTIONS: &[Declared] = &[
    Declared {
        function: "RemediatorFunction",
        environment: &[
            "PULLSAFE_TABLE",
            "PULLSAFE_TOPIC_ARN",
            "PULLSAFE_QUEUE_URL",
            "PULLSAFE_MIRROR_QUEUE_URL",
            "PULLSAFE_EVENT_BUS",
            "PULLSAFE_MODE",
            "PULLSAFE_MIRROR_REGISTRY",
            "PULLSAFE_MIRROR_PREFIX",
            "PULLSAFE_PUBLIC_FALLBACK",
            "PULLSAFE_AHEAD",
            "PULLSAFE_PAUSE",
            "PULLSAFE_PAUSE_AFTER",
            "PULLSAFE_MOVE_COOLDOWN_HOURS",
            "PULLSAFE_NOTIFICATION_FORMAT",
            "PULLSAFE_REGISTRY_ENDPOINTS",
        ],
        actions: &[
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:RegisterScalableTarget",
            "cloudformation:DescribeStacks",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "ecr:BatchGetImage",
            "ecs:DeregisterTaskDefinition",
            "ecs:DescribeClusters",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListTaskDefinitions",
            "ecs:ListTasks",
            "ecs:RegisterTaskDefinition",
            "ecs:TagResource",
            "ecs:UntagResource",
            "ecs:UpdateService",
            "events:PutEvents",
            "iam:PassRole",
            "iam:SimulatePrincipalPolicy",
            "sns:Publish",
            "sqs:SendMessage",
        ],
    },
    Declared {
        function: "MirrorFunction",
        environment: &["PULLSAFE_EVENT_BUS", "PULLSAFE_MIRROR_REGISTRY", "PULLSAFE_MIRROR_PREFIX", "PULLSAFE_REGISTRY_ENDPOINTS"],
        actions: &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:CreateRepository",
            "ecr:DescribeImages",
            "ecr:GetAuthorizationToken",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
            "events:PutEvents",
        ],
    },
    Declared {
        function: "ImageGateFunction",
        environment: &["PULLSAFE_ALLOW_LOCAL_RESPONSE_URL", "PULLSAFE_REGISTRY_ENDPOINTS"],
        actions: &["ecr:BatchGetImage", "ecr:DescribeImages"],
    },
];
