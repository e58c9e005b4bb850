//! The commands that a person types to do a step by hand.

use pullsafe::arn::{Arn, ServiceId};
use pullsafe::reference::{Reference, ecr_host};

use crate::plan::{Step, Suspended};

/// Returns the AWS CLI command that does what the step would do; `None` for a step that has no such command.
pub fn of(step: &Step) -> Option<String> {
    match step {
        Step::UntagService { service, keys } => Some(untag(service, keys)),
        Step::SetScaling { service, suspended, .. } => Some(scaling(service, *suspended)),
        Step::SetDesiredCount { service, to, force, .. } => {
            Some(format!("{}{}", count(service, *to), if *force { " --force-new-deployment" } else { "" }))
        }
        Step::ForceNewDeployment { service, .. } => {
            Some(format!("aws ecs update-service {} --force-new-deployment", named(service)))
        }
        Step::RestoreImage { image, .. } => unarchive(image),
        Step::TagService { .. } | Step::MoveService { .. } | Step::AskMirror { .. } => None,
    }
}

/// Returns the command that brings an image back from ECR's archive.
fn unarchive(image: &Reference) -> Option<String> {
    let (host, digest) = (ecr_host(image.registry())?, image.digest()?);
    Some(format!(
        "aws ecr update-image-storage-class --registry-id {} --repository-name {} --image-id imageDigest={digest} \
         --target-storage-class STANDARD --region {}",
        host.account,
        quoted(image.repository()),
        host.region
    ))
}

/// Returns the command that removes tags from a service.
pub fn untag(service: &ServiceId, keys: &[String]) -> String {
    format!(
        "aws ecs untag-resource --resource-arn {} --tag-keys {}{}",
        quoted(&service.arn()),
        keys.join(" "),
        region(service)
    )
}

/// Returns the command that sets a service's desired count.
pub fn count(service: &ServiceId, to: i64) -> String {
    format!("aws ecs update-service {} --desired-count {to}", named(service))
}

/// Returns the command that sets what is suspended of a service's autoscaling.
pub fn scaling(service: &ServiceId, suspended: Suspended) -> String {
    format!(
        "aws application-autoscaling register-scalable-target --service-namespace ecs --scalable-dimension \
         ecs:service:DesiredCount --resource-id {} --suspended-state \
         DynamicScalingInSuspended={},DynamicScalingOutSuspended={},ScheduledScalingSuspended={}{}",
        quoted(&service.scaling_resource_id()),
        suspended.scale_in,
        suspended.scale_out,
        suspended.scheduled,
        region(service),
    )
}

/// Returns the option that names a Lambda function; empty where its name is not known.
pub fn of_function(option: &str, function: &str) -> String {
    if function.is_empty() {
        String::new()
    } else {
        format!("{option}{}", quoted(function))
    }
}

fn named(service: &ServiceId) -> String {
    format!("--cluster {} --service {}{}", quoted(service.cluster()), quoted(&service.name), region(service))
}

fn region(service: &ServiceId) -> String {
    Arn::parse(&service.cluster_arn)
        .filter(|arn| !arn.region.is_empty())
        .map_or_else(String::new, |arn| format!(" --region {}", quoted(arn.region)))
}

/// Quotes a word for a shell if it needs quotes. Names of ECS never do; a text from elsewhere may.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,@".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> ServiceId {
        ServiceId {
            cluster_arn: "arn:aws:ecs:eu-west-1:123456789012:cluster/prod".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_command_names_everything_it_needs() {
        let step = Step::SetDesiredCount { service: service("web"), from: 0, to: 2, force: true };
        assert_eq!(
            of(&step).as_deref(),
            Some(
                "aws ecs update-service --cluster prod --service web --region eu-west-1 --desired-count 2 \
                 --force-new-deployment"
            )
        );
        assert_eq!(
            untag(&service("web"), &["a:b".to_owned(), "c".to_owned()]),
            "aws ecs untag-resource --resource-arn arn:aws:ecs:eu-west-1:123456789012:service/prod/web --tag-keys a:b \
             c --region eu-west-1"
        );
    }

    #[test]
    fn a_name_never_becomes_a_second_command() {
        assert!(count(&service("web; rm -rf ~"), 1).contains("--service 'web; rm -rf ~'"));
        assert!(count(&service("it's"), 1).contains(r"'it'\''s'"));
    }
}
