//! IAM: whether a task's execution role may pull from a repository.

use std::collections::BTreeMap;

use pullsafe::lookup::Lookup;
use pullsafe_aws::failure::{Failure, FailureKind};

/// What a pull from ECR needs.
/// Source: Amazon ECS Developer Guide, "Amazon ECS task execution IAM role".
const PULL: [&str; 3] = ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// AWS IAM.
#[derive(Debug, Clone)]
pub struct Roles(aws_sdk_iam::Client);

impl Roles {
    /// With the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_iam::Client::new(config))
    }

    /// For each repository (by ARN): whether the role's policies allow a pull from it. Policies of the repository or
    /// of the organisation are not part of the simulation.
    pub async fn may_pull(&self, role_arn: &str, repository_arns: &[String]) -> BTreeMap<String, Lookup<bool>> {
        let mut answers = BTreeMap::new();
        // One resource at a time: for several, IAM's answer is the strictest decision over all of them.
        for arn in repository_arns {
            answers.insert(arn.clone(), self.may_pull_from(role_arn, arn).await);
        }
        answers
    }

    async fn may_pull_from(&self, role_arn: &str, repository_arn: &str) -> Lookup<bool> {
        let operation = self
            .0
            .simulate_principal_policy()
            .policy_source_arn(role_arn)
            .set_action_names(Some(PULL.iter().map(|action| (*action).to_owned()).collect()))
            .resource_arns(repository_arn);
        match operation.send().await.map_err(|error| Failure::of("iam:SimulatePrincipalPolicy", &error)) {
            Ok(answer) => {
                let allowed = answer.evaluation_results().iter().filter(|result| result.eval_decision().as_str() == "allowed").count();
                Lookup::Found(allowed == PULL.len())
            }
            Err(failure) if failure.kind == FailureKind::NotFound => Lookup::Found(false),
            Err(failure) => failure.doubt(),
        }
    }
}
