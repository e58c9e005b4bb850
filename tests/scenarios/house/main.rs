//! The house: which crate may depend on which, what a pure package may be built of, that files do not import in
//! circles, and that a name is one type.
//!
//! Reads the manifests and the sources, so that a wrong way fails here and not in a review.

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
