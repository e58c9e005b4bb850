//! Where a task or build ran, as far as it matters to what one does about it.

use pullsafe_events::stopped_task::StoppedTask;

/// What ran it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// AWS Fargate.
    Fargate,
    /// A container instance on EC2 that the account looks after.
    Ec2,
    /// Amazon ECS Managed Instances.
    ManagedInstances,
    /// An instance outside of AWS (ECS Anywhere).
    External,
    /// AWS Batch, on whatever it runs.
    Batch,
    /// A build of AWS CodeBuild.
    CodeBuild,
    /// Nobody said.
    #[default]
    Unknown,
}

/// Where a stop happened, with the names that a command needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// What ran it.
    pub place: Place,
    /// The cluster's name or ARN.
    pub cluster: Option<String>,
    /// The service's name.
    pub service: Option<String>,
    /// The task's ARN.
    pub task: Option<String>,
    /// The task definition's family and revision.
    pub definition: Option<String>,
    /// The region.
    pub region: Option<String>,
}

impl Setting {
    /// The setting of a task.
    pub fn of_task(task: &StoppedTask) -> Self {
        let launch = task.launch_type.as_deref().unwrap_or_default().to_ascii_uppercase();
        let batch = task.cluster_arn.contains("AWSBatch") || task.cluster_arn.contains("_Batch_");
        let place = match launch.as_str() {
            _ if batch => Place::Batch,
            "FARGATE" => Place::Fargate,
            "EC2" => Place::Ec2,
            "EXTERNAL" => Place::External,
            "MANAGED_INSTANCES" => Place::ManagedInstances,
            _ => Place::Unknown,
        };
        let region = task.task_arn.split(':').nth(3).filter(|region| is_name(region)).map(str::to_owned);
        let definition = task.task_definition_arn.rsplit('/').next().filter(|name| is_name(name)).map(str::to_owned);
        Self {
            place,
            cluster: name_of(&task.cluster_arn),
            service: task.service_name().filter(|name| is_name(name)).map(str::to_owned),
            task: Some(task.task_arn.clone()).filter(|arn| is_arn(arn)),
            definition,
            region,
        }
    }

    /// The setting of a build.
    pub fn of_build() -> Self {
        Self { place: Place::CodeBuild, ..Self::default() }
    }
}

/// The last part of an ARN, if it has the shape of a name.
fn name_of(arn: &str) -> Option<String> {
    arn.rsplit('/').next().filter(|name| is_name(name)).map(str::to_owned)
}

/// Whether a text has the shape of a name in AWS, so that it may stand in a command.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.'))
}

/// Whether a text has the shape of an ARN, so that it may stand in a command.
pub(super) fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
        && text.matches(':').count() >= 5
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.' | b'/' | b'+' | b'=' | b'@'))
}
