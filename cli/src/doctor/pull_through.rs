//! Pull-through rules of the registry: whether a look of pullsafe could cause a pull through one, whether one writes
//! where the mirror does, and whether the services that pull through one may bring in what is not cached yet.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use pullsafe::reference::{Reference, ecr_host};
use pullsafe_aws::Failure;
use serde_json::json;

use super::assumptions::{self, CLUSTERS, EACH};
use super::finding::Check;
use super::stack::Deployed;

const LOOKS: &str = "BatchGetImage below a pull-through prefix only looks";
const IMPORTS: &str = "what pulls through the cache may import";
const MIRROR: &str = "the mirror's prefix is its own";
/// The permissions that a first pull through the cache needs beside those of a pull. Source: Amazon ECR User Guide,
/// "IAM permissions required to sync an upstream registry".
const IMPORT: &str = "ecr:BatchImportUpstreamImage";
const CREATE: &str = "ecr:CreateRepository";

/// Checks everything that the rules affect.
pub(super) async fn look(config: &SdkConfig, stack: &Deployed) -> Vec<Check> {
    let ecr = aws_sdk_ecr::Client::new(config);
    let rules = ecr.describe_pull_through_cache_rules().send().await;
    let prefixes: Vec<String> = match rules.map_err(|error| Failure::of("ecr:DescribePullThroughCacheRules", &error)) {
        Ok(answer) => answer
            .pull_through_cache_rules()
            .iter()
            .filter_map(|rule| rule.ecr_repository_prefix())
            .map(str::to_owned)
            .collect(),
        Err(failure) => {
            return vec![Check::unknown(LOOKS, failure.to_string(), "allow ecr:DescribePullThroughCacheRules")];
        }
    };
    if prefixes.is_empty() {
        return vec![Check::right(LOOKS, "no pull-through rule, so that it does not matter")];
    }
    let iam = aws_sdk_iam::Client::new(config);
    vec![
        own_looks(&iam, stack, &prefixes).await,
        own_prefix(stack, &prefixes),
        imports(config, &iam, &ecr, stack, &prefixes).await,
    ]
}

/// Checks that the stack's roles may not import upstream images, so that their looks cannot cause an import.
async fn own_looks(iam: &aws_sdk_iam::Client, stack: &Deployed, prefixes: &[String]) -> Check {
    let rules = format!("rules for {}", prefixes.join(", "));
    for role in ["RemediatorRole", "ImageGateRole", "GateWakerRole", "MirrorRole"] {
        let Some(physical) = stack.physical(role) else { continue };
        let arn = format!("arn:{}:iam::{}:role/{physical}", stack.partition, stack.account);
        for prefix in prefixes {
            match allowed(iam, &arn, &repository_arn(stack, &format!("{prefix}/doctor")), &[IMPORT]).await {
                Ok(missing) if missing.is_empty() => {
                    let mend = format!("take {IMPORT} away from {physical}, or leave {prefix} out of what it looks at");
                    return Check::wrong(LOOKS, format!("{rules}; {physical} may import below {prefix}"), mend);
                }
                Ok(_) => {}
                Err(failure) => {
                    return Check::unknown(LOOKS, format!("{rules}; {failure}"), "allow iam:SimulatePrincipalPolicy");
                }
            }
        }
    }
    Check::right(LOOKS, format!("{rules}; no role of the stack may import by its own policies ({IMPORT})"))
}

/// Checks that no rule writes to the mirror's repositories: the two would undo each other's work.
fn own_prefix(stack: &Deployed, prefixes: &[String]) -> Check {
    let own = stack.parameter("MirrorPrefix");
    match prefixes.iter().find(|prefix| is_below(own, prefix) || is_below(prefix, own)) {
        Some(prefix) => Check::wrong(
            MIRROR,
            format!("a pull-through rule for {prefix} writes to the same repositories"),
            "delete the rule, or give the mirror another MirrorPrefix (docs/mirror.md, Coming from ECR's pull-through \
             cache)",
        ),
        None => Check::right(MIRROR, format!("no rule writes below {own}")),
    }
}

/// Finds services, among those looked at, whose execution role could not bring in an image that the cache lacks.
async fn imports(
    config: &SdkConfig,
    iam: &aws_sdk_iam::Client,
    ecr: &aws_sdk_ecr::Client,
    stack: &Deployed,
    prefixes: &[String],
) -> Check {
    let pulled = match pulled(config, stack, prefixes).await {
        Ok(pulled) => pulled,
        Err(failure) => {
            let settle = format!("allow {}", failure.call);
            return Check::unknown(IMPORTS, failure.to_string(), settle);
        }
    };
    let (mut lacking, mut unknown, mut right) = (Vec::new(), Vec::new(), 0);
    for ((repository, role), service) in &pulled {
        let Some(role) = role else {
            unknown.push(format!("{service} has no execution role: its instances' role pulls"));
            continue;
        };
        let arn = repository_arn(stack, repository);
        let mut actions = vec![IMPORT];
        // A repository that exists need not be created.
        match ecr
            .describe_repositories()
            .repository_names(repository)
            .send()
            .await
            .map_err(|error| Failure::of("ecr:DescribeRepositories", &error))
        {
            Ok(_) => {}
            Err(failure) if failure.code.as_deref() == Some("RepositoryNotFoundException") => actions.push(CREATE),
            Err(failure) => unknown.push(failure.to_string()),
        }
        match allowed(iam, role, &arn, &actions).await {
            Ok(missing) if missing.is_empty() => right += 1,
            Ok(missing) => {
                lacking.push((service, role, json!({ "Effect": "Allow", "Action": missing, "Resource": arn })))
            }
            Err(failure) => unknown.push(failure.to_string()),
        }
    }
    if let Some((service, role, statement)) = lacking.first() {
        let seen =
            format!("{} of {} cannot bring in what is not cached; {service}, by {role}", lacking.len(), pulled.len());
        return Check::wrong(
            IMPORTS,
            seen,
            format!("add to the role, unless the registry's policy grants it: {statement}"),
        );
    }
    if !unknown.is_empty() {
        return Check::unknown(
            IMPORTS,
            unknown.join("; "),
            "allow ecr:DescribeRepositories and iam:SimulatePrincipalPolicy; see the instances' role",
        );
    }
    Check::right(IMPORTS, format!("{right} of the services that were looked at pull through a rule"))
}

/// Returns repository and execution role of every image below a prefix, each with one service that pulls it.
async fn pulled(
    config: &SdkConfig,
    stack: &Deployed,
    prefixes: &[String],
) -> Result<BTreeMap<(String, Option<String>), String>, Failure> {
    let ecs = aws_sdk_ecs::Client::new(config);
    let mut found = BTreeMap::new();
    for cluster in assumptions::clusters(&ecs).await?.iter().take(CLUSTERS) {
        let listed = ecs.list_services().cluster(cluster).max_results(EACH).send().await;
        let listed = listed.map_err(|error| Failure::of("ecs:ListServices", &error))?;
        if listed.service_arns().is_empty() {
            continue;
        }
        let described = ecs
            .describe_services()
            .cluster(cluster)
            .set_services(Some(listed.service_arns().to_vec()))
            .send()
            .await;
        for service in described.map_err(|error| Failure::of("ecs:DescribeServices", &error))?.services() {
            let Some(definition) = service.task_definition() else {
                continue;
            };
            let answer = ecs.describe_task_definition().task_definition(definition).send().await;
            let answer = answer.map_err(|error| Failure::of("ecs:DescribeTaskDefinition", &error))?;
            let Some(definition) = answer.task_definition() else {
                continue;
            };
            for image in definition.container_definitions().iter().filter_map(|container| container.image()) {
                let Ok(reference) = image.parse::<Reference>() else {
                    continue;
                };
                let here = ecr_host(reference.registry())
                    .is_some_and(|host| host.account == stack.account && host.region == stack.region);
                if here && prefixes.iter().any(|prefix| is_below(reference.repository(), prefix)) {
                    let key = (reference.repository().to_owned(), definition.execution_role_arn().map(str::to_owned));
                    found.entry(key).or_insert_with(|| service.service_name().unwrap_or_default().to_owned());
                }
            }
        }
    }
    Ok(found)
}

/// Returns which of some actions a role's own policies do not allow.
async fn allowed(
    iam: &aws_sdk_iam::Client,
    role: &str,
    resource: &str,
    actions: &[&str],
) -> Result<Vec<String>, Failure> {
    let names = actions.iter().map(|action| (*action).to_owned()).collect();
    let operation = iam
        .simulate_principal_policy()
        .policy_source_arn(role)
        .set_action_names(Some(names))
        .resource_arns(resource);
    let answer = operation.send().await.map_err(|error| Failure::of("iam:SimulatePrincipalPolicy", &error))?;
    let may = |action: &str| {
        answer
            .evaluation_results()
            .iter()
            .any(|result| result.eval_action_name() == action && result.eval_decision().as_str() == "allowed")
    };
    Ok(actions.iter().filter(|action| !may(action)).map(|action| (*action).to_owned()).collect())
}

fn repository_arn(stack: &Deployed, repository: &str) -> String {
    format!("arn:{}:ecr:{}:{}:repository/{repository}", stack.partition, stack.region, stack.account)
}

/// Whether a repository or prefix equals another prefix or is below it. `ROOT` is ECR's word for all of them.
fn is_below(name: &str, prefix: &str) -> bool {
    prefix == "ROOT" || name == prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_part_of_a_name_ends() {
        assert!(
            is_below("docker-hub/library/python", "docker-hub")
                && is_below("docker-hub", "docker-hub")
                && is_below("a", "ROOT")
        );
        assert!(!is_below("docker-hub-2/python", "docker-hub") && !is_below("docker", "docker-hub"));
    }
}
