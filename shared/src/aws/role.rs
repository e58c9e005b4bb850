//! IAM: whether a task's execution role may pull from a repository.

use std::collections::BTreeMap;

use super::failure::{Failure, FailureKind};
use crate::domain::observation::Lookup;

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
        let every = |answer: &Lookup<bool>| repository_arns.iter().map(|arn| (arn.clone(), answer.clone())).collect();
        let operation = self
            .0
            .simulate_principal_policy()
            .policy_source_arn(role_arn)
            .set_action_names(Some(PULL.iter().map(|action| (*action).to_owned()).collect()))
            .set_resource_arns(Some(repository_arns.to_vec()));
        let answer = match operation.send().await.map_err(|error| Failure::of("iam:SimulatePrincipalPolicy", &error)) {
            Ok(answer) => answer,
            Err(failure) if failure.kind == FailureKind::NotFound => return every(&Lookup::Found(false)),
            Err(failure) => return every(&Lookup::Unknown(failure.to_string())),
        };
        let mut allowed: BTreeMap<String, usize> = BTreeMap::new();
        for result in answer.evaluation_results() {
            if result.eval_decision().as_str() == "allowed" {
                *allowed.entry(result.eval_resource_name().unwrap_or("*").to_owned()).or_default() += 1;
            }
        }
        let may = |arn: &String| allowed.get(arn).copied().unwrap_or_default() == PULL.len();
        repository_arns.iter().map(|arn| (arn.clone(), Lookup::Found(may(arn)))).collect()
    }
}
