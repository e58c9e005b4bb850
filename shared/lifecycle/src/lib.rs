//! What a lifecycle policy of Amazon ECR does to the images of a repository, and when.
//!
//! [`Policy::parse`] reads a policy and names every fault with its place. [`evaluate()`] says what one run of it does,
//! [`fates()`] what becomes of each image if nobody touches the repository, and [`keep`] whether one more tag would
//! keep an image, or which change of the policy would. Everything is a function of its arguments: the images come from
//! DescribeImages and their manifests, the moment from the caller.
//!
//! The rules are those that the [user
//! guide](https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html) publishes. Where it leaves
//! something open, the reading is the one under which an image goes sooner: a warning too many is cheaper than an
//! outage.

#![warn(missing_docs)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod evaluate;
mod fate;
mod image;
pub mod keep;
mod parse;
mod policy;

pub use evaluate::{PolicyEffect, evaluate};
pub use fate::{Fate, fates};
pub use image::{Image, Repository, StorageClass};
pub use parse::PolicyFault;
pub use policy::{Action, Count, Policy, Rule, TagSelection};
