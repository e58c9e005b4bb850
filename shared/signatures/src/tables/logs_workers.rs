//! Servers that run workers: what the master process says when a worker is killed, hangs or does not boot. Also further
//! libraries that are missing.

use super::logs_common::{WORD, crash};
use super::prelude::*;

/// Rows for logs of servers with workers.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "worker-killed",
        cause: Cause::OutOfMemory,
        kind: Some(Kind::Cgroup),
        confidence: Confidence::Medium,
        weight: 2,
        all: &[
            &[
                "perhaps out of memory",
                "terminated due to signal 9",
                "exited with signal 9",
                "signal: killed (9)",
                "was killed by signal 9",
                "died with signal 9",
                "terminated by signal 9",
                "worker exited prematurely: signal 9",
                "sigkill) job",
                "child process [",
                "process received sigkill",
            ],
            &["worker", "child", "process", "pid"],
        ],
        none: &["worker timeout"],
        settled_by: Some("the memory of the task in Container Insights, against its limit"),
        advice: "A worker of the server was killed (signal 9), which is nearly always the memory limit. {memory}, or \
            run fewer workers; Container Insights shows the memory at that minute.",
        example: seen("[WARNING] Worker with pid 14824 was terminated due to signal 9", "gunicorn"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        advice: "A worker of the server did not answer in time and was ended by its master: the work takes longer \
            than the server's timeout, or the worker waits for something that does not answer. Look at what it did; \
            then raise the timeout.",
        example: seen("[2024-11-05 09:25:59 +0000] [16] [CRITICAL] WORKER TIMEOUT (pid:17)", "gunicorn"),
        ..crash(
            "worker-timeout",
            Signature::UncaughtException,
            1,
            &[&["worker timeout", "haltserver", "worker terminated", "failed to boot"]],
        )
    },
    SignatureRow {
        subject: named(
            NameShape::Module,
            &["could not find '", "could not find ", "can't find gem ", "cannot load such file -- "],
            WORD,
        ),
        advice: "A gem is not in the image, or not in the version of Gemfile.lock{subject?: `$`}. Run `bundle \
            install` in the image with the bundler of the lock file, and copy the same bundle that the command uses.",
        example: seen(
            "/usr/lib/ruby/rubygems.rb:283:in `find_spec_for_exe': Could not find 'bundler' (2.1.4) required by your \
             /myapp/Gemfile.lock. (Gem::GemNotFoundException)",
            "RubyGems",
        ),
        ..crash(
            "gem-missing",
            Signature::ModuleMissing,
            3,
            &[
                &[
                    "gem::gemnotfoundexception",
                    "gem::missingspecversion",
                    "required by your",
                    "can't find gem",
                    "gem::loaderror",
                    "bundler::",
                    "is not yet checked out",
                    "run `bundle install`",
                    "required gems weren't found",
                ],
                &["gem", "bundle"],
            ],
        )
    },
    SignatureRow {
        subject: named(NameShape::Path, &["could not find file '", "open file '"], &['\'']),
        advice: "A file that the program reads is not in the image{subject?: `$`}. Copy or mount it, and look at the \
            working directory.",
        example: seen(
            "Unhandled exception. System.IO.FileNotFoundException: Could not find file '/app/settings.json'.",
            ".NET",
        ),
        ..crash(
            "dotnet-file",
            Signature::ConfigMissing,
            3,
            &[&["could not find file '", "the configuration file '", "could not find a part of the path"]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Command, &["bash: ", "sh: ", "cannot open assembly '", "jarfile "], &[':', '\'']),
        advice: "The program of the entry point{subject?, `$`,} is not what the command expects: a directory, or not \
            there. Correct `command` or `entryPoint`, or what a volume is mounted over.",
        example: seen("Cannot open assembly './Host.exe': No such file or directory.", "Mono"),
        ..crash(
            "program-missing",
            Signature::EntrypointMissing,
            3,
            &[&[
                "cannot open assembly",
                "error opening zip file or jar manifest missing",
                "no main manifest attribute",
            ]],
        )
    },
    SignatureRow {
        advice: "A tool of the language ended with an error, and no other signature explains it: read the line itself.",
        example: seen("ERROR:  While executing gem ... (Errno::EACCES)", "RubyGems"),
        ..crash(
            "tool-failed",
            Signature::UncaughtException,
            1,
            &[&["while executing gem", "npm err!", "errno::e", "command failed with exit code", "(errno::"]],
        )
    },
];
