//! Adapters to AWS that more than one function uses: thin, one file per service, each a feature.
//!
//! No decisions are made here. Every failure becomes a [`Failure`], which says which call failed and whether trying
//! again can help, and has nothing that should not be in a log.

#[cfg(feature = "ecr")]
pub mod ecr;
#[cfg(feature = "json")]
mod endpoints;
pub mod errors;
pub mod failure;
#[cfg(feature = "json")]
pub mod identity;
#[cfg(feature = "dynamodb")]
pub mod item;
#[cfg(feature = "json")]
pub mod json;
pub mod kind;
#[cfg(feature = "outbox")]
pub mod outbox;
#[cfg(feature = "queue")]
pub mod queue;
#[cfg(feature = "iam")]
pub mod role;
pub mod telemetry;

pub use aws_config::SdkConfig;
pub use failure::{Failure, FailureKind};
