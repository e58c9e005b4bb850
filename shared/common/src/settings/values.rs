//! Values that the settings of several functions have.

/// How messages for people are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageFormat {
    /// Plain text.
    Text,
    /// The custom-notification schema of Amazon Q in chat applications.
    Chatbot,
}

/// Where the mirror is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorLocation {
    /// Host of the registry.
    pub registry: String,
    /// First part of the repository names.
    pub prefix: String,
}
