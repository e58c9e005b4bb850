//! Who is due for a look, found by a sparse index, which is spread over partitions, sorts by the moment of the next
//! look and holds no documents.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::{MEMORY_SECONDS, Next, STATE, Table};
use crate::pace::NextLook;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};
use pullsafe_aws::item::{OPEN_INDEX, QUERY, TableRow, each_row, number, parsed, text};
use pullsafe_events::Subject;

pub const DUE_INDEX: &str = "due-index";
/// How many partitions the index is spread over.
pub(super) const SHARDS: u32 = 4;

/// A row of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRow {
    /// Who is due for a look.
    pub subject: Subject,
    /// When the look is due; `None` in a row of an older release, which stored no such moment. The next look adds it.
    due: Option<NextLook>,
}

impl DueRow {
    /// Returns since when it is due; a row without such a moment comes first.
    pub fn at(&self) -> Option<Timestamp> {
        self.due.as_ref().map(|due| due.at)
    }
}

impl Table {
    /// Returns those whose look is due by now, as far as the index knows.
    ///
    /// # Errors
    /// A call failed, or a row cannot be read.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<DueRow>, Failure> {
        let mut found = Vec::new();
        for shard in 0..SHARDS {
            let query = self.shard(shard, Some(now));
            each_row(query, |row| {
                if let Some(subject) = parsed(QUERY, row, "subject")? {
                    found.push(DueRow { subject, due: Some(due_of(row)) });
                }
                Ok(())
            })
            .await?;
        }
        let old = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(OPEN_INDEX)
            .key_condition_expression("#open = :open");
        let old = old
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":open", text("incident"));
        each_row(old, |row| {
            if let Some(subject) = parsed(QUERY, row, "subject")? {
                found.push(DueRow { subject, due: None });
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Claims a look, so that nobody else makes it too, and writes when the next one is due. Returns false if somebody
    /// else was faster, or if something has happened since.
    ///
    /// # Errors
    /// The call failed.
    pub async fn claim(&self, row: &DueRow, now: Timestamp) -> Result<bool, Failure> {
        let key = row.subject.key();
        let Some(due) = &row.due else { return Ok(true) };
        let next = due.after_look(&key, now);
        let operation = self.client.update_item().table_name(&self.name).key("pk", text(&key)).key("sk", text(STATE));
        let operation = operation
            .update_expression("SET #due = :due, #quiet = :quiet, #expires = :expires")
            .condition_expression("#due = :known")
            .expression_attribute_names("#due", "due_at")
            .expression_attribute_names("#quiet", "quiet")
            // An open incident is remembered however long nothing happens: a pause may wait for its image for months.
            .expression_attribute_names("#expires", "expires_at")
            .expression_attribute_values(":expires", number(now.seconds() + MEMORY_SECONDS))
            .expression_attribute_values(":due", number(next.at.seconds()))
            .expression_attribute_values(":quiet", number(i64::from(next.quiet)))
            .expression_attribute_values(":known", number(due.at.seconds()));
        match operation.send().await.map_err(|error| Failure::of("dynamodb:UpdateItem", &error)) {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind == FailureKind::ConditionFailed => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Returns everything with an open incident or something left to tell, as far as the index knows.
    ///
    /// # Errors
    /// A call failed, or a row cannot be read.
    pub async fn open_subjects(&self) -> Result<Vec<Subject>, Failure> {
        let mut found = Vec::new();
        for shard in 0..SHARDS {
            each_row(self.shard(shard, None), |row| {
                found.extend(parsed(QUERY, row, "subject")?);
                Ok(())
            })
            .await?;
        }
        Ok(found)
    }

    /// Returns the keys of everything with an open incident or something left to tell.
    pub(super) async fn open_keys(&self) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        for shard in 0..SHARDS {
            each_row(self.shard(shard, None), |row| {
                keys.extend(row.get("pk").and_then(|value| value.as_s().ok()).cloned());
                Ok(())
            })
            .await?;
        }
        Ok(keys)
    }

    fn shard(&self, shard: u32, until: Option<Timestamp>) -> QueryFluentBuilder {
        let operation = self.client.query().table_name(&self.name).index_name(DUE_INDEX);
        let operation = operation
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":shard", text(&name(shard)));
        match until {
            Some(until) => operation
                .key_condition_expression("#shard = :shard AND #due <= :until")
                .expression_attribute_names("#due", "due_at")
                .expression_attribute_values(":until", number(until.seconds())),
            None => operation.key_condition_expression("#shard = :shard"),
        }
    }
}

/// Adds to an update when the next look is due. Returns the update, and what its expression has to set and to remove.
pub(super) fn update(
    operation: UpdateItemFluentBuilder,
    key: &str,
    due: Option<&NextLook>,
    next: Next,
) -> (UpdateItemFluentBuilder, &'static str, &'static str) {
    let operation = operation
        .expression_attribute_names("#shard", "shard")
        .expression_attribute_names("#due", "due_at")
        .expression_attribute_names("#quiet", "quiet")
        .expression_attribute_names("#wakes", "wakes");
    let Some(due) = due else {
        return (operation, "", ", #shard, #due, #quiet, #wakes");
    };
    let wakes = due.wakes.iter().map(|wake| number(wake.seconds())).collect();
    let operation = operation
        .expression_attribute_values(":shard", text(&name(shard_of(key))))
        .expression_attribute_values(":due", number(due.at.seconds()))
        .expression_attribute_values(":quiet", number(i64::from(due.quiet)))
        .expression_attribute_values(":wakes", AttributeValue::L(wakes));
    let set = match next {
        Next::Soon => ", #shard = :shard, #due = :due, #quiet = :quiet, #wakes = :wakes",
        Next::AsItWas => {
            ", #shard = :shard, #due = if_not_exists(#due, :due), #quiet = if_not_exists(#quiet, :quiet), #wakes = \
             if_not_exists(#wakes, :wakes)"
        }
    };
    (operation, set, "")
}

fn name(shard: u32) -> String {
    format!("incident#{shard}")
}

/// Returns the shard of a key (FNV-1a). It must never change for a key, because a row must not be in two shards.
pub(super) fn shard_of(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) % SHARDS
}

fn due_of(row: &TableRow) -> NextLook {
    let seconds = |value: &AttributeValue| value.as_n().ok().and_then(|text| text.parse::<i64>().ok());
    let moment =
        |value: &AttributeValue| seconds(value).map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
    let wakes = row
        .get("wakes")
        .and_then(|value| value.as_l().ok())
        .into_iter()
        .flatten()
        .filter_map(moment)
        .collect();
    NextLook {
        at: row.get("due_at").and_then(moment).unwrap_or(Timestamp::from_millis(0)),
        quiet: row.get("quiet").and_then(seconds).and_then(|quiet| u8::try_from(quiet).ok()).unwrap_or(0),
        wakes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_of_the_index_takes_its_share() {
        let mut counts = [0_u32; SHARDS as usize];
        for number in 0..1_000 {
            let shard = shard_of(&format!("arn:aws:ecs:eu-west-1:123456789012:service/prod/web-{number}"));
            counts[usize::try_from(shard).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (150..=350).contains(count)), "{counts:?}");
    }
}
