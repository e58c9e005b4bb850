//! Blob uploads: start, mount, chunks, end.

use axum::body::Body;
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use pullsafe::reference::Digest;

use super::SharedServer;
use super::answer::{Cut, ServerAnswer, empty, error, respond};
use super::options::{Patch, PlayedRegistry};
use super::request::{Query, header};
use crate::registry::blob::BlobWriter;
use crate::registry::mutability::Mutability;

/// The smallest chunk that ECR accepts, except for the last one, in bytes.
const SMALLEST_CHUNK: u64 = 5 * 1024 * 1024;

/// A blob that is being uploaded.
#[derive(Debug)]
pub(super) struct UploadUnderWay {
    repository: String,
    writer: BlobWriter,
    /// Where the first chunk ended.
    first_chunk: Option<u64>,
    /// Whether a chunk was too small to be followed by another.
    ended_small: bool,
}

impl SharedServer {
    /// POST: mounts a blob, or starts an upload.
    pub(super) fn start_upload(&self, repository: &str, query: &Query) -> Response<Body> {
        self.create_if_open(repository);
        if self.store.read(repository, |_| ()).is_none() {
            return self.no_repository(repository);
        }
        let mounted = query.get("mount").and_then(|digest| digest.parse::<Digest>().ok()).zip(query.get("from"));
        if let Some((digest, from)) = mounted.filter(|(digest, from)| self.may_mount(from, digest)) {
            self.store.mount_blob(from, repository, &digest);
            return self.blob_created(repository, &digest);
        }
        let id = {
            let mut uploads = self.uploads();
            uploads.last += 1;
            let id = format!("00000000-0000-4000-8000-{:012x}", uploads.last);
            let upload = UploadUnderWay {
                repository: repository.to_owned(),
                writer: self.store.blob_writer(),
                first_chunk: None,
                ended_small: false,
            };
            uploads.open.insert(id.clone(), upload);
            id
        };
        let response = respond(StatusCode::ACCEPTED).header(LOCATION, self.upload_location(repository, &id));
        empty(response.header(RANGE, "0-0").header("docker-upload-uuid", id))
    }

    /// Whether a blob may be mounted. ECR mounts only blobs that a committed manifest of the source names, and only if
    /// the account allows it.
    fn may_mount(&self, from: &str, digest: &Digest) -> bool {
        let readable = |committed_only: bool| {
            let found = self.store.read(from, |repository| {
                repository.blob(digest).is_some() && (!committed_only || repository.refers_to_blob(digest))
            });
            found.unwrap_or(false)
        };
        match &self.mode {
            PlayedRegistry::Ecr(_) => self.store.blob_mounting() && readable(true),
            PlayedRegistry::Open(_) => readable(false),
            PlayedRegistry::Hub(_) => false,
        }
    }

    /// PATCH: uploads one chunk.
    pub(super) async fn upload_chunk(
        &self,
        headers: &HeaderMap,
        repository: &str,
        id: &str,
        body: &mut Body,
    ) -> ServerAnswer {
        if let PlayedRegistry::Ecr(options) = &self.mode
            && options.patch == Patch::Refused
        {
            return Ok(error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported."));
        }
        let Some(mut upload) = self.take_upload(repository, id) else {
            return Ok(upload_unknown());
        };
        if let Some(refusal) = self.refuse_chunk(&upload, headers) {
            self.uploads().open.insert(id.to_owned(), upload);
            return Ok(refusal);
        }
        let before = upload.writer.size();
        receive(&mut upload.writer, body).await?;
        let size = upload.writer.size();
        upload.ended_small = size - before < SMALLEST_CHUNK;
        let first = *upload.first_chunk.get_or_insert(size);
        self.uploads().open.insert(id.to_owned(), upload);
        let (status, end) = if self.mode.is_ecr() {
            (StatusCode::CREATED, first)
        } else {
            (StatusCode::ACCEPTED, size)
        };
        let response = respond(status).header(LOCATION, self.upload_location(repository, id));
        Ok(empty(
            response.header(RANGE, format!("0-{}", end.saturating_sub(1))).header("docker-upload-uuid", id),
        ))
    }

    fn refuse_chunk(&self, upload: &UploadUnderWay, headers: &HeaderMap) -> Option<Response<Body>> {
        let size = upload.writer.size();
        let start = header(headers, CONTENT_RANGE.as_str())
            .and_then(|range| range.trim_start_matches("bytes ").split('-').next());
        if let Some(start) = start.and_then(|start| start.parse::<u64>().ok()).filter(|start| *start != size) {
            let message = format!("First byte of the layer part is {start} instead of {size}");
            return Some(error(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", message));
        }
        if self.mode.is_ecr() && upload.ended_small {
            let message = "Layer parts must be at least 5242880 bytes in size, except for the last one";
            return Some(error(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message));
        }
        None
    }

    /// PUT: uploads the rest of the content, or all of it, and checks its digest.
    pub(super) async fn finish_upload(
        &self,
        repository: &str,
        id: &str,
        query: &Query,
        body: &mut Body,
    ) -> ServerAnswer {
        let Some(mut upload) = self.take_upload(repository, id) else {
            return Ok(upload_unknown());
        };
        receive(&mut upload.writer, body).await?;
        let Some(digest) = query.get("digest").and_then(|digest| digest.parse::<Digest>().ok()) else {
            return Ok(error(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            ));
        };
        let blob = upload.writer.finish();
        if blob.digest() != &digest {
            return Ok(error(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            ));
        }
        if !self.store.put_blob(repository, blob) {
            return Ok(self.no_repository(repository));
        }
        Ok(self.blob_created(repository, &digest))
    }

    /// DELETE: cancels the upload.
    pub(super) fn cancel_upload(&self, repository: &str, id: &str) -> Response<Body> {
        match self.take_upload(repository, id) {
            Some(_) => empty(respond(StatusCode::NO_CONTENT)),
            None => upload_unknown(),
        }
    }

    /// Creates a repository on a push, if the registry is an open one.
    pub(super) fn create_if_open(&self, repository: &str) {
        if let PlayedRegistry::Open(_) = self.mode {
            self.store.create_repository(repository, Mutability::Mutable);
        }
    }

    fn take_upload(&self, repository: &str, id: &str) -> Option<UploadUnderWay> {
        let mut uploads = self.uploads();
        uploads.open.get(id).filter(|upload| upload.repository == repository)?;
        uploads.open.remove(id)
    }

    /// The URL of an upload. ECR names its host here. Others send a path with a query, which the client has to extend.
    fn upload_location(&self, repository: &str, id: &str) -> String {
        if self.mode.is_ecr() {
            format!("{}/v2/{repository}/blobs/uploads/{id}", self.url)
        } else {
            format!("/v2/{repository}/blobs/uploads/{id}?_state=b3BlbiB1cGxvYWQ%3D")
        }
    }

    fn blob_created(&self, repository: &str, digest: &Digest) -> Response<Body> {
        let response =
            respond(StatusCode::CREATED).header(LOCATION, format!("{}/v2/{repository}/blobs/{digest}", self.url));
        empty(response.header("docker-content-digest", digest.as_str()))
    }
}

fn upload_unknown() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}

async fn receive(writer: &mut BlobWriter, body: &mut Body) -> Result<(), Cut> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| Cut)?.into_data() {
            writer.push(data);
        }
    }
    Ok(())
}
