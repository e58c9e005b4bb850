//! What an exit code alone tells, which is little.

use super::advice;
use super::row::Row;
use super::tables;
use crate::cause::{Cause, Confidence, Diagnosis, Signature};

/// The diagnosis of a container that exited and whose log, if there is one, shows nothing known.
pub(super) fn of_code(code: i64, has_log: bool) -> Diagnosis {
    let (cause, signature, confidence, text) = match code {
        0 => (
            Cause::Unknown,
            None,
            Confidence::Low,
            "The container ended with exit code 0. A task that runs to its end is done; a service needs a program that stays in the foreground.",
        ),
        126 => (
            Cause::CommandNotFound,
            None,
            Confidence::Medium,
            "Exit code 126: the shell found the command and could not run it. Check its execute permission, its `#!` line and its architecture.",
        ),
        127 => (
            Cause::CommandNotFound,
            None,
            Confidence::Medium,
            "Exit code 127: the shell did not find the command. Check `command`, `entryPoint` and PATH against the image.",
        ),
        139 => (
            Cause::AppCrashed,
            Some(Signature::Segfault),
            Confidence::Medium,
            "Exit code 139: a segmentation fault. Look for a native library built for another libc or architecture.",
        ),
        134 if !has_log => (
            Cause::AppCrashed,
            Some(Signature::AbortNoLog),
            Confidence::Medium,
            "Exit code 134 and no log: the process aborted itself. Give it a log (a failed assertion or a runtime's heap limit usually prints a line).",
        ),
        134 => (
            Cause::AppCrashed,
            Some(Signature::Abort),
            Confidence::Medium,
            "Exit code 134: the process aborted itself (a failed assertion, a broken heap, a runtime's heap limit). Read its last lines.",
        ),
        137 => (
            Cause::AppCrashed,
            None,
            Confidence::Low,
            "Exit code 137: SIGKILL, and ECS gives no reason. It may be the memory limit of the host: look at the memory in Container Insights.",
        ),
        143 => (
            Cause::AppCrashed,
            None,
            Confidence::Low,
            "Exit code 143: SIGTERM, and ECS gives no reason. Something in the task asked the program to stop.",
        ),
        _ if has_log => (
            Cause::AppCrashed,
            None,
            Confidence::Low,
            "The program ended by itself with an error, and its log shows no error that is known: its last lines are in the evidence.",
        ),
        _ => (
            Cause::AppCrashed,
            None,
            Confidence::Low,
            "The program ended by itself with an error, and there is no log evidence of why. Read the container's log (group and prefix are in the task definition's awslogs options).",
        ),
    };
    Diagnosis { signature, advice: text.to_owned(), ..Diagnosis::of(cause, confidence) }
}

/// A row of this cause among those that say who stopped a task, for its advice.
pub(super) fn row_of(cause: Cause) -> Option<&'static Row> {
    tables::stopper::ROWS.iter().find(|row| row.cause == cause && !row.advice.contains(advice::OPEN))
}
