//! The event `Image Mirrored`, for whoever asked for the copy.

use pullsafe::mirror_job::ImageMirrored;
use pullsafe_registry::CopyReport;
use serde_json::Value;

use crate::work::job::Job;

/// The event's detail: the target holds what the source's tag means.
pub(crate) fn detail(job: &Job, report: &CopyReport) -> Value {
    let mirrored = ImageMirrored {
        source: job.asked.clone(),
        target: job.announced.clone(),
        digest: Some(report.digest.clone()),
        platforms: report.platforms.clone(),
        requested_by: job.requested_by.clone(),
        bytes_copied: report.bytes_copied,
        up_to_date: report.up_to_date,
    };
    mirrored.detail()
}
