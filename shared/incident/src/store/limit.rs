//! The rows about Docker Hub's limits: what probes read, who shares a limit, and which limits people know to end.
//!
//! A row is written whole and by its own key, so that a reading that comes twice or late does no harm.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Table;
use crate::limit::Sharer;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::item::{QUERY, each_row, json, number, parsed, text};
use pullsafe_radar::{Probed, Source};

/// The partition of these rows.
const LIMIT: &str = "limit";
/// How long a reading is kept: for the six hours that Docker Hub counts, and a little longer.
const READINGS_SECONDS: i64 = 7 * 3600;
/// Who is not seen any more is forgotten after ten days.
const SHARERS_SECONDS: i64 = 10 * 86_400;
/// For how long people are not told of the end of the same limit again, and of how many limits they are told in that
/// time: readings can be made up.
const TOLD_SECONDS: i64 = 6 * 3600;
const MOST_TOLD: usize = 5;

impl Table {
    /// Keeps what a probe read.
    ///
    /// # Errors
    /// The call failed.
    pub async fn add_reading(&self, probed: &Probed) -> Result<(), Failure> {
        let at = probed.reading.at;
        let key = format!("read#{:015}#{}", at.millis(), String::from(probed.source.clone()));
        self.put_limit(&key, probed, at.plus_seconds(READINGS_SECONDS)).await
    }

    /// Returns what probes have read since `since`, the oldest first.
    ///
    /// # Errors
    /// A call failed.
    pub async fn readings(&self, since: Timestamp) -> Result<Vec<Probed>, Failure> {
        let query = self.of_limit("#pk = :pk AND #sk BETWEEN :from AND :to");
        let query = query.expression_attribute_values(":from", text(&format!("read#{:015}", since.millis())));
        all(query.expression_attribute_values(":to", text("read#~"))).await
    }

    /// Remembers who shares a limit.
    ///
    /// # Errors
    /// The call failed.
    pub async fn add_sharer(&self, sharer: &Sharer) -> Result<(), Failure> {
        self.put_limit(&format!("share#{}", sharer.service.arn()), sharer, sharer.at.plus_seconds(SHARERS_SECONDS))
            .await
    }

    /// Returns all who share a limit, whichever it is.
    ///
    /// # Errors
    /// A call failed.
    pub async fn sharers(&self) -> Result<Vec<Sharer>, Failure> {
        all(self
            .of_limit("#pk = :pk AND begins_with(#sk, :from)")
            .expression_attribute_values(":from", text("share#")))
        .await
    }

    /// Whether people were told in the last six hours that the limit of this source ends, or of five limits already.
    ///
    /// # Errors
    /// A call failed.
    pub async fn knows_of_limit(&self, source: &Source, now: Timestamp) -> Result<bool, Failure> {
        let query = self.of_limit("#pk = :pk AND begins_with(#sk, :from)").consistent_read(true);
        let mut told: Vec<(Source, Timestamp)> = all(query.expression_attribute_values(":from", text("told#"))).await?;
        told.retain(|(_, at)| now.seconds_since(*at) < TOLD_SECONDS);
        Ok(told.len() >= MOST_TOLD || told.iter().any(|(known, _)| known == source))
    }

    /// Remembers that people were told that the limit of this source ends.
    ///
    /// # Errors
    /// The call failed.
    pub async fn told_of_limit(&self, source: &Source, now: Timestamp) -> Result<(), Failure> {
        self.put_limit(
            &format!("told#{}", String::from(source.clone())),
            &(source, now),
            now.plus_seconds(TOLD_SECONDS),
        )
        .await
    }

    async fn put_limit(&self, key: &str, doc: &impl Serialize, expires: Timestamp) -> Result<(), Failure> {
        let operation = self.client.put_item().table_name(&self.name).item("pk", text(LIMIT)).item("sk", text(key));
        let operation = operation.item("doc", text(&json(doc))).item("expires_at", number(expires.seconds()));
        operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error))?;
        Ok(())
    }

    fn of_limit(&self, condition: &str) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.name).key_condition_expression(condition);
        let query = query.expression_attribute_names("#pk", "pk").expression_attribute_names("#sk", "sk");
        query.expression_attribute_values(":pk", text(LIMIT))
    }
}

/// Returns every row of a query. A row that cannot be read is left out: it is written anew.
async fn all<T: DeserializeOwned>(query: QueryFluentBuilder) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    each_row(query, |row| {
        found.extend(parsed(QUERY, row, "doc").unwrap_or_default());
        Ok(())
    })
    .await?;
    Ok(found)
}
