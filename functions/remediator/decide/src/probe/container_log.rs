//! The logs of the task's containers. How they are found and read: [`crate::log::place`] and
//! [`crate::log::reading`]; what they add: [`crate::log::evidence`].

use super::{Probe, ProbeName};
use crate::log::place;

pub const PROBE: Probe = Probe {
    name: ProbeName::ContainerLog,
    looks_at: "the end and the beginning of the container's log, by the task definition's own awslogs options",
    settles: "why a program ended, and what lies behind a failed health check",
    needs: &["ecs:DescribeTaskDefinition", "logs:GetLogEvents"],
    is_worth: place::is_worth_reading,
};
