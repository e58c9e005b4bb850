//! Fetches a task, or the stopped tasks of a service, as `aws ecs describe-tasks` shows them. It only reads.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::DisplayErrorContext;
use aws_sdk_ecs::types::{DesiredStatus, Task};
use serde_json::{Value, json};

use super::taken::AwsQuestion;
use crate::account;

/// How many stopped tasks of a service are looked at, the latest first.
const TASKS: usize = 5;

/// Fetches the tasks or the service as JSON.
pub(super) fn fetch(asked: &AwsQuestion) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(ask(asked)).map(|value| value.to_string())
}

async fn ask(asked: &AwsQuestion) -> Result<Value, String> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let AwsQuestion::Task { region, .. } = asked {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = account::signed_in(loader).await?;
    if config.region().is_none() {
        return Err("no AWS region is set: set AWS_REGION, or `region` in the profile".to_owned());
    }
    let client = Client::new(&config);
    match asked {
        AwsQuestion::Task { arn, cluster, .. } => describe(&client, cluster, vec![arn.clone()]).await,
        AwsQuestion::Service { cluster, service } => of_service(&client, cluster, service).await,
    }
}

async fn of_service(client: &Client, cluster: &str, service: &str) -> Result<Value, String> {
    let listed = client
        .list_tasks()
        .cluster(cluster)
        .service_name(service)
        .desired_status(DesiredStatus::Stopped)
        .send()
        .await;
    let arns = listed.map_err(|error| failed("ecs:ListTasks", &error))?.task_arns.unwrap_or_default();
    if !arns.is_empty() {
        return describe(client, cluster, arns.into_iter().take(100).collect()).await;
    }
    // ECS forgets stopped tasks after an hour; the service's events last longer.
    let described = client.describe_services().cluster(cluster).services(service).send().await;
    let services = described.map_err(|error| failed("ecs:DescribeServices", &error))?.services.unwrap_or_default();
    let service = services.first().ok_or("there is no such service in this cluster and region")?;
    let messages = service
        .events()
        .iter()
        .filter_map(|event| event.message())
        .map(|message| json!({ "message": message }));
    Ok(json!({"services": [{
        "serviceName": service.service_name(), "clusterArn": service.cluster_arn(), "events": messages.collect::<Vec<_>>(),
    }]}))
}

async fn describe(client: &Client, cluster: &str, arns: Vec<String>) -> Result<Value, String> {
    let described = client.describe_tasks().cluster(cluster).set_tasks(Some(arns)).send().await;
    let mut tasks = described.map_err(|error| failed("ecs:DescribeTasks", &error))?.tasks.unwrap_or_default();
    if tasks.is_empty() {
        return Err("there is no such task; ECS keeps a stopped one for an hour".to_owned());
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.stopped_at().map(|at| at.as_nanos())));
    Ok(json!({"tasks": tasks.iter().take(TASKS).map(task).collect::<Vec<_>>()}))
}

fn failed(action: &str, error: &(impl std::error::Error + Send + Sync + 'static)) -> String {
    format!(
        "{action}: {}; are there credentials and a region (AWS_PROFILE, AWS_REGION), and is the action allowed?",
        DisplayErrorContext(error)
    )
}

fn task(task: &Task) -> Value {
    let containers = task.containers().iter().map(|container| {
        json!({
            "name": container.name(), "image": container.image(), "imageDigest": container.image_digest(), "exitCode": container.exit_code(),
            "reason": container.reason(), "lastStatus": container.last_status(), "runtimeId": container.runtime_id(),
        })
    });
    json!({
        "taskArn": task.task_arn(), "clusterArn": task.cluster_arn(), "taskDefinitionArn": task.task_definition_arn(), "group": task.group(),
        "startedBy": task.started_by(), "launchType": task.launch_type().map(|launch| launch.as_str()), "lastStatus": task.last_status(),
        "desiredStatus": task.desired_status(), "stopCode": task.stop_code().map(|code| code.as_str()), "stoppedReason": task.stopped_reason(),
        "version": task.version(), "startedAt": task.started_at().map(|at| at.as_secs_f64()), "stoppedAt": task.stopped_at().map(|at| at.as_secs_f64()),
        "containers": containers.collect::<Vec<_>>(),
    })
}
