//! A closer look at a stop whose text leaves something open: the probes of [`remediator_decide::probe`], carried out.
//!
//! Read only, within a budget of calls, bytes and time, and only for a stop that nobody has seen before. Whatever
//! fails is said in the evidence; the diagnosis by the text stands, and the function goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use pullsafe::arn::ServiceId;
use pullsafe::lookup::{Doubt, Lookup};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::{Failure, FailureKind};
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis};
use pullsafe_diagnosis::{Picker, diagnose, diagnose_read};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::spent::Settled;
use pullsafe_incident::spent::{LogBudget, LogsRead};
use remediator_decide::log::evidence;
use remediator_decide::log::evidence::{LogOutcome, Obstacle};
use remediator_decide::log::place;
use remediator_decide::log::place::{LogPlace, LogStream, Window};
use remediator_decide::probe::{PROBES, ProbeName, execution_role, image_lookup, service_events, target_health};
use remediator_decide::service::Service;

use super::Remediator;

/// For how long one log is read, whatever the budget of calls. If it takes longer, no other log of the stop is read.
const PATIENCE: Duration = Duration::from_secs(10);

/// What several probes of one stop look up once.
#[derive(Default)]
struct SharedLookups {
    definition: Option<Result<TaskDefinition, Failure>>,
    service: Option<Lookup<Service>>,
}

impl Remediator {
    /// Diagnoses a stop by its text. Where a task seems to have done its work although one of its containers failed,
    /// its definition is read: it says which container was essential, which an event does not.
    pub(crate) async fn know_completion(&self, task: StoppedTask) -> (StoppedTask, Diagnosis) {
        let by_text = diagnose(&task, &BTreeMap::new());
        let has_failed = task.containers.iter().any(|container| container.exit_code.is_some_and(|code| code != 0));
        if by_text.cause != Cause::TaskCompleted || by_text.confidence == Confidence::High || !has_failed {
            return (task, by_text);
        }
        match self
            .in_time("ecs:DescribeTaskDefinition", self.ecs.task_definition(&task.task_definition_arn))
            .await
        {
            Ok(definition) => {
                let task = task.with_definition(&definition);
                let diagnosis = diagnose(&task, &BTreeMap::new());
                (task, diagnosis)
            }
            Err(failure) => {
                tracing::warn!(task = task.task_arn, %failure, "{}: which container was essential is not known: \
                    {failure}", task.task_id());
                (task, by_text)
            }
        }
    }

    /// Diagnoses a stop by its text, and by every probe that is worth it.
    pub(crate) async fn look_closer(
        &self,
        task: &StoppedTask,
        by_text: Diagnosis,
        spent: &mut LogsRead,
        now: Timestamp,
    ) -> Diagnosis {
        let (mut seen, mut found, mut settled) = (SharedLookups::default(), by_text.clone(), Vec::new());
        spent.begin(&task.task_definition_arn);
        let known = spent.settled(by_text.cause, now);
        for probe in PROBES.iter().filter(|probe| (probe.is_worth)(task, &by_text)) {
            let result = match probe.name {
                ProbeName::ContainerLog => {
                    found = self.read_logs(task, by_text.clone(), spent, &mut seen, now).await;
                    continue;
                }
                // The other probes find the same for every task that stops alike, so they are asked only now and then.
                _ if known.is_some() => continue,
                ProbeName::ServiceEvents => self.ask_service(task, &mut seen).await,
                ProbeName::TargetHealth => self.ask_target_group(task, &mut seen).await,
                ProbeName::ImageLookup => self.ask_registry(&by_text).await,
                ProbeName::ExecutionRole => self.ask_role(task, &by_text, &mut seen).await,
            };
            settled.push(result);
        }
        let settled = match known {
            Some(known) => known,
            None => {
                spent.settle(by_text.cause, settled.clone(), now);
                settled
            }
        };
        settled.iter().for_each(|settled| settled.apply(&mut found));
        found
    }

    /// Diagnoses a stop with the logs of its containers, the most suspect first, until one explains it.
    async fn read_logs(
        &self,
        task: &StoppedTask,
        by_text: Diagnosis,
        spent: &mut LogsRead,
        seen: &mut SharedLookups,
        now: Timestamp,
    ) -> Diagnosis {
        let mut budget = spent.budget();
        if budget.calls == 0 {
            return evidence::as_told_before(spent, by_text);
        }
        let definition = match self.definition(task, seen).await {
            Ok(definition) => definition,
            Err(failure) => {
                let settled_by = "the task definition, which says where the log is".to_owned();
                return evidence::without_logs(
                    by_text,
                    &format!("the task definition could not be read ({failure})"),
                    Some(settled_by),
                );
            }
        };
        let task = task.clone().with_definition(&definition);
        let named = diagnose_read(&task, &BTreeMap::new());
        if named.cause.is_benign() {
            return named;
        }
        let before = budget.calls;
        let window = Window::of_task(&task, now);
        let mut outcomes = Vec::new();
        for container in place::containers(&task, &named) {
            let outcome = match place::of_container(&definition, &task, container).within(&self.settings.log_groups) {
                LogPlace::Nowhere(why) => LogOutcome::Nowhere(why),
                LogPlace::Stream(_) if budget.calls == 0 => continue,
                LogPlace::Stream(stream) => self.read_log(stream, window, &mut budget).await,
            };
            outcomes.push((container.to_owned(), outcome));
            if evidence::is_explained(by_text.cause, &evidence::explain(&task, &outcomes)) {
                break;
            }
        }
        let found = evidence::explain(&task, &outcomes);
        spent.add(before - budget.calls, by_text.cause, &found);
        found
    }

    async fn read_log(&self, stream: LogStream, window: Window, budget: &mut LogBudget) -> LogOutcome {
        let mut picker = Picker::default();
        let reading = self.logs.read(&stream, window, budget, |page| picker.before(page.iter().copied()));
        let patience = self.time_for(PATIENCE);
        match tokio::time::timeout(patience, reading).await {
            Ok(Ok(reading)) => LogOutcome::Read(stream, reading.describe(), Box::new(picker)),
            // What came before the failure still tells something: it is the end of the log.
            Ok(Err(failure)) if !picker.is_empty() => {
                LogOutcome::Read(stream, format!("only its end, because then {failure}"), Box::new(picker))
            }
            Ok(Err(failure)) => LogOutcome::Failed(stream, obstacle(&failure)),
            Err(_) => {
                budget.calls = 0;
                LogOutcome::Failed(stream, Obstacle::Other(Failure::late("logs:GetLogEvents", patience).to_string()))
            }
        }
    }

    async fn ask_service(&self, task: &StoppedTask, seen: &mut SharedLookups) -> Settled {
        match self.service(task, seen).await {
            Lookup::Found(service) => service_events::settle(&service, task),
            Lookup::Unknown(doubt) => Settled::failed("service", doubt, "the service's events"),
            Lookup::Absent => Settled::default(),
        }
    }

    async fn ask_target_group(&self, task: &StoppedTask, seen: &mut SharedLookups) -> Settled {
        let service = self.service(task, seen).await;
        let Some(group) = target_health::group(task, service.found()) else {
            return Settled::default();
        };
        match self
            .in_time("elasticloadbalancing:DescribeTargetHealth", self.balancers.target_health(&group))
            .await
        {
            Ok(targets) => target_health::settle(&group, &targets),
            Err(failure) => Settled::failed("target group", failure, format!("the health of the targets in {group}")),
        }
    }

    async fn ask_registry(&self, diagnosis: &Diagnosis) -> Settled {
        let Some(image) = image_lookup::image(diagnosis) else {
            return Settled::default();
        };
        let answer = self.resolve(&image).await;
        image_lookup::settle(diagnosis, &image, &answer.resolved, answer.left)
    }

    async fn ask_role(&self, task: &StoppedTask, diagnosis: &Diagnosis, seen: &mut SharedLookups) -> Settled {
        let definition = match self.definition(task, seen).await {
            Ok(definition) => definition,
            Err(failure) => return Settled::failed("execution role", failure, "the task definition's execution role"),
        };
        let Some(role) = definition.execution_role_arn() else {
            return execution_role::settle(None, task.launch_type.as_deref(), &Lookup::Absent);
        };
        let Some(repository) = execution_role::repository(diagnosis, role) else {
            return Settled::default();
        };
        let asked = async { Ok(self.roles.may_pull(role, std::slice::from_ref(&repository)).await) };
        let answers = match self.in_time("iam:SimulatePrincipalPolicy", asked).await {
            Ok(answers) => answers,
            Err(late) => return Settled::failed("execution role", late, "whether the execution role may pull"),
        };
        execution_role::settle(
            Some(role),
            task.launch_type.as_deref(),
            answers.get(&repository).unwrap_or(&Lookup::Absent),
        )
    }

    async fn definition(&self, task: &StoppedTask, seen: &mut SharedLookups) -> Result<TaskDefinition, Failure> {
        if seen.definition.is_none() {
            let asked = self.ecs.task_definition(&task.task_definition_arn);
            seen.definition = Some(self.in_time("ecs:DescribeTaskDefinition", asked).await);
        }
        seen.definition
            .clone()
            .unwrap_or_else(|| Err(Failure::unexpected("ecs:DescribeTaskDefinition", "nothing was asked")))
    }

    async fn service(&self, task: &StoppedTask, seen: &mut SharedLookups) -> Lookup<Service> {
        if seen.service.is_none() {
            seen.service = Some(match task.service_name() {
                Some(name) => {
                    self.look_at_service(&ServiceId { cluster_arn: task.cluster_arn.clone(), name: name.to_owned() })
                        .await
                }
                None => Lookup::Absent,
            });
        }
        seen.service.clone().unwrap_or(Lookup::Unknown(Doubt::lasting("nothing was asked")))
    }
}

/// Why a log could not be read, from the call that failed.
fn obstacle(failure: &Failure) -> Obstacle {
    match failure.kind {
        FailureKind::NotFound => {
            Obstacle::Missing(failure.message.clone().unwrap_or_else(|| "it does not exist".to_owned()))
        }
        FailureKind::Denied => Obstacle::Denied,
        FailureKind::ConditionFailed | FailureKind::Throttled | FailureKind::Unavailable | FailureKind::Refused => {
            Obstacle::Other(failure.to_string())
        }
    }
}
