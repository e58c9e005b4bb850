//! The report of an incident: what a person reads in the five cases, and that no foreign text can break it.

mod board;
mod cases;
mod edges;
mod html;
mod properties;
