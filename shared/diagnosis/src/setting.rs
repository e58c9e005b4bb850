//! Where a task or build ran, with which log driver and network mode, as far as the advice depends on it.
//!
//! A text tells by its own words, a task by its fields and its definition. What neither tells is not guessed.

use pullsafe_events::stopped_task::StoppedTask;

use super::log_driver::Driver;

/// What ran the task or build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LaunchedOn {
    /// AWS Fargate.
    Fargate,
    /// A container instance on EC2 that the account manages itself.
    Ec2,
    /// Amazon ECS Managed Instances.
    ManagedInstances,
    /// An instance outside of AWS (ECS Anywhere).
    External,
    /// AWS Batch, on any kind of host.
    Batch,
    /// A Windows host of any kind: its images, disks and commands differ.
    Windows,
    /// A build of AWS CodeBuild.
    CodeBuild,
    /// The place is not known.
    #[default]
    Unknown,
}

/// How the containers of a task reach the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkMode {
    /// The task has a network interface and ports of its own.
    AwsVpc,
    /// The containers are behind the host's bridge (on Windows: its NAT).
    Bridge,
    /// The containers have the host's ports.
    Host,
}

/// Where a stop happened, with the names that a command needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopSetting {
    /// What ran the task or build.
    pub place: LaunchedOn,
    /// The network mode.
    pub mode: Option<NetworkMode>,
    /// The log driver of the containers, if they all have the same.
    pub driver: Option<Driver>,
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

/// Words that only a Windows host writes.
pub(crate) const WINDOWS: &[&str] = &[
    "windows system call",
    "hcsshim",
    "hcs::",
    "in win32",
    "computesystem",
    "hcs ",
    "windows/amd64",
    "windowsfilter",
];
/// Words of a text that tell the network mode.
const MODES: &[(&str, NetworkMode)] = &[
    ("network interface", NetworkMode::AwsVpc),
    ("awsvpc", NetworkMode::AwsVpc),
    ("pause container", NetworkMode::AwsVpc),
    ("network namespace", NetworkMode::AwsVpc),
    ("userland proxy", NetworkMode::Bridge),
    ("on endpoint", NetworkMode::Bridge),
    ("docker0", NetworkMode::Bridge),
];

impl StopSetting {
    /// Reads the setting of a task.
    pub fn of_task(task: &StoppedTask) -> Self {
        let is =
            |said: &Option<String>, word: &str| said.as_deref().is_some_and(|said| said.eq_ignore_ascii_case(word));
        let launch = task.launch_type.as_deref().unwrap_or_default().to_ascii_uppercase();
        let batch = task.cluster_arn.contains("AWSBatch") || task.cluster_arn.contains("_Batch_");
        let windows = task
            .platform_family
            .as_deref()
            .is_some_and(|family| family.to_ascii_lowercase().starts_with("windows"));
        let place = match launch.as_str() {
            _ if batch => LaunchedOn::Batch,
            _ if windows => LaunchedOn::Windows,
            "FARGATE" => LaunchedOn::Fargate,
            "EC2" => LaunchedOn::Ec2,
            "EXTERNAL" => LaunchedOn::External,
            "MANAGED_INSTANCES" => LaunchedOn::ManagedInstances,
            _ => LaunchedOn::Unknown,
        };
        let mode = match () {
            () if launch == "FARGATE" || is(&task.network_mode, "awsvpc") => Some(NetworkMode::AwsVpc),
            () if is(&task.network_mode, "bridge") => Some(NetworkMode::Bridge),
            () if is(&task.network_mode, "host") => Some(NetworkMode::Host),
            () => None,
        };
        let mut drivers =
            task.containers.iter().filter_map(|container| container.log_driver.as_deref()).map(Driver::of_name);
        let first = drivers.next().flatten();
        let region = task.task_arn.split(':').nth(3).filter(|region| is_name(region)).map(str::to_owned);
        let definition = task.task_definition_arn.rsplit('/').next().filter(|name| is_name(name)).map(str::to_owned);
        Self {
            place,
            mode,
            driver: first.filter(|first| drivers.all(|other| other == Some(*first))),
            cluster: name_of(&task.cluster_arn),
            service: task.service_name().filter(|name| is_name(name)).map(str::to_owned),
            task: Some(task.task_arn.clone()).filter(|arn| is_arn(arn)),
            definition,
            region,
        }
    }

    /// The setting of a build.
    pub fn of_build() -> Self {
        Self { place: LaunchedOn::CodeBuild, ..Self::default() }
    }

    /// The place, also judged by this text: a build stays a build, and a text of Windows means Windows anywhere else.
    pub(crate) fn place_in(&self, text: &str) -> LaunchedOn {
        let lower = text.to_ascii_lowercase();
        let windows = self.place != LaunchedOn::CodeBuild && WINDOWS.iter().any(|word| lower.contains(word));
        if windows { LaunchedOn::Windows } else { self.place }
    }

    /// The network mode: by this text if it tells, else the setting's.
    pub(crate) fn mode_in(&self, text: &str) -> Option<NetworkMode> {
        let lower = text.to_ascii_lowercase();
        MODES.iter().find(|(word, _)| lower.contains(word)).map(|(_, mode)| *mode).or(self.mode)
    }
}

/// Returns the last part of an ARN, if it has the shape of a name.
fn name_of(arn: &str) -> Option<String> {
    arn.rsplit('/').next().filter(|name| is_name(name)).map(str::to_owned)
}

/// Whether a text has the shape of an AWS name, so that it may be put into a command.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.'))
}

/// Whether a text has the shape of an ARN, so that it may be put into a command.
pub(super) fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
        && text.matches(':').count() >= 5
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.' | b'/' | b'+' | b'=' | b'@')
        })
}
