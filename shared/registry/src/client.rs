//! Sends one request to a registry: signs in, follows redirects itself, repeats where that can help.
//!
//! A request is repeated only for faults that pass (a broken connection, a stall, HTTP 5xx, a limit whose wait is
//! short), a few times, with growing pauses. It never waits for a pull quota: that takes hours.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use hyper::body::Incoming;
use serde::Deserialize;

use super::address::{parse_address, redirect_target, same_origin};
use super::config::Config;
use super::endpoints::Endpoints;
use super::error::RegistryError;
use super::http::{Http, host_of};
use super::limits::{Limit, StatedQuota, retry_after};
use super::pace::{Limiters, Permit};
use super::reach::AllowedHosts;
use super::request::{RegistryRequest, SuccessfulResponse, request};
use super::sign_in::auth::{SignInState, TokenScope};
use super::sign_in::credentials::Secret;
use pullsafe::foreign;
use pullsafe::host::TooManyRequests;
use pullsafe::reference::{HostKind, Reference, kind_of_host};

const MOST_REDIRECTS: usize = 5;

/// A client for all registries. Clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) http: Http,
    auth: SignInState,
    pace: Limiters,
}

impl Client {
    /// Makes a client. Nothing is loaded or connected until the first request.
    pub fn new(config: Config) -> Self {
        let http = Http::new(config.timeouts, config.reach);
        Self {
            inner: Arc::new(Inner {
                config,
                http,
                auth: SignInState::default(),
                pace: Limiters::default(),
            }),
        }
    }

    /// The addresses that this client uses.
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.config.endpoints
    }

    /// Announces pulls from these soon: the next token of their registry covers them all.
    pub async fn expect_pulls(&self, references: &[Reference]) {
        self.expect(references, false).await;
    }

    /// Announces pushes to these soon: the next token of their registry covers them all.
    pub async fn expect_pushes(&self, references: &[Reference]) {
        self.expect(references, true).await;
    }

    async fn expect(&self, references: &[Reference], push: bool) {
        for reference in references {
            let scope = TokenScope { repository: reference.repository().to_owned(), push };
            self.inner.auth.expect(&self.inner.config, reference.registry(), [scope]).await;
        }
    }

    /// Sends a request until it succeeds, fails for good, or has used up its attempts.
    pub(crate) async fn call(&self, call: &RegistryRequest<'_>) -> Result<SuccessfulResponse, RegistryError> {
        self.call_at_most(call, self.inner.config.attempts).await
    }

    /// The most times that a request is sent.
    pub(crate) fn attempts(&self) -> u32 {
        self.inner.config.attempts
    }

    /// Does as [`Self::call`], with another number of attempts.
    pub(crate) async fn call_at_most(
        &self,
        call: &RegistryRequest<'_>,
        attempts: u32,
    ) -> Result<SuccessfulResponse, RegistryError> {
        let config = &self.inner.config;
        let mut attempt = 1;
        loop {
            let permit = self.permit(call).await;
            let outcome = self.attempt(call).await;
            settle(permit, outcome.as_ref().err(), config.longest_pause);
            let error = match outcome {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let asked_for = if let RegistryError::Limited { retry_after, .. } = &error {
                *retry_after
            } else {
                None
            };
            let wait = asked_for.unwrap_or_default().max(self.pause_after(attempt));
            if attempt >= attempts || !error.is_transient() || error.is_pull_quota() || wait > config.longest_pause {
                return Err(error);
            }
            tracing::debug!(registry = call.registry, what = %call.what, attempt, %error, "the request is repeated");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Waits after this many failures, before the next attempt.
    pub(crate) async fn pause(&self, failures: u32) {
        tokio::time::sleep(self.pause_after(failures)).await;
    }

    fn pause_after(&self, failures: u32) -> Duration {
        self.inner.config.first_pause * 2_u32.saturating_pow(failures.saturating_sub(1).min(6))
    }

    /// Waits until the registry may be asked to do this.
    pub(crate) async fn permit(&self, call: &RegistryRequest<'_>) -> Permit {
        let permit = self.inner.pace.admit(call.registry, call.action()).await;
        if let Some(allowance) = &self.inner.config.allowance {
            allowance.admit(call.registry, call.action()).await;
        }
        permit
    }

    async fn attempt(&self, call: &RegistryRequest<'_>) -> Result<SuccessfulResponse, RegistryError> {
        self.check_reach(call.registry)?;
        let base = self.inner.config.endpoints.of(call.registry);
        let address = parse_address(call, &format!("{base}/v2/{}", call.path))?;
        let registry = parse_address(call, &base)?;
        // The first request to a registry goes alone: it learns how to sign in, which spares the others a 401 each.
        let first = self.inner.auth.introduction(&self.inner.config, call.registry, &call.scopes).await;
        let sent = self.send(call, &address).await;
        if first.is_some() && !matches!(&sent, Ok((answer, _)) if answer.status() == StatusCode::UNAUTHORIZED) {
            // Let them in even if the registry did not answer at all: the others need not find that out one after the
            // other.
            self.inner.auth.let_in(&self.inner.config, call.registry, &call.scopes).await;
        }
        let (mut answer, refused) = sent?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.challenged(call, answer.headers(), refused.as_ref()).await?;
            drop(first);
            (answer, _) = self.send(call, &address).await?;
        }
        let mut from = address;
        // Once a redirect has led to another origin, no credential is sent any more, even if a later redirect leads
        // back.
        let mut at_home = true;
        for _ in 0..MOST_REDIRECTS {
            if !answer.status().is_redirection() || !call.follows_redirects() {
                break;
            }
            let next = redirect_target(call, &registry, &from, answer.headers())?;
            at_home &= same_origin(&registry, &next);
            let authorization = if at_home { self.authorization(call).await? } else { None };
            answer = self.inner.http.send(request(call, &next, authorization.as_ref())?).await?;
            from = next;
        }
        let host = host_of(&from);
        let redirected = host != host_of(&registry);
        if answer.status().is_success() || answer.status().is_redirection() && call.is_head_of_blob() {
            Ok(SuccessfulResponse { response: answer, host })
        } else if redirected {
            // When a storage host refuses, a signed address that has run out is the likely cause, and a new one helps.
            Err(RegistryError::Unavailable {
                registry: host,
                what: call.what.clone(),
                status: answer.status().as_u16(),
            })
        } else {
            Err(self.failure(call, answer).await)
        }
    }

    /// Checks whether a registry may be asked at all.
    pub(super) fn check_reach(&self, registry: &str) -> Result<(), RegistryError> {
        let Config { reach, endpoints, .. } = &self.inner.config;
        if *reach == AllowedHosts::Anywhere
            || endpoints.is_mapped(registry)
            || kind_of_host(registry) == HostKind::Public
        {
            return Ok(());
        }
        Err(RegistryError::Invalid(format!(
            "{registry} is not on the internet, and no setting maps it to an address: it is not asked"
        )))
    }

    /// Sends to the registry itself; also returns the `Authorization` header that was sent, to be forgotten if it is
    /// refused.
    async fn send(
        &self,
        call: &RegistryRequest<'_>,
        address: &Uri,
    ) -> Result<(Response<Incoming>, Option<Secret>), RegistryError> {
        let authorization = self.authorization(call).await?;
        let answer = self.inner.http.send(request(call, address, authorization.as_ref())?).await?;
        let (status, signed_in) = (answer.status().as_u16(), authorization.is_some());
        tracing::trace!(registry = call.registry, method = %call.method, what = call.what, signed_in, status, "a registry answered");
        Ok((answer, authorization))
    }

    pub(crate) async fn authorization(&self, call: &RegistryRequest<'_>) -> Result<Option<Secret>, RegistryError> {
        self.inner.auth.header(&self.inner.http, &self.inner.config, call.registry, &call.scopes).await
    }

    pub(crate) async fn challenged(
        &self,
        call: &RegistryRequest<'_>,
        headers: &HeaderMap,
        refused: Option<&Secret>,
    ) -> Result<(), RegistryError> {
        let RegistryRequest { registry, scopes, what, .. } = call;
        self.inner.auth.challenged(&self.inner.config, registry, scopes, headers, refused, what).await
    }

    /// Returns the error that an answer stands for.
    pub(crate) async fn failure(&self, call: &RegistryRequest<'_>, answer: Response<Incoming>) -> RegistryError {
        let (head, body) = answer.into_parts();
        let body = match self.inner.http.whole(body, call.registry, 64 * 1024).await {
            Ok(body) => body.unwrap_or_default(),
            Err(_) => Bytes::new(),
        };
        let why = words_of(&body);
        let (registry, what) = (call.registry.to_owned(), call.what.clone());
        match head.status {
            StatusCode::NOT_FOUND => RegistryError::NotFound { registry, what },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = if why.is_empty() { format!("HTTP {}", head.status.as_u16()) } else { why };
                RegistryError::Denied { registry, what, why }
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let is_manifest_get = call.method == Method::GET && call.path.contains("/manifests/");
                let quota = StatedQuota::from_headers(&head.headers);
                let remaining = quota.as_ref().map(|quota| quota.remaining);
                let limit = Limit::of_429(call.registry, TooManyRequests { is_manifest_get, remaining, text: &why });
                let retry_after = retry_after(&head.headers, (self.inner.config.clock)());
                RegistryError::Limited { registry, limit, quota, retry_after }
            }
            status if status.is_server_error() => {
                RegistryError::Unavailable { registry, what, status: status.as_u16() }
            }
            status => RegistryError::Refused { registry, what, status: status.as_u16(), why },
        }
    }
}

/// Tells the limiter how a request ended. A wait that is too long to be waited for does not hold up later requests.
pub(crate) fn settle(permit: Permit, error: Option<&RegistryError>, longest_pause: Duration) {
    match error {
        None => permit.well(),
        Some(RegistryError::Limited { limit, retry_after, .. }) if !limit.lasts() => {
            permit.throttled(retry_after.filter(|wait| *wait <= longest_pause));
        }
        Some(_) => drop(permit),
    }
}

/// Returns what a registry's error says, shortened, without control characters, on one line.
fn words_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct ErrorBody {
        errors: Vec<ErrorEntry>,
    }
    #[derive(Deserialize)]
    struct ErrorEntry {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let text = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(answer) => {
            let entries: Vec<String> =
                answer.errors.iter().map(|entry| format!("{}: {}", entry.code, entry.message)).collect();
            entries.join("; ")
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    foreign::line(&text).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_words_are_short_and_on_one_line() {
        let body = br#"{"errors":[{"code":"TAG_INVALID","message":"The image tag 'x'\nalready exists","detail":{}}]}"#;
        assert_eq!(words_of(body), "TAG_INVALID: The image tag 'x' already exists");
        assert_eq!(words_of(b"Too Many Requests (HAP429).\n"), "Too Many Requests (HAP429).");
        assert_eq!(words_of(&[b'x'; 9000]).len(), 300);
    }
}
