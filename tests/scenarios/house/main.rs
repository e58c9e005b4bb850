//! The order of the workspace: which crate may depend on which, what a pure package may depend on, and that files do
//! not import one another in circles.
//!
//! Reads the manifests and the sources, so that a wrong dependency fails here and not in a review.

mod crates;
mod modules;

use std::path::{Path, PathBuf};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the package lies in the project")
        .to_owned()
}
