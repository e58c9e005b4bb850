//! The agent or the container runtime itself failed. This table comes last, because the heads of these texts precede
//! many other texts too.

use super::prelude::*;

const HOST: &str = "The agent or the container runtime of the host failed, not the {task}. {machine}";

/// Whether the text goes on after a place in the runtime's source (`rootfs_linux.go:58`): only then does it say why.
fn says_why(text: &str) -> bool {
    let end = text
        .trim_end_matches("mounting")
        .trim_end_matches(['.', ' ', '"', '\\', ':'])
        .trim_end_matches(|character: char| character.is_ascii_digit());
    let end = end.to_ascii_lowercase();
    ![".go:", ".go", "rootfs_linux"].iter().any(|place| end.ends_with(place))
}

/// Rows for failures of the agent or of the container runtime.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "transition-timeout",
        cause: Cause::AgentError,
        confidence: Confidence::Medium,
        all: &[
            &["dockertimeouterror", "containerruntimetimeouterror", "could not transition to"],
            &["timed out after"],
        ],
        none: &["manifest_pulled", "transition to pulled"],
        advice: HOST,
        example: seen("DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s", "ECS agent"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "agent",
        cause: Cause::AgentError,
        confidence: Confidence::Medium,
        yields: true,
        all: &[&[
            "taskstateerror",
            "containervanishederror",
            "cannotstopcontainererror",
            "cannotinspectcontainererror",
            "cannotdescribecontainererror",
            "cannotlistcontainers",
            "cannotremovecontainer",
            "cannotgetcontainertop",
            "cannotgetdockerclient",
            "containerruntimeerror",
            "^internalerror",
            "failed to get container status",
            "failed sending sigterm",
            "no container matching saved id",
            "task dependencies cannot be resolved",
            "could not progress task",
            "nosuchcontainererror",
            "container not found:",
            "cannot connect to the docker daemon",
            "containerd: ",
            "shim reaped",
            "failed to start shim",
            "resource temporarily unavailable",
            "transport is closing",
            "ttrpc: closed",
            "context deadline exceeded: unknown",
            "cannotcreatecontainerexec",
            "cannotstartcontainerexec",
            "unable to retrieve container",
            "dockerstateerror",
            "containermonitoringerror",
            "agent could not",
            "agent disconnected",
            "invalid state transition",
            "failed to create task: connect",
            "cgroup",
            "unrecognized container state",
            "unexpectederror",
            " server error",
            "internal error",
            "fatal error: runtime",
        ]],
        none: &[
            "cannotpullcontainererror",
            "500 internal server error",
            "memory usage",
            "volume resources",
            "(http code",
            "500 server error",
        ],
        advice: HOST,
        example: seen("TaskStateError: Agent could not progress task's state to stopped", "ECS agent"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "storage-driver",
        cause: Cause::AgentError,
        confidence: Confidence::Medium,
        all: &[
            &[
                "cannotcreatecontainererror",
                "cannotstartcontainererror",
                "cannot start container",
                "error response from daemon",
            ],
            &[
                "devicemapper",
                "devmapper",
                "overlay2",
                "error creating overlay mount",
                "input/output error",
                "rootfs",
                "failed to mount overlay",
                "iptables",
                "failed to create endpoint",
                "network bridge",
                "sandbox",
            ],
        ],
        none: &["thin pool has"],
        cut_inside: &["no space left on device", "thin pool has"],
        also: Some(says_why),
        settled_by: Some("a start on another host"),
        advice: HOST,
        example: seen(
            "CannotCreateContainerError: API error (500): devicemapper: Error running deviceResume dm_task_run failed",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "daemon-unreachable",
        cause: Cause::AgentError,
        confidence: Confidence::Medium,
        all: &[&["error during connect", "cannot connect to the docker daemon", "docker client must be run"]],
        settled_by: Some("the container runtime's own log on the host"),
        advice: HOST,
        example: seen(
            "CannotPullContainerError: error during connect: In the default daemon configuration on Windows, the docker \
             client must be run with elevated privileges",
            "Docker Engine on Windows",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "settings-refused",
        cause: Cause::InvalidConfiguration,
        confidence: Confidence::Low,
        all: &[
            &["cannotcreatecontainererror", "cannotstartcontainererror"],
            &[
                "invalid ",
                "must be ",
                "must not ",
                "must provide ",
                "cannot be ",
                "can't be ",
                "not supported",
                "isn't supported",
                "only supported",
                "not valid",
                "not allowed",
                "duplicate ",
                "conflict",
                "mutually exclusive",
                "cannot have ",
                "greater than ",
                "less than ",
            ],
        ],
        none: &["manifest", "pull", "no such image", "invalid header"],
        settled_by: Some("the container definition beside what the text names"),
        advice: "The container runtime seems to refuse a setting of the container. Compare what the text names with the \
            {definition}.",
        example: seen(
            "CannotCreateContainerError: Error response from daemon: Interval in Healthcheck cannot be less than 1ms",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "request-refused",
        cause: Cause::InvalidConfiguration,
        confidence: Confidence::Medium,
        all: &[
            &["invalidparameterexception", "clientexception", "invalid parameter", "invalid request provided"],
            &[
                "amazonecs",
                "ecs service",
                "ecs-fargate",
                "aws_ecs_",
                "aws::ecs::",
                "ecs task definition",
                "createservice",
                "updateservice",
                "runtask",
                "registertaskdefinition",
                "invalid request provided",
            ],
        ],
        advice: "ECS refuses the request and says why: correct that in the service or the {definition}.",
        example: seen(
            "An error occurred (InvalidParameterException) when calling the CreateService operation: The load balancer \
             web does not exist.",
            "ECS API",
        ),
        ..SignatureRow::EMPTY
    },
];
