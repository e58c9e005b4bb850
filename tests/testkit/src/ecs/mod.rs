//! A model of ECS: its control plane as JSON ([`EcsApi`]) and its scheduler on a virtual clock ([`Scheduler`]).
//!
//! The two share one state. A request is stored unchanged, so that fields which no SDK knows survive. The scheduler
//! launches, pulls, stops and replaces tasks as the five cases describe, and emits the events that EventBridge would
//! deliver. The same calls at the same virtual times always give the same events, ids included. Nothing here reads a
//! real clock or waits.
//!
//! Not modelled: replacing tasks of a deployment that another has followed; hosts, placement and capacity; staged
//! deployments (they run as rolling ones); the health of single targets (a container's [`Behaviour`] says how its
//! health checks end).

mod api;
mod arguments;
mod breaker;
mod definitions;
mod deployment;
mod events;
mod hooks;
mod http_client;
mod http_puller;
mod launch;
mod lists;
mod pacing;
mod pull_texts;
mod puller;
mod reconcile;
mod scheduler;
mod scripted;
mod service_updates;
mod services;
mod stack;
mod state;
mod tags;
mod task;
mod tasks;

#[cfg(test)]
mod tests;

pub use api::EcsApi;
pub use http_puller::{HttpPuller, RegistryLogin};
pub use pacing::Pacing;
pub use puller::{PullOutcome, Puller};
pub use scheduler::{Behaviour, LogLine, Scheduler};
pub use scripted::{PullRecord, ScriptedPuller, ScriptedQuota};
pub use stack::{StackOutcome, StackWatch};

/// The account of everything here, unless told otherwise.
pub const ACCOUNT: &str = "123456789012";
/// The region of everything here, unless told otherwise.
pub const REGION: &str = "eu-west-1";
