//! Registries in this process: a store of images, sample images for it, and servers that act as Docker Hub, Amazon ECR
//! and open registries over it.
//!
//! One [`ImageStore`] is one registry. [`RegistryServer`] serves it over HTTP and [`crate::ecr::EcrApi`] serves the
//! same store as the ECR API, so an image pushed on one side is visible on the other at once. All times come from the
//! store's [`crate::clock::VirtualClock`]; nothing here reads a real clock.

pub mod blob;
pub mod credentials;
pub mod manifest;
pub mod mutability;
pub mod repository;
pub mod sample;
pub mod server;
pub mod store;

pub use blob::Blob;
pub use manifest::media_type;
pub use mutability::Mutability;
pub use sample::{Sample, SampleImage};
pub use server::RegistryServer;
pub use server::fault::{FaultRule, Gate, RegistryFault, RetryAfter};
pub use server::log::AccessLine;
pub use server::options::{EcrOptions, HubAccount, HubOptions, OpenOptions, Patch};
pub use server::quota::ServerQuota;
pub use store::{ImageStore, PushError};
