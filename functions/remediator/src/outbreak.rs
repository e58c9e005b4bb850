//! Outbreaks: which messages wait for an outbreak's digests, and the digests themselves.
//!
//! A digest is stored before it is sent, by a write that succeeds only if the row is still as it was read. So only one
//! of two sweeps tells it, and if that one dies, the next sweep does. If an outbreak cannot be looked up, its messages
//! go out one by one.

use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_aws::telemetry::{Unit, emf};
use pullsafe_events::Subject;
use pullsafe_incident::outbreak::{Joins, Member, Outbreak, OutbreakRules, Telling};
use pullsafe_incident::outgoing::Outgoing;

use super::Remediator;
use crate::held::SendTurn;
use crate::tell::{Addressed, Stuck};

/// How often a write to the row of a cause is tried: somebody else may be faster, but few ever write the same row.
const TRIES: usize = 16;
/// How many seconds an outbreak may be due before it is counted as untold.
const OVERDUE_SECONDS: i64 = 15 * 60;

impl Remediator {
    /// Decides whether people get a message of a service by itself, or in the digests of an outbreak.
    pub(crate) async fn turn_in_outbreak(&self, subject: &Subject, outgoing: &Outgoing, now: Timestamp) -> SendTurn {
        let Some(joins) = outgoing.joins.as_ref().filter(|_| matches!(subject, Subject::Service(_))) else {
            return SendTurn::Goes;
        };
        match self.join(subject, joins, now).await {
            Ok(Some(outbreak)) => {
                tracing::info!(
                    notice = outgoing.notice.id,
                    outbreak,
                    "a message is told with others: {}",
                    outgoing.notice.subject
                );
                SendTurn::Together(outbreak)
            }
            Ok(None) => SendTurn::Goes,
            Err(failure) => {
                tracing::warn!(notice = outgoing.notice.id, %failure, "whether it is an outbreak is not known, so \
                    that it is told by itself: {failure}");
                SendTurn::Goes
            }
        }
    }

    /// The outbreak that an incident is told with, if there is one.
    async fn join(&self, subject: &Subject, joins: &Joins, now: Timestamp) -> Result<Option<String>, Failure> {
        let rules = OutbreakRules {
            after: self.settings.outbreak_after,
            window_seconds: self.settings.outbreak_minutes * 60,
        };
        let member = Member {
            subject: subject.clone(),
            incident: joins.incident.clone(),
            at: now,
        };
        for _ in 0..TRIES {
            let found = self.table.outbreak(&joins.common.key()).await?;
            let (outbreak, change) = match Outbreak::admit(found.outbreak.as_ref(), &joins.common, &member, rules) {
                Telling::Alone(change) => (None, change),
                Telling::Together(outbreak, change) => (Some(outbreak), change),
            };
            let is_listed = change.as_ref().or(found.outbreak.as_ref()).is_some_and(|known| known.lists(&member));
            if let Some(outbreak) = outbreak.as_ref().filter(|id| !is_listed && joins.member_of.as_ref() != Some(id)) {
                self.table.add_member(outbreak, &member, now).await?;
            }
            match change {
                None => return Ok(outbreak),
                Some(change) if self.table.write_outbreak(&found, &change, now).await?.is_some() => {
                    return Ok(outbreak);
                }
                Some(_) => {}
            }
        }
        Err(Failure::unexpected("dynamodb:PutItem", "others write the outbreak faster than it can be read"))
    }

    /// Tells the outbreaks that are due. Nothing here fails a sweep: what could not be told stays due.
    pub(crate) async fn tell_outbreaks(&self, now: Timestamp) {
        let due = match self.table.due_outbreaks(now).await {
            Ok(due) => due,
            Err(failure) => {
                return tracing::warn!(%failure, "which outbreaks are due could not be found out: {failure}");
            }
        };
        for (key, since) in due {
            if now.seconds_since(since) > OVERDUE_SECONDS {
                emf(now, &[], &[("MessagesUntold", Unit::Count, 1)]);
            }
            if let Err(failure) = self.tell_outbreak(&key, now).await {
                tracing::warn!(outbreak = key, %failure, "the outbreak {key} could not be told: {failure}");
            }
        }
    }

    async fn tell_outbreak(&self, key: &str, now: Timestamp) -> Result<(), Failure> {
        let found = self.table.outbreak(key).await?;
        let Some(mut outbreak) = found.outbreak.clone() else {
            return Ok(());
        };
        let members = self.table.members(&outbreak).await?;
        outbreak.look(&members, now);
        // Somebody else has looked, or joined just now: the next sweep looks again.
        let Some(mut found) = self.table.write_outbreak(&found, &outbreak, now).await? else {
            return Ok(());
        };
        if outbreak.outbox.is_empty() {
            return Ok(());
        }
        let (to, mut stuck) = (Addressed { resource: None, name: outbreak.common.to_string() }, Stuck::default());
        for outgoing in &mut outbreak.outbox {
            self.send(&to, outgoing, &mut stuck, now).await;
        }
        let left: Vec<Outgoing> = outbreak.outbox.into_iter().filter(Outgoing::is_on_its_way).collect();
        for _ in 0..TRIES {
            let Some(known) = &found.outbreak else { return Ok(()) };
            let told = Outbreak { outbox: left.clone(), ..known.clone() };
            if self.table.write_outbreak(&found, &told, now).await?.is_some() {
                return Ok(());
            }
            found = self.table.outbreak(key).await?;
        }
        Ok(())
    }
}
