//! How many messages one author has caused of late, so that an author who makes up names by the thousand causes only a
//! few.
//!
//! | `pk` | `sk` | |
//! |---|---|---|
//! | `author#<author>` | `told` | `since`, when the period began; `granted`, the messages of the period that went out by themselves; `summed`, once its summary is on its way |
//! | `author#<author>` | `held#<since>#<message>` | a message that was held back, in its subject line |
//!
//! A message gets the same answer however often it asks within a period, and is held back once however often it is
//! written.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::{Table, number_of};
use crate::held::{HeldBack, MOST_SINGLE, PERIOD_SECONDS};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::item::{each_row, number, text};

/// How long counts are kept: longer than a summary can be late.
const KEPT_SECONDS: i64 = 14 * 24 * 3600;

const TOLD: &str = "told";

/// Whether a message may go out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayTell {
    /// It may.
    Granted,
    /// It is told with the others of its period.
    Held {
        /// When the period began, in seconds since 1970.
        since: i64,
        /// Whether the summary of the period is on its way.
        summed: bool,
    },
}

impl Table {
    /// Asks whether a message of an author may go out by itself.
    ///
    /// # Errors
    /// A call failed.
    pub async fn leave_to_tell(&self, author: &str, message: &str, now: Timestamp) -> Result<MayTell, Failure> {
        let ids = || AttributeValue::Ss(vec![message.to_owned()]);
        // Twice at most: somebody else may begin the next period meanwhile.
        for _ in 0..2 {
            let over = now.seconds() - PERIOD_SECONDS;
            let operation = self
                .of_author(author, now)
                .update_expression("SET #since = if_not_exists(#since, :now), #expires = :expires ADD #granted :ids")
                .condition_expression(
                    "attribute_not_exists(#since) OR (#since > :over AND (contains(#granted, :message) OR \
                     size(#granted) < :most))",
                )
                .expression_attribute_names("#granted", "granted")
                .expression_attribute_values(":ids", ids())
                .expression_attribute_values(":message", text(message))
                .expression_attribute_values(":most", number(MOST_SINGLE))
                .expression_attribute_values(":over", number(over));
            if done(operation).await? {
                return Ok(MayTell::Granted);
            }
            let read = self.client.get_item().table_name(&self.name).consistent_read(true);
            let read = read.key("pk", text(&partition(author))).key("sk", text(TOLD)).send();
            let answer = read.await.map_err(|error| Failure::of("dynamodb:GetItem", &error))?;
            let Some((since, row)) = answer.item().and_then(|row| Some((number_of(row, "since")?, row))) else {
                continue;
            };
            if since > over {
                return Ok(MayTell::Held { since, summed: row.contains_key("summed") });
            }
            let operation = self
                .of_author(author, now)
                .update_expression("SET #since = :now, #expires = :expires, #granted = :ids REMOVE #summed")
                .condition_expression("#since = :known")
                .expression_attribute_names("#granted", "granted")
                .expression_attribute_names("#summed", "summed")
                .expression_attribute_values(":ids", ids())
                .expression_attribute_values(":known", number(since));
            if done(operation).await? {
                return Ok(MayTell::Granted);
            }
        }
        Err(Failure::unexpected("dynamodb:UpdateItem", "others begin periods faster than one can be read"))
    }

    /// Remembers a message that is held back.
    ///
    /// # Errors
    /// The call failed.
    pub async fn hold_back(
        &self,
        author: &str,
        since: i64,
        message: &str,
        line: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let operation = self.client.put_item().table_name(&self.name).item("pk", text(&partition(author)));
        let operation = operation.item("sk", text(&format!("{}{message}", held(since)))).item("line", text(line));
        let operation = operation.item("expires_at", number(now.seconds() + KEPT_SECONDS));
        operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error))?;
        Ok(())
    }

    /// Remembers that the summary of a period is on its way.
    ///
    /// # Errors
    /// The call failed.
    pub async fn sum_up(&self, author: &str, since: i64, now: Timestamp) -> Result<(), Failure> {
        let operation = self
            .of_author(author, now)
            .update_expression("SET #summed = :now, #expires = :expires")
            .condition_expression("#since = :known")
            .expression_attribute_names("#summed", "summed")
            .expression_attribute_values(":known", number(since));
        done(operation).await.map(drop)
    }

    /// Returns how many messages were held back in a period, and the subject lines of the first `few`.
    ///
    /// # Errors
    /// A call failed.
    pub async fn held_back(&self, author: &str, since: i64, few: usize) -> Result<HeldBack, Failure> {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let query = query.key_condition_expression("#pk = :pk AND begins_with(#sk, :held)");
        let query = query.expression_attribute_names("#pk", "pk").expression_attribute_names("#sk", "sk");
        let query = query.expression_attribute_values(":pk", text(&partition(author)));
        let query = query.expression_attribute_values(":held", text(&held(since)));
        let mut found = HeldBack::default();
        each_row(query, |row| {
            found.count += 1;
            let line = row.get("line").and_then(|line| line.as_s().ok()).filter(|_| found.first.len() < few);
            found.first.extend(line.cloned());
            Ok(())
        })
        .await
        .map(|()| found)
    }

    fn of_author(&self, author: &str, now: Timestamp) -> UpdateItemFluentBuilder {
        let operation = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(&partition(author)))
            .key("sk", text(TOLD));
        let operation = operation
            .expression_attribute_names("#since", "since")
            .expression_attribute_names("#expires", "expires_at");
        let operation = operation.expression_attribute_values(":now", number(now.seconds()));
        operation.expression_attribute_values(":expires", number(now.seconds() + KEPT_SECONDS))
    }
}

async fn done(operation: UpdateItemFluentBuilder) -> Result<bool, Failure> {
    match operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error)) {
        Ok(_) => Ok(true),
        Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn partition(author: &str) -> String {
    format!("author#{author}")
}

fn held(since: i64) -> String {
    format!("held#{since:012}#")
}
