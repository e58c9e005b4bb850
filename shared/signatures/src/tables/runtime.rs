//! Errors of a container runtime, read by their parts: what the runtime was doing, and the system's own word for what
//! went wrong. runc, crun and containerd keep wrapping these in new sentences; Windows gives a number.

use super::prelude::*;

/// Words that show that a container runtime wrote the text.
const RUNTIME: &[&str] = &[
    "oci runtime",
    "runc ",
    "runc:",
    "crun",
    "container_linux.go",
    "process_linux.go",
    "rootfs_linux.go",
    "shim task",
    "create shim",
    "containerd task",
    "container init",
    "start container process",
    "starting container process",
    "cannot start container",
    "container runtime task",
    "create new container",
    "cannotstartcontainererror",
    "cannotcreatecontainererror",
];
const WINDOWS: &[&str] = &["windows system call", "hcsshim", "hcs::", "in win32", "computesystem", "hcs "];
const MOUNT: &[&str] = &[
    "error mounting",
    "mounting ",
    "mount callback failed",
    "to rootfs",
    "mount_",
    "bind mount",
    "creating device nodes",
    "mknod ",
    "mount through procfd",
    "creating mount source",
    "mkdir /run/containerd",
    "remount",
];

/// Rows for errors of a container runtime.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "windows-platform",
        cause: Cause::PlatformMismatch,
        all: &[WINDOWS, &["0xc0370101", "operating system does not match", "0xc0370103", "0x80370103"]],
        settled_by: Some("the Windows version of the image and of the host"),
        advice: "The Windows version of `{image|the image}` does not match the host's: with process isolation both \
            must be of the same build. Use the tag for the host's version (`ltsc2019`, `ltsc2022`, `ltsc2025`), and \
            set `runtimePlatform.operatingSystemFamily` to match.",
        example: seen(
            "CannotStartContainerError: container 7c1 encountered an error during \
             hcsshim::System::CreateComputeSystem: failure in a Windows system call: The container operating system \
             does not match the host operating system. (0xc0370101)",
            "hcsshim",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "windows-command",
        cause: Cause::CommandNotFound,
        all: &[
            WINDOWS,
            &[
                "(0x2)",
                "(0x3)",
                "80070002",
                "80070003",
                "cannot find the file specified",
                "cannot find the path specified",
                "(0x5)",
                "access is denied",
                "(0xc1)",
                "not a valid win32",
            ],
        ],
        none: &["hnscall", "element not found", "register layer", "importlayer", "preparelayer", "activatelayer"],
        settled_by: Some("the file in the image: `docker run --entrypoint cmd IMAGE /c dir`"),
        advice: "Windows does not find or may not run the program of the container. Check `command` and `entryPoint` \
            of the task definition against the image: path, extension, working directory.",
        example: seen(
            "CannotStartContainerError: container 9f encountered an error during hcs::System::CreateProcess: failure \
             in a Windows system call: The system cannot find the file specified. (0x2)",
            "hcsshim",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "windows-memory",
        cause: Cause::CapacityUnavailable,
        all: &[
            WINDOWS,
            &[
                "0x800705af",
                "paging file is too small",
                "0x8007000e",
                "insufficient system resources",
                "0x800705aa",
                "not enough memory",
            ],
        ],
        confidence: Confidence::Medium,
        settled_by: Some("the free memory of the host"),
        advice: "The Windows host has too little memory for one more container. Give the container a memory \
            reservation that fits, or use a larger instance.",
        example: seen(
            "CannotStartContainerError: container a1 encountered an error during hcs::System::Start: failure in a \
             Windows system call: The paging file is too small for this operation to complete. (0x5af) 0x800705af",
            "hcsshim",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "windows-network",
        cause: Cause::NetworkSetupFailed,
        all: &[&["hnscall failed", "hns failed", "element not found. (0x490)", "endpoint not found"]],
        settled_by: Some("the host's HNS networks; another task on the same host"),
        advice: "The Windows host's network service could not attach the container. Restart HNS there \
            (`Restart-Service hns`), or replace the host. {machine}",
        example: seen(
            "CannotStartContainerError: failed to create endpoint app on network nat: hnsCall failed in Win32: \
             Element not found. (0x490)",
            "Docker on Windows",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "windows-runtime",
        cause: Cause::AgentError,
        confidence: Confidence::Low,
        all: &[WINDOWS],
        settled_by: Some("another task on another host"),
        advice: "The Windows container service of the host failed. {machine}",
        example: seen(
            "CannotStartContainerError: container b2 encountered an error during Start: failure in a Windows system \
             call: The compute system exited unexpectedly. (0xc0370106)",
            "hcsshim",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "runtime-gpu",
        cause: Cause::AgentError,
        confidence: Confidence::Medium,
        all: &[
            &["prestart hook", "running hook", "createruntime hook", "nvidia", "libcuda", "driver rpc error"],
            RUNTIME,
        ],
        settled_by: Some("`nvidia-smi` on the host"),
        advice: "A hook of the host's runtime failed, usually NVIDIA's: the host has no driver, another version, or \
            no GPU. Use the ECS-optimised GPU image, and place the task on an instance with a GPU.",
        example: seen(
            "CannotStartContainerError: Error response from daemon: OCI runtime create failed: \
             container_linux.go:348: starting container process caused \"process_linux.go:402: container init caused \
             \\\"process_linux.go:385: running prestart hook 0 caused \\\\\\\"error running hook: exit status 1",
            "runc",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "runtime-mount",
        cause: Cause::VolumeMountFailed,
        confidence: Confidence::Medium,
        all: &[RUNTIME, MOUNT],
        none: &["exec: ", "executable file"],
        settled_by: Some("the task definition's mount points: source and container path"),
        advice: "The runtime could not mount a volume into the container. Check each `mountPoints` entry: the source \
            exists, a directory is mounted onto a directory and a file onto a file, and nothing is mounted over `/`, \
            `/dev`, `/etc` or the image's own files.",
        example: seen(
            "CannotStartContainerError: failed to create containerd task: OCI runtime create failed: \
             rootfs_linux.go:76: mounting \"/data\" to rootfs at \"/etc/app\": operation not permitted",
            "runc",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "runtime-limits",
        cause: Cause::InvalidConfiguration,
        confidence: Confidence::Medium,
        all: &[
            RUNTIME,
            &[
                "cgroup",
                "rlimit",
                "setting up capabilities",
                "apply caps",
                "seccomp",
                "apparmor",
                "selinux",
                "sysctl",
                "setns",
                "namespace",
                "oom_score",
                "no_new_privileges",
                "setgid",
                "setuid",
                "chdir",
                "cwd",
            ],
        ],
        none: &["no space left", "cannot allocate memory", "mountpoint for cgroup"],
        settled_by: Some("the container definition: cpu, memory, ulimits, linuxParameters, user, workingDirectory"),
        advice: "The runtime rejects a setting of the container (a limit, capability, namespace, user or working \
            directory). Compare it with the task definition's `cpu`, `memory`, `ulimits`, `linuxParameters`, `user` \
            and `workingDirectory`.",
        example: seen(
            "CannotStartContainerError: OCI runtime create failed: runc create failed: unable to start container \
             process: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted",
            "runc",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "runtime-command",
        cause: Cause::CommandNotFound,
        confidence: Confidence::Medium,
        all: &[
            RUNTIME,
            &["exec: ", "exec \"", "exec /", "exec '", "stat /", "entrypoint"],
            &["no such file", "not found", "permission denied", "is a directory"],
        ],
        settled_by: Some("the file in the image: `docker run --entrypoint ls IMAGE -l PATH`"),
        advice: "The program that the container should start is not there, or may not be run. Check `command` and \
            `entryPoint` against the image, the execute permission, the `#!` line and its line ends; a volume mounted \
            over its directory hides it.",
        example: seen(
            "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI \
             runtime create failed: container_linux.go:370: starting container process caused: exec: \
             \"/opt/app/run.sh\": stat /opt/app/run.sh...no such file or direct...",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "runtime-command-cut",
        cause: Cause::CommandNotFound,
        confidence: Confidence::Low,
        all: &[RUNTIME, &["caused \"exec: ", "caused \\\"exec: ", "caused: exec: ", "process: exec: "]],
        none: &["argument list too long", "cannot allocate memory", "text file busy"],
        settled_by: Some("the file in the image: `docker run --entrypoint ls IMAGE -l PATH`"),
        advice: "The runtime could not start the program of the container, and the text is cut before the reason: \
            usually there is no such file. Check `command` and `entryPoint` against the image; each is a list with one \
            element for each argument, not one string.",
        example: seen(
            "CannotStartContainerError: oci runtime error: container_linux.go:247: starting container process caused \
             \"exec: \\\"apt-get update && apt-get -y install p",
            "runc, cut",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "runtime-host",
        cause: Cause::AgentError,
        confidence: Confidence::Medium,
        all: &[
            RUNTIME,
            &[
                "ttrpc",
                "context deadline",
                "connection closed",
                "cannot allocate memory",
                "resource temporarily unavailable",
                "too many open files",
                "file exists",
                "is already in use by container",
                "device or resource busy",
                "closed pipe",
                "already exists",
                "systemd",
                "dbus",
            ],
        ],
        settled_by: Some("another task on another host"),
        advice: "The host's container runtime failed, not the container. {machine}",
        example: seen(
            "CannotStartContainerError: Error response from daemon: failed to create task for container: failed to \
             create shim task: ttrpc: closed: unknown",
            "containerd",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "dependency-failed",
        cause: Cause::AppCrashed,
        confidence: Confidence::Medium,
        all: &[
            &["dependent container", "container it depends on", "dependency container"],
            &["non-zero", "exited", "failed"],
        ],
        settled_by: Some("the log of the container that it depends on"),
        advice: "A container that this one depends on (`dependsOn`) ended with an error, so that this one was never \
            started. Read the log of that container.",
        example: seen(
            "CannotStartContainerError: dependent container migrate exited with non-zero status",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
];
