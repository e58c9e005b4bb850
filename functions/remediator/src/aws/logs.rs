//! Amazon CloudWatch Logs: one stream, within a window of time and a budget, newest page first.

use serde_json::{Value, json};

use pullsafe_aws::SdkConfig;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::json::{InRegions, LOGS};
use pullsafe_incident::spent::LogBudget;
use remediator_decide::log::place::{LogStream, Window};
use remediator_decide::log::reading::{Ask, LogReading, PAGE_LINES};

const GET: &str = "logs:GetLogEvents";

/// Amazon CloudWatch Logs, in whatever region a stream is.
#[derive(Debug, Clone)]
pub struct Logs(InRegions);

impl Logs {
    /// Uses this configuration. The client of a region is made when it is first needed.
    pub fn new(config: &SdkConfig) -> Self {
        Self(InRegions::new(config, LOGS))
    }

    /// Reads a stream as far as the budget goes. `page` receives the lines of each page in their order. Each page is
    /// older than the one before, and none is kept.
    ///
    /// # Errors
    /// A call failed. `page` has received what came before.
    pub async fn read(
        &self,
        stream: &LogStream,
        window: Window,
        budget: &mut LogBudget,
        mut page: impl FnMut(&[&str]),
    ) -> Result<LogReading, Failure> {
        let api = self.0.get(stream.region.as_ref()).map_err(|why| Failure::unexpected(GET, why))?;
        let mut reading = LogReading::new();
        while let Some(ask) = reading.next(budget) {
            let request = request(stream, window, &ask);
            let answer = match api.call(GET, "Logs_20140328.GetLogEvents", &request).await {
                Ok(answer) => answer,
                Err(failure) => {
                    budget.calls = budget.calls.saturating_sub(1);
                    return Err(failure);
                }
            };
            let events = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
            let lines: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
            let first = events.first().and_then(|event| event["timestamp"].as_i64());
            let bytes = lines.iter().map(|line| line.len()).sum();
            page(&lines);
            reading.took(budget, first, lines.len(), bytes, answer["nextBackwardToken"].as_str().map(str::to_owned));
        }
        Ok(reading)
    }
}

fn request(stream: &LogStream, window: Window, ask: &Ask) -> Value {
    let mut request = json!({
        "logGroupName": stream.group, "logStreamName": stream.stream, "endTime": window.end.millis(), "limit": PAGE_LINES,
        "startFromHead": false,
    });
    if let Some(start) = window.start {
        // The API takes no time before 1970.
        request["startTime"] = Value::from(start.millis().max(0));
    }
    match ask {
        Ask::Backwards(None) => {}
        Ask::Backwards(Some(token)) => request["nextToken"] = Value::from(token.as_str()),
        Ask::Head(until) => {
            request["startFromHead"] = Value::from(true);
            // What was read already is not read again.
            if let Some(until) = until {
                request["endTime"] = Value::from(*until);
            }
        }
    }
    request
}
