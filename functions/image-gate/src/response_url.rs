//! The address that an answer goes to: signed, so it shows nowhere, and checked, so that nobody can make the gate send
//! elsewhere.

use std::time::Duration;

use crate::decide::url::ResponseUrl as Signed;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use pullsafe_registry::endpoints::is_loopback;
use pullsafe_registry::http::{Http, full, host_of};
use tokio::time::{Instant, sleep, timeout_at};

const MOST_TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The answer could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CloudFormation's answer address took no answer in {tries} try(s): {why}")]
pub struct Unanswered {
    tries: u32,
    why: String,
    /// Whether the address refuses for good: it has expired, or was never signed.
    pub(crate) refused: bool,
}

impl Unanswered {
    /// Nothing was sent, and nothing will be.
    pub(crate) const fn impossible(why: String) -> Self {
        Self { tries: 0, why, refused: true }
    }
}

/// An address that no answer may go to. The address itself is not in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ResponseURL {0}")]
pub(crate) struct InvalidResponseUrl(&'static str);

/// An address that an answer may go to.
pub(crate) struct ResponseUrl(Uri);

impl ResponseUrl {
    pub(crate) fn parse(url: &Signed, allow_local: bool) -> Result<Self, InvalidResponseUrl> {
        // A `Uri` keeps path and query byte for byte, and the signature covers them.
        let uri: Uri = url.expose().parse().map_err(|_| InvalidResponseUrl("is not a URL"))?;
        let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
            return Err(InvalidResponseUrl("has no host"));
        };
        if authority.as_str().contains('@') {
            return Err(InvalidResponseUrl("carries a user name"));
        }
        if allow_local && is_loopback(host) {
            return Ok(Self(uri));
        }
        let host = host.to_ascii_lowercase();
        let of_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        match (uri.scheme_str(), uri.port_u16()) {
            (Some("https"), None | Some(443)) if of_aws => Ok(Self(uri)),
            (Some("https"), _) => Err(InvalidResponseUrl("does not lead to a host of AWS")),
            _ => Err(InvalidResponseUrl("is not https")),
        }
    }

    /// Delivers an answer before `deadline`. The same bytes may arrive twice, which does no harm; not arriving does.
    pub(crate) async fn put(&self, http: &Http, body: &str, deadline: Instant) -> Result<(), Unanswered> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let out_of_time = || Err(("no answer in the time that is left".to_owned(), true));
            let (why, can_pass) = match timeout_at(deadline, self.try_put(http, body)).await.unwrap_or_else(|_| out_of_time()) {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            tracing::warn!(tries, why, "an answer was not taken");
            if !can_pass || tries >= MOST_TRIES || Instant::now() + pause >= deadline {
                return Err(Unanswered { tries, why, refused: !can_pass });
            }
            sleep(pause).await;
            tries += 1;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One try; why it failed, and whether that can pass.
    async fn try_put(&self, http: &Http, body: &str) -> Result<(), (String, bool)> {
        let length = HeaderValue::from(body.len());
        let request = Request::builder()
            .method(Method::PUT)
            .uri(self.0.clone())
            // Signatures of the older kind cover the content type, and CloudFormation signs an empty one.
            .header(CONTENT_TYPE, HeaderValue::from_static(""))
            .header(CONTENT_LENGTH, length)
            .body(full(body.to_owned()))
            .map_err(|_| ("the request cannot be made".to_owned(), false))?;
        let answer = http.send(request).await.map_err(|error| (error.to_string(), true))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        // A signature that is refused stays refused.
        let can_pass = status.is_server_error() || status.as_u16() == 429 || status.as_u16() == 408;
        Err((format!("{} answered HTTP {}", host_of(&self.0), status.as_u16()), can_pass))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_only_to_aws() {
        let check = |url: &str, allow_local| ResponseUrl::parse(&Signed::new(url), allow_local).err().map(|error| error.to_string());
        let real =
            "https://cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com/arn%3Aaws%3A/a%7Cb?X-Amz-Signature=0";
        assert_eq!(check(real, false), None);
        assert_eq!(ResponseUrl::parse(&Signed::new(real), false).ok().map(|url| url.0.to_string()).as_deref(), Some(real));
        assert_eq!(check("https://x.s3.cn-north-1.amazonaws.com.cn/x", false), None);
        assert_eq!(check("http://127.0.0.1:4566/x", true), None);
        for (url, allow_local, why) in [
            ("http://127.0.0.1:4566/x", false, "not https"),
            ("http://x.s3.amazonaws.com/x", false, "not https"),
            ("https://evil.example/x", false, "host of AWS"),
            ("https://evilamazonaws.com/x", false, "host of AWS"),
            ("https://x.amazonaws.com.evil.example/x", true, "host of AWS"),
            ("https://x.s3.amazonaws.com:8443/x", false, "host of AWS"),
            ("https://x.s3.amazonaws.com@evil.example/x", false, "user name"),
            ("http://192.168.0.1/x", true, "not https"),
            ("/x", false, "no host"),
            ("not a url?Signature=secret", false, "not a URL"),
        ] {
            let error = check(url, allow_local).unwrap_or_default();
            assert!(error.contains(why) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
