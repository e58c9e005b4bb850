//! Signing in to a registry: challenges, tokens, and credentials with where they come from.

pub(crate) mod auth;
pub(crate) mod challenge;
pub mod credentials;
pub mod docker_config;
pub(crate) mod token;
