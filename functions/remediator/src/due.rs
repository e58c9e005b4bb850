//! Looks that no failure calls for: at what is due, at what waits for an image that has just arrived, and at what a
//! person wants tried again.

use crate::flow::has_unfinished;
use crate::judge::Judgement;
use crate::lease::Invocation;
use crate::work::asks_again;
use crate::{Remediator, Tally};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_events::Subject;
use pullsafe_incident::store::{DueRow, Next};
use serde_json::{Value, json};

/// How often the sweep runs (template.yaml), and how many rows it claims side by side.
const SWEEP_SECONDS: i64 = 60;
const CLAIMS: usize = 16;
/// How many looks begin in a second where many are due at once. ECS allows 20 calls a second to describe services, as
/// many for clusters and for task definitions, and 5 to update services. A look that moves its service describes each
/// up to five times.
const LOOKS_A_SECOND: usize = 4;

impl Remediator {
    /// Looks at the subjects that wait for what has just arrived.
    pub(crate) async fn look_where(&self, names: &[String], by: Invocation<'_>) -> Result<Tally, Failure> {
        let waiters = self.table.waiters(names).await?;
        match waiters.as_slice() {
            [] => Ok(Tally::ignored("nothing waits for this image".to_owned())),
            [one] => self.look(one, by).await,
            // By the queue they run side by side, each as often as it takes.
            several => {
                self.queues
                    .send_all(&self.settings.queue_url, &several.iter().map(look_at).collect::<Vec<_>>(), after)
                    .await?;
                Ok(Tally::swept(several.len()))
            }
        }
    }

    /// Puts a look at every subject that is due into the queue, where the looks run side by side.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<Tally, Failure> {
        // Half a sweep ahead: otherwise, what gets due in between would wait for the next sweep.
        let mut due = self.table.due(now.plus_seconds(SWEEP_SECONDS / 2)).await?;
        // Those that have waited longest come first; the others stay due.
        due.sort_by_key(DueRow::at);
        due.truncate(LOOKS_A_SECOND.saturating_mul(usize::try_from(SWEEP_SECONDS).unwrap_or(usize::MAX)));
        // A row that is claimed gets due again by itself, in case its message is lost.
        let claims = stream::iter(&due).map(async |row| Ok((self.table.claim(row, now).await?, look_at(&row.subject))));
        let claims: Vec<(bool, Value)> = claims.buffered(CLAIMS).try_collect::<Vec<_>>().await?;
        let looks: Vec<Value> = claims.into_iter().filter(|(is_ours, _)| *is_ours).map(|(_, look)| look).collect();
        self.queues.send_all(&self.settings.queue_url, &looks, after).await?;
        Box::pin(self.tell_outbreaks(now)).await;
        Ok(Tally::swept(looks.len()))
    }

    /// Makes a look that is due, or that an arrival calls for. It takes no lease and writes nothing unless it finds
    /// something.
    pub(crate) async fn look(&self, subject: &Subject, by: Invocation<'_>) -> Result<Tally, Failure> {
        let found = self.table.read(subject, by.id, by.now).await?;
        if found.is_leased {
            return Ok(Tally::deferred());
        }
        // While a deployment waits at the door, nothing else is done to its service.
        if let Some(door) = found.record.door.as_ref().filter(|_| self.settings.answer_hooks) {
            return Box::pin(self.hook_waits(&door.hook, by)).await;
        }
        if found.record.open.is_none() && found.record.outbox.is_empty() {
            return Ok(Tally::ignored("no incident is open".to_owned()));
        }
        let now = by.now;
        if !has_unfinished(&found.record) && !asks_again(subject, &found.record, now) && !found.is_uncounted() {
            let mut record = found.record.clone();
            let judged = self.judge(subject, &mut record, &mut None, now).await;
            if let Judgement::Rest(tally) = &judged
                && record.outbox.is_empty()
            {
                let next = Next::of(&record, &found.record);
                let stands = record.has_nothing_to_write_since(&found.record)
                    || self.table.replace(subject, &found, &mut record, now, next).await?;
                return Ok(if stands { tally.clone() } else { Tally::deferred() });
            }
            // Something is to be done or told: under the lease, if nothing has happened since the record was read.
            let Some(mut lease) = self.lease_found(subject, &found, by).await? else {
                return Ok(Tally::deferred());
            };
            lease.record = record;
            return self.finish(lease, &found.record, judged).await;
        }
        let Some(lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        if lease.record.open.is_none() && lease.record.outbox.is_empty() {
            return lease.give_back(&self.table, "no incident is open").await;
        }
        self.work(lease).await
    }

    /// Handles a person's request for another try: what an act was refused for is mended, or a no is taken back. The
    /// act is decided anew, and told again.
    pub(crate) async fn try_again(&self, subject: &Subject, by: Invocation<'_>) -> Result<Tally, Failure> {
        let Some(mut lease) = self.lease(subject, by).await? else {
            return Ok(Tally::deferred());
        };
        let was_declined = !lease.record.noes.is_empty();
        lease.record.noes.clear();
        let open = lease.record.open.as_mut();
        let Some(incident) = open.filter(|incident| incident.refusal.is_some() || was_declined) else {
            return lease.give_back(&self.table, "nothing was refused or declined").await;
        };
        incident.try_again();
        incident.refusal = None;
        incident.told.retain(|key| !key.starts_with("refused:"));
        incident.say(by.now, "a person asked for another try");
        if matches!(subject, Subject::Project { .. }) {
            self.ask_again(subject, &mut lease.record, by.now).await?;
        }
        self.work(lease).await
    }
}

/// After how many seconds the look with this number begins.
pub(crate) fn after(number: usize) -> i32 {
    i32::try_from(number / LOOKS_A_SECOND).unwrap_or(i32::MAX)
}

/// The message that asks for a look at one subject.
fn look_at(subject: &Subject) -> Value {
    json!({ "pullsafe": "look", "subject": subject })
}
