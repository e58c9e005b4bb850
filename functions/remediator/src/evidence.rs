//! A closer look at a stop whose text leaves something open: the logs of its containers.
//!
//! Read only, within a budget of calls, bytes and time, and only for a stop that nobody has seen before. Whatever
//! fails is said in the evidence; the diagnosis by the text stands, and the function goes on.

use std::time::Duration;

use pullsafe::aws::{Failure, FailureKind};
use pullsafe::domain::cause::Diagnosis;
use pullsafe::domain::diagnose::{Picker, diagnose_read};
use pullsafe::domain::log_evidence::{self, Obstacle, Outcome};
use pullsafe::domain::log_place::{self, LogPlace, LogStream, Window};
use pullsafe::domain::log_reading::{Budget, Spent};
use pullsafe::domain::stopped_task::StoppedTask;
use pullsafe::domain::timestamp::Timestamp;

use super::Remediator;

/// For how long the logs of one stop or build are read, whatever the budget of calls.
const PATIENCE: Duration = Duration::from_secs(15);

impl Remediator {
    /// The diagnosis of a stop by its text and by its logs.
    pub(crate) async fn look_closer(&self, task: &StoppedTask, by_text: Diagnosis, spent: &mut Spent, now: Timestamp) -> Diagnosis {
        if !log_place::is_worth_reading(task, &by_text) {
            return by_text;
        }
        let mut budget = spent.budget(&task.task_definition_arn);
        if budget.calls == 0 {
            return match spent.known(by_text.cause) {
                Some(known) => log_evidence::as_before(known, by_text),
                None => log_evidence::without_logs(by_text, "this incident has used up its calls for logs", None),
            };
        }
        let definition = match self.ecs.task_definition(&task.task_definition_arn).await {
            Ok(definition) => definition,
            Err(failure) => {
                let settled_by = "the task definition, which says where the log is".to_owned();
                return log_evidence::without_logs(
                    by_text,
                    &format!("the task definition could not be read ({failure})"),
                    Some(settled_by),
                );
            }
        };
        let task = task.clone().with_definition(&definition);
        let named = diagnose_read(&task, &Default::default());
        let before = budget.calls;
        let window = Window::of_task(&task, now);
        let mut outcomes = Vec::new();
        for container in log_place::containers(&task, &named) {
            let outcome = match log_place::of_container(&definition, &task, container) {
                LogPlace::Nowhere(why) => Outcome::Nowhere(why),
                LogPlace::Stream(_) if budget.calls == 0 => continue,
                LogPlace::Stream(stream) => self.read_log(stream, window, &mut budget).await,
            };
            outcomes.push((container.to_owned(), outcome));
            if log_evidence::is_explained(by_text.cause, &log_evidence::explain(&task, &outcomes)) {
                break;
            }
        }
        let found = log_evidence::explain(&task, &outcomes);
        spent.add(before - budget.calls, by_text.cause, &found);
        found
    }

    async fn read_log(&self, stream: LogStream, window: Window, budget: &mut Budget) -> Outcome {
        let mut picker = Picker::default();
        let reading = self.logs.read(&stream, window, budget, |page| picker.before(page.iter().copied()));
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(reading)) => Outcome::Read(stream, reading, Box::new(picker)),
            Ok(Err(failure)) => Outcome::Failed(stream, obstacle(&failure)),
            Err(_) => {
                budget.calls = 0;
                Outcome::Failed(stream, Obstacle::Other(format!("no answer within {} s", PATIENCE.as_secs())))
            }
        }
    }
}

/// Why a log could not be read, of a call that failed.
pub(crate) fn obstacle(failure: &Failure) -> Obstacle {
    match failure.kind {
        FailureKind::NotFound => Obstacle::Missing(failure.message.clone().unwrap_or_else(|| "it does not exist".to_owned())),
        FailureKind::Denied => Obstacle::Denied,
        FailureKind::ConditionFailed | FailureKind::Throttled | FailureKind::Unavailable | FailureKind::Refused => {
            Obstacle::Other(failure.to_string())
        }
    }
}
