//! The message that stands for many of one author.

use pullsafe::count::count;
use pullsafe::notice::{Notice, Severity};
use pullsafe::timestamp::Timestamp;
use pullsafe_events::Author;

use super::text::{NoticeText, subject_line};
use crate::held::{HeldBack, PERIOD_SECONDS};
use crate::published::{HeldBackCount, Published};

/// Writes the message about one author's messages that were held back because there were too many.
pub fn held_back(author: &Author, held: &HeldBack, since: i64) -> Notice {
    let (more, minutes) = (count(held.count, "more message"), PERIOD_SECONDS / 60);
    let mut text = NoticeText::default();
    text.line(&format!("{author}: {more} in {minutes} minutes."));
    text.line(
        "The first of them were told one by one. Whoever can start tasks or builds, or write tags, can cause \
        any number: look at what they have in common.",
    );
    text.section("The first of the rest", held.first.clone());
    text.section("All of them", ["pullsafe report".to_owned()]);
    let id = format!("{}-{since}", author.key());
    let since = Timestamp::from_millis(since.saturating_mul(1000));
    let detail = Published::HeldBack(HeldBackCount {
        notice: id.clone(),
        author: author.clone(),
        since,
        held_back: held.count,
    })
    .detail();
    Notice {
        id,
        detail_type: "Diagnosis".to_owned(),
        subject: subject_line(&format!("{author}: {more} in {minutes} minutes")),
        text: text.finish(),
        evidence: None,
        severity: Severity::Degraded,
        links: Vec::new(),
        detail,
    }
}
