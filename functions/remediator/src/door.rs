//! The door: a deployment waits at its hook before its first task, and is answered.
//!
//! 1. **Is it ours?** ECS says which hook it is, whether it still waits, and until when (`decide/door.rs`).
//! 2. **Look** at the revision that the deployment is to run: everything side by side, and within the time for one
//!    event.
//! 3. **Decide.** Where nothing speaks against the deployment, it goes on: one call, and nothing is written.
//! 4. **Wait** in a row, not in a running function: for a push, for the mirror's copy. Their events, or the sweep, lead
//!    back to 1.
//! 5. **Answer and tell.** A rollback is stored before the hook is answered, so that it is told once even if the
//!    process dies in between.
//!
//! Whatever fails here, ECS lets the deployment go on when the hook's own time is over.

use crate::act::{Acted, StepOutcome};
use crate::aws::deployments::HookReply;
use pullsafe::lookup::Lookup;
use pullsafe::reference::Reference;
use pullsafe::settings::Mode;
use pullsafe_aws::Failure;
use pullsafe_events::Subject;
use pullsafe_events::hook::HookWaits;
use pullsafe_incident::door::{AtDoor, DoorOutcome, DoorVerdict};
use pullsafe_incident::notice;
use pullsafe_incident::plan::Plan;
use pullsafe_incident::store::Next;
use pullsafe_incident::waiting::WaitingFor;
use pullsafe_inspect::{InspectFinding, Needs, findings};
use remediator_decide::door::{self, DoorDecision, DoorSituation, HookEnd, HookOwnership, Revision, WaitingDeployment};
use remediator_decide::remedy;
use remediator_decide::service::Service;
use remediator_decide::state::HookStatus;

use super::ahead::{AheadReason, GoAhead};
use super::lease::{Invocation, Lease};
use super::{Remediator, Tally};

/// What was found at the door.
struct DoorFindings {
    task_definition: String,
    service: Lookup<Service>,
    mode: Mode,
    findings: Vec<InspectFinding>,
    /// The images that lie in ECR's archive.
    archived: Vec<Reference>,
    /// The plan for its images of Docker Hub, where something is to be done about them.
    ahead: Option<Plan>,
    replaces: bool,
}

/// What a look at the door came to.
enum Looked {
    /// Everything that a decision is based on.
    Whole(Box<DoorFindings>),
    /// pullsafe is off here, or it is not known what is deployed.
    Nothing,
    /// Another stack of pullsafe acts on the service, and answers.
    Another(String),
}

impl DoorFindings {
    fn verdict(&self, outcome: DoorOutcome) -> DoorVerdict {
        let found = self.findings.iter().map(ToString::to_string).collect();
        let mut advice: Vec<String> = self
            .findings
            .iter()
            .filter(|finding| finding.is_certain_failure())
            .map(|finding| finding.advice.clone())
            .collect();
        advice.dedup();
        DoorVerdict {
            outcome,
            task_definition: self.task_definition.clone(),
            found,
            advice,
        }
    }
}

impl Remediator {
    /// Handles a deployment that waits at a hook, when the wait begins and at each later look.
    pub(crate) async fn hook_waits(&self, waits: &HookWaits, by: Invocation<'_>) -> Result<Tally, Failure> {
        if !self.settings.answer_hooks {
            return Ok(Tally::ignored("this stack answers no hooks".to_owned()));
        }
        let subject = Subject::Service(waits.service.clone());
        let row = self.table.read(&subject, by.id, by.now).await?;
        if row.is_leased {
            return Ok(Tally::deferred());
        }
        let known = row.record.door.clone().filter(|door| door.hook == *waits);
        let expires_at = match self.standing(waits).await? {
            HookOwnership::Ours(expires_at) => expires_at,
            HookOwnership::NotOurs(why) => {
                // A hook that was pullsafe's may not be any more: then the record forgets it, and it holds up nothing
                // here.
                if known.is_some() {
                    self.forget(&subject, waits, by).await?;
                }
                return Ok(Tally::ignored(format!("the hook is not pullsafe's: {why}")));
            }
            HookOwnership::Over(how) => match known {
                Some(door) => return self.is_over(&subject, door, how, by).await,
                None => return Ok(Tally::ignored(format!("the hook does not wait: {how}"))),
            },
        };
        // A verdict that was stored before a process died is carried out.
        if let Some(AtDoor { verdict: Some(verdict), .. }) = &known {
            return self.answer_and_tell(&subject, waits, verdict.clone(), by).await;
        }
        let since = known.as_ref().map_or(by.now, |door| door.since);
        let found = match Box::pin(self.look_at_door(waits)).await? {
            Looked::Whole(found) => found,
            Looked::Nothing => return self.lets_go_on(&subject, waits, known.is_some(), None, by).await,
            Looked::Another(why) => return Ok(Tally::ignored(why)),
        };
        let situation = DoorSituation {
            now: by.now,
            since,
            expires_at,
            mode: found.mode,
            findings: &found.findings,
            ahead: found.ahead.as_ref(),
            archived: &found.archived,
            replaces: found.replaces,
        };
        match door::decide(situation) {
            DoorDecision::GoesOn | DoorDecision::GoesOnAndMoves => {
                self.lets_go_on(&subject, waits, known.is_some(), Some(&found), by).await
            }
            DoorDecision::GoesOnToFail(why) => {
                let verdict = found.verdict(DoorOutcome::GoesOn(why.to_owned()));
                self.answer_and_tell(&subject, waits, verdict, by).await
            }
            DoorDecision::IsRolledBack => {
                self.answer_and_tell(&subject, waits, found.verdict(DoorOutcome::RolledBack), by).await
            }
            DoorDecision::Waits(waiting, until) => {
                let door = AtDoor { hook: waits.clone(), since, until, waiting, verdict: None };
                self.lets_wait(&subject, door, known.as_ref(), &found, by).await
            }
        }
    }

    async fn standing(&self, waits: &HookWaits) -> Result<HookOwnership, Failure> {
        Ok(match self.deployment(waits).await? {
            Some(deployment) => door::standing(&deployment, waits),
            None => HookOwnership::Over(HookEnd::Unseen("there is no such deployment".to_owned())),
        })
    }

    async fn deployment(&self, waits: &HookWaits) -> Result<Option<WaitingDeployment>, Failure> {
        let deployments = self.ecs.deployments();
        match self.in_time("ecs:DescribeServiceDeployments", deployments.deployment(&waits.deployment)).await {
            Err(failure) if !failure.is_transient() => {
                tracing::error!(%failure, hook = waits.hook, "{}: a deployment waits and cannot be looked at: \
                    {failure}", waits.service);
                Ok(None)
            }
            answer => answer,
        }
    }

    /// Looks up everything that a decision is based on.
    async fn look_at_door(&self, waits: &HookWaits) -> Result<Looked, Failure> {
        let Some(deployment) = self.deployment(waits).await? else {
            return Ok(Looked::Nothing);
        };
        let deployments = self.ecs.deployments();
        let revision = async {
            match &deployment.target {
                Some(arn) => self.in_time("ecs:DescribeServiceRevisions", deployments.revision(arn)).await,
                None => Ok(None),
            }
        };
        let (revision, service, leave) =
            tokio::join!(revision, self.look_at_service(&waits.service), self.look_for_leave(&waits.service));
        // Where the service is not known, nothing is changed.
        let mode = service.found().map_or(Mode::Observe, |service| self.mode(Some(service), &leave));
        if let Some(why) = service.found().and_then(|service| self.yields(service, &leave).ok().flatten()) {
            return Ok(Looked::Another(why));
        }
        let revision = revision.unwrap_or_else(|failure| {
            tracing::warn!(%failure, "{}: what is deployed is not known: {failure}", waits.service);
            None
        });
        let Some(revision) = revision.filter(|_| mode != Mode::Off) else {
            return Ok(Looked::Nothing);
        };
        Ok(Looked::Whole(Box::new(self.look_at_revision(revision, service, mode, deployment.replaces).await)))
    }

    async fn look_at_revision(
        &self,
        revision: Revision,
        service: Lookup<Service>,
        mode: Mode,
        replaces: bool,
    ) -> DoorFindings {
        let seen = self.observe_ahead(service.clone(), &revision.task_definition).await;
        let (findings, archived) = match seen.task_definition.found() {
            Some(definition) => {
                let needs = Needs::of(definition, revision.launch, &revision.digests);
                let known = seen.hub_images.iter().map(|image| (image.written.clone(), door::seen_at_hub(image)));
                let known = known.collect();
                let looked = Box::pin(self.looker().look(&needs, known)).await;
                (findings(&needs, &looked, door::tasks(&service)), door::archived(&needs, &looked))
            }
            None => (Vec::new(), Vec::new()),
        };
        let ahead = remedy::ahead::prepare(&self.settings, &seen);
        DoorFindings {
            task_definition: revision.task_definition,
            service,
            mode,
            findings,
            archived,
            ahead,
            replaces,
        }
    }

    /// Lets a deployment go on that nothing speaks against, and moves its service at once where that is the policy.
    async fn lets_go_on(
        &self,
        subject: &Subject,
        waits: &HookWaits,
        is_known: bool,
        found: Option<&DoorFindings>,
        by: Invocation<'_>,
    ) -> Result<Tally, Failure> {
        if let Err(failure) = self.say(waits, HookReply::GoOn).await? {
            let verdict = DoorVerdict {
                outcome: DoorOutcome::NotAnswered(failure.to_string()),
                task_definition: found.map(|found| found.task_definition.clone()).unwrap_or_default(),
                found: Vec::new(),
                advice: Vec::new(),
            };
            return self.tell_verdict(subject, waits, verdict, by).await;
        }
        if is_known {
            self.forget(subject, waits, by).await?;
        }
        let Some(found) = found else {
            return Ok(Tally::worked("went-on", "the deployment was not looked at", None));
        };
        if let (Some(plan), Some(service)) = (&found.ahead, found.service.found()) {
            let definition = &found.task_definition;
            let ahead = GoAhead { definition, plan, mode: found.mode, why: AheadReason::Begins };
            return self.go_ahead(&service.id, ahead, by).await;
        }
        Ok(Tally::worked("went-on", "nothing speaks against the deployment", None))
    }

    /// Lets a deployment wait. What it waits for is stored before the mirror is asked, because a copy can come at once.
    async fn lets_wait(
        &self,
        subject: &Subject,
        door: AtDoor,
        known: Option<&AtDoor>,
        found: &DoorFindings,
        by: Invocation<'_>,
    ) -> Result<Tally, Failure> {
        // What is waited for already is not written again, and the mirror is not asked again.
        if known.is_some_and(|known| known.waiting == door.waiting) {
            return Ok(Tally::worked("waits", "what the deployment waits for has not come", None));
        }
        let Some(mut lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        let waiting = door.waiting.iter().map(WaitingFor::describe_at_door).collect::<Vec<_>>().join("; ");
        self.table.expect(subject, &mut lease.record, &door.names(), by.now).await?;
        if let Some(plan) = &found.ahead
            && let Acted::Refused(_, failure) = self.act(&asking(plan), Mode::Ask).await?
        {
            tracing::warn!(%failure, "{subject}: the mirror could not be asked: {failure}");
        }
        for image in found.archived.iter().filter(|_| self.settings.restore_archived) {
            let restored = async {
                match self.permitted(&door.hook.service, Mode::Act).await? {
                    Ok(_) => Box::pin(self.restore_image(image)).await,
                    Err(outcome) => Ok(outcome),
                }
            };
            match restored.await {
                Err(failure) if failure.is_transient() => return Err(failure),
                Err(failure) => tracing::warn!(%failure, "{subject}: {image} could not be brought back: {failure}"),
                Ok(outcome) => tracing::info!(?outcome, "{subject}: {image} in the archive: {outcome:?}"),
            }
        }
        // If the process dies before this, the next one asks again, which changes nothing.
        lease.record.door = Some(door);
        lease.save(&self.table, Next::Soon).await?;
        Ok(Tally::worked("waits", waiting, None))
    }

    /// Answers the hook, and tells people. The verdict is stored before.
    async fn answer_and_tell(
        &self,
        subject: &Subject,
        waits: &HookWaits,
        mut verdict: DoorVerdict,
        by: Invocation<'_>,
    ) -> Result<Tally, Failure> {
        let Some(mut lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        let known = lease.record.door.as_ref().filter(|door| door.hook == *waits);
        let since = known.map_or(by.now, |door| door.since);
        lease.record.door = Some(AtDoor {
            hook: waits.clone(),
            since,
            until: by.now,
            waiting: Vec::new(),
            verdict: Some(verdict.clone()),
        });
        lease.keep(&self.table, Next::Soon).await?;
        // Whoever decided on a rollback, and whenever: it is done only if it is permitted now.
        let mut answer = match verdict.outcome {
            DoorOutcome::RolledBack => HookReply::RollBack,
            DoorOutcome::GoesOn(_) | DoorOutcome::NotAnswered(_) | DoorOutcome::TooLate(_) => HookReply::GoOn,
        };
        if answer == HookReply::RollBack
            && let Err(StepOutcome::Abandon(why) | StepOutcome::Skipped(why)) =
                self.permitted(&waits.service, Mode::Act).await?
        {
            verdict.outcome = DoorOutcome::GoesOn(why);
            answer = HookReply::GoOn;
        }
        match self.say(waits, answer).await? {
            Ok(HookAnswered::Now) => {}
            Ok(HookAnswered::Before(how)) => verdict.outcome = settled(&verdict.outcome, &how),
            Err(failure) => verdict.outcome = DoorOutcome::NotAnswered(failure.to_string()),
        }
        self.close_door(lease, verdict).await
    }

    /// Handles a known hook that does not wait any more: settles its verdict, or forgets the hook where there is none.
    async fn is_over(
        &self,
        subject: &Subject,
        door: AtDoor,
        how: HookEnd,
        by: Invocation<'_>,
    ) -> Result<Tally, Failure> {
        match door.verdict {
            Some(mut verdict) => {
                let Some(lease) = self.lease(subject, by).await? else {
                    return Ok(Tally::deferred());
                };
                verdict.outcome = settled(&verdict.outcome, &how);
                self.close_door(lease, verdict).await
            }
            None => {
                self.forget(subject, &door.hook, by).await?;
                Ok(Tally::worked("went-on", format!("somebody else has answered the hook: {how}"), None))
            }
        }
    }

    async fn tell_verdict(
        &self,
        subject: &Subject,
        waits: &HookWaits,
        verdict: DoorVerdict,
        by: Invocation<'_>,
    ) -> Result<Tally, Failure> {
        tracing::warn!(hook = waits.hook, "{subject}: a deployment that waits could not be answered");
        let Some(lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        self.close_door(lease, verdict).await
    }

    async fn close_door(&self, mut lease: Lease<'_>, verdict: DoorVerdict) -> Result<Tally, Failure> {
        let (word, remedy) = match &verdict.outcome {
            DoorOutcome::RolledBack => ("rolled-back", Some("roll-back")),
            DoorOutcome::GoesOn(_) | DoorOutcome::TooLate(_) => ("went-on", None),
            DoorOutcome::NotAnswered(_) => ("refused", None),
        };
        let why = verdict.found.join("; ");
        let (subject, now, record) = (lease.subject, lease.now(), &mut lease.record);
        let hook = record.door.take().map(|door| door.hook.hook).unwrap_or_default();
        record.notices += 1;
        record
            .outbox
            .push(notice::door(&subject.to_string(), &verdict, format!("door-{hook}-{word}")).into());
        self.tell(subject, record, now).await;
        lease.save(&self.table, Next::Soon).await?;
        Ok(Tally::worked(word, why, remedy))
    }

    async fn forget(&self, subject: &Subject, waits: &HookWaits, by: Invocation<'_>) -> Result<(), Failure> {
        // Whoever has the lease now finds by itself that the hook is over.
        let Some(mut lease) = self.lease(subject, by).await? else {
            return Ok(());
        };
        if lease.record.door.as_ref().is_some_and(|door| door.hook == *waits) {
            lease.record.door = None;
        }
        lease.save(&self.table, Next::Soon).await
    }

    /// Answers a hook. After a refusal, a look finds out whether the hook still waits, because the refusal's words are
    /// not known.
    async fn say(&self, waits: &HookWaits, answer: HookReply) -> Result<Result<HookAnswered, Failure>, Failure> {
        match self.ecs.deployments().answer(waits, answer).await {
            Ok(()) => Ok(Ok(HookAnswered::Now)),
            Err(failure) if failure.is_transient() => Err(failure),
            Err(failure) => Ok(match self.standing(waits).await? {
                HookOwnership::Over(how) => Ok(HookAnswered::Before(how)),
                HookOwnership::Ours(_) | HookOwnership::NotOurs(_) => Err(failure),
            }),
        }
    }
}

/// Whether a hook was answered now.
enum HookAnswered {
    Now,
    /// It was answered before, and what ECS says of it.
    Before(HookEnd),
}

/// What became of an answer when the hook is found over: it took effect in an earlier try, or somebody else was faster.
fn settled(wanted: &DoorOutcome, how: &HookEnd) -> DoorOutcome {
    match wanted {
        DoorOutcome::RolledBack if *how == HookEnd::Status(HookStatus::Failed) => DoorOutcome::RolledBack,
        DoorOutcome::RolledBack => DoorOutcome::TooLate(how.to_string()),
        DoorOutcome::GoesOn(_) | DoorOutcome::NotAnswered(_) | DoorOutcome::TooLate(_) => wanted.clone(),
    }
}

/// The part of a plan that asks the mirror.
fn asking(plan: &Plan) -> Plan {
    let steps = plan.steps.iter().filter(|step| step.service().is_none()).cloned().collect();
    Plan { steps, ..plan.clone() }
}
