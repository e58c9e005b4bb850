//! Builds answers, and spoils them.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::response::Builder;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};
use time::macros::format_description;

use super::fault::{RegistryFault, RetryAfter};
use super::log::OpenRequest;

/// The connection is cut here, before an answer or in the middle of one.
#[derive(Debug)]
pub(super) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

/// An answer that is given instead of trying the operation.
pub(super) type EarlyRefusal = Box<Response<Body>>;

/// An answer, or none because the connection is cut.
pub(super) type ServerAnswer = Result<Response<Body>, Cut>;

pub(super) fn respond(status: StatusCode) -> Builder {
    Response::builder().status(status).header("docker-distribution-api-version", "registry/2.0")
}

/// Completes an answer. It can fail only if the caller made an invalid header.
pub(super) fn with_body(builder: Builder, body: impl Into<Body>) -> Response<Body> {
    builder.body(body.into()).expect("statuses and headers are valid")
}

pub(super) fn empty(builder: Builder) -> Response<Body> {
    with_body(builder, Body::empty())
}

pub(super) fn json_body(builder: Builder, json: &Value) -> Response<Body> {
    with_body(builder.header(CONTENT_TYPE, "application/json"), json.to_string())
}

/// An error in the form that registries use.
pub(super) fn error(status: StatusCode, code: &str, message: impl Into<String>) -> Response<Body> {
    json_body(respond(status), &json!({"errors": [{"code": code, "message": message.into()}]}))
}

pub(super) fn too_many_requests(retry_after: RetryAfter, code: &str, message: &str) -> Response<Body> {
    let mut response = error(StatusCode::TOO_MANY_REQUESTS, code, message);
    let value = match retry_after {
        RetryAfter::Absent => return response,
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(moment) => http_date(moment),
        RetryAfter::Epoch(moment) => moment.seconds().to_string(),
    };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_str(&value).expect("digits or a date"));
    response
}

/// Docker Hub's answer to a client that sends thousands of requests a minute.
pub(super) fn abuse() -> Response<Body> {
    let builder = Response::builder()
        .status(StatusCode::TOO_MANY_REQUESTS)
        .header(RETRY_AFTER, "60")
        .header(CONTENT_TYPE, "text/plain");
    with_body(builder, "Too Many Requests (HAP429).\n")
}

fn http_date(moment: Timestamp) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let moment = time::OffsetDateTime::from_unix_timestamp(moment.seconds());
    moment.ok().and_then(|moment| moment.format(&format).ok()).expect("a moment of this age")
}

/// Whether an answer has content that a fault can spoil.
pub(super) fn has_content(response: &Response<Body>) -> bool {
    response.status().is_success() && http_body::Body::size_hint(response.body()).exact() != Some(0)
}

/// Spoils the body of an answer as the fault says.
pub(super) fn spoil(response: Response<Body>, fault: RegistryFault) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let full = declared.or(http_body::Body::size_hint(&body).exact());
    let mut cut_after = u64::MAX;
    if let RegistryFault::Truncate { after } = &fault {
        cut_after = *after;
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(full.unwrap_or(u64::MAX).min(cut_after)));
    } else if let Some(full) = full {
        // Without the length, a cut would look like the regular end of a body of unknown length.
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(full));
    }
    if let RegistryFault::Reset { after } = &fault {
        cut_after = *after;
    }
    let state = Spoiling { body, pending: Bytes::new(), sent: 0, cut_after, fault };
    let body = Body::from_stream(stream::try_unfold(state, Spoiling::next));
    Response::from_parts(parts, body)
}

struct Spoiling {
    body: Body,
    pending: Bytes,
    sent: u64,
    cut_after: u64,
    fault: RegistryFault,
}

impl Spoiling {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Cut> {
        if self.sent >= self.cut_after {
            if matches!(self.fault, RegistryFault::Reset { .. }) {
                // Yields once, so that what came before is sent and not lost in a buffer.
                tokio::task::yield_now().await;
                return Err(Cut);
            }
            return Ok(None);
        }
        while self.pending.is_empty() {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(_)) => return Err(Cut),
                Some(Ok(frame)) => self.pending = frame.into_data().unwrap_or_default(),
            }
        }
        let mut most = self.cut_after - self.sent;
        if let RegistryFault::HoldBody { after, gate } = &self.fault {
            if self.sent < *after {
                most = *after - self.sent;
            } else if self.sent == *after {
                gate.pass().await;
            }
        }
        if let RegistryFault::Trickle { bytes_per_second } = &self.fault {
            // Twenty pieces a second make an even flow.
            most = (bytes_per_second / 20).max(1);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let mut piece = self.pending.split_to((self.pending.len() as u64).min(most) as usize);
        if matches!(self.fault, RegistryFault::Corrupt) && self.sent == 0 {
            let mut wrong = piece.to_vec();
            wrong[0] ^= 1;
            piece = wrong.into();
        }
        self.sent += piece.len() as u64;
        Ok(Some((piece, self)))
    }
}

/// The same answer, whose bytes are counted in the log as they are sent.
pub(super) fn counted(response: Response<Body>, open: OpenRequest) -> Response<Body> {
    open.answered(response.status().as_u16());
    let length = http_body::Body::size_hint(response.body()).exact();
    let (mut parts, body) = response.into_parts();
    if let (Some(length), false) = (length, parts.headers.contains_key(CONTENT_LENGTH)) {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if length == Some(0) {
        return Response::from_parts(parts, body);
    }
    let body = body.map_frame(move |frame| {
        open.sent(frame.data_ref().map_or(0, Bytes::len));
        frame
    });
    Response::from_parts(parts, Body::new(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_wants_them() {
        let moment = Timestamp::parse("2026-01-05T09:08:07Z").expect("a time");
        assert_eq!(http_date(moment), "Mon, 05 Jan 2026 09:08:07 GMT");
    }
}
