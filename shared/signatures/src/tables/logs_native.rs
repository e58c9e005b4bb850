//! Native crashes: what is printed when the kernel ends a process.

use super::logs_common::crash;
use super::prelude::*;

/// Rows for logs of native crashes.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        advice: "The process crashed in native code (segmentation fault). Look for a native library built for another \
            libc or architecture; make a core dump, or run the revision before.",
        example: seen("Segmentation fault (core dumped)", "shell"),
        ..crash(
            "segfault",
            Signature::Segfault,
            3,
            &[&[
                "segmentation fault",
                "sigsegv",
                "segfault",
                "general protection fault",
                "signal 11",
                "sigbus",
                "bus error",
            ]],
        )
    },
    SignatureRow {
        advice: "The process aborted itself: a failed assertion, a broken heap, or an exception that nothing caught. \
            Read the line itself.",
        example: seen("terminate called after throwing an instance of 'std::runtime_error'", "libstdc++"),
        ..crash(
            "abort",
            Signature::Abort,
            2,
            &[&[
                "terminate called after throwing",
                "terminate called without",
                "aborted (core dumped)",
                "sigabrt",
                "double free or corruption",
                "free(): invalid",
                "malloc(): ",
                "corrupted size vs. prev_size",
                "fatal runtime error",
                "stack smashing detected",
                "assertion failed",
                "assertion `",
                "pure virtual method called",
                "thread panicked while processing panic",
                "munmap_chunk(): invalid pointer",
                "abort trap",
                "^aborted$",
            ]],
        )
    },
    SignatureRow {
        id: "allocation",
        cause: Cause::OutOfMemory,
        kind: Some(Kind::Heap),
        weight: 3,
        all: &[&[
            "std::bad_alloc",
            "memory allocation of",
            "runtime: out of memory",
            "cannot allocate memory",
            "allowed memory size of",
            "failed to allocate memory",
            "out of memory (allocated",
            "nomemoryerror",
            "enomem",
        ]],
        none: &["fork", "mlock", "lock memory"],
        advice: "The program could not allocate memory. Raise its own limit (`memory_limit`, GOMEMLIMIT) where it has \
            one, or make it use less. {memory} where that is near its limit.",
        example: seen(
            "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)",
            "PHP",
        ),
        ..SignatureRow::EMPTY
    },
];
