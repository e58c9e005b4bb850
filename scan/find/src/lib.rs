//! Finds every container image that a repository's files pull: text in, findings out.
//!
//! [`detect::scan_text`] reads one text, [`walk::scan`] files and directories. What a file draws on beside itself it
//! asks of [`neighbours::Neighbours`]; but for the walk nothing here reads a file, and nothing asks a network. A
//! finding knows every byte that its reference was written with, so that whoever moves the image can change just these.

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
