//! What the scenarios, the demo and the end-to-end run share: a fake AWS, registries in this process, a model of
//! the ECS scheduler, all on one virtual clock, the world that joins them, and the real thing: an emulator and the
//! functions' binaries behind a Lambda Runtime API. What is measured of them is in [`figures`].

pub mod aws;
pub mod browser;
pub mod clock;
pub mod demo;
pub mod e2e;
pub mod ecr;
pub mod ecs;
pub mod figures;
pub mod gate;
pub mod registry;
pub mod reported;
pub mod runtime_api;
pub mod world;
