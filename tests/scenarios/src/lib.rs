//! The worlds of the scenarios, the demonstration and the end-to-end run: the functions, connected to the stand-ins of
//! `testkit`.

pub mod cost;
pub mod gate;
pub mod reported;
pub mod storm;
pub mod world;
