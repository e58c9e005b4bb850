//! The lease of a subject: who works on it, while nobody else does.
//!
//! Saving a lease or giving it back consumes it, so that nothing can be written under it afterwards.

use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_aws::failure::FailureKind;
use pullsafe_events::Subject;
use pullsafe_incident::record::Record;
use pullsafe_incident::store::{After, Leased, Next, ReadRecord, Table};

use super::{Remediator, Tally};

/// The work on one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invocation<'a> {
    /// Who does it: the same when Lambda tries the event again.
    pub(crate) id: &'a str,
    /// When it began.
    pub(crate) now: Timestamp,
}

/// A subject that this invocation alone works on, with its record.
#[must_use]
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    pub(crate) subject: &'a Subject,
    /// What is remembered of the subject.
    pub(crate) record: Record,
    by: Invocation<'a>,
}

impl Lease<'_> {
    /// When the work began.
    pub(crate) const fn now(&self) -> Timestamp {
        self.by.now
    }

    /// Stores the record, and keeps the lease.
    pub(crate) async fn keep(&mut self, table: &Table, next: Next) -> Result<(), Failure> {
        table.save(self.subject, self.by.id, &mut self.record, self.by.now, next, After::WorksOn).await
    }

    /// Stores the record, and gives the lease back.
    pub(crate) async fn save(mut self, table: &Table, next: Next) -> Result<(), Failure> {
        table.save(self.subject, self.by.id, &mut self.record, self.by.now, next, After::GivesBack).await
    }

    /// Gives the lease back with nothing changed.
    pub(crate) async fn give_back(self, table: &Table, why: &str) -> Result<Tally, Failure> {
        match table.release(self.subject, self.by.id, &self.record).await {
            Err(failure) if failure.kind != FailureKind::ConditionFailed => Err(failure),
            Ok(()) | Err(_) => Ok(Tally::ignored(why.to_owned())),
        }
    }
}

impl Remediator {
    /// Takes the lease; `None` if somebody else has it, and the event waits.
    pub(crate) async fn lease<'a>(
        &self,
        subject: &'a Subject,
        by: Invocation<'a>,
    ) -> Result<Option<Lease<'a>>, Failure> {
        match self.table.lease(subject, by.id, by.now).await? {
            Leased::Held(record) => Ok(Some(Lease { subject, record: *record, by })),
            Leased::Busy => {
                tracing::info!(subject = %subject, "{subject}: another invocation is at work; the event waits");
                Ok(None)
            }
        }
    }

    /// Takes the lease of a row as it was read; `None` if somebody has written or leased it since.
    pub(crate) async fn lease_found<'a>(
        &self,
        subject: &'a Subject,
        found: &ReadRecord,
        by: Invocation<'a>,
    ) -> Result<Option<Lease<'a>>, Failure> {
        let leased = self.table.lease_found(subject, found, by.id, by.now).await?;
        Ok(leased.then(|| Lease { subject, record: found.record.clone(), by }))
    }
}
