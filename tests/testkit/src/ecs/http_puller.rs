//! Pulls over HTTP as a container host does: the manifest, the manifest of the platform, the configuration.
//!
//! A registry counts the request for a manifest, by tag or by digest. Layers are left out: a pull is complete once it
//! has the configuration, byte for byte. One call makes no second attempt.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::StatusCode;
use pullsafe::reference::{Digest, Reference};
use serde_json::Value;

use super::http_client::{HttpClient, WholeAnswer, basic, challenge};
use super::pull_texts as texts;
use super::puller::{PullOutcome, Puller, full_name};

/// User and password for a registry's host, for a task with this execution role; `None` for an anonymous pull.
pub type RegistryLogin = Arc<dyn Fn(&str, Option<&str>) -> Option<(String, String)> + Send + Sync>;

/// Pulls from registries that answer on this machine.
pub struct HttpPuller {
    http: HttpClient,
    login: RegistryLogin,
}

impl HttpPuller {
    /// A puller whose requests seem to come from this address, without credentials.
    pub fn new(nat_address: &str) -> Self {
        Self {
            http: HttpClient::new(nat_address),
            login: Arc::new(|_, _| None),
        }
    }

    /// Maps a host of image references (`docker.io`), of a token service or of a redirect to its real address.
    pub fn endpoint(mut self, host: &str, base: &str) -> Self {
        self.http.map(host, base);
        if host == pullsafe::reference::DOCKER_HUB {
            self.http.map(api_host(host), base);
        }
        self
    }

    pub fn login(mut self, login: RegistryLogin) -> Self {
        self.login = login;
        self
    }

    async fn attempt(&self, image: &str, platform: &str, role: Option<&str>) -> Result<String, String> {
        let reference: Reference = image.parse().map_err(|error| format!("invalid reference format: {error}"))?;
        let mut pull = PullAttempt {
            http: &self.http,
            full: full_name(&reference),
            login: (self.login)(reference.registry(), role),
            authorization: None,
            reference,
        };
        pull.run(platform).await
    }
}

impl Puller for HttpPuller {
    fn pull<'a>(&'a self, image: &'a str, platform: &'a str, role: Option<&'a str>) -> BoxFuture<'a, PullOutcome> {
        Box::pin(async move {
            match self.attempt(image, platform, role).await {
                Ok(digest) => PullOutcome::Pulled { digest },
                Err(message) => PullOutcome::Failed { message },
            }
        })
    }
}

struct PullAttempt<'a> {
    http: &'a HttpClient,
    reference: Reference,
    /// The full reference as it appears in messages.
    full: String,
    login: Option<(String, String)>,
    authorization: Option<String>,
}

impl PullAttempt<'_> {
    /// Pulls the image. Returns the digest that the reference resolved to.
    async fn run(&mut self, platform: &str) -> Result<String, String> {
        let wanted = self.reference.tag_or_digest().to_owned();
        let (digest, mut manifest) = self.manifest(&wanted).await?;
        if let Some(children) = manifest["manifests"].as_array() {
            let child = children.iter().find(|child| is_for(&child["platform"], platform));
            let child = child
                .and_then(|child| child["digest"].as_str())
                .ok_or_else(|| texts::no_platform(platform))?
                .to_owned();
            manifest = self.manifest(&child).await?.1;
        }
        if let Some(config) = manifest["config"]["digest"].as_str() {
            let config = self.blob(config).await?;
            let given: Value = serde_json::from_slice(&config).unwrap_or_default();
            if given["architecture"].is_string() && !is_for(&given, platform) {
                return Err(texts::no_platform(platform));
            }
        }
        Ok(digest)
    }

    async fn manifest(&mut self, tag_or_digest: &str) -> Result<(String, Value), String> {
        let url = self.url("manifests", tag_or_digest);
        let answer = self.authorized(&url).await.map_err(|failure| match failure {
            PullFailure::Unreachable(why) => texts::manifest_unreachable(&self.full, &url, &why),
            PullFailure::NoToken(status) => texts::no_token(&self.full, &status),
        })?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(texts::not_found(&self.full)),
            StatusCode::UNAUTHORIZED => return Err(texts::denied(&self.full)),
            StatusCode::FORBIDDEN => {
                return Err(texts::forbidden(&self.full, self.reference.registry(), tag_or_digest));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let said = server_message(&answer).map(|message| texts::too_many_requests(&message));
                return Err(said.unwrap_or_else(|| texts::manifest_status(&self.full, &url, "429 Too Many Requests")));
            }
            other => return Err(texts::manifest_status(&self.full, &url, &words(other))),
        }
        let digest = Digest::of(&answer.body).to_string();
        if tag_or_digest.starts_with("sha256:") && digest != tag_or_digest {
            return Err(texts::blob_digest(tag_or_digest, &digest));
        }
        let manifest = serde_json::from_slice(&answer.body).map_err(|error| format!("failed to copy: {error}"))?;
        Ok((digest, manifest))
    }

    async fn blob(&mut self, digest: &str) -> Result<Vec<u8>, String> {
        let url = self.url("blobs", digest);
        let answer = self.authorized(&url).await.map_err(|failure| match failure {
            PullFailure::Unreachable(why) => texts::blob_unreachable(&url, &why),
            PullFailure::NoToken(status) => texts::no_token(&self.full, &status),
        })?;
        if answer.status != StatusCode::OK {
            return Err(texts::blob_status(&url, &words(answer.status)));
        }
        let found = Digest::of(&answer.body).to_string();
        if found == digest {
            Ok(answer.body.to_vec())
        } else {
            Err(texts::blob_digest(digest, &found))
        }
    }

    /// Gets a URL with this pull's authorization. Asks for a token or credentials when the registry challenges.
    async fn authorized(&mut self, url: &str) -> Result<WholeAnswer, PullFailure> {
        let answer = self.http.get(url, self.authorization.as_deref()).await.map_err(PullFailure::Unreachable)?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let credentials = self.login.as_ref().map(|(user, password)| basic(user, password));
        let Some((scheme, parameters)) = challenge(&answer.headers) else {
            return Ok(answer);
        };
        self.authorization = match (scheme.as_str(), credentials) {
            ("bearer", credentials) => Some(self.token(&parameters, credentials.as_deref()).await?),
            ("basic", Some(credentials)) => Some(credentials),
            _ => return Ok(answer),
        };
        self.http.get(url, self.authorization.as_deref()).await.map_err(PullFailure::Unreachable)
    }

    async fn token(
        &self,
        parameters: &std::collections::BTreeMap<String, String>,
        credentials: Option<&str>,
    ) -> Result<String, PullFailure> {
        let parameter = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let wanted = match parameter("scope") {
            "" => format!("repository:{}:pull", self.reference.repository()),
            scope => scope.to_owned(),
        };
        let url = format!("{}?service={}&scope={wanted}", parameter("realm"), parameter("service"));
        let answer = self.http.get(&url, credentials).await.map_err(PullFailure::Unreachable)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = body["token"].as_str().or_else(|| body["access_token"].as_str());
        match token.filter(|_| answer.status == StatusCode::OK) {
            Some(token) => Ok(format!("Bearer {token}")),
            None => Err(PullFailure::NoToken(words(answer.status))),
        }
    }

    fn url(&self, kind: &str, tag_or_digest: &str) -> String {
        format!(
            "https://{}/v2/{}/{kind}/{tag_or_digest}",
            api_host(self.reference.registry()),
            self.reference.repository()
        )
    }
}

/// Why there is no answer to look at.
enum PullFailure {
    Unreachable(String),
    NoToken(String),
}

/// The host of the registry's API, for the registry of a reference.
fn api_host(registry: &str) -> &str {
    if registry == pullsafe::reference::DOCKER_HUB {
        "registry-1.docker.io"
    } else {
        registry
    }
}

fn is_for(platform: &Value, wanted: &str) -> bool {
    let mut parts = wanted.split('/');
    platform["os"].as_str() == parts.next() && platform["architecture"].as_str() == parts.next()
}

/// The registry's own error as containerd shows it: `toomanyrequests: You have reached ...`.
fn server_message(answer: &WholeAnswer) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let error = &body["errors"][0];
    Some(format!("{}: {}", error["code"].as_str()?.to_ascii_lowercase(), error["message"].as_str()?))
}

/// The status as containerd shows it: `502 Bad Gateway`.
fn words(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default())
}
