//! What is done with the images that a scan found ([`pullsafe_find`]): reports, the move to another registry, a
//! baseline, the mirror's configuration, and an audit of what a whole account pulls.
//!
//! Findings in, text and edits out: but for the writing of an edited file nothing here touches a disk, and nothing asks
//! a network.

#![warn(missing_docs)]

pub mod audit;
pub mod baseline;
pub mod mirror_config;
pub mod report;
pub mod rewrite;

mod key;
