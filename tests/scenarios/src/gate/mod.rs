//! What the image gate is tested with: CloudFormation's side of a request, and an account in which the gate runs.

pub mod answers;
pub mod cost;
pub mod stage;

pub use answers::{Answers, Manner, Received};
pub use stage::GateStage;
