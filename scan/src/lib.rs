//! Finds every container image that a repository's files pull, and moves it to another registry.
//!
//! Text in, findings and edits out: but for the file walk nothing here reads a file, and nothing asks a network.

#![warn(missing_docs)]

pub mod analysis;
pub mod audit;
pub mod baseline;
pub mod detect;
pub mod disk;
pub mod finding;
pub mod mirror_config;
pub mod nearby;
pub mod report;
pub mod rewrite;
pub mod walk;

mod dockerfile;
mod format;
mod lines;
mod name;
mod resolve;
mod settle;
mod traced;
mod variables;
mod yaml;
mod yaml_indent;
