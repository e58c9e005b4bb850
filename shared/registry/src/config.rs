//! The settings of a client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::endpoints::Endpoints;
use super::http::Timeouts;
use super::pace::Allowance;
use super::reach::AllowedHosts;
use super::sign_in::credentials::{Anonymous, CredentialsProvider};
use pullsafe::clock::Clock;

/// The `User-Agent` of a client.
pub(crate) const AGENT: &str = concat!("pullsafe/", env!("CARGO_PKG_VERSION"));

/// The settings of a client.
#[derive(Clone)]
pub struct Config {
    /// The addresses that registries answer at.
    pub endpoints: Endpoints,
    /// Which hosts may be asked.
    pub reach: AllowedHosts,
    /// Who provides the credentials.
    pub credentials: Arc<dyn CredentialsProvider>,
    /// The clock, for limits that are given as a date.
    pub clock: Clock,
    /// How long to wait for each part of a request.
    pub timeouts: Timeouts,
    /// The most times that a request is sent.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest wait that a registry may ask for; at a longer one the request fails.
    pub longest_pause: Duration,
    /// A limit that is shared with other processes, if there is one.
    pub allowance: Option<Arc<dyn Allowance>>,
}

impl Config {
    /// Signs in nowhere, and asks registries on the internet at their own addresses.
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
