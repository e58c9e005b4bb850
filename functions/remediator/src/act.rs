//! Carries out the steps of a plan.
//!
//! Every step looks before it acts, and says so where it was done before. So a plan can be repeated from its beginning
//! after a crash at any point. A step does nothing where somebody else has made a change meanwhile: theirs stands. The
//! mode is looked up right before each call that changes something, and a refusal is a result, not an error.

use crate::aws::ecs::Deploys;
use pullsafe::arn::{ServiceId, family_and_revision};
use pullsafe::count::counted;
use pullsafe::lookup::{Lookup, Storage};
use pullsafe::mirror_job::MirrorJob;
use pullsafe::reference::{Reference, ecr_host};
use pullsafe::settings::Mode;
use pullsafe_aws::Failure;
use pullsafe_aws::ecr::{FoundImage, ImageId};
use pullsafe_events::task_definition::{CLONED_FROM, TaskDefinition};
use pullsafe_incident::plan::{Plan, Step, Suspended};
use remediator_decide::remedy::guard::{another_stack, not_held};
use remediator_decide::service::Service;
use serde_json::Value;

use super::Remediator;

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// Done now.
    Done,
    /// It had been done before.
    AlreadyDone,
    /// Somebody else changed what it was about; the rest of the plan still holds.
    Skipped(String),
    /// Somebody else changed what it was about; the plan no longer holds.
    Abandon(String),
}

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acted {
    /// Every step is done.
    Done,
    /// The plan was given up, and why.
    GivenUp(String),
    /// AWS refused the step at this index.
    Refused(usize, Failure),
}

impl Remediator {
    /// Carries out every step in order, as long as the mode is at least `least`.
    ///
    /// # Errors
    /// A call failed for a passing reason; the plan is to be repeated.
    pub(crate) async fn act(&self, plan: &Plan, least: Mode) -> Result<Acted, Failure> {
        for (at, step) in plan.steps.iter().enumerate() {
            let what = step.describe();
            match self.step(step, least).await {
                Ok(StepOutcome::Abandon(why)) => {
                    tracing::info!(step = what, why, "{what}: given up: {why}");
                    return Ok(Acted::GivenUp(why));
                }
                Ok(outcome) => tracing::info!(step = what, ?outcome, "{what}: {outcome:?}"),
                Err(failure) if failure.is_transient() => return Err(failure),
                Err(failure) => {
                    tracing::warn!(step = what, %failure, "{what}: refused: {failure}");
                    return Ok(Acted::Refused(at, failure));
                }
            }
        }
        Ok(Acted::Done)
    }

    /// Looks at the service right before a call that changes it. `Err` if nothing may be changed any more, or a hook
    /// has stopped a deployment.
    async fn writable(&self, id: &ServiceId, least: Mode) -> Result<Result<Service, StepOutcome>, Failure> {
        let permitted = self.permitted(id, least).await?;
        Ok(permitted.and_then(|service| match not_held(&service) {
            Some(reason) => Err(StepOutcome::Abandon(reason)),
            None => Ok(service),
        }))
    }

    /// Looks at the service right before anything about it is changed. `Err` if nothing may be changed any more.
    /// `least` is the mode that is needed: ask for what a person has said yes to, act for anything else.
    pub(crate) async fn permitted(&self, id: &ServiceId, least: Mode) -> Result<Result<Service, StepOutcome>, Failure> {
        let (service, leave) = tokio::join!(self.ecs.service(id), self.ask_for_leave(id));
        let Some(service) = service? else {
            return Ok(Err(StepOutcome::Abandon("the service no longer exists".to_owned())));
        };
        if let Some(reason) = another_stack(&self.settings.stack, &service) {
            return Ok(Err(StepOutcome::Abandon(reason)));
        }
        match self.mode_of(&service, &leave)? {
            mode if mode >= least => Ok(Ok(service)),
            mode => {
                let left = crate::refuse::leftovers(&service);
                let why = self
                    .yields(&service, &leave)?
                    .unwrap_or_else(|| format!("the mode is {} now: nothing more is changed", mode.as_str()));
                Ok(Err(StepOutcome::Abandon(format!("{why}{left}"))))
            }
        }
    }

    async fn step(&self, step: &Step, least: Mode) -> Result<StepOutcome, Failure> {
        match step {
            Step::TagService { service, tags } => match self.writable(service, least).await? {
                Ok(_) => self.ecs.tag(service, tags).await.map(|()| StepOutcome::Done),
                Err(outcome) => Ok(outcome),
            },
            Step::UntagService { service, keys } => match self.writable(service, least).await? {
                Ok(_) => self.ecs.untag(service, keys).await.map(|()| StepOutcome::Done),
                Err(outcome) => Ok(outcome),
            },
            Step::SetScaling { service, suspended, expected } => {
                self.set_scaling(service, *suspended, *expected, least).await
            }
            Step::SetDesiredCount { service, from, to, force } => {
                self.set_desired_count(service, *from, *to, *force, least).await
            }
            Step::MoveService { service, from, request, .. } => self.move_service(service, from, request, least).await,
            Step::ForceNewDeployment { service, deployment } => {
                self.force_new_deployment(service, deployment, least).await
            }
            Step::RestoreImage { service, image } => match self.writable(service, least).await? {
                Ok(_) => Box::pin(self.restore_image(image)).await,
                Err(outcome) => Ok(outcome),
            },
            Step::AskMirror { source, target, requested_by } => match &self.settings.mirror_queue_url {
                Some(queue) => {
                    let job = MirrorJob::message(source, target, requested_by);
                    self.queues.send(queue, &job, 0).await.map(|()| StepOutcome::Done)
                }
                None => Ok(StepOutcome::Abandon("no mirror can be asked any more".to_owned())),
            },
        }
    }

    /// Brings an image back from ECR's archive.
    pub(crate) async fn restore_image(&self, image: &Reference) -> Result<StepOutcome, Failure> {
        const CALL: &str = "ecr:UpdateImageStorageClass";
        let (Some(host), Some(digest)) = (ecr_host(image.registry()), image.digest()) else {
            return Ok(StepOutcome::Abandon(format!("{image} names no image of ECR by its digest")));
        };
        match self.account.ecr().kept(image).await {
            Lookup::Found(FoundImage { storage: Storage::Standard | Storage::Returning, .. }) => {
                return Ok(StepOutcome::AlreadyDone);
            }
            Lookup::Absent => return Ok(StepOutcome::Abandon(format!("{image} is gone"))),
            Lookup::Found(FoundImage { storage: Storage::Archive, .. }) | Lookup::Unknown(_) => {}
        }
        let (ecr, id) = (self.account.ecr().get(host.region), ImageId::Digest(digest.clone()));
        match ecr.restore(Some(host.account), image.repository(), &id).await {
            Ok(()) => Ok(StepOutcome::Done),
            Err(error) => {
                Err(Failure::within(CALL, error.code.as_deref().unwrap_or("ServerException"), Some(&error.message)))
            }
        }
    }

    async fn set_scaling(
        &self,
        service: &ServiceId,
        suspended: Suspended,
        expected: Suspended,
        least: Mode,
    ) -> Result<StepOutcome, Failure> {
        if let Err(outcome) = self.writable(service, least).await? {
            return Ok(outcome);
        }
        match self.scaling.target(service).await? {
            None => Ok(StepOutcome::Skipped("the service is no longer scaled automatically".to_owned())),
            Some(target) if target.suspended == suspended => Ok(StepOutcome::AlreadyDone),
            Some(target) if target.suspended != expected => {
                Ok(StepOutcome::Skipped(format!("its suspended state was changed to {}", target.suspended)))
            }
            Some(_) => self.scaling.suspend(service, suspended).await.map(|()| StepOutcome::Done),
        }
    }

    async fn set_desired_count(
        &self,
        id: &ServiceId,
        from: i64,
        to: i64,
        force: bool,
        least: Mode,
    ) -> Result<StepOutcome, Failure> {
        match self.writable(id, least).await? {
            Err(outcome) => Ok(outcome),
            Ok(service) if service.desired == to => Ok(StepOutcome::AlreadyDone),
            Ok(service) if service.desired != from => {
                Ok(StepOutcome::Skipped(format!("the desired count was set to {}", service.desired)))
            }
            // The last look before a pause: a task may have come up since the plan was made.
            Ok(service) if to == 0 && service.running > 0 => {
                Ok(StepOutcome::Abandon(counted(service.running, "task", "runs now", "run now")))
            }
            Ok(_) => self
                .ecs
                .set_desired_count(id, to, if force { Deploys::Anew } else { Deploys::Nothing })
                .await
                .map(|()| StepOutcome::Done),
        }
    }

    async fn force_new_deployment(
        &self,
        id: &ServiceId,
        deployment: &str,
        least: Mode,
    ) -> Result<StepOutcome, Failure> {
        match self.writable(id, least).await? {
            Err(outcome) => Ok(outcome),
            Ok(service) if service.primary().is_some_and(|primary| primary.id != deployment) => {
                Ok(StepOutcome::AlreadyDone)
            }
            Ok(_) => self.ecs.force_new_deployment(id).await.map(|()| StepOutcome::Done),
        }
    }

    async fn move_service(
        &self,
        id: &ServiceId,
        from: &str,
        request: &Value,
        least: Mode,
    ) -> Result<StepOutcome, Failure> {
        let (made_before, writable) = tokio::join!(self.clone_made_before(from, request), self.writable(id, least));
        let (clone, writable) = match made_before? {
            Some(clone) => (clone, writable?),
            None => {
                if let Err(outcome) = writable? {
                    return Ok(outcome);
                }
                let registered = self.ecs.register(request).await?;
                // What ECS made of the request is read while the service is looked at once more.
                let (clone, writable) =
                    tokio::join!(self.ecs.task_definition(registered.arn()), self.writable(id, least));
                let clone = clone?;
                let differences = clone.differences(request);
                if !differences.is_empty() {
                    let left = self.withdraw(&clone).await?;
                    return Ok(StepOutcome::Abandon(format!(
                        "ECS registered a clone that differs in {}, so that it is not used{left}",
                        differences.join(", ")
                    )));
                }
                (clone, writable?)
            }
        };
        let moved_on = match writable {
            Ok(service) if service.task_definition == clone.arn() => return Ok(StepOutcome::AlreadyDone),
            Ok(service) if service.task_definition == from => None,
            Ok(service) => {
                let meanwhile = service.task_definition.rsplit('/').next().unwrap_or_default();
                Some(StepOutcome::Abandon(format!("{meanwhile} was deployed meanwhile")))
            }
            Err(outcome) => Some(outcome),
        };
        if let Some(outcome) = moved_on {
            let left = self.withdraw(&clone).await?;
            return Ok(match outcome {
                StepOutcome::Abandon(why) => StepOutcome::Abandon(why + &left),
                other @ (StepOutcome::Done | StepOutcome::AlreadyDone | StepOutcome::Skipped(_)) => other,
            });
        }
        match self.ecs.set_task_definition(id, clone.arn()).await {
            Ok(()) => Ok(StepOutcome::Done),
            Err(failure) if failure.is_transient() => Err(failure),
            Err(mut failure) => {
                let left = self.withdraw(&clone).await?;
                failure.message = Some(failure.message.unwrap_or_default() + &left);
                Err(failure)
            }
        }
    }

    /// Withdraws a clone that no service is to use. If AWS refuses that too, the clone is left, which does no harm: the
    /// text that is returned says so, as the end of a sentence.
    async fn withdraw(&self, clone: &TaskDefinition) -> Result<String, Failure> {
        match self.ecs.deregister(clone.arn()).await {
            Ok(()) => Ok(String::new()),
            Err(failure) if failure.is_transient() => Err(failure),
            Err(failure) => {
                let code = failure.code.as_deref().unwrap_or("refused");
                Ok(format!(
                    ". No service uses the clone {}, and it is left, for {} was refused ({code})",
                    clone.arn(),
                    failure.call
                ))
            }
        }
    }

    /// Finds the clone that an earlier try has registered: newer than the original, tagged as its clone, and equal to
    /// the request.
    async fn clone_made_before(&self, from: &str, request: &Value) -> Result<Option<TaskDefinition>, Failure> {
        let Some((family, revision)) = family_and_revision(from) else {
            return Ok(None);
        };
        let newer = self.ecs.newest_revisions(family).await?;
        let newer = newer
            .iter()
            .filter(|arn| family_and_revision(arn).is_some_and(|(found, newer)| found == family && newer > revision));
        for arn in newer {
            let candidate = self.ecs.task_definition(arn).await?;
            if candidate.tag(CLONED_FROM) == Some(from) && candidate.differences(request).is_empty() {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }
}
