//! Who waits for an image or an answer, by its name: one row for each, so that an arrival concerns only those who wait
//! for it.

use super::Table;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::item::{QUERY, each_row, json, number, parsed, text};
use pullsafe_events::Subject;

/// How long a row is kept. A process that died may leave a row of somebody who waits no longer, but that costs only a
/// look in vain. So the time is long: whoever waits longer than this has only the looks that are due.
const WAIT_SECONDS: i64 = 400 * 24 * 3600;

impl Table {
    /// Returns those who wait for one of these names.
    ///
    /// # Errors
    /// A call failed, or a row cannot be read.
    pub async fn waiters(&self, names: &[String]) -> Result<Vec<Subject>, Failure> {
        let mut found: Vec<Subject> = Vec::new();
        for name in names {
            let query = self.client.query().table_name(&self.name).key_condition_expression("#pk = :pk");
            let query = query
                .expression_attribute_names("#pk", "pk")
                .expression_attribute_values(":pk", text(&partition(name)));
            each_row(query, |row| {
                found.extend(parsed(QUERY, row, "subject")?.filter(|subject| !found.contains(subject)));
                Ok(())
            })
            .await?;
        }
        Ok(found)
    }

    pub(super) async fn add_waiter(&self, name: &str, subject: &Subject, now: Timestamp) -> Result<(), Failure> {
        let operation = self.client.put_item().table_name(&self.name);
        let operation = operation.item("pk", text(&partition(name))).item("sk", text(&subject.key()));
        let operation = operation
            .item("subject", text(&json(subject)))
            .item("expires_at", number(now.seconds() + WAIT_SECONDS));
        operation.send().await.map_err(|error| Failure::of("dynamodb:PutItem", &error))?;
        Ok(())
    }

    pub(super) async fn remove_waiter(&self, name: &str, subject: &Subject) -> Result<(), Failure> {
        let operation = self.client.delete_item().table_name(&self.name);
        let operation = operation.key("pk", text(&partition(name))).key("sk", text(&subject.key()));
        operation.send().await.map_err(|error| Failure::of("dynamodb:DeleteItem", &error))?;
        Ok(())
    }
}

fn partition(name: &str) -> String {
    format!("waits#{name}")
}
