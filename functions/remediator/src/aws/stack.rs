//! CloudFormation: whether the stack of a service is being deployed.

use crate::decide::observation::Stack;
use pullsafe::lookup::Lookup;
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
}
