//! A fake AWS.

pub mod service;
