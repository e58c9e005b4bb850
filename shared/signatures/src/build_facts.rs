//! What a build pulls (the images of its `FROM` lines), and where it runs.

use serde::{Deserialize, Serialize};

/// An image that a build starts from, as its log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseImage {
    /// The image as the log writes it.
    pub image: String,
    /// The flags of its `FROM` line, such as `--platform=linux/amd64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// The name of its stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}

impl BaseImage {
    /// Writes the `FROM` line with this image in place of its own.
    pub fn line(&self, image: &str) -> String {
        let flags = self.flags.as_ref().map(|flags| format!("{flags} ")).unwrap_or_default();
        let stage = self.stage.as_ref().map(|stage| format!(" AS {stage}")).unwrap_or_default();
        format!("FROM {flags}{image}{stage}")
    }
}

/// What is known of a build in which a pull failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildFacts {
    /// The images that it starts from, where its log shows them.
    pub bases: Vec<BaseImage>,
    /// The platform that it runs on, as `os/architecture` in OCI's words.
    pub platform: String,
    /// Whether the image that failed is the project's own environment, which no `FROM` line names.
    pub of_environment: bool,
}
