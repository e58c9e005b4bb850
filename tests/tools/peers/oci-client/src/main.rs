//! Copies images with the crate `oci-client`, as somebody who knows it would. Indexes keep their own bytes, what the
//! target already has is left out, and blobs are streamed. Images, children and blobs are copied at the same time.
//!
//! Reads a source and a target from each line of standard input, and the target's user name and password from
//! `PEER_USER` and `PEER_PASSWORD`. Everything goes over plain HTTP, or over TLS where `PEER_TLS` is set.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, try_join_all};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciManifest,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use tokio::sync::OnceCell;

/// As many images at a time as crane is told to copy.
const IMAGES_AT_ONCE: usize = 8;
/// The crate's own number for an image's layers.
const BLOBS_AT_ONCE: usize = 16;
const ACCEPTED: [&str; 4] = [OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE];

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    // One PUT for a blob whose size is known. The default is chunks by PATCH, which ECR does not accept as specified.
    let protocol = if std::env::var_os("PEER_TLS").is_some() { ClientProtocol::Https } else { ClientProtocol::Http };
    let config = ClientConfig { protocol, use_monolithic_push: true, ..ClientConfig::default() };
    let copier = Copier {
        client: Client::new(config),
        password: RegistryAuth::Basic(std::env::var("PEER_USER")?, std::env::var("PEER_PASSWORD")?),
        blobs: Mutex::default(),
    };
    let images = std::io::read_to_string(std::io::stdin())?;
    let images: Result<Vec<(Reference, Reference)>> = images
        .lines()
        .map(|line| {
            let (source, target) = line.split_once(' ').ok_or("write a source, a space and a target on each line")?;
            Ok((source.parse()?, target.parse()?))
        })
        .collect();
    stream::iter(images?).map(|(source, target)| copier.image(source, target)).buffer_unordered(IMAGES_AT_ONCE).try_collect().await
}

/// A repository at the target, and a digest.
type Place = (String, String);

struct Copier {
    client: Client,
    password: RegistryAuth,
    /// The blobs seen so far: images share layers, and each layer goes to a repository once.
    blobs: Mutex<HashMap<Place, Arc<OnceCell<()>>>>,
}

impl Copier {
    /// Copies a tag, unless the target's tag already has the same digest.
    async fn image(&self, source: Reference, target: Reference) -> Result<()> {
        let wanted = self.client.fetch_manifest_digest(&source, &RegistryAuth::Anonymous).await?;
        let current = self.client.fetch_manifest_digest(&target, &self.password).await;
        if current.is_ok_and(|current| current == wanted) {
            return Ok(());
        }
        self.manifest(source.clone_with_digest(wanted), target).await
    }

    /// Copies a manifest, after everything that it refers to.
    fn manifest(&self, source: Reference, target: Reference) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let (bytes, _) = self.client.pull_manifest_raw(&source, &RegistryAuth::Anonymous, &ACCEPTED).await?;
            let manifest = serde_json::from_slice::<OciManifest>(&bytes)?;
            match &manifest {
                OciManifest::ImageIndex(index) => {
                    let child = |digest: &String| (source.clone_with_digest(digest.clone()), target.clone_with_digest(digest.clone()));
                    let children = index.manifests.iter().map(|entry| child(&entry.digest));
                    try_join_all(children.map(|(source, target)| self.manifest(source, target))).await?;
                }
                OciManifest::Image(image) => {
                    let blobs = image.layers.iter().chain([&image.config]);
                    let copies = stream::iter(blobs).map(|blob| self.blob(&source, &target, blob)).boxed();
                    copies.buffer_unordered(BLOBS_AT_ONCE).try_collect::<()>().await?;
                }
            }
            let content_type = http::HeaderValue::from_str(manifest.content_type())?;
            self.client.push_manifest_raw(&target, bytes, content_type).await?;
            Ok(())
        })
    }

    /// Copies a blob once, however many images have it.
    async fn blob(&self, source: &Reference, target: &Reference, blob: &OciDescriptor) -> Result<()> {
        let key = (target.repository().to_owned(), blob.digest.clone());
        let cell = Arc::clone(self.blobs.lock().map_err(|_| "another copy has panicked")?.entry(key).or_default());
        cell.get_or_try_init(|| self.missing_blob(source, target, blob)).await?;
        Ok(())
    }

    /// Copies a blob, unless the target has it.
    async fn missing_blob(&self, source: &Reference, target: &Reference, blob: &OciDescriptor) -> Result<()> {
        if self.client.blob_exists(target, &blob.digest).await? {
            return Ok(());
        }
        let content = self.client.pull_blob_stream(source, blob).await?;
        let size = u64::try_from(blob.size)?;
        let content = content.map_err(OciDistributionError::IoError);
        self.client.push_blob_stream(target, content, &blob.digest, Some(size)).await?;
        Ok(())
    }
}
