//! Writes down every request that reaches the fake, for judges that we did not write (`tests/judges`).
//!
//! Off unless `PULLSAFE_RECORD_CALLS` names a file. Each request that the process makes for the first time then adds a
//! line of JSON to that file, with service, operation and body. Several tests and programs run at once, so each line is
//! one write to the end of the file.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::wire::WireRequest;

/// The variable that names the file.
const VARIABLE: &str = "PULLSAFE_RECORD_CALLS";

static RECORD: OnceLock<Option<Mutex<CallRecord>>> = OnceLock::new();

struct CallRecord {
    file: File,
    written: HashSet<String>,
}

/// Adds a request to the record, if one is kept.
///
/// # Panics
/// If the record cannot be written: a record with gaps would be judged as if it were complete.
pub(super) fn call(service: &str, operation: &str, body: &Value) {
    let Some(record) = RECORD.get_or_init(open) else { return };
    let mut body = body.clone();
    if service == "sts" {
        // The headers were added by the fake and are not part of the input.
        body.as_object_mut().map(|body| body.remove("headers"));
    }
    let line = format!("{}\n", json!({"service": service, "operation": operation, "body": body}));
    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
    if !record.written.contains(&line) {
        record.file.write_all(line.as_bytes()).expect("write the record of calls");
        record.written.insert(line);
    }
}

/// Whether a record is kept.
pub fn is_kept() -> bool {
    RECORD.get_or_init(open).is_some()
}

/// Adds a request that goes to an AWS other than this fake, if the service is known here.
pub fn http(target: Option<&str>, body: &[u8]) {
    if let Ok(request) = WireRequest::read("POST", "/", target, body) {
        call(&request.service, &request.operation, &request.request);
    }
}

fn open() -> Option<Mutex<CallRecord>> {
    // The fake's own tests make requests that no program makes.
    let path = std::env::var_os(VARIABLE).filter(|_| !cfg!(test))?;
    let file = OpenOptions::new().create(true).append(true).open(path).expect("open the record of calls");
    Some(Mutex::new(CallRecord { file, written: HashSet::new() }))
}
