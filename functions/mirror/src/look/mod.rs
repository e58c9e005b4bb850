//! What surrounds the copy engine, shared by the function and the command line: looking at both ends, and pruning.
//!
//! All decisions are made in [`crate::decide`]; this module fetches their facts and carries them out. Looking costs no
//! pull quota: tags are resolved by HEAD, and lists of tags come from where pulls are not counted. ECR is asked through
//! its own API, a hundred images at a time, which leaves the times of last pulls unchanged.

pub mod prune;
pub mod survey;
mod target;

pub use prune::{Pruned, Pruner};
pub use survey::{Around, Survey, survey};
