//! The stack itself: what CloudFormation knows of it, and whether it is the only one.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::Stack;
use pullsafe::stack::{is_pullsafe, may_act};
use pullsafe_aws::Failure;

use super::finding::Check;

/// A deployed stack.
#[derive(Debug, Clone, Default)]
pub(super) struct Deployed {
    pub(super) name: String,
    /// The partition of the stack's ARN, such as `aws`.
    pub(super) partition: String,
    pub(super) account: String,
    pub(super) region: String,
    /// The parameters, by name.
    pub(super) parameters: BTreeMap<String, String>,
    /// The resources: logical id, type, physical id.
    pub(super) resources: Vec<(String, String, String)>,
}

impl Deployed {
    /// The value of a parameter; empty if the stack does not have it.
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether the stack, or a tag in it, permits changes.
    pub(super) fn may_act(&self) -> bool {
        may_act(|name| self.parameters.get(name).map(String::as_str))
    }

    /// The resources of a type: logical and physical id.
    pub(super) fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.resources
            .iter()
            .filter(move |(_, found, _)| found == kind)
            .map(|(logical, _, physical)| (logical.as_str(), physical.as_str()))
    }

    /// The physical id of a resource.
    pub(super) fn physical(&self, logical: &str) -> Option<&str> {
        self.resources
            .iter()
            .find(|(found, _, _)| found == logical)
            .map(|(_, _, physical)| physical.as_str())
    }
}

/// Reads the stack, and checks its state.
pub(super) async fn read(config: &SdkConfig, name: &str) -> Result<(Deployed, Vec<Check>), Failure> {
    let client = Client::new(config);
    let failed = |error| Failure::of("cloudformation:DescribeStacks", &error);
    let answer = client.describe_stacks().stack_name(name).send().await.map_err(failed)?;
    let stack = answer
        .stacks()
        .first()
        .ok_or_else(|| Failure::unexpected("cloudformation:DescribeStacks", "no stack in the answer"))?;
    let mut deployed = of(stack);
    let mut token = None;
    loop {
        let answer = client.list_stack_resources().stack_name(name).set_next_token(token).send().await;
        let answer = answer.map_err(|error| Failure::of("cloudformation:ListStackResources", &error))?;
        deployed.resources.extend(answer.stack_resource_summaries().iter().map(|resource| {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            (
                text(resource.logical_resource_id()),
                text(resource.resource_type()),
                text(resource.physical_resource_id()),
            )
        }));
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    let mut findings = vec![standing(stack)];
    findings.push(match others(&client, &deployed.name).await {
        Ok(others) => alone(&deployed, &others),
        Err(failure) => Check::unknown(
            "other stacks",
            failure.to_string(),
            "allow cloudformation:ListStacks and cloudformation:DescribeStacks on *",
        ),
    });
    Ok((deployed, findings))
}

fn of(stack: &Stack) -> Deployed {
    let id = stack.stack_id().unwrap_or_default();
    let part = |index: usize| id.split(':').nth(index).unwrap_or_default().to_owned();
    let parameter = |parameter: &aws_sdk_cloudformation::types::Parameter| {
        Some((parameter.parameter_key()?.to_owned(), parameter.parameter_value().unwrap_or_default().to_owned()))
    };
    Deployed {
        name: stack.stack_name().unwrap_or_default().to_owned(),
        partition: part(1),
        region: part(3),
        account: part(4),
        parameters: stack.parameters().iter().filter_map(parameter).collect(),
        resources: Vec::new(),
    }
}

fn standing(stack: &Stack) -> Check {
    let status = stack.stack_status().map_or("unknown", |status| status.as_str());
    if status.ends_with("_COMPLETE") && !status.contains("ROLLBACK") {
        Check::right("stack", status)
    } else {
        let mend =
            "read the stack's events; a deployment is under way, or has failed and left an older version in place";
        Check::wrong("stack", status, mend)
    }
}

/// Returns the other stacks of this template in the region.
async fn others(client: &Client, name: &str) -> Result<Vec<Deployed>, Failure> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let answer = client.describe_stacks().set_next_token(token).send().await;
        let answer = answer.map_err(|error| Failure::of("cloudformation:DescribeStacks", &error))?;
        let ours = answer.stacks().iter().filter(|stack| is_pullsafe(stack.description()));
        found.extend(ours.map(of).filter(|other| other.name != name));
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// Checks for other stacks. Two stacks hear the same events; if both may act on a service, the older one does. It is
/// worse if both write to the same mirror.
fn alone(own: &Deployed, others: &[Deployed]) -> Check {
    const ABOUT: &str = "other stacks";
    if others.is_empty() {
        return Check::right(ABOUT, "it is the only one of this template in the region");
    }
    let prunes = |stack: &Deployed| stack.parameter("MirrorMayDelete") == "true";
    let same = others.iter().find(|other| {
        other.parameter("MirrorPrefix") == own.parameter("MirrorPrefix") && (prunes(other) || prunes(own))
    });
    if let Some(other) = same {
        let seen = format!(
            "{} has the same MirrorPrefix, and one of the two deletes what its own configuration does not want",
            other.name
        );
        return Check::wrong(
            ABOUT,
            seen,
            "give each stack a MirrorPrefix of its own, or set MirrorMayDelete to false on both",
        );
    }
    let names: Vec<&str> = others.iter().map(|other| other.name.as_str()).collect();
    let seen = format!("{} hear the same events", names.join(", "));
    if own.may_act() && others.iter().any(Deployed::may_act) {
        let mend = "keep one stack in a region, or let all but one observe, or give each a ServicePattern of its own";
        return Check::wrong(
            ABOUT,
            format!("{seen}, and more than one may act: where both may, only the oldest does"),
            mend,
        );
    }
    Check::right(ABOUT, format!("{seen}, and at most one may act; each tells its own people"))
}
