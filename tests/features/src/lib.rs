//! No code: this package is only the dependencies in its Cargo.toml, with their features.
//!
//! Cargo builds a crate anew for every set of features that is asked of it. The tests of one package ask for fewer
//! features than the tests of all packages. So the crates of the AWS SDK, which take minutes, would be built twice.
//! Every package names this one as a dependency of its tests, so that the sets are equal. No program depends on this
//! package, so it changes none.
