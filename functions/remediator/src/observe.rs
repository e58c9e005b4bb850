//! Looks at the world, read only: whatever a decision about this blocker may need, and nothing else.
//!
//! A look that fails is an `Unknown` with its reason. The guard that needs it then declines and says so; the
//! function itself goes on.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use pullsafe::arn::{Arn, ServiceId};
use pullsafe::lookup::ResolvedImage;
use pullsafe::lookup::{Doubt, Lookup, Storage};
use pullsafe::reference::{Digest, Reference, Registry, ecr_host};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::incident::{CauseSeen, Incident};
use pullsafe_incident::kept::CachedAnswers;
use pullsafe_incident::plan::Step;
use pullsafe_inspect::looks::{Looker, PullLook};
use remediator_decide::observation::{DockerHubImage, Observation};
use remediator_decide::remedy::restore::written;
use remediator_decide::remedy::{self, SecondLook, target};
use remediator_decide::service::{Service, marks};

use super::Remediator;

/// What was looked at before the service was known.
#[derive(Debug, Default)]
pub(crate) struct EarlyLooks {
    /// The answers of earlier looks that still hold.
    kept: CachedAnswers,
    /// The definition that the failed tasks ran, with what its execution role may pull.
    definition: Option<(TaskDefinition, BTreeMap<String, Lookup<bool>>)>,
    image: Option<(DockerHubImage, Option<u32>)>,
}

impl Remediator {
    pub(crate) async fn look_at_service(&self, id: &ServiceId) -> Lookup<Service> {
        match self.in_time("ecs:DescribeServices", self.ecs.service(id)).await {
            Ok(Some(service)) => Lookup::Found(service),
            Ok(None) => Lookup::Absent,
            Err(failure) => failure.doubt(),
        }
    }

    /// Looks at what it can before the service is known. Where a move would be the first act, that is the image that
    /// could not be pulled, and the definition that the failed tasks ran: most likely it is still the service's.
    pub(crate) async fn look_ahead(&self, incident: Option<&Incident>, now: Timestamp) -> EarlyLooks {
        let kept = incident.map(|incident| incident.kept.fresh(now)).unwrap_or_default();
        let blocker = incident.filter(|incident| incident.acted().is_none()).and_then(Incident::blocker);
        let Some(blocker) =
            blocker.filter(|blocker| remedy::looks(&blocker.diagnosis, None).contains(&SecondLook::HubImages))
        else {
            return EarlyLooks { kept, ..EarlyLooks::default() };
        };
        let image = async {
            let written = blocker.diagnosis.image.as_ref()?;
            let reference = written.parse::<Reference>().ok().filter(Reference::is_docker_hub)?;
            Some(self.everywhere(written.clone(), reference, &kept).await)
        };
        let definition = async {
            let definition = self.look_at_definition(&blocker.task_definition).await.found().cloned()?;
            let may_pull = self.role_may_pull(definition.execution_role_arn(), &hub_images(&definition), &kept).await;
            Some((definition, may_pull))
        };
        let (definition, image) = tokio::join!(definition, image);
        EarlyLooks { kept, definition, image }
    }

    /// Looks, side by side, at everything that the remedies for this failure have to see.
    pub(crate) async fn observe(
        &self,
        service: Lookup<Service>,
        ahead: EarlyLooks,
        blocker: &CauseSeen,
        pause: &[Step],
        quota_limit: &mut Option<u32>,
    ) -> Observation {
        let mut seen = Observation { service, ..Observation::default() };
        let Some(found) = seen.service.found().cloned() else {
            return seen;
        };
        let looks = remedy::looks(&blocker.diagnosis, Some(&found));
        let looks = looks.into_iter().map(|look| self.look_for(look, &found, &ahead, blocker, pause));
        for put in join_all(looks).await {
            put(&mut seen, quota_limit);
        }
        seen
    }

    /// Makes one look. Returns a function that puts the result into the observation.
    async fn look_for(
        &self,
        look: SecondLook,
        service: &Service,
        ahead: &EarlyLooks,
        blocker: &CauseSeen,
        pause: &[Step],
    ) -> Put {
        match look {
            SecondLook::TaskDefinition => {
                let found = self.look_at_definition(&service.task_definition).await;
                Box::new(|seen, _| seen.task_definition = found)
            }
            SecondLook::HubImages => self.look_at_images(service, &service.task_definition, ahead, Some(blocker)).await,
            SecondLook::Wanted => {
                let found = match wanted(service, blocker, pause) {
                    Some(image) => self.resolve(&image).await.resolved,
                    None => Lookup::Unknown(Doubt::lasting("the message names no image by its tag")),
                };
                Box::new(|seen, _| seen.wanted = found)
            }
            SecondLook::Kept => {
                let found = match blocker.diagnosis.image.as_deref().and_then(|image| image.parse().ok()) {
                    Some(image) => Box::pin(self.look_at_kept(&image)).await,
                    None => Lookup::Unknown(Doubt::lasting("the message names no image")),
                };
                Box::new(|seen, _| seen.kept = found)
            }
            SecondLook::Stack => {
                let found = match service.stack() {
                    Some(stack) => {
                        let status = self
                            .in_time("cloudformation:DescribeStacks", async { Ok(self.stacks.status(stack).await) });
                        status.await.unwrap_or_else(|failure| failure.doubt())
                    }
                    None => Lookup::Absent,
                };
                Box::new(|seen, _| seen.stack = found)
            }
            SecondLook::Scaling => {
                let asked =
                    self.in_time("application-autoscaling:DescribeScalableTargets", self.scaling.target(&service.id));
                let found = match asked.await {
                    Ok(Some(target)) => Lookup::Found(target),
                    Ok(None) => Lookup::Absent,
                    Err(failure) => failure.doubt(),
                };
                Box::new(|seen, _| seen.scaling = found)
            }
        }
    }

    /// Looks at what has to be known when a deployment starts.
    pub(crate) async fn observe_ahead(&self, service: Lookup<Service>, definition: &str) -> Observation {
        let mut seen = Observation { service, ..Observation::default() };
        let Some(found) = seen.service.found().cloned() else {
            return seen;
        };
        self.look_at_images(&found, definition, &EarlyLooks::default(), None).await(&mut seen, &mut None);
        if self.settings.quota_probe {
            Box::pin(self.look_at_limit(&mut seen)).await;
        }
        seen
    }

    pub(crate) async fn look_at_definition(&self, arn: &str) -> Lookup<TaskDefinition> {
        let asked = self.definitions.or_ask(arn, (self.clock)(), self.ecs.task_definition(arn));
        match self.in_time("ecs:DescribeTaskDefinition", asked).await {
            Ok(definition) => Lookup::Found(definition),
            Err(failure) => failure.doubt(),
        }
    }

    /// Looks at a definition, and at each of its Docker Hub images everywhere it could be pulled from.
    async fn look_at_images(
        &self,
        service: &Service,
        arn: &str,
        ahead: &EarlyLooks,
        blocker: Option<&CauseSeen>,
    ) -> Put {
        let (definition, known) = match ahead.definition.as_ref().filter(|(definition, _)| definition.arn() == arn) {
            Some((definition, may_pull)) => (Lookup::Found(definition.clone()), Some(may_pull.clone())),
            None => (self.look_at_definition(arn).await, None),
        };
        let images = definition.found().map(hub_images).unwrap_or_default();
        let role = definition.found().and_then(TaskDefinition::execution_role_arn).map(str::to_owned);
        let ran = async {
            // Without images of Docker Hub there is nothing to compare with what runs.
            let has_none = service.running == 0 || images.is_empty();
            if has_none {
                Ok(Vec::new())
            } else {
                self.in_time("ecs:ListTasks", self.ecs.running_digests(&service.id)).await
            }
        };
        let may_pull = async {
            match known {
                Some(known) => known,
                None => self.role_may_pull(role.as_deref(), &images, &ahead.kept).await,
            }
        };
        let looks = join_all(images.iter().map(async |(written, reference)| match &ahead.image {
            Some((image, limit)) if image.written == *written => (image.clone(), *limit),
            _ => self.everywhere(written.clone(), reference.clone(), &ahead.kept).await,
        }));
        let (ran, looks, may_pull) = tokio::join!(ran, looks, may_pull);
        let limit = looks.iter().rev().find_map(|(_, limit)| *limit);
        let hub_images = looks.into_iter().map(|(mut image, _)| {
            image.last_run = last_run(&image.written, &ran, blocker);
            image
        });
        let hub_images = hub_images.collect();
        Box::new(move |seen, quota_limit| {
            *quota_limit = limit.or(*quota_limit);
            (seen.task_definition, seen.hub_images, seen.role_may_pull) = (definition, hub_images, may_pull);
        })
    }

    /// Looks up an image of Docker Hub everywhere it could be pulled from. Also returns the limit that Docker Hub named
    /// in its answer.
    pub(crate) async fn everywhere(
        &self,
        written: String,
        reference: Reference,
        kept: &CachedAnswers,
    ) -> (DockerHubImage, Option<u32>) {
        let hub = async {
            match reference.digest().or_else(|| kept.digest(&written)) {
                Some(digest) => PullLook::of(Lookup::Found(ResolvedImage { digest: digest.clone(), platforms: None })),
                None => self.resolve(&reference).await,
            }
        };
        let mirror = async {
            match target::in_mirror(self.settings.mirror.as_ref()?, &reference) {
                Ok(place) => Some((place.clone(), self.resolve(&place).await.resolved)),
                Err(error) => Some((
                    reference.clone(),
                    Lookup::Unknown(Doubt::lasting(format!("the mirror's settings make no reference: {error}"))),
                )),
            }
        };
        let public = async {
            let place = pullsafe::reference::in_ecr_public(&reference).filter(|_| self.settings.public_fallback)?;
            Some((place.clone(), self.resolve(&place).await.resolved))
        };
        let (hub, mirror, public) = tokio::join!(hub, mirror, public);
        (
            DockerHubImage {
                written,
                reference,
                hub: hub.resolved,
                left: hub.left,
                last_run: Lookup::Absent,
                mirror,
                public,
            },
            hub.limit,
        )
    }

    /// Per repository of the mirror: whether the execution role may pull from it.
    async fn role_may_pull(
        &self,
        role: Option<&str>,
        images: &BTreeMap<String, Reference>,
        kept: &CachedAnswers,
    ) -> BTreeMap<String, Lookup<bool>> {
        let Some(mirror) = &self.settings.mirror else {
            return BTreeMap::new();
        };
        let places: Vec<Reference> =
            images.values().filter_map(|image| target::in_mirror(mirror, image).ok()).collect();
        let all =
            |answer: Lookup<bool>| places.iter().map(|place| (place.repository().to_owned(), answer.clone())).collect();
        let Some(role) = role else { return all(Lookup::Absent) };
        let partition = Arn::parse(role).map_or("aws", |arn| arn.partition);
        let mut repositories = BTreeMap::new();
        for place in &places {
            match ecr_host(place.registry()) {
                Some(host) => {
                    let arn = format!(
                        "arn:{partition}:ecr:{}:{}:repository/{}",
                        host.region,
                        host.account,
                        place.repository()
                    );
                    repositories.insert(arn, place.repository().to_owned());
                }
                None => {
                    return all(Lookup::Unknown(Doubt::lasting(
                        "the mirror is not in ECR, so IAM does not decide about it",
                    )));
                }
            }
        }
        if repositories.is_empty() {
            return BTreeMap::new();
        }
        let (known, open): (BTreeMap<_, _>, BTreeMap<_, _>) =
            repositories.into_iter().partition(|(_, repository)| kept.may_pull(role, repository));
        let known = known.into_values().map(|repository| (repository, Lookup::Found(true)));
        if open.is_empty() {
            return known.collect();
        }
        let arns: Vec<String> = open.keys().cloned().collect();
        // A permission that is given is kept for a moment; any other answer is asked for anew.
        let question = async {
            let answers = self.roles.may_pull(role, &arns).await;
            let is_given = answers.values().all(|answer| *answer == Lookup::Found(true));
            if is_given { Ok(answers) } else { Err(answers) }
        };
        let about = format!("{role} {}", arns.join(" "));
        let asked = self.leaves.or_ask(&about, (self.clock)(), question);
        let answers = match self.in_time("iam:SimulatePrincipalPolicy", async { Ok(asked.await) }).await {
            Ok(Ok(answers) | Err(answers)) => answers,
            Err(late) => return all(late.doubt()),
        };
        answers
            .into_iter()
            .filter_map(|(arn, answer)| Some((open.get(&arn)?.clone(), answer)))
            .chain(known)
            .collect()
    }

    /// Where ECR keeps an image: the pinned digest, or else what the tag means.
    async fn look_at_kept(&self, image: &Reference) -> Lookup<(Digest, Storage)> {
        if image.kind() != Registry::EcrPrivate {
            return Lookup::Absent;
        }
        match self.in_time("ecr:DescribeImages", async { Ok(self.account.ecr().kept(image).await) }).await {
            Ok(Lookup::Found(kept)) => Lookup::Found((kept.resolved.digest, kept.storage)),
            Ok(Lookup::Absent) => Lookup::Absent,
            Ok(Lookup::Unknown(doubt)) => Lookup::Unknown(doubt),
            Err(failure) => failure.doubt(),
        }
    }

    /// Looks at registries and roles, within the time for this event.
    pub(crate) fn looker(&self) -> Looker<'_> {
        Looker {
            account: Some(&self.account),
            registry: &self.registry,
            anywhere: false,
            mirror: None,
            end: self.looks_end,
        }
    }

    /// What a reference means right now.
    pub(crate) async fn resolve(&self, reference: &Reference) -> PullLook {
        self.looker().resolve(reference).await
    }
}

/// Keeps what need not be asked for again within the next minutes.
pub(crate) fn keep(kept: &mut CachedAnswers, seen: &Observation, now: Timestamp) {
    if let Some(role) = seen.task_definition.found().and_then(TaskDefinition::execution_role_arn) {
        let allowed = seen.role_may_pull.iter().filter(|(_, answer)| answer.found() == Some(&true));
        allowed.for_each(|(repository, _)| kept.allow(role, repository, now));
    }
    for image in seen.hub_images.iter().filter(|image| image.reference.digest().is_none()) {
        if let Some(resolved) = image.hub.found() {
            kept.keep_digest(&image.written, &resolved.digest, now);
        }
    }
}

/// Puts what a look found into the observation, and Docker Hub's limit into its place.
type Put = Box<dyn FnOnce(&mut Observation, &mut Option<u32>) + Send>;

/// The images of Docker Hub in a definition, by how they are written.
fn hub_images(definition: &TaskDefinition) -> BTreeMap<String, Reference> {
    let named = definition.images().into_iter().filter_map(|image| Some((image.written, image.reference?)));
    named.filter(|(_, reference)| reference.is_docker_hub()).collect()
}

/// The digest of an image that the service last ran, as its running tasks or else the failed task show it.
fn last_run(
    written: &str,
    ran: &Result<Vec<(String, String)>, Failure>,
    blocker: Option<&CauseSeen>,
) -> Lookup<Digest> {
    let digest = |text: &String| text.parse::<Digest>().ok();
    let of_failed = blocker
        .filter(|seen| seen.diagnosis.image.as_deref() == Some(written))
        .and_then(|seen| seen.image_digest.as_ref());
    let of_running = |ran: &Vec<(String, String)>| {
        ran.iter().find(|(image, _)| image == written).and_then(|(_, found)| digest(found))
    };
    match (ran.as_ref().map(of_running), of_failed.and_then(digest)) {
        (Ok(Some(found)), _) | (Ok(None) | Err(_), Some(found)) => Lookup::Found(found),
        (Ok(None), None) => Lookup::Absent,
        (Err(failure), None) => failure.doubt(),
    }
}

/// The image whose absence matters: the one that the service is paused for, or the one that failed.
fn wanted(service: &Service, blocker: &CauseSeen, pause: &[Step]) -> Option<Reference> {
    // Tags alone do not lead to a request: whoever may write them would choose the host.
    let is_ours = !pause.is_empty() && service.paused_count().is_some();
    let paused_for = written(pause, marks::PAUSED_FOR, service).filter(|_| is_ours);
    match paused_for {
        Some(image) => image.parse().ok(),
        None => by_tag(&blocker.diagnosis.image.as_deref()?.parse().ok()?),
    }
}

/// The same image by its tag alone: a pinned digest that is gone never comes back.
fn by_tag(image: &Reference) -> Option<Reference> {
    match image.tag() {
        Some(tag) => Reference::new(image.registry(), image.repository(), Some(tag), None).ok(),
        None if image.digest().is_none() => Some(image.clone()),
        None => None,
    }
}
