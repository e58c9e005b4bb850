//! Docker Hub's stand-in, and what it takes to fill it: Debian's docker-registry on a free port; where it cannot be
//! had, this project's own registry in this process.

use std::fs;
use std::path::Path;

use http::Method;
use pullsafe::timestamp::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::http::EmulatorHttp;
use super::process::{ChildProcess, command, free_port};
use super::tools::folder;
use super::{Result, WhatWasTried as _, ensure};
use testkit::clock::VirtualClock;
use testkit::registry::{HubOptions, ImageStore, RegistryServer, Sample};

/// A running registry.
#[derive(Debug)]
pub struct Hub {
    endpoint: String,
    http: EmulatorHttp,
    kind: HubKind,
}

#[derive(Debug)]
enum HubKind {
    /// A program that others have written, and open to everybody.
    DockerRegistry(ChildProcess),
    /// Our own, which plays Docker Hub's tokens and quota too.
    InProcess(RegistryServer),
}

impl Hub {
    /// Starts docker-registry, empty.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(program: &Path) -> Result<Self> {
        let (port, http) = (free_port()?, EmulatorHttp::default());
        let storage = folder().join("docker-registry-storage");
        if storage.exists() {
            fs::remove_dir_all(&storage).context("empty the registry")?;
        }
        let config = folder().join("docker-registry.yml");
        let lines = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: false}}}}\nstorage: {{filesystem: {{rootdirectory: \
             '{}'}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            storage.display()
        );
        fs::write(&config, lines).context("configure the registry")?;
        let mut command = command(program);
        command.arg("serve").arg(&config).env("OTEL_TRACES_EXPORTER", "none");
        let mut process = ChildProcess::start("the registry", &mut command, &folder().join("docker-registry.log"))?;
        let endpoint = format!("http://127.0.0.1:{port}");
        process.until_it_answers(&http, &format!("{endpoint}/v2/")).await?;
        Ok(Self { endpoint, http, kind: HubKind::DockerRegistry(process) })
    }

    /// Starts the registry of this process, empty.
    pub fn in_process() -> Self {
        let store = ImageStore::new(VirtualClock::at(Timestamp::from_millis(1_768_504_620_000)));
        let server = RegistryServer::hub(&store, HubOptions::default());
        Self {
            endpoint: server.url().to_owned(),
            http: EmulatorHttp::default(),
            kind: HubKind::InProcess(server),
        }
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Every request for a manifest of a repository that anybody made: the method, and the tag or digest.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn manifest_requests(&self, repository: &str) -> Result<Vec<(String, String)>> {
        let prefix = format!("/v2/{repository}/manifests/");
        Ok(match &self.kind {
            HubKind::DockerRegistry(process) => {
                let log = fs::read_to_string(process.log()).context("read the registry's log")?;
                log.lines().filter_map(|line| requested(line, &prefix)).collect()
            }
            HubKind::InProcess(server) => {
                let named = |path: &str| path.strip_prefix(&prefix).map(str::to_owned);
                server
                    .log()
                    .iter()
                    .filter_map(|access| Some((access.method.to_string(), named(&access.path)?)))
                    .collect()
            }
        })
    }

    /// Pushes an image of one small layer for linux/amd64 and returns its digest.
    ///
    /// # Errors
    /// If the registry refuses.
    pub async fn push(&self, repository: &str, tag: &str) -> Result<String> {
        match &self.kind {
            HubKind::DockerRegistry(_) => push(&self.http, &self.endpoint, &[], repository, tag).await,
            // Past its server: only owners may push to Docker Hub.
            HubKind::InProcess(server) => {
                let image = Sample::new(1).build();
                image.push(server.store(), repository, tag);
                Ok(image.top.digest.to_string())
            }
        }
    }
}

/// Method and last part of a request for a manifest, from a line of the access log (`... "GET /v2/... HTTP/1.1" ...`).
fn requested(line: &str, prefix: &str) -> Option<(String, String)> {
    let mut words = line.split('"').find(|part| part.contains(" HTTP/1."))?.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    Some((method.to_owned(), path.strip_prefix(prefix)?.to_owned()))
}

/// Pushes an image of one small layer for linux/amd64 to any registry and returns its digest.
///
/// # Errors
/// If the registry refuses.
pub async fn push(
    http: &EmulatorHttp,
    endpoint: &str,
    headers: &[(&str, &str)],
    repository: &str,
    tag: &str,
) -> Result<String> {
    let manifest = push_blobs(http, endpoint, headers, repository, tag).await?;
    push_manifest(http, endpoint, headers, repository, tag, MANIFEST, manifest).await
}

/// Pushes such an image with an index around it, as build tools do, and returns the index's digest.
///
/// # Errors
/// If the registry refuses.
pub async fn push_index(
    http: &EmulatorHttp,
    endpoint: &str,
    headers: &[(&str, &str)],
    repository: &str,
    tag: &str,
) -> Result<String> {
    let manifest = push_blobs(http, endpoint, headers, repository, tag).await?;
    let (child, size) = (digest(&manifest), manifest.len());
    push_manifest(http, endpoint, headers, repository, &child, MANIFEST, manifest).await?;
    let platform = json!({"os": "linux", "architecture": "amd64"});
    let manifests = json!([{"mediaType": MANIFEST, "digest": child, "size": size, "platform": platform}]);
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string().into_bytes();
    push_manifest(http, endpoint, headers, repository, tag, INDEX, index).await
}

/// Pushes layer and config of an image; returns its manifest.
async fn push_blobs(
    http: &EmulatorHttp,
    endpoint: &str,
    headers: &[(&str, &str)],
    repository: &str,
    tag: &str,
) -> Result<Vec<u8>> {
    let layer = format!("the only layer of {repository}:{tag}\n").into_bytes();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let config = config.to_string().into_bytes();
    let descriptor =
        |media_type: &str, blob: &[u8]| json!({"mediaType": media_type, "digest": digest(blob), "size": blob.len()});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    for blob in [layer, config] {
        let started = http
            .expect(Method::POST, &format!("{endpoint}/v2/{repository}/blobs/uploads/"), headers, Vec::new())
            .await?;
        let location = started.header("location");
        let location = if location.starts_with('/') {
            format!("{endpoint}{location}")
        } else {
            location.to_owned()
        };
        let separator = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{separator}digest={}", digest(&blob));
        http.expect(Method::PUT, &url, &with(headers, "application/octet-stream"), blob).await?;
    }
    Ok(manifest.to_string().into_bytes())
}

async fn push_manifest(
    http: &EmulatorHttp,
    endpoint: &str,
    headers: &[(&str, &str)],
    repository: &str,
    reference: &str,
    media_type: &str,
    manifest: Vec<u8>,
) -> Result<String> {
    let expected = digest(&manifest);
    let url = format!("{endpoint}/v2/{repository}/manifests/{reference}");
    let stored = http.expect(Method::PUT, &url, &with(headers, media_type), manifest).await?;
    ensure(stored.header("docker-content-digest") == expected, "the registry computed another digest")?;
    Ok(expected)
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn with<'a>(headers: &[(&'a str, &'a str)], content_type: &'a str) -> Vec<(&'a str, &'a str)> {
    headers.iter().copied().chain([("content-type", content_type)]).collect()
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
