//! Who may do what: Docker Hub's bearer tokens, ECR's basic authentication, anonymous tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use pullsafe::timestamp::Timestamp;
use serde_json::json;

use super::SharedServer;
use super::answer::{EarlyRefusal, error, json_body, respond, with_body};
use super::options::{HubAccount, HubOptions, PlayedRegistry};
use super::request::{Query, Route, basic, header};
use crate::registry::credentials::Verdict;

/// The bearer tokens that were issued.
#[derive(Debug, Default)]
pub(super) struct IssuedTokens(Mutex<HashMap<String, IssuedToken>>);

#[derive(Debug, Clone)]
struct IssuedToken {
    /// The repositories that the token allows pulls from.
    repositories: Vec<String>,
    expires_at: Timestamp,
    account: Option<HubAccount>,
}

/// A caller whose request was accepted.
#[derive(Debug, Default)]
pub(super) struct Caller {
    pub(super) account: Option<HubAccount>,
}

impl SharedServer {
    /// Accepts a request, or returns the answer that refuses it.
    pub(super) fn authenticate(
        &self,
        headers: &HeaderMap,
        route: &Route<'_>,
        writes: bool,
    ) -> Result<Caller, EarlyRefusal> {
        match &self.mode {
            PlayedRegistry::Hub(_) => self.hub_bearer(headers, route, writes),
            PlayedRegistry::Ecr(_) => self.ecr_basic(headers),
            PlayedRegistry::Open(options) if options.anonymous_token => self.anonymous_bearer(headers),
            PlayedRegistry::Open(_) => Ok(Caller::default()),
        }
    }

    /// The answer of a registry whose token has expired.
    pub(super) fn expired(&self, route: &Route<'_>) -> Response<Body> {
        match &self.mode {
            PlayedRegistry::Hub(_) => self.hub_challenge(route, false, Some("invalid_token")),
            PlayedRegistry::Ecr(_) => error(
                StatusCode::FORBIDDEN,
                "DENIED",
                "Your authorization token has expired. Reauthenticate and try again.",
            ),
            PlayedRegistry::Open(_) => self.anonymous_challenge(),
        }
    }

    /// Answers a request for a token. `form` is the body of a POST.
    pub(super) fn token(&self, headers: &HeaderMap, query: &Query, form: Option<&Query>) -> Response<Body> {
        match (&self.mode, form) {
            (PlayedRegistry::Hub(options), Some(form)) => self.hub_oauth(options, form),
            (_, Some(_)) => error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported."),
            (mode, None) => self.token_by_get(mode, headers, query),
        }
    }

    fn token_by_get(&self, mode: &PlayedRegistry, headers: &HeaderMap, query: &Query) -> Response<Body> {
        match mode {
            PlayedRegistry::Hub(options) => self.hub_token(options, headers, query),
            PlayedRegistry::Open(options) if options.anonymous_token => {
                let token = self.issue(Vec::new(), 12 * 60 * 60, None);
                json_body(respond(StatusCode::OK), &json!({"token": token}))
            }
            PlayedRegistry::Ecr(_) | PlayedRegistry::Open(_) => {
                error(StatusCode::NOT_FOUND, "NOT_FOUND", "there are no tokens here")
            }
        }
    }

    fn hub_token(&self, options: &HubOptions, headers: &HeaderMap, query: &Query) -> Response<Body> {
        let account = match (headers.contains_key(AUTHORIZATION), basic(headers)) {
            (false, _) => None,
            (true, Some((name, password))) => {
                // An identity token may replace the password, whatever the user name.
                let is = |account: &&HubAccount| {
                    account.name == name && account.password == password || account.identity_token() == password
                };
                let known = options.accounts.iter().find(is);
                let Some(account) = known else { return wrong_password() };
                Some(account.clone())
            }
            (true, None) => return wrong_password(),
        };
        self.hub_grant(options, account, query.all("scope"))
    }

    /// OAuth2 with an identity token: <https://distribution.github.io/distribution/spec/auth/oauth/>.
    fn hub_oauth(&self, options: &HubOptions, form: &Query) -> Response<Body> {
        let refused = |why: &str| json_body(respond(StatusCode::BAD_REQUEST), &json!({"error": why}));
        if form.get("grant_type") != Some("refresh_token") {
            return refused("unsupported_grant_type");
        }
        if form.get("service").is_none() || form.get("client_id").is_none() {
            return refused("invalid_request");
        }
        let account =
            options.accounts.iter().find(|account| form.get("refresh_token") == Some(&account.identity_token()));
        let Some(account) = account else {
            return refused("invalid_grant");
        };
        self.hub_grant(options, Some(account.clone()), form.all("scope"))
    }

    fn hub_grant<'q>(
        &self,
        options: &HubOptions,
        account: Option<HubAccount>,
        scopes: impl Iterator<Item = &'q str>,
    ) -> Response<Body> {
        let wanted = scopes.flat_map(|scopes| scopes.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let wanted = wanted.filter_map(|scope| Some(scope.strip_prefix("repository:")?.rsplit_once(':')?.0.to_owned()));
        // A token for fewer repositories than were asked for is not an error: a repository that does not exist, or is
        // private, is left out.
        let granted: Vec<String> = wanted.filter(|name| self.store.read(name, |_| ()).is_some()).collect();
        let token = self.issue(granted, options.token_seconds, account);
        let issued_at = self.store.clock().now();
        json_body(
            respond(StatusCode::OK),
            &json!({"token": token, "access_token": token, "expires_in": options.token_seconds, "issued_at": issued_at}),
        )
    }

    /// Issues a token. It looks like a JSON web token, so that a client can see what it grants.
    fn issue(&self, repositories: Vec<String>, seconds: i64, account: Option<HubAccount>) -> String {
        let expires_at = self.store.clock().now().plus_seconds(seconds);
        let access: Vec<_> = repositories
            .iter()
            .map(|name| json!({"type": "repository", "name": name, "actions": ["pull"]}))
            .collect();
        let mut tokens = self.tokens.0.lock().unwrap_or_else(PoisonError::into_inner);
        let claims = json!({"access": access, "exp": expires_at.seconds(), "jti": tokens.len().to_string()});
        let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let token = format!("{}.{}.c2lnbmF0dXJl", part(json!({"alg": "none", "typ": "JWT"})), part(claims));
        tokens.insert(token.clone(), IssuedToken { repositories, expires_at, account });
        token
    }

    fn bearer(&self, headers: &HeaderMap) -> Option<IssuedToken> {
        let token = header(headers, AUTHORIZATION.as_str())?.strip_prefix("Bearer ")?;
        self.tokens.0.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    fn hub_bearer(&self, headers: &HeaderMap, route: &Route<'_>, writes: bool) -> Result<Caller, EarlyRefusal> {
        let Some(token) = self.bearer(headers) else {
            return Err(self.hub_challenge(route, writes, None).into());
        };
        if token.expires_at <= self.store.clock().now() {
            return Err(self.hub_challenge(route, writes, Some("invalid_token")).into());
        }
        let opens = |repository: &str| token.repositories.iter().any(|name| name == repository);
        if writes || route.repository().is_some_and(|repository| !opens(repository)) {
            return Err(self.hub_challenge(route, writes, Some("insufficient_scope")).into());
        }
        Ok(Caller { account: token.account })
    }

    fn hub_challenge(&self, route: &Route<'_>, writes: bool, error: Option<&str>) -> Response<Body> {
        let mut challenge = format!(r#"Bearer realm="{}/token",service="registry.docker.io""#, self.url);
        let mut detail = json!(null);
        if let Some(repository) = route.repository() {
            let actions = if writes { "pull,push" } else { "pull" };
            challenge.push_str(&format!(r#",scope="repository:{repository}:{actions}""#));
            detail = json!([{"Type": "repository", "Class": "", "Name": repository, "Action": "pull"}]);
        }
        if let Some(error) = error {
            challenge.push_str(&format!(r#",error="{error}""#));
        }
        let body =
            json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required", "detail": detail}]});
        json_body(respond(StatusCode::UNAUTHORIZED).header(WWW_AUTHENTICATE, challenge), &body)
    }

    fn ecr_basic(&self, headers: &HeaderMap) -> Result<Caller, EarlyRefusal> {
        let now = self.store.clock().now();
        let verdict = match basic(headers) {
            Some((user, password)) if user == "AWS" => self.store.credentials().check(&password, now),
            Some(_) | None => Verdict::Unknown,
        };
        match verdict {
            Verdict::Valid => Ok(Caller::default()),
            Verdict::Expired => Err(self.expired(&Route::Ping).into()),
            Verdict::Unknown => {
                let challenge = format!(r#"Basic realm="{}/",service="ecr.amazonaws.com""#, self.url);
                Err(with_body(
                    respond(StatusCode::UNAUTHORIZED).header(WWW_AUTHENTICATE, challenge),
                    "Not Authorized\n",
                )
                .into())
            }
        }
    }

    fn anonymous_bearer(&self, headers: &HeaderMap) -> Result<Caller, EarlyRefusal> {
        match self.bearer(headers) {
            Some(token) if self.store.clock().now() < token.expires_at => Ok(Caller::default()),
            Some(_) | None => Err(self.anonymous_challenge().into()),
        }
    }

    fn anonymous_challenge(&self) -> Response<Body> {
        let challenge = format!(r#"Bearer realm="{}/token/",service="public.ecr.aws",scope="aws""#, self.url);
        let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": "Not Authorized"}]});
        json_body(respond(StatusCode::UNAUTHORIZED).header(WWW_AUTHENTICATE, challenge), &body)
    }
}

fn wrong_password() -> Response<Body> {
    json_body(respond(StatusCode::UNAUTHORIZED), &json!({"details": "incorrect username or password"}))
}
