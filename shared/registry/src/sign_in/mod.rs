//! Signing in to a registry: challenges, credentials and where they come from, tokens.

pub(crate) mod auth;
pub(crate) mod challenge;
pub mod credentials;
pub mod docker_config;
pub(crate) mod token;
