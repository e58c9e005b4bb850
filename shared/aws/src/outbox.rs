//! Telling people (SNS) and programs (EventBridge).

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::Value;

use super::failure::Failure;
use pullsafe::notice::{Notice, chatbot};
use pullsafe::settings::MessageFormat;

/// The event bus.
#[derive(Debug, Clone)]
pub struct Events(aws_sdk_eventbridge::Client);

impl Events {
    /// With the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_eventbridge::Client::new(config))
    }

    /// Puts one event of source `pullsafe` on a bus.
    ///
    /// # Errors
    /// The call failed, or the bus did not take the event.
    pub async fn put(
        &self,
        bus: &str,
        detail_type: &str,
        resource: Option<&str>,
        detail: &Value,
    ) -> Result<(), Failure> {
        const CALL: &str = "events:PutEvents";
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(bus)
            .source("pullsafe")
            .detail_type(detail_type)
            .set_resources(resource.map(|resource| vec![resource.to_owned()]))
            .detail(detail.to_string())
            .build();
        let answer = self.0.put_events().entries(entry).send().await.map_err(|error| Failure::of(CALL, &error))?;
        // The call is answered 200 also where the bus did not take the event.
        match answer.entries().iter().find_map(|entry| Some((entry.error_code()?, entry.error_message()))) {
            Some((code, message)) => Err(Failure::within(CALL, code, message)),
            None if answer.failed_entry_count() > 0 => {
                Err(Failure::unexpected(CALL, "the bus did not take the event and does not say why"))
            }
            None => Ok(()),
        }
    }
}

/// The topic for people.
#[derive(Debug, Clone)]
pub struct Topic {
    client: aws_sdk_sns::Client,
    arn: String,
    format: MessageFormat,
}

impl Topic {
    /// A topic, and how its messages are written.
    pub fn new(config: &aws_config::SdkConfig, arn: &str, format: MessageFormat) -> Self {
        Self {
            client: aws_sdk_sns::Client::new(config),
            arn: arn.to_owned(),
            format,
        }
    }

    /// Publishes a message. The attribute `pullsafe-id` is the same whenever the same message is published again.
    ///
    /// # Errors
    /// The call failed.
    pub async fn publish(&self, notice: &Notice) -> Result<(), Failure> {
        let text = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build();
        let message = match self.format {
            MessageFormat::Text => notice.for_people(),
            MessageFormat::Chatbot => chatbot(notice).to_string(),
        };
        let mut operation = self.client.publish().topic_arn(&self.arn).subject(&notice.subject).message(message);
        let severity = notice.severity.as_str();
        for (name, value) in
            [("pullsafe-id", notice.id.as_str()), ("detail-type", &notice.detail_type), ("severity", severity)]
        {
            // All values are there, so that building cannot fail; if it ever does, the message matters more.
            if let Ok(attribute) = text(value) {
                operation = operation.message_attributes(name, attribute);
            }
        }
        operation.send().await.map_err(|error| Failure::of("sns:Publish", &error))?;
        Ok(())
    }
}
