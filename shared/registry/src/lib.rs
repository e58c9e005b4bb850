//! A client for OCI registries (OCI Distribution Specification 1.1), and the engine that copies images between them.
//!
//! Guarantees:
//!
//! - No byte is handed on that does not belong to the requested digest.
//! - No credential goes to any host but the registry's own and its token service.
//! - No address that a registry names leads from the internet into this machine's network, or from https to http.
//! - No token, password or signed address appears in a log line, an error or a `Debug` text.
//! - Every wait has a limit.
//!
//! Reading order: [`endpoints`] and [`sign_in`] come in as configuration; [`client`] sends one request with sign-in,
//! redirects and retries; `manifests`, `blobs` and `uploads` are the operations on top of it; [`copy`] puts them
//! together.

#![warn(missing_docs)]

pub mod decide;

#[cfg(feature = "client")]
mod address;
#[cfg(feature = "client")]
mod blobs;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod config;
#[cfg(feature = "client")]
pub mod copy;
#[cfg(feature = "client")]
pub mod endpoints;
#[cfg(feature = "client")]
pub mod error;
#[cfg(feature = "client")]
pub mod http;
#[cfg(feature = "client")]
pub mod limits;
#[cfg(feature = "client")]
mod manifests;
#[cfg(feature = "client")]
mod pace;
#[cfg(feature = "client")]
#[doc(hidden)]
pub mod parsers;
#[cfg(feature = "client")]
pub mod reach;
#[cfg(feature = "client")]
mod reader;
#[cfg(feature = "client")]
mod referrers;
#[cfg(feature = "client")]
mod request;
#[cfg(feature = "client")]
pub mod sign_in;
#[cfg(feature = "client")]
pub mod tags;
#[cfg(all(test, feature = "client"))]
mod tests;
#[cfg(feature = "client")]
mod uploads;
#[cfg(feature = "client")]
mod verify;
#[cfg(feature = "client")]
mod wire;

#[cfg(feature = "client")]
pub use {
    blobs::{BlobReader, OnFailure},
    client::Client,
    config::Config,
    copy::{Artifacts, Copier, CopyEvent, CopyOptions, CopyReport, CopyRequest, Holder, Native, Progress},
    endpoints::Endpoints,
    error::{ErrorSource, RegistryError},
    limits::StatedQuota,
    manifests::{Manifest, ResolvedTag},
    pace::Allowance,
    reach::AllowedHosts,
    sign_in::credentials::{Basic, Credentials, CredentialsProvider, IdentityToken, Secret},
    uploads::{Mount, Upload},
};
