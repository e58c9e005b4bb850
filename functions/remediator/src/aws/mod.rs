//! Clients of the AWS services that only the remediator calls: thin, one file each.

pub mod deployments;
pub mod ecs;
pub mod load_balancing;
pub mod logs;
pub mod running;
pub mod scaling;
mod schedules;
pub mod stack;
pub mod tagging;
pub mod unread;
