//! What EventBridge Scheduler starts in ECS. The list gives no more than the ARN of a schedule's target, so only
//! schedules whose target may be one of the clusters are read.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use pullsafe::count::count;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::SdkConfig;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::json::{JsonApi, SCHEDULER};
use serde_json::Value;

use super::unread::UnreadResource;

/// How many pages of the list are read, a hundred schedules each. Some accounts make a schedule for each of their
/// customers.
const PAGES: usize = 50;
/// How many schedules that may start a task are read.
const MOST_READ: usize = 500;
/// How many of them are read at a time.
const AT_ONCE: usize = 4;
/// How a target's ARN ends where the schedule calls RunTask itself, with the cluster in the target's input.
const RUN_TASK: &str = ":aws-sdk:ecs:runTask";
/// How many seconds after its end a schedule may still start something: the end has a time zone of its own, and a start
/// that fails is tried again for a day.
const AFTER_SECONDS: i64 = 2 * 86_400;

const LIST: &str = "scheduler:ListSchedules";
const GET: &str = "scheduler:GetSchedule";

/// EventBridge Scheduler.
#[derive(Debug, Clone)]
pub(super) struct Schedules(JsonApi);

/// A task definition that a schedule starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) cluster_arn: String,
    /// The schedule, with its group: `default/nightly`.
    pub(super) schedule: String,
    pub(super) definition: String,
}

impl Schedules {
    /// Makes a client with the credentials, region and HTTP client of this configuration.
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self(JsonApi::new(config, SCHEDULER))
    }

    /// What schedules start on these clusters, and what could not be read. Of schedules that start the same, only the
    /// first by name is listed.
    pub(super) async fn starts(&self, cluster_arns: &[String], now: Timestamp) -> (Vec<Start>, Vec<UnreadResource>) {
        let (mut listed, mut unread) = self.listed(cluster_arns).await;
        if listed.len() > MOST_READ {
            unread.push(UnreadResource::too_many(format!(
                "{} of {} schedules of EventBridge Scheduler that may start a task",
                listed.len() - MOST_READ,
                listed.len()
            )));
            listed.truncate(MOST_READ);
        }
        let reads: Vec<_> = listed.iter().map(|(group, name)| self.read(group, name)).collect();
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        let (mut starts, mut refused, mut first) = (BTreeMap::new(), 0, None);
        for (group, name) in &listed {
            match reads.next().await {
                Some(Ok(schedule)) => {
                    let Some((cluster_arn, definition)) = start_of(&schedule, cluster_arns, now) else {
                        continue;
                    };
                    starts.entry((cluster_arn, definition)).or_insert_with(|| format!("{group}/{name}"));
                }
                // The schedule was deleted since it was listed.
                Some(Err(failure)) if failure.kind == FailureKind::NotFound => {}
                Some(Err(failure)) => {
                    refused += 1;
                    first.get_or_insert((format!("{group}/{name}"), failure));
                }
                None => break,
            }
        }
        unread.extend(first.map(|(schedule, failure)| {
            UnreadResource::failed(
                format!("{} of EventBridge Scheduler, such as {schedule}", count(refused, "schedule")),
                failure,
            )
        }));
        let start = |((cluster_arn, definition), schedule)| Start { cluster_arn, schedule, definition };
        (starts.into_iter().map(start).collect(), unread)
    }

    /// Group and name of every enabled schedule that may start a task on one of the clusters, in their order.
    async fn listed(&self, cluster_arns: &[String]) -> (Vec<(String, String)>, Vec<UnreadResource>) {
        let (mut found, mut token) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let mut parameters = vec![("State", "ENABLED"), ("MaxResults", "100")];
            if !token.is_empty() {
                parameters.push(("NextToken", &token));
            }
            let page = match self.0.read(LIST, &["schedules"], &parameters).await {
                Ok(page) => page,
                Err(failure) => {
                    return (
                        found,
                        vec![UnreadResource::failed("the schedules of EventBridge Scheduler".to_owned(), failure)],
                    );
                }
            };
            for schedule in page["Schedules"].as_array().into_iter().flatten() {
                let (target, group, name) =
                    (&schedule["Target"]["Arn"], schedule["GroupName"].as_str(), schedule["Name"].as_str());
                let (Some(target), Some(group), Some(name)) = (target.as_str(), group, name) else {
                    continue;
                };
                if target.ends_with(RUN_TASK) || cluster_arns.iter().any(|cluster| cluster == target) {
                    found.push((group.to_owned(), name.to_owned()));
                }
            }
            match page["NextToken"].as_str().filter(|next| !next.is_empty()) {
                Some(next) => token = next.to_owned(),
                None => {
                    found.sort();
                    return (found, Vec::new());
                }
            }
        }
        found.sort();
        let rest = format!("schedules of EventBridge Scheduler after the first {}", PAGES * 100);
        (found, vec![UnreadResource::too_many(rest)])
    }

    async fn read(&self, group: &str, name: &str) -> Result<Value, Failure> {
        self.0.read(GET, &["schedules", name], &[("groupName", group)]).await
    }
}

/// The cluster and the task definition that a schedule starts; `None` if it is disabled, over, or starts nothing here.
fn start_of(schedule: &Value, cluster_arns: &[String], now: Timestamp) -> Option<(String, String)> {
    if schedule["State"] != "ENABLED" || is_over(schedule, now) {
        return None;
    }
    let target = &schedule["Target"];
    let arn = target["Arn"].as_str()?;
    if !arn.ends_with(RUN_TASK) {
        let definition = target["EcsParameters"]["TaskDefinitionArn"].as_str()?;
        return cluster_arns.iter().any(|cluster| cluster == arn).then(|| (arn.to_owned(), launched(definition)));
    }
    // The names of the members are the API's, or those of the SDK for Java.
    let input: Value = serde_json::from_str(target["Input"].as_str()?).ok()?;
    let text = |names: [&str; 2]| names.iter().find_map(|name| input[*name].as_str());
    let cluster = text(["Cluster", "cluster"]).unwrap_or("default");
    let is_meant = |arn: &&String| *arn == cluster || arn.rsplit('/').next() == Some(cluster);
    let cluster_arn = cluster_arns.iter().find(is_meant)?;
    Some((cluster_arn.clone(), launched(text(["TaskDefinition", "taskDefinition"])?)))
}

/// Whether a schedule has had its last start.
fn is_over(schedule: &Value, now: Timestamp) -> bool {
    let once = schedule["ScheduleExpression"].as_str().and_then(|text| text.strip_prefix("at(")?.strip_suffix(')'));
    let once = once.and_then(|local| Timestamp::parse(&format!("{local}Z")));
    let end = schedule["EndDate"].as_f64().map(Timestamp::from_epoch_seconds);
    once.into_iter().chain(end).any(|last| now.seconds_since(last) > AFTER_SECONDS)
}

/// The task definition that this name launches. An ARN without a revision becomes its family, which stands for the
/// newest revision.
pub(super) fn launched(definition: &str) -> String {
    match definition.rsplit_once('/') {
        Some((_, family)) if !family.contains(':') => family.to_owned(),
        Some(_) | None => definition.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROD: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";
    const JOB: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/job:3";

    fn start(change: Value) -> Option<(String, String)> {
        let mut schedule = json!({
            "Name": "nightly", "GroupName": "default", "State": "ENABLED", "ScheduleExpression": "rate(1 day)",
            "Target": { "Arn": PROD, "EcsParameters": { "TaskDefinitionArn": JOB } },
        });
        schedule.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
        let clusters = [PROD.replace("prod", "other"), PROD.to_owned()];
        start_of(&schedule, &clusters, Timestamp::parse("2026-01-15T00:00:00Z").unwrap())
    }

    #[test]
    fn a_schedule_starts_what_its_target_names() {
        let job = Some((PROD.to_owned(), JOB.to_owned()));
        let with_input = |input: Value| json!({ "Target": { "Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": input.to_string() } });
        for (change, expected) in [
            (json!({}), job.clone()),
            (json!({ "State": "DISABLED" }), None),
            (json!({ "Target": { "Arn": PROD } }), None),
            (
                json!({ "Target": { "Arn": PROD.replace("prod", "gone"), "EcsParameters": { "TaskDefinitionArn": JOB } } }),
                None,
            ),
            (
                json!({ "Target": { "Arn": PROD, "EcsParameters": { "TaskDefinitionArn": JOB.trim_end_matches(":3") } } }),
                Some((PROD.to_owned(), "job".to_owned())),
            ),
            (with_input(json!({ "Cluster": "prod", "TaskDefinition": JOB })), job.clone()),
            (
                with_input(json!({ "cluster": PROD, "taskDefinition": "job" })),
                Some((PROD.to_owned(), "job".to_owned())),
            ),
            (with_input(json!({ "TaskDefinition": JOB })), None),
            (with_input(json!("prod")), None),
            (
                json!({ "Target": { "Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": "<aws.scheduler.attempt-number>" } }),
                None,
            ),
        ] {
            assert_eq!(start(change.clone()), expected, "{change}");
        }
    }

    #[test]
    fn what_has_had_its_last_start_starts_nothing() {
        for (change, over) in [
            (json!({ "ScheduleExpression": "at(2026-01-16T00:00:00)" }), false),
            (json!({ "ScheduleExpression": "at(2026-01-14T00:00:00)" }), false),
            (json!({ "ScheduleExpression": "at(2026-01-12T00:00:00)" }), true),
            (json!({ "ScheduleExpression": "cron(0 3 * * ? *)", "EndDate": 1_768_000_000.5 }), true),
            (json!({ "EndDate": 1_800_000_000.0 }), false),
            (json!({ "EndDate": "soon" }), false),
        ] {
            assert_eq!(start(change.clone()).is_none(), over, "{change}");
        }
    }
}
