//! The plan: actions, order, quota, memory.

use super::{at_hour, config, digest};
use crate::decide::plan::text::{json, text};
use crate::decide::plan::{
    AtSource, AtTarget, CopyDecision, HubBudget, ImageSides, Memory, MirrorPlan, SourceImage, batches, plan,
};
use crate::decide::{InUse, Want, Wants};

fn want(name: &str, used_by: &[&str]) -> Want {
    let mut wants = Wants::default();
    let config = config("discover: ecs\n");
    let rule = super::config(&format!("images: [{{{name}: ['1']}}]")).images.remove(0);
    wants.add_rule(&config, &rule, &[]);
    let used: Vec<InUse> =
        used_by.iter().map(|by| InUse { image: format!("{name}:1"), by: (*by).to_owned() }).collect();
    wants.add_in_use(&config, &used);
    wants.into_list().remove(0)
}

fn seen(name: &str, used_by: &[&str], children: Option<u32>, target: AtTarget) -> ImageSides {
    let source = AtSource::Is(SourceImage {
        digest: digest(name),
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        manifest_size: Some(3000),
        children,
        pushed_at: Some(at_hour(-48)),
        elsewhere: false,
        made: None,
    });
    ImageSides { want: want(name, used_by), source, target, frozen: false }
}

fn budget(remaining: u64) -> Option<HubBudget> {
    Some(HubBudget { limit: 100, remaining, window_seconds: 21_600 })
}

fn actions(plan: &MirrorPlan) -> Vec<(String, &'static str)> {
    plan.items
        .iter()
        .map(|item| (item.want.source.repository().to_owned(), item.action.as_str()))
        .collect()
}

fn of(pairs: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    pairs.iter().map(|(name, action)| ((*name).to_owned(), *action)).collect()
}

#[test]
fn each_image_has_its_action() {
    let mut frozen = seen("a/frozen", &[], Some(2), AtTarget::Holds(digest("older")));
    frozen.frozen = true;
    let mut gone = seen("a/gone", &[], None, AtTarget::Holds(digest("kept")));
    gone.source = AtSource::Absent;
    let mut failed = seen("a/failed", &[], None, AtTarget::Absent);
    failed.source = AtSource::Unknown("docker.io failed".to_owned());
    let mut elsewhere = seen("library/there", &[], Some(8), AtTarget::Absent);
    if let AtSource::Is(image) = &mut elsewhere.source {
        image.elsewhere = true;
    }
    let list = vec![
        seen("a/current", &[], Some(2), AtTarget::Holds(digest("a/current"))),
        seen("a/moved", &["prod/web"], Some(2), AtTarget::Holds(digest("older"))),
        seen("a/archived", &[], Some(0), AtTarget::Archived(digest("a/archived"))),
        seen("a/missing", &[], None, AtTarget::Absent),
        seen("a/unknown", &[], None, AtTarget::Unknown("AccessDenied".to_owned())),
        frozen,
        gone,
        failed,
        elsewhere,
    ];
    let plan = plan(list, budget(76), &Memory::default(), at_hour(0));
    let expected = of(&[
        ("a/moved", "copy"),
        ("a/archived", "copy"),
        ("a/missing", "copy"),
        ("library/there", "copy"),
        ("a/frozen", "blocked"),
        ("a/gone", "absent"),
        ("a/failed", "unknown"),
        ("a/unknown", "unknown"),
        ("a/current", "current"),
    ]);
    assert_eq!(actions(&plan), expected, "what runs in ECS first, then what has been behind for longest");
    // Three pulls for the moved image, one for the archived, and eleven for the index of 3000 bytes, which has at most
    // ten children; in the worst case also nine for the image that is elsewhere, too.
    assert_eq!(plan.pulls(), (3 + 1 + 11, 3 + 1 + 11 + 9));
    assert_eq!(plan.oldest_behind_seconds(at_hour(0)), 48 * 3600);
    assert!(!plan.is_complete());
    insta::assert_snapshot!("plan_text", text(&plan, None, at_hour(0)));
    insta::assert_json_snapshot!("plan_json", json(&plan, None)["images"][0]);
}

#[test]
fn a_short_quota_is_given_out_in_order_and_nobody_starves() {
    let list = |names: &[(&str, u32, &[&str])]| -> Vec<ImageSides> {
        names
            .iter()
            .map(|(name, children, used)| seen(name, used, Some(*children), AtTarget::Absent))
            .collect()
    };
    let images = list(&[("a/a", 3, &[]), ("a/b", 9, &["prod/web"]), ("a/c", 0, &[]), ("a/d", 20, &["prod/web"])]);
    let plan_with = |remaining: u64, memory: &Memory| plan(images.clone(), budget(remaining), memory, at_hour(0));
    let none = Memory::default();
    assert_eq!(plan_with(10, &none).count(&CopyDecision::Later), 4, "a tenth is kept back");
    assert_eq!(
        actions(&plan_with(21, &none)),
        of(&[("a/b", "copy"), ("a/d", "later"), ("a/a", "later"), ("a/c", "later")])
    );
    assert_eq!(plan_with(45, &none).count(&CopyDecision::Copy), 3);
    assert_eq!(plan(images.clone(), None, &none, at_hour(0)).count(&CopyDecision::Copy), 4, "no quota, no limit");
    // What has been behind for longer goes first among those that nothing runs.
    let behind = Memory {
        behind: [("123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/a/c:1".to_owned(), at_hour(-9))].into(),
        ..none
    };
    assert_eq!(
        actions(&plan_with(100, &behind)),
        of(&[("a/b", "copy"), ("a/d", "copy"), ("a/c", "copy"), ("a/a", "copy")])
    );
    // An image that costs more than the quota can ever give is copied all the same when the whole quota is left.
    assert_eq!(
        plan(list(&[("a/huge", 500, &[])]), budget(100), &Memory::default(), at_hour(0)).count(&CopyDecision::Copy),
        1
    );
}

#[test]
fn the_same_digest_under_another_tag_costs_nothing_more() {
    let mut other = seen("a/a", &[], Some(4), AtTarget::Absent);
    other.want.target = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/a/a:2".parse().unwrap();
    let plan = plan(
        vec![seen("a/a", &[], Some(4), AtTarget::Absent), other],
        budget(100),
        &Memory::default(),
        at_hour(0),
    );
    assert_eq!((plan.pulls(), plan.count(&CopyDecision::Copy)), ((5, 5), 2));
}

#[test]
fn what_was_asked_for_is_not_asked_for_again_too_soon() {
    let list = vec![seen("a/a", &[], Some(0), AtTarget::Absent)];
    let first = plan(list.clone(), None, &Memory::default(), at_hour(0));
    let asked: Vec<_> = first.copies().collect();
    let memory = first.remember(&Memory::default(), &asked, at_hour(0));
    assert_eq!(plan(list.clone(), None, &memory, at_hour(1)).count(&CopyDecision::Asked), 1);
    let again = plan(list.clone(), None, &memory, at_hour(3));
    assert_eq!(again.count(&CopyDecision::Copy), 1);
    assert_eq!(again.oldest_behind_seconds(at_hour(3)), 3 * 3600, "behind since it was first missed");
    let mut moved = list;
    if let AtSource::Is(image) = &mut moved[0].source {
        image.digest = digest("moved again");
    }
    assert_eq!(
        plan(moved, None, &memory, at_hour(1)).count(&CopyDecision::Copy),
        1,
        "another content is asked for at once"
    );
    let done = plan(vec![seen("a/a", &[], Some(0), AtTarget::Holds(digest("a/a")))], None, &memory, at_hour(4));
    assert_eq!(
        done.remember(&memory, &[], at_hour(4)),
        Memory::default(),
        "and nothing is remembered of what is current"
    );
}

#[test]
fn copies_of_one_repository_travel_together_and_what_runs_goes_ahead() {
    let mut list = vec![seen("a/a", &["prod/web"], Some(0), AtTarget::Absent)];
    for tag in ["2", "3", "4"] {
        let mut other = seen("a/a", &[], Some(0), AtTarget::Absent);
        other.want.target =
            format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/a/a:{tag}").parse().unwrap();
        list.push(other);
    }
    list.push(seen("a/b", &[], Some(0), AtTarget::Absent));
    let plan = plan(list, None, &Memory::default(), at_hour(0));
    let sizes: Vec<usize> = batches(plan.copies(), 2).iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 2, 1, 1]);
}

#[test]
fn a_want_is_one_for_each_target_with_every_reason() {
    let config = config(
        "discover: ecs\nimages:\n- redis: ['7']\n- source: redis\n  tags: ['7', '8']\n  platforms: [linux/amd64]\n",
    );
    let pinned = format!("redis:7@{}", digest("pinned"));
    let mirrored = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/acme/app:2".to_owned();
    let used: Vec<InUse> = ["redis:7", &pinned, &mirrored, "ghcr.io/a/b:1", "acme/app", "not an image"]
        .iter()
        .map(|image| InUse { image: (*image).to_owned(), by: "prod/web".to_owned() })
        .collect();
    let mut wants = Wants::default();
    for rule in &config.images {
        wants.add_rule(&config, rule, &[]);
    }
    wants.add_in_use(&config, &used);
    let list = wants.into_list();
    let sources: Vec<String> = list.iter().map(|want| want.source.to_string()).collect();
    let by_digest = format!("docker.io/library/redis@{}", digest("pinned"));
    assert_eq!(
        sources,
        [
            "docker.io/acme/app:2",
            "docker.io/acme/app",
            "docker.io/library/redis:7",
            "docker.io/library/redis:8",
            &by_digest
        ]
    );
    assert_eq!(list[1].target.tag(), Some("latest"));
    assert_eq!(list[2].why, ["line 4: listed", "line 5: listed", "ECS: prod/web runs it"]);
    assert!(list[2].platforms.is_empty() && list[3].platforms.len() == 1, "whoever wants all platforms wins");
    assert_eq!(list[2].used_by, ["prod/web"]);
}

/// If what runs could choose platforms, whoever may start a service could have every platform mirrored, at the price of
/// the pulls.
#[test]
fn what_runs_changes_nothing_of_the_platforms_that_the_configuration_chose() {
    let config = config("discover: ecs\nimages:\n- {source: redis, tags: ['7'], platforms: [linux/amd64]}\n");
    let used = [InUse { image: "redis:7".to_owned(), by: "prod/web".to_owned() }];
    for rule_first in [true, false] {
        let mut wants = Wants::default();
        if !rule_first {
            wants.add_in_use(&config, &used);
        }
        wants.add_rule(&config, &config.images[0], &[]);
        wants.add_in_use(&config, &used);
        let [want] = wants.into_list().try_into().unwrap();
        assert_eq!(want.platforms.len(), 1, "{want:?}");
        assert_eq!(want.used_by, ["prod/web"]);
    }
}
