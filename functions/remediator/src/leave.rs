//! Whether pullsafe may act on a service: what the tags, the stack's mode and the other stacks of the region say.

use remediator_decide::service::TagPower;
use std::sync::{Arc, Mutex, PoisonError};

use pullsafe::arn::ServiceId;
use pullsafe::settings::Mode;
use pullsafe::stack::{self, Sibling};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;

use super::Remediator;
use remediator_decide::service::{self, Service, marks};

/// How many seconds an answer about the region's stacks is used again. Only an older stack comes before this one, and
/// no new stack is older; but an older one may be told to act.
const REMEMBERED_SECONDS: i64 = 300;

/// The region's stacks, and when they were last listed.
pub(crate) type Remembered = Arc<Mutex<Option<(Timestamp, Arc<Vec<Sibling>>)>>>;

/// What was looked up about the mode, apart from the service's own tags.
pub(crate) struct Permissions {
    /// What the cluster's tag says of the mode.
    cluster: Result<Option<String>, Failure>,
    /// The other stack of pullsafe that acts on the service instead of this one, if there is one.
    before: Result<Option<String>, Failure>,
}

impl Remediator {
    /// Looks up the cluster's tag and the other stacks, within the time for this event's looks.
    pub(crate) async fn look_for_leave(&self, id: &ServiceId) -> Permissions {
        let asked = self.ecs.cluster_tag(&id.cluster_arn, marks::MODE);
        let cluster =
            self.in_time("ecs:DescribeClusters", self.clusters.or_ask(&id.cluster_arn, (self.clock)(), asked));
        let before = self.in_time("cloudformation:ListStacks", self.stack_before(id));
        let (cluster, before) = tokio::join!(cluster, before);
        Permissions { cluster, before }
    }

    /// Looks up the same without a time limit, and asks anew for the cluster's tag.
    pub(crate) async fn ask_for_leave(&self, id: &ServiceId) -> Permissions {
        let (cluster, before) = tokio::join!(self.ecs.cluster_tag(&id.cluster_arn, marks::MODE), self.stack_before(id));
        Permissions { cluster, before }
    }

    /// The mode to go on with. A doubt about it means `Observe`: pullsafe looks, and does not act.
    pub(crate) fn mode(&self, service: Option<&Service>, leave: &Permissions) -> Mode {
        let Some(service) = service else {
            return self.settings.mode;
        };
        self.mode_of(service, leave).unwrap_or_else(|failure| {
            tracing::warn!(%failure, "whether pullsafe may act here could not be found out: observing");
            Mode::Observe
        })
    }

    /// The mode that holds for a service.
    ///
    /// # Errors
    /// The mode depends on something that could not be found out.
    pub(crate) fn mode_of(&self, service: &Service, leave: &Permissions) -> Result<Mode, Failure> {
        let tags = match self.settings.allow_tag_to_act {
            true => TagPower::MayRaise,
            false => TagPower::MayLower,
        };
        let cluster = if service::settles(service.mode_tag(), tags) {
            None
        } else {
            leave.cluster.clone()?
        };
        let mode = service::mode(service.mode_tag(), cluster.as_deref(), self.settings.mode, tags);
        Ok(match mode {
            Mode::Ask | Mode::Act if self.yields(service, leave)?.is_some() => Mode::Observe,
            mode @ (Mode::Act | Mode::Ask | Mode::Observe | Mode::Off) => mode,
        })
    }

    /// Why another stack acts on a service instead of this one; `None` if this one acts. What this stack has paused, it
    /// also brings back.
    ///
    /// # Errors
    /// The region's stacks could not be listed.
    pub(crate) fn yields(&self, service: &Service, leave: &Permissions) -> Result<Option<String>, Failure> {
        let own = &self.settings.stack;
        if !own.is_empty() && service.tags.get(marks::PAUSED_BY) == Some(own) {
            return Ok(None);
        }
        Ok(leave.before.clone()?.map(|other| {
            format!(
                "the stack {other} of pullsafe may act on this service too, and is the older one, so that this one \
                 ({own}) observes: \
                 keep one acting stack in a region, or give each a ServicePattern of its own"
            )
        }))
    }

    /// The stack that acts on a service instead of this one. No stack is looked up where this one never acts.
    async fn stack_before(&self, id: &ServiceId) -> Result<Option<String>, Failure> {
        if self.settings.mode < Mode::Ask && !self.settings.allow_tag_to_act {
            return Ok(None);
        }
        let stacks = self.siblings().await?;
        Ok(stack::before(&self.settings.stack, &stacks, id).map(|other| other.name.clone()))
    }

    /// The stacks of this template in the region.
    async fn siblings(&self) -> Result<Arc<Vec<Sibling>>, Failure> {
        let now = (self.clock)();
        let known = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, stacks)) = known.as_ref().filter(|(at, _)| now.seconds_since(*at) < REMEMBERED_SECONDS) {
            return Ok(stacks.clone());
        }
        match self.stacks.of_pullsafe(&self.settings.stack).await {
            Ok(stacks) => {
                let stacks = Arc::new(stacks);
                *self.remembered.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, stacks.clone()));
                Ok(stacks)
            }
            // What was true a while ago is better than no answer: stacks change seldom, and in a storm this call is
            // throttled first.
            Err(failure) => known.filter(|_| failure.is_transient()).map(|(_, stacks)| stacks).ok_or(failure),
        }
    }
}
