//! Disks, volumes and log drivers.

use super::prelude::*;

/// EFS, before everything else: its helper prints a Python traceback and its own mount errors.
pub static EFS: &[SignatureRow] = &[
    SignatureRow {
        id: "efs-dns",
        cause: Cause::VolumeMountFailed,
        why: Some(Why::Dns),
        all: &[
            &["efs utils", "mount.efs", "efs volumes", ".efs."],
            &[
                "failed to resolve \"fs-",
                "failed to resolve 'fs-",
                "failed to resolve fs-",
                "name or service not known",
            ],
        ],
        subject: named(
            NameShape::Host,
            &["failed to resolve \"", "failed to resolve '", "failed to resolve "],
            &['"', '\'', ' '],
        ),
        advice: "The name of the EFS file system{subject? `$`} does not resolve. It must have a mount target in the \
            Availability Zone of the {task}, and the VPC DNS support and DNS host names.",
        example: seen(
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed \
             to resolve \"fs-xxxxx.efs.region.amazonaws.com\"",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "efs-denied",
        cause: Cause::VolumeMountFailed,
        why: Some(Why::Permission),
        all: &[
            &["efs utils", "mount.efs", "efs volumes", "mount.nfs"],
            &["access denied", "accessdenied", "permission denied", "not authorized"],
        ],
        advice: "EFS refuses the mount. With iam ENABLED the task role needs `elasticfilesystem:ClientMount` (and \
            ClientWrite); look at the file system's policy and the access point.",
        example: seen(
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: \
             b'mount.nfs4: access denied by server while mounting 127.0.0.1:/' : unsuccessful EFS utils command \
             execution; code: 32",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "efs",
        cause: Cause::VolumeMountFailed,
        all: &[&[
            "efs utils",
            "mount.nfs4",
            "mount.efs",
            "mount.nfs:",
            "supervisor_mount_efs",
            "efs volume",
            "fsx for windows",
            "s3files",
        ]],
        none: &["s3 config file"],
        settled_by: Some("the mount target in the task's Availability Zone and its security group"),
        advice: "The EFS file system could not be mounted. Its mount target must stand in the Availability Zone of \
            the {task} and let port 2049 in from its security group; the root directory or access point must exist.",
        example: seen(
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Mount \
             attempt 1/3 failed due to timeout after 15 sec, wait 0 sec before next attempt. b'mount.nfs4: mount \
             system call failed' Traceback (most recent call last): File \"/usr/sbin/supervisor_mount_efs\", line 52, \
             in",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "volume-in-time",
        cause: Cause::VolumeMountFailed,
        all: &[
            &["cannotcreatevolume", "to volume on host"],
            &["deadline exceeded", "timed out", "timeout", "connection refused", "dial ", "no such host"],
        ],
        settled_by: Some("a start on another host"),
        advice: "The volume was not ready in time: the host's disk, its container runtime or the volume's driver is \
            slow or does not answer. {machine}",
        example: seen(
            "CannotCreateVolumeError: unable to copy contents to volume on host: containerd: failed to get image \
             reference: context deadline exceeded",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "volume-plugin",
        cause: Cause::VolumeMountFailed,
        all: &[&["volumedriver.", "volume plugin", "task scoped volume"]],
        settled_by: Some("the plugin's own log on the host"),
        advice: "A volume plugin of the host (`driver` in `dockerVolumeConfiguration`) failed or does not run. Look at \
            the plugin on the instance, at its own settings, and at the options of the volume in the {definition}.",
        example: seen(
            "create data: found reference to volume 'data' in driver 'rexray', but got an error while checking the \
             driver: Post http://%2Frun%2Fdocker%2Fplugins%2Frexray.sock/VolumeDriver.Get: dial unix \
             /run/docker/plugins/rexray.sock: connect: connection refused",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
];

/// A full disk, which explains any text that mentions it.
pub static DISK: &[SignatureRow] = &[
    SignatureRow {
        id: "cgroups-full",
        cause: Cause::AgentError,
        all: &[&["/sys/fs/cgroup"], &["no space left on device"]],
        settled_by: Some("`cat /proc/cgroups` on the host"),
        advice: "The host has no room for another cgroup; its disk is not full. Old kernels and runtimes leave cgroups \
            behind. {machine}",
        example: seen(
            "oci runtime error: process_linux.go:261: applying cgroup configuration for process caused \"mkdir \
             /sys/fs/cgroup/memory/docker/74ad: no space left on device\"",
            "runc",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "disk-full",
        cause: Cause::DiskFull,
        all: &[&[
            "no space left on device",
            "thin pool has",
            "not enough space on the disk",
            "disk quota exceeded",
            "insufficient free space",
            "write error: no space",
            "enospc",
            "disk is full",
            "no free inodes",
        ]],
        // The kernel says the same when it has no room for another watch on a file.
        none: &["inotify", "fsnotify"],
        advice: "The disk is full. {disk} A smaller image helps as well.",
        example: seen_with(
            "CannotPullContainerError: failed to register layer: Error processing tar file(exit status 1): write \
             /usr/share/vim/vim74/syntax/sisu.vim: no space left on device",
            "nvcr.io/nvidia/digits:18.01",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "layer-without-a-word",
        cause: Cause::DiskFull,
        confidence: Confidence::Low,
        all: &[&["applylayer exit status 1 stdout: stderr:$", "applylayer exit status 1 stdout: stderr: $"]],
        settled_by: Some("the free disk of the host"),
        advice: "A layer could not be unpacked and Docker does not say why: usually the host's disk is full. {disk}",
        example: seen(
            "CannotPullContainerError: failed to register layer: ApplyLayer exit status 1 stdout: stderr:",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
];

const LOGS: &[&str] = &[
    "log group",
    "logging driver",
    "logger args",
    "awslogs",
    "log driver",
    "log stream",
    "cloudwatch",
    "firelens",
    "fluentd",
    "splunk",
    "syslog",
    "gelf",
    "journald",
    "s3 config file",
];
const LOG_ADVICE: &str = "The log driver could not start, and with it the container. {driver}";

/// Failures of the log driver.
pub static LOG_DRIVER: &[SignatureRow] = &[
    SignatureRow {
        id: "firelens-config",
        cause: Cause::LogDriverFailed,
        all: &[&["s3 config file", "firelens config", "unable to generate firelens", "firelens resource"]],
        subject: named(NameShape::Name, &["from bucket "], &[':', ' ']),
        advice: "The FireLens configuration could not be read from S3{subject? (bucket `$`)}. Look at \
            `config-file-value`, at `s3:GetObject` and `s3:GetBucketLocation` of {puller}, and at the route to S3.",
        example: seen(
            "unable to download firelens s3 config file: unable to download s3 config fluent.conf from bucket \
             my-config: AccessDenied: Access Denied",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "log-network",
        cause: Cause::LogDriverFailed,
        why: Some(Why::Network),
        all: &[
            &[
                "failed to validate logger args",
                "failed to initialize logging driver",
                "cloudwatch log group",
                "cloudwatch log stream",
                "task and amazon cloudwatch",
                "log driver",
            ],
            &[
                "connection issue",
                "signal: killed",
                "i/o timeout",
                "deadline exceeded",
                "dial tcp",
                "no such host",
                "request send failed",
                "requestcanceled",
                "connection refused",
                "no route to host",
                "tls handshake",
            ],
        ],
        advice: "The log driver does not reach what it sends to, so that the container did not start. {driver}",
        example: seen(
            "ResourceInitializationError: The task cannot find the Amazon CloudWatch log group defined in the task \
             definition. There is a connection issue between the task and Amazon CloudWatch. Check your network \
             configuration.",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "log-denied",
        cause: Cause::LogDriverFailed,
        why: Some(Why::Permission),
        all: &[LOGS, &["accessdenied", "access denied", "not authorized"]],
        none: &["perform: ecr", "secretsmanager", "perform: ssm"],
        subject: named(NameShape::Action, &["not authorized to perform: "], &[' ', ',']),
        advice: "The log driver may not write, so that the container did not start{subject?: `$` is missing}. \
            Permissions of AWS belong to {puller}. {driver}",
        example: seen(
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to \
             create Cloudwatch log group: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/1 \
             is not authorized to perform: logs:CreateLogGroup on resource: x",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "log-group-missing",
        cause: Cause::LogDriverFailed,
        why: Some(Why::Missing),
        all: &[
            LOGS,
            &["log group does not exist", "resourcenotfoundexception", "the specified log stream does not exist"],
        ],
        advice: "What the log driver writes to does not exist, so that the container did not start. {driver}",
        example: seen(
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to \
             create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
            "Docker Engine",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "log-options",
        cause: Cause::LogDriverFailed,
        why: Some(Why::Configuration),
        all: &[
            &[
                "unable to get awslogs driver arguments",
                "is required",
                "unknown log opt",
                "invalid log opt",
                "no log driver named",
                "log driver arguments",
                "must specify a value for log opt",
                "endpoint needs to be",
                "should be in form proto://",
                "gelf: ",
                "splunk: ",
                "journald is not enabled",
            ],
            LOGS,
        ],
        none: &["manifest", "pull"],
        subject: named(NameShape::Option, &["driver arguments: ", "unknown log opt "], &[' ', ',']),
        advice: "An option of the log driver is missing or wrong{subject?: `$`}. {driver}",
        example: seen(
            "ResourceInitializationError: failed to validate logger args: unable to get awslogs driver arguments: \
             awslogs-region is required",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "log-driver",
        cause: Cause::LogDriverFailed,
        confidence: Confidence::Medium,
        all: &[&[
            "failed to validate logger args",
            "failed to initialize logging driver",
            "cannot find the amazon cloudwatch log group",
            "failed to create cloudwatch log",
            "unable to create cloudwatch log",
            "log driver configuration",
            "logger name not found",
            "could not start log driver",
            "failed to create logging driver",
            "the specified log group does not exist",
            "unable to create log group",
            "log router",
        ]],
        settled_by: Some("DescribeLogGroups; the execution role by simulation; the route to CloudWatch Logs"),
        advice: LOG_ADVICE,
        example: seen("ResourceInitializationError: failed to initialize logging driver", "Fargate, cut"),
        ..SignatureRow::EMPTY
    },
];

/// Failures of volumes and mounts.
pub static VOLUMES: &[SignatureRow] = &[
    SignatureRow {
        id: "gpu-runtime",
        cause: Cause::AgentError,
        all: &[&["nvidia-container-cli", "nvidia-container-runtime"]],
        settled_by: Some("a start on another host"),
        advice: "The GPU runtime of the host failed. Use the ECS GPU-optimised AMI of today, or replace the host; an \
            image that brings its own driver libraries can clash with it.",
        example: seen(
            "CannotStartContainerError: nvidia-container-cli: mount error: file creation failed: \
             /var/lib/docker/overlay2/x/merged/usr/lib/libcuda.so.1.1: read-only file system: unknown",
            "NVIDIA container runtime",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "volume",
        cause: Cause::VolumeMountFailed,
        all: &[&[
            "cannotcreatevolume",
            "failed to mount local volume",
            "failed to copy file info",
            "failed to chown",
            "error mounting",
            "error while mounting volume",
            "volume driver",
            "error creating volume",
            "volumedriver.",
            "invalid volume specification",
            "failed to attach ebs",
            "ebs volume",
            "bind source path does not exist",
            "invalid mount config",
            "are you trying to mount a directory onto a file",
            "error while creating mount source path",
            "mounts denied",
            "ebs attachment",
            "volume attachment",
            "not a shared or slave mount",
            "failed to mount volume",
            "unable to mount",
            "create volume",
            "volumeerror",
            "stage volume",
            "s3 files volume",
            "for a local volume name",
            "volume resources",
        ]],
        none: &["overlay mount", "manifest"],
        settled_by: Some("the volume's definition and what exists on the host or file system"),
        advice: "A volume could not be created or mounted. By the text: does the host path, file system or access \
            point exist; may the container's user own it (EFS access points have a PosixUser of their own); is the \
            mount point inside a read-only file system; is a \
                 directory mounted onto a file?",
        example: seen(
            "CannotCreateVolumeError: Error response from daemon: create ecs-app-1-data: failed to mount local volume",
            "ECS agent",
        ),
        ..SignatureRow::EMPTY
    },
];
