//! The report of an incident: what a person reads of the five cases, and that nothing from outside can break it.

mod board;
mod cases;
mod edges;
mod html;
mod properties;
