//! Requests a token from a token service.
//!
//! The request is a GET for a user name with a password, or for nobody. For an identity token, which is an OAuth2
//! refresh token, it is a POST, and a GET if the service does not know POST:
//! <https://distribution.github.io/distribution/spec/auth/oauth/>. No error here holds what was sent or answered.

use std::fmt::Display;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use serde::Deserialize;

use super::credentials::{Basic, Credentials, IdentityToken, Secret};
use crate::config::Config;
use crate::error::RegistryError;
use crate::http::{Body, Http, full, host_of};
use crate::limits::{Limit, retry_after};
use crate::reach::not_followed;
use pullsafe::reference::{DOCKER_HUB, Registry, row_of};

/// The life of a token whose answer does not state one, by the specification.
const DEFAULT_LIFE_SECONDS: u64 = 60;
/// The longest time that a token is used, however long its service says that it is good for.
const LONGEST_LIFE_SECONDS: u64 = 3600;
/// The client's name in the log of the token service.
const CLIENT_ID: &str = "pullsafe";
const LARGEST_ANSWER: usize = 256 * 1024;

/// A token that is wanted, and the service that issues it.
pub(crate) struct TokenRequest<'a> {
    pub(crate) registry: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) service: Option<&'a str>,
    pub(crate) scopes: &'a [String],
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    /// A number by the specification. Anything else is treated as missing.
    expires_in: Option<serde_json::Value>,
}

impl TokenRequest<'_> {
    /// Returns the header for requests to the registry, and how long it is good for.
    pub(crate) async fn send(
        &self,
        http: &Http,
        config: &Config,
        credentials: Option<&Credentials>,
    ) -> Result<(Secret, Duration), RegistryError> {
        let realm = self.address(self.realm)?;
        let host = host_of(&realm);
        let own = self.address(&config.endpoints.of(self.registry))?;
        if let Some(why) = not_followed(&own, &own, &realm) {
            return Err(self.unusable(format!("the address of its token service at {host} {why}")));
        }
        // If the registry's token services are known, no other is asked, whatever an answer says.
        let row = row_of(self.registry);
        let is_known = !row.token_hosts.is_empty() || row.kind == Registry::EcrPrivate;
        let is_one = realm.host().is_some_and(|host| row.token_hosts.contains(&host) || host == self.registry);
        if !config.endpoints.is_mapped(self.registry) && is_known && !is_one {
            return Err(self.unusable(format!("{host} is not its token service")));
        }
        let answer = match credentials {
            Some(Credentials::Identity(identity)) => {
                let answer = http.send(self.post(realm, identity)?).await?;
                if matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
                    http.send(self.get(Some(&identity.as_basic()))?).await?
                } else {
                    answer
                }
            }
            Some(Credentials::Basic(basic)) => http.send(self.get(Some(basic))?).await?,
            None => http.send(self.get(None)?).await?,
        };
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(config, &host, &answer, credentials));
        }
        let body = http
            .whole(answer.into_body(), &host, LARGEST_ANSWER)
            .await?
            .ok_or_else(|| self.unusable("it is too long"))?;
        // The parser's own message could quote the token.
        let token: TokenAnswer =
            serde_json::from_slice(&body).map_err(|_| self.unusable("it is not the JSON of a token"))?;
        let value = token.token.or(token.access_token).filter(|token| !token.is_empty());
        let value = value.ok_or_else(|| self.unusable("it holds no token"))?;
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.unusable("its token holds what no header can"));
        }
        let life = token.expires_in.as_ref().and_then(serde_json::Value::as_u64).unwrap_or(DEFAULT_LIFE_SECONDS);
        Ok((Secret::new(format!("Bearer {value}")), Duration::from_secs(life.min(LONGEST_LIFE_SECONDS))))
    }

    fn get(&self, basic: Option<&Basic>) -> Result<Request<Body>, RegistryError> {
        let scopes = self.scopes.iter().map(|scope| ("scope", scope.as_str()));
        let query = encoded(self.service.map(|service| ("service", service)).into_iter().chain(scopes));
        let mark = match (query.is_empty(), self.realm.contains('?')) {
            (true, _) => "",
            (false, true) => "&",
            (false, false) => "?",
        };
        let mut request =
            Request::builder().method(Method::GET).uri(self.address(&format!("{}{mark}{query}", self.realm))?);
        if let Some(basic) = basic {
            request = request.header(AUTHORIZATION, basic.header().expose());
        }
        request.body(full("")).map_err(|error| self.unusable(error))
    }

    fn post(&self, realm: Uri, identity: &IdentityToken) -> Result<Request<Body>, RegistryError> {
        let scope = self.scopes.join(" ");
        let fields = [
            ("grant_type", Some("refresh_token")),
            ("service", self.service),
            ("client_id", Some(CLIENT_ID)),
            ("scope", Some(scope.as_str()).filter(|scope| !scope.is_empty())),
            ("refresh_token", Some(identity.token.expose())),
        ];
        let form = encoded(fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let request = Request::builder()
            .method(Method::POST)
            .uri(realm)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(full(form)).map_err(|error| self.unusable(error))
    }

    fn address(&self, text: &str) -> Result<Uri, RegistryError> {
        text.parse().map_err(|_| self.unusable("its 401 names a token service by an unreadable address"))
    }

    fn refusal(
        &self,
        config: &Config,
        host: &str,
        answer: &Response<Incoming>,
        credentials: Option<&Credentials>,
    ) -> RegistryError {
        let status = answer.status();
        let denied = |why: &str| RegistryError::Denied {
            registry: self.registry.to_owned(),
            what: what(),
            why: why.to_owned(),
        };
        match (status, credentials) {
            // For OAuth2, a refresh token that is not accepted is a bad request.
            (
                StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN,
                Some(Credentials::Identity(_)),
            ) => denied("the identity token is not accepted (any more); sign in again with `docker login`"),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(Credentials::Basic(_))) => {
                denied("the user name or the password is wrong")
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => {
                denied("it needs credentials, and none are configured")
            }
            (StatusCode::TOO_MANY_REQUESTS, _) => {
                let limit = if self.registry == DOCKER_HUB { Limit::Burst } else { Limit::Other };
                let retry_after = retry_after(answer.headers(), (config.clock)());
                RegistryError::Limited {
                    registry: self.registry.to_owned(),
                    limit,
                    quota: None,
                    retry_after,
                }
            }
            (status, _) if status.is_server_error() => RegistryError::Unavailable {
                registry: host.to_owned(),
                what: what(),
                status: status.as_u16(),
            },
            (status, _) => {
                let why = "the token service refused".to_owned();
                RegistryError::Refused {
                    registry: host.to_owned(),
                    what: what(),
                    status: status.as_u16(),
                    why,
                }
            }
        }
    }

    fn unusable(&self, why: impl Display) -> RegistryError {
        RegistryError::Answer {
            registry: self.registry.to_owned(),
            what: what(),
            why: why.to_string(),
        }
    }
}

fn what() -> String {
    "a token".to_owned()
}

/// Encodes pairs as `name=value`, joined by `&`.
fn encoded<'v>(pairs: impl Iterator<Item = (&'static str, &'v str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        push_encoded(&mut text, value);
    }
    text
}

/// Percent-encodes a value of a query. Characters of scopes and digests stay readable where RFC 3986 allows it.
pub(crate) fn push_encoded(address: &mut String, value: &str) {
    use std::fmt::Write as _;
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b',') {
            address.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(address, "%{byte:02X}");
        }
    }
}
