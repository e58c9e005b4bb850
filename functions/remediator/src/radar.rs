//! The end of Docker Hub's limit, foretold: what probes read in the tasks' subnets, put together with what is launched
//! behind the same address.
//!
//! A reading is stored under its own time. One that comes twice, late or never does no harm: only the newest reading is
//! used, and only while it is fresh. Which services share the address is known from deployments as they begin and from
//! the daily look; what they launch is looked up when a reading shows that pulls are made.

use pullsafe::notice::OnBus;
use remediator_decide::state::ServiceStatus;
use std::collections::BTreeMap;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use pullsafe::arn::ServiceId;
use pullsafe::lookup::Lookup;
use pullsafe::settings::{Ahead, Mode};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_diagnosis::cause::RemedyName;
use pullsafe_events::Subject;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::limit::{LimitAhead, Sharer};
use pullsafe_incident::outlook::{OutlookCause, OutlookFinding};
use pullsafe_radar::{Demand, Probed, Readings, Source};
use serde_json::json;

use super::ahead::{AheadReason, GoAhead};
use super::lease::Invocation;
use super::{Remediator, Tally};
use crate::act::Acted;
use crate::due::after;
use remediator_decide::limit::{
    FRESH_SECONDS, address_of, demand, is_being_treated, is_fresh, is_launching, reading_for, sharer, subnets_of,
};
use remediator_decide::observation::Observation;
use remediator_decide::remedy;
use remediator_decide::service::Service;

/// Docker Hub counts the pulls of six hours.
const WINDOW_SECONDS: i64 = 6 * 3600;
/// How many services DescribeServices takes at a time.
const AT_A_TIME: usize = 10;
/// How many of these calls are made side by side.
const SIDE_BY_SIDE: usize = 4;

impl Remediator {
    /// Handles what a probe has read. The reading is kept, and where the limit is about to end, people are told and
    /// services are moved first.
    pub(crate) async fn quota_read(&self, probed: &Probed, now: Timestamp) -> Result<Tally, Failure> {
        if !self.settings.quota_probe {
            return Ok(Tally::ignored("this stack has no probe".to_owned()));
        }
        if !is_fresh(probed.reading.at, now) {
            return Ok(Tally::ignored(format!(
                "the reading is of {}, and others have been made since",
                probed.reading.at
            )));
        }
        self.table.add_reading(probed).await?;
        let readings = self.table.readings(now.plus_seconds(-WINDOW_SECONDS)).await?;
        let history = history_of(&probed.source, &readings);
        if history.last() != Some(&probed.reading) {
            return Ok(Tally::ignored("a newer reading is known".to_owned()));
        }
        if !history.is_used() {
            return Ok(Tally::ignored("nobody pulls by this address".to_owned()));
        }
        let (sharers, limit) = self.foresee(&probed.source, &readings, now).await?;
        let Some(limit) = limit.filter(|limit| !limit.lasts()) else {
            return Ok(Tally::ignored("the limit lasts".to_owned()));
        };
        tracing::warn!(source = %limit.source, left = limit.reading.remaining, "{}", limit.says());
        // Nothing is moved unless the stack acts.
        let ahead = match self.settings.mode {
            Mode::Act => self.settings.ahead,
            Mode::Off | Mode::Observe | Mode::Ask => Ahead::Off,
        };
        if let Some(notice) = limit.notice(ahead)
            && !self.table.knows_of_limit(&limit.source, now).await?
        {
            // It goes out before the row is written: if the process dies in between, the same message goes out once
            // more, under the same id.
            self.topic.publish(&notice).await?;
            self.events
                .put(&self.settings.event_bus, &notice.detail_type, None, &notice.for_programs(OnBus::Evidence))
                .await?;
            self.table.told_of_limit(&limit.source, now).await?;
        }
        if self.settings.ahead == Ahead::Move {
            let services = sharers
                .iter()
                .filter(|sharer| limit.moves(&sharer.service))
                .map(|sharer| Subject::Service(sharer.service.clone()));
            let moves: Vec<_> =
                services.map(|subject| json!({ "pullsafe": "move-ahead", "subject": subject })).collect();
            self.queues.send_all(&self.settings.queue_url, &moves, after).await?;
        }
        Ok(Tally::worked("foretold", limit.says(), None))
    }

    /// Moves a service if the limit does not last with its pulls, and if that is still so. The mirror is asked for the
    /// images that have no copy, and the next reading tries again.
    pub(crate) async fn move_ahead(&self, subject: &Subject, by: Invocation<'_>) -> Result<Tally, Failure> {
        let Subject::Service(id) = subject else {
            return Ok(Tally::ignored("it is no service".to_owned()));
        };
        if self.settings.ahead != Ahead::Move {
            return Ok(Tally::ignored("nothing is moved ahead of a failure".to_owned()));
        }
        let known = self.table.read(subject, by.id, by.now).await?;
        if known.is_leased {
            return Ok(Tally::deferred());
        }
        if is_being_treated(&known.record) {
            return Ok(Tally::ignored("its incident is being cured".to_owned()));
        }
        let (service, leave) = tokio::join!(self.look_at_service(id), self.look_for_leave(id));
        let mode = self.mode(service.found(), &leave);
        let free = |service: &&Service| {
            mode == Mode::Act && service.status == ServiceStatus::Active && service.held == Lookup::Absent
        };
        let Some(definition) = service.found().filter(free).map(|service| service.task_definition.clone()) else {
            return Ok(Tally::ignored("the service is gone, is held by a hook, or is not to be changed".to_owned()));
        };
        if known.record.foretold.as_deref() == Some(&definition) {
            return Ok(Tally::ignored("this task definition was to be moved before".to_owned()));
        }
        let seen = self.observe_ahead(service, &definition).await;
        if !seen.limit.as_ref().is_some_and(|limit| limit.moves(id)) {
            return Ok(Tally::ignored("the limit lasts with it".to_owned()));
        }
        match remedy::ahead::prepare(&self.settings, &seen) {
            Some(plan) if plan.remedy == RemedyName::MoveToMirror => {
                let ahead = GoAhead {
                    definition: &definition,
                    plan: &plan,
                    mode,
                    why: AheadReason::Foretold,
                };
                self.go_ahead(id, ahead, by).await
            }
            Some(plan) if !plan.steps.is_empty() => match self.act(&plan, Mode::Act).await? {
                Acted::Done => Ok(Tally::worked("prepared", "the mirror is asked for what there is no copy of", None)),
                Acted::GivenUp(why) => Ok(Tally::ignored(why)),
                Acted::Refused(_, failure) => Ok(Tally::worked("refused", failure.to_string(), None)),
            },
            Some(_) | None => Ok(Tally::ignored("there is no copy to move it to".to_owned())),
        }
    }

    /// Adds to an observation what becomes of the limit that its service shares, where a probe reads it. This replaces
    /// Docker Hub's answer to pullsafe itself, which is about another address.
    pub(crate) async fn look_at_limit(&self, seen: &mut Observation) {
        let now = (self.clock)();
        let (Some(service), Some(definition)) = (seen.service.found(), seen.task_definition.found()) else {
            return;
        };
        match self.limit_of(service, definition, now).await {
            Ok(limit) => seen.limit = limit,
            // It goes on as without a probe.
            Err(failure) => tracing::warn!(%failure, "{}: Docker Hub's limit is not known: {failure}", service.id),
        }
        if let Some(limit) = &seen.limit {
            let left = Some((u64::from(limit.reading.remaining), u64::from(limit.reading.limit)));
            seen.hub_images.iter_mut().for_each(|image| image.left = left);
        }
    }

    /// The address by which the tasks of a service pull, where a probe knows it.
    pub(crate) async fn address_of(&self, service: Option<&Service>, now: Timestamp) -> Option<Source> {
        match self.table.readings(now.plus_seconds(-FRESH_SECONDS)).await {
            Ok(readings) => address_of(service?, &readings, now),
            // It goes on as without a probe.
            Err(failure) => {
                tracing::warn!(%failure, "by which address a service pulls is not known: {failure}");
                None
            }
        }
    }

    async fn limit_of(
        &self,
        service: &Service,
        definition: &TaskDefinition,
        now: Timestamp,
    ) -> Result<Option<LimitAhead>, Failure> {
        let Some(sharer) = self.share(service, definition, now).await? else {
            return Ok(None);
        };
        let readings = self.table.readings(now.plus_seconds(-WINDOW_SECONDS)).await?;
        let Some(read) = reading_for(&sharer, &readings, now) else {
            return Ok(None);
        };
        Ok(self.foresee(&read.source, &readings, now).await?.1)
    }

    /// Remembers a service that shares a limit.
    async fn share(
        &self,
        service: &Service,
        definition: &TaskDefinition,
        now: Timestamp,
    ) -> Result<Option<Sharer>, Failure> {
        let target = self
            .in_time("application-autoscaling:DescribeScalableTargets", self.scaling.target(&service.id))
            .await;
        let most = target.ok().flatten().map(|target| target.bounds.1);
        let Some(sharer) = sharer(service, definition, most, now) else {
            return Ok(None);
        };
        self.table.add_sharer(&sharer).await?;
        Ok(Some(sharer))
    }

    /// Finds what becomes of the limit of a source, and the services that share it.
    async fn foresee(
        &self,
        source: &Source,
        readings: &[Probed],
        now: Timestamp,
    ) -> Result<(Vec<Sharer>, Option<LimitAhead>), Failure> {
        let subnets = subnets_of(source, readings);
        let mut sharers = if subnets.is_empty() { Vec::new() } else { self.table.sharers().await? };
        sharers.retain(|sharer| sharer.is_in(&subnets));
        let demands = self.demands(&sharers, now).await;
        let limit = LimitAhead::of(source, &history_of(source, readings), &demands);
        Ok((sharers, limit))
    }

    /// What these services are about to pull, as far as it can be looked up. A service that cannot be looked up counts
    /// among the strangers behind the address.
    async fn demands(&self, sharers: &[Sharer], now: Timestamp) -> Vec<Demand> {
        let mut clusters: BTreeMap<&str, Vec<&Sharer>> = BTreeMap::new();
        for sharer in sharers {
            clusters.entry(&sharer.service.cluster_arn).or_default().push(sharer);
        }
        let some = clusters.values().flat_map(|sharers| sharers.chunks(AT_A_TIME));
        let looks = stream::iter(some.map(|some| self.demands_of(some, now))).buffer_unordered(SIDE_BY_SIDE);
        let found: Vec<Vec<Demand>> = looks.collect().await;
        let mut found = found.concat();
        found.sort_by(|one, other| one.service.cmp(&other.service));
        found
    }

    /// What at most ten services of one cluster are about to pull.
    async fn demands_of(&self, sharers: &[&Sharer], now: Timestamp) -> Vec<Demand> {
        let ids: Vec<&ServiceId> = sharers.iter().map(|sharer| &sharer.service).collect();
        let services = match self.in_time("ecs:DescribeServices", self.ecs.services(&ids)).await {
            Ok(services) => services,
            Err(failure) => {
                tracing::warn!(%failure, "what some services are about to pull is not known: {failure}");
                return Vec::new();
            }
        };
        let looks = services.iter().map(async |service| {
            // A service that has moved on to another definition pulls something else; its deployment says what.
            let sharer = sharers
                .iter()
                .find(|sharer| sharer.service == service.id && sharer.definition == service.task_definition)?;
            if !is_launching(service) {
                return Some(demand(sharer, service, &[], now));
            }
            let launches = self.in_time("ecs:ListTasks", self.ecs.launches(&service.id)).await;
            let launches = launches.inspect_err(
                |failure| tracing::warn!(%failure, "{}: its launches are not known: {failure}", service.id),
            );
            Some(demand(sharer, service, &launches.unwrap_or_default(), now))
        });
        join_all(looks).await.into_iter().flatten().collect()
    }

    /// What the daily look says of the limit that a service shares: that it is too small if all services that share it
    /// are replaced at once.
    pub(crate) async fn look_at_sharers(
        &self,
        service: &Service,
        definition: &TaskDefinition,
        now: Timestamp,
    ) -> Result<Option<OutlookFinding>, Failure> {
        let Some(own) = self.share(service, definition, now).await? else {
            return Ok(None);
        };
        let readings = self.table.readings(now.plus_seconds(-WINDOW_SECONDS)).await?;
        let Some(read) = reading_for(&own, &readings, now) else {
            return Ok(None);
        };
        let subnets = subnets_of(&read.source, &readings);
        let sharers: Vec<Sharer> =
            self.table.sharers().await?.into_iter().filter(|sharer| sharer.is_in(&subnets)).collect();
        let needs = sharers.iter().fold(0u32, |sum, sharer| sum.saturating_add(sharer.needs()));
        let images = definition
            .images()
            .into_iter()
            .filter(|image| image.reference.as_ref().is_some_and(|image| image.is_docker_hub()));
        let (containers, images): (Vec<String>, Vec<String>) =
            images.map(|image| (image.container, image.written)).unzip();
        Ok((needs > read.reading.limit).then(|| OutlookFinding {
            container: containers.join(", "),
            image: images.join(", "),
            trouble: OutlookCause::SharedLimit {
                source: read.source.to_string(),
                limit: read.reading.limit,
                needs,
                with: sharers
                    .iter()
                    .map(|sharer| sharer.service.to_string())
                    .filter(|other| *other != own.service.to_string())
                    .collect(),
            },
        }))
    }
}

fn history_of(source: &Source, readings: &[Probed]) -> Readings {
    readings.iter().filter(|probed| probed.source == *source).map(|probed| probed.reading).collect()
}
