//! The configuration: what is read from it, and what is said of its faults.

use crate::decide::{By, ImageSelection, KEYS, MirrorConfig};

const REGISTRY: &str = "registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com\n";

/// Reads a text that is right, by the schema as well.
fn parse(text: &str) -> MirrorConfig {
    assert!(super::schema::takes(text), "the schema refuses {text}");
    MirrorConfig::parse(text)
        .unwrap_or_else(|faults| panic!("{}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>()))
}

/// The faults, as `line:column key: problem` with only the beginning of the problem.
fn faults(text: &str) -> Vec<String> {
    MirrorConfig::parse(text).expect_err(text).iter().map(ToString::to_string).collect()
}

/// Holds the only fault of a text against its place, its key and a part of its words. The schema knows it, too.
fn check(text: &str, place: &str, part: &str) {
    assert!(!super::schema::takes(text), "the schema takes {text}");
    check_beyond_schema(text, place, part);
}

/// The same for a fault that no schema can know.
fn check_beyond_schema(text: &str, place: &str, part: &str) {
    let found = faults(text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    assert!(
        found[0].starts_with(place) && found[0].contains(part),
        "{text}\n{found:#?}\nexpected {place} ... {part}"
    );
}

#[test]
fn the_contracts_example_is_read() {
    let config = parse(
        "registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com     # or any OCI registry
prefix: docker-hub
discover: ecs
images:
  - python: [\"3.11-slim\", \"3.12-slim\"]
  - source: docker.io/library/node
    tags: {semver: \">=20 <23\", include: \"*-alpine\", newest: 3}
    platforms: [linux/amd64, linux/arm64]
repositories: {immutable: false, scan_on_push: true, lifecycle: {keep: 30}}
",
    );
    assert_eq!(
        (config.registry.as_str(), config.prefix.as_str()),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "docker-hub")
    );
    assert!(config.discover_ecs && config.prune.is_none());
    assert_eq!(
        (config.repositories.immutable, config.repositories.scan_on_push, config.repositories.lifecycle_keep),
        (false, true, Some(30))
    );
    let ImageSelection::Listed(listed) = &config.images[0].tags else {
        panic!("a list")
    };
    assert_eq!(listed.iter().map(|one| one.tag.as_deref().unwrap()).collect::<Vec<_>>(), ["3.11-slim", "3.12-slim"]);
    assert_eq!(config.repository_for(&config.images[0].source), "docker-hub/library/python");
    let ImageSelection::Rule(rule) = &config.images[1].tags else {
        panic!("a rule")
    };
    assert_eq!((rule.newest, rule.by, rule.include[0].to_string().as_str()), (Some(3), By::Version, "*-alpine"));
    assert_eq!((config.images[1].platforms.len(), config.images[1].line), (2, 6));
}

#[test]
fn referrers_come_along_where_that_is_written() {
    let images = "images:\n- python: ['3']\n";
    for (text, expected) in [("", false), ("referrers: true\n", true), ("referrers: false\n", false)] {
        assert_eq!(parse(&format!("{REGISTRY}{text}{images}")).referrers, expected);
    }
    check(
        &format!("{REGISTRY}referrers: yes\n{images}"),
        "line 2, column 12: `referrers` is `yes`",
        "write true or false",
    );
}

#[test]
fn tags_stay_as_they_were_written() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let config =
        parse(&format!("{REGISTRY}images:\n- python: [3.10, 1_0, 0x10, {digest}, \"1.2@{digest}\", true, 3.10]\n"));
    let ImageSelection::Listed(listed) = &config.images[0].tags else {
        panic!("a list")
    };
    let tags: Vec<_> = listed.iter().map(|one| (one.tag.as_deref(), one.digest.is_some())).collect();
    assert_eq!(
        tags,
        [
            (Some("3.10"), false),
            (Some("1_0"), false),
            (Some("0x10"), false),
            (None, true),
            (Some("1.2"), true),
            (Some("true"), false)
        ]
    );
}

#[test]
fn anchors_aliases_comments_and_json_are_fine() {
    let config = parse(&format!(
        "{REGISTRY}images:\n- source: a/b\n  tags: &t [\"1\"]\n  platforms: &p [linux/amd64]\n- source: c/d # \
         why\n  tags: *t\n  platforms: *p\n"
    ));
    assert_eq!(
        (&config.images[0].tags, &config.images[0].platforms),
        (&config.images[1].tags, &config.images[1].platforms)
    );
    parse(r#"{"registry": "localhost:5000", "prefix": "", "images": [{"python": ["3.11-slim"]}]}"#);
}

#[test]
fn other_registries_have_their_host_in_the_name() {
    let config = parse(
        "registry: localhost:5000\nprefix: ''\nimages:\n- ghcr.io/a/b: ['1']\n- localhost:5001/c: ['1']\n- redis: \
         ['7']\n",
    );
    let names: Vec<String> = config.images.iter().map(|image| config.repository_for(&image.source)).collect();
    assert_eq!(names, ["ghcr.io/a/b", "localhost-5001/c", "library/redis"]);
}

#[test]
fn a_fault_names_line_column_key_and_what_is_allowed() {
    let with = |rest: &str| format!("{REGISTRY}{rest}");
    let image = |rest: &str| with(&format!("images:\n  - {rest}\n"));
    check(
        &with("images:\n- python: ['3']\nimmages: 1\n"),
        "line 4, column 1: `immages` ",
        "allowed here: `registry`, `prefix`, `discover`, `images`",
    );
    check("images:\n- python: ['3']\n", "line 1, column 1: `registry` ", "is missing");
    check(&with("images: []\n"), "line 2, column 9: `images` ", "selects nothing");
    check(REGISTRY, "line 1, column 1: `images` ", "selects nothing");
    check(&with("images:\n"), "line 2, column", "is empty; write a list");
    check(&image("python: []"), "line 3, column 13: `images[0].python` ", "selects nothing");
    check(&image("python:"), "line 3, column", "`images[0].python` is empty");
    check(&image("python: 3.11"), "line 3, column 13: `images[0].python` is a single value", "a list of tags");
    check(&image("python:3.11"), "line 3, column 5: `images[0]` is a single value", "`repository: [tags]`");
    check(
        &image("python: {}"),
        "line 3, column 13: `images[0].python` selects nothing",
        "`semver`, `include`, `newest`",
    );
    check(
        &image("python: {exclude: '*-rc*'}"),
        "line 3, column 13: `images[0].python` selects nothing",
        "every tag",
    );
    check(
        &image("python: {semver: latest}"),
        "line 3, column 22: `images[0].python.semver` is `latest`",
        "no version",
    );
    check(
        &image("python: {semver: '>=3', newst: 1}"),
        "line 3, column 29: `images[0].python.newst` ",
        "`newest`, `by`",
    );
    check(
        &image("python: {newest: 0}"),
        "line 3, column 22: `images[0].python.newest` is `0`",
        "from 1 to 1000",
    );
    check(&image("python: {newest: '3'}"), "line 3, column 22: ", "is `3`; write a whole number");
    check(&image("python: {newest: 3, by: date}"), "line 3, column 29: ", "version or push_time");
    check(&image("python: ['3*']"), "line 3, column 14: `images[0].python[0]` is the pattern", "include");
    check(&image("python: ['a b']"), "line 3, column 14: ", "tag@digest");
    check(&image("python: [{a: b}]"), "line 3, column 14: ", "is a mapping");
    check(&image("Python: ['3']"), "line 3, column 5: ", "lower case");
    check(&image("python:3: ['3']"), "line 3, column 5: ", "the repository alone");
    check(&image("scratch: ['3']"), "line 3, column 5: ", "not an image");
    check(&image("python: ['3']\n    node: ['3']"), "line 4, column 11: ", "second repository");
    check(
        &image("source: node:20\n    tags: ['1']"),
        "line 3, column 13: `images[0].source` ",
        "the repository alone",
    );
    check(&image("source: node"), "line 3, column 5: `images[0].tags` is missing", "a list of tags");
    check(&image("tags: ['1']"), "line 3, column 5: `images[0].source` is missing", "");
    check(&image("source: a\n    tags: ['1']\n    platforms: []"), "line 5, column 16: ", "selects nothing");
    check(
        &image("source: a\n    tags: ['1']\n    platforms: [linux]"),
        "line 5, column 17: ",
        "os/architecture",
    );
    check_beyond_schema(
        &with("images:\n- a: ['1']\nimages:\n- b: ['1']\n"),
        "line 4, column 1: `images` ",
        "second time; the first is in line 2",
    );
    check(&with("discover: eks\n"), "line 2, column 11: `discover` is `eks`", "ecs");
    check(
        &with("discover: ecs\nrepositories: {immutable: yes}\n"),
        "line 3, column 27: `repositories.immutable` is `yes`",
        "true or false",
    );
    check(
        &with("discover: ecs\nrepositories: {lifecycle: {}}\n"),
        "line 3, column 27: `repositories.lifecycle.keep` is missing",
        "",
    );
    check(
        &with("discover: ecs\nprune: {keep: {tags: []}}\n"),
        "line 3, column 22: `prune.keep.tags` ",
        "empty list",
    );
    check(&with("discover: ecs\nprefix: Docker\n"), "line 3, column 9: `prefix` ", "docker-hub");
    check("registry: https://a.example\ndiscover: ecs\n", "line 1, column 11: `registry` ", "without scheme");
    check("registry: docker.io\ndiscover: ecs\n", "line 1, column 11: `registry` ", "");
    check("", "line 1, column 1: ", "empty");
    check("- a\n", "line 1, column 1: ", "is a list; write a mapping");
    check("a: [\n", "line ", "no YAML");
    check(&with("discover: ecs\n---\na: 1\n"), "line 4, column 1: ", "second document");
    check("registry: *nobody\n", "line 1, column", "no YAML");
}

#[test]
fn every_fault_is_told_at_once_in_the_order_of_the_text() {
    let found = faults(
        "registry: a b\nimages:\n- python: ['3', 'x y']\n- node: {semver: '>>1', newest: many}\nprune: \
         {grace_days: 0}\nwhat: 1\n",
    );
    let lines: Vec<&str> = found.iter().map(|fault| fault.split(',').next().unwrap()).collect();
    assert_eq!(lines, ["line 1", "line 3", "line 4", "line 4", "line 5", "line 6"], "{found:#?}");
}

#[test]
fn a_document_that_unfolds_without_end_is_refused_quickly() {
    let list = |name: &str, of: &str| format!("&{name} [{}]", vec![of; 200].join(", "));
    let text = format!("{REGISTRY}images:\n- a: {}\n{}", list("a", "'1'"), "- b: *a\n".repeat(2000));
    assert!(faults(&text).iter().any(|fault| fault.contains("more than 20000 values")));
    let deep = "[".repeat(50_000);
    assert!(MirrorConfig::parse(&format!("{REGISTRY}images: {deep}")).is_err());
    assert!(MirrorConfig::parse(&" ".repeat(300_000)).unwrap_err()[0].problem.contains("more than 262144"));
    assert!(MirrorConfig::parse(&format!("{REGISTRY}images: &a [*a]\n")).is_err());
}

#[test]
fn every_key_is_read_and_every_key_is_in_the_list() {
    let config = parse(
        "registry: localhost:5000\nprefix: a/b\ndiscover: ecs\nimages:\n- source: node\n  platforms: \
         [linux/arm/v7]\n  tags: \
         {semver: '^1', include: ['*-alpine', '*-slim'], exclude: '*-rc*', newest: 2, by: push_time, max_age_days: 90, prereleases: true}
referrers: true
repositories: {immutable: true, scan_on_push: true, lifecycle: {keep: 3}, tags: \
{team: platform}}\nprune: {enabled: true, grace_days: 3, keep: {tags: lts, newest: 2, pulled_within_days: 60}}\n",
    );
    let ImageSelection::Rule(rule) = &config.images[0].tags else {
        panic!("a rule")
    };
    assert_eq!(
        (rule.by, rule.max_age_days, rule.prereleases, rule.exclude.len()),
        (By::PushTime, Some(90), true, 1)
    );
    assert_eq!(config.repositories.tags["team"], "platform");
    let prune = config.prune.unwrap();
    assert_eq!(
        (
            prune.enabled,
            prune.grace_days,
            prune.keep_newest,
            prune.keep_pulled_within_days,
            prune.keep_tags.len()
        ),
        (true, 3, 2, 60, 1)
    );
    assert_eq!(KEYS.len(), 28);
}
