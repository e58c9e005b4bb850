//! Whether a stopped task belongs to the service whose group it carries.
//!
//! Whoever runs a task chooses its group and its `startedBy`. They cannot choose what the service runs: a task of
//! another family was not started for any of its deployments.

use pullsafe_events::stopped_task::{StoppedTask, family};
use pullsafe_incident::record::Record;

use super::service::Service;

/// Whether a task of this family failed in the open incident already, and so was found to belong to the service.
pub fn is_known(record: &Record, task: &StoppedTask) -> bool {
    let wanted = family(&task.task_definition_arn);
    record
        .open
        .iter()
        .flat_map(|incident| &incident.causes)
        .any(|seen| family(&seen.task_definition) == wanted)
}

/// Why a task does not belong to the service; `None` where it does.
pub fn stranger(service: &Service, task: &StoppedTask) -> Option<String> {
    let of_deployments = service.deployments.iter().map(|deployment| &deployment.task_definition);
    let runs = || std::iter::once(&service.task_definition).chain(of_deployments.clone()).chain(&service.task_sets);
    let wanted = family(&task.task_definition_arn);
    // A service that names no definition at all cannot be compared: the task counts as its own.
    let is_of = runs().all(String::is_empty) || runs().any(|arn| family(arn) == wanted);
    (!is_of).then(|| format!("{} runs nothing of the family {wanted}: the task only carries its group", service.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullsafe::timestamp::Timestamp;
    use serde_json::{Value, json};

    fn arn(revision: &str) -> String {
        format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{revision}")
    }

    fn service(more: Value) -> Service {
        let mut service =
            json!({"serviceName": "web", "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"});
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Service::from_json(&service).unwrap()
    }

    #[test]
    fn a_service_runs_what_it_or_one_of_its_deployments_or_task_sets_names() {
        let rolling =
            service(json!({"taskDefinition": arn("app:7"), "deployments": [{"taskDefinition": arn("app-old:3")}]}));
        let in_sets = service(
            json!({"deploymentController": {"type": "EXTERNAL"}, "taskSets": [{"taskDefinition": arn("app:7")}]}),
        );
        for (service, revision, is_of) in [
            (&rolling, "app:7", true),
            (&rolling, "app:6", true),
            (&rolling, "app-old:2", true),
            (&rolling, "ap:7", false),
            (&rolling, "app-evil:7", false),
            (&rolling, "", false),
            (&in_sets, "app:9", true),
            (&in_sets, "batch:9", false),
            (&service(json!({})), "batch:9", true),
        ] {
            let task = StoppedTask { task_definition_arn: arn(revision), ..StoppedTask::default() };
            assert_eq!(stranger(service, &task).is_none(), is_of, "{revision}");
        }
    }

    #[test]
    fn a_family_that_failed_before_is_known() {
        let task = |revision| StoppedTask {
            task_arn: format!("t/{revision}"),
            task_definition_arn: arn(revision),
            ..StoppedTask::default()
        };
        let mut record = Record::default();
        assert!(!is_known(&record, &task("app:7")));
        let diagnosis = pullsafe_diagnosis::diagnose(&task("app:7"), &std::collections::BTreeMap::new());
        record.add_failure("prod/web", &task("app:7"), diagnosis, Timestamp::from_millis(1_768_504_620_000));
        assert!(is_known(&record, &task("app:8")) && !is_known(&record, &task("evil:1")));
    }
}
