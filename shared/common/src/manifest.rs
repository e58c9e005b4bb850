//! What a manifest refers to: an index names manifests, an image names its config and its layers.
//!
//! Reading is tolerant, because somebody else writes the manifest: fields that nothing here needs may be missing or
//! odd, and a manifest is recognised by its fields, not by its media type. What a copy relies on is not guessed: a
//! descriptor without a readable digest and size is an error. Sources: OCI Image Specification 1.1 (manifest,
//! image-index, descriptor); Docker Image Manifest V2, Schema 2.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reference::Digest;

/// The media type of an OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of a Docker manifest list, which is Docker's index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The media type of an OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of a Docker schema 2 image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The four media types that a request must accept, or a registry may convert the manifest and change its digest.
pub const ACCEPTED: [&str; 4] = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];

/// More values than any real manifest or config has. A few bytes of JSON can take a hundred in memory, so a limit on
/// the bytes is not enough.
const MOST_VALUES: usize = 100_000;
/// More descriptors than any image or index has.
const MOST_DESCRIPTORS: usize = 1000;
/// Larger than any blob that a registry takes, in bytes.
const LARGEST_BLOB: u64 = 1 << 40;

/// Parses the JSON of a manifest or a config, which somebody else has written.
///
/// # Errors
/// It is not JSON, or holds more values than any real document.
pub fn document(bytes: &[u8]) -> Result<Value, InvalidManifest> {
    if bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > MOST_VALUES {
        return Err(InvalidManifest::new(format!("it holds more than {MOST_VALUES} values")));
    }
    serde_json::from_slice(bytes).map_err(|error| InvalidManifest::new(format!("it is not JSON: {error}")))
}

/// An operating system and a processor, `os/architecture` with an optional `/variant`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    /// The operating system, such as `linux`.
    pub os: String,
    /// The processor architecture, such as `arm64`.
    pub architecture: String,
    /// The variant of the architecture, such as `v7`.
    pub variant: Option<String>,
}

impl Platform {
    /// Whether an image for `self` runs where `wanted` is asked for: a variant counts only if both name one.
    pub fn satisfies(&self, wanted: &Self) -> bool {
        let variant = match (&self.variant, &wanted.variant) {
            (Some(own), Some(wanted)) => own == wanted,
            (None, _) | (_, None) => true,
        };
        variant && self.os == wanted.os && self.architecture == wanted.architecture
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text =
            |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            os: text("os")?,
            architecture: text("architecture")?,
            variant: text("variant"),
        })
    }

    /// Whether this is the platform under which build tools attach attestations to an index. No machine has it.
    fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let parts: Vec<&str> = text.trim().split('/').collect();
        let owned = |part: &str| part.to_ascii_lowercase();
        match parts.as_slice() {
            parts if parts.iter().any(|part| part.is_empty()) => Err(InvalidPlatform(text.to_owned())),
            [os, architecture] => Ok(Self {
                os: owned(os),
                architecture: owned(architecture),
                variant: None,
            }),
            [os, architecture, variant] => Ok(Self {
                os: owned(os),
                architecture: owned(architecture),
                variant: Some(owned(variant)),
            }),
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    fn try_from(text: String) -> Result<Self, InvalidPlatform> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

/// A text that is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform: write os/architecture or os/architecture/variant, such as linux/arm64")]
pub struct InvalidPlatform(String);

/// What a manifest says of one thing it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The media type, empty where the manifest gives none.
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes.
    pub size: u64,
    /// Where a foreign layer can be downloaded instead.
    pub urls: Vec<String>,
    /// The platform, where an index gives one.
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Whether this is a layer that registries do not hold: it is downloaded from its own addresses (base layers of
    /// Windows).
    pub fn is_foreign(&self) -> bool {
        !self.urls.is_empty()
            && (self.media_type.contains(".foreign.") || self.media_type.contains(".nondistributable."))
    }
}

/// A manifest, by what it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// An image index or manifest list.
    Index {
        /// The manifests it lists, attestations among them.
        children: Vec<Descriptor>,
    },
    /// One image, or an artifact in an image's shape.
    Image {
        /// The config; absent in some artifacts.
        config: Option<Descriptor>,
        /// The layers, from the base up.
        layers: Vec<Descriptor>,
    },
}

impl Contents {
    /// Reads a manifest.
    ///
    /// # Errors
    /// It is not JSON, it is of Docker's schema 1, it refers to nothing, or a descriptor has no readable digest or
    /// size.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        let document = document(bytes)?;
        let list = |key: &'static str| document.get(key).and_then(Value::as_array);
        if let Some(children) = list("manifests") {
            return Ok(Self::Index { children: descriptors("manifests", children)? });
        }
        let config = document.get("config").filter(|config| config.is_object());
        if let Some(layers) = list("layers").or_else(|| list("blobs")) {
            let config = config.map(|config| descriptor("config", config)).transpose()?;
            return Ok(Self::Image { config, layers: descriptors("layers", layers)? });
        }
        if let Some(config) = config {
            return Ok(Self::Image {
                config: Some(descriptor("config", config)?),
                layers: Vec::new(),
            });
        }
        Err(InvalidManifest::new(if list("fsLayers").is_some() {
            "it is of Docker's schema 1, which registries have stopped serving by digest; rebuild or push the image \
             again"
        } else {
            "it lists neither manifests nor layers"
        }))
    }

    /// The platforms that an index offers, in its order, each once and without attestations. Empty for an image, whose
    /// platform is in its config: see [`platform_of_config`].
    pub fn platforms(&self) -> Vec<Platform> {
        let children = match self {
            Self::Index { children } => children.as_slice(),
            Self::Image { .. } => &[],
        };
        let mut platforms = Vec::new();
        for platform in children.iter().filter_map(|child| child.platform.as_ref()) {
            if !platform.is_unknown() && !platforms.contains(platform) {
                platforms.push(platform.clone());
            }
        }
        platforms
    }

    /// The blobs of an image that a registry holds, each digest once: the config, then the layers.
    pub fn blobs(&self) -> Vec<&Descriptor> {
        let (config, layers) = match self {
            Self::Index { .. } => return Vec::new(),
            Self::Image { config, layers } => (config, layers),
        };
        let mut blobs: Vec<&Descriptor> = Vec::with_capacity(layers.len() + 1);
        for blob in config.iter().chain(layers) {
            if !blob.is_foreign() && !blobs.iter().any(|seen| seen.digest == blob.digest) {
                blobs.push(blob);
            }
        }
        blobs
    }
}

/// The platform that an image's config names; `None` for the config of an artifact.
pub fn platform_of_config(bytes: &[u8]) -> Option<Platform> {
    Platform::from_json(&document(bytes).ok()?)
}

/// Bytes that are not a manifest, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the manifest cannot be read: {why}")]
pub struct InvalidManifest {
    why: String,
}

impl InvalidManifest {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

fn descriptors(field: &str, values: &[Value]) -> Result<Vec<Descriptor>, InvalidManifest> {
    if values.len() > MOST_DESCRIPTORS {
        return Err(InvalidManifest::new(format!(
            "{field} has {} entries, more than {MOST_DESCRIPTORS}",
            values.len()
        )));
    }
    values
        .iter()
        .enumerate()
        .map(|(index, value)| descriptor(&format!("{field}[{index}]"), value))
        .collect()
}

fn descriptor(field: &str, value: &Value) -> Result<Descriptor, InvalidManifest> {
    let fail = |why: String| InvalidManifest::new(format!("{field} {why}"));
    let digest = value.get("digest").and_then(Value::as_str).ok_or_else(|| fail("has no digest".to_owned()))?;
    let digest = digest
        .parse()
        .map_err(|_| fail(format!("has the digest `{}`, not one of SHA-256", digest.escape_debug())))?;
    let size = value.get("size").and_then(Value::as_u64).ok_or_else(|| fail("has no size".to_owned()))?;
    if size > LARGEST_BLOB {
        return Err(fail(format!("has the size {size}, more than {LARGEST_BLOB}")));
    }
    Ok(Descriptor {
        media_type: value.get("mediaType").and_then(Value::as_str).unwrap_or_default().to_owned(),
        digest,
        size,
        urls: value
            .get("urls")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        platform: value.get("platform").and_then(Platform::from_json),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(content: &str) -> Digest {
        Digest::of(content.as_bytes())
    }

    fn parse(document: &Value) -> Result<Contents, String> {
        Contents::parse(document.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    fn child(name: &str, os: &str, architecture: &str) -> Value {
        json!({"mediaType": OCI_MANIFEST, "digest": digest(name), "size": 7, "platform": {"os": os, "architecture": architecture}})
    }

    #[test]
    fn an_index_offers_its_platforms_without_attestations() {
        let index = json!({
            "schemaVersion": 2,
            "manifests": [
                child("a", "linux", "amd64"),
                {"digest": digest("b"), "size": 8, "platform": {"os": "linux", "architecture": "arm", "variant": "v7", "os.features": 3}},
                child("c", "unknown", "unknown"),
                {"digest": digest("d"), "size": 9},
            ],
        });
        let contents = parse(&index).unwrap();
        let platforms: Vec<String> = contents.platforms().iter().map(Platform::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm/v7"]);
        assert!(matches!(&contents, Contents::Index { children } if children.len() == 4));
        assert!(contents.blobs().is_empty());
    }

    #[test]
    fn an_image_names_each_blob_once_and_leaves_foreign_layers_out() {
        let layer = |name: &str, media_type: &str| json!({"mediaType": media_type, "digest": digest(name), "size": 3});
        let mut foreign = layer("w", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        foreign["urls"] = json!(["https://example.com/w"]);
        let image = json!({
            "mediaType": DOCKER_MANIFEST,
            "config": layer("config", "application/vnd.docker.container.image.v1+json"),
            "layers": [foreign, layer("a", "x/unknown+zstd"), layer("b", ""), layer("a", "x/unknown+zstd")],
        });
        let contents = parse(&image).unwrap();
        let blobs: Vec<&Digest> = contents.blobs().iter().map(|blob| &blob.digest).collect();
        assert_eq!(blobs, [&digest("config"), &digest("a"), &digest("b")]);
    }

    #[test]
    fn what_a_copy_relies_on_is_not_guessed() {
        for (document, why) in [
            (json!({"manifests": [{"size": 1}]}), "manifests[0] has no digest"),
            (
                json!({"manifests": [{"digest": format!("sha512:{}", "0".repeat(128)), "size": 1}]}),
                "not one of SHA-256",
            ),
            (json!({"layers": [{"digest": digest("a"), "size": -1}]}), "layers[0] has no size"),
            (
                json!({"layers": [{"digest": digest("a"), "size": u64::MAX}]}),
                "layers[0] has the size 18446744073709551615",
            ),
            (json!({"layers": vec![json!({"digest": digest("a"), "size": 1}); 1001]}), "layers has 1001 entries"),
            (json!({"manifests": [], "x": vec![0; 100_001]}), "more than 100000 values"),
            (json!({"schemaVersion": 1, "fsLayers": []}), "schema 1"),
            (json!({"hello": "world"}), "neither manifests nor layers"),
        ] {
            let error = parse(&document).unwrap_err();
            assert!(error.contains(why), "{document}: {error}");
        }
        assert!(Contents::parse(b"<html>").unwrap_err().to_string().contains("not JSON"));
    }

    #[test]
    fn a_platform_reads_what_it_writes() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for text in ["linux", "", "linux/", "a/b/c/d"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        assert!(platform("linux/arm64/v8").satisfies(&platform("linux/arm64")));
        assert!(platform("linux/arm64").satisfies(&platform("linux/arm64/v8")));
        assert!(!platform("linux/arm/v6").satisfies(&platform("linux/arm/v7")));
        assert!(!platform("linux/amd64").satisfies(&platform("linux/arm64")));
    }

    #[test]
    fn the_platform_of_an_image_is_in_its_config() {
        let config = json!({"os": "linux", "architecture": "arm64", "variant": "", "rootfs": {}});
        assert_eq!(platform_of_config(config.to_string().as_bytes()).unwrap().to_string(), "linux/arm64");
        assert_eq!(platform_of_config(b"{}"), None);
    }
}
