//! Amazon SQS: sends messages to the function's own queue and the mirror's, and has a failed message come again soon.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::Value;

use super::failure::Failure;

/// The longest delay, in seconds, that SQS allows before a message can first be received.
const LONGEST_DELAY: i32 = 900;

/// Amazon SQS.
#[derive(Debug, Clone)]
pub struct Queues(aws_sdk_sqs::Client);

impl Queues {
    /// Uses the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_sqs::Client::new(config))
    }

    /// Sends a message that becomes visible after `delay_seconds` (at most 900).
    ///
    /// # Errors
    /// The call failed.
    pub async fn send(&self, queue_url: &str, message: &Value, delay_seconds: i32) -> Result<(), Failure> {
        let operation = self
            .0
            .send_message()
            .queue_url(queue_url)
            .message_body(message.to_string())
            .delay_seconds(delay_seconds);
        operation.send().await.map_err(|error| Failure::of("sqs:SendMessage", &error))?;
        Ok(())
    }

    /// Sends messages, ten to a call. Each becomes visible after the seconds that `delay` gives for its index (at most
    /// 900). What the queue did not take is not sent again; the error says how many messages those were, and why.
    ///
    /// # Errors
    /// A call failed, or the queue did not take a message. The messages of the calls before are sent.
    pub async fn send_all(
        &self,
        queue_url: &str,
        messages: &[Value],
        delay: impl Fn(usize) -> i32,
    ) -> Result<(), Failure> {
        const CALL: &str = "sqs:SendMessageBatch";
        let numbered: Vec<(usize, &Value)> = messages.iter().enumerate().collect();
        for some in numbered.chunks(10) {
            let mut operation = self.0.send_message_batch().queue_url(queue_url);
            for (number, message) in some {
                let entry =
                    SendMessageBatchRequestEntry::builder().id(number.to_string()).message_body(message.to_string());
                let entry = entry.delay_seconds(delay(*number).clamp(0, LONGEST_DELAY)).build();
                operation = operation.entries(entry.map_err(|error| Failure::unexpected(CALL, error.to_string()))?);
            }
            let answer = operation.send().await.map_err(|error| Failure::of(CALL, &error))?;
            if let Some(failed) = answer.failed().first() {
                let why = failed.message().unwrap_or_default();
                let message = format!("{} of {} messages were not taken: {why}", answer.failed().len(), some.len());
                return Err(Failure::within(CALL, failed.code(), Some(&message)));
            }
        }
        Ok(())
    }

    /// Hides a received message for this many seconds from now. Calling this again only restarts the count.
    ///
    /// # Errors
    /// The call failed.
    pub async fn hide(&self, queue_url: &str, receipt_handle: &str, seconds: i32) -> Result<(), Failure> {
        let operation = self
            .0
            .change_message_visibility()
            .queue_url(queue_url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(seconds);
        operation.send().await.map_err(|error| Failure::of("sqs:ChangeMessageVisibility", &error))?;
        Ok(())
    }
}
