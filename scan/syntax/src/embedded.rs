//! Files inside other files: a script in a manifest, a manifest that a script writes.

/// What kind of file is embedded in another file's text.
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
    /// A file name under which such a text is scanned.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Document => "embedded.yaml",
            Self::Script => "embedded.sh",
            Self::Dockerfile => "Dockerfile",
        }
    }
}
