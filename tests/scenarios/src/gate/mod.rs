//! What the image gate is tested with: CloudFormation's side of a request, and an account for the gate to live in.

pub mod answers;
pub mod cost;
pub mod stage;

pub use answers::{Answers, Manner, Received};
pub use stage::GateStage;
