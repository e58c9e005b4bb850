//! A build that failed: its phase, the pull in its log, the copies of its base images, and the lines to write instead.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::act::Acted;
use futures_util::future::join_all;
use pullsafe::reference::Reference;
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_diagnosis::build::{PhaseKind, diagnose_build_read, failed_kind};
use pullsafe_diagnosis::build_facts::BaseImage;
use pullsafe_diagnosis::build_log::BuildLog;
use pullsafe_diagnosis::cause::{Diagnosis, Evidence};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::{BuildFailed, Subject};
use pullsafe_incident::happened::Happened;
use pullsafe_incident::incident::Incident;
use pullsafe_incident::kept::CachedAnswers;
use pullsafe_incident::notice;
use pullsafe_incident::notice::PlanOutcome;
use pullsafe_incident::record::{Added, Record};
use pullsafe_incident::refusal::StepRefusal;
use pullsafe_incident::spent::LogsRead;
use pullsafe_incident::waiting::{WaitingFor, WaitingIncident, of_mirrored};
use remediator_decide::build_offer as build_remedy;
use remediator_decide::build_offer::{MirrorOffer, Offer};
use remediator_decide::log::place::{LogPlace, Window, of_build};
use remediator_decide::observation::DockerHubImage;

use super::lease::Invocation;
use super::{Remediator, Tally};

/// For how long a build's log is read, whatever the budget of calls.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many base images are looked up.
const IMAGES: usize = 8;

impl Remediator {
    pub(crate) async fn build_failed(&self, build: BuildFailed, by: Invocation<'_>) -> Result<Tally, Failure> {
        let (project, now) = (build.project.clone(), by.now);
        // A build is remembered as a task is: by its ARN, and once.
        let task = StoppedTask {
            task_arn: build.build.clone(),
            version: 1,
            stopped_at: Some(build.at),
            ..StoppedTask::default()
        };
        let record = self.table.read(&project, by.id, by.now).await?.record;
        if record.would_add(&task, now) != Added::New {
            return Ok(Tally::ignored("this build was seen before".to_owned()));
        }
        let mut spent = record.open.as_ref().map(|incident| incident.log_calls.clone()).unwrap_or_default();
        let diagnosis = self.diagnose_build(&build, &mut spent).await;
        // Tests that fail are the business of whoever wrote them: nothing that pullsafe knows of would help.
        if diagnosis.build.is_none() && !self.settings.notify_all_builds {
            return Ok(Tally::ignored(
                "the build failed for a reason that concerns no image and no registry".to_owned(),
            ));
        }
        let Some(mut lease) = self.lease(&project, by).await? else {
            return Ok(Tally::deferred());
        };
        if lease.record.would_add(&task, now) != Added::New {
            return lease.give_back(&self.table, "this build was seen before").await;
        }
        let (offer, asked) = self.offer_and_ask(&project, &mut lease.record, &diagnosis, 1, now).await?;
        let diagnosis = with_offer(diagnosis, &offer);
        lease.record.add_failure(&project.to_string(), &task, diagnosis, now);
        if let Some(incident) = &mut lease.record.open {
            incident.log_calls = spent;
            remember(incident, asked, now);
        }
        self.work(lease).await
    }

    /// The diagnosis of a build by its event, and by its log where the phase ran commands.
    async fn diagnose_build(&self, build: &BuildFailed, spent: &mut LogsRead) -> Diagnosis {
        let mut log = BuildLog::default();
        let mut note = None;
        if failed_kind(&build.detail) == PhaseKind::Commands {
            spent.begin(&build.build);
            let mut budget = spent.budget();
            let before = budget.calls;
            let said = match of_build(&build.detail).within(&self.settings.log_groups) {
                LogPlace::Nowhere(why) => format!("no log evidence: {why}"),
                LogPlace::Stream(_) if budget.calls == 0 => {
                    "no log evidence: this incident has used up its calls for logs".to_owned()
                }
                LogPlace::Stream(stream) => {
                    let reading =
                        self.logs.read(&stream, Window::around(None, build.at), &mut budget, |page| log.before(page));
                    let patience = self.time_for(PATIENCE);
                    match tokio::time::timeout(patience, reading).await {
                        Ok(Ok(reading)) => format!("read from {stream}: {}", reading.describe()),
                        Ok(Err(failure)) => format!("no log evidence: {stream} could not be read ({failure})"),
                        Err(_) => {
                            format!(
                                "no log evidence: {stream} could not be read ({})",
                                Failure::late("logs:GetLogEvents", patience)
                            )
                        }
                    }
                }
            };
            spent.count(before - budget.calls);
            note = Some(Evidence { source: "logs[build]".to_owned(), text: said });
        }
        let logs = if log.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([("build".to_owned(), log)])
        };
        let mut diagnosis = diagnose_build_read(&build.detail, &logs).diagnosis;
        diagnosis.evidence.extend(note);
        diagnosis
    }

    /// Looks up where the base images could be pulled from instead.
    async fn copies(&self, diagnosis: &Diagnosis) -> Vec<(BaseImage, DockerHubImage)> {
        let wanted = if diagnosis.build.is_some() {
            build_remedy::hub_images(diagnosis)
        } else {
            Vec::new()
        };
        let looks = wanted.into_iter().take(IMAGES).map(async |(base, reference)| {
            let image = self.everywhere(base.image.clone(), reference, &CachedAnswers::default()).await.0;
            (base, image)
        });
        join_all(looks).await
    }

    fn offer(
        &self,
        project: &Subject,
        diagnosis: &Diagnosis,
        images: &[(BaseImage, DockerHubImage)],
        asking: MirrorOffer,
    ) -> Offer {
        let facts = diagnosis.build.as_ref();
        facts.map_or_else(Offer::default, |facts| build_remedy::offer(project, facts, images, &self.settings, asking))
    }

    /// Finds the lines to write instead, and asks the mirror for what it lacks. Asking twice for the same image does no
    /// harm: the second copy finds nothing to do. Where AWS refuses the request, the offer says what is missing.
    async fn offer_and_ask(
        &self,
        project: &Subject,
        record: &mut Record,
        diagnosis: &Diagnosis,
        tries: u32,
        now: Timestamp,
    ) -> Result<(Offer, MirrorRequested), Failure> {
        let images = self.copies(diagnosis).await;
        let asking = match (&self.settings.mirror_queue_url, self.settings.mode) {
            (None, _) => MirrorOffer::Impossible,
            (Some(_), Mode::Ask | Mode::Act) => MirrorOffer::Now,
            (Some(_), Mode::Observe | Mode::Off) => MirrorOffer::Observing,
        };
        let offer = self.offer(project, diagnosis, &images, asking);
        if offer.asks.is_empty() {
            return Ok((offer, MirrorRequested::Nothing));
        }
        let plan = build_remedy::plan(&offer);
        let expected: Vec<String> = build_remedy::asked(&plan).iter().map(of_mirrored).collect();
        self.table.expect(project, record, &expected, now).await?;
        match self.act(&plan, Mode::Ask).await? {
            Acted::Done => Ok((offer, MirrorRequested::For(build_remedy::asked(&plan)))),
            Acted::GivenUp(_) => {
                Ok((self.offer(project, diagnosis, &images, MirrorOffer::Impossible), MirrorRequested::Nothing))
            }
            Acted::Refused(at, failure) => {
                let refusal = self.refused(&plan, at, &failure, tries, now).await?;
                let mut offer = self.offer(project, diagnosis, &images, MirrorOffer::Refused);
                offer.text += &build_remedy::refused(&refusal, &self.another_try(project));
                Ok((offer, MirrorRequested::Refused(Box::new(refusal))))
            }
        }
    }

    /// Asks the mirror once more, after a refusal.
    pub(crate) async fn ask_again(
        &self,
        project: &Subject,
        record: &mut Record,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let Some(incident) = &record.open else { return Ok(()) };
        let Some(blocker) = incident.blocker().cloned() else {
            return Ok(());
        };
        let tries = incident.refusal.as_ref().map_or(0, |refusal| refusal.tries) + 1;
        let (_, asked) = self.offer_and_ask(project, record, &blocker.diagnosis, tries, now).await?;
        if let Some(incident) = &mut record.open {
            remember(incident, asked, now);
        }
        Ok(())
    }

    /// Looks at the copies that a failed build waits for. Once the mirror has everything, the lines are verified and
    /// told.
    pub(crate) async fn look_at_copies(&self, project: &Subject, record: &mut Record, now: Timestamp) {
        let waits = record.open.as_ref().and_then(|incident| incident.waiting.as_ref());
        if !waits.is_some_and(|waiting| matches!(waiting.cause, WaitingFor::Mirror(_))) {
            return;
        }
        let Some(blocker) = record.open.as_ref().and_then(Incident::blocker).cloned() else {
            return;
        };
        let images = self.copies(&blocker.diagnosis).await;
        let offer = self.offer(project, &blocker.diagnosis, &images, MirrorOffer::Now);
        if !offer.asks.is_empty() {
            return;
        }
        let mut blocker = blocker;
        blocker.diagnosis.advice = format!("The mirror has been filled.{}", offer.text);
        if let Some(incident) = &mut record.open {
            incident.waiting = None;
            incident.say(now, "the mirror has every base image of the build");
        }
        record.tell(&format!("mirrored:{}", blocker.last_at), |incident, id| {
            notice::about(&project.to_string(), incident, &blocker, &PlanOutcome::Advised(None), id)
        });
    }
}

/// What came of asking the mirror.
enum MirrorRequested {
    /// There was nothing to ask it for, or nobody to ask.
    Nothing,
    /// It was asked for these.
    For(Vec<Reference>),
    /// AWS refused the request.
    Refused(Box<StepRefusal>),
}

fn remember(incident: &mut Incident, asked: MirrorRequested, now: Timestamp) {
    incident.refusal = None;
    match asked {
        MirrorRequested::Nothing => {}
        MirrorRequested::For(images) => {
            incident.say(
                now,
                format!(
                    "asked the mirror for {}",
                    images.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                ),
            );
            incident.waiting = Some(WaitingIncident {
                cause: WaitingFor::Mirror(images),
                since: now,
                unseen_since: None,
            });
        }
        MirrorRequested::Refused(refusal) => {
            incident.log(now, Happened::Refused(format!("{}: {}", refusal.call, refusal.why)));
            incident.refusal = Some(*refusal);
        }
    }
}

fn with_offer(diagnosis: Diagnosis, offer: &Offer) -> Diagnosis {
    let advice = format!("{}{}", diagnosis.advice, offer.text);
    Diagnosis { advice, ..diagnosis }
}
