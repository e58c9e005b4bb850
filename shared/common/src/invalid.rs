//! The error for a text that is not an image reference, or not a digest.

/// A text that is not an image reference, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {why}")]
pub struct InvalidReference {
    text: String,
    pub(crate) why: &'static str,
}

impl InvalidReference {
    pub(crate) fn new(text: &str, why: &'static str) -> Self {
        Self { text: text.chars().take(300).collect(), why }
    }
}
