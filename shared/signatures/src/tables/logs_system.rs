//! What the system refuses in any language: a full disk, the wrong processor, a taken port, a read-only file system.

use super::logs_common::{WORD, crash};
use super::prelude::*;

/// Rows for refusals of the system.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "log-disk-full",
        cause: Cause::DiskFull,
        weight: 3,
        all: &[&[
            "no space left on device",
            "enospc",
            "disk quota exceeded",
            "not enough space on the disk",
            "could not extend file",
            "database or disk is full",
        ]],
        none: &["file watchers", "inotify"],
        advice: "The disk is full. {disk} Or write less to the container's layer.",
        example: seen("dd: error writing '/dev/full': No space left on device", "coreutils"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "log-exec-format",
        cause: Cause::ExecFormat,
        weight: 3,
        all: &[&[
            "exec format error",
            "cannot execute binary file",
            "qemu: could not open '/lib",
            "qemu-x86_64: could not open",
            "rosetta error",
        ]],
        settled_by: Some("the platform of the image against runtimePlatform"),
        advice: "The program in the image is for another processor. Build the image for the architecture that the \
            {definition} names (`docker buildx build --platform linux/amd64` or `linux/arm64`), or change it there.",
        example: seen("exec /usr/local/bin/node: exec format error", "runc"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        advice: "The port is taken where the program listens: another container of the same task listens on it too \
            (in awsvpc and host mode they share ports), or the program was started twice. Give each a port of its own \
            in its configuration, and let `portMappings` and the target group follow.",
        example: seen("Error: listen EADDRINUSE: address already in use :::8877", "Node.js"),
        ..crash(
            "port-in-use",
            Signature::PortInUse,
            3,
            &[&[
                "address already in use",
                "eaddrinuse",
                "address in use",
                "connection in use: (",
                "only one usage of each socket address",
                "port is already in use",
                "was already in use",
                "port is in use",
                "bind: address already",
            ]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Path, &["read-only file system: '", "open '"], WORD),
        advice: "The program writes to a read-only file system{subject? (`$`)}. Mount a volume there (an empty one of \
            the {definition} will do), or turn `readonlyRootFilesystem` off.",
        example: seen("OSError: [Errno 30] Read-only file system: '/app/cache'", "Python"),
        ..crash(
            "read-only",
            Signature::ReadOnlyFs,
            3,
            &[&["read-only file system", "erofs:", "readonlyfilesystem", "attempt to write a readonly database"]],
        )
    },
];
