//! Nothing: what counts are the dependencies in Cargo.toml, and their features.
//!
//! Cargo builds a crate anew for every set of features that it is asked for, and whoever tests one package asks for fewer
//! than whoever tests all of them: the crates of the AWS SDK, which take minutes, would be built twice. Every package
//! names this one for its tests, so that both ask for the same. It is no dependency of a program, and changes none.
