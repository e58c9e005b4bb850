//! One signature: what a text must contain to mean a cause.
//!
//! Rows are data. To add a stop signature, add one row; its own example is its test. The first row that matches
//! decides, so within a table the specific comes before the general.

use crate::cause::{Cause, Confidence, Kind, Phase, Signature, Why};
use crate::chain::Tell;
use crate::registries::ErrorMeaning;
use crate::shape::NameShape;
use pullsafe::reference::Registry;

/// A real text that a row was written for, and its origin.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The text as it was seen.
    pub text: &'static str,
    /// The container's image, if the task definition named one; else empty.
    pub image: &'static str,
    /// Who writes this text, or where it was seen.
    pub from: &'static str,
}

/// Where a text names its subject: the module, the variable, the missing action.
#[derive(Debug, Clone, Copy)]
pub struct SubjectPosition {
    /// The shape that the subject must have.
    pub shape: NameShape,
    /// The words that precede the subject. The first of them that is followed by something of that shape counts.
    pub after: &'static [&'static str],
    /// The characters that end the subject; the end of the text ends it too. After a quote, it ends with the same
    /// quote.
    pub until: &'static [char],
}

/// What the answer at the end of a chain must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// A status from the first to the last number.
    Status(u16, u16),
    /// A registry's own error of this meaning.
    Code(ErrorMeaning),
    /// The network failed before there was an answer.
    Transport,
    /// Not found, in words only.
    NotFound,
}

impl Reads {
    /// Whether a link says this.
    pub fn fits(self, tells: Tell<'_>) -> bool {
        match (self, tells) {
            (Self::Status(first, last), Tell::Status(status)) => (first..=last).contains(&status),
            (Self::Code(meaning), Tell::Code(said)) => meaning == said,
            (Self::Transport, Tell::Transport(_)) | (Self::NotFound, Tell::NotFound) => true,
            _ => false,
        }
    }
}

/// A signature.
#[derive(Debug, Clone, Copy)]
pub struct SignatureRow {
    /// The row's name, unique over all tables.
    pub id: &'static str,
    /// The cause that a match means.
    pub cause: Cause,
    /// The registry that alone sends this text; used if no host is known.
    pub registry: Option<Registry>,
    /// The kind of the cause.
    pub kind: Option<Kind>,
    /// Why the thing failed, for causes that tell it.
    pub why: Option<Why>,
    /// The phase of the pull.
    pub phase: Option<Phase>,
    /// The crash signature, for rows of logs.
    pub signature: Option<Signature>,
    /// Whether the pull was anonymous.
    pub anonymous: Option<bool>,
    /// The text must contain one phrase of each group. Case does not matter. `^` at the beginning of a phrase stands
    /// for the start of the text, `$` at its end for the end of the text.
    pub all: &'static [&'static [&'static str]],
    /// For rows that decide on a chain instead of phrases: the last answer must be one of these.
    pub reads: &'static [Reads],
    /// The row's phrases say only where something failed: the answer at the end of the chain is more exact, and decides
    /// if it tells.
    pub yields: bool,
    /// The image must be pinned to a digest, also beside a tag (`tag@sha256:...`).
    pub pinned: bool,
    /// The text must contain none of these.
    pub none: &'static [&'static str],
    /// The registry must be one of these; empty means any, known or not.
    pub hosts: &'static [Registry],
    /// Whether the row also applies when the registry is unknown.
    pub or_unknown_host: bool,
    /// A further condition on the text that phrases cannot express.
    pub also: Option<fn(&str) -> bool>,
    /// The image must be an official one of Docker Hub (`library/...`).
    pub official_image: bool,
    /// Texts that begin alike and mean something else: if the text ends inside one of them, it was cut too early.
    pub cut_inside: &'static [&'static str],
    /// Between lines of a log the greater weight decides: 1 = something failed, 2 = what failed, 3 = what exactly.
    pub weight: u8,
    /// How far the match can be relied on.
    pub confidence: Confidence,
    /// What would settle an ambiguous match.
    pub settled_by: Option<&'static str>,
    /// Where the text names its subject.
    pub subject: Option<SubjectPosition>,
    /// What to do; `{image}` and other names in braces are filled in (see `advice.rs` of `pullsafe-diagnosis`).
    pub advice: &'static str,
    /// The text that the row was written for.
    pub example: Example,
}

impl SignatureRow {
    /// A row without content; tables override what they need.
    pub const EMPTY: Self = Self {
        id: "",
        cause: Cause::Unknown,
        registry: None,
        kind: None,
        why: None,
        phase: None,
        signature: None,
        anonymous: None,
        all: &[],
        reads: &[],
        yields: false,
        pinned: false,
        none: &[],
        hosts: &[],
        or_unknown_host: false,
        also: None,
        official_image: false,
        cut_inside: &[],
        weight: 0,
        confidence: Confidence::High,
        settled_by: None,
        subject: None,
        advice: "",
        example: Example { text: "", image: "", from: "" },
    };
}

/// A subject of this shape, after one of `after` and up to one of `until`.
pub const fn named(
    shape: NameShape,
    after: &'static [&'static str],
    until: &'static [char],
) -> Option<SubjectPosition> {
    Some(SubjectPosition { shape, after, until })
}

/// An example without an image.
pub const fn seen(text: &'static str, from: &'static str) -> Example {
    Example { text, image: "", from }
}

/// An example of a container with this image.
pub const fn seen_with(text: &'static str, image: &'static str, from: &'static str) -> Example {
    Example { text, image, from }
}
