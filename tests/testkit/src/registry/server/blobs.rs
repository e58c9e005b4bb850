//! Blobs: pulls, and the other host that serves them.

use axum::body::Body;
use futures_util::stream;
use http::header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use http::{HeaderMap, Method, Response, StatusCode};
use pullsafe::reference::Digest;

use super::SharedServer;
use super::answer::{empty, error, respond, with_body};
use super::request::header;
use crate::registry::blob::Blob;

impl SharedServer {
    /// GET and HEAD of a blob. HEAD is answered here even if GET is redirected.
    pub(super) fn pull_blob(
        &self,
        method: &Method,
        headers: &HeaderMap,
        repository: &str,
        digest: &str,
        redirect: bool,
    ) -> Response<Body> {
        let Ok(digest) = digest.parse::<Digest>() else {
            return error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "invalid digest");
        };
        let Some(found) = self.store.read(repository, |repository| repository.blob(&digest).cloned()) else {
            return self.no_repository(repository);
        };
        let Some(blob) = found else {
            return error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry");
        };
        if redirect && method == Method::GET {
            return empty(respond(StatusCode::TEMPORARY_REDIRECT).header(LOCATION, self.cdn_link(repository, &digest)));
        }
        blob_response(method, headers, &blob)
    }

    /// A signed link to a blob on the other host.
    pub(super) fn cdn_link(&self, repository: &str, digest: &Digest) -> String {
        format!("{}/blobs/{repository}/{digest}?X-Amz-Expires=3600&X-Amz-Signature=0123456789abcdef", self.cdn_url)
    }

    /// The answer of the other host: the blob, or an error if the request carries credentials, which that host must
    /// never see.
    pub(super) fn cdn(&self, method: &Method, headers: &HeaderMap, path: &str, query: &str) -> Response<Body> {
        if headers.contains_key(AUTHORIZATION) {
            let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query \
                string parameter or the Authorization header should be specified";
            return error(StatusCode::BAD_REQUEST, "InvalidArgument", message);
        }
        let named = path.strip_prefix("/blobs/").and_then(|path| path.rsplit_once('/'));
        let Some((repository, digest)) = named.filter(|_| query.contains("X-Amz-Signature=")) else {
            return error(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied");
        };
        match digest.parse().ok().and_then(|digest| self.store.blob(repository, &digest)) {
            Some(blob) => blob_response(method, headers, &blob),
            None => error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist."),
        }
    }
}

fn blob_response(method: &Method, headers: &HeaderMap, blob: &Blob) -> Response<Body> {
    if !blob.is_readable() && method == Method::GET {
        return error(StatusCode::GONE, "BLOB_UNKNOWN", "the content was discarded when it was uploaded");
    }
    let size = blob.size();
    let range = header(headers, RANGE.as_str()).and_then(|range| part(range, size));
    let (status, start, end) = match range {
        None => (StatusCode::OK, 0, size),
        Some(Some((start, end))) => (StatusCode::PARTIAL_CONTENT, start, end),
        Some(None) => {
            return empty(respond(StatusCode::RANGE_NOT_SATISFIABLE).header(CONTENT_RANGE, format!("bytes */{size}")));
        }
    };
    let mut response = respond(status)
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(ACCEPT_RANGES, "bytes")
        .header(CONTENT_LENGTH, end - start)
        .header("docker-content-digest", blob.digest().as_str());
    if status == StatusCode::PARTIAL_CONTENT {
        response = response.header(CONTENT_RANGE, format!("bytes {start}-{}/{size}", end - 1));
    }
    if method == Method::HEAD || start == end {
        return empty(response);
    }
    let pieces = blob.pieces(start, end).map(Ok::<_, std::convert::Infallible>);
    with_body(response, Body::from_stream(stream::iter(pieces)))
}

/// The part that a `Range` header asks for. `None` if the header is not understood, and everything is sent.
/// `Some(None)` if the blob has no such part.
fn part(range: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    if start.is_empty() {
        let last: u64 = end.parse().ok()?;
        return Some((last > 0 && size > 0).then(|| (size.saturating_sub(last), size)));
    }
    let start: u64 = start.parse().ok()?;
    let end = if end.is_empty() {
        size
    } else {
        end.parse::<u64>().ok()?.saturating_add(1).min(size)
    };
    Some((start < end).then_some((start, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, expected) in [
            ("bytes=0-", Some(Some((0, 10)))),
            ("bytes=4-5", Some(Some((4, 6)))),
            ("bytes=4-99", Some(Some((4, 10)))),
            ("bytes=-3", Some(Some((7, 10)))),
            ("bytes=10-", Some(None)),
            ("lines=1-2", None),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
