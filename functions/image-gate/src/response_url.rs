//! The address that an answer goes to: signed, so it shows nowhere, and checked, so that nobody can make the gate send
//! elsewhere.
//!
//! CloudFormation takes answers in buckets of its own, one for each region, under keys that begin with the id of the
//! stack. No other address is one.

use std::time::Duration;

use crate::decide::request::{Requester, StackPlace};
use crate::decide::url::StoredResponseUrl as Signed;
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
#[error("CloudFormation's answer address took no answer, tried {tries} times: {why}")]
pub struct UndeliveredResponse {
    tries: u32,
    why: String,
    /// Whether the address refuses for good: it has expired, or was never signed.
    pub(crate) refused: bool,
}

impl UndeliveredResponse {
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
    pub(crate) fn parse(url: &Signed, requester: &Requester, allow_local: bool) -> Result<Self, InvalidResponseUrl> {
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
        let Some(stack) = requester.stack() else {
            return Err(InvalidResponseUrl("comes with a StackId that is not the id of a stack"));
        };
        match (uri.scheme_str(), uri.port_u16()) {
            (Some("https"), None | Some(443)) if takes_answers(host, &stack) => {}
            (Some("https"), _) => {
                return Err(InvalidResponseUrl(
                    "does not lead to where CloudFormation takes the answers of the stack's region",
                ));
            }
            _ => return Err(InvalidResponseUrl("is not https")),
        }
        // The key goes on with the resource and the request.
        let begin = format!("/{}|", requester.stack_id);
        if !decoded(uri.path()).is_some_and(|key| key.starts_with(&begin)) {
            return Err(InvalidResponseUrl("is the address of another stack's answer"));
        }
        Ok(Self(uri))
    }

    /// Delivers an answer before `deadline`. The same bytes may arrive twice, which does no harm; not arriving does.
    pub(crate) async fn put(&self, http: &Http, body: &str, deadline: Instant) -> Result<(), UndeliveredResponse> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let out_of_time = || Err(("no answer in the time that is left".to_owned(), true));
            let (why, can_pass) =
                match timeout_at(deadline, self.try_put(http, body)).await.unwrap_or_else(|_| out_of_time()) {
                    Ok(()) => return Ok(()),
                    Err(failure) => failure,
                };
            tracing::warn!(tries, why, "an answer was not taken");
            if !can_pass || tries >= MOST_TRIES || Instant::now() + pause >= deadline {
                return Err(UndeliveredResponse { tries, why, refused: !can_pass });
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

/// Whether a host is CloudFormation's bucket for answers in the region of a stack, in one of the forms of S3's hosts.
fn takes_answers(host: &str, stack: &StackPlace<'_>) -> bool {
    let suffix = match stack.partition {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        _ => return false,
    };
    let host = host.to_ascii_lowercase();
    let bucket = format!("cloudformation-custom-resource-response-{}.", stack.region.replace('-', ""));
    let service = host
        .strip_prefix(&bucket)
        .and_then(|rest| rest.strip_suffix(suffix))
        .and_then(|service| service.strip_suffix('.'));
    let region = stack.region;
    service.is_some_and(|service| {
        service == "s3"
            || [
                format!("s3.{region}"),
                format!("s3-{region}"),
                format!("s3.dualstack.{region}"),
                format!("s3-fips.{region}"),
            ]
            .iter()
            .any(|form| form == service)
    })
}

/// A path without its percent signs; `None` if one of them is wrong.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, stack_id: &str, allow_local: bool) -> Result<String, String> {
        let requester = Requester { stack_id: stack_id.to_owned(), ..Requester::default() };
        ResponseUrl::parse(&Signed::new(url), &requester, allow_local)
            .map(|url| url.0.to_string())
            .map_err(|error| error.to_string())
    }

    const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b";
    const KEY: &str =
        "arn%3Aaws%3Acloudformation%3Aeu-west-1%3A111122223333%3Astack/app/0a1b%7CImage%7C6b0c?X-Amz-Signature=secret";
    const BUCKET: &str = "cloudformation-custom-resource-response-euwest1";

    #[test]
    fn answers_go_to_cloudformations_own_buckets() {
        for host in [
            "s3.eu-west-1.amazonaws.com",
            "s3-eu-west-1.amazonaws.com",
            "s3.amazonaws.com",
            "s3.dualstack.eu-west-1.amazonaws.com",
        ] {
            let url = format!("https://{BUCKET}.{host}/{KEY}");
            assert_eq!(check(&url, STACK, false), Ok(url.clone()), "byte for byte");
        }
        let china = "https://cloudformation-custom-resource-response-cnnorth1.s3.cn-north-1.amazonaws.com.cn/arn%3Aaws-cn%3Acloudformation%3Acn-north-1%3A111122223333%3Astack%2Fapp%2F0a1b%7CImage";
        assert!(check(china, "arn:aws-cn:cloudformation:cn-north-1:111122223333:stack/app/0a1b", false).is_ok());
        assert!(check("http://127.0.0.1:4566/x", STACK, true).is_ok());
    }

    #[test]
    fn answers_go_nowhere_else() {
        let real = |host: &str| format!("https://{host}/{KEY}");
        let own = real(&format!("{BUCKET}.s3.eu-west-1.amazonaws.com"));
        for (url, stack, allow_local, why) in [
            ("http://127.0.0.1:4566/x".to_owned(), STACK, false, "where CloudFormation takes"),
            (own.replace("https", "http"), STACK, false, "not https"),
            (real("evil.example"), STACK, false, "where CloudFormation takes"),
            // Whoever has an AWS account can have these.
            (real("my-bucket.s3.eu-west-1.amazonaws.com"), STACK, false, "where CloudFormation takes"),
            (real(&format!("{BUCKET}.s3.us-east-1.amazonaws.com")), STACK, false, "where CloudFormation takes"),
            (real(&format!("{BUCKET}x.s3.eu-west-1.amazonaws.com")), STACK, false, "where CloudFormation takes"),
            (real(&format!("x{BUCKET}.s3.eu-west-1.amazonaws.com")), STACK, false, "where CloudFormation takes"),
            (
                real(&format!("{BUCKET}.s3.eu-west-1.amazonaws.com.evil.example")),
                STACK,
                true,
                "where CloudFormation takes",
            ),
            (real("lambda.eu-west-1.amazonaws.com"), STACK, false, "where CloudFormation takes"),
            (
                real(&format!("{BUCKET}.execute-api.eu-west-1.amazonaws.com")),
                STACK,
                false,
                "where CloudFormation takes",
            ),
            (
                real(&format!("{BUCKET}.s3.eu-west-1.amazonaws.com:8443")),
                STACK,
                false,
                "where CloudFormation takes",
            ),
            (real(&format!("{BUCKET}.s3.eu-west-1.amazonaws.com@evil.example")), STACK, false, "user name"),
            // Another stack, another account, another region, or none.
            (own.clone(), "arn:aws:cloudformation:eu-west-1:111122223333:stack/ap/0a1b", false, "another stack"),
            (own.clone(), "arn:aws:cloudformation:eu-west-1:444455556666:stack/app/0a1b", false, "another stack"),
            (
                own.clone(),
                "arn:aws:cloudformation:us-east-1:111122223333:stack/app/0a1b",
                false,
                "where CloudFormation takes",
            ),
            (own.clone(), "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1", false, "another stack"),
            (own.clone(), "app", false, "not the id of a stack"),
            (own.replace("%7C", "%7"), STACK, false, "another stack"),
            ("http://192.168.0.1/x".to_owned(), STACK, true, "not https"),
            ("/x".to_owned(), STACK, false, "no host"),
            ("not a url?Signature=secret".to_owned(), STACK, false, "not a URL"),
        ] {
            let error = check(&url, stack, allow_local).expect_err(&url);
            assert!(
                (error.contains(why) || error.contains("not https")) && !error.contains("secret"),
                "{url}: {error}"
            );
        }
    }
}
