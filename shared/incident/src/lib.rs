//! The memory of a service: what failed, what is planned, done and waited for, and how it is told.
//!
//! An [`incident`] lasts from the first failure of a service until the service is steady again. A [`plan`] leaves
//! nothing to decide; a [`notice`] can be read by itself. The table that keeps them is behind a feature ([`store`]).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod answers;
pub mod asking;
pub mod brief;
pub mod command;
pub mod door;
pub mod drill;
pub mod happened;
pub mod held;
pub mod incident;
pub mod joins;
pub mod kept;
pub mod limit;
pub mod line;
pub mod notice;
pub mod outbreak;
pub mod outgoing;
pub mod outlook;
pub mod pace;
pub mod past;
pub mod plan;
pub mod published;
pub mod question;
pub mod quota;
pub mod record;
pub mod refusal;
pub mod runs;
pub mod sight;
pub mod spent;
#[cfg(feature = "store")]
pub mod store;
pub mod waiting;
