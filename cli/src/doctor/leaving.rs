//! Whether the stack may be deleted: what nobody would restore afterwards, and who still needs the stack.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_ecs::types::ServiceField;
use image_gate::table::GateTable;
use pullsafe::arn::ServiceId;
use pullsafe::foreign::line;
use pullsafe_aws::Failure;
use pullsafe_aws::json::{JsonApi, TAGGING};
use remediator_decide::service::marks;
use serde_json::json;

use super::finding::Check;
use super::stack::Deployed;

const PAUSED: &str = "paused services";
const MOVED: &str = "moved services";
const IMPORTS: &str = "stacks that import the gate";
const WAITING: &str = "stacks that wait at the gate";
/// The most services that one DescribeServices call takes.
const EACH: usize = 10;

/// A service that carries a tag of pullsafe.
struct Marked {
    id: ServiceId,
    desired: i32,
    tags: BTreeMap<String, String>,
}

/// Looks for what stands in the way of a deletion.
pub(super) async fn look(config: &SdkConfig, stack: &Deployed) -> Vec<Check> {
    let settle = |call: &str| format!("allow {call}");
    let paused = match marked(config, marks::PAUSED_COUNT).await {
        Ok(services) => paused(&services, stack),
        Err(failure) => Check::unknown(PAUSED, failure.to_string(), settle(failure.call)),
    };
    let moved = match marked(config, marks::MOVED_FROM).await {
        Ok(services) => moved(&services),
        Err(failure) => Check::unknown(MOVED, failure.to_string(), settle(failure.call)),
    };
    let imports = match imports(config, &format!("{}-ImageGate", stack.name)).await {
        Ok(stacks) if stacks.is_empty() => Check::right(IMPORTS, "none"),
        Ok(stacks) => Check::wrong(
            IMPORTS,
            stacks.join(", "),
            "delete them, or take Custom::PullsafeImage out of their templates, before this stack",
        ),
        Err(failure) => Check::unknown(IMPORTS, failure.to_string(), settle(failure.call)),
    };
    vec![paused, moved, imports, waiting(config, stack).await]
}

/// Finds the services that are paused: once the stack is gone, nobody restores them.
fn paused(services: &[Marked], stack: &Deployed) -> Check {
    let own =
        |service: &&Marked| service.tags.get(marks::PAUSED_BY).is_none_or(|by| by.is_empty() || *by == stack.name);
    let services: Vec<&Marked> = services.iter().filter(own).collect();
    if services.is_empty() {
        return Check::right(PAUSED, "none carries the mark of a pause");
    }
    let seen = services.iter().map(|service| format!("{}, desired count {}", service.id, service.desired));
    let command = |service: &&Marked| {
        // Anybody with the right may write a tag: only a number becomes part of a command.
        let count = service.tags.get(marks::PAUSED_COUNT).and_then(|count| count.parse::<u32>().ok());
        let count = count.map_or_else(|| "THE-COUNT-BEFORE".to_owned(), |count| count.to_string());
        format!(
            "aws ecs update-service --cluster {} --service {} --region {} --desired-count {count}",
            service.id.cluster(),
            service.id.name,
            stack.region
        )
    };
    let mend = format!(
        "bring each back while the stack acts, and look again (pullsafe resumes the autoscaling and takes its marks \
         away): {}",
        services.iter().map(command).collect::<Vec<_>>().join("; ")
    );
    Check::wrong(PAUSED, seen.collect::<Vec<_>>().join("; "), mend)
}

/// Finds the services that were moved: they go on as long as the mirror's repositories exist.
fn moved(services: &[Marked]) -> Check {
    if services.is_empty() {
        return Check::right(MOVED, "none pulls from the mirror because pullsafe moved it there");
    }
    let before = |service: &Marked| {
        let from = service.tags.get(marks::MOVED_FROM).map(|arn| line(arn.rsplit('/').next().unwrap_or(arn)));
        format!("{} (before: {})", service.id, from.unwrap_or_default())
    };
    let services: Vec<String> = services.iter().map(before).collect();
    Check::right(
        MOVED,
        format!("these need the mirror's repositories, which stay when the stack goes: {}", services.join("; ")),
    )
}

/// Returns the services that carry a tag, as ECS has them now: the index of tags is minutes behind.
async fn marked(config: &SdkConfig, key: &str) -> Result<Vec<Marked>, Failure> {
    let api = JsonApi::new(config, TAGGING);
    let (mut by_cluster, mut page) = (BTreeMap::<String, Vec<ServiceId>>::new(), String::new());
    loop {
        let request =
            json!({ "TagFilters": [{ "Key": key }], "ResourceTypeFilters": ["ecs:service"], "PaginationToken": page });
        let answer = api.call("tag:GetResources", "ResourceGroupsTaggingAPI_20170126.GetResources", &request).await?;
        let resources = answer["ResourceTagMappingList"].as_array().into_iter().flatten();
        for id in resources.filter_map(|resource| ServiceId::from_arn(resource["ResourceARN"].as_str()?)) {
            by_cluster.entry(id.cluster_arn.clone()).or_default().push(id);
        }
        page = answer["PaginationToken"].as_str().unwrap_or_default().to_owned();
        if page.is_empty() {
            break;
        }
    }
    let ecs = aws_sdk_ecs::Client::new(config);
    let mut found = Vec::new();
    for (cluster, services) in by_cluster {
        for some in services.chunks(EACH) {
            let names = some.iter().map(|id| id.name.clone()).collect();
            let answer = ecs
                .describe_services()
                .cluster(&cluster)
                .set_services(Some(names))
                .include(ServiceField::Tags)
                .send()
                .await;
            for service in answer.map_err(|error| Failure::of("ecs:DescribeServices", &error))?.services() {
                let tag = |tag: &aws_sdk_ecs::types::Tag| {
                    Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
                };
                let tags: BTreeMap<String, String> = service.tags().iter().filter_map(tag).collect();
                let id = some.iter().find(|id| Some(id.name.as_str()) == service.service_name());
                if let Some(id) = id.filter(|_| tags.contains_key(key) && service.status() == Some("ACTIVE")) {
                    found.push(Marked { id: id.clone(), desired: service.desired_count(), tags });
                }
            }
        }
    }
    Ok(found)
}

/// Returns the stacks that use an export of this one.
async fn imports(config: &SdkConfig, export: &str) -> Result<Vec<String>, Failure> {
    let mut pages = aws_sdk_cloudformation::Client::new(config)
        .list_imports()
        .export_name(export)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        match page.map_err(|error| Failure::of("cloudformation:ListImports", &error)) {
            Ok(page) => found.extend(page.imports().to_vec()),
            // CloudFormation's way to say that no stack imports it.
            Err(failure)
                if failure.message.as_deref().is_some_and(|text| text.contains("is not imported by any stack")) =>
            {
                break;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// Finds the stacks that wait at the gate: they would get no answer, and wait until CloudFormation gives up.
async fn waiting(config: &SdkConfig, stack: &Deployed) -> Check {
    let Some(table) = stack.physical("Table") else {
        return Check::unknown(WAITING, "the stack has no table", "read the stack's resources");
    };
    match GateTable::new(config, table).open().await {
        Ok(waits) if waits.is_empty() => Check::right(WAITING, "none"),
        Ok(waits) => {
            let names: Vec<String> = waits.iter().map(|wait| line(&wait.requester.stack_id)).collect();
            Check::wrong(
                WAITING,
                names.join("; "),
                "push what they wait for, or cancel their deployments (pullsafe waiting shows both)",
            )
        }
        Err(failure) => Check::unknown(WAITING, failure.to_string(), format!("allow {}", failure.call)),
    }
}
