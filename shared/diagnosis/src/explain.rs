//! Explains why a text means this cause and not another: its chain, the row that decided, and the rows that match too.

use crate::cause::Cause;
use crate::chain::{Chain, Tell};
use crate::setting::StopSetting;
use crate::{NormalisedText, REASONS, target, text};

/// Why a text was read as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The links of the chain, each with what it means.
    pub links: Vec<(String, String)>,
    /// The row that decided, with its cause.
    pub decided: Option<(&'static str, Cause)>,
    /// Whether the answer at the end of the chain decided, rather than a known sentence.
    pub by_answer: bool,
    /// The other rows that match. They come later in the tables, after earlier phases and more specific texts.
    pub after: Vec<(&'static str, Cause)>,
}

/// Explains a text about this image.
pub fn explain(said: &str, image: Option<&str>) -> Explanation {
    let normal = text::normalise(said);
    let setting = StopSetting::default();
    let read = NormalisedText {
        source: String::new(),
        target: target::of_container(&normal, image, None),
        text: &normal,
        setting: &setting,
    };
    let row = read.row();
    let shown = |link: &str| text::redact(link.trim());
    let links = Chain::parse(&normal).links;
    Explanation {
        links: links.iter().map(|link| (shown(link.text), says(&link.tells))).collect(),
        decided: row.map(|row| (row.id, row.cause)),
        by_answer: row.is_some_and(|row| !row.reads.is_empty()),
        after: REASONS
            .matching(&normal, read.context())
            .into_iter()
            .filter(|other| Some(other.id) != row.map(|row| row.id))
            .map(|other| (other.id, other.cause))
            .collect(),
    }
}

/// Says in words what a link means.
fn says(tells: &Tell<'_>) -> String {
    match tells {
        Tell::Reporter => "passes an error on".to_owned(),
        Tell::Operation(phase) => format!("operation ({phase})"),
        Tell::Request(address) => format!("request to {} ({})", address.host, address.of),
        Tell::Status(status) => format!("answer {status}"),
        Tell::Code(meaning) => format!("the registry's error {meaning:?}"),
        Tell::Transport(why) => format!("network ({why})"),
        Tell::NotFound => "not found".to_owned(),
        Tell::Words => "words".to_owned(),
    }
}
