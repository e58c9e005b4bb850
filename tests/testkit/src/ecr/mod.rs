//! The ECR API over an image store, and the events that ECR sends.

mod api;
mod archive;
mod events;
mod images;
mod layers;
mod lifecycle;
mod push;
mod repositories;
mod request;
mod signing;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_sdk;

pub use api::EcrApi;
pub use events::{ecr_archive_event, ecr_pull_through_event, ecr_push_event, ecr_replication_event};

/// The account that everything belongs to unless told otherwise.
pub const ACCOUNT: &str = "123456789012";
/// The region that everything is in unless told otherwise.
pub const REGION: &str = "eu-west-1";
