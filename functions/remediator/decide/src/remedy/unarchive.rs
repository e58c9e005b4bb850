//! The image is in ECR's archive, where a pull fails as if the image did not exist: bring it back. Once it is there,
//! deploy anew, unless a deployment is under way that finds it by itself.
//!
//! Bringing it back is no act upon the service. It costs what standard storage costs, and ECR's archive is charged for
//! ninety days anyway.

use crate::state::RolloutState;
use pullsafe::arn::Arn;
use pullsafe::lookup::{Lookup, Storage};
use pullsafe::reference::{Reference, Registry, ecr_host};
use pullsafe_diagnosis::cause::{Cause, RemedyName};
use pullsafe_incident::plan::{Plan, Step};
use pullsafe_incident::waiting::WaitingFor;

use super::{Remedy, RemedyVerdict, SecondLook, Situation, Treats, guard};

pub(super) const REMEDY: Remedy = Remedy {
    name: RemedyName::RestoreImage,
    treats: Treats::Hidden {
        behind: |diagnosis| {
            matches!(diagnosis.cause, Cause::ImageArchived | Cause::ImageNotFound | Cause::ImageDigestGone)
        },
        named: |diagnosis| diagnosis.cause == Cause::ImageArchived,
    },
    looks: &[SecondLook::Kept],
    holds: &[
        "ECS itself deploys the service, and nothing rolls it back or holds it at a hook",
        "the tasks that failed ran the very task definition that the service uses",
        "nothing was done in this incident before",
        "ECR has the image, in this account",
    ],
    consider,
};

fn consider(situation: Situation<'_>) -> RemedyVerdict {
    let image = situation.blocker.diagnosis.image.as_deref().and_then(|image| image.parse::<Reference>().ok());
    let Some(image) = image.filter(|image| image.kind() == Registry::EcrPrivate) else {
        return RemedyVerdict::NotForThis;
    };
    // An image that is missing altogether is another remedy's matter.
    let Lookup::Found((digest, storage)) = &situation.seen.kept else {
        return RemedyVerdict::NotForThis;
    };
    let image = image.pinned_to(digest.clone());
    let awaited = WaitingFor::Restored(image.clone());
    let service = match guard::active_service(&situation) {
        Ok(service) => service,
        Err(reason) => return RemedyVerdict::Declined(vec![reason]),
    };
    let mut reasons = guard::for_any_act(&situation, service);
    match storage {
        Storage::Returning => RemedyVerdict::Wait(awaited),
        Storage::Archive => {
            reasons.extend((!situation.settings.restore_archived).then(|| {
                format!("{image} is in ECR's archive, and bringing images back is switched off (RestoreArchivedImages)")
            }));
            reasons.extend(elsewhere(&image, &service.id.cluster_arn));
            if !reasons.is_empty() {
                return RemedyVerdict::Declined(reasons);
            }
            RemedyVerdict::Act(Box::new(Plan {
                remedy: RemedyName::RestoreImage,
                result: "waiting for its image from the archive".to_owned(),
                summary: format!(
                    "{image} is in ECR's archive, from where nothing can be pulled: bring it back for {}",
                    service.id
                ),
                steps: vec![Step::RestoreImage { service: service.id.clone(), image }],
                then_wait_for: Some(awaited),
                follow_up: "Exempt what runs from the lifecycle rule that archives.".to_owned(),
            }))
        }
        Storage::Standard => {
            if situation.incident.waiting.as_ref().is_none_or(|waiting| waiting.cause != awaited) {
                return RemedyVerdict::NotForThis;
            }
            let Some(primary) = service.primary() else {
                return RemedyVerdict::NotForThis;
            };
            // A deployment that is under way pulls the image at its next try; where a task runs, it was pulled already.
            if primary.rollout_state == Some(RolloutState::InProgress) || guard::nothing_runs(service).is_some() {
                return RemedyVerdict::Wait(awaited);
            }
            if !reasons.is_empty() {
                return RemedyVerdict::Declined(reasons);
            }
            RemedyVerdict::Act(Box::new(Plan {
                remedy: RemedyName::ForceNewDeployment,
                result: "deployed anew".to_owned(),
                summary: format!("{image} is back from the archive and nothing of {} runs: deploy it anew", service.id),
                steps: vec![Step::ForceNewDeployment { service: service.id.clone(), deployment: primary.id.clone() }],
                then_wait_for: None,
                follow_up: "Exempt what runs from the lifecycle rule that archives.".to_owned(),
            }))
        }
    }
}

/// Why an image of another account is not brought back: that is its owner's to decide.
fn elsewhere(image: &Reference, cluster: &str) -> Option<String> {
    let own = Arn::parse(cluster).map(|arn| arn.account);
    let account = ecr_host(image.registry()).map(|host| host.account);
    (own != account).then(|| format!("{image} is in the archive of another account, whose owner can bring it back"))
}
