//! The figures: the functions' size, how fast they start, and how much memory and how many round trips they need.
//!
//! `cargo figures` is `src/bin/figures.rs`; it measures the release binaries and writes `docs/figures.md`. A figure
//! that misses its goal is written down as missed; it does not fail the run.

pub mod account;
pub mod build;
pub mod crates;
pub mod events;
pub mod load;
pub mod logs;
pub mod machine;
pub mod report;
pub mod size;
pub mod speed;
pub mod start;
pub mod storm;
pub mod tree;
pub mod trips;
