//! The model held against the rules of ECS and the arithmetic of the cases.

mod cases;
mod control_plane;
mod http;
mod pacing;
mod pulls;
mod rollout;
mod updates;
mod world;
