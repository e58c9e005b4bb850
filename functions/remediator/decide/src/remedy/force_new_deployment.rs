//! The digest that the deployment pinned is gone, while its tag resolves: a new deployment resolves it again.
//!
//! Pushing the tag once more does not help, since ECS keeps asking for the digest it pinned (version consistency);
//! only a new deployment does.

use pullsafe::lookup::Lookup;
use pullsafe::reference::Reference;
use pullsafe_diagnosis::cause::{Cause, RemedyName};
use pullsafe_incident::plan::{Plan, Step};

use super::{Remedy, RemedyVerdict, SecondLook, Situation, Treats, guard};

pub(super) const REMEDY: Remedy = Remedy {
    name: RemedyName::ForceNewDeployment,
    treats: Treats::Failure(|diagnosis| diagnosis.cause == Cause::ImageDigestGone),
    looks: &[SecondLook::TaskDefinition, SecondLook::Wanted],
    holds: &[
        "ECS itself deploys the service, and nothing rolls it back or holds it at a hook",
        "the tasks that failed ran the very task definition that the service uses",
        "nothing was done in this incident before",
        "no task of the service runs",
        "the tag is there, and the digest that was pinned is not",
    ],
    consider,
};

fn consider(situation: Situation<'_>) -> RemedyVerdict {
    let service = match guard::active_service(&situation) {
        Ok(service) => service,
        Err(reason) => return RemedyVerdict::Declined(vec![reason]),
    };
    let mut reasons = guard::for_any_act(&situation, service);
    reasons.extend(
        guard::nothing_runs(service)
            .map(|why| format!("{why}; a new deployment would replace them with whatever the tag means now")),
    );
    reasons.extend(written_by_digest(&situation));
    let Some(primary) = service.primary() else {
        reasons.push("the service has no deployment".to_owned());
        return RemedyVerdict::Declined(reasons);
    };
    let resolved = match &situation.seen.wanted {
        Lookup::Found(resolved) => resolved,
        // Then the image is missing altogether.
        Lookup::Absent => return RemedyVerdict::NotForThis,
        Lookup::Unknown(why) => {
            reasons.push(format!("whether the tag still resolves could not be found out: {why}"));
            return RemedyVerdict::Declined(reasons);
        }
    };
    if !reasons.is_empty() {
        return RemedyVerdict::Declined(reasons);
    }
    RemedyVerdict::Act(Box::new(Plan {
        remedy: RemedyName::ForceNewDeployment,
        result: "deployed anew".to_owned(),
        summary: format!(
            "the pinned digest is gone and the tag now means {}: force a new deployment of {}",
            resolved.digest, service.id
        ),
        steps: vec![Step::ForceNewDeployment { service: service.id.clone(), deployment: primary.id.clone() }],
        then_wait_for: None,
        follow_up: "Something deleted an image that a service still used: exempt it in the repository's lifecycle \
            policy, or use a tag per build instead of moving one."
            .to_owned(),
    }))
}

/// If the definition itself names the digest, a new deployment asks for the same digest again.
fn written_by_digest(situation: &Situation<'_>) -> Option<String> {
    let container = situation.blocker.diagnosis.container.as_deref();
    let images = situation.seen.task_definition.found()?.images();
    let image: Option<Reference> =
        images.into_iter().find(|image| Some(image.container.as_str()) == container)?.reference;
    image?
        .digest()
        .map(|_| "the task definition itself names the digest; it has to be changed there".to_owned())
}
