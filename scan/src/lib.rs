//! What can be done with the images that a scan ([`pullsafe_find`]) found: reports, the move to another registry, a
//! baseline, the mirror's configuration, and an audit of what a whole account pulls.
//!
//! Takes findings and returns text and edits. Only the writing of an edited file touches the disk; nothing uses the
//! network.

#![warn(missing_docs)]

pub mod audit;
pub mod baseline;
pub mod mirror_config;
pub mod report;
pub mod rewrite;

mod key;
