//! Tests of the mirror's decisions. Their properties are tested in the package `scenarios`.

mod config;
mod plan;
mod prune;
mod schema;
mod select;

use super::MirrorConfig;
use pullsafe::reference::Digest;
use pullsafe::timestamp::Timestamp;

fn config(rest: &str) -> MirrorConfig {
    MirrorConfig::parse(&format!("registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com\n{rest}"))
        .expect("a right configuration")
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn at_hour(hour: i64) -> Timestamp {
    Timestamp::from_millis(1_768_000_000_000).plus_seconds(hour * 3600)
}
