//! What the image means right now: a HEAD at Docker Hub or ECR Public, which spends no quota, or BatchGetImage at ECR.

use super::{Probe, ProbeName};
use pullsafe::lookup::Lookup;
use pullsafe::lookup::ResolvedImage;
use pullsafe::reference::{Reference, Registry};
use pullsafe_diagnosis::cause::{Cause, Confidence, Diagnosis};
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_incident::spent::Settled;

pub const PROBE: Probe = Probe {
    name: ProbeName::ImageLookup,
    looks_at: "the image's tag or digest: a HEAD at Docker Hub and ECR Public, BatchGetImage at ECR",
    settles: "`not found or no access`: whether the image is there, which platforms it has, what is left of the quota",
    needs: &["ecr:BatchGetImage"],
    is_worth,
};

/// Whether a lookup is worth it. pullsafe asks public registries and ECR, and no host that only a task definition
/// knows.
fn is_worth(_: &StoppedTask, diagnosis: &Diagnosis) -> bool {
    // A missing image is not looked up here: the remedy for it does so, with every look (`observe.rs`).
    let unsure = matches!(
        diagnosis.cause,
        Cause::RepositoryNotFound
            | Cause::RegistryAuthDenied
            | Cause::EcrPermissionDenied
            | Cause::PlatformMismatch
            | Cause::Unknown
    );
    unsure && image(diagnosis).is_some()
}

/// The image to look up, where its registry is one that is asked.
pub fn image(diagnosis: &Diagnosis) -> Option<Reference> {
    let image = diagnosis.image.as_deref()?.parse::<Reference>().ok()?;
    matches!(image.kind(), Registry::DockerHub | Registry::EcrPrivate | Registry::EcrPublic).then_some(image)
}

/// What the registry's answer adds to the diagnosis. `quota` is how many of how many pulls are left at Docker Hub.
pub fn settle(
    diagnosis: &Diagnosis,
    image: &Reference,
    found: &Lookup<ResolvedImage>,
    quota: Option<(u64, u64)>,
) -> Settled {
    let source = image.registry();
    let mut settled = match found {
        Lookup::Found(resolved) => {
            let platforms = resolved
                .platforms
                .as_ref()
                .map(|platforms| format!(", for {}", platforms.join(", ")))
                .unwrap_or_default();
            let text = format!("`{image}` is there now: {}{platforms}", resolved.digest);
            // In ECR pullsafe asks with its own permissions, which say nothing about the task's credentials.
            let (meaning, confidence, settles) =
                if diagnosis.cause == Cause::RegistryAuthDenied && image.kind() != Registry::EcrPrivate {
                    (
                        "; whoever has no credentials can read it, so that those that the task sends are at fault",
                        Confidence::High,
                        true,
                    )
                } else if diagnosis.cause == Cause::EcrPermissionDenied {
                    ("; so it is the permission, not the image", Confidence::High, true)
                } else if diagnosis.cause == Cause::RepositoryNotFound {
                    ("; it may have been created since", Confidence::Low, false)
                } else {
                    ("", diagnosis.confidence, false)
                };
            Settled {
                confidence: Some(confidence),
                settles,
                ..Settled::saying(source, format!("{text}{meaning}"))
            }
        }
        Lookup::Absent => {
            let sure = diagnosis.cause == Cause::RepositoryNotFound;
            let meaning = if diagnosis.cause == Cause::EcrPermissionDenied {
                "; a permission alone will not make the pull work"
            } else {
                ""
            };
            Settled {
                confidence: sure.then_some(Confidence::High),
                settles: sure,
                ..Settled::saying(source, format!("`{image}` is not there{meaning}"))
            }
        }
        Lookup::Unknown(doubt) => {
            Settled::failed(source, doubt, format!("whether `{image}` exists, asked with credentials that may read it"))
        }
    };
    if let Some((remaining, limit)) = quota {
        let text =
            format!("{remaining} of {limit} pulls are left to pullsafe's own address, which need not be the tasks'");
        settled.evidence.extend(Settled::saying(source, text).evidence);
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullsafe::lookup::Doubt;
    use pullsafe::reference::Digest;
    use pullsafe_diagnosis::diagnose_text;

    fn check(text: &str, written: &str, found: &Lookup<ResolvedImage>) -> (Diagnosis, Diagnosis) {
        let before = diagnose_text(text, Some(written), "stoppedReason").unwrap();
        assert!(is_worth(&StoppedTask::default(), &before), "{before:?}");
        let mut after = before.clone();
        settle(&before, &image(&before).unwrap(), found, Some((0, 100))).apply(&mut after);
        assert_eq!(after.cause, before.cause);
        assert!(!after.docker_hub_quota(), "an empty quota elsewhere proves nothing");
        (before, after)
    }

    #[test]
    fn no_access_and_not_there_are_told_apart() {
        let there = Lookup::Found(ResolvedImage { digest: Digest::of(b"x"), platforms: None });
        let denied = "CannotPullContainerError: pull access denied for acme/api, repository does not exist or may \
            require 'docker login'";
        let (before, after) = check(denied, "acme/api:1", &there);
        assert!(before.settled_by.is_some() && after.evidence.len() > before.evidence.len(), "{after:?}");
        let (_, after) = check(denied, "acme/api:1", &Lookup::Unknown(Doubt::lasting("401")));
        assert!(
            after.settled_by.unwrap().contains("whether `docker.io/acme/api:1` exists"),
            "a private image stays undecided"
        );
        let ecr = "CannotPullContainerError: 403 Forbidden";
        let (_, after) = check(ecr, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1", &there);
        assert_eq!((after.confidence, after.settled_by), (Confidence::High, None));
    }

    #[test]
    fn a_cut_text_stays_unknown_whatever_the_quota() {
        let cut = "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to copy: \
            httpReadSeeker: failed open";
        let (_, after) = check(cut, "redis:7", &Lookup::Absent);
        assert_eq!(after.cause, Cause::Unknown);
    }

    #[test]
    fn no_host_is_asked_that_only_a_task_definition_knows() {
        let denied =
            diagnose_text("pull access denied for x, 401 unauthorized", Some("registry.internal:5000/x:1"), "x")
                .unwrap();
        assert!(!is_worth(&StoppedTask::default(), &denied));
    }
}
