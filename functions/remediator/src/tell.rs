//! Telling: every message goes to people by the topic and to programs by the bus, each once.
//!
//! Nothing here fails an event. What did not go out stays in the record's outbox, which the sweep comes back to; a
//! message that cannot go out one way is told on the other, in the log, and in the metric `MessagesUntold`, which an
//! alarm watches.

use pullsafe::notice::Notice;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::telemetry::{Unit, emf};
use pullsafe_aws::{Failure, FailureKind};
use pullsafe_events::Subject;
use pullsafe_incident::outgoing::{Met, Outgoing, Way};
use pullsafe_incident::published::{Published, Undelivered};
use pullsafe_incident::record::Record;
use pullsafe_incident::sight;
use remediator_decide::refusal::Lacks;

use remediator_decide::refusal;

use super::Remediator;
use crate::held::SendTurn;

/// The detail-type under which programs hear what people could not be told.
const UNDELIVERED: &str = "Message Undelivered";

/// A failure that the other messages would meet on the same way, so that they are not tried now.
type SharedFailure = Option<(Met, String)>;

/// The failures that the other messages would meet, on each way.
#[derive(Debug, Default)]
pub(crate) struct Stuck {
    bus: SharedFailure,
    topic: SharedFailure,
}

/// What a message is about, in the form that each way needs.
#[derive(Debug, Clone)]
pub(crate) struct Addressed {
    /// The resource that the event on the bus names, if there is one.
    pub(crate) resource: Option<String>,
    /// Its name in words.
    pub(crate) name: String,
}

impl Remediator {
    /// Sends what is in the outbox, in order on each way, and leaves in it what is to be tried again.
    pub(crate) async fn tell(&self, subject: &Subject, record: &mut Record, now: Timestamp) {
        let to = Addressed { resource: Some(subject.key()), name: subject.to_string() };
        let mut stuck = Stuck::default();
        let mut held = Vec::new();
        for outgoing in &mut record.outbox {
            match Box::pin(self.turn_of(subject, outgoing, now)).await {
                SendTurn::Goes => {
                    if let Some(incident) = &mut record.open {
                        outgoing.opens(incident);
                    }
                }
                SendTurn::Together(outbreak) => {
                    outgoing.goes_with(&outbreak);
                    if let Some(incident) = &mut record.open {
                        incident.outbreak = Some(outbreak);
                    }
                }
                SendTurn::Held => {
                    held.push(outgoing.notice.id.clone());
                    continue;
                }
                SendTurn::Waits => continue,
            }
            if outgoing.notice.links.is_empty() {
                outgoing.notice.links = sight::links(subject, outgoing.sight.as_ref());
            }
            Box::pin(self.send(&to, outgoing, &mut stuck, now)).await;
        }
        record.outbox.retain(|outgoing| outgoing.is_on_its_way() && !held.contains(&outgoing.notice.id));
    }

    /// Sends one message on each way that is open.
    pub(crate) async fn send(&self, to: &Addressed, outgoing: &mut Outgoing, stuck: &mut Stuck, now: Timestamp) {
        self.tell_programs(to, outgoing, &mut stuck.bus, now).await;
        self.tell_people(to, outgoing, &mut stuck.topic, now).await;
        let Outgoing { notice, programs, people, .. } = &*outgoing;
        for way in [programs, people] {
            if matches!(way, Way::GivenUp { .. }) || way.is_overdue(now) {
                emf(now, &[], &[("MessagesUntold", Unit::Count, 1)]);
            }
        }
        if let (Way::GivenUp { .. }, Way::GivenUp { .. }) = (programs, people) {
            tracing::error!(
                notice = notice.id,
                text = notice.text,
                "{}: nobody could be told: {}",
                to.name,
                notice.subject
            );
        }
    }

    async fn tell_programs(&self, to: &Addressed, outgoing: &mut Outgoing, stuck: &mut SharedFailure, now: Timestamp) {
        if !outgoing.programs.is_open() {
            return;
        }
        let notice = &outgoing.notice;
        let detail = notice.for_programs(self.settings.on_bus);
        if stuck.is_none() {
            match self
                .events
                .put(&self.settings.event_bus, &notice.detail_type, to.resource.as_deref(), &detail)
                .await
            {
                Ok(()) => return outgoing.programs = Way::Told,
                Err(failure) => *stuck = Some(self.met(notice, &failure)),
            }
        }
        outgoing.programs = after(&outgoing.programs, stuck, now);
    }

    async fn tell_people(&self, to: &Addressed, outgoing: &mut Outgoing, stuck: &mut SharedFailure, now: Timestamp) {
        if !outgoing.people.is_open() {
            return;
        }
        if stuck.is_none() {
            let notice = match outgoing.programs.why() {
                Some(why) => {
                    let text = format!("{}\nPrograms have not heard of this. {why}\n", outgoing.notice.text);
                    &Notice { text, ..outgoing.notice.clone() }
                }
                None => &outgoing.notice,
            };
            match self.topic.publish(notice).await {
                Ok(()) => return outgoing.people = Way::Told,
                Err(failure) => *stuck = Some(self.met(notice, &failure)),
            }
        }
        let people = after(&outgoing.people, stuck, now);
        // It is given up only once the bus has it, or cannot take it either.
        if let Way::GivenUp { why } = &people
            && !self.pass_on(to, outgoing, why).await
        {
            outgoing.people = outgoing.people.after(Met::Passing, why.clone(), now);
            return;
        }
        outgoing.people = people;
    }

    /// Tells programs what people could not be told. Returns whether that is settled.
    async fn pass_on(&self, to: &Addressed, outgoing: &Outgoing, why: &str) -> bool {
        match &outgoing.programs {
            Way::New | Way::Waiting { .. } => return false,
            Way::GivenUp { .. } => return true,
            Way::Told | Way::Together => {}
        }
        let notice = &outgoing.notice;
        let undelivered = Undelivered {
            notice: notice.id.clone(),
            subject: to.name.clone(),
            title: notice.subject.clone(),
            text: notice.text_for_programs(self.settings.on_bus),
            why: why.to_owned(),
        };
        let detail = Published::Undelivered(undelivered).detail();
        match self.events.put(&self.settings.event_bus, UNDELIVERED, to.resource.as_deref(), &detail).await {
            Ok(()) => true,
            Err(failure) => self.met(notice, &failure).0 != Met::Passing,
        }
    }

    /// The kind of failure that a message met, and its text. The failure is logged here, once.
    fn met(&self, notice: &Notice, failure: &Failure) -> (Met, String) {
        let message = failure.message.as_deref().unwrap_or_default();
        let denied = failure.kind == FailureKind::Denied;
        let resource = self.resource_of(failure.call).unwrap_or_else(|| "*".to_owned());
        let code = failure.code.as_deref().unwrap_or_default();
        let (met, lacks) = match (failure.is_transient(), denied) {
            (true, _) => return (Met::Passing, self.logged(notice, failure, failure.to_string())),
            (false, true) => (Met::Denial, Lacks::Permission),
            (false, false) => (Met::Refusal, Lacks::Other),
        };
        let missing = refusal::missing(failure.call, code, message, lacks, &resource);
        (met, self.logged(notice, failure, format!("{failure}. What is missing: {missing}")))
    }

    fn logged(&self, notice: &Notice, failure: &Failure, why: String) -> String {
        tracing::warn!(notice = notice.id, %failure, "a message did not go out: {why}");
        why
    }
}

/// The state of a way after the failure that this message, or one before it, has met.
fn after(way: &Way, stuck: &mut SharedFailure, now: Timestamp) -> Way {
    let Some((met, why)) = stuck.clone() else {
        return way.clone();
    };
    // A refusal may be about this one message, so the next one is tried.
    if met == Met::Refusal {
        *stuck = None;
    }
    way.after(met, why, now)
}
