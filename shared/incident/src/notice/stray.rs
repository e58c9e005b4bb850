//! The message about a service that carries the tags of a pause which nobody remembers.

use pullsafe::notice::{Notice, Severity};

use super::text::{NoticeText, subject_line};
use crate::published::{Published, StrayMarks};

/// A service that carries the tags of a pause which nobody remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Whether its desired count is 0; otherwise only the tags are left.
    pub is_paused: bool,
    /// What is known of it, each in a few words.
    pub says: Vec<String>,
    /// What a person types to bring it back, in this order.
    pub commands: Vec<String>,
}

/// Writes the message about a service with the tags of a pause that nobody remembers.
pub fn stray(subject: &str, stray: &Stray, id: String) -> Notice {
    let headline = if stray.is_paused {
        "paused, and nobody remembers"
    } else {
        "marks of a pause that nobody remembers"
    };
    let mut text = NoticeText::default();
    text.line(&format!("{subject}: {headline}."));
    text.line(
        "It carries the tags of a pause that the table of this stack does not know: the table or the stack was made \
         anew since then.",
    );
    text.line(
        "Nothing was changed. Whoever may tag a service could have written these tags, so that tags alone \
        restore nothing.",
    );
    text.section("What is known", stray.says.clone());
    text.section("For you to do, if it is right", stray.commands.clone());
    let commands = stray.commands.clone();
    let detail = Published::Stray(StrayMarks {
        notice: id.clone(),
        subject: subject.to_owned(),
        stray: true,
        paused: stray.is_paused,
        commands,
    })
    .detail();
    Notice {
        id,
        detail_type: "Diagnosis".to_owned(),
        subject: subject_line(&format!("{subject}: {headline}")),
        text: text.finish(),
        evidence: None,
        severity: if stray.is_paused { Severity::Critical } else { Severity::Info },
        links: Vec::new(),
        detail,
    }
}
