//! Outbreaks: a row for each cause at a registry, and a row for each member.
//!
//! | `pk` | `sk` | |
//! |---|---|---|
//! | `outbreak#<cause>` | `state` | `outbreak`, as JSON; `rev`, which every change raises; and while it lasts, when it is looked at next |
//! | `outbreak#<id>#<part>` | the subject and its incident | `member`, as JSON |
//!
//! The row of a cause is written by the few incidents that are told one by one, by the one that makes it an outbreak,
//! and by looks. An incident that joins later writes a row of its own, and these rows are spread over partitions: a
//! thousand members write a thousand rows, and never the same one.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;

use super::due::{DUE_INDEX, SHARDS, shard_of};
use super::history::key;
use super::{ARCHIVE_SECONDS, BATCH_GET, MEMORY_SECONDS, STATE, Table, number_of};
use crate::incident::Incident;
use crate::outbreak::{Member, Outbreak};
use crate::record::Record;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::item::{QUERY, TableRow, each_row, json, number, parsed, text};

/// The partition of the index in which outbreaks are.
const OUTBREAKS: &str = "outbreak";

/// An outbreak as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundOutbreak {
    /// What is known of it; `None` where the cause was never told.
    pub outbreak: Option<Outbreak>,
    rev: Option<i64>,
}

impl Table {
    /// Reads what is known of a cause.
    ///
    /// # Errors
    /// The call failed, or the row cannot be read.
    pub async fn outbreak(&self, key: &str) -> Result<FoundOutbreak, Failure> {
        const CALL: &str = "dynamodb:GetItem";
        let operation = self.client.get_item().table_name(&self.name).consistent_read(true);
        let operation = operation.key("pk", text(&partition(key))).key("sk", text(STATE));
        let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
        let Some(item) = answer.item() else {
            return Ok(FoundOutbreak { outbreak: None, rev: None });
        };
        Ok(FoundOutbreak {
            outbreak: parsed(CALL, item, "outbreak")?,
            rev: number_of(item, "rev"),
        })
    }

    /// Writes an outbreak that was read before. Returns it as it is now, or `None` if somebody else has written it
    /// since.
    ///
    /// # Errors
    /// The call failed.
    pub async fn write_outbreak(
        &self,
        found: &FoundOutbreak,
        outbreak: &Outbreak,
        now: Timestamp,
    ) -> Result<Option<FoundOutbreak>, Failure> {
        let rev = found.rev.unwrap_or(0) + 1;
        let mut operation = self
            .client
            .put_item()
            .table_name(&self.name)
            .item("pk", text(&partition(&outbreak.common.key())))
            .item("sk", text(STATE))
            .item("outbreak", text(&json(outbreak)))
            .item("rev", number(rev))
            .item("expires_at", number(now.seconds() + MEMORY_SECONDS));
        if let Some(due) = outbreak.due(now) {
            operation = operation.item("shard", text(OUTBREAKS)).item("due_at", number(due.seconds()));
        }
        operation = match found.rev {
            Some(known) => operation
                .condition_expression("#rev = :known")
                .expression_attribute_names("#rev", "rev")
                .expression_attribute_values(":known", number(known)),
            None => operation.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", "pk"),
        };
        match operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error)) {
            Ok(_) => Ok(Some(FoundOutbreak { outbreak: Some(outbreak.clone()), rev: Some(rev) })),
            Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Adds a member to an outbreak. Adding it twice changes nothing.
    ///
    /// # Errors
    /// The call failed.
    pub async fn add_member(&self, outbreak: &str, member: &Member, now: Timestamp) -> Result<(), Failure> {
        let sk = format!("{}#{}", member.subject.key(), member.incident);
        let row: [(&str, AttributeValue); 4] = [
            ("pk", text(&part(outbreak, shard_of(&sk)))),
            ("sk", text(&sk)),
            ("member", text(&json(member))),
            ("expires_at", number(now.seconds() + ARCHIVE_SECONDS)),
        ];
        let row = row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let operation = self.client.put_item().table_name(&self.name).set_item(Some(row));
        operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error))?;
        Ok(())
    }

    /// Returns the causes whose outbreaks are due for a look by now, and since when.
    ///
    /// # Errors
    /// A call failed.
    pub async fn due_outbreaks(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, Failure> {
        let query = self.client.query().table_name(&self.name).index_name(DUE_INDEX);
        let query = query.key_condition_expression("#shard = :shard AND #due <= :until");
        let query = query
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":shard", text(OUTBREAKS));
        let query = query
            .expression_attribute_names("#due", "due_at")
            .expression_attribute_values(":until", number(now.seconds()));
        let mut found = Vec::new();
        each_row(query, |row| {
            let key = row.get("pk").and_then(|pk| pk.as_s().ok()).and_then(|pk| pk.strip_prefix("outbreak#"));
            let due = number_of(row, "due_at").map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
            found.extend(key.map(str::to_owned).zip(due));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Returns the members of an outbreak with their incidents: from their rows while they are open, from the archive
    /// afterwards.
    ///
    /// # Errors
    /// A call failed, or DynamoDB was too busy to give them all.
    pub async fn members(&self, outbreak: &Outbreak) -> Result<Vec<(Member, Option<Incident>)>, Failure> {
        let mut members = outbreak.alone.clone();
        for shard in 0..SHARDS {
            let query = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .key_condition_expression("#pk = :pk");
            let query = query
                .expression_attribute_names("#pk", "pk")
                .expression_attribute_values(":pk", text(&part(&outbreak.id(), shard)));
            each_row(query, |row| {
                let member: Option<Member> = parsed(QUERY, row, "member")?;
                members.extend(member.filter(|member| !outbreak.lists(member)));
                Ok(())
            })
            .await?;
        }
        let open: BTreeSet<(String, String)> =
            members.iter().map(|member| (member.subject.key(), STATE.to_owned())).collect();
        let mut incidents = BTreeMap::new();
        // A row that cannot be read is left out, and does not keep the others from being told.
        for row in self.rows(open).await? {
            let record: Option<Record> = parsed(BATCH_GET, &row, "doc").unwrap_or_default();
            incidents
                .extend(record.and_then(|record| record.open).map(|incident| (key_of(&row, &incident.id), incident)));
        }
        let over = members
            .iter()
            .filter(|member| !incidents.contains_key(&(member.subject.key(), member.incident.clone())));
        let over: BTreeSet<(String, String)> =
            over.map(|member| (member.subject.key(), format!("incident#{}", member.incident))).collect();
        for row in self.rows(over).await? {
            let incident: Option<Incident> = parsed(BATCH_GET, &row, "doc").unwrap_or_default();
            incidents.extend(incident.map(|incident| (key_of(&row, &incident.id), incident)));
        }
        let with = |member: Member| {
            let incident = incidents.remove(&(member.subject.key(), member.incident.clone()));
            (member, incident)
        };
        Ok(members.into_iter().map(with).collect())
    }

    /// Returns these rows, as far as they exist.
    async fn rows(&self, keys: BTreeSet<(String, String)>) -> Result<Vec<TableRow>, Failure> {
        let keys: Vec<TableRow> = keys.into_iter().map(|(pk, sk)| key(&pk, &sk)).collect();
        let mut found = Vec::new();
        let left = self.batch(keys, true, |row| found.push(row.clone())).await?;
        match left {
            0 => Ok(found),
            _ => Err(Failure::within(BATCH_GET, "ThrottlingException", Some(&format!("{left} rows were not given")))),
        }
    }
}

fn key_of(row: &TableRow, incident: &str) -> (String, String) {
    (row.get("pk").and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default(), incident.to_owned())
}

fn partition(key: &str) -> String {
    format!("outbreak#{key}")
}

fn part(outbreak: &str, shard: u32) -> String {
    format!("outbreak#{outbreak}#{shard}")
}
