//! The account and region: the AWS configuration of this machine, or what it lacks and how to provide that.

use std::process::ExitCode;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use tokio::runtime::{Builder, Runtime};

#[cfg(feature = "report")]
use crate::terminal::CommandResult;
use crate::terminal::stop;

/// How long one attempt of a call waits for its answer. Without this limit, a command would hang when the other side
/// accepts a connection and says nothing.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// An account's configuration, and the runtime that waits for its answers.
pub(crate) struct Session {
    pub(crate) config: SdkConfig,
    runtime: Runtime,
}

impl Session {
    /// Signs in. If that fails, it prints why, and returns the exit status as the error.
    pub(crate) fn begin() -> Result<Self, ExitCode> {
        Self::sign_in().map_err(|(message, code)| stop(&message, code))
    }

    /// Signs in, or returns what to print about the failure.
    #[cfg(feature = "report")]
    pub(crate) fn open() -> Result<Self, CommandResult> {
        Self::sign_in().map_err(|(message, code)| CommandResult::fault(message, code))
    }

    fn sign_in() -> Result<Self, (String, u8)> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| (error.to_string(), 1))?;
        let config = runtime.block_on(config()).map_err(|message| (message, 2))?;
        Ok(Self { config, runtime })
    }

    /// Runs a future to its end.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// Loads the configuration, with credentials and a region.
///
/// # Errors
/// What is missing, and the next step.
pub(crate) async fn config() -> Result<SdkConfig, String> {
    let config = signed_in(aws_config::defaults(BehaviorVersion::latest())).await?;
    if config.region().is_none() {
        return Err("no AWS region is set: set AWS_REGION, or `region` in the profile".to_owned());
    }
    Ok(config)
}

/// Loads the configuration with credentials but without a region, for requests that name their region themselves.
///
/// # Errors
/// As for [`config`].
pub(crate) async fn signed_in(loader: ConfigLoader) -> Result<SdkConfig, String> {
    let config = loader
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .load()
        .await;
    let provider = config.credentials_provider().ok_or_else(|| missing("there is nowhere to get any from"))?;
    match provider.provide_credentials().await {
        Ok(_) => Ok(config),
        Err(error) => Err(missing(&pullsafe_aws::failure::chain(&error))),
    }
}

fn missing(why: &str) -> String {
    format!(
        "no AWS credentials ({why}): set AWS_PROFILE, sign in with `aws sso login`, or set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;

    #[tokio::test]
    async fn no_call_waits_for_ever() {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region("eu-west-1")
            .credentials_provider(Credentials::new("test", "test", None, None, "test"));
        let config = signed_in(loader).await.unwrap();
        assert_eq!(config.timeout_config().unwrap().operation_attempt_timeout(), Some(ATTEMPT_TIMEOUT));
    }
}
