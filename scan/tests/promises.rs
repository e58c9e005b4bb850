//! What the documentation promises of a move and of a report, each once.

use pullsafe_scan::report::FindingsShown;
use pullsafe_scan::rewrite::Official;
use std::collections::BTreeMap;

use pullsafe_find::detect::scan_text;
use pullsafe_find::walk::Scanned;
use pullsafe_scan::report::{Colours, sarif, terminal, text};
use pullsafe_scan::rewrite::{NewRegistry, Rewrite, apply, logins, plan};
use serde_json::Value;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn target() -> NewRegistry {
    NewRegistry::new(Some(REGISTRY), "docker-hub", Official::AsOthers).unwrap()
}

/// The plan for one file, and the file after it.
fn moved(path: &str, text: &str) -> (Rewrite, String) {
    let files = BTreeMap::from([(path.to_owned(), text.to_owned())]);
    let (findings, problems) = scan_text(path, text, &files);
    assert!(problems.is_empty(), "{problems:?}");
    let plan = plan(&findings, &[], &target(), &files);
    let after = apply(text.as_bytes(), plan.edits.get(path).map_or(&[], Vec::as_slice));
    (plan, String::from_utf8(after).unwrap())
}

fn scanned(path: &str, text: &str) -> Scanned {
    let (findings, problems) = scan_text(path, text, &BTreeMap::new());
    Scanned { findings, problems, seen: 1, read: 1, ..Scanned::default() }
}

#[test]
fn a_service_of_gitlab_keeps_the_name_by_which_jobs_reach_it() {
    let (plan, after) = moved(
        ".gitlab-ci.yml",
        "test:\n  services:\n    - postgres:17\n    - name: acme/web-server:1\n    - name: redis:8\n      alias: \
         cache\n  script: [make]\n",
    );
    assert!(plan.left.is_empty(), "{:?}", plan.left);
    for wanted in [
        format!("name: {REGISTRY}/docker-hub/library/postgres:17"),
        format!("name: {REGISTRY}/docker-hub/acme/web-server:1"),
        "alias: postgres".to_owned(),
        "alias: \"acme__web-server,acme-web-server\"".to_owned(),
        "alias: cache".to_owned(),
    ] {
        assert!(after.contains(&wanted), "{wanted} is not in:\n{after}");
    }
    assert_eq!(after.matches("alias:").count(), 3, "{after}");
}

#[test]
fn what_is_trusted_by_its_name_stays_and_is_said() {
    let (plan, after) = moved(
        ".drone.yml",
        "kind: pipeline\nsteps:\n  - \
         {name: a, image: plugins/docker, settings: {repo: x}}\n  - {name: b, image: 'golang:1.25', commands: [make]}\n",
    );
    assert!(after.contains("image: plugins/docker,") && after.contains("/library/golang:1.25"), "{after}");
    assert!(plan.left.iter().any(|left| left.why.contains("privileges")), "{:?}", plan.left);
    let (plan, after) = moved(
        "skaffold.yaml",
        "apiVersion: skaffold/v4beta11\nbuild:\n  artifacts:\n    - \
         {image: acme/api, buildpacks: {builder: paketobuildpacks/builder-jammy-base}}\n    \
         - {image: redis, jib: {fromImage: 'eclipse-temurin:21'}}\n",
    );
    assert!(after.contains("image: acme/api,") && after.contains("image: redis,"), "{after}");
    assert!(
        after.contains("builder: paketobuildpacks/builder-jammy-base") && after.contains("/library/eclipse-temurin:21"),
        "{after}"
    );
    assert!(plan.left.iter().any(|left| left.why.contains("trusted")), "{:?}", plan.left);
}

#[test]
fn one_is_told_from_many() {
    let one = scanned("Dockerfile", "FROM redis:8\n");
    let two = scanned("Dockerfile", "FROM redis:8\nFROM redis:7\n");
    for report in [text(&one, FindingsShown::DockerHub), terminal(&one, FindingsShown::DockerHub, Colours::None, None)]
    {
        assert!(report.contains("1 image in 1 file, 1 from Docker Hub\n"), "{report}");
    }
    assert!(text(&two, FindingsShown::DockerHub).contains("2 images in 1 file, 2 from Docker Hub\n"));
}

#[test]
fn a_rule_of_sarif_has_a_page_and_a_result_its_fix() {
    let text = "FROM redis:8\n";
    let document: Value = serde_json::from_str(&sarif(&scanned("Dockerfile", text), Some(&target()))).unwrap();
    let run = &document["runs"][0];
    for rule in run["tool"]["driver"]["rules"].as_array().unwrap() {
        assert!(rule["helpUri"].as_str().unwrap().starts_with("https://"), "{rule}");
        assert!(rule["help"]["text"].as_str().unwrap().contains("https://"), "{rule}");
    }
    let change = &run["results"][0]["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["artifactLocation"]["uri"], "Dockerfile");
    let replacement = &change["replacements"][0];
    let start = usize::try_from(replacement["deletedRegion"]["byteOffset"].as_u64().unwrap()).unwrap();
    let length = usize::try_from(replacement["deletedRegion"]["byteLength"].as_u64().unwrap()).unwrap();
    let fixed = format!(
        "{}{}{}",
        &text[..start],
        replacement["insertedContent"]["text"].as_str().unwrap(),
        &text[start + length..]
    );
    assert_eq!(fixed, format!("FROM {REGISTRY}/docker-hub/library/redis:8\n"));
}

#[test]
fn each_ci_system_is_told_how_to_log_in() {
    let step = "steps: [{name: a, image: 'golang:1.25', commands: [make]}]\n";
    for (path, text, wanted) in [
        (
            ".github/workflows/a.yml",
            "on: push\njobs:\n  a:\n    container: node:24\n    steps: [{run: make}]\n",
            "`credentials`",
        ),
        (
            ".github/workflows/a.yml",
            "on: push\njobs:\n  a:\n    steps: [{run: docker pull node:24}]\n",
            "amazon-ecr-login",
        ),
        (".gitlab-ci.yml", "a:\n  image: node:24\n  script: [make]\n", "DOCKER_AUTH_CONFIG"),
        (
            ".circleci/config.yml",
            "jobs:\n  a:\n    docker: [{image: 'cimg/node:24.0'}]\n    steps: [{run: make}]\n",
            "`aws_auth`",
        ),
        (
            "bitbucket-pipelines.yml",
            "image: node:24\npipelines: {default: [{step: {script: [make]}}]}\n",
            "oidc-role",
        ),
        (".drone.yml", step, "image_pull_secrets"),
        (".woodpecker.yml", step, "Woodpecker"),
        ("azure-pipelines.yml", "container: node:24\nsteps: [{script: make}]\n", "service connection"),
        ("Jenkinsfile", "pipeline { agent { docker { image 'node:24' } } }\n", "withRegistry"),
        (
            "buildspec.yml",
            "version: 0.2\nphases: {build: {commands: ['docker pull node:24']}}\n",
            "get-login-password",
        ),
        (
            "pod.yaml",
            "kind: Pod\napiVersion: v1\nspec: {containers: [{name: a, image: 'node:24'}]}\n",
            "imagePullSecrets",
        ),
        ("Dockerfile", "FROM node:24\n", "docker login"),
    ] {
        let (plan, _) = moved(path, text);
        let steps = logins(plan.moves.iter(), REGISTRY);
        assert!(steps.iter().any(|step| step.contains(wanted)), "{path}: {steps:?} of {:?}", plan.left);
        assert!(!steps.iter().any(|step| step.contains("REGISTRY")), "{steps:?}");
    }
}

#[test]
fn the_preset_for_renovate_names_what_a_move_writes() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scan.md")).unwrap();
    let (_, rest) = document.split_once("Renovate follows a mirror").unwrap();
    let preset: String = rest.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let preset: Value = serde_json::from_str(&preset[..preset.find("}}").unwrap() + 2]).unwrap();
    let (_, after) = moved("Dockerfile", "FROM redis:8\n");
    let aliases = preset["registryAliases"].as_object().unwrap();
    assert!(
        aliases
            .iter()
            .any(|(alias, of)| of == "docker.io" && after.contains(&format!("{alias}/library/redis:8"))),
        "{aliases:?}"
    );
    assert!(rest.contains("Dependabot"));
}
