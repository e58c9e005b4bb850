//! Docker Hub's stand-in: Debian's docker-registry on a free port, and what it takes to fill it.

use std::fs;
use std::path::Path;

use http::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::http::Http;
use super::process::{Process, command, free_port};
use super::tools::folder;
use super::{Context as _, Result, ensure};

/// A running registry.
#[derive(Debug)]
pub struct Hub {
    endpoint: String,
    http: Http,
    process: Process,
}

impl Hub {
    /// Starts it, empty.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(program: &Path) -> Result<Self> {
        let (port, http) = (free_port()?, Http::default());
        let storage = folder().join("docker-registry-storage");
        if storage.exists() {
            fs::remove_dir_all(&storage).context("empty the registry")?;
        }
        let config = folder().join("docker-registry.yml");
        let lines = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: false}}}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            storage.display()
        );
        fs::write(&config, lines).context("configure the registry")?;
        let mut command = command(program);
        command.arg("serve").arg(&config).env("OTEL_TRACES_EXPORTER", "none");
        let mut process = Process::start("the registry", &mut command, &folder().join("docker-registry.log"))?;
        let endpoint = format!("http://127.0.0.1:{port}");
        process.until_it_answers(&http, &format!("{endpoint}/v2/")).await?;
        Ok(Self { endpoint, http, process })
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its access log: every request that anybody made.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn requests(&self) -> Result<Vec<String>> {
        let log = fs::read_to_string(self.process.log()).context("read the registry's log")?;
        Ok(log.lines().filter(|line| line.contains("HTTP/1.1")).map(str::to_owned).collect())
    }

    /// Pushes an image of one small layer for linux/amd64 and returns its digest.
    ///
    /// # Errors
    /// If the registry refuses.
    pub async fn push(&self, repository: &str, tag: &str) -> Result<String> {
        push(&self.http, &self.endpoint, &[], repository, tag).await
    }
}

/// Pushes an image of one small layer for linux/amd64 to any registry and returns its digest.
///
/// # Errors
/// If the registry refuses.
pub async fn push(http: &Http, endpoint: &str, headers: &[(&str, &str)], repository: &str, tag: &str) -> Result<String> {
    let layer = format!("the only layer of {repository}:{tag}\n").into_bytes();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let config = config.to_string().into_bytes();
    let descriptor = |media_type: &str, blob: &[u8]| json!({"mediaType": media_type, "digest": digest(blob), "size": blob.len()});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    for blob in [layer, config] {
        let started = http.expect(Method::POST, &format!("{endpoint}/v2/{repository}/blobs/uploads/"), headers, Vec::new()).await?;
        let location = started.header("location");
        let location = if location.starts_with('/') { format!("{endpoint}{location}") } else { location.to_owned() };
        let separator = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{separator}digest={}", digest(&blob));
        http.expect(Method::PUT, &url, &with(headers, "application/octet-stream"), blob).await?;
    }
    let manifest = manifest.to_string().into_bytes();
    let expected = digest(&manifest);
    let url = format!("{endpoint}/v2/{repository}/manifests/{tag}");
    let stored = http.expect(Method::PUT, &url, &with(headers, MANIFEST), manifest).await?;
    ensure(stored.header("docker-content-digest") == expected, "the registry computed another digest")?;
    Ok(expected)
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn with<'a>(headers: &[(&'a str, &'a str)], content_type: &'a str) -> Vec<(&'a str, &'a str)> {
    headers.iter().copied().chain([("content-type", content_type)]).collect()
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
