//! The shell, and the file system's permissions; exit codes 126 and 127 say the same.

use super::logs_common::{ENV, WORD, crash};
use super::prelude::*;

/// Rows for logs of shells.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        subject: named(NameShape::Variable, &[": "], &[':']),
        advice: ENV,
        example: seen("bash: line 1: DB_HOST: unbound variable", "bash"),
        ..crash(
            "shell-unbound",
            Signature::EnvMissing,
            3,
            &[&["unbound variable", "parameter not set", "parameter null or not set"]],
        )
    },
    SignatureRow {
        id: "shell-line-ends",
        cause: Cause::CommandNotFound,
        confidence: Confidence::Medium,
        weight: 2,
        all: &[&["$'\\r': command not found"]],
        advice: "The script has Windows line ends (`\\r`), which the shell takes for part of each command. Convert it \
            (`dos2unix`, or `* text eol=lf` in .gitattributes) and build the image again.",
        example: seen("/usr/src/app/model/entrypoint.sh: line 2: $'\\r': command not found", "bash"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "shell-not-found",
        cause: Cause::CommandNotFound,
        weight: 3,
        all: &[
            &[
                ": not found$",
                "exec user process caused",
                ": command not found",
                "executable file not found",
                "env: can't execute",
                "cannot open /",
                "exec failed: no such file",
                "^exec /",
                "^exec ./",
                "/usr/bin/env: ",
                "bad interpreter",
                "sh: 0: can't open",
                "sh: can't open",
                "[fatal tini",
                "no such file or directory: exec",
                "not found or not executable",
                "exec: fatal: unable to exec",
                "error: fork/exec ",
            ],
            &[
                "^sh:",
                "standard_init_linux",
                "process caused",
                "^bash:",
                "^/bin/sh",
                "^/bin/bash",
                "^env:",
                "^/usr/bin/env",
                "entrypoint",
                "line ",
                "^exec ",
                "^-bash",
                "^ash:",
                "^zsh:",
                "tini",
                ".sh:",
                "s6-",
                "^/",
                "error: fork/exec ",
            ],
        ],
        none: &[
            "exec format",
            "$'\\r'",
            " module",
            "modulenotfound",
            "manifest",
            "page not found",
            "http",
            "errorexception",
            "permission denied",
            "import",
            "line 1, in",
        ],
        subject: named(NameShape::Command, &["sh: 1: ", "line 1: ", "exec: ", "exec ", "env: ", "sh: "], &[':']),
        advice: "The command `{subject|of the container}` is not in the image or not on PATH. Install it, or correct \
            `command`, `entryPoint` or the script; a `#!` line with Windows line ends or a missing interpreter says \
            the same. If the revision before ran, roll back to it.",
        example: seen("sh: 1: gunicorn2: not found", "dash"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "shell-directory",
        cause: Cause::CommandNotFound,
        weight: 3,
        all: &[
            &[
                "^sh:",
                "^bash:",
                "^/bin/sh",
                "^/bin/bash",
                "^exec ",
                "tini",
                "^ash:",
                ".sh: line",
                "entrypoint.sh: ",
            ],
            &["is a directory$"],
        ],
        subject: named(NameShape::Command, &["sh: 1: ", "line 1: ", "exec ", "sh: "], &[':']),
        advice: "The command `{subject|of the container}` is a directory. A volume is mounted over the program, or \
            the COPY of the Dockerfile made a directory of its name.",
        example: seen("/bin/bash: /usr/local/bin/fetch_and_run.sh: Is a directory", "bash"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "shell-not-executable",
        cause: Cause::CommandNotFound,
        weight: 3,
        all: &[
            &[
                "^sh:",
                "^bash:",
                "^/bin/sh",
                "^/bin/bash",
                "^exec ",
                "tini",
                "^exec:",
                "^ash:",
                ".sh: line",
                "entrypoint.sh: ",
                "exec user process caused",
            ],
            &["permission denied"],
        ],
        none: &["cannot create", "can't create", "touch", "mkdir", "traceback", "error:", "cp:", "chown", "chmod"],
        subject: named(NameShape::Command, &["sh: 1: ", "line 1: ", "exec ", "sh: "], &[':']),
        advice: "`{subject|The command}` is not executable. Add `chmod +x` (or `COPY --chmod=755`) to the Dockerfile; \
            check the user of the container. If the revision before ran, roll back to it.",
        example: seen("sh: 1: ./x.sh: Permission denied", "dash"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        subject: named(NameShape::Path, &["permission denied: '", "open '", "open ", "permission denied: "], WORD),
        advice: "The system refuses access{subject? to `$`}. Look at owner and mode of the file, at the container's \
            user, and for ports below 1024 and system calls at the container's capabilities.",
        example: seen("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", "Python"),
        ..crash(
            "permission-denied",
            Signature::PermissionDenied,
            2,
            &[&[
                "permission denied",
                "eacces:",
                "'eacces'",
                "eperm:",
                "'eperm'",
                "operation not permitted",
                "accessdeniedexception: /",
                "permissionerror",
                "unauthorizedaccessexception",
                "is not writable",
                "access to file denied",
            ]],
        )
    },
];
