//! What is done about a refusal: the marks of a pause that did not happen are taken back, and what cannot be taken back
//! is left to a person.

use pullsafe::arn::{Arn, ServiceId};
use pullsafe::reference::ecr_host;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::{Failure, FailureKind};
use pullsafe_incident::command;
use pullsafe_incident::plan::{Plan, Step, Suspended};
use pullsafe_incident::refusal::StepRefusal;
use remediator_decide::refusal;
use remediator_decide::refusal::Lacks;
use remediator_decide::service::{Service, marks};

use super::Remediator;

impl Remediator {
    /// Ends a plan whose step at `at` was refused. `tries` includes this try.
    ///
    /// # Errors
    /// A call failed for a passing reason; the plan is to be repeated, and is refused again.
    pub(crate) async fn refused(
        &self,
        plan: &Plan,
        at: usize,
        failure: &Failure,
        tries: u32,
        now: Timestamp,
    ) -> Result<StepRefusal, Failure> {
        let (before, rest) = plan.steps.split_at(at);
        let id = plan.steps.iter().find_map(Step::service);
        // Steps that changed the service itself stand, and so do the marks that tell of them.
        let changed = before.iter().any(changes_the_service);
        let is_pause = matches!(plan.steps.first(), Some(Step::TagService { .. }));
        let mut left = Vec::new();
        if let (false, true, Some(id)) = (changed, is_pause, id) {
            for step in rest.first().into_iter().chain(before.iter().rev()) {
                left.extend(self.take_back(id, step).await?);
            }
        } else if changed || !is_pause {
            left.extend(rest.iter().filter_map(command::of));
        }
        let done = if changed { before.iter().map(Step::describe).collect() } else { Vec::new() };
        let seen = match id {
            Some(id) => {
                self.ecs.service(id).await.ok().flatten().map_or_else(String::new, |service| fingerprint(&service))
            }
            None => String::new(),
        };
        let message = failure.message.as_deref().unwrap_or_default();
        let denied = failure.kind == FailureKind::Denied;
        let resource = rest
            .first()
            .and_then(repository)
            .or_else(|| self.resource_of(failure.call))
            .or_else(|| id.map(|id| refusal::resource(failure.call, id)));
        let resource = resource.unwrap_or_else(|| "*".to_owned());
        Ok(StepRefusal {
            at: now,
            call: failure.call.to_owned(),
            why: format!("{}: {message}", failure.code.as_deref().unwrap_or("refused")),
            missing: refusal::missing(
                failure.call,
                failure.code.as_deref().unwrap_or_default(),
                message,
                if denied { Lacks::Permission } else { Lacks::Other },
                &resource,
            ),
            denied,
            tries,
            done,
            left,
            seen,
        })
    }

    /// The resource of the stack itself that a call is about, as a policy names it.
    pub(crate) fn resource_of(&self, call: &str) -> Option<String> {
        let topic = &self.settings.topic_arn;
        let Arn { partition, region, account, .. } = Arn::parse(topic)?;
        match call {
            "sns:Publish" => Some(topic.clone()),
            "events:PutEvents" if self.settings.event_bus.starts_with("arn:") => Some(self.settings.event_bus.clone()),
            "events:PutEvents" => {
                Some(format!("arn:{partition}:events:{region}:{account}:event-bus/{}", self.settings.event_bus))
            }
            // The one queue that a step sends to.
            "sqs:SendMessage" => {
                let name = self.settings.mirror_queue_url.as_deref()?.rsplit('/').next()?;
                Some(format!("arn:{partition}:sqs:{region}:{account}:{name}"))
            }
            _ => None,
        }
    }

    /// Takes a step of a pause back, if it took effect. Returns the command for a person where that is refused too.
    async fn take_back(&self, id: &ServiceId, step: &Step) -> Result<Option<String>, Failure> {
        match step {
            Step::TagService { tags, .. } => {
                let Some(service) = self.ecs.service(id).await.or_else(|failure| passing(failure, None))? else {
                    return Ok(None);
                };
                let ours = |key: &&String| service.tags.get(*key) == tags.get(*key);
                let keys: Vec<String> = tags.keys().filter(ours).cloned().collect();
                if keys.is_empty() {
                    return Ok(None);
                }
                let command = command::untag(id, &keys);
                self.ecs.untag(id, &keys).await.map(|()| None).or_else(|failure| passing(failure, Some(command)))
            }
            Step::SetScaling { suspended, expected, .. } => {
                let target = self.scaling.target(id).await.or_else(|failure| passing(failure, None))?;
                if target.is_none_or(|target| target.suspended != *suspended) {
                    return Ok(None);
                }
                let command = command::scaling(id, *expected);
                self.scaling
                    .suspend(id, *expected)
                    .await
                    .map(|()| None)
                    .or_else(|failure| passing(failure, Some(command)))
            }
            Step::UntagService { .. }
            | Step::SetDesiredCount { .. }
            | Step::MoveService { .. }
            | Step::ForceNewDeployment { .. }
            | Step::RestoreImage { .. }
            | Step::AskMirror { .. } => Ok(None),
        }
    }
}

/// The state by which a service counts as changed by somebody: its newest deployment, and whether it is to run or is
/// paused.
pub(crate) fn fingerprint(service: &Service) -> String {
    let deployment = service.primary().map(|primary| primary.id.as_str()).unwrap_or_default();
    let paused = service.tags.contains_key(marks::PAUSED_COUNT);
    format!("{deployment} {} {paused}", if service.desired == 0 { "stopped" } else { "wanted" })
}

/// What a pause that was begun has left on a service that is not paused, for the end of a sentence.
pub(crate) fn leftovers(service: &Service) -> String {
    let keys: Vec<String> = marks::OF_A_PAUSE
        .iter()
        .filter(|key| service.tags.contains_key(**key))
        .map(|key| (*key).to_owned())
        .collect();
    if keys.is_empty() || service.desired == 0 {
        return String::new();
    }
    let scaling = service.tags.get(marks::PAUSED_SCALING).and_then(|state| Suspended::parse(state));
    let commands = scaling
        .map(|state| command::scaling(&service.id, state))
        .into_iter()
        .chain([command::untag(&service.id, &keys)]);
    format!(
        ". What was begun is left on the service, which is not paused; to remove it:\n{}",
        commands.collect::<Vec<_>>().join("\n")
    )
}

/// Returns `refused` for a call that was refused, and the failure itself if it passes.
fn passing<T>(failure: Failure, refused: T) -> Result<T, Failure> {
    if failure.is_transient() { Err(failure) } else { Ok(refused) }
}

/// The repository that a step changes, as a policy names it.
fn repository(step: &Step) -> Option<String> {
    let Step::RestoreImage { service, image } = step else {
        return None;
    };
    let (host, partition) = (ecr_host(image.registry())?, Arn::parse(&service.cluster_arn)?.partition);
    Some(format!("arn:{partition}:ecr:{}:{}:repository/{}", host.region, host.account, image.repository()))
}

const fn changes_the_service(step: &Step) -> bool {
    match step {
        Step::SetDesiredCount { .. } | Step::MoveService { .. } | Step::ForceNewDeployment { .. } => true,
        Step::TagService { .. }
        | Step::UntagService { .. }
        | Step::SetScaling { .. }
        | Step::RestoreImage { .. }
        | Step::AskMirror { .. } => false,
    }
}
