//! Checks the model against the rules of ECS and the numbers of the cases.

mod cases;
mod control_plane;
mod http;
mod pacing;
mod pulls;
mod rollout;
mod updates;
mod world;
