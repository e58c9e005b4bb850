//! Measures what reading a log of 100 MB costs: `cargo run --release -p pullsafe-diagnosis --example long_log`.
//!
//! The lines are made while they are read, page by page as CloudWatch Logs gives them, so the memory of the process is
//! the memory of the reading. Prints one JSON object: the peak of the process above its start, and the speed.

use std::collections::BTreeMap;
use std::fs;

use pullsafe_diagnosis::{Picker, diagnose_read};
use pullsafe_events::stopped_task::StoppedTask;
use serde_json::json;

/// The log's length.
const BYTES: usize = 100_000_000;
/// The size of a page of GetLogEvents.
const PAGE_BYTES: usize = 1_000_000;

/// The line that tells the cause, in the middle of all the others.
const TELLING: &str = r#"{"error": "Integration services initialization failed: No module named 'core.aws_service'", "timestamp": "2026-01-15T20:18:32Z"}"#;

fn main() {
    let mut page = Vec::new();
    fill(&mut page, 0);
    let start = resident("VmRSS:");
    let (mut picker, mut read) = (Picker::default(), 0);
    while read < BYTES {
        fill(&mut page, read);
        read += page.iter().map(String::len).sum::<usize>();
        picker.before(page.iter().map(String::as_str));
    }
    let seconds = processor_seconds();
    let task = StoppedTask::from_json(&json!({
        "lastStatus": "STOPPED", "stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed ELB health \
            checks in (target-group x)",
        "containers": [{"name": "app", "exitCode": 137}],
    }));
    let found = diagnose_read(&task, &BTreeMap::from([("app".to_owned(), picker)]));
    let peak = resident("VmHWM:").zip(start).map(|(peak, start)| peak.saturating_sub(start));
    println!(
        "{}",
        json!({
            "bytes": read, "peak_above_start_bytes": peak, "processor_seconds": seconds,
            "signature": found.signature, "evidence": found.evidence.len(),
        })
    );
}

/// Makes a page of the log. Every page has warnings, and the middle one has the line that tells the cause.
fn fill(page: &mut Vec<String>, read: usize) {
    page.clear();
    let (mut bytes, mut number) = (0, read);
    while bytes < PAGE_BYTES {
        let line = match number % 5 {
            0 => format!(r#"{{"level":"info","ts":{number},"msg":"request served","path":"/items/{number}","ms":3}}"#),
            1 => format!("10.0.1.7 - - [15/Jan/2026:20:00:00 +0000] \"GET /items/{number} HTTP/1.1\" 200 512"),
            2 => format!("2026-01-15 20:00:00,000 INFO worker {number} is alive"),
            3 => format!("level=warn msg=\"redis: connection refused, retrying\" attempt={number}"),
            _ => format!("\u{1b}[32mDEBUG\u{1b}[0m cache miss for key items:{number}"),
        };
        bytes += line.len();
        number += 1;
        page.push(line);
    }
    if (BYTES / 2..BYTES / 2 + PAGE_BYTES).contains(&read) {
        page.push(TELLING.to_owned());
    }
}

/// Reads a line of `/proc/self/status`, in bytes.
fn resident(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The processor time used so far, which includes making the lines.
fn processor_seconds() -> Option<f64> {
    let schedstat = fs::read_to_string("/proc/self/schedstat").ok()?;
    Some(schedstat.split_whitespace().next()?.parse::<u64>().ok()? as f64 / 1e9)
}
