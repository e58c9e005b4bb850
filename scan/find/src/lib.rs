//! Finds every container image that a repository's files pull: text in, findings out.
//!
//! [`detect::scan_text`] reads one text; [`walk::scan`] reads files and directories. The other files that a text needs
//! come from [`neighbours::Neighbours`]. Only [`walk`] and [`disk`] read files, and nothing uses the network. A finding
//! knows which bytes its reference was written with, so that a move of the image can change only these.

#![warn(missing_docs)]

pub mod detect;
pub mod disk;
pub mod finding;
pub mod nearby;
pub mod neighbours;
pub mod walk;

mod analysis;
mod dockerfile;
mod format;
mod name;
mod settle;
