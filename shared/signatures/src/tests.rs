//! Tests what must hold for every row. The tests that each row finds its own example are in `pullsafe-diagnosis`, where
//! texts are read.

use std::collections::BTreeSet;

use pullsafe::reference::Registry;

use crate::cause::Kind;
use crate::matcher::Matcher;
use crate::tables;

#[test]
fn rows_are_complete_and_names_unique() {
    for tables in [tables::REASONS, tables::LOGS] {
        assert!(Matcher::new(tables).is_complete());
    }
    let mut ids = BTreeSet::new();
    // The first table of logs is also one of the reasons' tables.
    for row in tables::REASONS
        .iter()
        .chain(tables::ANSWERS)
        .chain(&tables::LOGS[1..])
        .flat_map(|table| table.iter())
    {
        assert!(ids.insert(row.id), "{} stands twice", row.id);
        assert!(
            !row.advice.is_empty()
                && !row.example.text.is_empty()
                && !row.example.from.is_empty()
                && (!row.all.is_empty() || !row.reads.is_empty()),
            "{} is incomplete",
            row.id
        );
    }
}

#[test]
fn no_phrase_says_what_a_shorter_one_of_its_group_says() {
    let mut dead = BTreeSet::new();
    for row in tables::REASONS.iter().chain(tables::ANSWERS).chain(tables::LOGS).flat_map(|table| table.iter()) {
        for group in row.all.iter().copied().chain([row.none]) {
            for long in group {
                let bare = long.trim_start_matches('^').trim_end_matches('$');
                let covers = |short: &&str| {
                    short != long && !short.starts_with('^') && !short.ends_with('$') && bare.contains(*short)
                };
                if group.iter().any(covers) {
                    dead.insert(format!("{}: {long}", row.id));
                }
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn only_the_quota_rows_are_docker_hubs_quota() {
    for row in tables::REASONS.iter().chain(tables::ANSWERS).chain(tables::LOGS).flat_map(|table| table.iter()) {
        let quota = row.kind == Some(Kind::Quota) && row.registry == Some(Registry::DockerHub);
        assert_eq!(
            quota,
            row.id.starts_with("hub-pull-quota") && row.id != "hub-pull-quota-behind-proxy",
            "{}",
            row.id
        );
    }
}
