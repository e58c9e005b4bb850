//! Over every cause at every place: each answer ends with what shows whether it is so, and a build never gets a task's advice.

use super::build_advice;
use super::check::{check, hint};
use super::setting::{Place, Setting};
use crate::cause::{Cause, Confidence, Diagnosis};

/// Every place. A new one does not compile before it stands here.
const PLACES: &[Place] =
    &[Place::Fargate, Place::Ec2, Place::ManagedInstances, Place::External, Place::Batch, Place::CodeBuild, Place::Unknown];

fn is_listed(place: Place) -> bool {
    match place {
        Place::Fargate | Place::Ec2 | Place::ManagedInstances | Place::External | Place::Batch | Place::CodeBuild | Place::Unknown => {
            PLACES.contains(&place)
        }
    }
}

#[test]
fn every_answer_ends_with_a_command_or_a_page() {
    assert!(PLACES.iter().all(|place| is_listed(*place)));
    for cause in Cause::ALL {
        for image in [None, Some("redis:7"), Some("123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:1")] {
            for place in PLACES {
                let found = Diagnosis { image: image.map(str::to_owned), ..Diagnosis::of(*cause, Confidence::High) };
                let said = check(&found, &Setting { place: *place, ..Setting::default() });
                let page = ["console", "status page", "by hand", "policy simulator"].iter().any(|page| said.contains(page));
                assert!(said.contains('`') || page, "{cause} at {place:?}: {said}");
                assert!(!said.contains('{') || said.contains("--query"), "{cause} at {place:?}: a name was not filled: {said}");
            }
        }
    }
}

#[test]
fn a_build_gets_no_advice_for_a_task() {
    const OF_TASKS: &[&str] =
        &["repositoryCredentials", "execution role", "task definition", "assignPublicIp", "task role", "aws ecs ", "ECS console"];
    for cause in Cause::ALL {
        let found = Diagnosis::of(*cause, Confidence::High);
        if cause.is_about_image() {
            let advice = build_advice::of(&found).unwrap_or_else(|| panic!("{cause}: a build gets a task's advice"));
            let task = OF_TASKS.iter().find(|word| advice.contains(**word));
            assert_eq!(task, None, "{cause}: {advice}");
        }
        let said = check(&found, &Setting::of_build());
        let task = OF_TASKS.iter().find(|word| said.contains(**word));
        assert_eq!(task, None, "{cause}: {said}");
        assert_eq!(hint(&found, &Setting::of_build()), None, "{cause}");
    }
}
