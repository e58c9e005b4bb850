//! The SDK configuration that leads to the fake.

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::{AsyncSleep, Credentials, SharedCredentialsProvider, Sleep};
use std::time::Duration;

use super::{FakeAws, REGION};

/// A sleeper that never waits. At most it moves the virtual clock on.
#[derive(Debug)]
struct NoSleep(FakeAws);

impl AsyncSleep for NoSleep {
    fn sleep(&self, pause: Duration) -> Sleep {
        let fake = self.0.clone();
        // The SDK also makes a sleep for every timeout; nobody waits for the end of such a sleep.
        Sleep::new(async move { fake.pause(pause) })
    }
}

/// A configuration whose clients call the fake and try each request `attempts` times.
pub(super) fn sdk_config(fake: FakeAws, attempts: u32) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "example-secret", None, None, "fake");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .sleep_impl(NoSleep(fake.clone()))
        .http_client(fake)
        .build()
}
