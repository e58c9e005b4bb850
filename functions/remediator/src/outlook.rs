//! The daily look at what runs: what will go wrong with its images at the next launch, before it does.
//!
//! One run lists everything that launches tasks and puts a look at each into the queue. Each look tells at once what is
//! new and severe, and keeps a row; once a week all rows make one message. No look counts as a pull of an image, except
//! of what is running anyway.

use futures_util::future::join_all;
use pullsafe::arn::Arn;
use pullsafe::count::count;
use pullsafe::digest::Digest;
use pullsafe::glob;
use pullsafe::lookup::Lookup;
use pullsafe::notice::OnBus;
use pullsafe::reference::{Reference, Registry, ecr_host};
use pullsafe::settings::Mode;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_aws::telemetry::{Unit, emf};
use pullsafe_events::Subject;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::kept::CachedAnswers;
use pullsafe_incident::outlook::message::week;
use pullsafe_incident::outlook::{Keep, NextLaunch, Outlook, OutlookCause, OutlookFinding, Urgency};
use pullsafe_incident::store::KnownOutlook;
use pullsafe_lifecycle::Repository;
use remediator_decide::state::ServiceStatus;
use serde_json::{Value, json};

use super::{Remediator, Tally};
use crate::aws::unread::UnreadResource;
use crate::due::after;
use remediator_decide::outlook::{ImageOutlook, OutlookJudgement, UsedImage, judge, keep_tag};

/// Looks that are older than this are left out of the message of the week.
const FRESH_SECONDS: i64 = 3 * 86_400;
/// An index is pushed right after the images that it names. Up to `MOST_INDEXES` indexes that came within this time
/// after an image are asked whether they name it.
const INDEX_SECONDS: i64 = 3600;
const MOST_INDEXES: usize = 20;

impl Remediator {
    /// Puts a look at everything that launches tasks into the queue. What may not be listed is remembered, and told
    /// with the message of the week; where a call may succeed later, everything is tried again.
    pub(crate) async fn find_outlooks(&self, now: Timestamp) -> Result<Tally, Failure> {
        let launchers = self.running.launchers(&self.running.clusters().await?, now).await;
        if let Some(failure) = launchers.unread.iter().find_map(UnreadResource::passing) {
            return Err(failure.clone());
        }
        let unread: Vec<String> = launchers.unread.iter().map(ToString::to_string).collect();
        for what in &unread {
            tracing::warn!(unread = what, "not looked at: {what}");
        }
        self.table.keep_unread(&unread, now).await?;
        let look = |(subject, definition): &(Subject, Option<String>)| {
            let mut look = json!({ "pullsafe": "look-out", "subject": subject });
            if let Some(definition) = definition {
                look["definition"] = json!(definition);
            }
            look
        };
        let looks: Vec<Value> = launchers.found.iter().map(look).collect();
        self.queues.send_all(&self.settings.queue_url, &looks, after).await?;
        let left_out = match unread.len() {
            0 => String::new(),
            some => format!("; {} could not be listed", count(some, "thing")),
        };
        Ok(Tally::worked(
            "searched",
            format!("services and scheduled tasks to look at: {}{left_out}", looks.len()),
            None,
        ))
    }

    /// Looks at one service or scheduled task, tells what is new and severe, and remembers it.
    pub(crate) async fn look_out(
        &self,
        subject: &Subject,
        definition: Option<&str>,
        now: Timestamp,
    ) -> Result<Tally, Failure> {
        let Some(outlook) = self.outlook_of(subject, definition, now).await? else {
            return Ok(Tally::ignored("it is gone, rests, or pullsafe is off for it".to_owned()));
        };
        let mut told = self.table.outlook(subject).await?.map(|known| known.told).unwrap_or_default();
        if let Some(notice) = outlook.news(&told) {
            // It goes out before the row is written: if the process dies in between, the same message goes out once
            // more, under the same id.
            self.topic.publish(&notice).await?;
            self.events
                .put(
                    &self.settings.event_bus,
                    &notice.detail_type,
                    Some(&subject.key()),
                    &notice.for_programs(OnBus::Evidence),
                )
                .await?;
        }
        for finding in &outlook.findings {
            let severity = finding.severity(now);
            tracing::warn!(
                outlook = outlook.subject,
                ?severity,
                finding = finding.says(),
                "{}: {}",
                outlook.consequence(severity),
                finding.says()
            );
            if severity < Urgency::Later {
                emf(now, &[], &[("OutlookFindings", Unit::Count, 1)]);
            }
        }
        // A finding that is gone meanwhile and comes back is told again.
        let keys = outlook.keys();
        told.retain(|key| keys.contains(key));
        told.extend(
            outlook
                .findings
                .iter()
                .filter(|finding| finding.severity(now) < Urgency::Later)
                .map(OutlookFinding::key),
        );
        let findings = count(outlook.findings.len(), "finding");
        self.table.keep_outlook(subject, &KnownOutlook { outlook, told }).await?;
        Ok(Tally::worked("looked-out", findings, None))
    }

    /// Sends the message of the week.
    pub(crate) async fn tell_outlooks(&self, now: Timestamp) -> Result<Tally, Failure> {
        let since = now.plus_seconds(-FRESH_SECONDS);
        let (outlooks, unread) = tokio::try_join!(self.table.outlooks(since), self.table.unread(since))?;
        let Some(notice) = week(outlooks, unread, now) else {
            return Ok(Tally::ignored("nothing is known to go wrong".to_owned()));
        };
        self.topic.publish(&notice).await?;
        self.events
            .put(&self.settings.event_bus, &notice.detail_type, None, &notice.for_programs(OnBus::Evidence))
            .await?;
        Ok(Tally::worked("told", notice.subject, None))
    }

    /// What will go wrong with one service or scheduled task; `None` if it launches nothing, or pullsafe is off for it.
    ///
    /// # Errors
    /// The service or its task definition could not be read. Anything else that could not be read is in the outlook.
    pub async fn outlook_of(
        &self,
        subject: &Subject,
        definition: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Outlook>, Failure> {
        let mut looked = None;
        let (name, next, mode, ran) = match subject {
            Subject::Service(id) => {
                let (service, leave) = tokio::join!(self.ecs.service(id), self.look_for_leave(id));
                let Some(service) = service?.filter(|service| {
                    service.status == ServiceStatus::Active && service.desired.max(service.running) > 0
                }) else {
                    return Ok(None);
                };
                let ran = if service.running > 0 {
                    self.ecs.running_digests(id).await?
                } else {
                    Vec::new()
                };
                let mode = self.mode(Some(&service), &leave);
                (looked.insert(service).task_definition.clone(), NextLaunch::OfService, mode, ran)
            }
            Subject::Family { .. } => match definition {
                Some(definition) => (definition.to_owned(), NextLaunch::OnSchedule, self.settings.mode, Vec::new()),
                None => return Ok(None),
            },
            Subject::Project { .. } => return Ok(None),
        };
        if mode == Mode::Off {
            return Ok(None);
        }
        let definition = match (self.ecs.task_definition(&name).await, subject) {
            (Ok(definition), _) => definition,
            // A schedule may name a task definition that no longer exists.
            (Err(failure), Subject::Family { .. }) if !failure.is_transient() => {
                let unknown = vec![format!("{name}: its task definition could not be read: {failure}")];
                let (subject, findings) = (subject.to_string(), Vec::new());
                return Ok(Some(Outlook { subject, next, at: now, findings, unknown }));
            }
            (Err(failure), _) => return Err(failure),
        };
        let looks = uses(&definition, &ran).into_iter().map(|used| self.look_at_use(used, &definition, mode, now));
        let mut outlook = Outlook {
            subject: subject.to_string(),
            next,
            at: now,
            findings: Vec::new(),
            unknown: Vec::new(),
        };
        for judged in join_all(looks).await {
            outlook.findings.extend(judged.findings);
            outlook.unknown.extend(judged.unknown);
        }
        if let Some(service) = looked.filter(|_| self.settings.quota_probe) {
            outlook.findings.extend(Box::pin(self.look_at_sharers(&service, &definition, now)).await?);
        }
        outlook.rank();
        Ok(Some(outlook))
    }

    async fn look_at_use(
        &self,
        used: UsedImage,
        definition: &TaskDefinition,
        mode: Mode,
        now: Timestamp,
    ) -> OutlookJudgement {
        let role = definition.execution_role_arn();
        let seen = if used.reference.kind() == Registry::EcrPrivate {
            self.look_into_ecr(&used, role).await
        } else if used.reference.is_docker_hub() {
            let (image, _) =
                self.everywhere(used.written.clone(), used.reference.clone(), &CachedAnswers::default()).await;
            ImageOutlook::AtHub { hub: image.hub, copy: image.mirror.map(|(_, found)| found) }
        } else {
            ImageOutlook::Elsewhere(self.resolve(&used.reference).await.resolved)
        };
        let why_not = match (mode, self.may_tag(&used.reference)) {
            (Mode::Act, true) => "it is being set",
            (Mode::Act, false) => "the stack's parameter KeepRepositories does not name its repository",
            (Mode::Observe | Mode::Off, _) => "pullsafe observes here",
            (Mode::Ask, _) => "pullsafe asks here, and does not ask for tags",
        };
        let mut judged = judge(&used, &seen, role, why_not, now);
        if mode == Mode::Act && self.may_tag(&used.reference) {
            for finding in &mut judged.findings {
                self.keep(&used.reference, finding).await;
            }
        }
        judged
    }

    /// Whether an image of this repository may be given a tag that keeps it.
    fn may_tag(&self, reference: &Reference) -> bool {
        let pattern = &self.settings.keep_repositories;
        !pattern.is_empty() && glob::matches(pattern, reference.repository())
    }

    /// Sets the tag that keeps an image, where a tag would.
    async fn keep(&self, reference: &Reference, finding: &mut OutlookFinding) {
        let OutlookCause::Goes { digest, keep: keep @ Keep::Tag { .. }, .. } = &mut finding.trouble else {
            return;
        };
        let Some(host) = ecr_host(reference.registry()) else {
            return;
        };
        let tag = keep_tag(digest);
        *keep = match self
            .account
            .ecr()
            .get(host.region)
            .add_tag(host.account, reference.repository(), digest, &tag)
            .await
        {
            Ok(()) => Keep::Tagged { tag },
            Err(error) => Keep::Tag { tag, why_not: error.to_string() },
        };
    }

    async fn look_into_ecr(&self, used: &UsedImage, role: Option<&str>) -> ImageOutlook {
        let reference = &used.reference;
        let may_pull = async {
            let (Some(role), Some(host)) = (role, ecr_host(reference.registry())) else {
                return Lookup::Absent;
            };
            let partition = Arn::parse(role).map_or("aws", |arn| arn.partition);
            let arn =
                format!("arn:{partition}:ecr:{}:{}:repository/{}", host.region, host.account, reference.repository());
            let asked = self.in_time("iam:SimulatePrincipalPolicy", async {
                Ok(self.roles.may_pull(role, std::slice::from_ref(&arn)).await)
            });
            match asked.await {
                Ok(mut answers) => answers.remove(&arn).unwrap_or_else(Lookup::not_asked),
                Err(late) => late.doubt(),
            }
        };
        let (repository, may_pull) = tokio::join!(self.repository_of(reference), may_pull);
        let repository = match repository {
            Lookup::Found(repository) => self.with_members(used, repository).await,
            other @ (Lookup::Absent | Lookup::Unknown(_)) => other,
        };
        // Platforms matter only where another image has taken the tag: what runs has shown that it runs here.
        let other = repository.found().and_then(|found| found.tagged(reference.tag_or_digest())).filter(|tagged| {
            reference.digest().is_none()
                && used.runs.as_ref().is_some_and(|runs| tagged.digest != *runs && !tagged.members.contains(runs))
        });
        let offered = match other {
            Some(_) => self.resolve(reference).await.resolved,
            None => Lookup::Absent,
        };
        ImageOutlook::InEcr { repository, offered, may_pull }
    }

    async fn repository_of(&self, reference: &Reference) -> Lookup<Repository> {
        let Some(host) = ecr_host(reference.registry()) else {
            return Lookup::not_asked();
        };
        let ecr = self.account.ecr().get(host.region);
        let asked = self
            .in_time("ecr:DescribeImages", async { Ok(ecr.contents(host.account, reference.repository()).await) })
            .await;
        match asked {
            Ok(Ok(Some(repository))) => Lookup::Found(repository),
            Ok(Ok(None)) => Lookup::Absent,
            Ok(Err(error)) => Lookup::Unknown(error.doubt()),
            Err(late) => late.doubt(),
        }
    }

    /// Adds what the indexes name that may hold the running image. If they cannot be read, the repository is unknown:
    /// nobody knows then what the policy does to the image.
    async fn with_members(&self, used: &UsedImage, mut repository: Repository) -> Lookup<Repository> {
        let Some(runs) = used.runs.as_ref().and_then(|runs| repository.image(runs)) else {
            return Lookup::Found(repository);
        };
        let pushed = runs.pushed_at;
        let near = |index: &&Digest| {
            repository
                .image(index)
                .is_some_and(|index| (0..=INDEX_SECONDS).contains(&index.pushed_at.seconds_since(pushed)))
        };
        let indexes: Vec<Digest> = repository
            .indexes
            .iter()
            .filter(|index| *index != &runs.digest)
            .filter(near)
            .take(MOST_INDEXES)
            .cloned()
            .collect();
        let Some(host) = ecr_host(used.reference.registry()).filter(|_| !indexes.is_empty()) else {
            return Lookup::Found(repository);
        };
        let ecr = self.account.ecr().get(host.region);
        let asked = self.in_time("ecr:BatchGetImage", async {
            Ok(ecr.members(host.account, used.reference.repository(), &indexes).await)
        });
        match asked.await {
            Ok(Ok(read)) => {
                for (index, members) in indexes.iter().zip(read) {
                    repository.set_members(index, members);
                }
                Lookup::Found(repository)
            }
            Ok(Err(error)) => Lookup::Unknown(error.doubt()),
            Err(late) => late.doubt(),
        }
    }
}

/// The images of a definition, each once, with the digest that runs.
fn uses(definition: &TaskDefinition, ran: &[(String, String)]) -> Vec<UsedImage> {
    let mut uses: Vec<UsedImage> = Vec::new();
    for image in definition.images() {
        let Some(reference) = image.reference else { continue };
        let runs = ran
            .iter()
            .find(|(written, _)| *written == image.written)
            .and_then(|(_, digest)| digest.parse().ok());
        match uses.iter_mut().find(|used| used.written == image.written) {
            Some(used) => used.container = format!("{}, {}", used.container, image.container),
            None => uses.push(UsedImage {
                container: image.container,
                written: image.written,
                reference,
                runs,
                platform: definition.platform(),
            }),
        }
    }
    uses
}
