//! Texts in other texts: a script in a manifest, a manifest that a script writes.

/// What a text in another file's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedded {
    /// YAML or JSON.
    Document,
    /// A shell script, or a unit of systemd.
    Script,
    /// A Dockerfile.
    Dockerfile,
}

impl Embedded {
    /// A name that a file of it would have.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Document => "embedded.yaml",
            Self::Script => "embedded.sh",
            Self::Dockerfile => "Dockerfile",
        }
    }
}
