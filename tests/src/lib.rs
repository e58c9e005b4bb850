//! What the scenarios, the demo and the end-to-end run share: a fake AWS, registries in this process, a model of
//! the ECS scheduler, all on one virtual clock.

pub mod aws;
pub mod clock;
pub mod ecr;
pub mod ecs;
pub mod registry;
pub mod world;
