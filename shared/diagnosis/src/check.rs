//! What shows whether a diagnosis is so: one command to paste, or the page of the console, for every cause.
//!
//! A name goes into a command only if it has the shape of such a name; what a text says is never a command by itself.

use super::setting::{Place, Setting, is_arn, is_name};
use crate::cause::{Cause, Diagnosis, Kind};
use pullsafe::reference::{Reference, Registry, ecr_host};

/// The command or page, and what to look for in it.
pub fn check(diagnosis: &Diagnosis, setting: &Setting) -> String {
    if setting.place == Place::CodeBuild
        && let Some(said) = of_build(diagnosis)
    {
        return said;
    }
    let text = diagnosis.evidence.iter().map(|evidence| evidence.text.as_str()).collect::<Vec<_>>().join(" ");
    match diagnosis.cause {
        Cause::RegistryRateLimited | Cause::RegistryDataLimit => limit(diagnosis),
        Cause::ImageNotFound | Cause::ImageDigestGone | Cause::RepositoryNotFound => exists(diagnosis, setting),
        Cause::RegistryAuthDenied | Cause::EcrPermissionDenied => access(diagnosis, setting),
        Cause::RegistryUnreachable => network(setting),
        Cause::RegistryServerError => inspect(diagnosis).unwrap_or_else(|| "the registry's status page".to_owned()),
        Cause::PlatformMismatch | Cause::ExecFormat | Cause::ImageCorrupt | Cause::ImageUnsupported => {
            inspect(diagnosis).map_or_else(|| definition(setting), |command| format!("{command} (the platforms and media types it lists)"))
        }
        Cause::InvalidImageReference
        | Cause::InvalidConfiguration
        | Cause::HostPortConflict
        | Cause::CommandNotFound
        | Cause::LogDriverFailed => log_group(&text).unwrap_or_else(|| definition(setting)),
        Cause::SecretUnavailable => secret(diagnosis, &text, setting),
        Cause::RoleAssumeFailed => role(&text),
        Cause::VolumeMountFailed => file_system(&text).unwrap_or_else(|| definition(setting)),
        Cause::NetworkSetupFailed | Cause::CapacityUnavailable => events(setting),
        Cause::DiskFull if setting.place == Place::CodeBuild => "`df -h` in the build specification before the failing command".to_owned(),
        Cause::DiskFull if matches!(setting.place, Place::Ec2 | Place::External | Place::Batch) => {
            "`docker system df` and `df -h` on the host".to_owned()
        }
        Cause::DiskFull => format!("{} (`ephemeralStorage`)", definition(setting)),
        Cause::LoadBalancerHealthCheckFailed => target_group(&text),
        Cause::HostTerminated | Cause::SpotInterrupted => instance(&text).unwrap_or_else(|| events(setting)),
        Cause::UserStopped => {
            "`aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=StopTask` (who stopped it)".to_owned()
        }
        Cause::ScalingOrDeployment | Cause::AgentError => events(setting),
        Cause::TaskCompleted
        | Cause::OutOfMemory
        | Cause::AppCrashed
        | Cause::AppDegraded
        | Cause::ContainerHealthCheckFailed
        | Cause::Unknown => task(setting),
    }
}

/// For a build, where a task would be asked about what only tasks have.
fn of_build(diagnosis: &Diagnosis) -> Option<String> {
    let cause = diagnosis.cause;
    if cause == Cause::RoleAssumeFailed {
        return Some(
            "the trust relationship of the project's service role in the IAM console (codebuild.amazonaws.com must be its principal)"
                .to_owned(),
        );
    }
    let of_an_image = matches!(
        cause,
        Cause::EcrPermissionDenied | Cause::RegistryAuthDenied | Cause::ImageNotFound | Cause::ImageDigestGone | Cause::RepositoryNotFound
    );
    let of_a_task =
        matches!(cause, Cause::LoadBalancerHealthCheckFailed | Cause::SpotInterrupted | Cause::HostTerminated | Cause::UserStopped);
    (of_a_task || (of_an_image && reference(diagnosis).is_none()))
        .then(|| "the build's log in the CodeBuild console, from the first failed command on".to_owned())
}

fn reference(diagnosis: &Diagnosis) -> Option<Reference> {
    diagnosis.image.as_deref()?.parse().ok()
}

fn inspect(diagnosis: &Diagnosis) -> Option<String> {
    reference(diagnosis).map(|image| format!("`docker buildx imagetools inspect {image}`"))
}

fn limit(diagnosis: &Diagnosis) -> String {
    if diagnosis.registry == Some(Registry::DockerHub) {
        return "`curl -sI -H \"Authorization: Bearer $(curl -s 'https://auth.docker.io/token?service=registry.docker.io&scope=repository:ratelimitpreview/test:pull' | jq -r .token)\" https://registry-1.docker.io/v2/ratelimitpreview/test/manifests/latest | grep -i ratelimit` from the same network (`ratelimit-remaining: 0` means the quota)".to_owned();
    }
    if matches!(diagnosis.registry, Some(Registry::EcrPrivate | Registry::EcrPrivateApi)) {
        return "`aws service-quotas list-service-quotas --service-code ecr` (the rates of image pulls and of GetAuthorizationToken)"
            .to_owned();
    }
    inspect(diagnosis)
        .map_or_else(|| "one pull by hand, from the same network".to_owned(), |command| format!("{command}, from the same network"))
}

/// Where the image is in ECR: registry, repository and region as arguments.
fn in_ecr(image: &Reference) -> Option<(String, String)> {
    let host = ecr_host(image.registry())?;
    Some((format!("--registry-id {} --region {}", host.account, host.region), image.repository().to_owned()))
}

fn exists(diagnosis: &Diagnosis, setting: &Setting) -> String {
    let Some(image) = reference(diagnosis) else { return definition(setting) };
    let Some((registry, repository)) = in_ecr(&image) else { return format!("`docker buildx imagetools inspect {image}`") };
    if diagnosis.cause == Cause::RepositoryNotFound {
        return format!("`aws ecr describe-repositories {registry} --repository-names {repository}`");
    }
    let which = match (image.tag(), image.digest()) {
        (Some(tag), _) => format!("imageTag={tag}"),
        (None, Some(digest)) => format!("imageDigest={digest}"),
        (None, None) => "imageTag=latest".to_owned(),
    };
    format!("`aws ecr describe-images {registry} --repository-name {repository} --image-ids {which}`")
}

fn access(diagnosis: &Diagnosis, setting: &Setting) -> String {
    match reference(diagnosis).as_ref().and_then(in_ecr) {
        Some((registry, repository)) => format!(
            "`aws ecr get-repository-policy {registry} --repository-name {repository}`, and the role that pulls in the IAM policy simulator"
        ),
        None => inspect(diagnosis)
            .map_or_else(|| definition(setting), |command| format!("{command} after `docker logout`, then with the credentials in use")),
    }
}

fn network(setting: &Setting) -> String {
    let region = setting.region.as_ref().map(|region| format!(" --region {region}")).unwrap_or_default();
    match setting.place {
        Place::CodeBuild => {
            "the project's VPC configuration in the CodeBuild console: a private subnet with a NAT gateway, and the security group's egress"
                .to_owned()
        }
        Place::Ec2 | Place::External => {
            "`curl -v https://<the registry's host>/v2/` on the host: any answer, even 401, means that the way is open"
                .replace("<the registry's host>", "registry-1.docker.io")
        }
        Place::Fargate | Place::ManagedInstances | Place::Batch | Place::Unknown => {
            format!(
                "`aws ec2 describe-route-tables{region}` and `aws ec2 describe-vpc-endpoints{region}` for the task's subnet (a route to a NAT or internet gateway, or endpoints for ecr.api, ecr.dkr and S3)"
            )
        }
    }
}

fn definition(setting: &Setting) -> String {
    match &setting.definition {
        Some(name) => format!("`aws ecs describe-task-definition --task-definition {name}`"),
        None if setting.place == Place::CodeBuild => {
            "the build's log in the CodeBuild console, from the first failed command on".to_owned()
        }
        None => "the task definition in the ECS console".to_owned(),
    }
}

fn task(setting: &Setting) -> String {
    match (&setting.cluster, &setting.task) {
        (Some(cluster), Some(task)) => format!(
            "`aws ecs describe-tasks --cluster {cluster} --tasks {task} --query 'tasks[0].[stoppedReason,containers[].[name,exitCode,reason]]'`, and the container's log"
        ),
        _ if setting.place == Place::CodeBuild => "the build's log in the CodeBuild console".to_owned(),
        _ => "the stopped task in the ECS console: its containers, and the tab Logs".to_owned(),
    }
}

fn events(setting: &Setting) -> String {
    match (&setting.cluster, &setting.service) {
        (Some(cluster), Some(service)) => {
            format!("`aws ecs describe-services --cluster {cluster} --services {service} --query 'services[0].events[:5].message'`")
        }
        _ => task(setting),
    }
}

/// The first word of a text that is an ARN with this inside.
fn arn<'a>(text: &'a str, inside: &str) -> Option<&'a str> {
    text.match_indices("arn:aws").find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let end = rest.find([' ', '\'', '"', ',', ')', ']', ';']).unwrap_or(rest.len());
        let word = rest.get(..end)?.trim_end_matches(['.', ':']);
        (word.contains(inside) && is_arn(word)).then_some(word)
    })
}

fn secret(diagnosis: &Diagnosis, text: &str, setting: &Setting) -> String {
    if let Some(arn) = arn(text, ":secretsmanager:") {
        // Behind the secret itself: a key of its JSON, a stage, a version.
        let name: Vec<&str> = arn.splitn(8, ':').take(7).collect();
        return format!("`aws secretsmanager get-secret-value --secret-id {} --query VersionId`", name.join(":"));
    }
    if let Some(arn) = arn(text, ":ssm:") {
        let name = arn.split_once(":parameter").map_or(arn, |(_, name)| name);
        return format!("`aws ssm get-parameter --name {name} --query Parameter.Version`");
    }
    match diagnosis.kind {
        Some(Kind::EnvironmentFile) => {
            arn(text, ":s3:").map_or_else(|| definition(setting), |arn| format!("`aws s3api head-object` of {arn}"))
        }
        _ => definition(setting),
    }
}

fn role(text: &str) -> String {
    let name = arn(text, ":role/").and_then(|arn| arn.rsplit('/').next()).filter(|name| is_name(name));
    match name {
        Some(name) => format!(
            "`aws iam get-role --role-name {name} --query Role.AssumeRolePolicyDocument` (ecs-tasks.amazonaws.com must be its principal)"
        ),
        None => "the trust relationship of the task's roles in the IAM console (ecs-tasks.amazonaws.com must be its principal)".to_owned(),
    }
}

/// A word with this beginning and then hexadecimal digits.
fn identifier<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    text.match_indices(beginning).find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let digits = rest.get(beginning.len()..)?.bytes().take_while(u8::is_ascii_hexdigit).count();
        (digits >= 8).then(|| rest.get(..beginning.len() + digits)).flatten()
    })
}

fn file_system(text: &str) -> Option<String> {
    identifier(text, "fs-").map(|id| format!("`aws efs describe-mount-targets --file-system-id {id}` (one in the task's Availability Zone, whose security group lets the task in on 2049)"))
}

fn instance(text: &str) -> Option<String> {
    identifier(text, "i-").map(|id| {
        format!("`aws ec2 describe-instances --instance-ids {id} --query 'Reservations[].Instances[].[State,StateTransitionReason]'`")
    })
}

fn target_group(text: &str) -> String {
    match arn(text, ":targetgroup/") {
        Some(arn) => format!("`aws elbv2 describe-target-health --target-group-arn {arn}`"),
        None => "the target group's tab Targets in the EC2 console: the reason of each unhealthy target".to_owned(),
    }
}

/// The log group that a text names.
fn log_group(text: &str) -> Option<String> {
    let at = text.find("log-group:").map(|at| at + "log-group:".len())?;
    let rest = text.get(at..)?;
    let end = rest
        .find(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '/' | '-' | '_' | '.' | '#')))
        .unwrap_or(rest.len());
    let name = rest.get(..end).filter(|name| !name.is_empty())?;
    Some(format!("`aws logs describe-log-groups --log-group-name-prefix {name}`"))
}

/// What is true of the place and is not the same everywhere, for causes that it matters to.
pub fn hint(diagnosis: &Diagnosis, setting: &Setting) -> Option<&'static str> {
    let network = matches!(diagnosis.cause, Cause::RegistryUnreachable | Cause::SecretUnavailable | Cause::LogDriverFailed);
    match (diagnosis.cause, setting.place) {
        (Cause::EcrPermissionDenied, Place::Fargate | Place::ManagedInstances) => Some("Here the task's execution role pulls."),
        (Cause::EcrPermissionDenied, Place::Ec2) => Some("On EC2 the execution role pulls if the task has one, else the instance's role."),
        (Cause::EcrPermissionDenied, Place::Batch) => {
            Some("In Batch the job definition's execution role pulls on Fargate, the compute environment's instance role on EC2.")
        }
        (Cause::EcrPermissionDenied, Place::External) => Some("Outside of AWS the execution role pulls; the instance's SSM role does not."),
        (Cause::RegistryUnreachable, Place::Ec2) => Some("On EC2 the instance pulls: its subnet and security group count, not the task's."),
        (Cause::RegistryUnreachable, Place::External) => Some("The host is outside of AWS: its own network and proxy count."),
        (_, Place::Fargate) if network => {
            Some("On Fargate this goes through the task's own network interface: its subnet, public IP and security group.")
        }
        (Cause::CapacityUnavailable, Place::Fargate) => {
            Some("More subnets in more Availability Zones widen Fargate's choice; Spot and On-Demand have capacity of their own.")
        }
        (Cause::CapacityUnavailable, Place::ManagedInstances) => Some("Widen the instance requirements of the capacity provider."),
        (Cause::CapacityUnavailable, Place::Batch) => {
            Some("In Batch the compute environment's instance types, maximum vCPUs and subnets decide.")
        }
        (Cause::DiskFull, Place::Fargate) => Some("On Fargate raise `ephemeralStorage.sizeInGiB` (20 to 200)."),
        (Cause::AgentError, Place::Fargate | Place::ManagedInstances) => {
            Some("AWS looks after the host here: retry, and ask AWS Support with the task's ARN if it lasts.")
        }
        _ => None,
    }
}
