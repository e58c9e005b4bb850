//! The order of the workspace: which crate may depend on which, what a pure package may depend on, that files do not
//! import one another in circles, and that each name belongs to one type.
//!
//! Reads the manifests and the sources, so that a wrong dependency fails here and not in a review.

mod crates;
mod modules;
mod names;

use std::path::{Path, PathBuf};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the package lies in the project")
        .to_owned()
}
