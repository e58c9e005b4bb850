//! What to put into a Dockerfile instead of an image of Docker Hub: the exact lines, each with whether it was verified.
//!
//! Only its owner changes a build; pullsafe has the copies ready.

use super::observation::DockerHubImage;
use super::remedy::target::{self, Mismatch};
use pullsafe::reference::Reference;
use pullsafe::settings::Settings;
use pullsafe_diagnosis::build_facts::{BaseImage, BuildFacts};
use pullsafe_diagnosis::cause::{Diagnosis, RemedyName};
use pullsafe_events::Subject;
use pullsafe_incident::plan::{Plan, Step};
use pullsafe_incident::refusal::{GRACE_SECONDS, StepRefusal};

/// The lines for all base images of a build, and the copies that the mirror is to be asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offer {
    /// The lines, for people.
    pub text: String,
    /// The steps that ask the mirror for the images that it lacks.
    pub asks: Vec<Step>,
}

/// Whether the mirror is asked for what it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorOffer {
    /// It is asked.
    Now,
    /// It would be asked, but pullsafe only observes.
    Observing,
    /// AWS refused the request to it.
    Refused,
    /// There is no queue to ask it through.
    Impossible,
}

/// The images of Docker Hub that a failed build pulls: its base images, and the one that failed.
pub fn hub_images(diagnosis: &Diagnosis) -> Vec<(BaseImage, Reference)> {
    let failed = diagnosis.image.iter().map(|image| BaseImage { image: image.clone(), flags: None, stage: None });
    let mut found: Vec<(BaseImage, Reference)> = Vec::new();
    let bases = diagnosis.build.iter().flat_map(|build| build.bases.iter().cloned());
    for base in bases.chain(failed) {
        let Some(reference) = base.image.parse::<Reference>().ok().filter(Reference::is_docker_hub) else {
            continue;
        };
        // The image that failed may be among the bases already, with its flags and its stage.
        if !found
            .iter()
            .any(|(known, other)| *other == reference && (base.stage.is_none() || known.stage == base.stage))
        {
            found.push((base, reference));
        }
    }
    found
}

/// The plan that asks the mirror for what an offer lacks.
pub fn plan(offer: &Offer) -> Plan {
    Plan {
        remedy: RemedyName::PrepareMirror,
        result: "queued for the mirror".to_owned(),
        summary: "the mirror lacks base images of the build: ask it".to_owned(),
        steps: offer.asks.clone(),
        then_wait_for: None,
        follow_up: String::new(),
    }
}

/// The images that a plan asks the mirror for.
pub fn asked(plan: &Plan) -> Vec<Reference> {
    let source = |step: &Step| match step {
        Step::AskMirror { source, .. } => Some(source.clone()),
        Step::TagService { .. }
        | Step::UntagService { .. }
        | Step::SetScaling { .. }
        | Step::SetDesiredCount { .. }
        | Step::MoveService { .. }
        | Step::ForceNewDeployment { .. }
        | Step::RestoreImage { .. } => None,
    };
    plan.steps.iter().filter_map(source).collect()
}

/// What people are told where AWS refused the request to the mirror. `again` is the command for another try.
pub fn refused(refusal: &StepRefusal, again: &str) -> String {
    let by_itself = match refusal.denied && refusal.tries < 2 {
        true => format!("by itself once more after {} minutes, and then ", GRACE_SECONDS / 60),
        false => String::new(),
    };
    format!(
        "\nThe mirror could not be asked. Refused by AWS: {}: {}\nWhat is missing: {}\nIt is tried again \
         {by_itself}when you say so:\n  {again}",
        refusal.call, refusal.why, refusal.missing
    )
}

/// Finds the lines to write instead, and what to ask the mirror for.
pub fn offer(
    project: &Subject,
    facts: &BuildFacts,
    images: &[(BaseImage, DockerHubImage)],
    settings: &Settings,
    asking: MirrorOffer,
) -> Offer {
    let mut offer = Offer::default();
    for (base, image) in images {
        let line = |image: &str| if facts.of_environment { image.to_owned() } else { base.line(image) };
        let platform = base
            .flags
            .as_deref()
            .and_then(|flags| flags.strip_prefix("--platform="))
            .filter(|of| of.contains('/'))
            .unwrap_or(&facts.platform);
        let mut lines = Vec::new();
        if let Some((place, copy)) = &image.mirror {
            let verdict = match target::same(image, copy, platform) {
                Ok(digest) => format!("verified: the mirror has the same {digest}"),
                Err(Mismatch::Fillable(why)) => {
                    let asks = Step::AskMirror {
                        source: image.reference.clone(),
                        target: place.clone(),
                        requested_by: project.key(),
                    };
                    match asking {
                        MirrorOffer::Now => {
                            offer.asks.push(asks);
                            format!("not yet: {why}; the mirror was asked for it just now")
                        }
                        MirrorOffer::Observing => {
                            format!("not yet: {why}; in act mode the mirror would be asked for it")
                        }
                        MirrorOffer::Refused => {
                            format!("not yet: {why}; the mirror could not be asked for it, as said below")
                        }
                        MirrorOffer::Impossible => {
                            format!("not there: {why}, and there is no mirror that could be asked")
                        }
                    }
                }
                Err(Mismatch::Final(why)) => format!("not verified: {why}"),
            };
            lines.push(format!("  {}\n    ({verdict})", line(&place.to_string())));
        }
        if let Some((place, copy)) = image.public.as_ref().filter(|_| settings.public_fallback) {
            let verdict = match target::same(image, copy, platform) {
                Ok(digest) => format!("verified: ECR Public has the same {digest}"),
                Err(Mismatch::Fillable(why) | Mismatch::Final(why)) => format!("not verified: {why}"),
            };
            lines.push(format!("  {}\n    ({verdict})", line(&place.to_string())));
        }
        if lines.is_empty() {
            lines.push("  (no copy: there is no mirror, and ECR Public carries official images only)".to_owned());
        }
        let where_to = if facts.of_environment {
            "As the project's environment image, instead of"
        } else {
            "In the Dockerfile, instead of"
        };
        offer.text.push_str(&format!("\n{where_to}\n  {}\nwrite\n{}", line(&base.image), lines.join("\n")));
    }
    if !offer.text.is_empty() && images.iter().any(|(_, image)| image.mirror.is_some()) {
        offer.text.push_str(
            "\nFor the private mirror the build's role needs ecr:GetAuthorizationToken, ecr:BatchGetImage and \
             ecr:GetDownloadUrlForLayer, and the \
             build a `docker login` to it.",
        );
    }
    offer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::tests::settings;
    use pullsafe::lookup::Lookup;
    use pullsafe::lookup::ResolvedImage;
    use pullsafe::reference::Digest;
    use pullsafe::settings::MirrorLocation;

    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    fn image(written: &str, mirror: Lookup<ResolvedImage>) -> (BaseImage, DockerHubImage) {
        let reference: Reference = written.parse().unwrap();
        let place = target::in_mirror(
            &MirrorLocation { registry: HOST.to_owned(), prefix: "docker-hub".to_owned() },
            &reference,
        )
        .unwrap();
        let same = || Lookup::Found(ResolvedImage { digest: Digest::of(b"x"), platforms: None });
        let public = pullsafe::reference::in_ecr_public(&reference).map(|place| (place, same()));
        let base = BaseImage {
            image: written.to_owned(),
            flags: None,
            stage: Some("build".to_owned()),
        };
        (
            base,
            DockerHubImage {
                written: written.to_owned(),
                reference,
                hub: same(),
                left: None,
                last_run: Lookup::Absent,
                mirror: Some((place, mirror)),
                public,
            },
        )
    }

    fn project() -> Subject {
        Subject::Project {
            scope: "arn:aws:codebuild:eu-west-1:123456789012".to_owned(),
            name: "web".to_owned(),
        }
    }

    fn facts() -> BuildFacts {
        BuildFacts {
            bases: Vec::new(),
            platform: "linux/amd64".to_owned(),
            of_environment: false,
        }
    }

    #[test]
    fn every_line_says_whether_it_was_verified() {
        let there =
            image("python:3.11-slim", Lookup::Found(ResolvedImage { digest: Digest::of(b"x"), platforms: None }));
        let absent = image("acme/base:1", Lookup::Absent);
        let found = offer(&project(), &facts(), &[there, absent], &settings(), MirrorOffer::Now);
        for wanted in [
            &format!(
                "FROM {HOST}/docker-hub/library/python:3.11-slim AS build\n    (verified: the mirror has the same \
                 sha256:"
            ),
            "FROM public.ecr.aws/docker/library/python:3.11-slim AS build\n    (verified: ECR Public has the same \
             sha256:",
            &format!(
                "FROM {HOST}/docker-hub/acme/base:1 AS build\n    (not yet: the image is not there; the mirror was \
                 asked for it just now)"
            ),
        ] {
            assert!(found.text.contains(wanted), "{wanted}: {}", found.text);
        }
        assert_eq!(found.asks.len(), 1);
        let observed =
            offer(&project(), &facts(), &[image("acme/base:1", Lookup::Absent)], &settings(), MirrorOffer::Observing);
        assert!(
            observed.asks.is_empty() && observed.text.contains("in act mode the mirror would be asked"),
            "{}",
            observed.text
        );
    }

    #[test]
    fn the_image_that_failed_and_the_bases_are_one_list() {
        let base = |image: &str, stage: Option<&str>| BaseImage {
            image: image.to_owned(),
            flags: None,
            stage: stage.map(str::to_owned),
        };
        let found = pullsafe_diagnosis::diagnose_text(
            "toomanyrequests: You have reached your pull rate limit",
            Some("python:3.11-slim"),
            "logs[build]",
        );
        let mut diagnosis = found.unwrap();
        let bases = vec![
            base("docker.io/library/python:3.11-slim", Some("a")),
            base("public.ecr.aws/x/y:1", None),
            base("node:20", None),
        ];
        diagnosis.build = Some(BuildFacts { bases, ..facts() });
        let lines: Vec<String> = hub_images(&diagnosis).iter().map(|(base, _)| base.line(&base.image)).collect();
        assert_eq!(lines, ["FROM docker.io/library/python:3.11-slim AS a", "FROM node:20"]);
    }
}
