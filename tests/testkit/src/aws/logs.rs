//! CloudWatch Logs: reading streams. As with the real service, a page may be empty and still have a successor.
//!
//! Filter patterns are terms: `word` (all of them), `?word` (any of them), `-word` (none of them), `"a phrase"`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::service::{AwsError, FakeService};
use crate::clock::VirtualClock;

/// The most events on a page.
const PAGE: usize = 10_000;
/// The most streams on a page.
const STREAMS_PAGE: usize = 50;

/// Log groups. Clones share one state.
#[derive(Debug, Clone)]
pub struct FakeLogs(Arc<Mutex<LogsState>>);

type Streams = BTreeMap<String, Vec<LogEvent>>;

#[derive(Debug)]
struct LogsState {
    clock: VirtualClock,
    groups: BTreeMap<String, Streams>,
}

#[derive(Debug, Clone)]
struct LogEvent {
    at: i64,
    message: String,
}

impl FakeLogs {
    /// Starts without groups.
    pub fn new(clock: VirtualClock) -> Self {
        Self(Arc::new(Mutex::new(LogsState { clock, groups: BTreeMap::new() })))
    }

    /// Creates a group without streams.
    #[must_use]
    pub fn with_group(self, group: &str) -> Self {
        self.lock().groups.entry(group.to_owned()).or_default();
        self
    }

    /// Writes lines to a stream at the current time of the clock. Creates the group and the stream if they are missing.
    pub fn write(&self, group: &str, stream: &str, lines: &[&str]) {
        let at = self.lock().clock.now();
        lines.iter().for_each(|line| self.write_at(group, stream, at, line));
    }

    /// Writes one line to a stream, stamped with this moment. Creates the group and the stream if they are missing.
    pub fn write_at(&self, group: &str, stream: &str, at: Timestamp, line: &str) {
        let mut state = self.lock();
        let events = state.groups.entry(group.to_owned()).or_default().entry(stream.to_owned()).or_default();
        events.push(LogEvent { at: at.millis(), message: line.to_owned() });
    }

    fn lock(&self) -> MutexGuard<'_, LogsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService for FakeLogs {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let state = self.lock();
        match operation {
            "GetLogEvents" => get(state.group(request)?, request),
            "FilterLogEvents" => filter(state.group(request)?, request),
            "DescribeLogGroups" => Ok(groups(&state.groups, request)),
            "DescribeLogStreams" => describe(state.group(request)?, request),
            _ => {
                Err(AwsError::client("UnknownOperationException", format!("{operation} is not modelled by this fake")))
            }
        }
    }
}

impl LogsState {
    fn group(&self, request: &Value) -> Result<&Streams, AwsError> {
        let name = request["logGroupName"]
            .as_str()
            .or_else(|| request["logGroupIdentifier"].as_str())
            .unwrap_or_default();
        let name = name.rsplit_once(":log-group:").map_or(name, |(_, name)| name.trim_end_matches(":*"));
        let missing = AwsError::client("ResourceNotFoundException", "The specified log group does not exist.");
        self.groups.get(name).ok_or(missing)
    }
}

fn invalid(message: &str) -> AwsError {
    AwsError::client("InvalidParameterException", message)
}

/// Whether an event lies in the time that is asked for: from the start up to, but not including, the end.
fn in_time(event: &LogEvent, request: &Value) -> bool {
    request["startTime"].as_i64().is_none_or(|start| event.at >= start)
        && request["endTime"].as_i64().is_none_or(|end| event.at < end)
}

fn limit(request: &Value, largest: usize) -> usize {
    request["limit"]
        .as_u64()
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(largest)
        .clamp(1, largest)
}

fn groups(groups: &BTreeMap<String, Streams>, request: &Value) -> Value {
    let prefix = request["logGroupNamePrefix"].as_str().unwrap_or_default();
    let named = groups.keys().filter(|name| name.starts_with(prefix)).take(limit(request, STREAMS_PAGE));
    json!({"logGroups": named.map(|name| json!({"logGroupName": name})).collect::<Vec<_>>()})
}

fn get(streams: &Streams, request: &Value) -> Result<Value, AwsError> {
    let missing = || AwsError::client("ResourceNotFoundException", "The specified log stream does not exist.");
    let stream = streams.get(request["logStreamName"].as_str().unwrap_or_default()).ok_or_else(missing)?;
    let events: Vec<&LogEvent> = stream.iter().filter(|event| in_time(event, request)).collect();
    let (limit, count) = (limit(request, PAGE), events.len());
    let (from, to) = match request["nextToken"].as_str() {
        None if request["startFromHead"] == true => (0, limit.min(count)),
        None => (count.saturating_sub(limit), count),
        Some(token) => {
            let (direction, place) = token.split_once('/').unwrap_or_default();
            let place = place.parse::<usize>().map_err(|_| invalid("The specified nextToken is invalid."))?.min(count);
            if direction == "f" {
                (place, (place + limit).min(count))
            } else {
                (place.saturating_sub(limit), place)
            }
        }
    };
    // At the end of the stream the token is the same as in the request: that tells a reader to stop.
    Ok(json!({
        "events": events[from..to].iter().map(|event| wire(event)).collect::<Vec<_>>(),
        "nextForwardToken": format!("f/{to}"),
        "nextBackwardToken": format!("b/{from}"),
    }))
}

fn filter(streams: &Streams, request: &Value) -> Result<Value, AwsError> {
    let names: Option<Vec<&str>> =
        request["logStreamNames"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect());
    let prefix = request["logStreamNamePrefix"].as_str();
    if names.is_some() && prefix.is_some() {
        return Err(invalid("LogStreamNamePrefix and LogStreamNames cannot both be specified"));
    }
    let pattern = Pattern::parse(request["filterPattern"].as_str().unwrap_or_default())?;
    let wanted = |name: &str| {
        names.as_ref().is_none_or(|names| names.contains(&name)) && prefix.is_none_or(|prefix| name.starts_with(prefix))
    };
    let mut events: Vec<(&str, &LogEvent)> = streams
        .iter()
        .filter(|(name, _)| wanted(name))
        .flat_map(|(name, events)| events.iter().map(move |event| (name.as_str(), event)))
        .filter(|(_, event)| in_time(event, request))
        .collect();
    events.sort_by_key(|(_, event)| event.at);

    let start = match request["nextToken"].as_str() {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid("The specified nextToken is invalid."))?,
    };
    // The limit counts the events that are searched, so a page can be empty.
    let page = events
        .iter()
        .enumerate()
        .skip(start)
        .take(limit(request, PAGE))
        .filter(|(_, (_, event))| pattern.fits(&event.message));
    let found = page.map(|(number, (stream, event))| {
        let mut found = wire(event);
        found["logStreamName"] = Value::from(*stream);
        found["eventId"] = Value::from(format!("{number:056}"));
        found
    });
    let mut answer = json!({"events": found.collect::<Vec<_>>(), "searchedLogStreams": []});
    let next = start + limit(request, PAGE);
    if next < events.len() {
        answer["nextToken"] = Value::from(next.to_string());
    }
    Ok(answer)
}

fn describe(streams: &Streams, request: &Value) -> Result<Value, AwsError> {
    let prefix = request["logStreamNamePrefix"].as_str();
    let by_time = request["orderBy"] == "LastEventTime";
    if by_time && prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let mut found: Vec<(&String, &Vec<LogEvent>)> =
        streams.iter().filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix))).collect();
    if by_time {
        found.sort_by_key(|(_, events)| events.last().map(|event| event.at));
    }
    if request["descending"] == true {
        found.reverse();
    }
    let start = match request["nextToken"].as_str() {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid("The specified nextToken is invalid."))?,
    };
    let size = limit(request, STREAMS_PAGE);
    let page = found.iter().skip(start).take(size).map(|(name, events)| {
        let mut stream = json!({"logStreamName": name});
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            stream["firstEventTimestamp"] = Value::from(first.at);
            stream["lastEventTimestamp"] = Value::from(last.at);
        }
        stream
    });
    let mut answer = json!({"logStreams": page.collect::<Vec<_>>()});
    if start + size < found.len() {
        answer["nextToken"] = Value::from((start + size).to_string());
    }
    Ok(answer)
}

fn wire(event: &LogEvent) -> Value {
    json!({"timestamp": event.at, "message": event.message, "ingestionTime": event.at})
}

/// The terms of a filter pattern.
#[derive(Debug, Default)]
struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, AwsError> {
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        if rest.starts_with(['{', '[', '%']) {
            return Err(invalid("patterns other than terms are not modelled by this fake"));
        }
        while !rest.is_empty() {
            let terms = match rest.chars().next() {
                Some('?') => &mut pattern.any,
                Some('-') => &mut pattern.none,
                _ => &mut pattern.all,
            };
            let word = rest.trim_start_matches(['?', '-']);
            let (term, after) = match word.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| invalid("Invalid filter pattern"))?,
                None => word.split_once(' ').unwrap_or((word, "")),
            };
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    fn fits(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has)) && !self.none.iter().any(has)
    }
}
