//! ECS, pretended: its control plane on JSON ([`EcsApi`]) and its scheduler on a virtual clock ([`Scheduler`]).
//!
//! The two share one state. A request is stored as it came, so that fields which no SDK knows survive; the scheduler
//! launches, pulls, stops and replaces tasks as the five cases describe, and emits the events that EventBridge would
//! deliver. What it guarantees: the same calls at the same virtual times give the same events, ids included. Nothing
//! here reads a real clock or waits.
//!
//! What it leaves out: replacing tasks of a deployment that another has followed; hosts, placement and capacity; staged
//! deployments (they run as rolling ones); the health of single targets (a container's [`Behaviour`] says how its
//! checks end).

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

/// The account that everything belongs to, unless told otherwise.
pub const ACCOUNT: &str = "123456789012";
/// The region that everything is in, unless told otherwise.
pub const REGION: &str = "eu-west-1";
