//! Reads the input: events, as one JSON object on each line or a single object over many lines; or a text that is not
//! JSON.
//!
//! Lines are read one at a time, so the input may be of any length. Only if the first line is not a whole object is the
//! rest read at once.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, Read as _};

use pullsafe_diagnosis::event::{EventDiagnosis, diagnose_event};
use pullsafe_diagnosis::setting::StopSetting;
use pullsafe_events::stopped_task::StoppedTask;
use serde_json::Value;

use super::item::DiagnosedInput;
use super::taken;

/// An input that could not be read.
pub(super) struct UnreadableInput {
    pub(super) id: Option<Value>,
    pub(super) line: usize,
    pub(super) problem: String,
}

/// The inputs, in order.
pub(super) struct InputLines {
    reader: Box<dyn BufRead>,
    buffered: VecDeque<Vec<u8>>,
    items: VecDeque<DiagnosedInput>,
    number: usize,
}

impl InputLines {
    pub(super) fn new(reader: Box<dyn BufRead>) -> Self {
        Self {
            reader,
            buffered: VecDeque::new(),
            items: VecDeque::new(),
            number: 0,
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(line) = self.buffered.pop_front() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        Ok((self.reader.read_until(b'\n', &mut line)? > 0).then_some(line))
    }

    /// Reads all that is left: returns it if it is one JSON value or one text; otherwise keeps its lines for later.
    fn as_one(&mut self, first: &[u8]) -> io::Result<Option<Whole>> {
        let mut whole = first.to_vec();
        self.reader.read_to_end(&mut whole)?;
        match serde_json::from_slice(&whole) {
            Ok(value) if taken::is_of_log(&value) => {
                return Ok(taken::of_text(&String::from_utf8_lossy(&whole)).map(Whole::Item));
            }
            Ok(value) => return Ok(Some(Whole::Value(value))),
            Err(_) => {}
        }
        let lines: VecDeque<Vec<u8>> =
            whole[first.len()..].split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let is_json = |line: &[u8]| line.trim_ascii_start().starts_with(b"{\"");
        let is_event =
            |line: &Vec<u8>| is_json(line) && serde_json::from_slice::<Value>(line).is_ok_and(|value| is_event(&value));
        // `[Container] 2024/...` and `[error] ...` are lines of a log, not JSON lists.
        let begun = first.trim_ascii();
        let is_list = begun
            .strip_prefix(b"[")
            .is_some_and(|rest| matches!(rest.trim_ascii_start().first(), None | Some(b'{' | b'[' | b'"')));
        let of_log = serde_json::from_slice(begun).is_ok_and(|value| taken::is_of_log(&value));
        if (of_log || !begun.starts_with(b"{") && !is_list) && !lines.iter().any(is_event) {
            return Ok(taken::of_text(&String::from_utf8_lossy(&whole)).map(Whole::Item));
        }
        self.buffered = lines;
        Ok(None)
    }

    /// Answers a value: one event, or the output of the AWS CLI with several items.
    fn answer(&mut self, value: Value) -> Result<DiagnosedInput, UnreadableInput> {
        let Some(items) = taken::of_aws(&value).filter(|_| !is_event(&value)) else {
            return answer(value, self.number);
        };
        self.items.extend(items);
        self.items.pop_front().ok_or_else(|| {
            let problem = "no task or service in it: ECS forgets a stopped task after an hour (CLUSTER/SERVICE reads \
                the service's events)";
            UnreadableInput { id: None, line: self.number, problem: problem.to_owned() }
        })
    }
}

/// The whole input as one value or item.
enum Whole {
    Value(Value),
    Item(DiagnosedInput),
}

fn is_event(value: &Value) -> bool {
    value.get("event").is_some() || value.get("detail").is_some()
}

impl Iterator for InputLines {
    type Item = io::Result<Result<DiagnosedInput, UnreadableInput>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Some(Ok(Ok(item)));
            }
            let line = match self.next_line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            self.number += 1;
            let first = self.number == 1;
            let content = if first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
            if content.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let error = match serde_json::from_slice::<Value>(content) {
                // A log in JSON is one log, not many events.
                Ok(value) if first && taken::is_of_log(&value) => match self.as_one(content) {
                    Ok(Some(Whole::Item(item))) => return Some(Ok(Ok(item))),
                    Ok(Some(Whole::Value(_)) | None) => return Some(Ok(self.answer(value))),
                    Err(error) => return Some(Err(error)),
                },
                Ok(value) => return Some(Ok(self.answer(value))),
                Err(error) => error,
            };
            if first {
                match self.as_one(content) {
                    Ok(Some(Whole::Value(value))) => return Some(Ok(self.answer(value))),
                    Ok(Some(Whole::Item(item))) => return Some(Ok(Ok(item))),
                    Ok(None) => {}
                    Err(error) => return Some(Err(error)),
                }
            }
            let problem = format!("not JSON: {error}");
            return Some(Ok(Err(UnreadableInput { id: None, line: self.number, problem })));
        }
    }
}

/// Diagnoses a value: `{"id"?, "event", "logs"?}`, or a bare event.
fn answer(value: Value, line: usize) -> Result<DiagnosedInput, UnreadableInput> {
    let fault = |id: Option<&Value>, problem: String| UnreadableInput { id: id.cloned(), line, problem };
    let Value::Object(object) = &value else {
        return Err(fault(None, "the line is not an object".to_owned()));
    };
    let wrapped = object.contains_key("event");
    let event = if wrapped { &value["event"] } else { &value };
    let own = object.get("id").filter(|id| id.is_string() || id.is_number());
    let id = own.or_else(|| event.get("id").filter(|id| id.is_string()));
    if !wrapped && object.get("detail").is_none() {
        return Err(fault(
            id,
            "event: it is missing, and the line is no EventBridge event either (no `detail`)".to_owned(),
        ));
    }
    let logs = match object.get("logs").filter(|_| wrapped) {
        Some(logs) => read_logs(logs).map_err(|problem| fault(id, problem))?,
        None => BTreeMap::new(),
    };
    let verdict = diagnose_event(event, &logs).map_err(|error| fault(id, error.to_string()))?;
    let setting = match &verdict {
        EventDiagnosis::Build(_) => StopSetting::of_build(),
        EventDiagnosis::Diagnosed(_) | EventDiagnosis::NotAStop(_) => {
            StopSetting::of_task(&StoppedTask::from_json(&event["detail"]))
        }
    };
    Ok(DiagnosedInput {
        id: id.cloned().unwrap_or(Value::Null),
        verdict,
        setting,
        took: None,
    })
}

fn read_logs(logs: &Value) -> Result<BTreeMap<String, Vec<String>>, String> {
    match logs {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(containers) => {
            containers.iter().map(|(name, lines)| Ok((name.clone(), read_lines(name, lines)?))).collect()
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err("logs: it is not an object of containers".to_owned())
        }
    }
}

fn read_lines(container: &str, lines: &Value) -> Result<Vec<String>, String> {
    let Value::Array(lines) = lines else {
        return Err(format!("logs.{container}: it is not an array of lines"));
    };
    let text = |(index, line): (usize, &Value)| {
        line.as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("logs.{container}[{index}]: it is not a string"))
    };
    lines.iter().enumerate().map(text).collect()
}
