//! What texts mean: the words that report causes, and the rows that recognise them.
//!
//! A row is data ([`row`]): what a text must contain, what it then means, what to do, and the real text that it was
//! written for. The tables ([`tables`]) hold the rows in the order in which a task starts, and [`matcher`] finds the
//! first that fits. A sentence that no row knows is read as a chain of errors ([`chain`]): its last answer decides,
//! read by each registry's own words ([`registries`]). Which text of a stop is believed is decided in
//! `pullsafe-diagnosis`, not here.

#![warn(missing_docs)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod build_facts;
pub mod cause;
pub mod chain;
pub mod matcher;
pub mod registries;
pub mod row;
pub mod shape;
pub mod tables;

#[cfg(test)]
mod tests;
