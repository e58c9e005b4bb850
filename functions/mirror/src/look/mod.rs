//! The mirror around the copy engine, shared by the function and the command line: looking at both ends, creating
//! repositories, pruning.
//!
//! Everything that is decided is decided in [`crate::decide`]; here its facts are fetched and its decisions carried
//! out. Looking costs no pull quota: tags are resolved by HEAD, lists of tags come from where pulls are not counted,
//! and ECR is asked through its own API, a hundred images at a time, which leaves the times of its last pulls alone.

pub mod prune;
pub mod survey;
mod target;

pub use prune::{Pruned, Pruner};
pub use survey::{Around, Survey, survey};
