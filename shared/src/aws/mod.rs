//! Adapters to AWS.

pub mod ecr;
