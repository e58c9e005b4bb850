//! The outlooks of what runs: a row each, so that nothing is told twice and the weekly message has them all.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::Table;
use crate::outlook::Outlook;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::item::{QUERY, document, each_row, json, number, parsed, text};
use pullsafe_events::Subject;

/// The partition of the outlooks.
const OUTLOOKS: &str = "outlook";
/// The partition of what could not be listed.
const UNREAD: &str = "outlook-unread";
/// What is not looked at any more is forgotten after ten days.
const KEPT_SECONDS: i64 = 10 * 86_400;

/// An outlook as it was last seen, and which of its findings people know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownOutlook {
    pub outlook: Outlook,
    /// The keys of the findings that were told.
    pub told: BTreeSet<String>,
}

/// What the last search could not list or read.
#[derive(Debug, Serialize, Deserialize)]
struct UnseenLastTime {
    at: Timestamp,
    unread: Vec<String>,
}

impl Table {
    /// Reads what is known of a subject's outlook.
    ///
    /// # Errors
    /// The call failed, or the row cannot be read.
    pub async fn outlook(&self, subject: &Subject) -> Result<Option<KnownOutlook>, Failure> {
        const CALL: &str = "dynamodb:GetItem";
        let operation = self.client.get_item().table_name(&self.name).consistent_read(true);
        let operation = operation.key("pk", text(OUTLOOKS)).key("sk", text(&subject.key()));
        let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
        answer.item().map_or(Ok(None), |item| document(CALL, item))
    }

    /// Keeps what is known of a subject's outlook.
    ///
    /// # Errors
    /// The call failed.
    pub async fn keep_outlook(&self, subject: &Subject, known: &KnownOutlook) -> Result<(), Failure> {
        let row: [(&str, AttributeValue); 4] = [
            ("pk", text(OUTLOOKS)),
            ("sk", text(&subject.key())),
            ("doc", text(&json(known))),
            ("expires_at", number(known.outlook.at.seconds() + KEPT_SECONDS)),
        ];
        let row = row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let operation = self.client.put_item().table_name(&self.name).set_item(Some(row));
        operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error))?;
        Ok(())
    }

    /// Returns every outlook that was made since `since`. A row that cannot be read is left out: the next look writes
    /// it anew.
    ///
    /// # Errors
    /// A call failed.
    pub async fn outlooks(&self, since: Timestamp) -> Result<Vec<Outlook>, Failure> {
        let query = self.client.query().table_name(&self.name).key_condition_expression("#pk = :pk");
        let query = query.expression_attribute_names("#pk", "pk").expression_attribute_values(":pk", text(OUTLOOKS));
        let mut found = Vec::new();
        each_row(query, |row| {
            let known: Option<KnownOutlook> = parsed(QUERY, row, "doc").unwrap_or_default();
            found.extend(known.map(|known| known.outlook).filter(|outlook| outlook.at >= since));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Keeps what a search could not list or read. An empty list is kept as well: everything could be read again.
    ///
    /// # Errors
    /// The call failed.
    pub async fn keep_unread(&self, unread: &[String], at: Timestamp) -> Result<(), Failure> {
        let left = UnseenLastTime { at, unread: unread.to_vec() };
        let operation = self.client.put_item().table_name(&self.name);
        let operation = operation.item("pk", text(UNREAD)).item("sk", text(UNREAD)).item("doc", text(&json(&left)));
        let operation = operation.item("expires_at", number(at.seconds() + KEPT_SECONDS));
        operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error))?;
        Ok(())
    }

    /// Returns what the last search could not list or read, if that search was since `since`.
    ///
    /// # Errors
    /// The call failed, or the row cannot be read.
    pub async fn unread(&self, since: Timestamp) -> Result<Vec<String>, Failure> {
        const CALL: &str = "dynamodb:GetItem";
        let operation = self.client.get_item().table_name(&self.name).consistent_read(true);
        let operation = operation.key("pk", text(UNREAD)).key("sk", text(UNREAD));
        let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
        let left: Option<UnseenLastTime> = answer.item().map_or(Ok(None), |item| document(CALL, item))?;
        Ok(left.filter(|left| left.at >= since).map(|left| left.unread).unwrap_or_default())
    }
}
