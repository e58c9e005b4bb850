//! The service's own events and deployments: what the scheduler says beyond the stopped task.

use super::{Probe, ProbeName};
use crate::service::Service;
use crate::state::RolloutState;
use pullsafe_diagnosis::cause::{Cause, Diagnosis, Evidence, Why};
use pullsafe_diagnosis::masked;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::spent::Settled;

pub const PROBE: Probe = Probe {
    name: ProbeName::ServiceEvents,
    looks_at: "the service's last events, and the state of its deployments",
    settles: "the scheduler's reason for giving a task up, such as the answer to a health check",
    needs: &["ecs:DescribeServices"],
    is_worth,
};

/// How many events are shown.
const SHOWN: usize = 3;
/// Events this many seconds before or after the stop belong to it.
const SECONDS: i64 = 20 * 60;

fn is_worth(task: &StoppedTask, diagnosis: &Diagnosis) -> bool {
    let unhealthy = matches!(diagnosis.cause, Cause::LoadBalancerHealthCheckFailed | Cause::ContainerHealthCheckFailed);
    let unclear = matches!(diagnosis.cause, Cause::Unknown | Cause::CapacityUnavailable | Cause::AgentError);
    task.service_name().is_some() && (unhealthy || unclear)
}

/// The events that name the task first, then others that say that something is wrong.
pub fn settle(service: &Service, task: &StoppedTask) -> Settled {
    let around =
        |at: i64| task.stopped_at.or(task.stopping_at).is_none_or(|stop| (stop.seconds() - at).abs() <= SECONDS);
    let id = task.task_id();
    let of_task = |message: &str| !id.is_empty() && message.contains(id);
    let mut telling: Vec<&str> = Vec::new();
    for pass in [true, false] {
        for event in &service.events {
            let fits = if pass {
                of_task(&event.message) && is_telling(&event.message)
            } else {
                around(event.at.seconds()) && is_telling(&event.message)
            };
            if fits && telling.len() < SHOWN && !telling.contains(&event.message.as_str()) {
                telling.push(&event.message);
            }
        }
    }
    let why = telling.iter().filter(|message| of_task(message)).find_map(|message| why(message));
    let mut evidence: Vec<Evidence> = telling
        .into_iter()
        .map(|message| Evidence { source: "service event".to_owned(), text: masked(message) })
        .collect();
    for deployment in service
        .deployments
        .iter()
        .filter(|deployment| deployment.failed > 0 || deployment.rollout_state == Some(RolloutState::Failed))
    {
        let revision = deployment.task_definition.rsplit('/').next().unwrap_or_default();
        let state = deployment
            .rollout_state
            .as_ref()
            .map_or_else(|| "no rollout state".to_owned(), RolloutState::to_string);
        let text = format!(
            "{} of {revision}: {} of {} running, {} failed, {state} {}",
            deployment.id, deployment.running, deployment.desired, deployment.failed, deployment.rollout_reason
        );
        evidence.push(Evidence {
            source: "deployment".to_owned(),
            text: masked(text.trim_end()),
        });
    }
    Settled { evidence, why, ..Settled::default() }
}

fn is_telling(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    ["unhealthy", "unable to", "failed", "rolling back", "impaired", "could not", "not healthy"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Why the health check failed, by the scheduler's words.
fn why(message: &str) -> Option<Why> {
    let lower = message.to_ascii_lowercase();
    if lower.contains("timed out") || lower.contains("target.timeout") {
        Some(Why::Timeout)
    } else if lower.contains("with these codes") || lower.contains("responsecodemismatch") {
        Some(Why::ResponseCodeMismatch)
    } else if lower.contains("health checks failed") || lower.contains("failedhealthchecks") {
        Some(Why::FailedHealthChecks)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_events_of_the_task_come_first() {
        let event = |at: f64, message: &str| json!({"id": message, "createdAt": at, "message": message});
        let service = Service::from_json(&json!({
            "serviceName": "web",
            "deployments": [{"id": "ecs-svc/1", "taskDefinition": "arn:aws:ecs:r:1:task-definition/web:7", "desiredCount": 2, "runningCount": 0, "failedTasks": 12, "rolloutState": "IN_PROGRESS"}],
            "events": [
                event(1_768_507_900.0, "(service web) has started 1 tasks: (task other)."),
                event(1_768_507_800.0, "(service web) is unable to consistently start tasks successfully."),
                event(1_768_507_790.0, "(service web) (port 8000) is unhealthy in (target-group arn:x) due to (reason \
                    Health checks failed with these codes: [502]) (task abc)."),
                event(1_700_000_000.0, "(service web) was unable to place a task. Long ago."),
            ],
        }))
        .unwrap();
        let task = StoppedTask::from_json(
            &json!({"taskArn": "arn:aws:ecs:r:1:task/prod/abc", "stoppedAt": "2026-01-15T20:10:00Z"}),
        );
        let settled = settle(&service, &task);
        let texts: Vec<&str> = settled.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
        assert!(texts[0].contains("(task abc)") && texts[1].contains("consistently"), "{texts:?}");
        assert_eq!(texts[2], "ecs-svc/1 of web:7: 0 of 2 running, 12 failed, IN_PROGRESS");
        assert_eq!((texts.len(), settled.why), (3, Some(Why::ResponseCodeMismatch)));
    }
}
