//! What the roles may do, by IAM's own simulation: everything that the code declares, and, if the stack only observes,
//! nothing that changes anything.
//!
//! A simulation knows the policies of the role, its boundary and the organization's, but not the policies of a
//! repository or a key.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum};
use pullsafe::permission::{self, Permission};
use pullsafe_aws::Failure;

use super::finding::Check;
use super::resource::arn_for;
use super::stack::Deployed;

/// A role of the template, and the permissions that its function declares.
pub(super) struct Role {
    /// The role's logical id, without `Role`.
    pub(super) name: &'static str,
    permissions: &'static [Permission],
    /// The leading key of one of its function's rows.
    row: &'static str,
}

const ROLES: &[Role] = &[
    Role {
        name: "Remediator",
        permissions: permission::REMEDIATOR,
        row: "incident",
    },
    Role {
        name: "Mirror",
        permissions: permission::MIRROR,
        row: "mirror",
    },
    Role {
        name: "ImageGate",
        permissions: permission::GATE,
        row: "gate",
    },
    Role {
        name: "GateWaker",
        permissions: permission::WAKER,
        row: "gate",
    },
    Role { name: "Probe", permissions: permission::PROBE, row: "none" },
    Role {
        name: "Widget",
        permissions: permission::WIDGET,
        row: "arn:aws:ecs:*",
    },
];

/// Checks each role of the stack.
pub(super) async fn look(config: &SdkConfig, stack: &Deployed) -> Vec<Check> {
    let client = Client::new(config);
    let mut findings = Vec::new();
    for role in ROLES {
        if role.name == "Probe" && stack.parameter("ProbeSubnets").is_empty() {
            continue;
        }
        let about = format!("role of {}", role.name);
        let Some(physical) = stack.physical(&format!("{}Role", role.name)) else {
            findings.push(Check::wrong(about, "the stack has no such role", "deploy the template of this version"));
            continue;
        };
        let arn = format!("arn:{}:iam::{}:role/{physical}", stack.partition, stack.account);
        findings.push(match decisions(&client, stack, role, &arn).await {
            Ok(decisions) => judged(about, stack, role, &decisions),
            Err(failure) => {
                Check::unknown(about, failure.to_string(), "allow iam:SimulatePrincipalPolicy on the stack's roles")
            }
        });
    }
    findings
}

/// Whether the stack's parameters require an action to be allowed; `None` if either is fine.
fn wanted(stack: &Deployed, role: &Role, permission: &Permission, action: &str) -> Option<bool> {
    let set = |name: &str| !stack.parameter(name).is_empty();
    let fills = stack.may_act() || set("MirrorConfigParameter");
    let looks_ahead = stack.parameter("Outlook") == "true";
    match action {
        "kms:Decrypt" | "kms:GenerateDataKey" => set("EncryptionKeyArn").then_some(true),
        "ssm:GetParameter" => set("MirrorConfigParameter").then_some(true),
        "secretsmanager:GetSecretValue" => set("DockerHubSecretArn").then_some(true),
        "ecr:UpdateImageStorageClass" => Some(stack.may_act() && stack.parameter("RestoreArchivedImages") == "true"),
        "ecr:BatchDeleteImage" => Some(fills && stack.parameter("MirrorMayDelete") == "true"),
        "ecr:PutImage" if role.name == "Remediator" => Some(looks_ahead && stack.may_act() && set("KeepRepositories")),
        "ecs:ListClusters"
        | "ecs:ListServices"
        | "ecr:GetLifecyclePolicy"
        | "events:ListRuleNamesByTarget"
        | "events:ListTargetsByRule"
        | "scheduler:ListSchedules"
        | "scheduler:GetSchedule"
            if role.name == "Remediator" =>
        {
            Some(looks_ahead)
        }
        _ if let Some(parameter) = permission.parameter => {
            let set = stack.parameter(parameter) == "true";
            (set || permission.writes).then_some(set)
        }
        _ if permission.writes && role.name == "Mirror" => Some(fills),
        _ if permission.writes => Some(stack.may_act()),
        _ => Some(true),
    }
}

/// Returns every action with IAM's decision on it; actions on the same resource share one request.
async fn decisions(
    client: &Client,
    stack: &Deployed,
    role: &Role,
    arn: &str,
) -> Result<BTreeMap<String, bool>, Failure> {
    let mut by_resource: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let asked = |permission: &'static Permission| {
        permission.actions.iter().filter(|action| wanted(stack, role, permission, action).is_some())
    };
    for action in role.permissions.iter().flat_map(asked) {
        by_resource.entry(arn_for(stack, role.name, action)).or_default().push((*action).to_owned());
    }
    let mut decisions = BTreeMap::new();
    for (resource, actions) in by_resource {
        let operation = client
            .simulate_principal_policy()
            .policy_source_arn(arn)
            .set_action_names(Some(actions))
            .set_context_entries(Some(context(stack, role, &resource)))
            .resource_arns(resource);
        let answer = operation.send().await.map_err(|error| Failure::of("iam:SimulatePrincipalPolicy", &error))?;
        for result in answer.evaluation_results() {
            decisions.insert(result.eval_action_name().to_owned(), result.eval_decision().as_str() == "allowed");
        }
    }
    Ok(decisions)
}

/// The values that the template's conditions test, for a request as the code makes it.
fn context(stack: &Deployed, role: &Role, resource: &str) -> Vec<ContextEntry> {
    // The rows of this index have their own leading keys.
    let row = if resource.ends_with("/due-index") { "incident#0" } else { role.row };
    let cluster = format!("arn:{}:ecs:{}:{}:cluster/doctor", stack.partition, stack.region, stack.account);
    let one = ContextKeyTypeEnum::String;
    let many = ContextKeyTypeEnum::StringList;
    let entries = [
        ("ecs:cluster", cluster.as_str(), one.clone()),
        ("aws:TagKeys", "pullsafe:cause", many.clone()),
        ("aws:ResourceTag/pullsafe-managed", "true", one.clone()),
        ("aws:ResourceAccount", &stack.account, one.clone()),
        ("iam:PassedToService", "ecs-tasks.amazonaws.com", one.clone()),
        ("application-autoscaling:service-namespace", "ecs", one.clone()),
        ("events:source", if role.name == "Probe" { "lambda" } else { "pullsafe" }, one),
        ("dynamodb:LeadingKeys", row, many),
    ];
    let entry = |(name, value, kind): (&str, &str, ContextKeyTypeEnum)| {
        ContextEntry::builder()
            .context_key_name(name)
            .context_key_values(value)
            .context_key_type(kind)
            .build()
    };
    entries.into_iter().map(entry).collect()
}

fn judged(about: String, stack: &Deployed, role: &Role, decisions: &BTreeMap<String, bool>) -> Check {
    let (mut missing, mut beyond, mut counted) = (Vec::new(), Vec::new(), 0);
    for permission in role.permissions {
        for action in permission.actions {
            let Some(wanted) = wanted(stack, role, permission, action) else {
                continue;
            };
            counted += 1;
            match (wanted, decisions.get(*action).copied().unwrap_or(false)) {
                (true, false) => missing.push(*action),
                (false, true) => beyond.push(*action),
                (true, true) | (false, false) => {}
            }
        }
    }
    if !missing.is_empty() {
        let mend = "deploy the template of this version; if it is, a permissions boundary or a policy of the \
            organization denies them";
        return Check::wrong(about, format!("not allowed: {}", missing.join(", ")), mend);
    }
    if !beyond.is_empty() {
        let mend = "deploy the template of this version, and take away the policies that were attached beside it";
        return Check::wrong(about, format!("allowed beyond the stack's parameters: {}", beyond.join(", ")), mend);
    }
    Check::right(about, format!("{counted} permissions as the parameters ask for them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(parameters: &[(&str, &str)]) -> Deployed {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Deployed { parameters, ..Deployed::default() }
    }

    fn allowed(stack: &Deployed, role: &Role) -> BTreeMap<String, bool> {
        let wanted = |permission: &'static Permission| {
            permission
                .actions
                .iter()
                .map(|action| ((*action).to_owned(), wanted(stack, role, permission, action).unwrap_or(false)))
        };
        role.permissions.iter().flat_map(wanted).collect()
    }

    #[test]
    fn a_role_has_what_the_parameters_ask_for_and_no_more() {
        for parameters in [&[][..], &[("Mode", "act")], &[("MirrorConfigParameter", "/p"), ("MirrorMayDelete", "true")]]
        {
            let stack = stack(parameters);
            for role in ROLES {
                let mut decisions = allowed(&stack, role);
                assert_eq!(judged("x".to_owned(), &stack, role, &decisions).next, None, "{} {parameters:?}", role.name);
                let first = role.permissions[0].actions[0];
                decisions.insert(first.to_owned(), false);
                assert_eq!(judged("x".to_owned(), &stack, role, &decisions).seen, format!("not allowed: {first}"));
            }
        }
    }

    #[test]
    fn an_observing_stack_that_may_act_is_wrong() {
        let stack = stack(&[("Mode", "observe")]);
        let mut decisions = allowed(&stack, &ROLES[0]);
        assert!(!decisions["ecs:UpdateService"]);
        decisions.insert("ecs:UpdateService".to_owned(), true);
        let finding = judged("x".to_owned(), &stack, &ROLES[0], &decisions);
        assert_eq!(finding.seen, "allowed beyond the stack's parameters: ecs:UpdateService");
    }
}
