//! Reads credentials as Docker keeps them: `config.json` with `auths`, `credHelpers` and `credsStore`, and the protocol
//! of the helpers.
//!
//! A helper is the program `docker-credential-<name>`. It is called with the word `get`, reads the registry from its
//! standard input and answers JSON. All helpers know Docker Hub as `https://index.docker.io/v1/`. An `identitytoken`,
//! or a helper's answer for the user `<token>`, is an OAuth2 refresh token. No error message here holds anything that a
//! file or a helper said, except names of registries.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::credentials::{
    Basic, Credentials, CredentialsError, CredentialsProvider, IDENTITY_USER, IdentityToken, Secret,
};
use pullsafe::reference::DOCKER_HUB;

/// Docker Hub's name in the file and for helpers.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// How long a helper may take. One that takes longer waits for a person who is not there.
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);

/// Docker's configuration, as far as it concerns credentials.
#[derive(Default)]
pub struct DockerConfig {
    path: PathBuf,
    file: ConfigFile,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConfigFile {
    auths: BTreeMap<String, ConfigAuth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct ConfigAuth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// A configuration that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", .path.display())]
pub struct InvalidDockerConfig {
    path: PathBuf,
    why: String,
}

impl std::fmt::Debug for DockerConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DockerConfig").field("path", &self.path).finish_non_exhaustive()
    }
}

impl DockerConfig {
    /// Reads the file; one that does not exist counts as empty.
    ///
    /// # Errors
    /// The file exists and cannot be read, or is not what Docker writes.
    pub fn load(path: &Path) -> Result<Self, InvalidDockerConfig> {
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(path, &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { path: path.to_owned(), file: ConfigFile::default() })
            }
            Err(error) => Err(InvalidDockerConfig { path: path.to_owned(), why: error.to_string() }),
        }
    }

    /// Parses the bytes of a file. Errors name the file only by its path.
    ///
    /// # Errors
    /// The bytes are not what Docker writes.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, InvalidDockerConfig> {
        // The parser's own message can quote a value, so the error gives only the place.
        let file = serde_json::from_slice(bytes).map_err(|error| InvalidDockerConfig {
            path: path.to_owned(),
            why: format!("line {}, column {}: it is not the JSON that Docker writes", error.line(), error.column()),
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Whether the file has credentials or a helper for a registry.
    pub fn knows(&self, registry: &str) -> bool {
        self.helper(registry).is_some() || self.auth(registry).is_some()
    }

    /// The helper for a registry, in Docker's order: first the registry's own, then the store for all; the file itself
    /// comes last.
    fn helper(&self, registry: &str) -> Option<&str> {
        let own = self
            .file
            .cred_helpers
            .iter()
            .find(|(key, _)| host_of_key(key) == registry)
            .map(|(_, helper)| helper.as_str());
        own.or(self.file.creds_store.as_deref()).filter(|helper| !helper.is_empty())
    }

    fn auth(&self, registry: &str) -> Option<&ConfigAuth> {
        self.file.auths.iter().find(|(key, _)| host_of_key(key) == registry).map(|(_, auth)| auth)
    }

    fn credentials_of(&self, registry: &str, auth: &ConfigAuth) -> Result<Option<Credentials>, CredentialsError> {
        let pair = self.pair_of(registry, auth);
        if auth.identitytoken.is_empty() {
            return Ok(pair?.map(|(username, password)| basic(&username, &password)));
        }
        // Next to the token Docker keeps `user:` with nothing after the colon; only the user name is needed.
        let username = pair.ok().flatten().map(|(username, _)| username).unwrap_or_default();
        Ok(Some(Credentials::Identity(IdentityToken { username, token: Secret::new(&*auth.identitytoken) })))
    }

    fn pair_of(&self, registry: &str, auth: &ConfigAuth) -> Result<Option<(String, String)>, CredentialsError> {
        if !auth.username.is_empty() {
            return Ok(Some((auth.username.clone(), auth.password.clone())));
        }
        if auth.auth.is_empty() {
            return Ok(None);
        }
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(auth.auth.trim())
            .ok()
            .and_then(|pair| String::from_utf8(pair).ok());
        let Some((username, password)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) else {
            let why = "has an `auth` that is not base64 of a user name, a colon and a password";
            return Err(failure(format!("{}: {registry} {why}", self.path.display())));
        };
        // Docker pads old entries with zero bytes.
        Ok(Some((username.to_owned(), password.trim_end_matches('\0').to_owned())))
    }
}

impl CredentialsProvider for DockerConfig {
    fn credentials<'a>(&'a self, registry: &'a str) -> BoxFuture<'a, Result<Option<Credentials>, CredentialsError>> {
        Box::pin(async move {
            if let Some(helper) = self.helper(registry) {
                let (helper, key) = (helper.to_owned(), helper_key(registry).to_owned());
                let asked = tokio::task::spawn_blocking(move || ask(&helper, &key)).await;
                let answer =
                    asked.unwrap_or_else(|_| Err(failure("a credential helper could not be run".to_owned())))?;
                if answer.is_some() {
                    return Ok(answer);
                }
            }
            self.auth(registry).map_or(Ok(None), |auth| self.credentials_of(registry, auth))
        })
    }
}

/// The registry that a key of the file stands for: keys are hosts or addresses.
fn host_of_key(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    match rest.split('/').next().unwrap_or_default() {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
    }
}

fn helper_key(registry: &str) -> &str {
    if registry == DOCKER_HUB { HUB_KEY } else { registry }
}

fn basic(username: &str, password: &str) -> Credentials {
    Basic {
        username: username.to_owned(),
        password: Secret::new(password),
    }
    .into()
}

fn failure(reason: String) -> CredentialsError {
    CredentialsError { reason, is_transient: false }
}

/// Asks a helper; `None` if it has nothing for this registry.
fn ask(helper: &str, key: &str) -> Result<Option<Credentials>, CredentialsError> {
    if !helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return Err(failure(format!("`{}` is not the name of a credential helper", helper.escape_debug())));
    }
    let program = format!("docker-credential-{helper}");
    let spawned = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = spawned.map_err(|error| failure(format!("{program} cannot be run: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input answers all the same, or fails below.
        let _ = stdin.write_all(key.as_bytes());
    }
    let Some(mut stdout) = child.stdout.take() else {
        return Err(failure(format!("{program} has no output")));
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut answer = Vec::new();
        let read = stdout.read_to_end(&mut answer).map(|_| answer);
        // After the timeout nobody listens any more.
        let _ = sender.send(read);
    });
    let Ok(Ok(answer)) = receiver.recv_timeout(HELPER_TIMEOUT) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(failure(format!("{program} gave no answer within {} s", HELPER_TIMEOUT.as_secs())));
    };
    let status = child.wait().map_err(|error| failure(format!("{program}: {error}")))?;
    if !status.success() {
        // By the protocol, the reason is on the standard output. "credentials not found" is the only one that is not a
        // failure.
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        return if text.contains("credentials not found") {
            Ok(None)
        } else {
            Err(failure(format!("{program} failed for {key}")))
        };
    }
    let answer: HelperAnswer = serde_json::from_slice(&answer)
        .map_err(|_| failure(format!("{program} answered something else than JSON for {key}")))?;
    Ok(answer.into_credentials())
}

impl HelperAnswer {
    fn into_credentials(self) -> Option<Credentials> {
        if self.username == IDENTITY_USER && !self.secret.is_empty() {
            return Some(Credentials::Identity(IdentityToken {
                username: String::new(),
                token: Secret::new(self.secret),
            }));
        }
        (!self.username.is_empty() || !self.secret.is_empty()).then(|| basic(&self.username, &self.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> DockerConfig {
        DockerConfig::parse(Path::new("config.json"), json.as_bytes()).unwrap()
    }

    async fn pair(config: &DockerConfig, registry: &str) -> Option<(String, String)> {
        match config.credentials(registry).await.unwrap()? {
            Credentials::Basic(basic) => Some((basic.username, basic.password.expose().to_owned())),
            Credentials::Identity(identity) => {
                Some((format!("identity of {}", identity.username), identity.token.expose().to_owned()))
            }
        }
    }

    #[tokio::test]
    async fn an_entry_is_found_under_every_name_that_docker_writes() {
        // u:p and v:q:r
        let config = config(
            r#"{"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}, "ghcr.io": {"auth": "djpxOnI="},
                "http://127.0.0.1:5000/v2/": {"username": "x", "password": "y"}, "quay.io": {}}, "HttpHeaders": {"a": "b"}}"#,
        );
        let found = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(pair(&config, "docker.io").await, found("u", "p"));
        assert_eq!(pair(&config, "ghcr.io").await, found("v", "q:r"));
        assert_eq!(pair(&config, "127.0.0.1:5000").await, found("x", "y"));
        assert_eq!(pair(&config, "quay.io").await, None);
        assert_eq!(pair(&config, "127.0.0.1:5001").await, None);
        assert!(!format!("{config:?}").contains("dTpw"));
    }

    #[test]
    fn a_helper_of_its_own_comes_before_the_store_of_all() {
        let config =
            config(r#"{"credsStore": "desktop", "credHelpers": {"public.ecr.aws": "ecr-login", "docker.io": "pass"}}"#);
        assert_eq!(config.helper("public.ecr.aws"), Some("ecr-login"));
        assert_eq!(config.helper("docker.io"), Some("pass"));
        assert_eq!(config.helper("ghcr.io"), Some("desktop"));
        assert_eq!(helper_key("docker.io"), HUB_KEY);
    }

    #[tokio::test]
    async fn an_identity_token_wins_over_the_password_beside_it() {
        // 00000000-0000-0000-0000-000000000000 without a password, as `az acr login` leaves it
        let config = config(
            r#"{"auths": {"a.azurecr.io": {"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==", "identitytoken": "refresh"},
                "b.example": {"auth": "!", "identitytoken": "other"}}}"#,
        );
        let found = |name: &str, token: &str| Some((format!("identity of {name}"), token.to_owned()));
        assert_eq!(pair(&config, "a.azurecr.io").await, found("00000000-0000-0000-0000-000000000000", "refresh"));
        assert_eq!(pair(&config, "b.example").await, found("", "other"));
    }

    #[test]
    fn a_helpers_answer_for_the_user_token_is_an_identity_token() {
        let read = |json: &str| serde_json::from_str::<HelperAnswer>(json).unwrap().into_credentials();
        let token = IdentityToken { username: String::new(), token: Secret::new("refresh") };
        assert_eq!(
            read(r#"{"ServerURL": "x", "Username": "<token>", "Secret": "refresh"}"#),
            Some(Credentials::Identity(token))
        );
        assert_eq!(read(r#"{"Username": "u", "Secret": "p"}"#), Some(basic("u", "p")));
        assert_eq!(read("{}"), None);
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_an_error_without_the_secret() {
        let config = config(r#"{"auths": {"a.example": {"auth": "aHVudGVyMg=="}, "b.example": {"auth": "!"}}}"#);
        for registry in ["a.example", "b.example"] {
            let error = config.credentials(registry).await.unwrap_err();
            assert!(
                error.reason.contains(registry) && !error.reason.contains("hunter2") && !error.is_transient,
                "{error}"
            );
        }
        let error = DockerConfig::parse(Path::new("c.json"), b"{\n \"auths\": \"hunter2\"}").unwrap_err().to_string();
        assert_eq!(error, "c.json: line 2, column 19: it is not the JSON that Docker writes");
        for helper in ["../../bin/sh", "a b", "pullsafe-has-no-such-helper"] {
            assert!(ask(helper, "ghcr.io").is_err());
        }
    }
}
