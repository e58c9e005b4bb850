//! What a registry reads in a manifest: its media type and what it refers to.

use pullsafe::reference::Digest;
use serde_json::Value;

/// The media types of manifests, configurations and layers.
pub mod media_type {
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A compressed OCI layer.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest (schema 2).
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A compressed Docker layer.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// An in-toto statement, the layer of a BuildKit attestation.
    pub const IN_TOTO: &str = "application/vnd.in-toto+json";
}

/// A reference from one manifest to a blob or to another manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDescriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    /// The platform, as JSON.
    pub platform: Option<Value>,
    /// Whether the content is stored elsewhere (`urls`), so that the registry need not have it.
    pub foreign: bool,
}

/// What a manifest is and what it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestLinks {
    /// The manifest's own media type.
    pub media_type: String,
    /// The manifests that an index names.
    pub children: Vec<StoredDescriptor>,
    /// The configuration of an image manifest.
    pub config: Option<StoredDescriptor>,
    /// The layers of an image manifest.
    pub layers: Vec<StoredDescriptor>,
    /// The manifest that this one is attached to.
    pub subject: Option<Digest>,
    pub artifact_type: Option<String>,
}

impl ManifestLinks {
    /// Reads a manifest. A content type from the request wins over the manifest's own `mediaType` field.
    ///
    /// # Errors
    /// Why the bytes are not a manifest of a kind in use.
    pub fn read(manifest: &[u8], content_type: Option<&str>) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(manifest).map_err(|error| format!("not JSON: {error}"))?;
        let index = json.get("manifests").is_some();
        let guess = if index { media_type::OCI_INDEX } else { media_type::OCI_MANIFEST };
        let media_type = content_type.or(json["mediaType"].as_str()).unwrap_or(guess).to_owned();
        if !index && json.get("config").is_none() {
            return Err("neither an index nor an image manifest".to_owned());
        }
        let subject = json.get("subject").filter(|subject| !subject.is_null()).map(descriptor).transpose()?;
        Ok(Self {
            media_type,
            children: descriptors(&json["manifests"])?,
            config: if index { None } else { Some(descriptor(&json["config"])?) },
            layers: descriptors(&json["layers"])?,
            subject: subject.map(|subject| subject.digest),
            artifact_type: json["artifactType"].as_str().map(str::to_owned),
        })
    }

    /// Every blob that the registry must have before it accepts the manifest.
    pub fn blobs(&self) -> impl Iterator<Item = &StoredDescriptor> {
        self.config.iter().chain(&self.layers).filter(|descriptor| !descriptor.foreign)
    }

    /// Whether this is an index rather than an image manifest.
    pub fn is_index(&self) -> bool {
        self.config.is_none()
    }
}

fn descriptors(list: &Value) -> Result<Vec<StoredDescriptor>, String> {
    list.as_array().map(|list| list.iter().map(descriptor).collect()).unwrap_or_else(|| Ok(Vec::new()))
}

fn descriptor(json: &Value) -> Result<StoredDescriptor, String> {
    let digest = json["digest"].as_str().ok_or("a descriptor without a digest")?;
    Ok(StoredDescriptor {
        media_type: json["mediaType"].as_str().unwrap_or_default().to_owned(),
        digest: digest.parse().map_err(|_| format!("`{digest}` is not a digest"))?,
        size: json["size"].as_u64().ok_or("a descriptor without a size")?,
        platform: json.get("platform").cloned(),
        foreign: json["urls"].as_array().is_some_and(|urls| !urls.is_empty()),
    })
}
