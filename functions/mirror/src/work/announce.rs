//! The event `Image Mirrored`, for whoever asked for the copy.

use pullsafe_registry::CopyReport;
use serde_json::{Value, json};

use crate::work::job::Job;

/// The event's detail-type.
pub(crate) const DETAIL_TYPE: &str = "Image Mirrored";

/// The event's detail: the target holds what the source's tag means.
pub(crate) fn detail(job: &Job, report: &CopyReport) -> Value {
    json!({
        "source": job.source,
        "target": job.target,
        "digest": report.digest,
        "platforms": report.platforms,
        "requested_by": job.requested_by,
        "bytes_copied": report.bytes_copied,
        "up_to_date": report.up_to_date,
    })
}
