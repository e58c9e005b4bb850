//! What the looks mean, case by case.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use pullsafe::lookup::{Doubt, Lookup, PolicyVerdict, ResolvedImage, Storage};
use pullsafe::reference::Digest;
use pullsafe_events::task_definition::TaskDefinition;

use super::*;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1";

fn definition(containers: Value, role: Option<&str>) -> TaskDefinition {
    let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/app:1";
    TaskDefinition::from_json(&json!({ "taskDefinition": {
        "taskDefinitionArn": arn, "executionRoleArn": role, "containerDefinitions": containers, "requiresCompatibilities": ["FARGATE"],
    } }))
    .unwrap()
}

fn one(image: &str) -> Needs {
    let definition =
        definition(json!([{ "name": "app", "image": image }]), Some("arn:aws:iam::123456789012:role/pull"));
    Needs::of(&definition, LaunchPlatform::of(&definition), &BTreeMap::new())
}

fn resolved(platforms: &[&str]) -> Lookup<ResolvedImage> {
    let platforms = (!platforms.is_empty()).then(|| platforms.iter().map(|platform| (*platform).to_owned()).collect());
    Lookup::Found(ResolvedImage { digest: Digest::of(b"x"), platforms })
}

fn there() -> ImageSeen {
    ImageSeen {
        leave: Lookup::Found(PolicyVerdict::Given),
        ..ImageSeen::only(resolved(&["linux/amd64"]))
    }
}

fn judged(needs: &Needs, image: ImageSeen) -> Vec<(InspectFault, Certainty)> {
    let written = needs.images[0].written.clone();
    let seen = Seen {
        images: BTreeMap::from([(written, image)]),
        ..Seen::default()
    };
    findings(needs, &seen, 2).into_iter().map(|finding| (finding.fault, finding.certainty)).collect()
}

fn check(needs: &Needs, image: ImageSeen, fault: InspectFault, is_certain: bool) {
    let found = judged(needs, image.clone());
    assert_eq!(found.len(), 1, "{image:?}: {found:?}");
    assert_eq!((found[0].0, found[0].1 == Certainty::Certain), (fault, is_certain), "{image:?}: {found:?}");
}

#[test]
fn what_is_well_is_no_finding() {
    assert_eq!(judged(&one(ECR), there()), []);
    assert_eq!(
        judged(&one(ECR), ImageSeen { found: resolved(&[]), ..there() }),
        [],
        "a single image whose config was not read"
    );
    assert_eq!(judged(&one(ECR), ImageSeen { found: resolved(&["linux/amd64/v2"]), ..there() }), []);
}

#[test]
fn only_what_nothing_can_mend_is_certain() {
    let absent = || ImageSeen {
        found: Lookup::Absent,
        comes_by_a_pull: Lookup::Found(false),
        ..there()
    };
    let unknown = || Lookup::Unknown(Doubt::lasting("denied"));
    check(&one(ECR), absent(), InspectFault::ImageAbsent, true);
    check(
        &one(ECR),
        ImageSeen { comes_by_a_pull: Lookup::Found(true), ..absent() },
        InspectFault::ImageAbsent,
        false,
    );
    check(
        &one(ECR),
        ImageSeen {
            comes_by_a_pull: Lookup::Unknown(Doubt::lasting("denied")),
            ..absent()
        },
        InspectFault::ImageAbsent,
        false,
    );
    check(&one(ECR), ImageSeen { found: unknown(), ..there() }, InspectFault::ImageAbsent, false);
    check(&one(ECR), ImageSeen { storage: Storage::Archive, ..there() }, InspectFault::ImageArchived, true);
    check(&one(ECR), ImageSeen { storage: Storage::Returning, ..there() }, InspectFault::ImageArchived, false);
    check(
        &one(ECR),
        ImageSeen { found: resolved(&["linux/arm64"]), ..there() },
        InspectFault::WrongPlatform,
        true,
    );
    check(
        &one(ECR),
        ImageSeen {
            found: resolved(&[]),
            unread: Some(Doubt::lasting("denied")),
            ..there()
        },
        InspectFault::WrongPlatform,
        false,
    );
    check(&one("redis:7"), ImageSeen::only(Lookup::Absent), InspectFault::ImageAbsent, true);
    check(
        &one(ECR),
        ImageSeen {
            leave: Lookup::Found(PolicyVerdict::Refused(vec!["x".to_owned()])),
            ..there()
        },
        InspectFault::PullDenied,
        true,
    );
    check(
        &one(ECR),
        ImageSeen {
            leave: Lookup::Found(PolicyVerdict::Missing(vec!["x".to_owned()])),
            ..there()
        },
        InspectFault::PullDenied,
        false,
    );
    check(&one(ECR), ImageSeen { leave: Lookup::Absent, ..there() }, InspectFault::PullDenied, true);
    check(
        &one(ECR),
        ImageSeen { leave: Lookup::Unknown(Doubt::lasting("denied")), ..there() },
        InspectFault::PullDenied,
        false,
    );
}

#[test]
fn the_tasks_own_credentials_may_see_more() {
    let container = json!([{ "name": "app", "image": "acme/private:1", "repositoryCredentials": { "credentialsParameter": "arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf" } }]);
    let definition = definition(container, Some("arn:aws:iam::123456789012:role/pull"));
    let mut needs = Needs::of(&definition, LaunchPlatform::Fargate, &BTreeMap::new());
    assert_eq!(needs.secrets[0].action, "secretsmanager:GetSecretValue");
    needs.secrets.clear();
    check(&needs, ImageSeen::only(Lookup::Absent), InspectFault::ImageAbsent, false);
}

/// Instances bring their own processor and role.
#[test]
fn on_instances_less_is_certain_than_on_fargate() {
    let bare = definition(json!([{ "name": "app", "image": ECR }]), None);
    let seen = || ImageSeen { leave: Lookup::Absent, ..there() };
    for (launch, certain) in [(LaunchPlatform::Fargate, true), (LaunchPlatform::Instances, false)] {
        let needs = Needs::of(&bare, launch, &BTreeMap::new());
        check(&needs, seen(), InspectFault::PullDenied, certain);
        let mut needs = one(ECR);
        needs.platform_is_certain = launch == LaunchPlatform::Fargate;
        check(
            &needs,
            ImageSeen { found: resolved(&["linux/arm64"]), ..there() },
            InspectFault::WrongPlatform,
            certain,
        );
    }
}

#[test]
fn a_pinned_digest_is_what_is_pulled() {
    let digest = Digest::of(b"pinned");
    let definition = definition(json!([{ "name": "app", "image": ECR }]), None);
    let needs = Needs::of(&definition, LaunchPlatform::Fargate, &BTreeMap::from([("app".to_owned(), digest.clone())]));
    assert_eq!(needs.images[0].pulled().unwrap().digest(), Some(&digest));
}

#[test]
fn quota_and_mirror_are_risks() {
    let needs = one("redis:7");
    let place: pullsafe::reference::Reference =
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis:7".parse().unwrap();
    let seen = ImageSeen {
        mirror: Some((place, Lookup::Absent)),
        pulls_left: Some((1, 100)),
        ..ImageSeen::only(resolved(&[]))
    };
    let found = judged(&needs, seen);
    assert_eq!(
        found.iter().map(|(fault, _)| *fault).collect::<Vec<_>>(),
        [InspectFault::NoCopy, InspectFault::QuotaTooSmall]
    );
    assert!(found.iter().all(|(fault, _)| !fault.blocks()));
    assert_eq!(judged(&needs, ImageSeen { pulls_left: Some((2, 100)), ..ImageSeen::only(resolved(&[])) }), []);
}

#[test]
fn secrets_and_log_groups_are_read_as_ecs_writes_them() {
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";
    let container = json!([{
        "name": "app", "image": ECR,
        "secrets": [{ "name": "A", "valueFrom": format!("{secret}:key::") }, { "name": "B", "valueFrom": "/prod/b" }, { "name": "C", "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/c" }],
        "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1" } },
    }, {
        "name": "made", "image": ECR,
        "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "/ecs/made", "awslogs-create-group": "true" } },
    }, {
        "name": "other", "image": ECR, "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "g", "awslogs-region": "x@attacker.example/" } },
    }]);
    let needs = Needs::of(
        &definition(container, Some("arn:aws:iam::123456789012:role/pull")),
        LaunchPlatform::Fargate,
        &BTreeMap::new(),
    );
    let arns: Vec<&str> = needs.secrets.iter().filter_map(|secret| secret.arn.as_deref()).collect();
    assert_eq!(
        arns,
        [secret, "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/b", "arn:aws:ssm:us-east-1:1:parameter/c"]
    );
    assert_eq!(needs.log_groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["/ecs/web"]);
    assert_eq!(needs.images.len(), 1, "each image once");
    let found = findings(
        &needs,
        &Seen {
            log_groups: needs.log_groups.iter().map(|group| (group.clone(), Lookup::Absent)).collect(),
            ..Seen::default()
        },
        1,
    );
    let certain: Vec<InspectFault> =
        found.iter().filter(|finding| finding.is_certain_failure()).map(|finding| finding.fault).collect();
    assert_eq!(certain, [InspectFault::LogGroupMissing], "what nobody looked at is not known: {found:?}");
}
