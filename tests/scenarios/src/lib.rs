//! The worlds that the scenarios, the demonstration and the end-to-end run play in: the functions, joined to the
//! stand-ins of `testkit`.

pub mod cost;
pub mod gate;
pub mod reported;
pub mod storm;
pub mod world;
