//! Rows of the past: lines of a long timeline, and tasks that were seen, which the record no longer holds. So the
//! record's row, which is read and written with every look, stays small however long an incident lasts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::happened::TimelineEntry;
use super::incident::Incident;
use super::record::{Record, SeenTask};

/// What one row of the past holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Lines of the timeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,
    /// Tasks, by their ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, SeenTask>,
}

/// A row of the past, to be written before the record that no longer holds its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The incident's id.
    pub incident: String,
    /// The number of the row within its incident. If a process dies before it writes the record, the next one
    /// overwrites this row.
    pub number: u32,
    /// The content of the row.
    pub past: Past,
}

impl Incident {
    /// Takes out what has to be stored in a row of the past before the incident itself is stored.
    pub fn take_part(&mut self, tasks: BTreeMap<String, SeenTask>) -> Option<Part> {
        if self.gone.is_empty() && tasks.is_empty() {
            return None;
        }
        let part = Part {
            incident: self.id.clone(),
            number: self.parts,
            past: Past { timeline: std::mem::take(&mut self.gone), tasks },
        };
        self.parts += 1;
        Some(part)
    }

    /// Puts the lines of a row of the past back into the timeline, for a report of the whole.
    pub fn recall(&mut self, past: Past) {
        self.timeline.extend(past.timeline);
        self.timeline.sort_by_key(|entry| entry.at);
    }
}

impl Record {
    /// Takes out what has to be stored in a row of the past before the record itself is stored.
    pub fn take_part(&mut self) -> Option<Part> {
        let tasks = std::mem::take(&mut self.forgotten);
        self.open.as_mut()?.take_part(tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::MOST_CAUSES;
    use crate::record::Added;
    use pullsafe::timestamp::Timestamp;
    use pullsafe_diagnosis::diagnose;
    use pullsafe_events::stopped_task::{Container, StoppedTask};

    const START: Timestamp = Timestamp::from_millis(1_768_504_620_000);

    fn task(number: u64, reason: &str) -> StoppedTask {
        StoppedTask {
            task_arn: format!("arn:aws:ecs:eu-west-1:123456789012:task/prod/{number:032x}"),
            task_definition_arn: "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7".to_owned(),
            version: 1,
            stopped_at: Some(START.plus_seconds(i64::try_from(number).unwrap() * 65)),
            stopped_reason: Some(reason.to_owned()),
            containers: vec![Container { name: format!("web-{}", number % 3), ..Container::default() }],
            ..StoppedTask::default()
        }
    }

    fn record_of(tasks: impl Iterator<Item = StoppedTask>) -> (Record, Vec<Part>) {
        let (mut record, mut parts) = (Record::default(), Vec::new());
        for task in tasks {
            let diagnosis = diagnose(&task, &BTreeMap::new());
            assert_eq!(record.add_failure("prod/web", &task, diagnosis, START), Added::New);
            parts.extend(record.take_part());
        }
        (record, parts)
    }

    const QUOTA: &str = "CannotPullContainerError: inspect image has been retried 7 time(s): httpReadSeeker: failed \
        open: unexpected status code \
        https://registry-1.docker.io/v2/library/redis/manifests/sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit";

    #[test]
    fn a_row_stays_small_and_nothing_is_lost() {
        let reasons =
            [QUOTA, "Essential container in task exited", "Task failed ELB health checks in (target-group x)"];
        let (record, parts) =
            record_of((0..500).map(|number| task(number, reasons[usize::try_from(number).unwrap() % 3])));
        let size = serde_json::to_string(&record).unwrap().len();
        println!("a row after 500 failed tasks: {size} bytes, and {} rows of the past", parts.len());
        assert!(size <= 8 * 1024, "{size}");
        assert!(parts.iter().enumerate().all(|(index, part)| usize::try_from(part.number) == Ok(index)));
        let mut incident = record.open.clone().unwrap();
        let kept = incident.timeline.len();
        parts.iter().for_each(|part| incident.recall(part.past.clone()));
        assert!(incident.timeline.len() > kept && incident.timeline.is_sorted_by_key(|entry| entry.at));
        let tasks: u32 = incident.causes.iter().map(|cause| cause.tasks).sum();
        assert_eq!(tasks, 500);
    }

    #[test]
    fn a_task_is_known_again_by_the_rows_of_the_past() {
        let (mut record, parts) = record_of((0..500).map(|number| task(number, QUOTA)));
        let late = task(3, QUOTA);
        assert!(record.may_have_forgotten(&late, START));
        let known: Vec<_> = parts.iter().filter_map(|part| part.past.tasks.get(late.task_id())).collect();
        assert_eq!(known.len(), 1);
        record.recall(late.task_id(), *known[0]);
        assert_eq!(record.would_add(&late, START), Added::Seen);
        assert!(!record.may_have_forgotten(&task(501, QUOTA), START), "what is new needs no row of the past");
    }

    #[test]
    fn launches_are_put_together_and_their_pulls_are_not_lost() {
        let (record, _) = record_of((0..500).map(|number| task(number, QUOTA)));
        let incident = record.open.unwrap();
        assert!(incident.launches.len() <= 20 && incident.launches.is_sorted_by_key(|launch| launch.at));
        let launches: u32 = incident.launches.iter().map(|launch| launch.more + 1).sum();
        let pulls: u32 = incident.launches.iter().map(|launch| launch.pulls).sum();
        assert_eq!((launches, pulls, incident.pulls_per_launch()), (500, 3500, 7));
    }

    #[test]
    fn however_many_causes_a_service_has_its_row_is_bounded() {
        let (mut record, mut parts) = (Record::default(), 0);
        for number in 0..200 {
            let mut task = task(number, QUOTA);
            task.containers[0].name = format!("container-{number}");
            let mut diagnosis = diagnose(&task, &BTreeMap::new());
            diagnosis.container = Some(format!("container-{number}"));
            record.add_failure("prod/web", &task, diagnosis, START);
            parts += usize::from(record.take_part().is_some());
        }
        let incident = record.open.as_ref().unwrap();
        assert!(incident.causes.len() <= MOST_CAUSES && parts > 0);
        assert!(serde_json::to_string(&record).unwrap().len() <= 16 * 1024);
        assert_eq!(incident.blocker().unwrap().diagnosis.container.as_deref(), Some("container-199"));
    }
}
