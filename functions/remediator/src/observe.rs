//! Looks at the world, read only: whatever a decision about this blocker may need, and nothing else.
//!
//! A look that fails is an `Unknown` with its reason. The guard that needs it then declines and says so; the
//! function itself goes on.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::decide::observation::{HubImage, Observation};
use crate::decide::remedy::target;
use crate::decide::service::{Service, marks};
use pullsafe::arn::{Arn, ServiceId};
use pullsafe::lookup::Resolved;
use pullsafe::lookup::{Doubt, Lookup};
use pullsafe::reference::{Digest, Reference, Registry, ecr_host};
use pullsafe_diagnosis::cause::{Cause, RemedyName};
use pullsafe_diagnosis::remedy_for;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::incident::CauseSeen;

use super::Remediator;

/// What a pull of an image would find, and what Docker Hub said of the limit on the way.
pub(crate) struct Answer {
    pub(crate) resolved: Lookup<Resolved>,
    limit: Option<u32>,
    /// How many of how many pulls are left.
    pub(crate) left: Option<(u64, u64)>,
}

impl Remediator {
    pub(crate) async fn look_at_service(&self, id: &ServiceId) -> Lookup<Service> {
        match self.in_time("ecs:DescribeServices", self.ecs.service(id)).await {
            Ok(Some(service)) => Lookup::Found(service),
            Ok(None) => Lookup::Absent,
            Err(failure) => failure.doubt(),
        }
    }

    /// What the remedies for this blocker look at.
    pub(crate) async fn observe(&self, service: Lookup<Service>, blocker: &CauseSeen, quota_limit: &mut Option<u32>) -> Observation {
        let mut seen = Observation { service, ..Observation::default() };
        let Some(found) = seen.service.found().cloned() else { return seen };
        if let Some(image) = found.tags.get(marks::PAUSED_FOR).and_then(|image| image.parse().ok()) {
            seen.wanted = self.resolve(&image).await.resolved;
            return seen;
        }
        match remedy_for(&blocker.diagnosis) {
            RemedyName::MoveToMirror => {
                seen.task_definition = self.look_at_definition(&found.task_definition).await;
                self.observe_images(&mut seen, &found, Some(blocker), quota_limit).await;
            }
            RemedyName::PauseAndRestore | RemedyName::ForceNewDeployment => {
                let image = blocker.diagnosis.image.as_deref().and_then(|image| image.parse::<Reference>().ok());
                let wanted = async {
                    match image.and_then(|image| by_tag(&image)) {
                        Some(image) => self.resolve(&image).await.resolved,
                        None => Lookup::Unknown(Doubt::lasting("the message names no image by its tag")),
                    }
                };
                let definition = async {
                    match blocker.diagnosis.cause == Cause::ImageDigestGone {
                        true => self.look_at_definition(&found.task_definition).await,
                        false => Lookup::NotNeeded,
                    }
                };
                let stack = async {
                    match found.stack() {
                        Some(stack) => {
                            let status = self.in_time("cloudformation:DescribeStacks", async { Ok(self.stacks.status(stack).await) });
                            status.await.unwrap_or_else(|failure| failure.doubt())
                        }
                        None => Lookup::Absent,
                    }
                };
                let scaling = self.in_time("application-autoscaling:DescribeScalableTargets", self.scaling.target(&found.id));
                let (wanted, definition, stack, scaling) = tokio::join!(wanted, definition, stack, scaling);
                (seen.wanted, seen.task_definition, seen.stack) = (wanted, definition, stack);
                seen.scaling = match scaling {
                    Ok(Some(target)) => Lookup::Found(target),
                    Ok(None) => Lookup::Absent,
                    Err(failure) => failure.doubt(),
                };
            }
            RemedyName::PrepareMirror | RemedyName::Advise | RemedyName::None => {}
        }
        seen
    }

    /// What is looked at when a deployment starts.
    pub(crate) async fn observe_ahead(&self, service: Lookup<Service>, definition: &str) -> Observation {
        let mut seen = Observation { service, ..Observation::default() };
        let Some(found) = seen.service.found().cloned() else { return seen };
        seen.task_definition = self.look_at_definition(definition).await;
        self.observe_images(&mut seen, &found, None, &mut None).await;
        seen
    }

    async fn look_at_definition(&self, arn: &str) -> Lookup<TaskDefinition> {
        match self.in_time("ecs:DescribeTaskDefinition", self.ecs.task_definition(arn)).await {
            Ok(definition) => Lookup::Found(definition),
            Err(failure) => failure.doubt(),
        }
    }

    /// Every Docker Hub image of the definition, everywhere it could be pulled from.
    async fn observe_images(&self, seen: &mut Observation, service: &Service, blocker: Option<&CauseSeen>, quota_limit: &mut Option<u32>) {
        let Some(definition) = seen.task_definition.found() else { return };
        let mut references: BTreeMap<String, Reference> = BTreeMap::new();
        for image in definition.images() {
            if let Some(reference) = image.reference.filter(Reference::is_docker_hub) {
                references.insert(image.written, reference);
            }
        }
        if references.is_empty() {
            return;
        }
        let role = definition.execution_role_arn().map(str::to_owned);
        let ran = match service.running {
            0 => Ok(Vec::new()),
            _ => self.in_time("ecs:ListTasks", self.ecs.running_digests(&service.id)).await,
        };
        let looks = references.into_iter().map(|(written, reference)| self.everywhere(written, reference));
        for (mut image, limit) in join_all(looks).await {
            let written = image.written.clone();
            let last_run = ran.as_ref().map(|ran| ran.iter().find(|(image, _)| *image == written).map(|(_, digest)| digest.clone()));
            let pinned =
                blocker.filter(|seen| seen.diagnosis.image.as_deref() == Some(&written)).and_then(|seen| seen.image_digest.clone());
            *quota_limit = limit.or(*quota_limit);
            let digest = |text: Option<String>| text.and_then(|text| text.parse::<Digest>().ok());
            image.last_run = match (last_run.map(digest), digest(pinned)) {
                (Ok(Some(found)), _) | (Ok(None) | Err(_), Some(found)) => Lookup::Found(found),
                (Ok(None), None) => Lookup::Absent,
                (Err(failure), None) => failure.doubt(),
            };
            seen.hub_images.push(image);
        }
        seen.role_may_pull = self.role_may_pull(role.as_deref(), &seen.hub_images).await;
    }

    /// An image of Docker Hub, everywhere it could be pulled from, and the limit that Docker Hub named on the way.
    pub(crate) async fn everywhere(&self, written: String, reference: Reference) -> (HubImage, Option<u32>) {
        let hub = async {
            match reference.digest() {
                Some(digest) => {
                    Answer { resolved: Lookup::Found(Resolved { digest: digest.clone(), platforms: None }), limit: None, left: None }
                }
                None => self.resolve(&reference).await,
            }
        };
        let mirror = async {
            match target::in_mirror(self.settings.mirror.as_ref()?, &reference) {
                Ok(place) => Some((place.clone(), self.resolve(&place).await.resolved)),
                Err(error) => {
                    Some((reference.clone(), Lookup::Unknown(Doubt::lasting(format!("the mirror's settings make no reference: {error}")))))
                }
            }
        };
        let public = async {
            let place = pullsafe::reference::in_ecr_public(&reference).filter(|_| self.settings.public_fallback)?;
            Some((place.clone(), self.resolve(&place).await.resolved))
        };
        let (hub, mirror, public) = tokio::join!(hub, mirror, public);
        (HubImage { written, reference, hub: hub.resolved, last_run: Lookup::Absent, mirror, public }, hub.limit)
    }

    /// Per repository of the mirror: whether the execution role may pull from it.
    async fn role_may_pull(&self, role: Option<&str>, images: &[HubImage]) -> BTreeMap<String, Lookup<bool>> {
        let places: Vec<&Reference> = images.iter().filter_map(|image| image.mirror.as_ref()).map(|(place, _)| place).collect();
        let all = |answer: Lookup<bool>| places.iter().map(|place| (place.repository().to_owned(), answer.clone())).collect();
        let Some(role) = role else { return all(Lookup::Absent) };
        let partition = Arn::parse(role).map_or("aws", |arn| arn.partition);
        let mut repositories = BTreeMap::new();
        for place in &places {
            match ecr_host(place.registry()) {
                Some(host) => {
                    let arn = format!("arn:{partition}:ecr:{}:{}:repository/{}", host.region, host.account, place.repository());
                    repositories.insert(arn, place.repository().to_owned());
                }
                None => return all(Lookup::Unknown(Doubt::lasting("the mirror is not in ECR, so IAM does not decide about it"))),
            }
        }
        if repositories.is_empty() {
            return BTreeMap::new();
        }
        let arns: Vec<String> = repositories.keys().cloned().collect();
        let asked = self.in_time("iam:SimulatePrincipalPolicy", async { Ok(self.roles.may_pull(role, &arns).await) }).await;
        let answers = match asked {
            Ok(answers) => answers,
            Err(late) => return all(late.doubt()),
        };
        answers.into_iter().filter_map(|(arn, answer)| Some((repositories.get(&arn)?.clone(), answer))).collect()
    }

    /// What a reference means right now. Never a GET at Docker Hub: a HEAD spends no quota.
    pub(crate) async fn resolve(&self, reference: &Reference) -> Answer {
        let unknown = |doubt| Answer { resolved: Lookup::Unknown(doubt), limit: None, left: None };
        if reference.kind() == Registry::EcrPrivate {
            let resolved = self.in_time("ecr:BatchGetImage", async { Ok(self.ecr.resolve(reference).await) }).await;
            return Answer { resolved: resolved.unwrap_or_else(|failure| failure.doubt()), limit: None, left: None };
        }
        let answer = self.in_time("the registry", async { Ok(self.registry.resolve(reference).await) }).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(late) => return unknown(Doubt::new(format!("{}: {late}", reference.registry()), true)),
        };
        match answer {
            Ok(found) => Answer {
                limit: found.quota.as_ref().and_then(|quota| u32::try_from(quota.limit).ok()),
                left: found.quota.map(|quota| (quota.remaining, quota.limit)),
                resolved: Lookup::Found(Resolved { digest: found.digest, platforms: None }),
            },
            Err(error) if error.is_not_found() => Answer { resolved: Lookup::Absent, limit: None, left: None },
            Err(error) => unknown(Doubt::new(error.to_string(), error.retryable())),
        }
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
