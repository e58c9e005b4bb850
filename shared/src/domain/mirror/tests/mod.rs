//! Tests of the mirror's domain.

mod config;
