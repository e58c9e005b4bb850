//! Who stopped the task. These texts win over exit codes, for a stop from outside can cause any exit code.

use super::prelude::*;

/// Rows for stops from outside.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "stopped-by-user",
        cause: Cause::UserStopped,
        all: &[&[
            "task stopped by user",
            "task stopped by a user",
            "stopped by user request",
            "^stopped by ",
            "^job killed by ",
            "cancelled by user",
            "canceled by user",
        ]],
        none: &["deployment", "scaling", "scheduler"],
        advice: "Nothing to do: a person or a program called StopTask.",
        example: seen("Task stopped by user", "ECS"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "load-balancer-unhealthy",
        cause: Cause::LoadBalancerHealthCheckFailed,
        all: &[&[
            "failed elb health checks",
            "failed elb healthchecks",
            "elb healthcheck failed",
            "elb health check failed",
            "is unhealthy in (target-group",
            ") (port ",
            "is unhealthy in (target group",
            "is unhealthy in target-group",
            "is unhealthy in (elb",
            "is not healthy in target-group",
            "is not healthy in (target-group",
            "unhealthy in target group",
            "target group is not found",
            "failed load balancer health check",
            "health checks failed",
        ]],
        none: &["container health"],
        settled_by: Some(
            "DescribeTargetHealth: its reason code (Target.Timeout, Target.ResponseCodeMismatch, \
             Target.FailedHealthChecks)",
        ),
        advice: "The load balancer got no healthy answer. Look at the reason of DescribeTargetHealth and at the log \
            of the container: does it \
                 listen on the target's port on 0.0.0.0, does the health path answer within the timeout, does the \
                 security group let the load \
                 balancer in, is healthCheckGracePeriodSeconds longer than the start takes?",
        example: seen(
            "Task failed ELB health checks in (target-group \
             arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0)",
            "ECS",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "container-unhealthy",
        cause: Cause::ContainerHealthCheckFailed,
        all: &[&[
            "failed container health check",
            "failed container healthcheck",
            "container health checks failed",
            "container health check failed",
            "due to container health",
            "due to an unhealthy status",
            "failed due to health check",
            "container is unhealthy",
        ]],
        settled_by: Some("the container's log, and its healthCheck command run inside the image"),
        advice: "The container's own health check failed. Check that its command exists in the image (curl and wget \
            often do not), that it asks the \
                 right port and path, and that startPeriod is longer than the start takes; then read the container's \
                 log.",
        example: seen("Task failed container health checks", "ECS"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "dependency-unhealthy",
        cause: Cause::ContainerHealthCheckFailed,
        all: &[
            &["container ordering dependency", "container dependency"],
            &["has timed out", "did not become healthy", "is unhealthy", "not healthy"],
        ],
        subject: named(NameShape::Name, &["dependency ["], &[']']),
        settled_by: Some("the log and the health check of the container that was waited for"),
        advice: "Container `{subject|the dependency}` did not reach the condition of dependsOn in time. Read its log \
            and its health check; raise its \
                 startTimeout only if it is slow but sound.",
        example: seen(
            "dependency graph: container ordering dependency [envoy] for target [app] has timed out.",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "dependency-exited",
        cause: Cause::AppCrashed,
        all: &[&["dependency did not exit successfully", "dependency did not complete successfully"]],
        subject: named(NameShape::Name, &["dependency ["], &[']']),
        settled_by: Some("the exit code and the log of the container that was waited for"),
        confidence: Confidence::Medium,
        advice: "Container `{subject|the dependency}`, for which another one waits by dependsOn SUCCESS, exited with \
            an error. Read its log; the \
                 container that waited is not at fault.",
        example: seen(
            "dependency graph: failed to resolve container ordering dependency [migrate] for target [app] as \
             dependency did not exit successfully.",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "dependency-undefined",
        cause: Cause::InvalidConfiguration,
        all: &[&["container ordering dependency"], &["does not exist"]],
        subject: named(NameShape::Name, &["dependency ["], &[']']),
        advice: "dependsOn names container `{subject|a container}`, which the task definition does not have. Correct \
            the name.",
        example: seen(
            "dependency graph: container ordering dependency [db] for target [app] does not exist.",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "spot-interrupted",
        cause: Cause::SpotInterrupted,
        all: &[&[
            "spot task was interrupted",
            "spot interruption",
            "spot instance interruption",
            "spot instance was terminated",
            "spot capacity was reclaimed",
        ]],
        advice: "Nothing to do for a service: Spot took the capacity back, and another task is started. A single \
            {task} must be started again (or be given a retry strategy).",
        example: seen("Your Spot Task was interrupted.", "ECS"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "host-terminated",
        cause: Cause::HostTerminated,
        all: &[&[
            "host ec2",
            "container instance was terminated",
            "container instance has been terminated",
            "instance terminated",
            "container instance deregist",
            "container instance was deregist",
            "performing maintenance on the underlying infrastructure",
            "underlying infrastructure hosting the task",
            "infrastructure maintenance",
            "instance retirement",
            "task retirement",
            "scheduled for retirement",
            "host is impaired",
            "infrastructure became unhealthy",
        ]],
        advice: "Nothing to do for a service: the host went away, and another task is started elsewhere. A single \
            {task} must be started again (or be given a retry strategy).",
        example: seen("Host EC2 (instance i-0da6526579af3bd1b) terminated.", "ECS"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "stopped-before-pull",
        cause: Cause::ScalingOrDeployment,
        all: &[&["taskstoppedbeforepullbegin", "task stopped before image pull could begin"]],
        advice: "Nothing to do: the task was told to stop before its pull began.",
        example: seen(
            "TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task: \
             arn:aws:ecs:us-west-2:123456789012:task/c/1",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "scaled-or-deployed",
        cause: Cause::ScalingOrDeployment,
        all: &[&[
            "scaling activity initiated by",
            "service scheduler initiated",
            "stopped by deployment",
            "rolling back to deployment",
            "task was replaced",
            "replaced by newer deployment",
            "instance is draining",
            "instance draining",
            "container instance is in draining",
            "availability zone rebalancing",
            "rebalance availability zone",
            "has stopped 1 running task",
            "has begun draining connections",
        ]],
        none: &[
            "unable to",
            "unhealthy",
            "failed",
            "could not",
            "cannot",
            "can't",
            "impaired",
            "not healthy",
            "error",
        ],
        advice: "Nothing to do: the service scheduler stopped the task to scale in or to replace it.",
        example: seen("Scaling activity initiated by (deployment ecs-svc/4770560200895743049)", "ECS"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "scheduler-replaced",
        cause: Cause::ScalingOrDeployment,
        confidence: Confidence::Medium,
        // The head alone tells nothing: the scheduler's complaints begin with the same words.
        all: &[
            &["^(service ", "^(deployment ecs-svc", "^(taskset ecs-svc"],
            &[
                "has stopped",
                "has started",
                "has begun",
                "deregistered",
                "replaced",
                "draining",
                "completed",
                "steady state",
                "scaled",
                "scaling",
            ],
        ],
        none: &[
            "unable to",
            "unhealthy",
            "failed",
            "could not",
            "cannot",
            "can't",
            "impaired",
            "not healthy",
            "error",
        ],
        advice: "Nothing to do: the service scheduler stopped the task to scale in or to replace it.",
        example: seen("(deployment ecs-svc/4770560200895743049) deregistered", "ECS"),
        ..SignatureRow::EMPTY
    },
];
