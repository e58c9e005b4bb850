//! What the load balancer says of the targets that are still registered.

use super::{Probe, ProbeName};
use crate::service::Service;
use pullsafe_diagnosis::cause::{Cause, Diagnosis, Why};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::spent::Settled;

pub const PROBE: Probe = Probe {
    name: ProbeName::TargetHealth,
    looks_at: "the health of the targets in the service's target group",
    settles: "why a load balancer's health check fails: no answer, a wrong code, a wrong port",
    needs: &["ecs:DescribeServices", "elasticloadbalancing:DescribeTargetHealth"],
    is_worth,
};

fn is_worth(_: &StoppedTask, diagnosis: &Diagnosis) -> bool {
    diagnosis.cause == Cause::LoadBalancerHealthCheckFailed
}

/// One target of a target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    /// `healthy`, `unhealthy`, `draining`, `initial`, `unused`.
    pub state: String,
    /// The reason's code, such as `Target.Timeout`.
    pub reason: Option<String>,
    /// The reason in words.
    pub description: Option<String>,
}

/// The target group to ask: the one that the stop names, else the service's only one.
pub fn group(task: &StoppedTask, service: Option<&Service>) -> Option<String> {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    let named = reason
        .split(|next: char| next.is_whitespace() || matches!(next, '(' | ')' | ','))
        .find(|word| word.contains(":targetgroup/"));
    if let Some(arn) = named {
        return Some(arn.trim_end_matches('.').to_owned());
    }
    match service?.target_groups.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// What the targets say.
pub fn settle(group: &str, targets: &[TargetHealth]) -> Settled {
    let name = group.split("targetgroup/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(group);
    let source = format!("target group {name}");
    let mut said: Vec<(String, usize)> = Vec::new();
    for target in targets {
        let reason = match (&target.reason, &target.description) {
            (Some(reason), Some(words)) => format!(" ({reason}: {words})"),
            (Some(reason), None) => format!(" ({reason})"),
            (None, _) => String::new(),
        };
        let text = format!("{}{reason}", target.state);
        match said.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => said.push((text, 1)),
        }
    }
    let unhealthy = targets.iter().find(|target| target.state == "unhealthy");
    let why = unhealthy.and_then(|target| target.reason.as_deref()).and_then(why);
    if said.is_empty() {
        return Settled::saying(
            &source,
            "no target is registered any more, so that its reason can no longer be asked for",
        );
    }
    let text = said.iter().map(|(text, count)| format!("{count} {text}")).collect::<Vec<_>>().join(", ");
    Settled {
        why,
        settles: why.is_some(),
        ..Settled::saying(&source, text)
    }
}

/// Why a health check fails, by the reason's code. Source: Elastic Load Balancing API Reference, TargetHealth.
fn why(reason: &str) -> Option<Why> {
    match reason {
        "Target.Timeout" => Some(Why::Timeout),
        "Target.ResponseCodeMismatch" => Some(Why::ResponseCodeMismatch),
        "Target.FailedHealthChecks" => Some(Why::FailedHealthChecks),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";

    #[test]
    fn the_group_is_the_one_that_the_stop_names() {
        let task = StoppedTask {
            stopped_reason: Some(format!("Task failed ELB health checks in (target-group {GROUP})")),
            ..StoppedTask::default()
        };
        assert_eq!(group(&task, None).as_deref(), Some(GROUP));
        let of_groups = |arns: &[&str]| {
            let groups: Vec<_> =
                arns.iter().map(|arn| json!({"targetGroupArn": arn, "containerName": "app"})).collect();
            group(
                &StoppedTask::default(),
                Service::from_json(&json!({"serviceName": "web", "loadBalancers": groups})).as_ref(),
            )
        };
        assert_eq!(of_groups(&[GROUP]).as_deref(), Some(GROUP));
        assert_eq!((of_groups(&[GROUP, "other"]), of_groups(&[])), (None, None));
    }

    #[test]
    fn targets_are_counted_by_what_they_say() {
        let target = |state: &str, reason: Option<&str>| TargetHealth {
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
            description: reason.map(|_| "Request timed out".to_owned()),
        };
        let settled = settle(
            GROUP,
            &[
                target("unhealthy", Some("Target.Timeout")),
                target("unhealthy", Some("Target.Timeout")),
                target("healthy", None),
            ],
        );
        assert_eq!(settled.evidence[0].text, "2 unhealthy (Target.Timeout: Request timed out), 1 healthy");
        assert_eq!(
            (settled.evidence[0].source.as_str(), settled.why, settled.settles),
            ("target group web", Some(Why::Timeout), true)
        );
        assert_eq!(settle(GROUP, &[]).why, None);
    }
}
