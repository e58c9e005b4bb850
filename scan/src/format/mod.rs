//! One file per format: each knows its places, and nothing of the others.

pub(crate) mod buildspec;
pub(crate) mod ci;
pub(crate) mod cloudformation;
pub(crate) mod commands;
pub(crate) mod compose;
pub(crate) mod ecs;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod helm;
pub(crate) mod kubernetes;
pub(crate) mod shell;
pub(crate) mod template;
pub(crate) mod terraform;
