//! What the scenarios, the demo and the end-to-end run share: a fake AWS, a registry in this process, a model of
//! the ECS scheduler, all on one virtual clock.

pub mod aws;
pub mod clock;
pub mod e2e;
pub mod runtime_api;
