//! What the looks mean. A doubt is reported as a doubt: what passes by itself, what a look could not see, and what a
//! resource's own policy may allow are no certain failures.

use pullsafe::count::count;
use pullsafe::lookup::{Doubt, Lookup, PolicyVerdict, ResolvedImage, Storage};
use pullsafe::reference::Registry;

use super::finding::{Certainty, InspectFault, InspectFinding};
use super::need::{LaunchPlatform, LogGroup, Needs, StartSecret, WantedImage};
use super::seen::{ImageSeen, Seen};

const NOT_LOOKED: &str = "it was not looked at";

/// Returns everything that is wrong, in the order of the needs. `tasks` is how many tasks the deployment starts.
pub fn findings(needs: &Needs, seen: &Seen, tasks: u64) -> Vec<InspectFinding> {
    let mut found = Vec::new();
    for image in &needs.images {
        found.extend(of_image(needs, image, seen.images.get(&image.written)));
    }
    found.extend(needs.secrets.iter().filter_map(|secret| of_secret(needs, secret, seen.secrets.get(secret))));
    found.extend(needs.log_groups.iter().filter_map(|group| of_log_group(group, seen.log_groups.get(group))));
    found.extend(quota(needs, seen, tasks));
    found
}

fn of_image(needs: &Needs, image: &WantedImage, seen: Option<&ImageSeen>) -> Vec<InspectFinding> {
    let finding = |fault: InspectFault, certainty: Certainty, said: String, advice: &str| InspectFinding {
        fault,
        about: image.written.clone(),
        containers: image.containers.clone(),
        certainty,
        seen: said,
        advice: advice.to_owned(),
    };
    let written = &image.written;
    let Some(reference) = image.pulled() else {
        let unless = Certainty::Unless("ECS reads it otherwise".to_owned());
        return vec![finding(
            InspectFault::InvalidReference,
            unless,
            format!("`{written}` is no image's name"),
            "Correct the image's name.",
        )];
    };
    let is_ecr = reference.kind() == Registry::EcrPrivate;
    let Some(seen) = seen else {
        let settle = Certainty::Unknown(format!("look whether `{written}` exists"));
        return vec![finding(InspectFault::ImageAbsent, settle, format!("`{written}`: {NOT_LOOKED}"), "")];
    };
    let mut found = Vec::new();
    match (&seen.found, seen.storage) {
        (Lookup::Found(_), Storage::Archive) => found.push(finding(
            InspectFault::ImageArchived,
            Certainty::Certain,
            format!("`{written}` is in ECR's archive, from where it cannot be pulled"),
            "Restore it: aws ecr update-image-storage-class --target-storage-class STANDARD, with its repository and \
             image id.",
        )),
        (Lookup::Found(_), Storage::Returning) => found.push(finding(
            InspectFault::ImageArchived,
            Certainty::Unless("it is back from the archive before the first pull".to_owned()),
            format!("`{written}` is on its way back from ECR's archive"),
            "Wait until it is active.",
        )),
        (Lookup::Found(resolved), Storage::Standard) => {
            if let (Some(doubt), Some(wanted)) = (&seen.unread, &needs.platform) {
                let settle = Certainty::Unknown(format!(
                    "look for which platform `{written}` is, with credentials \
                    that may read it"
                ));
                let said = format!("whether `{written}` is for {wanted} is not known: {doubt}");
                found.push(finding(InspectFault::WrongPlatform, settle, said, ""));
            }
            found.extend(platform(needs, written, resolved).map(|(certainty, said)| {
                finding(
                    InspectFault::WrongPlatform,
                    certainty,
                    said,
                    "Build the image for the tasks' platform, or set runtimePlatform to the image's.",
                )
            }));
        }
        (Lookup::Absent, _) => {
            let (certainty, note) = absent(image, is_ecr, &seen.comes_by_a_pull);
            found.push(finding(
                InspectFault::ImageAbsent,
                certainty,
                format!("`{reference}` does not exist{note}"),
                "Push the image before the service is deployed, or correct its name.",
            ));
        }
        (Lookup::Unknown(doubt), _) => {
            let settle = Certainty::Unknown(format!(
                "look whether `{written}` exists, with credentials that may read \
                it"
            ));
            found.push(finding(
                InspectFault::ImageAbsent,
                settle,
                format!("whether `{written}` exists is not known: {doubt}"),
                "",
            ));
        }
    }
    if is_ecr {
        found.extend(pull(needs, &seen.leave).map(|(certainty, said)| {
            finding(
                InspectFault::PullDenied,
                certainty,
                format!("`{written}`: {said}"),
                "Allow ecr:GetAuthorizationToken, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer to the execution \
                 role (AmazonECSTaskExecutionRolePolicy has them).",
            )
        }));
    }
    found.extend(copy(image, seen).map(|(certainty, said)| {
        finding(
            InspectFault::NoCopy,
            certainty,
            said,
            "Mirror it (pullsafe mirror, or the stack's mirror), and name the copy.",
        )
    }));
    found
}

/// How sure it is that a missing image is still missing at the first pull.
fn absent(image: &WantedImage, is_ecr: bool, comes_by_a_pull: &Lookup<bool>) -> (Certainty, String) {
    match comes_by_a_pull {
        _ if image.has_credentials && !is_ecr => (
            Certainty::Unless("the task's own credentials see more than pullsafe does".to_owned()),
            String::new(),
        ),
        Lookup::Found(true) => (
            Certainty::Unless("the registry's pull-through cache brings it in at the first pull".to_owned()),
            " yet in the pull-through cache".to_owned(),
        ),
        Lookup::Unknown(doubt) if is_ecr => (
            Certainty::Unless(format!("a pull-through cache brings it in, whose rules could not be read ({doubt})")),
            String::new(),
        ),
        Lookup::Found(false) | Lookup::Absent | Lookup::Unknown(_) => (Certainty::Certain, String::new()),
    }
}

fn platform(needs: &Needs, written: &str, resolved: &ResolvedImage) -> Option<(Certainty, String)> {
    let (platforms, wanted) = (resolved.platforms.as_ref()?, needs.platform.as_ref()?);
    if resolved.is_for(wanted)? {
        return None;
    }
    let certainty = if needs.platform_is_certain {
        Certainty::Certain
    } else {
        Certainty::Unless(format!("the instances are for another platform than {wanted}"))
    };
    Some((certainty, format!("`{written}` is for {}, and the tasks run on {wanted}", platforms.join(", "))))
}

/// Whether the role can pull from ECR.
fn pull(needs: &Needs, leave: &Lookup<PolicyVerdict>) -> Option<(Certainty, String)> {
    let Some(role) = &needs.execution_role else {
        return without_role(needs.launch, "a pull from ECR");
    };
    let name = role.rsplit('/').next().unwrap_or(role);
    match leave {
        Lookup::Found(PolicyVerdict::Given) => None,
        Lookup::Found(PolicyVerdict::Refused(what)) => {
            Some((Certainty::Certain, format!("the execution role {name} may not pull it ({})", what.join(", "))))
        }
        Lookup::Found(PolicyVerdict::Missing(what)) => Some((
            Certainty::Unless("the repository's own policy, or a condition of the role's, allows it".to_owned()),
            format!("no policy of the execution role {name} allows the pull ({})", what.join(", ")),
        )),
        Lookup::Absent => Some((Certainty::Certain, format!("there is no execution role {name}"))),
        Lookup::Unknown(doubt) => {
            let settle = format!("iam:SimulatePrincipalPolicy for {role} on the repository");
            Some((
                Certainty::Unknown(settle),
                format!("whether the execution role {name} may pull it is not known: {doubt}"),
            ))
        }
    }
}

fn without_role(launch: LaunchPlatform, what: &str) -> Option<(Certainty, String)> {
    let said = format!("the task definition has no execution role, which {what} needs");
    match launch {
        LaunchPlatform::Fargate => Some((Certainty::Certain, said)),
        LaunchPlatform::Instances => {
            Some((Certainty::Unless("the role of the container instances may".to_owned()), said))
        }
        LaunchPlatform::Elsewhere => None,
    }
}

/// Judges the copy of a Docker Hub image: whether the mirror has one that a service could be moved to.
fn copy(image: &WantedImage, seen: &ImageSeen) -> Option<(Certainty, String)> {
    let (place, there) = seen.mirror.as_ref()?;
    let written = &image.written;
    match (there, seen.found.found()) {
        (Lookup::Found(copy), Some(hub)) if copy.digest != hub.digest => Some((
            Certainty::Certain,
            format!("`{written}` is pulled from Docker Hub, and its copy in the mirror is another image"),
        )),
        (Lookup::Found(_), _) => None,
        (Lookup::Absent, _) => {
            Some((Certainty::Certain, format!("`{written}` is pulled from Docker Hub, and the mirror has no copy")))
        }
        (Lookup::Unknown(doubt), _) => {
            let settle = Certainty::Unknown(format!("look whether {place} exists"));
            Some((settle, format!("whether the mirror has a copy of `{written}` is not known: {doubt}")))
        }
    }
}

fn of_secret(needs: &Needs, secret: &StartSecret, leave: Option<&Lookup<PolicyVerdict>>) -> Option<InspectFinding> {
    let written = &secret.written;
    let unknown = |why: String| {
        let settle = format!("iam:SimulatePrincipalPolicy for {} on `{written}`", secret.action);
        (
            Certainty::Unknown(settle),
            format!("whether the execution role may read `{written}` is not known: {why}"),
        )
    };
    let (certainty, seen) = match (&needs.execution_role, leave) {
        (None, _) => without_role(needs.launch, "reading secrets")?,
        (Some(_), Some(Lookup::Found(PolicyVerdict::Given))) => return None,
        (Some(_), Some(Lookup::Found(PolicyVerdict::Refused(_)))) => {
            (Certainty::Certain, format!("the execution role may not read `{written}`"))
        }
        (Some(_), Some(Lookup::Found(PolicyVerdict::Missing(_)))) => (
            Certainty::Unless("the secret's own policy, or a condition of the role's, allows it".to_owned()),
            format!("no policy of the execution role allows {} on `{written}`", secret.action),
        ),
        (Some(role), Some(Lookup::Absent)) => (Certainty::Certain, format!("there is no execution role {role}")),
        (Some(_), Some(Lookup::Unknown(doubt))) => unknown(doubt.to_string()),
        (Some(_), None) => unknown(NOT_LOOKED.to_owned()),
    };
    let advice = format!("Allow {} on it to the execution role.", secret.action);
    Some(InspectFinding {
        fault: InspectFault::SecretDenied,
        about: written.clone(),
        containers: Vec::new(),
        certainty,
        seen,
        advice,
    })
}

fn of_log_group(group: &LogGroup, there: Option<&Lookup<()>>) -> Option<InspectFinding> {
    let name = &group.name;
    let (certainty, seen) = match there {
        Some(Lookup::Found(())) => return None,
        Some(Lookup::Absent) => (Certainty::Certain, format!("there is no log group `{name}`")),
        other => {
            let why = match other {
                Some(Lookup::Unknown(doubt)) => doubt.clone(),
                Some(Lookup::Found(()) | Lookup::Absent) | None => Doubt::lasting(NOT_LOOKED),
            };
            let settle = format!("aws logs describe-log-groups --log-group-name-prefix {name}");
            (Certainty::Unknown(settle), format!("whether there is a log group `{name}` is not known: {why}"))
        }
    };
    let advice = "Create it, or set awslogs-create-group to true and allow logs:CreateLogGroup.".to_owned();
    Some(InspectFinding {
        fault: InspectFault::LogGroupMissing,
        about: name.clone(),
        containers: Vec::new(),
        certainty,
        seen,
        advice,
    })
}

/// Judges whether Docker Hub grants as many pulls as the deployment takes: one for each image and task. The quota is
/// that of the address which asked.
fn quota(needs: &Needs, seen: &Seen, tasks: u64) -> Option<InspectFinding> {
    let anonymous = |image: &&WantedImage| {
        !image.has_credentials && image.reference.as_ref().is_some_and(|image| image.is_docker_hub())
    };
    let hub: Vec<&WantedImage> = needs.images.iter().filter(anonymous).collect();
    let (left, of) = hub.iter().filter_map(|image| seen.images.get(&image.written)?.pulls_left).min()?;
    let wanted = tasks.saturating_mul(u64::try_from(hub.len()).unwrap_or(u64::MAX));
    (left < wanted).then(|| InspectFinding {
        fault: InspectFault::QuotaTooSmall,
        about: "docker.io".to_owned(),
        containers: hub.iter().flat_map(|image| image.containers.clone()).collect(),
        certainty: match needs.launch {
            LaunchPlatform::Elsewhere => Certainty::Certain,
            LaunchPlatform::Fargate | LaunchPlatform::Instances => {
                Certainty::Unless("the tasks' address has more left than the one that asked".to_owned())
            }
        },
        seen: format!(
            "Docker Hub grants {left} more of {of} pulls, and {wanted} are needed ({}, {})",
            count(hub.len(), "image"),
            count(tasks, "time")
        ),
        advice: "Move the images to the mirror, or pull with an account.".to_owned(),
    })
}
