//! The attacks that docs/security-model.md says come to nothing. `cargo test -p scenarios attacks -- --nocapture` plays
//! them and prints what was tried, who wrote the text, and how it ended.

#[path = "table.rs"]
mod attacks;
