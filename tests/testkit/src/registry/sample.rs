//! Images for tests: small or large, for one or several platforms, with or without attestations. The same description
//! always gives the same image.

use bytes::Bytes;
use pullsafe::reference::Digest;
use serde_json::{Value, json};

use super::blob::Blob;
use super::manifest::media_type;
use super::mutability::Mutability;
use super::store::ImageStore;

/// The description of an image, built step by step.
#[derive(Debug, Clone)]
pub struct Sample {
    seed: u64,
    platforms: Vec<String>,
    layer_sizes: Vec<u64>,
    base: Option<(u64, u64)>,
    index: bool,
    docker: bool,
    attestations: bool,
}

/// A complete image: everything that a registry has to store to serve it.
#[derive(Debug, Clone)]
pub struct SampleImage {
    /// What a tag points to: the index, or the manifest of an image without an index.
    pub top: SampleManifest,
    /// The manifests that the index names, in its order.
    pub children: Vec<SampleManifest>,
    /// All blobs, without duplicates.
    pub blobs: Vec<Blob>,
}

/// One manifest of a sample image.
#[derive(Debug, Clone)]
pub struct SampleManifest {
    pub digest: Digest,
    pub media_type: String,
    pub bytes: Bytes,
    /// `os/architecture[/variant]` as the index names it; `unknown/unknown` for an attestation, `None` for an index.
    pub platform: Option<String>,
    /// The blobs that the manifest names, the configuration first.
    pub blobs: Vec<Digest>,
}

impl Sample {
    /// An OCI image manifest for linux/amd64 with two small layers, without an index.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            platforms: vec!["linux/amd64".to_owned()],
            layer_sizes: vec![1024, 4096],
            base: None,
            index: false,
            docker: false,
            attestations: false,
        }
    }

    /// Like [`Sample::new`], but an index of linux/amd64 and linux/arm64 with attestations, as BuildKit pushes it.
    pub fn multi_arch(seed: u64) -> Self {
        Self::new(seed).platforms(&["linux/amd64", "linux/arm64/v8"]).attestations()
    }

    /// One manifest for each of these platforms, under an index.
    pub fn platforms(mut self, platforms: &[&str]) -> Self {
        self.platforms = platforms.iter().map(|&platform| platform.to_owned()).collect();
        self.index = true;
        self
    }

    /// Gives each platform layers of these sizes.
    pub fn layers(mut self, sizes: &[u64]) -> Self {
        self.layer_sizes = sizes.to_vec();
        self
    }

    /// Adds a first layer of this size, which all images with the same base seed share.
    pub fn base(mut self, seed: u64, size: u64) -> Self {
        self.base = Some((seed, size));
        self
    }

    /// Uses Docker's media types instead of OCI's.
    pub fn docker(mut self) -> Self {
        self.docker = true;
        self
    }

    /// Adds one attestation manifest for each platform, as BuildKit does.
    pub fn attestations(mut self) -> Self {
        self.attestations = true;
        self.index = true;
        self
    }

    /// Builds the image.
    pub fn build(&self) -> SampleImage {
        let mut blobs = Vec::new();
        let manifests: Vec<_> =
            self.platforms.iter().zip(0..).map(|(platform, n)| self.manifest(platform, n, &mut blobs)).collect();
        let attestations: Vec<_> = manifests
            .iter()
            .filter(|_| self.attestations)
            .map(|about| self.attestation(about, &mut blobs))
            .collect();
        blobs.sort_by(|a: &Blob, b| a.digest().cmp(b.digest()));
        blobs.dedup_by(|a, b| a.digest() == b.digest());
        if !self.index {
            let top = manifests.into_iter().next().expect("a sample without an index has one platform");
            return SampleImage { top, children: Vec::new(), blobs };
        }
        let entries: Vec<Value> = manifests.iter().map(|manifest| entry(manifest, None)).collect();
        let about = manifests
            .iter()
            .zip(&attestations)
            .map(|(about, attestation)| entry(attestation, Some(&about.digest)));
        let media_type = if self.docker { media_type::DOCKER_LIST } else { media_type::OCI_INDEX };
        let entries: Vec<Value> = entries.into_iter().chain(about).collect();
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries});
        let top = SampleManifest::new(media_type, &index, None, Vec::new());
        SampleImage {
            top,
            children: manifests.into_iter().chain(attestations).collect(),
            blobs,
        }
    }

    fn manifest(&self, platform: &str, number: u64, blobs: &mut Vec<Blob>) -> SampleManifest {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(number * 1009);
        let own = self.layer_sizes.iter().zip(1..).map(|(&size, layer)| Blob::generated(seed + layer, size));
        let layers: Vec<Blob> =
            self.base.map(|(seed, size)| Blob::generated(seed, size)).into_iter().chain(own).collect();
        let config = json!({
            "created": "2026-01-02T03:04:05Z",
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": ["/app"], "Labels": {"sample": self.seed.to_string()}},
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| layer.digest().as_str()).collect::<Vec<_>>()},
        });
        let config = Blob::of(merged(platform_json(platform), config).to_string());
        let (manifest_type, config_type, layer_type) = if self.docker {
            (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG, media_type::DOCKER_LAYER)
        } else {
            (media_type::OCI_MANIFEST, media_type::OCI_CONFIG, media_type::OCI_LAYER)
        };
        let json = image_manifest(manifest_type, &config, config_type, &layers, layer_type);
        let named = std::iter::once(&config).chain(&layers).map(|blob| blob.digest().clone()).collect();
        blobs.push(config);
        blobs.extend(layers);
        SampleManifest::new(manifest_type, &json, Some(platform), named)
    }

    fn attestation(&self, about: &SampleManifest, blobs: &mut Vec<Blob>) -> SampleManifest {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": "sample", "digest": {"sha256": about.digest.as_str().trim_start_matches("sha256:")}}],
        });
        let statement = Blob::of(statement.to_string());
        let config = json!({"rootfs": {"type": "layers", "diff_ids": [statement.digest().as_str()]}});
        let config = Blob::of(merged(platform_json("unknown/unknown"), config).to_string());
        let statements = [statement];
        let json =
            image_manifest(media_type::OCI_MANIFEST, &config, media_type::OCI_CONFIG, &statements, media_type::IN_TOTO);
        let named = std::iter::once(&config).chain(&statements).map(|blob| blob.digest().clone()).collect();
        blobs.push(config);
        blobs.extend(statements);
        SampleManifest::new(media_type::OCI_MANIFEST, &json, Some("unknown/unknown"), named)
    }
}

impl SampleManifest {
    fn new(media_type: &str, json: &Value, platform: Option<&str>, blobs: Vec<Digest>) -> Self {
        // Indented, as registries store them: a client that parses and prints a manifest again changes its digest.
        let bytes = Bytes::from(format!("{json:#}"));
        let digest = Digest::of(&bytes);
        Self {
            digest,
            media_type: media_type.to_owned(),
            bytes,
            platform: platform.map(str::to_owned),
            blobs,
        }
    }
}

impl SampleImage {
    /// What a tag of this image points to.
    pub fn digest(&self) -> &Digest {
        &self.top.digest
    }

    /// The bytes of all blobs together.
    pub fn size(&self) -> u64 {
        self.blobs.iter().map(Blob::size).sum()
    }

    /// The children that are images, not attestations.
    pub fn images(&self) -> impl Iterator<Item = &SampleManifest> {
        self.children.iter().filter(|child| child.platform.as_deref() != Some("unknown/unknown"))
    }

    /// Pushes the image under a tag, straight into the store without a server. Creates the repository if it does not
    /// exist.
    ///
    /// # Panics
    /// If the store refuses the image, as it does if the tag is immutable and exists.
    pub fn push(&self, store: &ImageStore, repository: &str, tag: &str) {
        store.create_repository(repository, Mutability::Mutable);
        for blob in &self.blobs {
            store.put_blob(repository, blob.clone());
        }
        let children = self.children.iter().map(|child| (child, child.digest.as_str()));
        for (manifest, reference) in children.chain([(&self.top, tag)]) {
            let pushed = store.push(repository, Some(reference), manifest.bytes.clone(), Some(&manifest.media_type));
            pushed.unwrap_or_else(|error| panic!("{repository}:{tag} is refused: {error:?}"));
        }
    }
}

fn image_manifest(media_type: &str, config: &Blob, config_type: &str, layers: &[Blob], layer_type: &str) -> Value {
    let descriptor =
        |blob: &Blob, media_type: &str| json!({"mediaType": media_type, "digest": blob.digest(), "size": blob.size()});
    let layers: Vec<Value> = layers.iter().map(|layer| descriptor(layer, layer_type)).collect();
    json!({"schemaVersion": 2, "mediaType": media_type, "config": descriptor(config, config_type), "layers": layers})
}

fn entry(manifest: &SampleManifest, attests: Option<&Digest>) -> Value {
    let platform = platform_json(manifest.platform.as_deref().unwrap_or_default());
    let mut entry = json!({
        "mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.bytes.len(), "platform": platform,
    });
    if let Some(digest) = attests {
        entry["annotations"] =
            json!({"vnd.docker.reference.digest": digest, "vnd.docker.reference.type": "attestation-manifest"});
    }
    entry
}

fn platform_json(platform: &str) -> Value {
    let mut parts = platform.splitn(3, '/');
    let (os, architecture) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut json = json!({"architecture": architecture, "os": os});
    if let Some(variant) = parts.next() {
        json["variant"] = variant.into();
    }
    json
}

/// The fields of both objects, those of the first one in front.
fn merged(mut first: Value, second: Value) -> Value {
    if let (Value::Object(first), Value::Object(second)) = (&mut first, second) {
        first.extend(second);
    }
    first
}
