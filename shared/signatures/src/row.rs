//! One signature: what a text must contain to mean a cause.
//!
//! Rows are data. Adding a stop signature is adding one row; its own example is its test. The first row that
//! matches decides, so within a table the particular stands before the general.

use crate::cause::{Cause, Confidence, Kind, Phase, Signature, Why};
use crate::chain::Tell;
use crate::registries::ErrorMeaning;
use crate::shape::NameShape;
use pullsafe::reference::Registry;

/// A real text that a row stands for, and where it is from.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The text as it was seen.
    pub text: &'static str,
    /// The image of the container, where the task definition named one; empty where it did not.
    pub image: &'static str,
    /// Who writes this text, or where it was seen.
    pub from: &'static str,
}

/// Where in a text its subject stands: the module, the variable, the missing action.
#[derive(Debug, Clone, Copy)]
pub struct SubjectPosition {
    /// What it must look like.
    pub shape: NameShape,
    /// The subject begins behind the first of these that occurs with something of that shape behind it.
    pub after: &'static [&'static str],
    /// It ends before the first of these characters, or with the text; behind a quote it ends with the same quote.
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
    /// Whether this is what a link tells.
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
    /// What it means.
    pub cause: Cause,
    /// The registry that only this text comes from; used where no host is known.
    pub registry: Option<Registry>,
    /// The kind of the cause.
    pub kind: Option<Kind>,
    /// Why.
    pub why: Option<Why>,
    /// The phase of the pull.
    pub phase: Option<Phase>,
    /// The crash signature, for rows of logs.
    pub signature: Option<Signature>,
    /// Whether the pull was anonymous.
    pub anonymous: Option<bool>,
    /// The text must contain one phrase of each group. Case does not matter. `^` at the head of a phrase means the
    /// start of the text, `$` at its tail the end.
    pub all: &'static [&'static [&'static str]],
    /// For rows that decide on a chain instead of phrases: the last answer must be one of these.
    pub reads: &'static [Reads],
    /// Its phrases only say where something failed: what an answer at the end of the chain tells is more exact.
    pub yields: bool,
    /// The image must be pinned to a digest beside its tag (`tag@sha256:...`).
    pub pinned: bool,
    /// The text must contain none of these.
    pub none: &'static [&'static str],
    /// The registry must be one of these; empty means any, known or not.
    pub hosts: &'static [Registry],
    /// The registry must be one of `hosts` or unknown, rather than known to be one of them.
    pub or_unknown_host: bool,
    /// A further condition on the text, where phrases cannot express it.
    pub also: Option<fn(&str) -> bool>,
    /// The image must be an official one of Docker Hub (`library/...`).
    pub official_image: bool,
    /// Texts that mean something else and begin alike: if the text ends inside one of them, it was cut too early.
    pub cut_inside: &'static [&'static str],
    /// Between lines of a log the greater weight decides: 1 = that something failed, 2 = what, 3 = what exactly.
    pub weight: u8,
    /// How far to rely on it.
    pub confidence: Confidence,
    /// What would settle it, where it is ambiguous.
    pub settled_by: Option<&'static str>,
    /// Where its subject stands.
    pub subject: Option<SubjectPosition>,
    /// What to do; `{image}` and other names in braces are filled in (see `advice.rs`).
    pub advice: &'static str,
    /// The text that it was written for.
    pub example: Example,
}

impl SignatureRow {
    /// A row that says nothing yet; tables fill in what they need.
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

/// A subject of this shape, behind one of these and before one of those.
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
