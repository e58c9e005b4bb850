//! Amazon SQS: putting messages into the own queue and the mirror's, and having a failed one come again soon.

use serde_json::Value;

use super::failure::Failure;

/// Amazon SQS.
#[derive(Debug, Clone)]
pub struct Queues(aws_sdk_sqs::Client);

impl Queues {
    /// With the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_sqs::Client::new(config))
    }

    /// Sends a message that becomes visible after `delay_seconds` (at most 900).
    ///
    /// # Errors
    /// The call failed.
    pub async fn send(&self, queue_url: &str, message: &Value, delay_seconds: i32) -> Result<(), Failure> {
        let operation = self.0.send_message().queue_url(queue_url).message_body(message.to_string()).delay_seconds(delay_seconds);
        operation.send().await.map_err(|error| Failure::of("sqs:SendMessage", &error))?;
        Ok(())
    }

    /// Hides a message that was received for so many more seconds, counted from now. Repeating it only starts the count anew.
    ///
    /// # Errors
    /// The call failed.
    pub async fn hide(&self, queue_url: &str, receipt_handle: &str, seconds: i32) -> Result<(), Failure> {
        let operation = self.0.change_message_visibility().queue_url(queue_url).receipt_handle(receipt_handle).visibility_timeout(seconds);
        operation.send().await.map_err(|error| Failure::of("sqs:ChangeMessageVisibility", &error))?;
        Ok(())
    }
}
