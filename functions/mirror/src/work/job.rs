//! A job: which image to copy where, and for whom; and the messages that carry jobs.
//!
//! A message holds one image that somebody asked for ([`MirrorJob`]), or several that a scheduled run planned
//! ([`PlannedJobs`]). `rules.rs` decides what a job may do.

use pullsafe::manifest::Platform;
use pullsafe::mirror_job::{MirrorJob, PlannedJobs};
use pullsafe::reference::Reference;
use serde::Deserialize as _;
use serde_json::Value;

const FIRST_PAUSE_SECONDS: i32 = 30;
const LONGEST_PAUSE_SECONDS: i32 = 900;
/// The most images in a message: more than a planned message ever has.
const MOST_IMAGES: usize = 100;

/// One image to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Where the image comes from.
    pub source: Reference,
    /// Where it goes: a tag or a digest in the mirror's own repository for it; `latest` if neither is given.
    pub target: Reference,
    /// The source as it was asked for, without the configuration's pin. `Image Mirrored` repeats it for whoever waits
    /// for it.
    pub asked: Reference,
    /// The target as it was asked for, which `Image Mirrored` repeats.
    pub announced: Reference,
    /// The account of the target's registry.
    pub account: String,
    /// The region of the target's registry.
    pub region: String,
    /// Who asked, which `Image Mirrored` repeats.
    pub requested_by: String,
    /// Only these platforms; empty for all.
    pub platforms: Vec<Platform>,
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// Somebody waits for this image.
    Asked(Box<MirrorJob>),
    /// A scheduled run planned these. What cannot be done now is planned again.
    Planned(Vec<MirrorJob>),
}

/// One message of the queue.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) id: &'a str,
    /// The handle by which the queue knows it until it is received again.
    pub(crate) receipt_handle: &'a str,
    /// How often it has been received, this time included.
    pub(crate) receive_count: i32,
    /// The name of its queue.
    pub(crate) queue: &'a str,
    /// What it asks for, or why it is no message of ours.
    pub(crate) work: Result<Work, String>,
}

impl<'a> Message<'a> {
    /// Reads an SQS record.
    pub(crate) fn of(record: &'a Value) -> Self {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let body = text("/body").ok_or_else(|| "the record has no body".to_owned());
        Self {
            id: text("/messageId").unwrap_or_default(),
            receipt_handle: text("/receiptHandle").unwrap_or_default(),
            receive_count: text("/attributes/ApproximateReceiveCount")
                .and_then(|count| count.parse().ok())
                .unwrap_or(1),
            queue: text("/eventSourceARN").and_then(|arn| arn.rsplit(':').next()).unwrap_or_default(),
            work: body.and_then(parse),
        }
    }

    pub(crate) fn jobs(&self) -> &[MirrorJob] {
        match &self.work {
            Ok(Work::Asked(job)) => std::slice::from_ref(job),
            Ok(Work::Planned(jobs)) => jobs,
            Err(_) => &[],
        }
    }

    /// How many seconds a failed message stays hidden: twice as long each time, because what has failed twice rarely
    /// recovers in a moment.
    pub(crate) fn pause(&self) -> i32 {
        let doublings = u32::try_from(self.receive_count.clamp(1, 10) - 1).unwrap_or_default();
        FIRST_PAUSE_SECONDS.saturating_mul(2_i32.saturating_pow(doublings)).min(LONGEST_PAUSE_SECONDS)
    }

    /// How many seconds it stays hidden when a quota with a window of hours is used up.
    pub(crate) const fn long_pause() -> i32 {
        LONGEST_PAUSE_SECONDS
    }
}

fn parse(body: &str) -> Result<Work, String> {
    let body: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    if body.get("images").is_some() {
        let planned = PlannedJobs::deserialize(body).map_err(|error| error.to_string())?;
        if planned.images.len() > MOST_IMAGES {
            return Err(format!("the message has more than {MOST_IMAGES} images"));
        }
        return Ok(Work::Planned(planned.images));
    }
    MirrorJob::deserialize(body)
        .map(|job| Work::Asked(Box::new(job)))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use crate::work::error::JobError;
    use pullsafe_registry::RegistryError;
    use serde_json::json;

    use super::*;

    const TARGET: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/python:3.11-slim";

    fn of(body: &Value) -> Result<MirrorJob, String> {
        match Message::of(&json!({"messageId": "m", "body": body.to_string()})).work? {
            Work::Asked(job) => Ok(*job),
            Work::Planned(jobs) => Err(format!("{} planned", jobs.len())),
        }
    }

    #[test]
    fn a_job_names_source_target_and_who_asked() {
        let job =
            of(&json!({"source": "python:3.11-slim", "target": TARGET, "requested_by": "me", "later": 1})).unwrap();
        assert_eq!(job.source.to_string(), "docker.io/library/python:3.11-slim");
        assert_eq!(job.requested_by, "me");
    }

    #[test]
    fn a_bad_job_says_why_and_does_not_come_again() {
        for (body, why) in [
            (json!({"target": TARGET}), "missing field `source`"),
            (json!({"source": "Python", "target": TARGET}), "lower case"),
            (json!({"source": "python", "target": "a b"}), "not an image reference"),
            (json!("python"), "invalid type"),
        ] {
            let error = of(&body).unwrap_err();
            assert!(error.contains(why), "{body}: {error}");
        }
        let record = json!({"messageId": "m"});
        let message = Message::of(&record);
        assert_eq!(message.id, "m");
        assert!(!JobError::Bad(message.work.unwrap_err()).comes_again());
    }

    #[test]
    fn planned_images_come_together() {
        let record = json!({"body": json!({"images": [
            {"source": "redis:7", "target": TARGET}, {"source": "node:22", "target": TARGET, "platforms": ["linux/amd64"]},
        ]}).to_string(), "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:plan"});
        let message = Message::of(&record);
        assert_eq!((message.jobs().len(), message.queue, message.jobs()[1].platforms.len()), (2, "plan", 1));
        assert!(matches!(message.work, Ok(Work::Planned(_))));
        assert!(of(&json!({"images": [{"source": "redis"}]})).unwrap_err().contains("target"));
    }

    #[test]
    fn a_target_may_lack_a_tag() {
        let repository = TARGET.trim_end_matches(":3.11-slim");
        let pinned = format!("{repository}@sha256:{}", "0".repeat(64));
        for target in [repository, &pinned] {
            let job = of(&json!({"source": "python", "target": target})).unwrap();
            assert_eq!((job.target.to_string().as_str(), job.target.tag()), (target, None));
        }
    }

    #[test]
    fn a_failed_message_waits_longer_each_time() {
        let pause =
            |count: &str| Message::of(&json!({"body": "", "attributes": {"ApproximateReceiveCount": count}})).pause();
        assert_eq!(
            ["1", "2", "5", "6", "31", "0", "many", "2147483647"].map(pause),
            [30, 60, 480, 900, 900, 30, 30, 900]
        );
        assert_eq!(Message::of(&json!({})).pause(), 30);
    }

    #[test]
    fn what_repetition_cannot_cure_is_dropped() {
        let immutable = JobError::Copy(RegistryError::TagImmutable { reference: TARGET.to_owned() });
        assert!(!immutable.comes_again() && immutable.what_to_do().contains("delete the tag"));
        assert!(
            JobError::Copy(RegistryError::Connection { host: "h".to_owned(), why: "reset".to_owned() }).comes_again()
        );
    }
}
