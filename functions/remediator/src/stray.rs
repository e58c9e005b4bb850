//! The daily look at services that carry pullsafe's marks of a pause which no record knows.

use pullsafe::count::counted;
use pullsafe::lookup::Lookup;
use pullsafe::stack::StackStatus;
use pullsafe_aws::Failure;
use pullsafe_events::{Author, Subject};
use pullsafe_incident::notice;
use pullsafe_incident::outgoing::Outgoing;
use pullsafe_incident::store::Next;
use remediator_decide::state::ServiceStatus;
use serde_json::{Value, json};

use super::lease::Invocation;
use super::{Remediator, Tally};
use crate::due::after;
use remediator_decide::service::{Service, marks};
use remediator_decide::stray;

impl Remediator {
    /// Puts a look at every service that carries the mark of a pause into the queue.
    pub(crate) async fn find_paused(&self) -> Result<Tally, Failure> {
        // A search that is refused ends in the dead-letter queue, whose alarm tells people: there is no incident to
        // tell it in.
        let found = self.tagging.services_with(marks::PAUSED_COUNT).await?;
        let looks: Vec<Value> = found
            .iter()
            .map(|service| json!({ "pullsafe": "paused", "subject": Subject::Service(service.clone()) }))
            .collect();
        self.queues.send_all(&self.settings.queue_url, &looks, after).await?;
        Ok(Tally::worked(
            "searched",
            counted(found.len(), "service", "carries the mark of a pause", "carry the mark of a pause"),
            None,
        ))
    }

    /// Looks at a service that carries the mark of a pause. People are told once for each pause, unless an incident or
    /// another stack remembers it.
    pub(crate) async fn look_at_paused(&self, subject: &Subject, by: Invocation<'_>) -> Result<Tally, Failure> {
        let Subject::Service(id) = subject else {
            return Ok(Tally::ignored("only a service is paused".to_owned()));
        };
        let Some(mut lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        if lease.record.open.is_some() {
            return lease.give_back(&self.table, "its incident is open, and remembers").await;
        }
        let service = match self.ecs.service(id).await? {
            Some(service) if service.status == ServiceStatus::Active && service.mode_tag() != Some("off") => service,
            Some(_) | None => {
                return lease.give_back(&self.table, "the service is gone, or pullsafe is off for it").await;
            }
        };
        let Some(mark) = stray::mark(&service) else {
            return lease.give_back(&self.table, "the service carries no mark of a pause any more").await;
        };
        if lease.record.stray.as_ref() == Some(&mark) {
            return lease.give_back(&self.table, "people know of this pause").await;
        }
        if let Some(other) = self.paused_by_a_living_stack(&service).await {
            return lease.give_back(&self.table, &format!("the stack {other} has paused it, and is there")).await;
        }
        let image = stray::image(&service);
        let wanted = match &image {
            Some(image) => Some((image, self.resolve(image).await.resolved)),
            None => None,
        };
        let told = stray::told(&service, wanted.as_ref().map(|(image, found)| (*image, found)));
        let (now, record) = (lease.now(), &mut lease.record);
        record.notices += 1;
        let id = format!("{now}-{}-{}", id.name, record.notices);
        let notice = Outgoing {
            author: Some(Author::Marks),
            ..notice::stray(&subject.to_string(), &told, id).into()
        };
        record.outbox.push(notice);
        record.stray = Some(mark);
        self.tell(subject, record, now).await;
        lease.save(&self.table, Next::Soon).await?;
        Ok(Tally::worked("told", "a service is paused, and nobody remembers", None))
    }

    /// The other stack that paused a service, if it is still there to bring it back.
    async fn paused_by_a_living_stack(&self, service: &Service) -> Option<String> {
        let other = service.paused_by_another(&self.settings.stack)?;
        match self.stacks.status(other).await {
            Lookup::Found(stack) if stack.status != StackStatus::Deleted => Some(other.to_owned()),
            Lookup::Found(_) | Lookup::Absent => None,
            // It is not known, and is asked again tomorrow.
            Lookup::Unknown(why) => Some(format!("{other} (which could not be looked up: {why})")),
        }
    }
}
