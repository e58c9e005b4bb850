//! The table: one row per service (or family, or build project), changed only under a lease; and the archive.
//!
//! A row has `pk` (the subject), `sk` (`state`, or `incident#<id>` in the archive), `doc` (the record as JSON),
//! `open` (present only while an incident is open: the key of a sparse index), and the lease.
//! A lease that is not given back runs out, so that a process that died holds nothing up for long.

mod history;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;

use crate::incident::{Incident, Record};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::item::{OPEN_INDEX, QUERY, document, each_row, json, number, parsed, text};
use pullsafe_events::Subject;

pub use history::History;

/// Longer than the function may run: a lease never runs out under somebody who still works.
pub const LEASE_SECONDS: i64 = 90;
/// How long a resolved incident can be read.
const ARCHIVE_SECONDS: i64 = 90 * 24 * 3600;
/// How long the memory of a service without an incident is kept; it tells late duplicates from news.
const MEMORY_SECONDS: i64 = 30 * 24 * 3600;

const STATE: &str = "state";

/// The table of incidents.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

/// The outcome of asking for a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Leased {
    /// It is ours, with the record as it stands.
    Held(Box<Record>),
    /// Somebody else is at work.
    Busy,
}

impl Table {
    /// The table of this name.
    pub fn new(config: &aws_config::SdkConfig, name: &str) -> Self {
        Self { client: Client::new(config), name: name.to_owned() }
    }

    /// The record, without a lease; `None` if nothing is remembered.
    ///
    /// # Errors
    /// The call failed, or the row cannot be read.
    pub async fn read(&self, subject: &Subject) -> Result<Option<Record>, Failure> {
        const CALL: &str = "dynamodb:GetItem";
        let operation = self.client.get_item().table_name(&self.name).consistent_read(true);
        let operation = operation.key("pk", text(&subject.key())).key("sk", text(STATE));
        let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
        answer.item().map_or(Ok(None), |item| document(CALL, item))
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

    /// Writes the record back, and gives the lease back if asked to.
    ///
    /// # Errors
    /// The call failed; with `ConditionFailed` the lease was lost, and somebody else is at work.
    pub async fn save(&self, subject: &Subject, owner: &str, record: &Record, now: Timestamp, release: bool) -> Result<(), Failure> {
        let mut set = vec!["#doc = :doc", "#subject = :subject", "#expires = :expires"];
        let mut remove = Vec::new();
        let unfinished = record.open.is_some() || !record.outbox.is_empty();
        if unfinished {
            set.push("#open = :open")
        } else {
            remove.push("#open")
        }
        if release {
            remove.extend(["#owner", "#until"]);
        }
        let remove = if remove.is_empty() { String::new() } else { format!(" REMOVE {}", remove.join(", ")) };
        let mut operation = self
            .update(subject)
            .update_expression(format!("SET {}{remove}", set.join(", ")))
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#doc", "doc")
            .expression_attribute_names("#subject", "subject")
            .expression_attribute_names("#expires", "expires_at")
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":doc", text(&json(record)))
            .expression_attribute_values(":subject", text(&json(subject)))
            .expression_attribute_values(":expires", number(now.seconds() + MEMORY_SECONDS))
            .expression_attribute_values(":owner", text(owner));
        if unfinished {
            operation = operation.expression_attribute_values(":open", text("incident"));
        }
        // DynamoDB refuses a name that no expression uses.
        if release {
            operation = operation.expression_attribute_names("#until", "lease_until");
        }
        operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error))?;
        Ok(())
    }

    /// Gives the lease back without a change. A row that holds nothing else goes.
    ///
    /// # Errors
    /// The call failed; with `ConditionFailed` the lease was lost.
    pub async fn release(&self, subject: &Subject, owner: &str, empty: bool) -> Result<(), Failure> {
        if empty {
            let operation = self.client.delete_item().table_name(&self.name).key("pk", text(&subject.key())).key("sk", text(STATE));
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
        let operation = self.update(subject).update_expression("REMOVE #owner, #until").condition_expression("#owner = :owner");
        let operation = operation.expression_attribute_names("#until", "lease_until").expression_attribute_values(":owner", text(owner));
        operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error))?;
        Ok(())
    }

    /// Keeps a resolved incident. Keeping it twice changes nothing.
    ///
    /// # Errors
    /// The call failed.
    pub async fn archive(&self, subject: &Subject, incident: &Incident, now: Timestamp) -> Result<(), Failure> {
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

    /// Everything with an open incident, as far as the index knows: a hint where to look.
    ///
    /// # Errors
    /// A call failed, or a row cannot be read.
    pub async fn open(&self) -> Result<Vec<(Subject, Record)>, Failure> {
        let mut found = Vec::new();
        each_row(self.open_rows(), |row| {
            if let (Some(subject), Some(record)) = (parsed(QUERY, row, "subject")?, document(QUERY, row)?) {
                found.push((subject, record));
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The rows with an open incident, by the index.
    fn open_rows(&self) -> QueryFluentBuilder {
        let operation = self.client.query().table_name(&self.name).index_name(OPEN_INDEX).key_condition_expression("#open = :open");
        operation.expression_attribute_names("#open", "open").expression_attribute_values(":open", text("incident"))
    }

    fn update(&self, subject: &Subject) -> UpdateItemFluentBuilder {
        let operation = self.client.update_item().table_name(&self.name).key("pk", text(&subject.key())).key("sk", text(STATE));
        operation.expression_attribute_names("#owner", "lease_owner")
    }
}
