//! What the pullsafe functions and the command line share.
//!
//! [`domain`] is pure: it decides, and knows nothing of AWS clients, async, clocks, environment or logging.
//! The adapters carry its decisions out: [`aws`] speaks to AWS, [`registry`] to OCI registries. Each is a
//! feature, so that `cargo check -p pullsafe --no-default-features` proves that the domain needs neither.

pub mod clock;
pub mod domain;

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(all(feature = "aws", feature = "registry"))]
pub mod mirror;
#[cfg(feature = "registry")]
pub mod registry;
#[cfg(feature = "aws")]
pub mod telemetry;
