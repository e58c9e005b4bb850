//! Erlang and Elixir: reports of crashes, of supervisors and of releases that do not boot.

use super::logs_common::{ENV, WORD, crash, names_a_variable};
use super::prelude::*;

/// Words that only Erlang's virtual machine writes.
const BEAM: &[&str] = &[
    "crash report",
    "supervisor report",
    "init terminating in do_boot",
    "kernel pid terminated",
    "** (",
    "badmatch",
    "failed_to_start_child",
    "application_start_failure",
    "runtime terminating during boot",
    "genserver ",
    "could not start application",
    "err!",
];

/// Rows for logs of Erlang and Elixir.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        subject: named(
            NameShape::Variable,
            &["missing ", "environment variable ", "undefined environment variable "],
            WORD,
        ),
        advice: ENV,
        example: seen(
            "[error] CRASH REPORT Process <0.828.0> with 0 neighbours crashed with reason: no match of right hand \
             value {error,\"Missing DATABASE_DSN.~n\"} in app_sup:init/1 line 73",
            "Erlang/OTP",
        ),
        also: Some(names_a_variable),
        ..crash(
            "beam-env",
            Signature::EnvMissing,
            3,
            &[
                BEAM,
                &[
                    "missing",
                    "not set",
                    "undefined environment",
                    "is not present",
                    "could not fetch environment variable",
                    "system.fetch_env",
                ],
            ],
        )
    },
    SignatureRow {
        subject: named(NameShape::Path, &["error when reading ", "open_error,\""], &[':', '"', '\'']),
        advice: "Erlang may not read or write a file{subject? (`$`)}: its owner is another user than the container's, as \
            on a volume that is new or shared. Give the file to that user, and keep mode 400 for the cookie.",
        example: seen("Error when reading /var/lib/rabbitmq/.erlang.cookie: eacces", "Erlang/OTP"),
        ..crash(
            "beam-denied",
            Signature::PermissionDenied,
            3,
            &[
                &[": eacces", ",eacces}", "must be accessible by owner only"],
                // Node.js and others write EACCES too.
                &["error when reading", ".erlang", "cookie", "{error,", "open_error"],
            ],
        )
    },
    SignatureRow {
        subject: named(NameShape::Module, &["module ", "function "], WORD),
        advice: "The release lacks a module or function{subject? (`$`)}. Build it again with all applications \
            (`extra_applications`, a clean `_build`), for the OTP version of the image.",
        example: seen(
            "** (UndefinedFunctionError) function MyApp.Repo.start/2 is undefined (module MyApp.Repo is not available)",
            "Elixir",
        ),
        ..crash(
            "beam-module",
            Signature::ModuleMissing,
            3,
            &[&[
                "is undefined (module",
                "undefinedfunctionerror",
                "{undef,",
                "cannot get bootfile",
                "no such application",
                "could not compile dependency",
            ]],
        )
    },
    SignatureRow {
        advice: "The virtual machine of the release and of the image differ, or the release is for another system. \
            Build and run with the same OTP and libc.",
        example: seen(
            "{\"init terminating in do_boot\",{load_failed,[application_controller]}} bad_otp_version",
            "Erlang/OTP",
        ),
        ..crash(
            "beam-version",
            Signature::RuntimeVersion,
            3,
            &[
                &["load_failed", "bad_otp_version", "beam file was compiled for a later version"],
                &["boot", "otp", "later version"],
            ],
        )
    },
    SignatureRow {
        advice: "A process of the release crashed while it started, and no other signature explains it: read the \
            reason in the report, innermost first.",
        example: seen(
            "Kernel pid terminated (application_controller) \
             ({application_start_failure,app,{{shutdown,{failed_to_start_child,x,killed}}}})",
            "Erlang/OTP",
        ),
        ..crash("beam-crash", Signature::UncaughtException, 1, &[BEAM])
    },
];
