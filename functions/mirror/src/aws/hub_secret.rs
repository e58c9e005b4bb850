//! Docker Hub's credentials from Secrets Manager, in the form of ECR's pull-through cache: `{"username": ...,
//! "accessToken": ...}`, or with `password` instead of `accessToken`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use pullsafe::clock::Clock;
use pullsafe::reference::DOCKER_HUB;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::SdkConfig;
use pullsafe_aws::ecr::EcrCredentials;
use pullsafe_aws::failure::Failure;
use pullsafe_aws::json::{JsonApi, SECRETS};
use pullsafe_registry::sign_in::credentials::CredentialsError;
use pullsafe_registry::{Basic, Credentials, CredentialsProvider, Secret};

/// How long a secret is kept before it is fetched again: a rotation is noticed within this time.
const GOOD_FOR_SECONDS: i64 = 15 * 60;
/// How long refused credentials are not fetched again: Docker Hub locks out a user who fails to sign in too often.
const AFTER_REFUSAL_SECONDS: i64 = 5 * 60;

/// Signs in to Docker Hub with the credentials in a secret.
pub struct HubSecret {
    config: SdkConfig,
    arn: String,
    clock: Clock,
    kept: Mutex<Option<CachedSecret>>,
}

struct CachedSecret {
    basic: Basic,
    since: Timestamp,
    refused: bool,
}

impl HubSecret {
    /// The secret with this ARN or name.
    pub const fn new(config: SdkConfig, arn: String, clock: Clock) -> Self {
        Self { config, arn, clock, kept: Mutex::new(None) }
    }

    fn kept(&self) -> MutexGuard<'_, Option<CachedSecret>> {
        // A panic elsewhere cannot leave the value half changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn basic(&self) -> Result<Basic, CredentialsError> {
        let now = (self.clock)();
        if let Some(kept) = self.kept().as_ref() {
            let age = now.seconds_since(kept.since);
            if kept.refused && age < AFTER_REFUSAL_SECONDS {
                let reason = "Docker Hub refuses the credentials in the secret".to_owned();
                return Err(CredentialsError { reason, is_transient: true });
            }
            if !kept.refused && age < GOOD_FOR_SECONDS {
                return Ok(kept.basic.clone());
            }
        }
        let basic = self.fetch().await?;
        *self.kept() = Some(CachedSecret { basic: basic.clone(), since: now, refused: false });
        Ok(basic)
    }

    async fn fetch(&self) -> Result<Basic, CredentialsError> {
        const CALL: &str = "secretsmanager:GetSecretValue";
        let failed = |failure: Failure| CredentialsError {
            is_transient: failure.is_transient(),
            reason: failure.to_string(),
        };
        let request = json!({"SecretId": self.arn});
        let answer = JsonApi::new(&self.config, SECRETS)
            .call(CALL, "secretsmanager.GetSecretValue", &request)
            .await
            .map_err(failed)?;
        let text = answer.get("SecretString").and_then(Value::as_str).unwrap_or_default();
        read(text).ok_or_else(|| {
            let reason =
                r#"the secret with Docker Hub's credentials is not of the form {"username": "...", "accessToken": "..."}"#.to_owned();
            CredentialsError { reason, is_transient: false }
        })
    }

    fn refused(&self) {
        let now = (self.clock)();
        if let Some(kept) = self.kept().as_mut() {
            (kept.refused, kept.since) = (true, now);
        }
    }
}

/// Reads a secret; `None` if it cannot be read. It gives no reason, because a reason would quote a part of the secret.
fn read(text: &str) -> Option<Basic> {
    #[derive(Deserialize)]
    struct SecretText {
        username: String,
        #[serde(rename = "accessToken", alias = "password")]
        password: String,
    }
    let stored: SecretText = serde_json::from_str(text).ok()?;
    let usable = !stored.username.is_empty() && !stored.password.is_empty();
    usable.then(|| Basic {
        username: stored.username,
        password: Secret::new(stored.password),
    })
}

/// The repositories of Docker Hub that the mirror's owner has named. The secret is used for these only; any other
/// repository that somebody asks to mirror is read anonymously.
#[derive(Debug, Default)]
pub struct NamedSources(RwLock<BTreeSet<String>>);

impl NamedSources {
    /// Replaces the named repositories.
    pub fn set(&self, repositories: BTreeSet<String>) {
        // A panic elsewhere cannot leave the set half changed.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = repositories;
    }

    fn has(&self, repository: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(repository)
    }
}

/// Signs in to private ECR registries, and to Docker Hub if there is a secret for it, but only for the repositories
/// that the owner has named.
pub struct MirrorCredentials {
    ecr: EcrCredentials,
    hub: Option<HubSecret>,
    named: Arc<NamedSources>,
}

impl MirrorCredentials {
    /// Combines the credentials for ECR with those for Docker Hub and the repositories that the latter are used for.
    pub const fn new(ecr: EcrCredentials, hub: Option<HubSecret>, named: Arc<NamedSources>) -> Self {
        Self { ecr, hub, named }
    }
}

impl CredentialsProvider for MirrorCredentials {
    fn credentials<'a>(&'a self, registry: &'a str) -> BoxFuture<'a, Result<Option<Credentials>, CredentialsError>> {
        match &self.hub {
            Some(hub) if registry == DOCKER_HUB => {
                Box::pin(async move { hub.basic().await.map(|basic| Some(basic.into())) })
            }
            Some(_) | None => self.ecr.credentials(registry),
        }
    }

    fn are_for(&self, registry: &str, repository: &str) -> bool {
        registry != DOCKER_HUB || self.named.has(repository)
    }

    fn refused(&self, registry: &str) {
        match &self.hub {
            Some(hub) if registry == DOCKER_HUB => hub.refused(),
            Some(_) | None => self.ecr.refused(registry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_secret_are_read_and_nothing_else() {
        for (text, expected) in [
            (r#"{"username": "u", "accessToken": "t"}"#, Some("t")),
            (r#"{"username": "u", "password": "p", "more": 1}"#, Some("p")),
            (r#"{"username": "", "password": "p"}"#, None),
            (r#"{"username": "u"}"#, None),
            ("u:p", None),
        ] {
            assert_eq!(read(text).as_ref().map(|basic| basic.password.expose()), expected, "{text}");
        }
    }
}
