//! A client for OCI registries (OCI Distribution Specification 1.1), and the engine that copies images between them.
//!
//! Guarantees: no byte is handed on that does not belong to the digest that was asked for; no credential leaves for
//! another host than the registry's own or its token service; nothing leads from the
//! internet into this machine's network, or from https to http; no token, password or signed address appears in a log
//! line, an error or a `Debug` text; nothing waits without a limit.
//!
//! The order of reading: [`endpoints`] and [`credentials`] come in as configuration, [`client`] sends one request with
//! sign-in, redirects and retries, `manifests`, `blobs` and `uploads` are the operations on top of it, [`copy`] puts
//! them together.

mod address;
mod ahead;
mod auth;
mod blobs;
mod challenge;
pub mod client;
pub mod copy;
pub mod credentials;
pub mod docker_config;
pub mod endpoints;
pub mod error;
pub mod http;
pub mod limits;
mod manifests;
mod pace;
#[doc(hidden)]
pub mod parsers;
pub mod reach;
mod reader;
mod referrers;
pub mod tags;
#[cfg(test)]
mod tests;
mod token;
mod uploads;
mod verify;

pub use blobs::{BlobReader, OnFailure};
pub use client::{Client, Config};
pub use copy::{Artifacts, Copier, CopyOptions, CopyReport, CopyRequest, Event, Holder, Native, Progress};
pub use credentials::{Basic, Credentials, CredentialsProvider, IdentityToken, Secret};
pub use endpoints::Endpoints;
pub use error::{Fault, RegistryError};
pub use limits::Quota;
pub use manifests::{Manifest, Resolved};
pub use pace::Allowance;
pub use reach::Reach;
pub use uploads::{Mount, Upload};
