//! A fake AWS behind the real SDK clients, without a socket.
//!
//! [`FakeAws`] is the HTTP client of an SDK configuration. It reads what a client wrote for the wire (awsJson or
//! awsQuery) and hands operation and JSON to the [`service::FakeService`] of that name. It renders the answer or the
//! error in the protocol of the request, so the caller gets the same typed exception as from AWS. Every call is
//! numbered and logged. Any call can fail in the ways in which a network and a busy service fail, or be the last call
//! of a process.
//!
//! No time passes here unless [`FakeAws::share_among`] says so: the services read a [`crate::clock::VirtualClock`], and
//! the SDK's pauses between attempts end at once.
//!
//! Why we wrote our own fakes: the published in-process mocks lose most fields of a task definition and ignore
//! immutable tags. Those that are right about DynamoDB, SQS and logs bring the default features of the SDK crates with
//! them: a second TLS stack and a rebuild of every client. These fakes cover the subset that pullsafe calls, with the
//! refusals of the real services that it could run into.

pub mod autoscaling;
pub mod call;
pub mod cloudformation;
mod config;
mod connector;
pub mod dynamodb;
pub mod eventbridge;
mod fake;
pub mod fault;
pub mod functions;
pub mod iam;
mod ids;
pub mod limits;
pub mod load_balancing;
pub mod logs;
pub mod names;
pub mod parameters;
mod query;
pub mod record;
pub mod schedules;
pub mod secrets;
pub mod server;
pub mod service;
pub mod sns;
pub mod sqs;
pub mod sts;
pub mod tagging;
mod wire;

pub use call::{Call, CallOutcome};
pub use fake::FakeAws;
pub use fault::{AwsFault, FaultKind, Which};
pub use server::Served;

/// The region of everything in the fake.
pub const REGION: &str = "eu-west-1";
/// The account of everything in the fake.
pub const ACCOUNT: &str = "123456789012";

#[cfg(test)]
mod tests;
