//! The table: one row per service (or family, or build project), changed under a lease or by its revision; and the
//! archive.
//!
//! | `pk` | `sk` | |
//! |---|---|---|
//! | the subject | `state` | `doc`, the record as JSON; `rev`, which every change raises; the lease; and while something is open, when the next look is due |
//! | the subject | `past#<incident>#<number>` | what a long incident no longer keeps in its row ([`crate::past`]) |
//! | the subject | `incident#<id>` | the archive |
//! | `waits#<name>` | the subject | who waits for an image or an answer (`waiters.rs`) |
//! | `author#<author>` | | how many messages one author has caused of late (`told.rs`) |
//! | `outbreak#<cause>` | | incidents that are told together (`outbreak.rs`) |
//! | `limit` | | what probes read, who shares a limit, and which limits people know to end (`limit.rs`) |
//! | `outlook`, `outlook-unread` | | what will go wrong with what runs, and what could not be listed (`outlook.rs`) |
//!
//! A lease that is not given back runs out, so that a process that died holds nothing up for long.

mod due;
mod history;
mod limit;
mod outbreak;
mod outlook;
mod told;
mod waiters;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;

use crate::incident::Incident;
use crate::pace::NextLook;
use crate::past::{Part, Past};
use crate::record::{Record, SeenTask};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::item::{QUERY, TableRow, document, each_row, json, number, parsed, text};
use pullsafe_events::Subject;

pub use due::{DUE_INDEX, DueRow};
pub use history::IncidentHistory;
pub use outbreak::FoundOutbreak;
pub use outlook::KnownOutlook;
pub use told::MayTell;

/// How long a lease lasts. It is longer than the function may run, so that no lease runs out while its owner still
/// works.
pub const LEASE_SECONDS: i64 = 90;
/// How long a resolved incident can be read.
const ARCHIVE_SECONDS: i64 = 90 * 24 * 3600;
/// How long the memory of a service without an incident is kept; it tells late duplicates from news.
const MEMORY_SECONDS: i64 = 30 * 24 * 3600;

const STATE: &str = "state";
const PAST: &str = "past#";
const BATCH_GET: &str = "dynamodb:BatchGetItem";

/// The table of incidents.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

/// A record as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadRecord {
    /// The record; empty if nothing is remembered.
    pub record: Record,
    /// Whether somebody else holds the lease on it.
    pub is_leased: bool,
    /// The row's revision, if it has one.
    rev: Option<i64>,
}

impl ReadRecord {
    /// Whether the row has never been written, or only by a release that counted no revisions.
    pub const fn is_uncounted(&self) -> bool {
        self.rev.is_none()
    }
}

/// When a record that is written is looked at next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Soon: something has changed.
    Soon,
    /// When it was due anyway; soon if no look was due.
    AsItWas,
}

impl Next {
    /// Returns when a record that was looked at just now is looked at next.
    pub fn of(record: &Record, before: &Record) -> Self {
        if record.has_news_since(before) { Self::Soon } else { Self::AsItWas }
    }
}

/// What protects a record that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holding {
    /// The lease on it.
    Lease,
    /// Only the condition that nobody has written it since it was read.
    Nothing,
}

/// What becomes of a lease once its record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is kept.
    WorksOn,
    /// It is given back.
    GivesBack,
}

/// The outcome of asking for a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Leased {
    /// The lease is ours; this is the record as it is now.
    Held(Box<Record>),
    /// Somebody else holds it.
    Busy,
}

impl Table {
    /// Returns the table with this name.
    pub fn new(config: &aws_config::SdkConfig, name: &str) -> Self {
        Self { client: Client::new(config), name: name.to_owned() }
    }

    /// Reads the record without a lease. A lease that `owner` holds from an earlier try does not count as somebody
    /// else's.
    ///
    /// # Errors
    /// The call failed, or the row cannot be read.
    pub async fn read(&self, subject: &Subject, owner: &str, now: Timestamp) -> Result<ReadRecord, Failure> {
        const CALL: &str = "dynamodb:GetItem";
        let operation = self.client.get_item().table_name(&self.name).consistent_read(true);
        let operation = operation.key("pk", text(&subject.key())).key("sk", text(STATE));
        let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
        let Some(item) = answer.item() else {
            return Ok(ReadRecord::default());
        };
        Ok(ReadRecord {
            record: document(CALL, item)?.unwrap_or_default(),
            rev: number_of(item, "rev"),
            is_leased: number_of(item, "lease_until").is_some_and(|until| until >= now.seconds())
                && item.get("lease_owner").and_then(|holder| holder.as_s().ok()).is_some_and(|holder| holder != owner),
        })
    }

    /// Takes the lease and reads the record in one call. The same owner may take it again, which is how a retry of a
    /// failed invocation carries on at once.
    ///
    /// # Errors
    /// The call failed, or the row cannot be read.
    pub async fn lease(&self, subject: &Subject, owner: &str, now: Timestamp) -> Result<Leased, Failure> {
        const CALL: &str = "dynamodb:UpdateItem";
        let operation = self
            .update(subject)
            .update_expression("SET #owner = :owner, #until = :until")
            .condition_expression("attribute_not_exists(#until) OR #until < :now OR #owner = :owner")
            .expression_attribute_names("#until", "lease_until")
            .expression_attribute_values(":until", number(now.seconds() + LEASE_SECONDS))
            .expression_attribute_values(":now", number(now.seconds()))
            .expression_attribute_values(":owner", text(owner))
            .return_values(ReturnValue::AllNew);
        match operation.send().await.map_err(|error| Failure::of(CALL, &error)) {
            Ok(answer) => {
                let record = answer.attributes().map_or(Ok(None), |item| document(CALL, item))?;
                Ok(Leased::Held(Box::new(record.unwrap_or_default())))
            }
            Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(Leased::Busy),
            Err(failure) => Err(failure),
        }
    }

    /// Takes the lease on a record that was read before. Returns false if somebody has written or leased it since.
    ///
    /// # Errors
    /// The call failed.
    pub async fn lease_found(
        &self,
        subject: &Subject,
        found: &ReadRecord,
        owner: &str,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let free = "(attribute_not_exists(#until) OR #until < :now OR #owner = :owner)";
        let mut operation = self.update(subject).update_expression("SET #owner = :owner, #until = :until");
        operation = match found.rev {
            Some(rev) => operation
                .condition_expression(format!("#rev = :known AND {free}"))
                .expression_attribute_values(":known", number(rev)),
            None => operation.condition_expression(format!("attribute_not_exists(#rev) AND {free}")),
        };
        let operation = operation
            .expression_attribute_names("#rev", "rev")
            .expression_attribute_names("#until", "lease_until")
            .expression_attribute_values(":until", number(now.seconds() + LEASE_SECONDS))
            .expression_attribute_values(":now", number(now.seconds()))
            .expression_attribute_values(":owner", text(owner));
        match operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error)) {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Writes a record back under its lease.
    ///
    /// # Errors
    /// The call failed; with `ConditionFailed` the lease was lost, and somebody else is at work.
    pub async fn save(
        &self,
        subject: &Subject,
        owner: &str,
        record: &mut Record,
        now: Timestamp,
        next: Next,
        after: After,
    ) -> Result<(), Failure> {
        let gone = self.prepare(subject, record, now, Holding::Lease).await?.unwrap_or_default();
        let remove = match after {
            After::WorksOn => "",
            After::GivesBack => ", #owner, #until",
        };
        let mut operation = self.changed(subject, record, now, next, remove).condition_expression("#owner = :owner");
        operation = operation.expression_attribute_values(":owner", text(owner));
        // DynamoDB refuses a name that no expression uses.
        if after == After::GivesBack {
            operation = operation.expression_attribute_names("#until", "lease_until");
        }
        operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error))?;
        self.forget_waiters(subject, gone).await
    }

    /// Writes back a record that was read without a lease. Returns false if somebody has written or leased it since.
    ///
    /// # Errors
    /// The call failed.
    pub async fn replace(
        &self,
        subject: &Subject,
        found: &ReadRecord,
        record: &mut Record,
        now: Timestamp,
        next: Next,
    ) -> Result<bool, Failure> {
        let Some(gone) = self.prepare(subject, record, now, Holding::Nothing).await? else {
            return Ok(false);
        };
        let unleased = "(attribute_not_exists(#until) OR #until < :now)";
        let mut operation = self.changed(subject, record, now, next, ", #owner, #until");
        operation = match found.rev {
            Some(rev) => operation
                .condition_expression(format!("#rev = :known AND {unleased}"))
                .expression_attribute_values(":known", number(rev)),
            None => operation.condition_expression(format!("attribute_not_exists(#rev) AND {unleased}")),
        };
        operation = operation.expression_attribute_names("#until", "lease_until");
        operation = operation.expression_attribute_values(":now", number(now.seconds()));
        match operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error)) {
            Ok(_) => {
                self.forget_waiters(subject, gone).await?;
                Ok(true)
            }
            Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Writes what has to be there before the record: the row of the past, and the rows of what it waits for. Returns
    /// the names whose rows may go afterwards; `None` if somebody else is writing the row of the past.
    async fn prepare(
        &self,
        subject: &Subject,
        record: &mut Record,
        now: Timestamp,
        holding: Holding,
    ) -> Result<Option<Vec<String>>, Failure> {
        if let Some(part) = record.take_part()
            && !self.keep(subject, &part, now, holding).await?
        {
            return Ok(None);
        }
        let waits = record.waits();
        self.expect(subject, record, &waits, now).await?;
        let known = std::mem::replace(&mut record.listed, waits);
        Ok(Some(known.into_iter().filter(|name| !record.listed.contains(name)).collect()))
    }

    /// Lists a subject among those who wait for these names. This comes before anybody is asked for an image, because
    /// an image can come at once.
    ///
    /// # Errors
    /// A call failed.
    pub async fn expect(
        &self,
        subject: &Subject,
        record: &mut Record,
        names: &[String],
        now: Timestamp,
    ) -> Result<(), Failure> {
        for name in names {
            if !record.listed.contains(name) {
                self.add_waiter(name, subject, now).await?;
                record.listed.push(name.clone());
            }
        }
        Ok(())
    }

    async fn forget_waiters(&self, subject: &Subject, names: Vec<String>) -> Result<(), Failure> {
        for name in names {
            self.remove_waiter(&name, subject).await?;
        }
        Ok(())
    }

    /// Returns the update that writes a record, without its condition. `remove` names what else is removed.
    fn changed(
        &self,
        subject: &Subject,
        record: &Record,
        now: Timestamp,
        next: Next,
        remove: &str,
    ) -> UpdateItemFluentBuilder {
        let due = NextLook::after_change(subject, record, now);
        let (operation, set, gone) = due::update(self.update(subject), &subject.key(), due.as_ref(), next);
        operation
            .update_expression(format!(
                "SET #doc = :doc, #subject = :subject, #expires = :expires, #rev = if_not_exists(#rev, :zero) + \
                 :one{set} REMOVE #open{gone}{remove}"
            ))
            .expression_attribute_names("#doc", "doc")
            .expression_attribute_names("#subject", "subject")
            .expression_attribute_names("#expires", "expires_at")
            .expression_attribute_names("#rev", "rev")
            // Rows of earlier releases have this attribute instead of the moment of the next look.
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":doc", text(&json(record)))
            .expression_attribute_values(":subject", text(&json(subject)))
            .expression_attribute_values(":expires", number(now.seconds() + MEMORY_SECONDS))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
    }

    /// Writes a row of the past. Returns false if somebody else has just written it, and may be about to write the
    /// record that it belongs to.
    ///
    /// Whoever holds the lease overwrites the row, because nobody else can write the record then. Without a lease, a
    /// row that a dead process left is overwritten once that process cannot be at work any more.
    async fn keep(&self, subject: &Subject, part: &Part, now: Timestamp, holding: Holding) -> Result<bool, Failure> {
        let mut operation = self
            .client
            .put_item()
            .table_name(&self.name)
            .item("pk", text(&subject.key()))
            .item("sk", text(&format!("{PAST}{}#{:05}", part.incident, part.number)))
            .item("past", text(&json(&part.past)))
            .item("lease_until", number(now.seconds() + LEASE_SECONDS))
            .item("expires_at", number(now.seconds() + ARCHIVE_SECONDS));
        if holding == Holding::Nothing {
            operation = operation
                .condition_expression("attribute_not_exists(#until) OR #until < :now")
                .expression_attribute_names("#until", "lease_until")
                .expression_attribute_values(":now", number(now.seconds()));
        }
        match operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error)) {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Returns what the rows of the past know of a task.
    ///
    /// # Errors
    /// A call failed, or a row cannot be read.
    pub async fn past_task(&self, subject: &Subject, incident: &str, task: &str) -> Result<Option<SeenTask>, Failure> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :past)");
        let query = query.expression_attribute_names("#pk", "pk").expression_attribute_names("#sk", "sk");
        let query = query.expression_attribute_values(":pk", text(&subject.key()));
        let query = query.expression_attribute_values(":past", text(&format!("{PAST}{incident}#")));
        let mut found = None;
        each_row(query, |row| {
            let past: Option<Past> = parsed(QUERY, row, "past")?;
            found = past.and_then(|past| past.tasks.get(task).copied()).or(found);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Gives back the lease of this record without a change. A row that holds nothing else is deleted.
    ///
    /// # Errors
    /// The call failed; with `ConditionFailed` the lease was lost.
    pub async fn release(&self, subject: &Subject, owner: &str, record: &Record) -> Result<(), Failure> {
        if *record == Record::default() {
            let operation = self
                .client
                .delete_item()
                .table_name(&self.name)
                .key("pk", text(&subject.key()))
                .key("sk", text(STATE));
            let operation = operation
                .condition_expression("#owner = :owner AND attribute_not_exists(#doc)")
                .expression_attribute_names("#owner", "lease_owner")
                .expression_attribute_names("#doc", "doc")
                .expression_attribute_values(":owner", text(owner));
            return match operation.send().await.map_err(|error| Failure::of("dynamodb:DeleteItem", &error)) {
                Ok(_) => Ok(()),
                Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(()),
                Err(failure) => Err(failure),
            };
        }
        let operation = self
            .update(subject)
            .update_expression("REMOVE #owner, #until")
            .condition_expression("#owner = :owner");
        let operation = operation
            .expression_attribute_names("#until", "lease_until")
            .expression_attribute_values(":owner", text(owner));
        operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error))?;
        Ok(())
    }

    /// Keeps a resolved incident. Keeping it twice changes nothing.
    ///
    /// # Errors
    /// The call failed.
    pub async fn archive(&self, subject: &Subject, incident: &mut Incident, now: Timestamp) -> Result<(), Failure> {
        if let Some(part) = incident.take_part(BTreeMap::new()) {
            self.keep(subject, &part, now, Holding::Lease).await?;
        }
        let operation = self
            .client
            .put_item()
            .table_name(&self.name)
            .item("pk", text(&subject.key()))
            .item("sk", text(&format!("incident#{}", incident.id)))
            .item("subject", text(&json(subject)))
            .item("doc", text(&json(incident)))
            .item("expires_at", number(now.seconds() + ARCHIVE_SECONDS));
        operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error))?;
        Ok(())
    }

    fn update(&self, subject: &Subject) -> UpdateItemFluentBuilder {
        let operation = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(&subject.key()))
            .key("sk", text(STATE));
        operation.expression_attribute_names("#owner", "lease_owner")
    }
}

fn number_of(item: &TableRow, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
