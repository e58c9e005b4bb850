//! ECR's password for its registries, kept until it gets old.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use futures_util::future::BoxFuture;

use super::{Ecr, EcrError, EcrRegions};
use pullsafe::clock::Clock;
use pullsafe::reference::ecr_host;
use pullsafe::timestamp::Timestamp;
use pullsafe_registry::sign_in::credentials::CredentialsError;
use pullsafe_registry::{Basic, Credentials, CredentialsProvider, Secret};

/// How long before its end a password is no longer used. ECR gives it for twelve hours, and a copy that starts now has
/// to end with the same password.
const RESERVE_SECONDS: i64 = 2 * 3600;

/// The password for every registry that the caller may use in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// User name and password.
    pub basic: Basic,
    /// When ECR stops accepting it.
    pub expires_at: Option<Timestamp>,
}

impl Ecr {
    /// Asks for a password.
    ///
    /// # Errors
    /// Whatever ECR answers.
    pub async fn authorization_token(&self) -> Result<Authorization, EcrError> {
        const OPERATION: &str = "GetAuthorizationToken";
        let answer = self
            .client
            .get_authorization_token()
            .send()
            .await
            .map_err(|error| EcrError::from_sdk(OPERATION, &error))?;
        let data = answer.authorization_data().first();
        let decoded =
            data.and_then(|data| base64::engine::general_purpose::STANDARD.decode(data.authorization_token()?).ok());
        let pair = decoded.and_then(|decoded| String::from_utf8(decoded).ok());
        let Some((username, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Err(EcrError::unusable(OPERATION, "the answer holds no user name and password".to_owned()));
        };
        let expires_at = data.and_then(|data| data.expires_at()?.to_millis().ok()).map(Timestamp::from_millis);
        Ok(Authorization {
            basic: Basic {
                username: username.to_owned(),
                password: Secret::new(password),
            },
            expires_at,
        })
    }
}

/// Signs in to private ECR registries of any region, and to nothing else. A password is fetched when it is first
/// needed.
pub struct EcrCredentials {
    regions: EcrRegions,
    clock: Clock,
    by_region: Mutex<HashMap<String, Authorization>>,
}

impl std::fmt::Debug for EcrCredentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EcrCredentials")
    }
}

impl EcrCredentials {
    /// Fetches passwords through these clients.
    pub fn new(regions: EcrRegions, clock: Clock) -> Self {
        Self { regions, clock, by_region: Mutex::default() }
    }

    fn cached(&self) -> MutexGuard<'_, HashMap<String, Authorization>> {
        // A panic elsewhere cannot leave the map half changed.
        self.by_region.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn basic(&self, region: &str) -> Result<Basic, EcrError> {
        let now = (self.clock)();
        let fresh = |authorization: &&Authorization| {
            authorization.expires_at.is_some_and(|expires_at| expires_at.seconds_since(now) > RESERVE_SECONDS)
        };
        if let Some(authorization) = self.cached().get(region).filter(fresh) {
            return Ok(authorization.basic.clone());
        }
        let authorization = self.regions.get(region).authorization_token().await?;
        self.cached().insert(region.to_owned(), authorization.clone());
        Ok(authorization.basic)
    }
}

impl CredentialsProvider for EcrCredentials {
    fn credentials<'a>(&'a self, registry: &'a str) -> BoxFuture<'a, Result<Option<Credentials>, CredentialsError>> {
        Box::pin(async move {
            let Some(host) = ecr_host(registry) else {
                return Ok(None);
            };
            match self.basic(host.region).await {
                Ok(basic) => Ok(Some(basic.into())),
                Err(error) => Err(CredentialsError {
                    is_transient: error.is_transient(),
                    reason: error.to_string(),
                }),
            }
        })
    }

    fn refused(&self, registry: &str) {
        if let Some(host) = ecr_host(registry) {
            self.cached().remove(host.region);
        }
    }
}
