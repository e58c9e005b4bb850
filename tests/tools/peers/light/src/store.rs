//! What a registry holds: images from a folder, and the digests and sizes of uploads. It checks nothing that it is
//! sent.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

#[derive(Clone)]
pub struct Manifest {
    pub media_type: String,
    pub bytes: Arc<Vec<u8>>,
    pub digest: String,
}

#[derive(Default)]
pub struct Store {
    /// Manifests, by repository and tag or digest.
    manifests: HashMap<(String, String), Manifest>,
    /// Sizes of blobs, by repository and digest.
    blobs: HashMap<(String, String), u64>,
    /// The content of small uploaded blobs, by digest.
    small: HashMap<String, Arc<Vec<u8>>>,
    /// For each open upload, how many bytes have arrived, and the last piece.
    uploads: HashMap<String, (u64, Arc<Vec<u8>>)>,
    opened: u64,
    /// Digests that were uploaded, to find those sent twice.
    uploaded: HashSet<String>,
}

impl Store {
    /// Loads the images of a folder: `images.txt` has lines `M repository reference digest media-type` and `B
    /// repository digest size`; `blobs/<hex>` has the bytes.
    pub fn load(folder: &Path) -> Self {
        let mut store = Self::default();
        let list = std::fs::read_to_string(folder.join("images.txt")).expect("images.txt");
        for line in list.lines() {
            match line.split(' ').collect::<Vec<&str>>().as_slice() {
                ["M", repository, reference, digest, media_type] => {
                    let bytes = std::fs::read(blob_path(folder, digest)).expect("a manifest");
                    store.hold(repository, reference, Manifest::new(media_type, bytes, digest));
                }
                ["B", repository, digest, size] => {
                    store.blobs.insert(key(repository, digest), size.parse().expect("a size"));
                }
                _ => panic!("`{line}` is not understood"),
            }
        }
        store
    }

    pub fn manifest(&self, repository: &str, reference: &str) -> Option<Manifest> {
        self.manifests.get(&key(repository, reference)).cloned()
    }

    pub fn put_manifest(&mut self, repository: &str, reference: &str, media_type: &str, bytes: Vec<u8>) {
        let digest = sha256(&bytes);
        self.hold(repository, reference, Manifest::new(media_type, bytes, &digest));
    }

    pub fn tags(&self, repository: &str) -> Vec<String> {
        let of_it = self.manifests.keys().filter(|(held, tag)| held == repository && !tag.contains(':'));
        of_it.map(|(_, tag)| tag.clone()).collect()
    }

    pub fn blob(&self, repository: &str, digest: &str) -> Option<u64> {
        self.blobs.get(&key(repository, digest)).copied()
    }

    pub fn content(&self, digest: &str) -> Option<Arc<Vec<u8>>> {
        self.small.get(digest).cloned()
    }

    /// Mounts a blob from another repository; returns whether that has it.
    pub fn mount(&mut self, repository: &str, digest: &str, from: &str) -> bool {
        let Some(size) = self.blob(from, digest) else { return false };
        self.blobs.insert(key(repository, digest), size);
        true
    }

    pub fn open_upload(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    /// Adds a piece to an upload, and returns how many bytes it has now.
    pub fn append(&mut self, upload: &str, bytes: u64, content: Vec<u8>) -> u64 {
        let (total, kept) = self.uploads.entry(upload.to_owned()).or_default();
        // Only the last piece is kept: it is the content if there was only one.
        *kept = Arc::new(content);
        *total += bytes;
        *total
    }

    /// Ends an upload, and returns whether the same blob was uploaded before.
    pub fn finish(&mut self, repository: &str, upload: &str, digest: &str, bytes: u64, content: Vec<u8>) -> bool {
        let (earlier, kept) = self.uploads.remove(upload).unwrap_or_default();
        let content = if earlier > 0 { kept } else { Arc::new(content) };
        if content.len() as u64 == earlier + bytes {
            self.small.insert(digest.to_owned(), content);
        }
        self.blobs.insert(key(repository, digest), earlier + bytes);
        !self.uploaded.insert(digest.to_owned())
    }

    fn hold(&mut self, repository: &str, reference: &str, manifest: Manifest) {
        self.manifests.insert(key(repository, &manifest.digest), manifest.clone());
        self.manifests.insert(key(repository, reference), manifest);
    }
}

impl Manifest {
    fn new(media_type: &str, bytes: Vec<u8>, digest: &str) -> Self {
        Self { media_type: media_type.to_owned(), bytes: Arc::new(bytes), digest: digest.to_owned() }
    }
}

pub fn blob_path(folder: &Path, digest: &str) -> PathBuf {
    folder.join("blobs").join(digest.trim_start_matches("sha256:"))
}

fn key(repository: &str, reference: &str) -> (String, String) {
    (repository.to_owned(), reference.to_owned())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |text, byte| format!("{text}{byte:02x}"))
}
