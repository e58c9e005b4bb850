//! Whose account and which region: the AWS configuration of this machine, or what is missing in it and how to give it.

use std::process::ExitCode;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use tokio::runtime::{Builder, Runtime};

#[cfg(feature = "report")]
use crate::terminal::CommandResult;
use crate::terminal::stop;

/// For how long one try of a call waits for its answer: whoever accepts a connection and says nothing ends no command
/// otherwise.
const TRY: Duration = Duration::from_secs(10);

/// An account, and what it takes to wait for its answers.
pub(crate) struct Session {
    /// The configuration.
    pub(crate) config: SdkConfig,
    runtime: Runtime,
}

impl Session {
    /// Signs in; where that cannot be, it has said why, and the exit status is the error.
    pub(crate) fn begin() -> Result<Self, ExitCode> {
        Self::sign_in().map_err(|(message, code)| stop(&message, code))
    }

    /// Signs in, or gives what is to be said of why that cannot be.
    #[cfg(feature = "report")]
    pub(crate) fn open() -> Result<Self, CommandResult> {
        Self::sign_in().map_err(|(message, code)| CommandResult::fault(message, code))
    }

    fn sign_in() -> Result<Self, (String, u8)> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| (error.to_string(), 1))?;
        let config = runtime.block_on(config()).map_err(|message| (message, 2))?;
        Ok(Self { config, runtime })
    }

    /// Waits for work in it.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// The configuration with credentials and a region.
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

/// The configuration with credentials, where what is asked for names its region itself.
///
/// # Errors
/// As [`config`].
pub(crate) async fn signed_in(loader: ConfigLoader) -> Result<SdkConfig, String> {
    let config = loader.timeout_config(TimeoutConfig::builder().operation_attempt_timeout(TRY).build()).load().await;
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
        assert_eq!(config.timeout_config().unwrap().operation_attempt_timeout(), Some(TRY));
    }
}
