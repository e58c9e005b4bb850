//! Pruning: what is kept, and when the rest goes.

use std::collections::HashSet;

use super::{at_hour, config, digest};
use crate::decide::plan::Memory;
use crate::decide::plan::prune::{HeldRepository, InDemand, MirroredImage, PrunePlan, key, prune};
use crate::decide::{InUse, MirrorConfig, Wants};
use pullsafe::reference::Digest;

const REPOSITORY: &str = "docker-hub/a/b";

fn held(name: &str, tags: &[&str]) -> MirroredImage {
    MirroredImage {
        digest: digest(name),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pushed_at: Some(at_hour(-1000)),
        pulled_at: None,
        size_bytes: 1,
        subject: None,
        children: Some(Vec::new()),
    }
}

fn repository(images: Vec<MirroredImage>) -> Vec<HeldRepository> {
    vec![HeldRepository { name: REPOSITORY.to_owned(), images, doubt: None }]
}

fn pruning(rest: &str) -> MirrorConfig {
    config(&format!("images: [{{a/b: ['1']}}]\nprune: {{enabled: true, grace_days: 2{rest}}}\n"))
}

fn run(config: &MirrorConfig, images: &[HeldRepository], used: &[&str], memory: &Memory, hour: i64) -> PrunePlan {
    let mut wants = Wants::default();
    for rule in &config.images {
        wants.add_rule(config, rule, &[]);
    }
    let used: Vec<InUse> =
        used.iter().map(|image| InUse { image: (*image).to_owned(), by: "prod/web".to_owned() }).collect();
    let wants = wants.into_list();
    prune(config, images, InDemand { wants: &wants, used: &used, incomplete: None }, memory, at_hour(hour))
}

fn unwanted(plan: &PrunePlan) -> HashSet<Digest> {
    plan.unwanted.iter().map(|image| image.digest.clone()).collect()
}

fn remembered(plan: &PrunePlan) -> Memory {
    Memory {
        unwanted: plan.remember(&Memory::default(), &HashSet::new()),
        ..Memory::default()
    }
}

#[test]
fn an_image_goes_in_a_later_run_after_the_grace_and_only_if_still_unwanted() {
    let config = pruning("");
    let images = repository(vec![held("wanted", &["1"]), held("old", &["0"])]);
    let first = run(&config, &images, &[], &Memory::default(), 0);
    assert_eq!((unwanted(&first), first.due().count(), first.kept), ([digest("old")].into(), 0, 1));
    let memory = remembered(&first);
    assert_eq!(run(&config, &images, &[], &memory, 47).due().count(), 0, "within the grace");
    assert_eq!(run(&config, &images, &[], &memory, 48).due().count(), 1);
    assert_eq!(run(&config, &images, &["a/b:0"], &memory, 48).unwanted, [], "in use again");
    let gone = HashSet::from([key(REPOSITORY, &digest("old"))]);
    assert!(
        run(&config, &images, &[], &memory, 48).remember(&memory, &gone).is_empty(),
        "what is gone is forgotten"
    );
    // A run that finds it wanted begins the grace anew.
    let between = run(&config, &images, &["a/b:0"], &memory, 10);
    let memory = Memory {
        unwanted: between.remember(&memory, &HashSet::new()),
        ..Memory::default()
    };
    assert_eq!(run(&config, &images, &[], &memory, 100).due().count(), 0);
}

#[test]
fn what_is_used_named_or_attached_is_kept() {
    let config = pruning(", keep: {tags: ['*-lts'], newest: 1, pulled_within_days: 30}");
    let child = |name: &str| held(name, &[]);
    let mut index = held("index", &["1"]);
    index.children = Some(vec![digest("child"), digest("nested")]);
    let mut nested = child("nested");
    nested.children = Some(vec![digest("grandchild")]);
    let mut signature = held("signature", &[]);
    signature.subject = Some(digest("child"));
    let cosign = held("cosign", &[&format!("sha256-{}.sig", &digest("index").as_str()[7..])]);
    let mut pulled = held("pulled", &["x"]);
    pulled.pulled_at = Some(at_hour(-24));
    let mut newest = held("newest", &["y"]);
    newest.pushed_at = Some(at_hour(-1));
    let mut old_index = held("old index", &["0"]);
    old_index.children = Some(vec![digest("shared"), digest("child"), digest("old child")]);
    let kept = vec![
        index,
        nested,
        child("child"),
        child("grandchild"),
        signature,
        cosign,
        pulled,
        newest,
        held("lts", &["3-lts"]),
        held("by tag", &["used"]),
        held("by digest", &["z"]),
    ];
    let count = kept.len() as u64;
    let mut images = kept;
    images.extend([held("old child", &[]), held("shared", &[]), old_index]);
    let mirrored = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/a/b:used";
    let by_digest = format!("a/b@{}", digest("by digest"));
    let plan = run(&config, &repository(images), &[mirrored, &by_digest], &Memory::default(), 0);
    assert_eq!(unwanted(&plan), [digest("old index"), digest("old child"), digest("shared")].into());
    assert_eq!(plan.kept, count);
    assert_eq!(plan.unwanted[0].digest, digest("old index"), "an index goes before what it names");
}

#[test]
fn a_doubt_stops_everything_that_it_is_about_and_forgets_nothing() {
    let config = pruning("");
    let mut images = repository(vec![held("old", &["0"])]);
    let memory = remembered(&run(&config, &images, &[], &Memory::default(), 0));
    let demand = InDemand { wants: &[], used: &[], incomplete: Some("AccessDenied") };
    let plan = prune(&config, &images, demand, &memory, at_hour(500));
    assert!(plan.unwanted.is_empty() && plan.doubts[0].why.contains("AccessDenied"));
    assert_eq!(plan.remember(&memory, &HashSet::new()), memory.unwanted);

    images[0].doubt = Some("its tags could not be listed".to_owned());
    let plan = run(&config, &images, &[], &memory, 500);
    assert!(plan.unwanted.is_empty() && plan.doubts.len() == 1);
    assert_eq!(plan.remember(&memory, &HashSet::new()), memory.unwanted);

    let mut unread = held("index", &["1"]);
    unread.children = None;
    let plan = run(&config, &repository(vec![unread, held("perhaps its child", &[])]), &[], &Memory::default(), 0);
    assert!(plan.unwanted.is_empty() && plan.doubts[0].why.contains("could not be read"));
}

#[test]
fn nothing_is_decided_where_nothing_is_said_of_pruning() {
    let plan = run(
        &config("images: [{a/b: ['1']}]\n"),
        &repository(vec![held("old", &["0"])]),
        &[],
        &Memory::default(),
        0,
    );
    assert_eq!(plan, PrunePlan::default());
}
