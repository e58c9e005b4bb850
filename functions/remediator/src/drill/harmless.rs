//! All that a drill can reach: looks, and one message. The remediator itself is private to this file.

use pullsafe::arn::ServiceId;
use pullsafe::lookup::Lookup;
use pullsafe::notice::Notice;
use pullsafe::settings::{Mode, Settings};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_incident::held::{MOST_SINGLE, PERIOD_SECONDS};
use pullsafe_incident::incident::CauseSeen;
use pullsafe_incident::store::MayTell;

use crate::Remediator;
use crate::observe::EarlyLooks;
use remediator_decide::observation::Observation;
use remediator_decide::service::Service;

/// The author whose allowance of messages all drills share, whoever asks for them.
const AUTHOR: &str = "drill";

/// A remediator that can only look, and tell of a drill.
pub(crate) struct Harmless<'a>(&'a Remediator);

/// Whether a message has reached people and programs, and if not, why.
pub(super) struct Told {
    pub(super) people: String,
    pub(super) programs: String,
}

impl<'a> Harmless<'a> {
    pub(crate) const fn of(remediator: &'a Remediator) -> Self {
        Self(remediator)
    }

    pub(super) const fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) async fn service(&self, id: &ServiceId) -> Lookup<Service> {
        self.0.look_at_service(id).await
    }

    pub(super) async fn mode(&self, id: &ServiceId, service: &Service) -> Mode {
        self.0.mode(Some(service), &self.0.look_for_leave(id).await)
    }

    pub(super) async fn definition(&self, service: &Service) -> Lookup<TaskDefinition> {
        self.0.look_at_definition(&service.task_definition).await
    }

    pub(super) async fn observe(&self, service: Service, blocker: &CauseSeen) -> Observation {
        self.0.observe(Lookup::Found(service), EarlyLooks::default(), blocker, &[], &mut None).await
    }

    /// Tells people and programs, unless drills were told of too often.
    pub(super) async fn tell(&self, notice: &Notice, now: Timestamp) -> Told {
        match self.0.table.leave_to_tell(AUTHOR, &notice.id, now).await {
            Ok(MayTell::Granted) => {
                let detail = notice.for_programs(self.0.settings.on_bus);
                let (programs, people) = tokio::join!(
                    self.0.events.put(&self.0.settings.event_bus, &notice.detail_type, None, &detail),
                    self.0.topic.publish(notice)
                );
                Told { people: said(people), programs: said(programs) }
            }
            Ok(MayTell::Held { .. }) => {
                let why = format!(
                    "not told: there are {MOST_SINGLE} messages about drills in {} minutes",
                    PERIOD_SECONDS / 60
                );
                Told { people: why.clone(), programs: why }
            }
            Err(failure) => {
                let why = format!("not told: {failure}");
                Told { people: why.clone(), programs: why }
            }
        }
    }
}

fn said(told: Result<(), Failure>) -> String {
    told.map_or_else(|failure| format!("not told: {failure}"), |()| "told".to_owned())
}
