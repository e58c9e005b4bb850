//! What a client works with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::endpoints::Endpoints;
use super::http::Timeouts;
use super::pace::Allowance;
use super::reach::AllowedHosts;
use super::sign_in::credentials::{Anonymous, CredentialsProvider};
use pullsafe::clock::Clock;

/// What a client calls itself.
pub(crate) const AGENT: &str = concat!("pullsafe/", env!("CARGO_PKG_VERSION"));

/// What a client works with.
#[derive(Clone)]
pub struct Config {
    /// Where registries answer.
    pub endpoints: Endpoints,
    /// Which hosts are asked.
    pub reach: AllowedHosts,
    /// Who signs in.
    pub credentials: Arc<dyn CredentialsProvider>,
    /// What time it is, for limits that are given as a date.
    pub clock: Clock,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How often a request is sent at most.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause that a registry may ask for without the request failing instead.
    pub longest_pause: Duration,
    /// What other processes have a part in too.
    pub allowance: Option<Arc<dyn Allowance>>,
}

impl Config {
    /// Anonymous, at the own addresses of registries on the internet.
    pub fn new(clock: Clock) -> Self {
        Self {
            endpoints: Endpoints::default(),
            reach: AllowedHosts::Internet,
            credentials: Arc::new(Anonymous),
            clock,
            timeouts: Timeouts::default(),
            attempts: 4,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            allowance: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("endpoints", &self.endpoints)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}
