//! The event `Image Mirrored`, for whoever asked for the copy.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use pullsafe::registry::CopyReport;
use serde_json::json;

use crate::job::Job;

/// The event could not be sent; the copy itself is done.
#[derive(Debug, thiserror::Error)]
#[error("the copy is done, and events:PutEvents failed: {0}")]
pub struct AnnounceError(String);

/// Sends events to the default bus.
pub(crate) struct Announcer {
    client: Client,
}

impl Announcer {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Says that the target holds what the source's tag means.
    pub(crate) async fn mirrored(&self, job: &Job, report: &CopyReport) -> Result<(), AnnounceError> {
        let detail = json!({
            "source": job.source,
            "target": job.target,
            "digest": report.digest,
            "platforms": report.platforms,
            "requested_by": job.requested_by,
            "bytes_copied": report.bytes_copied,
            "up_to_date": report.up_to_date,
        });
        let entry = PutEventsRequestEntry::builder().source("pullsafe").detail_type("Image Mirrored").detail(detail.to_string()).build();
        let answer = self.client.put_events().entries(entry).send().await.map_err(|error| {
            AnnounceError(match error.code() {
                Some(code) => format!("{code}: {}", error.message().unwrap_or("no message")),
                None => DisplayErrorContext(&error).to_string(),
            })
        })?;
        // The call succeeds even if its one entry did not.
        match answer.entries().iter().find_map(|entry| entry.error_code()) {
            Some(code) => Err(AnnounceError(code.to_owned())),
            None => Ok(()),
        }
    }
}
