//! CloudFormation: whether the stack of a service is being deployed, and which stacks of pullsafe the region has.

use crate::decide::observation::Stack;
use pullsafe::lookup::Lookup;
use pullsafe::stack::Sibling;
use pullsafe::timestamp::Timestamp;
use pullsafe_aws::failure::{Failure, FailureKind};

/// AWS CloudFormation.
#[derive(Debug, Clone)]
pub struct Stacks(aws_sdk_cloudformation::Client);

impl Stacks {
    /// With the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_cloudformation::Client::new(config))
    }

    /// A stack's status, by its name or id.
    pub async fn status(&self, name: &str) -> Lookup<Stack> {
        let operation = self.0.describe_stacks().stack_name(name);
        match operation.send().await.map_err(|error| Failure::of("cloudformation:DescribeStacks", &error)) {
            Ok(answer) => match answer.stacks().first() {
                Some(stack) => Lookup::Found(Stack {
                    name: stack.stack_name().unwrap_or(name).to_owned(),
                    status: stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
                }),
                None => Lookup::Absent,
            },
            // CloudFormation has no code of its own for a stack that does not exist.
            Err(failure)
                if failure.kind == FailureKind::Refused
                    && failure.message.as_deref().is_some_and(|text| text.contains("does not exist")) =>
            {
                Lookup::Absent
            }
            Err(failure) => failure.doubt(),
        }
    }

    /// The stacks of this template in the region.
    ///
    /// # Errors
    /// `DescribeStacks` failed.
    pub async fn of_pullsafe(&self) -> Result<Vec<Sibling>, Failure> {
        let mut pages = self.0.describe_stacks().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::of("cloudformation:DescribeStacks", &error))?;
            found.extend(page.stacks().iter().filter_map(sibling));
        }
        Ok(found)
    }
}

fn sibling(stack: &aws_sdk_cloudformation::types::Stack) -> Option<Sibling> {
    let created = stack.creation_time()?.to_millis().ok().map(Timestamp::from_millis)?;
    let status = stack.stack_status()?.as_str();
    let parameter = |name: &str| {
        let found = stack.parameters().iter().find(|parameter| parameter.parameter_key() == Some(name));
        found.and_then(|parameter| parameter.parameter_value())
    };
    Sibling::of(stack.stack_name()?, created, status, stack.description(), parameter)
}
