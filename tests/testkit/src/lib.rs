//! Stand-ins for everything that the functions talk to: a fake AWS, registries in this process, a model of ECS's
//! scheduler, all on one virtual clock, and Lambda's Runtime API for a function's binary. Nothing here depends on a
//! function.

pub mod aws;
pub mod clock;
pub mod ecr;
pub mod ecs;
pub mod registry;
pub mod rounds;
pub mod runtime_api;
