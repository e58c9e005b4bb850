//! The container was created or started and the runtime refused, or the kernel ended it.

use super::prelude::*;

/// The kernel's out-of-memory kill, as ECS reports it.
pub static MEMORY: &[SignatureRow] = &[SignatureRow {
    id: "memory-limit",
    cause: Cause::OutOfMemory,
    kind: Some(Kind::Cgroup),
    weight: 2,
    all: &[&[
        "killed due to memory usage",
        "outofmemoryerror: container",
        "oom-kill",
        "memory cgroup out of memory",
        "oomkilled",
        "container killed due to memory",
        "outofmemory: container",
    ]],
    none: &["efs utils"],
    advice: "The kernel killed the container at its memory limit. {memory}, or make the program use less; Container \
        Insights shows its memory.",
    example: seen("OutOfMemoryError: Container killed due to memory usage", "ECS agent"),
    ..SignatureRow::EMPTY
}];

/// Failures of the program, its architecture or its configuration.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "exec-format",
        cause: Cause::ExecFormat,
        all: &[&[
            "exec format error",
            "cannot execute binary file",
            "exec user process caused: exec format",
            "bad cpu type",
        ]],
        settled_by: Some("the platform of the image against runtimePlatform"),
        advice: "The program in the image is for another processor. Build the image for the architecture that the \
            {definition} names (`docker buildx build --platform linux/amd64` or `linux/arm64`), or change it there. \
            (A script without `#!` \
                 says the same.)",
        example: seen(
            "CannotStartContainerError: Error response from daemon: failed to create shim task: OCI runtime create \
             failed: runc create failed: unable to start container process: exec /app/run: exec format error: unknown",
            "runc",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "device",
        cause: Cause::InvalidConfiguration,
        all: &[&[
            "error gathering device information",
            "adding custom device",
            "no such device",
            "could not select device driver",
            "unknown or invalid runtime name",
        ]],
        subject: named(NameShape::Path, &["custom device \"", "custom device '"], &['"', '\'']),
        advice: "The host has no such device{subject?: `$`}. Correct `linuxParameters.devices`, or place the task on \
            instances that have it (for a GPU: an instance type with one, the GPU-optimized AMI, and GPU in \
            `resourceRequirements`).",
        example: seen(
            "CannotStartContainerError: Error response from daemon: error gathering device information while adding \
             custom device \"/dev/dri/renderD130\": no such file or directory",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "host-port",
        cause: Cause::HostPortConflict,
        all: &[&[
            "port is already allocated",
            "ports are not available",
            "bind: address already in use",
            "listen tcp 0.0.0.0",
            "already using a port",
            "bind for 0.0.0.0",
            "bind for :::",
        ]],
        none: &["iptables"],
        subject: named(NameShape::Host, &["bind for ", "listen tcp ", "listen tcp4 "], &[' ']),
        advice: "The host port is taken{subject? (`$`)}. {port}",
        example: seen(
            "CannotStartContainerError: bind for 0.0.0.0:8080 failed: port is already allocated",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "iptables",
        cause: Cause::AgentError,
        all: &[&["iptables"], &["failed", "no chain/target/match"]],
        settled_by: Some("`iptables -L -t nat` on the host"),
        advice: "The host's firewall rules and the container runtime do not fit together: something else has changed \
            them. {machine}",
        example: seen(
            "CannotStartContainerError: driver failed programming external connectivity on endpoint web: (iptables \
             failed: iptables --wait -t nat -A DOCKER: iptables: No chain/target/match by that name.)",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "host-port-likely",
        cause: Cause::HostPortConflict,
        confidence: Confidence::Medium,
        all: &[&["driver failed programming external connectivity"]],
        settled_by: Some("`ss -ltnp` on the host"),
        advice: "The host could not publish the port, most often because it is taken. {port}",
        example: seen(
            "CannotStartContainerError: API error (500): driver failed programming external connectivity on endpoint web",
            "Docker Engine, cut",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "command",
        cause: Cause::CommandNotFound,
        all: &[
            &[
                "executable file not found",
                "exec: no command",
                "no command specified",
                "is a directory: unknown",
                "exec: \"\": ",
                "no such file or directory: unknown",
                "permission denied: unknown",
                "stat /bin/sh -c",
                "starting container process caused: no such file",
                "no such file or directory\": unknown",
                "exec user process caused \"no such file",
                "exec user process caused: no such file",
                "exec: permission denied",
                "no such file or directory$",
                "permission denied$",
                "permission denied\"",
            ],
            &[
                "cannotstartcontainer",
                "cannotcreatecontainer",
                "cannot start container",
                "starting container process",
                "start container process",
                "oci runtime",
                "exec user process",
                "no command specified",
                "executable file not found",
            ],
        ],
        none: &[
            "mount",
            "device",
            "cgroup",
            "sysctl",
            "/proc/sys/",
            "chdir to cwd",
            "overlay",
            "network namespace",
            "logging driver",
        ],
        subject: named(NameShape::Command, &["exec: \\\"", "exec: \"", "exec: '", "exec "], &['"', '\\', '\'']),
        advice: "The command `{subject|of the container}` is not in the image or is not executable. Correct `command` \
            or `entryPoint` (a list, one element for each argument, not one string), or PATH; for a script: `chmod \
            +x`, a `#!` line whose interpreter exists, Unix \
                 line ends. If the revision before ran, roll back to it.",
        example: seen(
            "CannotStartContainerError: Error response from daemon: failed to create shim: OCI runtime create failed: \
             runc create failed: unable to start container process: exec: \"ls\": executable file not found in $PATH: \
             unknown",
            "runc",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "working-directory",
        cause: Cause::InvalidConfiguration,
        all: &[&["chdir to cwd", "working directory", "workingdirectory"]],
        subject: named(NameShape::Path, &["chdir to cwd (\"", "chdir to cwd (\\\""], &['"', '\\']),
        advice: "The working directory{subject? `$`} does not exist or may not be entered by the container's user. \
            Correct `workingDirectory` or WORKDIR.",
        example: seen(
            "CannotStartContainerError: Error response from daemon: OCI runtime create failed: runc create failed: \
             unable to start container process: chdir to cwd (\"/app\") set in config.json failed: permission denied: \
             unknown",
            "runc",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "user",
        cause: Cause::InvalidConfiguration,
        all: &[&[
            "unable to find user",
            "no matching entries in passwd file",
            "unable to find group",
            "no matching entries in group file",
        ]],
        subject: named(NameShape::Name, &["unable to find user ", "unable to find group "], &[':', ' ']),
        advice: "The image has no such user or group{subject?: `$`}. Correct `user` of the container, or use a \
            numeric id.",
        example: seen(
            "CannotStartContainerError: Error response from daemon: unable to find user appuser: no matching entries \
             in passwd file",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "links",
        cause: Cause::InvalidConfiguration,
        cut_inside: &["dockerclientconfigerror: unable to fetch valid credentialspec"],
        all: &[&[
            "hostconfigerror",
            "link target not available",
            "conflicting options",
            "minimum memory limit",
            "sysctl",
            "open /proc/sys/",
            "invalid capability",
            "unknown capability",
            "cpu shares",
            "invalid cpu",
            "range of cpus",
            "cpu.cfs_quota_us",
            "dockerclientconfigerror",
            "cannot link to",
            "no such container: link",
            "invalid environment variable",
            "ulimit",
            "invalid ipc mode",
            "invalid pid mode",
            "shm-size",
            "invalid hostname",
            "conflict. the container name",
            "invalid value for memory",
            "apparmor profile",
            "security-opt",
            "invalid security option",
            "linuxparameters",
            "failed to create task for container: invalid",
            "memory limit too low",
            "invalid container",
            "invalid option",
        ]],
        none: &["manifest", "no space left"],
        advice: "The runtime rejects the container's configuration. Correct what the text names in the {definition} \
            (links, sysctls, capabilities, ulimits, memory, CPU, security options).",
        example: seen("HostConfigError: Link target not available: db", "ECS agent"),
        ..SignatureRow::EMPTY
    },
];
