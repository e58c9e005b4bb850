//! The log of a container as evidence: where it is, how much of it is read, what it adds.

pub mod evidence;
pub mod place;
pub mod reading;
