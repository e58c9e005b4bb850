//! CloudFormation: the state of a stack.

use aws_sdk_cloudformation::Client;
use pullsafe::stack::StackStatus;
use pullsafe_aws::Failure;

/// AWS CloudFormation.
#[derive(Debug, Clone)]
pub(crate) struct WaitingStacks(Client);

impl WaitingStacks {
    /// Uses the credentials, region and HTTP client of this configuration.
    pub(crate) fn new(config: &aws_config::SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// A stack's status, such as `UPDATE_IN_PROGRESS`, by its id.
    pub(crate) async fn status(&self, stack_id: &str) -> Result<StackStatus, Failure> {
        const CALL: &str = "cloudformation:DescribeStacks";
        let answer = self
            .0
            .describe_stacks()
            .stack_name(stack_id)
            .send()
            .await
            .map_err(|error| Failure::of(CALL, &error))?;
        let status =
            answer.stacks().first().and_then(|stack| stack.stack_status()).map(|status| status.as_str().into());
        status.ok_or_else(|| Failure::unexpected(CALL, "an answer without a stack"))
    }
}
