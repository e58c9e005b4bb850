//! What the fuzz targets run.

mod targets;

pub use targets::{TARGETS, Target};

/// Runs the target of this name on `bytes`.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).run)(bytes);
}
