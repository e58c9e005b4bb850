//! What the tasks of a definition need before they can start.

use std::collections::BTreeMap;

use serde_json::Value;

use pullsafe::arn::Arn;
use pullsafe::reference::{Digest, Reference, Region};
use pullsafe_events::task_definition::TaskDefinition;

/// Where the tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchPlatform {
    /// On Fargate: the execution role does everything before the start, and the definition says the platform.
    Fargate,
    /// On instances, whose role and processor may stand in for what the definition leaves out.
    Instances,
    /// Not in a known task: whatever reads the file pulls, from the address that asks now.
    Elsewhere,
}

impl LaunchPlatform {
    /// Where the tasks of a definition that nobody has deployed yet would run: on Fargate if it requires nothing else.
    pub fn of(definition: &TaskDefinition) -> Self {
        if definition.requires_only("FARGATE") {
            Self::Fargate
        } else {
            Self::Instances
        }
    }
}

/// An image, and the containers that want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedImage {
    pub containers: Vec<String>,
    /// The image as the definition has it.
    pub written: String,
    /// The image as a reference; `None` if its name cannot be parsed.
    pub reference: Option<Reference>,
    /// The digest that ECS has resolved the tag to, where that is known.
    pub pinned: Option<Digest>,
    /// Whether the task sends credentials of its own, so that its registry may show it more than it shows us.
    pub has_credentials: bool,
}

impl WantedImage {
    /// The reference that a pull asks for: by the pinned digest if there is one.
    pub fn pulled(&self) -> Option<Reference> {
        let reference = self.reference.clone()?;
        Some(match &self.pinned {
            Some(digest) if reference.digest().is_none() => reference.pinned_to(digest.clone()),
            Some(_) | None => reference,
        })
    }
}

/// A secret or parameter that the execution role reads before the start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StartSecret {
    /// The ARN, without the parts that choose a key or a version; `None` if account and region are not known.
    pub arn: Option<String>,
    /// The reference as the definition has it.
    pub written: String,
    /// The IAM action that reads the secret.
    pub action: &'static str,
}

/// A log group that containers write to and do not create.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogGroup {
    pub name: String,
    /// The region, where the definition names one.
    pub region: Option<Region>,
}

/// What the tasks of a definition need before they can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The images, each once.
    pub images: Vec<WantedImage>,
    /// The secrets, each once.
    pub secrets: Vec<StartSecret>,
    /// The log groups, each once.
    pub log_groups: Vec<LogGroup>,
    /// The role that pulls, reads and logs.
    pub execution_role: Option<String>,
    /// `os/architecture`, if it is known.
    pub platform: Option<String>,
    /// Whether the platform is certain: the definition says it, or it is Fargate's default.
    pub platform_is_certain: bool,
    pub launch: LaunchPlatform,
}

impl Needs {
    /// The needs of images alone, pulled by something other than a known task.
    pub fn of_images(images: Vec<WantedImage>, platform: Option<String>) -> Self {
        Self {
            images,
            secrets: Vec::new(),
            log_groups: Vec::new(),
            execution_role: None,
            platform_is_certain: platform.is_some(),
            platform,
            launch: LaunchPlatform::Elsewhere,
        }
    }

    /// Reads the needs of a definition. `pinned` has, by container, the digests that ECS has resolved tags to.
    pub fn of(definition: &TaskDefinition, launch: LaunchPlatform, pinned: &BTreeMap<String, Digest>) -> Self {
        let mut images: Vec<WantedImage> = Vec::new();
        for image in definition.images() {
            let pinned = pinned.get(&image.container).cloned();
            let credentials =
                definition.container(&image.container).and_then(|container| container.get("repositoryCredentials"));
            let has_credentials = credentials.is_some_and(Value::is_object);
            let same = |known: &&mut WantedImage| {
                known.written == image.written && known.pinned == pinned && known.has_credentials == has_credentials
            };
            match images.iter_mut().find(same) {
                Some(known) => known.containers.push(image.container),
                None => images.push(WantedImage {
                    containers: vec![image.container],
                    written: image.written,
                    reference: image.reference,
                    pinned,
                    has_credentials,
                }),
            }
        }
        let containers = definition.containers();
        let mut secrets: Vec<StartSecret> =
            containers.iter().flat_map(|container| secrets(container, definition.arn())).collect();
        secrets.sort();
        secrets.dedup();
        let mut log_groups: Vec<LogGroup> = containers.iter().filter_map(log_group).collect();
        log_groups.sort();
        log_groups.dedup();
        Self {
            images,
            secrets,
            log_groups,
            execution_role: definition.execution_role_arn().map(str::to_owned),
            platform: Some(definition.platform()),
            platform_is_certain: launch == LaunchPlatform::Fargate || definition.says_its_processor(),
            launch,
        }
    }
}

fn secrets(container: &Value, definition: &str) -> Vec<StartSecret> {
    let list = |pointer: &str| container.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let named = list("/secrets")
        .chain(list("/logConfiguration/secretOptions"))
        .filter_map(|secret| secret.get("valueFrom"));
    let credentials = container.pointer("/repositoryCredentials/credentialsParameter");
    named
        .chain(credentials)
        .filter_map(Value::as_str)
        .filter(|written| !written.is_empty())
        .map(|text| secret(text, definition))
        .collect()
}

/// Reads a secret of Secrets Manager by its ARN, or a parameter by its ARN or name. A name belongs to the definition's
/// account and region.
fn secret(written: &str, definition: &str) -> StartSecret {
    let (action, arn) = match Arn::parse(written) {
        Some(_) if written.split(':').nth(2) == Some("secretsmanager") => {
            // arn:aws:secretsmanager:region:account:secret:name, then perhaps a key, a stage and a version.
            ("secretsmanager:GetSecretValue", Some(written.split(':').take(7).collect::<Vec<_>>().join(":")))
        }
        Some(_) => ("ssm:GetParameters", Some(written.to_owned())),
        None => {
            let here = Arn::parse(definition);
            let name = written.trim_start_matches('/');
            let arn = here
                .map(|here| format!("arn:{}:ssm:{}:{}:parameter/{name}", here.partition, here.region, here.account));
            ("ssm:GetParameters", arn)
        }
    };
    StartSecret { arn, written: written.to_owned(), action }
}

/// The log group that must exist before this container starts.
fn log_group(container: &Value) -> Option<LogGroup> {
    let logging = container.get("logConfiguration")?;
    let option = |name: &str| {
        let value = logging.get("options").and_then(|options| options.get(name)).and_then(Value::as_str);
        value.map(str::trim).filter(|value| !value.is_empty())
    };
    let made_by_driver = option("awslogs-create-group") == Some("true");
    if logging.get("logDriver").and_then(Value::as_str) != Some("awslogs") || made_by_driver {
        return None;
    }
    // A region that does not parse never becomes a host; such a definition names no group that could be looked for.
    let region = option("awslogs-region").map(str::parse).transpose().ok()?;
    Some(LogGroup { name: option("awslogs-group")?.to_owned(), region })
}
