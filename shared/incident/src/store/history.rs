//! Reading what happened, for reports: the open incidents and the archive. Nothing here changes the table.
//!
//! A row that cannot be read does not hide the others: it is named, and the others are returned.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{BATCH_GET, PAST, STATE, Table};
use crate::incident::Incident;
use crate::past::Past;
use crate::record::Record;
use pullsafe::count::counted;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::item::{QUERY, TableRow, each_row, parsed, text};
use pullsafe_events::Subject;

/// How many pages of up to a megabyte are read of the whole archive.
const PAGES: usize = 64;
/// How many rows DynamoDB gives at a time by their keys, and how often it is asked, since it may leave some out.
const BATCH: usize = 100;
const TRIES: usize = 5;

/// Incidents, and what is missing of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IncidentHistory {
    /// Every incident with its subject, oldest first.
    pub incidents: Vec<(Subject, Incident)>,
    /// What is missing, each in a sentence.
    pub missing: Vec<String>,
    /// What the rows of long incidents no longer hold, by the incident's id.
    past: BTreeMap<String, Vec<Past>>,
}

impl Table {
    /// Returns the incidents of one subject that were open at some time since `since`.
    ///
    /// # Errors
    /// A call failed.
    pub async fn history(&self, key: &str, since: Timestamp) -> Result<IncidentHistory, Failure> {
        let operation = self.client.query().table_name(&self.name).key_condition_expression("#pk = :pk");
        let operation = operation.expression_attribute_names("#pk", "pk").expression_attribute_values(":pk", text(key));
        let mut history = IncidentHistory::default();
        each_row(operation, |row| {
            history.add(QUERY, row, since);
            Ok(())
        })
        .await?;
        Ok(history.whole())
    }

    /// Returns all open incidents, as far as the index knows them; of a long one, only what its row holds.
    ///
    /// # Errors
    /// A call failed.
    pub async fn open_incidents(&self) -> Result<IncidentHistory, Failure> {
        let mut history = IncidentHistory::default();
        let keys = self.open_keys().await?.iter().map(|pk| key(pk, STATE)).collect();
        let left = self.batch(keys, false, |row| history.add(BATCH_GET, row, Timestamp::from_millis(i64::MIN))).await?;
        if left > 0 {
            history.missing.push(format!(
                "{} not given by DynamoDB, which is busy",
                counted(left, "open incident", "was", "were")
            ));
        }
        Ok(history.whole())
    }

    /// Hands the rows with these keys to `take`, and returns how many DynamoDB did not give.
    pub(super) async fn batch(
        &self,
        keys: Vec<TableRow>,
        consistent: bool,
        mut take: impl FnMut(&TableRow),
    ) -> Result<usize, Failure> {
        let mut missing = 0;
        for some in keys.chunks(BATCH) {
            let mut left = some.to_vec();
            for _ in 0..TRIES {
                let wanted = KeysAndAttributes::builder()
                    .set_keys(Some(std::mem::take(&mut left)))
                    .consistent_read(consistent)
                    .build();
                let wanted = wanted.map_err(|error| Failure::unexpected(BATCH_GET, error.to_string()))?;
                let answer = self.client.batch_get_item().request_items(&self.name, wanted).send().await;
                let answer = answer.map_err(|error| Failure::of(BATCH_GET, &error))?;
                answer
                    .responses()
                    .and_then(|tables| tables.get(&self.name))
                    .into_iter()
                    .flatten()
                    .for_each(&mut take);
                left.extend(
                    answer
                        .unprocessed_keys()
                        .and_then(|tables| tables.get(&self.name))
                        .map_or(&[][..], KeysAndAttributes::keys)
                        .to_vec(),
                );
                if left.is_empty() {
                    break;
                }
            }
            missing += left.len();
        }
        Ok(missing)
    }

    /// Returns all incidents that were open at some time since `since`. The archive has no index by time, so that the
    /// whole table is read; of a very large one only a part, and [`IncidentHistory::missing`] says so.
    ///
    /// # Errors
    /// A call failed.
    pub async fn histories(&self, since: Timestamp) -> Result<IncidentHistory, Failure> {
        const CALL: &str = "dynamodb:Scan";
        let mut history = self.open_incidents().await?;
        let mut from = None;
        for _ in 0..PAGES {
            let operation = self
                .client
                .scan()
                .table_name(&self.name)
                .filter_expression("begins_with(#sk, :incident) OR begins_with(#sk, :past)")
                .projection_expression("#pk, #sk, #subject, #doc, #past")
                .expression_attribute_names("#pk", "pk")
                .expression_attribute_names("#sk", "sk")
                .expression_attribute_names("#subject", "subject")
                .expression_attribute_names("#doc", "doc")
                .expression_attribute_names("#past", "past")
                .expression_attribute_values(":incident", text("incident#"))
                .expression_attribute_values(":past", text(PAST))
                .set_exclusive_start_key(from);
            let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
            answer.items().iter().for_each(|row| history.add(CALL, row, since));
            from = answer.last_evaluated_key().cloned();
            if from.is_none() {
                return Ok(history.whole());
            }
        }
        history.missing.push(format!(
            "the archive is larger than {PAGES} MB, and only a part of it was read; ask for one service by its ARN"
        ));
        Ok(history.whole())
    }
}

pub(super) fn key(pk: &str, sk: &str) -> TableRow {
    [("pk", pk), ("sk", sk)].map(|(name, value)| (name.to_owned(), text(value))).into()
}

impl IncidentHistory {
    /// Adds what a row holds, if its incident was open since then.
    fn add(&mut self, call: &'static str, row: &TableRow, since: Timestamp) {
        let attribute = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
        let unreadable = |failure: Failure| {
            let (pk, sk) = (attribute("pk").unwrap_or_default(), attribute("sk").unwrap_or_default());
            format!("the row {pk} {sk} cannot be read: {failure}")
        };
        if let Some(part) = attribute("sk").and_then(|sk| sk.strip_prefix(PAST)) {
            match (parsed::<Past>(call, row, "past"), part.rsplit_once('#')) {
                (Ok(Some(past)), Some((incident, _))) => self.past.entry(incident.to_owned()).or_default().push(past),
                (Ok(_), _) => {}
                (Err(failure), _) => self.missing.push(unreadable(failure)),
            }
            return;
        }
        let incident = if attribute("sk") == Some(STATE) {
            parsed::<Record>(call, row, "doc").map(|record| record.and_then(|record| record.open))
        } else {
            parsed::<Incident>(call, row, "doc")
        };
        match (parsed::<Subject>(call, row, "subject"), incident) {
            (Ok(Some(subject)), Ok(Some(incident))) => {
                let known = |(_, known): &(Subject, Incident)| known.id == incident.id;
                // An incident that is closed while it is read can be met twice: as it was, and in the archive.
                if let Some(index) = self.incidents.iter().position(known) {
                    self.incidents.remove(index);
                }
                if incident.resolved_at.is_none_or(|resolved| resolved >= since) {
                    self.incidents.push((subject, incident));
                }
            }
            // The row has a lease or a memory without an incident, or it is of somebody who waits.
            (_, Ok(None)) | (Ok(None), _) => {}
            (Err(failure), _) | (_, Err(failure)) => self.missing.push(unreadable(failure)),
        }
    }

    /// Puts the lines of the past back into their timelines, and sorts the incidents by when they began.
    fn whole(mut self) -> Self {
        for (_, incident) in &mut self.incidents {
            for past in self.past.remove(&incident.id).into_iter().flatten() {
                incident.recall(past);
            }
        }
        self.past.clear();
        self.incidents
            .sort_by(|(_, one), (_, other)| (one.opened_at, &one.id).cmp(&(other.opened_at, &other.id)));
        self
    }
}
