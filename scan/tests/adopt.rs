//! Cases B and E, and the whole corpus: scan, mirror configuration, fix, scan again.

use pullsafe_scan::rewrite::Official;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pullsafe_find::disk::Disk;
use pullsafe_find::finding::Finding;
use pullsafe_find::walk::{Options, Scanned, scan};
use pullsafe_scan::mirror_config::mirror_config;
use pullsafe_scan::rewrite::{NewRegistry, Rewrite, apply, compose_override, plan, replace, unified};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn disk(root: &Path) -> Disk {
    Disk::below(&[root.to_path_buf()], 8 << 20)
}

/// A copy of a directory of this package's tests, under a name of its own.
fn copy(of: &str, name: &str) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if to.exists() {
        fs::remove_dir_all(&to).unwrap();
    }
    copy_into(&Path::new(env!("CARGO_MANIFEST_DIR")).join(of), &to);
    to
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_into(&entry.path(), &target);
        } else {
            fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

fn scanned(root: &Path) -> Scanned {
    scan(&[root.to_path_buf()], Options::default()).unwrap()
}

fn fix(root: &Path, target: &NewRegistry) -> Rewrite {
    let scanned = scanned(root);
    let plan = plan(&scanned.findings, &scanned.elsewhere, target, &disk(root));
    for (file, edits) in &plan.edits {
        let before = fs::read(file).unwrap();
        replace(Path::new(file), &apply(&before, edits)).unwrap();
    }
    plan
}

fn hub(scanned: &Scanned) -> Vec<&Finding> {
    scanned.findings.iter().filter(|finding| finding.is_docker_hub()).collect()
}

#[test]
fn case_e_is_adopted() {
    let root = copy("tests/fixtures/case-e", "case-e");
    let before = scanned(&root);
    let mut images: Vec<&str> = hub(&before).iter().map(|finding| finding.reference.as_str()).collect();
    images.sort_unstable();
    assert_eq!(
        images,
        [
            "docker.io/docker/dockerfile:1",
            "docker.io/library/python:3.11-slim",
            "docker.io/library/redis:7-alpine",
            "docker.io/mailhog/mailhog:v1.0.1",
            "docker.io/minio/minio:latest",
            "docker.io/postgis/postgis:16-3.4",
        ]
    );
    assert_eq!(
        mirror_config(&before.findings, Some(REGISTRY), "docker-hub"),
        format!(
            "registry: {REGISTRY}\nprefix: docker-hub\nimages:\n  - docker/dockerfile: [\"1\"]\n  - python: \
             [\"3.11-slim\"]\n  - redis: [\"7-alpine\"]\n  - mailhog/mailhog: [\"v1.0.1\"]\n  - minio/minio: \
             [\"latest\"]\n  - postgis/postgis: [\"16-3.4\"]\n"
        )
    );
    let done = fix(&root, &NewRegistry::new(Some(REGISTRY), "docker-hub", Official::AsOthers).unwrap());
    assert!(done.left.is_empty(), "{:?}", done.left);
    let after = scanned(&root);
    assert_eq!(hub(&after), Vec::<&Finding>::new());
    assert_eq!(after.findings.len(), before.findings.len());
    let compose = fs::read_to_string(root.join("infra/docker-compose.yml")).unwrap();
    assert!(
        compose.contains(&format!("image: {REGISTRY}/docker-hub/postgis/postgis:16-3.4   # spatial")),
        "{compose}"
    );
    assert!(compose.contains(&format!("image: \"{REGISTRY}/docker-hub/library/redis:7-alpine\"")), "{compose}");
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    assert!(dockerfile.starts_with(&format!(
        "# syntax={REGISTRY}/docker-hub/docker/dockerfile:1\nFROM {REGISTRY}/docker-hub/library/python:3.11-slim AS \
         base\n"
    )));
}

#[test]
fn case_e_by_an_override_leaves_the_dockerfile() {
    let root = copy("tests/fixtures/case-e", "case-e-override");
    let written = compose_override(
        &scanned(&root).findings,
        &NewRegistry::new(Some(REGISTRY), "docker-hub", Official::AsOthers).unwrap(),
    );
    assert!(
        written
            .text
            .contains(&format!("  mail:\n    image: \"{REGISTRY}/docker-hub/mailhog/mailhog:v1.0.1\"\n")),
        "{}",
        written.text
    );
    assert_eq!(written.left.len(), 2, "the two of the Dockerfile: {:?}", written.left);
    fs::write(root.join("infra/docker-compose.override.yml"), &written.text).unwrap();
    let found = scanned(&root);
    let of_override: Vec<_> = found.findings.iter().filter(|finding| finding.file.ends_with("override.yml")).collect();
    assert_eq!(of_override.len(), 4);
    assert!(of_override.iter().all(|finding| !finding.is_docker_hub() && finding.services.len() == 1));
}

#[test]
fn an_override_moves_every_service_of_an_anchor() {
    let root = copy("find/tests/corpus/compose/anchors", "anchors");
    let written = compose_override(
        &scanned(&root).findings,
        &NewRegistry::new(Some(REGISTRY), "docker-hub", Official::AsOthers).unwrap(),
    );
    let moved =
        |service: &str, image: &str| format!("  {service}:\n    image: \"{REGISTRY}/docker-hub/library/{image}\"\n");
    for (service, image) in [
        ("web", "node:22-alpine"),
        ("worker", "node:22-alpine"),
        ("db", "postgres:16"),
        ("replica", "postgres:16"),
    ] {
        assert!(written.text.contains(&moved(service, image)), "{service}: {}", written.text);
    }
}

#[test]
fn case_b_goes_to_ecr_public_with_one_line() {
    let root = copy("tests/fixtures/case-b", "case-b");
    let done = plan(
        &scanned(&root).findings,
        &[],
        &NewRegistry::new(None, "docker-hub", Official::ToEcrPublic).unwrap(),
        &disk(&root),
    );
    let file = root.join("Dockerfile");
    let edits = &done.edits[file.to_str().unwrap()];
    let diff = unified("Dockerfile", &fs::read_to_string(&file).unwrap(), edits);
    assert_eq!(
        diff.unwrap(),
        "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,4 +1,4 @@\n-FROM python:3.11-slim\n+FROM \
         public.ecr.aws/docker/library/python:3.11-slim\n \n WORKDIR /app\n COPY requirements.txt .\n"
    );
    fix(&root, &NewRegistry::new(None, "docker-hub", Official::ToEcrPublic).unwrap());
    assert!(hub(&scanned(&root)).is_empty());
}

#[test]
fn a_kustomization_names_an_image_as_the_manifest_does_after_a_move() {
    let root = copy("find/tests/corpus/further/k8s-base", "kustomization");
    let target = NewRegistry::new(Some(REGISTRY), "docker-hub", Official::AsOthers).unwrap();
    let done = fix(&root, &target);
    assert!(done.left.is_empty(), "{:?}", done.left);
    let names = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    assert_eq!(
        names("prod/kustomization.yaml"),
        format!(
            "resources: [../base]\nimages:\n- name: {REGISTRY}/docker-hub/library/nginx\n  newTag: 1.27.1\n- name: \
             {REGISTRY}/docker-hub/acme/app\n  newName: {REGISTRY}/docker-hub/acme/app2\n"
        )
    );
    assert!(names("base/d.yaml").contains(&format!("image: {REGISTRY}/docker-hub/library/nginx}}")));
    // Without the manifest nobody knows whether the name would still be found.
    let alone = copy("find/tests/corpus/further/k8s-base/prod", "kustomization-alone");
    let left: Vec<String> = fix(&alone, &target).left.into_iter().map(|left| left.reference).collect();
    assert_eq!(left, ["docker.io/library/nginx:1.27.1"]);
}

#[test]
fn the_corpus_is_adopted_but_for_what_has_a_reason() {
    let root = copy("find/tests/corpus", "corpus");
    let before = scanned(&root);
    let original: BTreeMap<PathBuf, Vec<u8>> = before
        .findings
        .iter()
        .map(|finding| PathBuf::from(&finding.file))
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect();
    let target = NewRegistry::new(Some(REGISTRY), "docker-hub", Official::AsOthers).unwrap();
    let done = fix(&root, &target);
    let after = scanned(&root);
    let name = |file: &str| file.strip_prefix(root.to_str().unwrap()).unwrap().trim_start_matches('/').to_owned();
    let left: Vec<String> = done
        .left
        .iter()
        .map(|left| format!("{}:{} {}: {}", name(&left.file), left.line, left.reference, left.why))
        .collect();
    insta::assert_snapshot!("left", left.join("\n"));
    let still: Vec<String> = hub(&after)
        .iter()
        .map(|finding| format!("{}:{} {}", name(&finding.file), finding.line, finding.reference))
        .collect();
    assert_eq!(still.len(), done.left.len(), "what is left is what is still found: {still:#?}");
    assert_eq!(after.findings.len(), before.findings.len());
    assert_eq!(after.problems.len(), before.problems.len());
    for (file, bytes) in original {
        let now = fs::read(&file).unwrap();
        assert_eq!(
            now.iter().filter(|&&byte| byte == b'\r').count(),
            bytes.iter().filter(|&&byte| byte == b'\r').count()
        );
        // Only GitLab's services get a line more, with the name that they had.
        if !file.to_string_lossy().contains("gitlab") {
            assert_eq!(
                now.iter().filter(|&&byte| byte == b'\n').count(),
                bytes.iter().filter(|&&byte| byte == b'\n').count()
            );
        }
    }
    let again = plan(&after.findings, &after.elsewhere, &target, &disk(&root));
    assert!(again.edits.is_empty(), "a second fix changes nothing: {:?}", again.edits);
}
