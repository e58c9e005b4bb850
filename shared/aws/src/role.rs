//! IAM: what a task's execution role may do, by simulation.
//!
//! The simulation knows the role's policies and its boundary, but no policy of a repository, a secret or a key. So only
//! some of its refusals are final ([`PolicyVerdict`]).

use std::collections::BTreeMap;

use pullsafe::lookup::{Lookup, PolicyVerdict};

use crate::failure::{Failure, FailureKind};

const CALL: &str = "iam:SimulatePrincipalPolicy";
/// What a pull from ECR needs of the repository; and the sign-in, which no policy of a repository can give.
/// Source: Amazon ECS Developer Guide, "Amazon ECS task execution IAM role".
const SIGN_IN: &str = "ecr:GetAuthorizationToken";
const PULL: [&str; 3] = [SIGN_IN, "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// AWS IAM.
#[derive(Debug, Clone)]
pub struct Roles(aws_sdk_iam::Client);

impl Roles {
    /// With the credentials, region and HTTP client of this configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_iam::Client::new(config))
    }

    /// For each repository (by ARN): whether the role's own policies allow a pull from it.
    pub async fn may_pull(&self, role_arn: &str, repository_arns: &[String]) -> BTreeMap<String, Lookup<bool>> {
        let mut answers = BTreeMap::new();
        // One resource at a time: for several, IAM's answer is the strictest decision over all of them.
        for arn in repository_arns {
            let answer = match self.may_pull_from(role_arn, arn).await {
                Lookup::Found(leave) => Lookup::Found(leave == PolicyVerdict::Given),
                Lookup::Absent => Lookup::Found(false),
                Lookup::Unknown(doubt) => Lookup::Unknown(doubt),
            };
            answers.insert(arn.clone(), answer);
        }
        answers
    }

    /// Whether a role may pull from a repository; absent if there is no such role.
    pub async fn may_pull_from(&self, role_arn: &str, repository_arn: &str) -> Lookup<PolicyVerdict> {
        self.may(role_arn, &PULL, repository_arn).await
    }

    /// Whether a role may do all of this with one resource; absent if there is no such role.
    pub async fn may(&self, role_arn: &str, actions: &[&str], resource_arn: &str) -> Lookup<PolicyVerdict> {
        let operation = self
            .0
            .simulate_principal_policy()
            .policy_source_arn(role_arn)
            .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
            .resource_arns(resource_arn);
        let answer = match operation.send().await.map_err(|error| Failure::of(CALL, &error)) {
            Ok(answer) => answer,
            Err(failure) if failure.kind == FailureKind::NotFound => return Lookup::Absent,
            Err(failure) => return failure.doubt(),
        };
        let (mut denied, mut open) = (Vec::new(), Vec::new());
        for action in actions {
            let result = answer
                .evaluation_results()
                .iter()
                .find(|result| result.eval_action_name().eq_ignore_ascii_case(action));
            let Some(result) = result else {
                return Failure::unexpected(CALL, format!("it says nothing of {action}")).doubt();
            };
            let conditional = !result.missing_context_values().is_empty();
            match result.eval_decision().as_str() {
                "allowed" => {}
                "explicitDeny" if !conditional => denied.push((*action).to_owned()),
                "implicitDeny" if *action == SIGN_IN && !conditional => denied.push((*action).to_owned()),
                _ => open.push((*action).to_owned()),
            }
        }
        Lookup::Found(match (denied.is_empty(), open.is_empty()) {
            (false, _) => PolicyVerdict::Refused(denied),
            (true, false) => PolicyVerdict::Missing(open),
            (true, true) => PolicyVerdict::Given,
        })
    }
}
