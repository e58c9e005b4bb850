//! Checks in the account itself what pullsafe assumes and no emulator can settle. docs/live.md has the other
//! assumptions.

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{ServiceField, Task};
use pullsafe::reference::Reference;
use pullsafe_aws::Failure;

use super::finding::Check;

/// How many clusters, and services or tasks of each, are looked at: one example settles an assumption.
pub(super) const CLUSTERS: usize = 5;
pub(super) const EACH: i32 = 10;

/// Checks every assumption that a look can settle.
pub(super) async fn look(config: &SdkConfig) -> Vec<Check> {
    let ecs = Client::new(config);
    match clusters(&ecs).await {
        Ok(clusters) => vec![tags(&ecs, &clusters).await, digests(&ecs, &clusters).await],
        Err(failure) => {
            let about = ["DescribeServices gives tags", "a task has the digest of an image of Docker Hub"];
            about.map(|about| Check::unknown(about, failure.to_string(), "allow ecs:ListClusters")).into()
        }
    }
}

/// Returns some clusters of the region.
pub(super) async fn clusters(ecs: &Client) -> Result<Vec<String>, Failure> {
    let answer = ecs.list_clusters().send().await.map_err(|error| Failure::of("ecs:ListClusters", &error))?;
    Ok(answer.cluster_arns().iter().take(CLUSTERS).cloned().collect())
}

/// Checks that DescribeServices gives tags, from which the marks of a pause are read.
async fn tags(ecs: &Client, clusters: &[String]) -> Check {
    const ABOUT: &str = "DescribeServices gives tags";
    let mut seen = 0;
    for cluster in clusters {
        match services(ecs, cluster).await {
            Ok(services) => {
                seen += services.len();
                if services.iter().any(|tagged| *tagged) {
                    return Check::right(ABOUT, "a service came with its tags");
                }
            }
            Err(failure) => {
                return Check::unknown(ABOUT, failure.to_string(), "allow ecs:ListServices and ecs:DescribeServices");
            }
        }
    }
    Check::unknown(ABOUT, format!("none of {seen} services has a tag"), "tag one service and look again")
}

/// Returns, for some services, whether each came with tags.
async fn services(ecs: &Client, cluster: &str) -> Result<Vec<bool>, Failure> {
    let listed = ecs.list_services().cluster(cluster).max_results(EACH).send().await;
    let listed = listed.map_err(|error| Failure::of("ecs:ListServices", &error))?;
    if listed.service_arns().is_empty() {
        return Ok(Vec::new());
    }
    let operation = ecs.describe_services().cluster(cluster).set_services(Some(listed.service_arns().to_vec()));
    let described = operation
        .include(ServiceField::Tags)
        .send()
        .await
        .map_err(|error| Failure::of("ecs:DescribeServices", &error))?;
    Ok(described.services().iter().map(|service| !service.tags().is_empty()).collect())
}

/// Checks that tasks have digests: by them the mirror knows what a task runs, which it never deletes.
async fn digests(ecs: &Client, clusters: &[String]) -> Check {
    const ABOUT: &str = "a task has the digest of an image of Docker Hub";
    for cluster in clusters {
        let tasks = match tasks(ecs, cluster).await {
            Ok(tasks) => tasks,
            Err(failure) => {
                return Check::unknown(ABOUT, failure.to_string(), "allow ecs:ListTasks and ecs:DescribeTasks");
            }
        };
        let containers = tasks.iter().flat_map(|task| task.containers());
        let of_hub = |image: &str| image.parse::<Reference>().is_ok_and(|reference| reference.is_docker_hub());
        let mut of_hub = containers.filter(|container| container.image().is_some_and(of_hub));
        let Some(container) = of_hub.next() else { continue };
        let image = container.image().unwrap_or_default();
        return match container.image_digest() {
            Some(_) => Check::right(ABOUT, format!("{image} has one")),
            None => {
                let mend = "leave MirrorMayDelete off: what runs cannot be told from what is unwanted";
                Check::wrong(ABOUT, format!("{image} runs without one"), mend)
            }
        };
    }
    Check::unknown(ABOUT, "no running task has an image of Docker Hub", "run one and look again")
}

async fn tasks(ecs: &Client, cluster: &str) -> Result<Vec<Task>, Failure> {
    let listed = ecs.list_tasks().cluster(cluster).max_results(EACH).send().await;
    let listed = listed.map_err(|error| Failure::of("ecs:ListTasks", &error))?;
    if listed.task_arns().is_empty() {
        return Ok(Vec::new());
    }
    let operation = ecs.describe_tasks().cluster(cluster).set_tasks(Some(listed.task_arns().to_vec()));
    let described = operation.send().await.map_err(|error| Failure::of("ecs:DescribeTasks", &error))?;
    Ok(described.tasks().to_vec())
}
