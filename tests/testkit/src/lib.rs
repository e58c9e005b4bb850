//! Stand-ins for what the functions speak to: a fake AWS, registries in this process, a model of the scheduler of ECS,
//! all on one virtual clock, and Lambda's Runtime API for a function's binary. Nothing here knows a function.

pub mod aws;
pub mod clock;
pub mod ecr;
pub mod ecs;
pub mod registry;
pub mod rounds;
pub mod runtime_api;
