//! Says how to check a diagnosis: for every cause a command to paste, or a page of the console.
//!
//! A name goes into a command only if it has the shape of such a name; a text is never a command by itself.

use super::log_driver::Driver;
use super::setting::{LaunchedOn, StopSetting, is_arn, is_name};
use super::shape::NameShape;
use crate::cause::{Cause, Diagnosis, Kind, Phase, Signature, Why};
use pullsafe::reference::{Reference, Registry, ecr_host};

/// Returns the command or page, and what to look for in it.
pub fn check(diagnosis: &Diagnosis, setting: &StopSetting) -> String {
    let text = diagnosis.evidence.iter().map(|evidence| evidence.text.as_str()).collect::<Vec<_>>().join(" ");
    let place = if diagnosis.cause.is_about_image() || is_of_start(diagnosis.cause) {
        setting.place_in(&text)
    } else {
        setting.place
    };
    let setting = &StopSetting { place, ..setting.clone() };
    if place == LaunchedOn::CodeBuild
        && let Some(said) = of_build(diagnosis)
    {
        return said;
    }
    let defined = |what: &str| definition(setting, what);
    match diagnosis.cause {
        Cause::RegistryRateLimited | Cause::RegistryDataLimit => limit(diagnosis),
        Cause::ImageNotFound | Cause::ImageDigestGone | Cause::ImageArchived | Cause::RepositoryNotFound => {
            exists(diagnosis, setting)
        }
        Cause::RegistryAuthDenied | Cause::EcrPermissionDenied => access(diagnosis, &text, setting),
        Cause::RegistryUnreachable => network(diagnosis, setting),
        Cause::RegistryServerError => inspect(diagnosis).unwrap_or_else(|| "the registry's status page".to_owned()),
        Cause::PlatformMismatch | Cause::ExecFormat | Cause::ImageCorrupt | Cause::ImageUnsupported => {
            inspect(diagnosis).map_or_else(
                || defined(IMAGES),
                |command| {
                    format!(
                        "{command} (the platforms and media \
                types it lists)"
                    )
                },
            )
        }
        Cause::LogDriverFailed if diagnosis.why == Some(Why::Network) && is_of_cloudwatch(&text, setting) => {
            of_service("logs", setting).unwrap_or_else(|| defined("[name,logConfiguration]"))
        }
        Cause::LogDriverFailed => log_group(&text, setting).unwrap_or_else(|| defined("[name,logConfiguration]")),
        Cause::InvalidImageReference => defined(IMAGES),
        Cause::HostPortConflict => defined("[name,portMappings]"),
        Cause::CommandNotFound => defined(COMMAND),
        Cause::AppCrashed if diagnosis.signature == Some(Signature::BadArguments) => defined(COMMAND),
        Cause::InvalidConfiguration => defined(""),
        Cause::SecretUnavailable => secret(diagnosis, &text, setting),
        Cause::RoleAssumeFailed => role(&text),
        Cause::VolumeMountFailed => file_system(&text).unwrap_or_else(|| defined("volumes")),
        Cause::NetworkSetupFailed | Cause::CapacityUnavailable | Cause::ScalingOrDeployment | Cause::AgentError => {
            events(setting)
        }
        Cause::DiskFull => disk(setting),
        Cause::LoadBalancerHealthCheckFailed => target_group(&text),
        Cause::HostTerminated | Cause::SpotInterrupted => instance(&text).unwrap_or_else(|| events(setting)),
        Cause::UserStopped => {
            "`aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=StopTask` (who \
             stopped it)"
                .to_owned()
        }
        Cause::OutOfMemory => defined("[name,memory,memoryReservation]"),
        Cause::ContainerHealthCheckFailed => defined("[name,healthCheck]"),
        Cause::AppCrashed | Cause::AppDegraded if diagnosis.signature == Some(Signature::CredentialsMissing) => {
            format!("{} (`null`: the task has no role)", defined("taskRoleArn"))
        }
        Cause::AppCrashed | Cause::AppDegraded if needs_environment(diagnosis) => {
            format!("{} (whether the variable is there)", defined("[name,environment[].name,secrets[].name]"))
        }
        Cause::TaskCompleted | Cause::AppCrashed | Cause::AppDegraded | Cause::Unknown => task(setting),
    }
}

/// The fields of a container definition that say what it runs.
const COMMAND: &str = "[name,image,entryPoint,command,workingDirectory,user]";
/// The fields of a container definition that say what it pulls.
const IMAGES: &str = "[name,image,repositoryCredentials]";

/// Whether the program lacks something that its environment should provide.
fn needs_environment(diagnosis: &Diagnosis) -> bool {
    let lacks = [Signature::EnvMissing, Signature::DependencyLocalhostDefault, Signature::DependencyAuth];
    diagnosis.signature.is_some_and(|signature| lacks.contains(&signature))
}

/// Whether the cause comes from the host's container runtime, whose words tell what kind of host it is.
const fn is_of_start(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::DiskFull
            | Cause::CommandNotFound
            | Cause::AgentError
            | Cause::VolumeMountFailed
            | Cause::InvalidConfiguration
    )
}

/// The check for a build, for causes whose usual check asks for what only tasks have.
fn of_build(diagnosis: &Diagnosis) -> Option<String> {
    let cause = diagnosis.cause;
    let said = if cause == Cause::RoleAssumeFailed {
        "the trust relationship of the project's service role in the IAM console (codebuild.amazonaws.com must be its \
         principal)"
    } else if cause == Cause::RegistryUnreachable {
        "the project's VPC configuration in the CodeBuild console: a private subnet with a NAT gateway, and the \
         security group's egress"
    } else if cause == Cause::DiskFull {
        "`df -h` in the build specification before the failing command"
    } else if matches!(cause, Cause::RegistryRateLimited | Cause::RegistryDataLimit | Cause::RegistryServerError)
        || (cause.is_about_image() && reference(diagnosis).is_some())
    {
        return None;
    } else {
        "the build's log in the CodeBuild console, from the first failed command on"
    };
    Some(said.to_owned())
}

fn reference(diagnosis: &Diagnosis) -> Option<Reference> {
    diagnosis.image.as_deref()?.parse().ok()
}

fn inspect(diagnosis: &Diagnosis) -> Option<String> {
    reference(diagnosis).map(|image| format!("`docker buildx imagetools inspect {image}`"))
}

fn limit(diagnosis: &Diagnosis) -> String {
    if diagnosis.registry == Some(Registry::DockerHub) {
        return "`curl -sI -H \"Authorization: Bearer $(curl -s \
            'https://auth.docker.io/token?service=registry.docker.io&scope=repository:ratelimitpreview/test:pull' | \
            jq -r .token)\" https://registry-1.docker.io/v2/ratelimitpreview/test/manifests/latest | grep -i \
            ratelimit` from the same network (`ratelimit-remaining: 0` means the quota)"
            .to_owned();
    }
    if matches!(diagnosis.registry, Some(Registry::EcrPrivate | Registry::EcrPrivateApi)) {
        return "`aws service-quotas list-service-quotas --service-code ecr` (the rates of image pulls and of \
            GetAuthorizationToken)"
            .to_owned();
    }
    inspect(diagnosis).map_or_else(
        || "one pull by hand, from the same network".to_owned(),
        |command| format!("{command}, from the same network"),
    )
}

/// An image of ECR as arguments: registry and region, then the repository.
fn in_ecr(image: &Reference) -> Option<(String, String)> {
    let host = ecr_host(image.registry())?;
    Some((format!("--registry-id {} --region {}", host.account, host.region), image.repository().to_owned()))
}

fn exists(diagnosis: &Diagnosis, setting: &StopSetting) -> String {
    let Some(image) = reference(diagnosis) else {
        return definition(setting, IMAGES);
    };
    let Some((registry, repository)) = in_ecr(&image) else {
        return format!("`docker buildx imagetools inspect {image}`");
    };
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

fn access(diagnosis: &Diagnosis, text: &str, setting: &StopSetting) -> String {
    if let Some(command) = simulation(text) {
        return command;
    }
    match reference(diagnosis).as_ref().and_then(in_ecr) {
        // The layers come from S3, whose endpoint has its own policy.
        Some((registry, _)) if diagnosis.phase == Some(Phase::Layer) => {
            let region = registry.rsplit(' ').next().unwrap_or_default();
            format!(
                "`aws ec2 describe-vpc-endpoints --region {region} --filters \
                 Name=service-name,Values=com.amazonaws.{region}.s3 --query 'VpcEndpoints[].PolicyDocument'`"
            )
        }
        Some((registry, repository)) => format!(
            "`aws ecr get-repository-policy {registry} --repository-name {repository}`, and the role that pulls in \
             the IAM policy simulator"
        ),
        None => inspect(diagnosis).map_or_else(
            || definition(setting, IMAGES),
            |command| format!("{command} after `docker logout`, then with the credentials in use"),
        ),
    }
}

/// Asks IAM whether the refused role may do what was refused.
fn simulation(text: &str) -> Option<String> {
    let session = arn(text, ":assumed-role/")?;
    let (head, tail) = session.split_once(":assumed-role/")?;
    let account = head.rsplit(':').next()?;
    let role = tail.split('/').next().filter(|role| is_name(role))?;
    let action = text.split("not authorized to perform: ").nth(1)?.split([' ', ',']).next()?;
    (NameShape::Action.fits(action) && account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then(|| {
        format!(
            "`aws iam simulate-principal-policy --policy-source-arn arn:aws:iam::{account}:role/{role} --action-names \
             {action} --query 'EvaluationResults[].EvalDecision'`"
        )
    })
}

fn network(diagnosis: &Diagnosis, setting: &StopSetting) -> String {
    let image = reference(diagnosis);
    let of_ecr = image.as_ref().and_then(|image| ecr_host(image.registry()));
    let host = match (&image, of_ecr) {
        (_, Some(ecr)) if diagnosis.registry == Some(Registry::EcrPrivateApi) => {
            format!("api.ecr.{}.amazonaws.com", ecr.region)
        }
        (Some(image), _) if !image.is_docker_hub() => image.registry().to_owned(),
        _ => "registry-1.docker.io".to_owned(),
    };
    match diagnosis.why {
        Some(Why::Dns) => {
            return format!("`dig +short {host}` on another machine: without an answer there too, the name is wrong");
        }
        Some(Why::Tls) => {
            return format!(
                "`openssl s_client -connect {host}:443 </dev/null | openssl x509 -noout -issuer -dates` (who signed \
                 its certificate, and until when)"
            );
        }
        _ => {}
    }
    let known_elsewhere = diagnosis
        .registry
        .is_some_and(|registry| !matches!(registry, Registry::EcrPrivate | Registry::EcrPrivateApi));
    how_to_check_the_way(
        &format!("{host}/v2"),
        (!known_elsewhere).then_some("endpoints for ecr.api, ecr.dkr and S3"),
        setting,
    )
}

/// How to check whether the network lets requests through to this address from where they come.
fn how_to_check_the_way(address: &str, endpoints: Option<&str>, setting: &StopSetting) -> String {
    let region = setting.region.as_ref().map(|region| format!(" --region {region}")).unwrap_or_default();
    let of_subnet = |whose: &str| match endpoints {
        None => format!("`aws ec2 describe-route-tables{region}` for {whose} (a route to a NAT or internet gateway)"),
        Some(endpoints) => format!(
            "`aws ec2 describe-route-tables{region}` and `aws ec2 describe-vpc-endpoints{region}` for {whose} (a \
             route to a NAT or internet gateway, or {endpoints})"
        ),
    };
    match setting.place {
        LaunchedOn::Ec2 | LaunchedOn::External => {
            format!("`curl -v https://{address}/` on the host: any answer, even 401, means that the way is open")
        }
        LaunchedOn::Windows => {
            format!("`Test-NetConnection {} -Port 443` on the host", address.trim_end_matches("/v2"))
        }
        LaunchedOn::ManagedInstances => of_subnet("the subnets of the capacity provider"),
        LaunchedOn::Batch => of_subnet("the subnets of the compute environment"),
        LaunchedOn::Fargate | LaunchedOn::Unknown | LaunchedOn::CodeBuild => of_subnet("the task's subnet"),
    }
}

/// How to check whether the network lets requests through to an AWS service.
fn of_service(service: &str, setting: &StopSetting) -> Option<String> {
    let region = setting.region.as_ref()?;
    Some(how_to_check_the_way(
        &format!("{service}.{region}.amazonaws.com"),
        Some(&format!("an endpoint for {service}")),
        setting,
    ))
}

fn disk(setting: &StopSetting) -> String {
    match setting.place {
        LaunchedOn::Ec2 | LaunchedOn::External => "`docker system df` and `df -h` on the host".to_owned(),
        LaunchedOn::Windows => "`docker system df` and `Get-PSDrive C` on the host".to_owned(),
        LaunchedOn::ManagedInstances => {
            "the capacity provider in the ECS console: the storage of its instances".to_owned()
        }
        LaunchedOn::Batch => {
            "the compute environment in the Batch console: its launch template and the volume's size".to_owned()
        }
        LaunchedOn::Fargate | LaunchedOn::Unknown | LaunchedOn::CodeBuild => {
            format!("{} (20 GiB where it is `null`)", definition(setting, "ephemeralStorage"))
        }
    }
}

/// How to show the definition: fields of each container (in brackets), one field of the definition, or all of it
/// (empty).
fn definition(setting: &StopSetting, what: &str) -> String {
    match &setting.definition {
        _ if setting.place == LaunchedOn::Batch => "the job definition in the Batch console".to_owned(),
        Some(name) => {
            let query = match what {
                "" => String::new(),
                of_containers if of_containers.starts_with('[') => {
                    format!(" --query 'taskDefinition.containerDefinitions[].{of_containers}'")
                }
                own => format!(" --query 'taskDefinition.{own}'"),
            };
            format!("`aws ecs describe-task-definition --task-definition {name}{query}`")
        }
        None => "the task definition in the ECS console".to_owned(),
    }
}

fn task(setting: &StopSetting) -> String {
    match (&setting.cluster, &setting.task) {
        (Some(cluster), Some(task)) => format!(
            "`aws ecs describe-tasks --cluster {cluster} --tasks {task} --query \
             'tasks[0].[stoppedReason,containers[].[name,exitCode,reason]]'`, and the container's log"
        ),
        _ if setting.place == LaunchedOn::Batch => {
            "the job in the Batch console: its status reason, and its log stream".to_owned()
        }
        _ => "the stopped task in the ECS console: its containers, and the tab Logs".to_owned(),
    }
}

fn events(setting: &StopSetting) -> String {
    match (&setting.cluster, &setting.service) {
        (Some(cluster), Some(service)) => {
            format!(
                "`aws ecs describe-services --cluster {cluster} --services {service} --query \
                 'services[0].events[:5].message'`"
            )
        }
        _ => task(setting),
    }
}

/// Returns the first ARN in a text that contains `inside`.
fn arn<'a>(text: &'a str, inside: &str) -> Option<&'a str> {
    text.match_indices("arn:aws").find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let end = rest.find([' ', '\'', '"', ',', ')', ']', ';']).unwrap_or(rest.len());
        let word = rest.get(..end)?.trim_end_matches(['.', ':']);
        (word.contains(inside) && is_arn(word)).then_some(word)
    })
}

fn secret(diagnosis: &Diagnosis, text: &str, setting: &StopSetting) -> String {
    let service = match diagnosis.kind {
        Some(Kind::SecretsManager) => "secretsmanager",
        Some(Kind::ParameterStore) => "ssm",
        _ => "s3",
    };
    if diagnosis.why == Some(Why::Network)
        && let Some(said) = of_service(service, setting)
    {
        return said;
    }
    if let Some(command) = simulation(text) {
        return command;
    }
    if let Some(arn) = arn(text, ":secretsmanager:") {
        // After the secret's name may come a key of its JSON, a stage, a version.
        let name: Vec<&str> = arn.splitn(8, ':').take(7).collect();
        return format!("`aws secretsmanager get-secret-value --secret-id {} --query VersionId`", name.join(":"));
    }
    if let Some(arn) = arn(text, ":ssm:") {
        let name = arn.split_once(":parameter").map_or(arn, |(_, name)| name);
        return format!("`aws ssm get-parameter --name {name} --query Parameter.Version`");
    }
    match diagnosis.kind {
        Some(Kind::EnvironmentFile) => {
            let object = arn(text, ":s3:").and_then(|arn| arn.rsplit(":::").next()?.split_once('/'));
            object.map_or_else(
                || definition(setting, "[name,environmentFiles]"),
                |(bucket, key)| format!("`aws s3api head-object --bucket {bucket} --key {key}`"),
            )
        }
        _ => definition(setting, "[name,secrets]"),
    }
}

fn role(text: &str) -> String {
    let name = arn(text, ":role/").and_then(|arn| arn.rsplit('/').next()).filter(|name| is_name(name));
    match name {
        Some(name) => format!(
            "`aws iam get-role --role-name {name} --query Role.AssumeRolePolicyDocument` (ecs-tasks.amazonaws.com \
             must be its principal)"
        ),
        None => "the trust relationship of the task's roles in the IAM console (ecs-tasks.amazonaws.com must be its \
            principal)"
            .to_owned(),
    }
}

/// Returns a word that begins like this and goes on with at least 8 hexadecimal digits.
fn identifier<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    text.match_indices(beginning).find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let digits = rest.get(beginning.len()..)?.bytes().take_while(u8::is_ascii_hexdigit).count();
        (digits >= 8).then(|| rest.get(..beginning.len() + digits)).flatten()
    })
}

fn file_system(text: &str) -> Option<String> {
    identifier(text, "fs-").map(|id| {
        format!(
            "`aws efs describe-mount-targets --file-system-id {id}` (one in the \
        task's Availability Zone, whose security group lets the task in on 2049)"
        )
    })
}

fn instance(text: &str) -> Option<String> {
    identifier(text, "i-").map(|id| {
        format!(
            "`aws ec2 describe-instances --instance-ids {id} --query \
            'Reservations[].Instances[].[State,StateTransitionReason]'`"
        )
    })
}

fn target_group(text: &str) -> String {
    match arn(text, ":targetgroup/") {
        Some(arn) => format!("`aws elbv2 describe-target-health --target-group-arn {arn}`"),
        None => "the target group's tab Targets in the EC2 console: the reason of each unhealthy target".to_owned(),
    }
}

/// Whether neither the text nor the setting names a log driver other than CloudWatch's.
fn is_of_cloudwatch(text: &str, setting: &StopSetting) -> bool {
    Driver::in_text(text).or(setting.driver).is_none_or(|driver| driver == Driver::Awslogs)
}

/// The log group that a text names.
fn log_group(text: &str, setting: &StopSetting) -> Option<String> {
    if !is_of_cloudwatch(text, setting) {
        return None;
    }
    let at = text.find("log-group:").map(|at| at + "log-group:".len())?;
    let rest = text.get(at..)?;
    let end = rest
        .find(|character: char| {
            !(character.is_ascii_alphanumeric() || matches!(character, '/' | '-' | '_' | '.' | '#'))
        })
        .unwrap_or(rest.len());
    let name = rest.get(..end).filter(|name| !name.is_empty())?;
    Some(format!("`aws logs describe-log-groups --log-group-name-prefix {name}`"))
}
