//! Reads exit codes: which container ended a task, whether the task simply did its work, and what a code alone says,
//! which is little.

use super::row::SignatureRow;
use super::tables;
use crate::cause::{Cause, Confidence, Diagnosis, Evidence, Signature};
use pullsafe_events::stopped_task::{Container, StoppedTask};

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ContainerEnding {
    /// With code 0.
    Well,
    /// By SIGKILL or SIGTERM, which ECS sends to the rest of a task when an essential container is gone, or by the
    /// signal that the image asks for instead (`STOPSIGNAL`: SIGINT, SIGQUIT).
    Stopped,
    /// With any other code.
    Failed,
    /// Without a code: it never ran, or the code is not known.
    Unknown,
}

impl ContainerEnding {
    const fn of(container: &Container) -> Self {
        match container.exit_code {
            Some(0) => Self::Well,
            Some(130 | 131 | 137 | 143) => Self::Stopped,
            Some(_) => Self::Failed,
            None => Self::Unknown,
        }
    }
}

/// Returns the container that most likely ended the task, by how each of them ended. The lowest rank wins:
///
/// | how it ended | rank | why |
/// |---|---|---|
/// | an error of its own | 0 | it ended by itself |
/// | 137 | 1 | the memory limit, or ECS after another one ended |
/// | 0 | 2 | it ended by itself, and well |
/// | 143, 130, 131 | 3 | ECS ended it after another one |
/// | a reason and no code | 4 | it never ran |
/// | nothing | 5 | |
///
/// If only an essential container can have ended the task, those that are not essential rank behind all that are. An
/// injected container ranks last.
pub(super) fn failed_first(task: &StoppedTask) -> Option<&Container> {
    // Only an essential container stops its task. A container that is not essential may still be what others waited
    // for.
    let by_exit_of_essential = ended_by_a_container(task);
    let rank = |container: &Container| {
        let by_exit = match (ContainerEnding::of(container), container.exit_code) {
            (ContainerEnding::Failed, _) => 0,
            (ContainerEnding::Stopped, Some(137)) => 1,
            (ContainerEnding::Well, _) => 2,
            (ContainerEnding::Stopped, _) => 3,
            (ContainerEnding::Unknown, _) if container.reason.is_some() => 4,
            (ContainerEnding::Unknown, _) => 5,
        };
        let beside = by_exit_of_essential && container.essential == Some(false);
        by_exit + if container.is_injected() { 20 } else { 0 } + if beside { 10 } else { 0 }
    };
    task.containers.iter().min_by_key(|container| rank(container))
}

/// Whether a task simply did its work: it is known to belong to no service, an essential container ended by itself with
/// 0, and every other container was ended by ECS after that, or is not essential.
///
/// | essential | others | means |
/// |---|---|---|
/// | 0 | 0, 137, 143, 130, 131, or none | completed |
/// | 0 | no code and a reason, and essential or nobody knows | failed, by the other |
/// | 0 | an error, and not essential | completed |
/// | 0 | an error, and essential or nobody knows | failed, by the other |
/// | a signal only | any | not completed: something else ended it |
pub(super) fn completed(task: &StoppedTask) -> bool {
    let own = || task.containers.iter().filter(|container| !container.is_injected());
    let explained = |container: &Container| container.reason.as_deref().is_none_or(str::is_empty);
    ended_by_a_container(task)
        && task.group.is_some()
        && task.service_name().is_none()
        && own().any(|container| {
            ContainerEnding::of(container) == ContainerEnding::Well && container.essential != Some(false)
        })
        && own().all(|container| match ContainerEnding::of(container) {
            ContainerEnding::Well => true,
            ContainerEnding::Stopped => explained(container),
            ContainerEnding::Unknown => explained(container) || container.essential == Some(false),
            ContainerEnding::Failed => container.essential == Some(false),
        })
}

/// The diagnosis of a task that did its work.
pub(super) fn of_completed(task: &StoppedTask) -> Diagnosis {
    let ended = task.containers.iter().filter(|container| container.exit_code.is_some());
    Diagnosis {
        evidence: ended
            .map(|container| Evidence {
                source: format!("containers[{}].exitCode", container.name),
                text: container.exit_code.map_or_else(String::new, |code| code.to_string()),
            })
            .collect(),
        advice: "Nothing to do: the task did its work and ended with exit code 0. ECS ends what else runs in the task \
            after that (137 and 143 there are no crash)."
            .to_owned(),
        ..Diagnosis::of(
            Cause::TaskCompleted,
            if task.containers.iter().any(|container| container.essential == Some(true)) {
                Confidence::High
            } else {
                Confidence::Medium
            },
        )
    }
}

fn ended_by_a_container(task: &StoppedTask) -> bool {
    task.stop_code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case("EssentialContainerExited"))
}

/// What an exit code means by itself.
struct ExitCode {
    codes: &'static [i64],
    cause: Cause,
    signature: Option<Signature>,
    confidence: Confidence,
    advice: &'static str,
}

const CODES: &[ExitCode] = &[
    ExitCode {
        codes: &[0],
        cause: Cause::Unknown,
        signature: None,
        confidence: Confidence::Low,
        advice: "The container ended with exit code 0. A task that runs to its end is done; a service needs a program \
            that stays in the foreground.",
    },
    ExitCode {
        codes: &[126],
        cause: Cause::CommandNotFound,
        signature: None,
        confidence: Confidence::Medium,
        advice: "Exit code 126: the shell found the command and could not run it. Check its execute permission, its \
            `#!` line and its architecture.",
    },
    ExitCode {
        codes: &[127],
        cause: Cause::CommandNotFound,
        signature: None,
        confidence: Confidence::Medium,
        advice: "Exit code 127: the shell did not find the command. Check `command`, `entryPoint` and PATH against \
            the image.",
    },
    ExitCode {
        codes: &[139, 135, 3_221_225_477, -1_073_741_819],
        cause: Cause::AppCrashed,
        signature: Some(Signature::Segfault),
        confidence: Confidence::Medium,
        advice: "The process touched memory that is not its own (exit code 139 is SIGSEGV, 135 SIGBUS, 0xC0000005 the \
            same on Windows). Look for a native library built for another libc or architecture.",
    },
    ExitCode {
        codes: &[132],
        cause: Cause::AppCrashed,
        signature: Some(Signature::Abort),
        confidence: Confidence::Medium,
        advice: "Exit code 132: an instruction that this processor does not have (SIGILL). The program was built for \
            a newer processor, or for another one.",
    },
    ExitCode {
        codes: &[3_221_225_781, -1_073_741_515],
        cause: Cause::AppCrashed,
        signature: Some(Signature::ModuleMissing),
        confidence: Confidence::Medium,
        advice: "Exit code 0xC0000135: Windows did not find a DLL of the program. Install what it needs in the image \
            (the Visual C++ runtime, .NET Framework).",
    },
    ExitCode {
        codes: &[137],
        cause: Cause::AppCrashed,
        signature: None,
        confidence: Confidence::Low,
        advice: "Exit code 137: SIGKILL, and ECS gives no reason. It may be the memory limit of the host: look at the \
            memory in Container Insights.",
    },
];

/// Signals that end a process and that no code above explains better. A shell, and PID 1, pass them on as 128 plus the
/// number.
const SIGNALS: &[(i64, &str, &str)] = &[
    (1, "SIGHUP", "its terminal or supervisor went away"),
    (2, "SIGINT", "something in the task asked it to stop"),
    (3, "SIGQUIT", "something in the task asked it to stop, often STOPSIGNAL of the image"),
    (5, "SIGTRAP", "a trap of a debugger, or an assertion of the runtime"),
    (8, "SIGFPE", "an impossible calculation, such as a division by zero"),
    (10, "SIGUSR1", "a signal of the application's own that it did not expect"),
    (12, "SIGUSR2", "a signal of the application's own that it did not expect"),
    (13, "SIGPIPE", "it wrote to a pipe or socket whose other end was gone, such as a log router"),
    (14, "SIGALRM", "a timer of its own ran out"),
    (15, "SIGTERM", "something in the task asked it to stop, or the scheduler did"),
    (24, "SIGXCPU", "its `ulimits` for processor time ran out"),
    (25, "SIGXFSZ", "its `ulimits` for the size of a file ran out"),
    (31, "SIGSYS", "a system call that the host's seccomp profile forbids"),
];

/// The diagnosis of a container that exited, if its log shows nothing known or there is none.
pub(super) fn of_code(code: i64, has_log: bool) -> Diagnosis {
    if matches!(code, 134 | 3_221_226_505 | -1_073_740_791) {
        let (signature, text) = if has_log {
            (
                Signature::Abort,
                "The process aborted itself (a failed assertion, a broken heap, a runtime's heap limit). Read its \
                 last lines.",
            )
        } else {
            (
                Signature::AbortNoLog,
                "The process aborted itself and logged nothing. Give it a log (a failed assertion or a runtime's heap \
                 limit usually prints a line).",
            )
        };
        return Diagnosis {
            signature: Some(signature),
            advice: format!("Exit code {code}: {text}"),
            ..Diagnosis::of(Cause::AppCrashed, Confidence::Medium)
        };
    }
    if let Some(known) = CODES.iter().find(|known| known.codes.contains(&code)) {
        return Diagnosis {
            signature: known.signature,
            advice: known.advice.to_owned(),
            ..Diagnosis::of(known.cause, known.confidence)
        };
    }
    if let Some((_, name, means)) = SIGNALS.iter().find(|(signal, ..)| *signal + 128 == code) {
        let advice = format!(
            "Exit code {code}: the program's first process ended by signal {name} ({means}), and ECS gives no reason. \
             Its own log, and that of what else runs in the task, may tell."
        );
        return Diagnosis { advice, ..Diagnosis::of(Cause::AppCrashed, Confidence::Low) };
    }
    let text = if has_log {
        "The program ended by itself with an error, and its log shows no error that is known: its last lines are in \
         the evidence."
    } else {
        "The program ended by itself with an error, and there is no log evidence of why. Read the container's log \
         (group and prefix are in the task definition's awslogs options)."
    };
    Diagnosis {
        advice: text.to_owned(),
        ..Diagnosis::of(Cause::AppCrashed, Confidence::Low)
    }
}

/// Returns the row with this cause in the table of who stopped a task, for its advice.
pub(super) fn row_of(cause: Cause) -> Option<&'static SignatureRow> {
    tables::stopper::ROWS.iter().find(|row| row.cause == cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn task(group: &str, containers: Value) -> StoppedTask {
        StoppedTask::from_json(
            &json!({"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "group": group, "containers": containers}),
        )
    }

    #[test]
    fn a_task_that_ended_well_is_no_failure_and_what_ecs_stopped_after_it_no_crash() {
        let done = json!([{"name": "job", "exitCode": 0}, {"name": "proxy", "exitCode": 137}, {"name": "log", "exitCode": 143}]);
        assert!(completed(&task("family:nightly", done.clone())));
        assert!(completed(&task(
            "family:nightly",
            json!([{"name": "job", "exitCode": 0}, {"name": "proxy", "exitCode": 130}])
        )));
        assert!(!completed(&task("service:web", done)), "a service's container must not end");
        for containers in [
            json!([{"name": "job", "exitCode": 1}]),
            json!([{"name": "job", "exitCode": 0}, {"name": "other", "exitCode": 1}]),
            json!([{"name": "job", "exitCode": 0}, {"name": "other", "exitCode": 137, "reason": "OutOfMemoryError: \
                Container killed due to memory usage"}]),
            json!([{"name": "job", "exitCode": 137}, {"name": "other", "exitCode": 143}]),
            json!([{"name": "job", "exitCode": 0}, {"name": "other", "reason": "something that nobody has heard of"}]),
        ] {
            assert!(!completed(&task("family:nightly", containers.clone())), "{containers}");
        }
    }

    #[test]
    fn what_is_essential_decides_where_it_is_known() {
        let mut known =
            task("family:nightly", json!([{"name": "migrate", "exitCode": 0}, {"name": "job", "exitCode": 137}]));
        known.containers[0].essential = Some(false);
        known.containers[1].essential = Some(true);
        assert!(!completed(&known), "the essential one was killed");
        let mut known =
            task("family:nightly", json!([{"name": "job", "exitCode": 0}, {"name": "side", "exitCode": 1}]));
        known.containers[0].essential = Some(true);
        known.containers[1].essential = Some(false);
        assert!(completed(&known));
        assert_eq!(of_completed(&known).confidence, Confidence::High);
    }
}
