//! The parts of an advice that depend on where it happened: on the place, or on the network mode.
//!
//! A template names a topic in braces (`{disk}`), and every place has its own words for it. The matches have no
//! wildcard, so a new place does not compile before it has words for all topics.

use super::setting::{LaunchedOn, NetworkMode};
use pullsafe::reference::Registry;

/// Returns the words for a topic at this place; `None` if there is no such topic.
pub(super) fn words(
    topic: &str,
    place: LaunchedOn,
    mode: Option<NetworkMode>,
    registry: Option<Registry>,
) -> Option<String> {
    Some(match topic {
        "cache" if registry == Some(Registry::EcrPrivate) => format!(
            " Through a pull-through cache: does it exist upstream, and may {} `ecr:BatchImportUpstreamImage` (and \
             `ecr:CreateRepository`)?",
            puller(place)
        ),
        "cache" => String::new(),
        "puller" => puller(place).to_owned(),
        "reader" => reader(place).to_owned(),
        "task" => task(place).to_owned(),
        "definition" => definition(place).to_owned(),
        "disk" => disk(place).to_owned(),
        "memory" => memory(place).to_owned(),
        "machine" => machine(place).to_owned(),
        "room" => room(place).to_owned(),
        "login" => login(place, registry),
        "port" => port(place, mode).to_owned(),
        "interface" => interface(place, mode).to_owned(),
        "certificate" => certificate(place).to_owned(),
        "route" => match registry {
            Some(Registry::EcrPrivate | Registry::EcrPrivateApi) => route(place, ECR),
            Some(_) => route(place, ""),
            None => route(place, "for Amazon ECR `ecr.api` and `ecr.dkr` with a gateway endpoint for S3"),
        },
        "route-secrets" => route(place, "`secretsmanager` (for its own key also `kms`)"),
        "route-ssm" => route(place, "`ssm`"),
        "route-logs" => route(place, "`logs`"),
        "route-s3" => route(place, "a gateway endpoint for S3 in the subnet's route table"),
        "route-all" => {
            route(place, "`ecr.api`, `ecr.dkr`, `secretsmanager`, `ssm` and `logs` with a gateway endpoint for S3")
        }
        _ => return None,
    })
}

const ECR: &str = "`ecr.api` and `ecr.dkr` with a gateway endpoint for S3 (the layers)";

/// The role that pulls and writes logs.
const fn puller(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Fargate | LaunchedOn::ManagedInstances | LaunchedOn::External => "the task's execution role",
        LaunchedOn::Ec2 => "the task's execution role (without one, the instance's role)",
        LaunchedOn::Batch => {
            "the job definition's execution role (on EC2 without one, the compute environment's instance role)"
        }
        LaunchedOn::CodeBuild => "the project's service role",
        LaunchedOn::Windows | LaunchedOn::Unknown => {
            "the task's execution role (on EC2 without one, the instance's role)"
        }
    }
}

/// How a pull gets credentials.
fn login(place: LaunchedOn, registry: Option<Registry>) -> String {
    let by_role = format!("{} gets them by `ecr:GetAuthorizationToken`", puller(place));
    let by_secret = "name a secret in `repositoryCredentials` of the container";
    match registry {
        Some(Registry::EcrPrivate | Registry::EcrPrivateApi) => {
            format!("For Amazon ECR {by_role}: look whether it may, and whether the agent uses it.")
        }
        Some(_) => format!("To send some, {by_secret}."),
        None => format!("For Amazon ECR {by_role}; for any other registry {by_secret}."),
    }
}

/// The role that reads secrets, which is never the instance's.
const fn reader(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Batch => "the job definition's execution role",
        LaunchedOn::CodeBuild => "the project's service role",
        LaunchedOn::Fargate
        | LaunchedOn::Ec2
        | LaunchedOn::ManagedInstances
        | LaunchedOn::External
        | LaunchedOn::Windows
        | LaunchedOn::Unknown => "the task's execution role",
    }
}

/// What this place calls the thing that runs.
const fn task(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Batch => "job",
        LaunchedOn::CodeBuild => "build",
        LaunchedOn::Fargate
        | LaunchedOn::Ec2
        | LaunchedOn::ManagedInstances
        | LaunchedOn::External
        | LaunchedOn::Windows
        | LaunchedOn::Unknown => "task",
    }
}

/// What this place calls its definition.
const fn definition(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Batch => "job definition",
        LaunchedOn::CodeBuild => "build specification",
        LaunchedOn::Fargate
        | LaunchedOn::Ec2
        | LaunchedOn::ManagedInstances
        | LaunchedOn::External
        | LaunchedOn::Windows
        | LaunchedOn::Unknown => "task definition",
    }
}

const fn disk(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Fargate => "Raise `ephemeralStorage.sizeInGiB` of the task definition (21 to 200).",
        LaunchedOn::ManagedInstances => {
            "Raise `storageConfiguration.storageSizeGiB` in the capacity provider's launch template; new instances \
             have it."
        }
        LaunchedOn::Ec2 => {
            "Free the instance's disk (unused images, logs, volumes; ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION) or \
             enlarge its volume."
        }
        LaunchedOn::External => "Free the host's disk (unused images, logs, volumes) or enlarge it.",
        LaunchedOn::Batch => {
            "Give the compute environment a launch template with a larger volume; for jobs on Fargate raise \
             `ephemeralStorage` of the job definition."
        }
        LaunchedOn::Windows => {
            "Windows images are large: free the host's disk (unused images and volumes), or give it a larger volume."
        }
        LaunchedOn::CodeBuild => {
            "Remove unused images in the build before the failing command, or choose a larger compute type."
        }
        LaunchedOn::Unknown => {
            "On Fargate raise `ephemeralStorage.sizeInGiB` (21 to 200); on EC2 free the instance's disk (unused \
             images, logs, volumes) or enlarge its volume."
        }
    }
}

const fn memory(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Fargate => "Raise `memory` of the task, and of the container where it has a limit of its own",
        LaunchedOn::Ec2 | LaunchedOn::ManagedInstances | LaunchedOn::External | LaunchedOn::Windows => {
            "Raise `memory` of the container"
        }
        LaunchedOn::Batch => "Raise MEMORY in `resourceRequirements` of the job definition",
        LaunchedOn::CodeBuild => "Choose a larger compute type of the project",
        LaunchedOn::Unknown => "Raise `memory` of the container (on Fargate of the task too)",
    }
}

const fn machine(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Fargate | LaunchedOn::ManagedInstances => {
            "AWS looks after the host: a service starts another task by itself, anything else is started again by \
             hand. If it lasts, ask AWS Support with the task's ARN."
        }
        LaunchedOn::Ec2 => {
            "A new task may land on another instance; if this instance fails again, drain and replace it, and look at \
             its load and disk."
        }
        LaunchedOn::External => {
            "If this host fails again, look at its agent (`/var/log/ecs/ecs-agent.log`), its load and its disk, and \
             restart Docker there."
        }
        LaunchedOn::Batch => {
            "Submit the job again, or give it a retry strategy; if one instance fails again, terminate it, and Batch \
             replaces it."
        }
        LaunchedOn::Windows => {
            "A new task may land on another host; if this one fails again, look at `Get-Service vmcompute` and the \
             event log Hyper-V-Compute there, and replace it."
        }
        LaunchedOn::CodeBuild => "Start the build again.",
        LaunchedOn::Unknown => {
            "A service starts another task by itself; on EC2, if the same instance fails again, drain and replace it."
        }
    }
}

const fn room(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Fargate => {
            "Name subnets in more Availability Zones, retry, or use a smaller cpu and memory; a service on Fargate \
             Spot gets FARGATE as a base in its capacity provider strategy."
        }
        LaunchedOn::ManagedInstances => {
            "Widen the instance requirements and subnets of the capacity provider, or make the task smaller; a new \
             instance takes minutes."
        }
        LaunchedOn::Ec2 => {
            "Make the task smaller, or add instances: the Auto Scaling group's maximum, the capacity provider's \
             managed scaling. The text says what is short (CPU, memory, ports, GPU, an attribute)."
        }
        LaunchedOn::External => "Register more hosts, or make the task smaller.",
        LaunchedOn::Batch => {
            "Widen the compute environment's instance types, maximum vCPUs and subnets (Spot and On-Demand have \
             capacity of their own), or make the job smaller."
        }
        LaunchedOn::Windows => {
            "Add Windows hosts of the version that the task definition names, or make the task smaller."
        }
        LaunchedOn::CodeBuild => "Start the build again, or choose another compute type.",
        LaunchedOn::Unknown => {
            "By the text: a smaller cpu and memory, more Availability Zones or instance types, more instances in the \
             cluster, or a higher quota."
        }
    }
}

const fn port(place: LaunchedOn, mode: Option<NetworkMode>) -> &'static str {
    match (place, mode) {
        (LaunchedOn::Fargate, _) | (_, Some(NetworkMode::AwsVpc)) => {
            "In awsvpc a task has ports of its own: another container of the same task listens there. Give one of \
             them another port."
        }
        (_, Some(NetworkMode::Host)) => {
            "In host mode the container's port is the host's: run one such task on each instance, or give it another \
             port."
        }
        (_, Some(NetworkMode::Bridge) | None) => {
            "Set hostPort to 0 (a dynamic port behind a load balancer), run at most one such task on each instance, \
             or stop what holds the port there."
        }
    }
}

const fn interface(place: LaunchedOn, mode: Option<NetworkMode>) -> &'static str {
    match (place, mode) {
        (LaunchedOn::Fargate, _) => {
            "Look at the free addresses of the subnets (AvailableIpAddressCount), whether the subnets and security \
             groups still exist, the quota of network interfaces, and tag policies on `ec2:network-interface`. A \
             timeout is retried by ECS itself."
        }
        (LaunchedOn::ManagedInstances, _) => {
            "Look at the free addresses of the subnets and at the quota of network interfaces; AWS looks after the \
             instance. A timeout is retried by ECS itself."
        }
        (LaunchedOn::CodeBuild, _) => {
            "Look at the free addresses of the subnets in the project's VPC configuration, and whether they still \
             exist."
        }
        (LaunchedOn::External, _) | (_, Some(NetworkMode::Bridge | NetworkMode::Host)) => {
            "The host's Docker network is at fault, no network interface of the task: restart Docker on the host, or \
             replace the host."
        }
        (_, Some(NetworkMode::AwsVpc) | None) => {
            "Look at the free addresses of the subnet, whether subnet and security groups still exist, and the quota \
             of network interfaces. On an instance: how many interfaces its type allows (awsvpcTrunking raises it), \
             and its CNI plugins."
        }
    }
}

const fn certificate(place: LaunchedOn) -> &'static str {
    match place {
        LaunchedOn::Fargate => "Fargate trusts public certificates only: give the registry one",
        LaunchedOn::ManagedInstances => "a managed instance trusts public certificates only: give the registry one",
        LaunchedOn::Ec2 | LaunchedOn::External | LaunchedOn::Batch | LaunchedOn::Windows => {
            "install the authority's certificate on the host"
        }
        LaunchedOn::CodeBuild => "install the authority's certificate in the build, for the Docker daemon",
        LaunchedOn::Unknown => {
            "install the authority's certificate on the host (Fargate trusts public certificates only)"
        }
    }
}

/// What opens the way out of the network, and which endpoints can replace it; `endpoints` is empty if none leads there.
fn route(place: LaunchedOn, endpoints: &str) -> String {
    let shorter = if endpoints.is_empty() {
        String::new()
    } else {
        format!(", or endpoints ({endpoints}; interface endpoints must let 443 in)")
    };
    let subnet = |whose: &str| {
        format!("{whose} needs a way out: a NAT gateway{shorter}, and a security group that lets 443 out.")
    };
    match place {
        LaunchedOn::Fargate => {
            format!(
                "This goes through the task's own network interface: {} In a public subnet assignPublicIp must be \
                 ENABLED.",
                subnet("a private subnet")
            )
        }
        LaunchedOn::ManagedInstances => {
            format!("The managed instance does this, not the task: {}", subnet("the capacity provider's subnet"))
        }
        LaunchedOn::Ec2 => {
            format!(
                "The instance does this, not the task: {} Behind a proxy, agent and Docker need HTTP_PROXY.",
                subnet("its subnet")
            )
        }
        LaunchedOn::External => {
            "The host's own network does this: look at its DNS, proxy and firewall (443 out).".to_owned()
        }
        LaunchedOn::Batch => subnet("The compute environment's subnet"),
        LaunchedOn::Windows => subnet("The subnet of the Windows host"),
        LaunchedOn::CodeBuild => subnet("A VPC configuration of the project"),
        LaunchedOn::Unknown => {
            format!(
                "{} On Fargate it is the task's subnet (a public one with assignPublicIp ENABLED), on EC2 the \
                 instance's.",
                subnet("The subnet")
            )
        }
    }
}
