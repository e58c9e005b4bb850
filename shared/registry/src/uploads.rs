//! Uploads blobs: one POST, which mounts the blob if another repository holds it, and one streaming PUT.
//!
//! It never uses PATCH, for ECR's differs from the specification. The PUT announces its length and streams; only a few
//! chunks are in flight between source and target. Where a PUT breaks off, any registry but ECR is asked how much of
//! the upload it has, and a second PUT brings the rest.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RANGE};
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::address::{resolve_location, same_origin};
use super::blobs::BlobReader;
use super::client::{Client, settle};
use super::error::RegistryError;
use super::http::{BodyError, host_of};
use super::reach::not_followed;
use super::request::{RegistryRequest, request};
use super::sign_in::auth::TokenScope;
use super::sign_in::token::push_encoded;
use pullsafe::manifest::Descriptor;
use pullsafe::reference::{Digest, Reference, Registry};

/// How many chunks wait between reading and sending. Each is at most what one connection reads at a time.
const CHUNKS_IN_FLIGHT: usize = 2;

/// A repository of the same registry that holds the blob already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The blob.
    pub digest: Digest,
    /// The other repository.
    pub from: String,
}

/// How a registry answered the request for an upload.
#[derive(Debug)]
pub enum Upload {
    /// The blob was mounted: nothing has to be sent.
    Mounted,
    /// The registry waits for the content.
    Open(OpenUpload),
}

/// An upload that the registry waits for. Its address may be signed, and is never shown.
#[derive(Clone)]
pub struct OpenUpload {
    address: Uri,
    origin: Uri,
    /// Bytes that the registry has.
    offset: u64,
}

impl OpenUpload {
    /// How many bytes of the upload the registry has.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }
}

impl std::fmt::Debug for OpenUpload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "OpenUpload({})", host_of(&self.address))
    }
}

/// A failed transfer, by the side that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// The content could not be read.
    #[error(transparent)]
    Source(RegistryError),
    /// The content could not be stored.
    #[error(transparent)]
    Target(RegistryError),
}

impl Client {
    /// Requests an upload to the repository of a reference, or a mount. A mount that is not possible opens an upload
    /// instead, so it costs no request of its own.
    ///
    /// # Errors
    /// As for any request.
    pub async fn begin_upload(&self, target: &Reference, mount: Option<&Mount>) -> Result<Upload, RegistryError> {
        let repository = target.repository();
        let mut path = format!("{repository}/blobs/uploads/");
        let mut scopes = vec![TokenScope { repository: repository.to_owned(), push: true }];
        if let Some(mount) = mount {
            path.push_str("?mount=");
            push_encoded(&mut path, mount.digest.as_str());
            path.push_str("&from=");
            push_encoded(&mut path, &mount.from);
            scopes.push(TokenScope { repository: mount.from.clone(), push: false });
        }
        let call = RegistryRequest {
            method: Method::POST,
            registry: target.registry(),
            path,
            scopes,
            headers: vec![(CONTENT_LENGTH, "0".to_owned())],
            body: Bytes::new(),
            what: format!("an upload to {repository}"),
        };
        let answer = self.call(&call).await?;
        if mount.is_some() && answer.response.status() == StatusCode::CREATED {
            return Ok(Upload::Mounted);
        }
        let base = self.endpoints().of(target.registry());
        let origin: Option<Uri> = format!("{base}/v2/{}", call.path).parse().ok();
        let opened = origin.and_then(|origin| Some((resolve_location(&origin, answer.header(LOCATION)?)?, origin)));
        let Some((address, origin)) = opened else {
            let why = "it does not say where to send the content".to_owned();
            return Err(RegistryError::Answer { registry: call.registry.to_owned(), what: call.what, why });
        };
        if let Some(why) = not_followed(&origin, &origin, &address) {
            let why = format!("the address for the content {why}");
            return Err(RegistryError::Answer { registry: call.registry.to_owned(), what: call.what, why });
        }
        Ok(Upload::Open(OpenUpload { address, origin, offset: 0 }))
    }

    /// Asks how much the registry has of an upload that broke off, for a blob of this size. `None` if it has nothing,
    /// or does not say.
    pub(crate) async fn continue_upload(
        &self,
        target: &Reference,
        broken: &OpenUpload,
        size: u64,
    ) -> Option<OpenUpload> {
        let same = same_origin(&broken.origin, &broken.address);
        if target.kind() == Registry::EcrPrivate || !same {
            return None;
        }
        let base = self.endpoints().of(target.registry());
        let path = broken.address.to_string().strip_prefix(&format!("{base}/v2/"))?.to_owned();
        let call = RegistryRequest {
            method: Method::GET,
            registry: target.registry(),
            path,
            scopes: vec![TokenScope { repository: target.repository().to_owned(), push: true }],
            headers: Vec::new(),
            body: Bytes::new(),
            what: format!("an upload to {}", target.repository()),
        };
        let answer = self
            .call_at_most(&call, 2)
            .await
            .ok()
            .filter(|answer| answer.response.status() == StatusCode::NO_CONTENT)?;
        let last: u64 = answer.header(RANGE)?.trim_start_matches("bytes=").split_once('-')?.1.trim().parse().ok()?;
        let address = match answer.header(LOCATION) {
            Some(location) => resolve_location(&broken.address, location)?,
            None => broken.address.clone(),
        };
        if not_followed(&broken.origin, &broken.address, &address).is_some() {
            return None;
        }
        // An empty upload is reported as `0-0`, like one of a single byte, so that byte is sent again in a new upload.
        let offset = last.checked_add(1).filter(|offset| last > 0 && *offset <= size)?;
        Some(OpenUpload { address, origin: broken.origin.clone(), offset })
    }

    /// Streams a blob, from the reader's next byte on, into an upload.
    ///
    /// # Errors
    /// The side that failed. In either case the blob does not exist at the target.
    pub async fn upload(
        &self,
        target: &Reference,
        upload: OpenUpload,
        blob: &Descriptor,
        reader: &mut BlobReader,
        on_bytes: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), TransferError> {
        let stall = self.inner.config.timeouts.stall;
        let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
        let call = self.upload_call(target, blob);
        let host = host_of(&upload.address);
        let permit = self.permit(&call).await;
        let read = async {
            while let Some(chunk) = reader.next().await.map_err(TransferError::Source)? {
                on_bytes(u64::try_from(chunk.len()).unwrap_or_default());
                match timeout(stall, sender.send(chunk)).await {
                    Ok(Ok(())) => {}
                    // The request has ended; its own outcome says why.
                    Ok(Err(_closed)) => break,
                    Err(_elapsed) => {
                        let waiting_for = "taking content";
                        let stalled =
                            RegistryError::Stalled { host: host.clone(), seconds: stall.as_secs(), waiting_for };
                        return Err(TransferError::Target(stalled));
                    }
                }
            }
            drop(sender);
            Ok(())
        };
        let body = Chunks { receiver, left: blob.size.saturating_sub(upload.offset) };
        let sent = self.send_upload(&call, upload, body, blob);
        let outcome = match select(pin!(read), pin!(sent)).await {
            // Dropping the request breaks off its connection, so the registry never sees the end of the content.
            Either::Left((Err(error), _)) => Err(error),
            Either::Left((Ok(()), sent)) => {
                let limit = self.inner.config.timeouts.upload_answer;
                timeout(limit, sent).await.unwrap_or_else(|_elapsed| {
                    let waiting_for = "completing an upload";
                    Err(RegistryError::Stalled { host: host.clone(), seconds: limit.as_secs(), waiting_for })
                })
            }
            .map_err(TransferError::Target),
            Either::Right((outcome, _)) => outcome.map_err(TransferError::Target),
        };
        match &outcome {
            Ok(()) => permit.well(),
            Err(TransferError::Target(error)) => settle(permit, Some(error), self.inner.config.longest_pause),
            Err(TransferError::Source(_)) => drop(permit),
        }
        outcome
    }

    async fn send_upload(
        &self,
        call: &RegistryRequest<'_>,
        upload: OpenUpload,
        body: Chunks,
        blob: &Descriptor,
    ) -> Result<(), RegistryError> {
        let mut address = upload.address.to_string();
        address.push_str(if upload.address.query().is_some() { "&digest=" } else { "?digest=" });
        push_encoded(&mut address, blob.digest.as_str());
        let unusable = || RegistryError::Answer {
            registry: call.registry.to_owned(),
            what: call.what.clone(),
            why: "the address of its upload cannot be used".to_owned(),
        };
        let address: Uri = address.parse().map_err(|_| unusable())?;
        // If content goes straight to a storage host, the address itself is the authorization.
        let authorization = if same_origin(&upload.origin, &address) {
            self.authorization(call).await?
        } else {
            None
        };
        let mut request = request(call, &address, authorization.as_ref())?.map(|_| body.boxed_unsync());
        request
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(blob.size.saturating_sub(upload.offset)));
        let answer = self.inner.http.send_unlimited(request).await?;
        match answer.status() {
            status if status.is_success() => stored_as(call, &answer, &blob.digest),
            StatusCode::UNAUTHORIZED => {
                // A streamed body cannot be sent again, but the next upload of this blob can succeed.
                self.challenged(call, answer.headers(), authorization.as_ref()).await?;
                let why = "the token ran out during an upload".to_owned();
                Err(RegistryError::Credentials { registry: call.registry.to_owned(), why, is_transient: true })
            }
            // The upload itself is gone; another can be opened.
            StatusCode::NOT_FOUND => Err(RegistryError::Unavailable {
                registry: call.registry.to_owned(),
                what: call.what.clone(),
                status: 404,
            }),
            _ => Err(self.failure(call, answer).await),
        }
    }

    fn upload_call<'a>(&self, target: &'a Reference, blob: &Descriptor) -> RegistryRequest<'a> {
        RegistryRequest {
            method: Method::PUT,
            registry: target.registry(),
            path: String::new(),
            scopes: vec![TokenScope { repository: target.repository().to_owned(), push: true }],
            headers: vec![(CONTENT_TYPE, "application/octet-stream".to_owned())],
            body: Bytes::new(),
            what: format!("the blob {}@{}", target.repository(), blob.digest),
        }
    }
}

fn stored_as(call: &RegistryRequest<'_>, answer: &Response<Incoming>, digest: &Digest) -> Result<(), RegistryError> {
    let stated = answer.headers().get("docker-content-digest").and_then(|stated| stated.to_str().ok());
    match stated.map(str::parse::<Digest>) {
        Some(Ok(stated)) if stated != *digest => {
            let why = format!("it was stored as {stated}");
            Err(RegistryError::Content { from: call.registry.to_owned(), digest: digest.clone(), why })
        }
        _ => Ok(()),
    }
}

/// The body of an upload: chunks from a channel, with a length that is known in advance. If the channel closes early,
/// the body is an error, which breaks off the connection.
struct Chunks {
    receiver: mpsc::Receiver<Bytes>,
    left: u64,
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        match ready!(self.receiver.poll_recv(context)) {
            Some(chunk) => {
                self.left = self.left.saturating_sub(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            None => Poll::Ready(Some(Err("the content ended early".into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
