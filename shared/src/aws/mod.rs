//! Adapters to AWS: thin, one file per service, speaking the domain's types.
//!
//! Nothing is decided here. Every failure becomes a [`Failure`] that says which call failed, whether trying again
//! can help, and nothing that should not be in a log.

#[cfg(feature = "registry")]
pub mod allowance;
pub mod ecr;
pub mod ecs;
pub mod errors;
pub mod failure;
pub mod gate_table;
#[cfg(feature = "registry")]
pub mod hub_secret;
pub mod inventory;
mod item;
pub mod json;
pub mod load_balancing;
pub mod logs;
pub mod mirror_table;
pub mod outbox;
pub mod parameter;
pub mod queue;
pub mod role;
pub mod scaling;
pub mod stack;
pub mod table;

pub use aws_config::SdkConfig;
pub use failure::{Failure, FailureKind};
