//! Reading what happened, for reports: the open incidents and the archive. Nothing here changes the table.
//!
//! A row that cannot be read does not hide the others: it is named, and the rest is given.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use super::{STATE, Table};
use crate::incident::{Incident, Record};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::item::{Item, QUERY, each_row, parsed, text};
use pullsafe_events::Subject;

/// How many pages of up to a megabyte a look at the whole archive reads.
const PAGES: usize = 64;

/// Incidents, and what could not be told of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Every incident with its subject, the one that opened first being first.
    pub incidents: Vec<(Subject, Incident)>,
    /// What is missing, each in a sentence.
    pub missing: Vec<String>,
}

impl Table {
    /// The incidents of one subject that were open at some time since a moment.
    ///
    /// # Errors
    /// A call failed.
    pub async fn history(&self, key: &str, since: Timestamp) -> Result<History, Failure> {
        let operation = self.client.query().table_name(&self.name).key_condition_expression("#pk = :pk");
        let operation = operation.expression_attribute_names("#pk", "pk").expression_attribute_values(":pk", text(key));
        self.told(operation, since).await
    }

    /// The open incidents of everything, as far as the index knows them.
    ///
    /// # Errors
    /// A call failed.
    pub async fn open_incidents(&self) -> Result<History, Failure> {
        self.told(self.open_rows(), Timestamp::from_millis(i64::MIN)).await
    }

    async fn told(&self, rows: QueryFluentBuilder, since: Timestamp) -> Result<History, Failure> {
        let mut history = History::default();
        each_row(rows, |row| {
            history.add(QUERY, row, since);
            Ok(())
        })
        .await?;
        Ok(history.sorted())
    }

    /// The incidents of everything that were open at some time since a moment. The archive has no index by time, so that
    /// the table is read; of a very large one only a part, and that is said.
    ///
    /// # Errors
    /// A call failed.
    pub async fn histories(&self, since: Timestamp) -> Result<History, Failure> {
        const CALL: &str = "dynamodb:Scan";
        let mut history = self.open_incidents().await?;
        let mut from = None;
        for _ in 0..PAGES {
            let operation = self
                .client
                .scan()
                .table_name(&self.name)
                .filter_expression("begins_with(#sk, :incident)")
                .projection_expression("#pk, #sk, #subject, #doc")
                .expression_attribute_names("#pk", "pk")
                .expression_attribute_names("#sk", "sk")
                .expression_attribute_names("#subject", "subject")
                .expression_attribute_names("#doc", "doc")
                .expression_attribute_values(":incident", text("incident#"))
                .set_exclusive_start_key(from);
            let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
            answer.items().iter().for_each(|row| history.add(CALL, row, since));
            from = answer.last_evaluated_key().cloned();
            if from.is_none() {
                return Ok(history.sorted());
            }
        }
        history
            .missing
            .push(format!("the archive is larger than {PAGES} MB, and only a part of it was read; ask for one service by its ARN"));
        Ok(history.sorted())
    }
}

impl History {
    /// Adds what a row tells, if it was open since then.
    fn add(&mut self, call: &'static str, row: &Item, since: Timestamp) {
        let attribute = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
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
            // A lease or a memory without an incident.
            (_, Ok(None)) | (Ok(None), _) => {}
            (Err(failure), _) | (_, Err(failure)) => {
                let (pk, sk) = (attribute("pk").unwrap_or_default(), attribute("sk").unwrap_or_default());
                self.missing.push(format!("the row {pk} {sk} cannot be read: {failure}"));
            }
        }
    }

    fn sorted(mut self) -> Self {
        self.incidents.sort_by(|(_, one), (_, other)| (one.opened_at, &one.id).cmp(&(other.opened_at, &other.id)));
        self
    }
}
