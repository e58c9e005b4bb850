//! The tables of signatures, by family. They are in the order in which a task starts, because the first phase that
//! fails hides the later ones. Within a table the specific comes before the general.

pub mod access;
pub mod agent;
pub mod answers;
pub mod ecr_auth;
pub mod image;
pub mod limits;
pub mod logs_beam;
mod logs_common;
pub mod logs_config;
pub mod logs_dependency;
pub mod logs_java;
pub mod logs_native;
pub mod logs_node;
pub mod logs_other;
pub mod logs_python;
pub mod logs_shell;
pub mod logs_system;
pub mod logs_workers;
pub mod network;
pub mod placement;
pub mod resources;
pub mod runtime;
pub mod secrets;
pub mod start;
pub mod stopper;

use crate::row::SignatureRow;

/// What every table imports.
mod prelude {
    pub(super) use crate::cause::{Cause, Confidence, Kind, Phase, Signature, Why};
    pub(super) use crate::row::{SignatureRow, SubjectPosition, named, seen, seen_with};
    pub(super) use crate::shape::NameShape;
    pub(super) use pullsafe::reference::Registry;
}

/// The tables for the reason of a task or a container.
pub static REASONS: &[&[SignatureRow]] = &[
    stopper::ROWS,
    start::MEMORY,
    resources::EFS,
    resources::DISK,
    placement::ROWS,
    ecr_auth::ROWS,
    secrets::ROWS,
    resources::LOG_DRIVER,
    limits::ROWS,
    image::PLATFORM,
    image::DIGEST,
    access::ROWS,
    image::MISSING,
    image::BROKEN,
    network::ROWS,
    resources::VOLUMES,
    start::ROWS,
    runtime::ROWS,
    agent::ROWS,
];

/// The tables for the answer at the end of a chain, if none of [`REASONS`] matches the text.
pub static ANSWERS: &[&[SignatureRow]] = &[answers::ROWS];

/// The tables for the lines of a container's log.
pub static LOGS: &[&[SignatureRow]] = &[
    start::MEMORY,
    logs_system::ROWS,
    logs_dependency::ROWS,
    logs_shell::ROWS,
    logs_config::ROWS,
    logs_python::ROWS,
    logs_node::ROWS,
    logs_java::ROWS,
    logs_beam::ROWS,
    logs_workers::ROWS,
    logs_other::ROWS,
    logs_native::ROWS,
];
