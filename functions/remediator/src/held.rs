//! Holding messages back: only the first few messages that one author causes go out one by one. The rest become one
//! message with a count.
//!
//! A held message is a row, written once however often its event comes. The summary is a delayed message in the work
//! queue, sent before the table notes that it was asked for. So if a process dies, nothing is lost, and at worst
//! something is told twice.

use pullsafe::notice::OnBus;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::Failure;
use pullsafe_events::{Author, Subject};
use pullsafe_incident::held::PERIOD_SECONDS;
use pullsafe_incident::notice;
use pullsafe_incident::outgoing::Outgoing;
use pullsafe_incident::store::MayTell;
use serde_json::json;

use super::{Remediator, Tally};

/// A message of a period may be written this many seconds after the period's end.
const GRACE_SECONDS: i64 = 30;
/// SQS delays no message for longer, in seconds.
const LONGEST_DELAY: i64 = 900;
/// How many subject lines a summary shows.
const LINES: usize = 10;

/// What becomes of a message before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SendTurn {
    /// It goes out.
    Goes,
    /// Programs get it now; people get it in the digests of this outbreak.
    Together(String),
    /// It is held back, and told with others in a summary.
    Held,
    /// Whether it may go out could not be found out: it waits in the outbox.
    Waits,
}

impl Remediator {
    /// Decides whether a message goes out by itself, with others, or not yet.
    pub(crate) async fn turn_of(&self, subject: &Subject, outgoing: &Outgoing, now: Timestamp) -> SendTurn {
        if !outgoing.is_new() {
            return SendTurn::Goes;
        }
        let Some(author) = outgoing.author.clone().or_else(|| Author::of(subject)) else {
            return Box::pin(self.turn_in_outbreak(subject, outgoing, now)).await;
        };
        match self.leave(&author, outgoing, now).await {
            Ok(turn) => turn,
            Err(failure) => {
                tracing::warn!(notice = outgoing.notice.id, %failure, "whether a message may go out could not be \
                    found out: {failure}");
                SendTurn::Waits
            }
        }
    }

    async fn leave(&self, author: &Author, outgoing: &Outgoing, now: Timestamp) -> Result<SendTurn, Failure> {
        let (key, notice) = (author.key(), &outgoing.notice);
        let MayTell::Held { since, summed } = self.table.leave_to_tell(&key, &notice.id, now).await? else {
            return Ok(SendTurn::Goes);
        };
        self.table.hold_back(&key, since, &notice.id, &notice.subject, now).await?;
        if !summed {
            self.ask_for_summary(author, since, now).await?;
            self.table.sum_up(&key, since, now).await?;
        }
        tracing::info!(
            notice = notice.id,
            author = key,
            "a message is told with others of its author: {}",
            notice.subject
        );
        Ok(SendTurn::Held)
    }

    async fn ask_for_summary(&self, author: &Author, since: i64, now: Timestamp) -> Result<(), Failure> {
        let left = (since + PERIOD_SECONDS + GRACE_SECONDS - now.seconds()).clamp(0, LONGEST_DELAY);
        let message = json!({ "pullsafe": "summary", "author": author, "since": since });
        self.queues.send(&self.settings.queue_url, &message, i32::try_from(left).unwrap_or_default()).await
    }

    /// Tells in one message what was held back in a period that is over.
    pub(crate) async fn summarize(&self, author: &Author, since: i64, now: Timestamp) -> Result<Tally, Failure> {
        if now.seconds() < since + PERIOD_SECONDS + GRACE_SECONDS {
            self.ask_for_summary(author, since, now).await?;
            return Ok(Tally::ignored("the period is not over yet".to_owned()));
        }
        let held = self.table.held_back(&author.key(), since, LINES).await?;
        if held.count == 0 {
            return Ok(Tally::ignored("nothing was held back".to_owned()));
        }
        let notice = notice::held_back(author, &held, since);
        self.events
            .put(&self.settings.event_bus, &notice.detail_type, None, &notice.for_programs(OnBus::Evidence))
            .await?;
        self.topic.publish(&notice).await?;
        Ok(Tally::worked("told", format!("{} messages in one", held.count), None))
    }
}
