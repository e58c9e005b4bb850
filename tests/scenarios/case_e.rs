//! Cases E and B as adoption: a repository is scanned, its images are mirrored, its files are rewritten, and it is
//! scanned again.
//!
//! Docker Hub, the mirror and ECR Public are registries in this process. The files are those of the cases.

use pullsafe_scan::rewrite::Official;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mirror::decide::{MirrorConfig, Wants};
use pullsafe::reference::Reference;
use pullsafe::timestamp::Timestamp;
use pullsafe_find::disk::Disk;
use pullsafe_find::finding::Finding;
use pullsafe_find::walk::{Options, scan};
use pullsafe_registry::{AllowedHosts, Client, Config, Copier, CopyRequest};
use pullsafe_scan::mirror_config::mirror_config;
use pullsafe_scan::rewrite::{NewRegistry, Override, apply, compose_override, plan, replace};
use saphyr::{LoadableYamlNode as _, Yaml};
use testkit::clock::VirtualClock;
use testkit::registry::{HubOptions, ImageStore, OpenOptions, RegistryServer, Sample};

const NOW: Timestamp = Timestamp::from_millis(1_768_506_420_000);
const OPTIONS: Options = Options { respect_ignore_files: true, max_bytes: 8 << 20, threads: 2 };

/// A repository on disk, and the registries of its images.
struct Adoption {
    root: PathBuf,
    hub: RegistryServer,
    mirror: RegistryServer,
    public: RegistryServer,
    copier: Copier,
}

impl Adoption {
    /// Copies the files of a case into a folder of this test. Docker Hub has every image in `images`.
    fn of(case: &str, name: &str, images: &[(&str, &str)]) -> Self {
        let clock = VirtualClock::at(NOW);
        let (hub_store, public_store) = (ImageStore::new(clock.clone()), ImageStore::new(clock.clone()));
        for (seed, (repository, tag)) in (1..).zip(images) {
            let image = Sample::multi_arch(seed).build();
            image.push(&hub_store, repository, tag);
            if repository.starts_with("library/") {
                image.push(&public_store, &format!("docker/{repository}"), tag);
            }
        }
        let hub = RegistryServer::hub(&hub_store, HubOptions::default());
        let mirror = RegistryServer::open(&ImageStore::new(clock), OpenOptions::default());
        let public =
            RegistryServer::open(&public_store, OpenOptions { anonymous_token: true, ..OpenOptions::default() });
        let endpoints = format!("docker.io={},public.ecr.aws={}", hub.url(), public.url()).parse().unwrap();
        let copier = Copier::new(Client::new(Config {
            endpoints,
            reach: AllowedHosts::Anywhere,
            ..Config::new(Arc::new(|| NOW))
        }));
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scan/tests/fixtures").join(case), &root);
        Self { root, hub, mirror, public, copier }
    }

    fn scan(&self) -> Vec<Finding> {
        let scanned = scan(std::slice::from_ref(&self.root), OPTIONS).unwrap();
        assert!(
            scanned.problems.is_empty() && scanned.skipped.is_empty(),
            "{:?} {:?}",
            scanned.problems,
            scanned.skipped
        );
        scanned.findings
    }

    /// Copies what the mirror's configuration names, as the mirror does.
    async fn fill(&self, config: &str) -> usize {
        let wanted = selected(config);
        for (source, target) in &wanted {
            self.copier
                .copy(&CopyRequest::new(source.clone(), target.clone(), self.copier.client().endpoints()))
                .await
                .unwrap();
        }
        wanted.len()
    }

    fn fix(&self, target: &NewRegistry) {
        let findings = self.scan();
        let plan = plan(&findings, &[], target, &Disk::below(std::slice::from_ref(&self.root), OPTIONS.max_bytes));
        assert!(plan.left.is_empty(), "{:?}", plan.left);
        for (file, edits) in &plan.edits {
            let before = fs::read(file).unwrap();
            let after = apply(&before, edits);
            only_references_differ(
                &String::from_utf8(before).unwrap(),
                &String::from_utf8(after.clone()).unwrap(),
                &findings,
                target,
            );
            replace(Path::new(file), &after).unwrap();
        }
    }

    /// Checks that every image that the files now name can be pulled, and that none comes from Docker Hub.
    async fn everything_is_there_without_docker_hub(&self) {
        let asked = self.hub.log().len();
        let findings = self.scan();
        assert!(!findings.is_empty());
        for finding in &findings {
            assert!(!finding.is_docker_hub(), "{finding:?}");
            if let Some(reference) = finding.parsed() {
                let digest = self.copier.client().resolve(reference).await.unwrap().digest;
                self.copier.client().manifest(reference, &digest).await.unwrap();
            }
        }
        assert_eq!(self.hub.log().len(), asked, "Docker Hub was asked");
    }
}

/// The sources and targets of a mirror configuration, as the mirror reads it.
fn selected(config: &str) -> Vec<(Reference, Reference)> {
    let config = MirrorConfig::parse(config).unwrap_or_else(|faults| panic!("{faults:?}\n{config}"));
    let mut wants = Wants::default();
    for rule in &config.images {
        wants.add_rule(&config, rule, &[]);
    }
    assert!(wants.warnings.is_empty(), "{:?}", wants.warnings);
    wants.into_list().into_iter().map(|want| (want.source, want.target)).collect()
}

/// Checks that two texts are equal word by word, except that each image of Docker Hub in one is its moved image in the
/// other.
fn only_references_differ(before: &str, after: &str, findings: &[Finding], target: &NewRegistry) {
    assert_eq!(before.lines().count(), after.lines().count());
    let separates =
        |character: char| character.is_whitespace() || matches!(character, '"' | '\'' | ',' | '{' | '}' | '=');
    for (old, new) in before.lines().zip(after.lines()) {
        let (old_words, new_words): (Vec<_>, Vec<_>) = (old.split(separates).collect(), new.split(separates).collect());
        assert_eq!(old_words.len(), new_words.len(), "{old}\n{new}");
        for (old, new) in old_words.into_iter().zip(new_words).filter(|(old, new)| old != new) {
            let finding = findings
                .iter()
                .find(|finding| finding.written == old)
                .unwrap_or_else(|| panic!("{old} is no image, and became {new}"));
            assert_eq!(target.moved(finding).as_deref(), Some(new));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::write(to.join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

const CASE_E: [(&str, &str); 6] = [
    ("docker/dockerfile", "1"),
    ("library/python", "3.11-slim"),
    ("library/redis", "7-alpine"),
    ("mailhog/mailhog", "v1.0.1"),
    ("minio/minio", "latest"),
    ("postgis/postgis", "16-3.4"),
];

#[tokio::test]
async fn the_compose_stack_moves_to_the_mirror() {
    let adoption = Adoption::of("case-e", "adopt-case-e", &CASE_E);
    let findings = adoption.scan();
    assert_eq!(findings.iter().filter(|finding| finding.is_docker_hub()).count(), CASE_E.len());
    let registry = adoption.mirror.host().to_owned();
    let config = mirror_config(&findings, Some(&registry), "docker-hub");
    assert_eq!(adoption.fill(&config).await, CASE_E.len());
    let spent = adoption
        .hub
        .log()
        .iter()
        .filter(|access| access.method == "GET" && access.path.contains("/library/"))
        .count();
    assert_eq!(spent, 0, "official images came from ECR Public");
    adoption.fix(&NewRegistry::new(Some(&registry), "docker-hub", Official::AsOthers).unwrap());
    adoption.everything_is_there_without_docker_hub().await;
    assert!(
        mirror_config(&adoption.scan(), Some(&registry), "docker-hub").ends_with("images: []\n"),
        "nothing is left to mirror"
    );
}

/// A pinned image keeps its digest all the way, with or without a tag.
#[tokio::test]
async fn pinned_images_keep_their_digest() {
    let images = [("library/python", "3.11-slim"), ("library/redis", "7-alpine"), ("bitnami/nginx", "1.27")];
    let adoption = Adoption::of("case-b", "adopt-pinned", &images);
    let digest = |repository: &str, tag: &str| adoption.hub.store().image(repository, tag).unwrap().digest;
    let (python, nginx) = (digest("library/python", "3.11-slim"), digest("bitnami/nginx", "1.27"));
    let text =
        format!("FROM python:3.11-slim@{python}\nFROM redis:7-alpine\nCOPY --from=bitnami/nginx@{nginx} /x /x\n");
    fs::write(adoption.root.join("Dockerfile"), text).unwrap();
    let registry = adoption.mirror.host().to_owned();
    assert_eq!(adoption.fill(&mirror_config(&adoption.scan(), Some(&registry), "docker-hub")).await, 3);
    adoption.fix(&NewRegistry::new(Some(&registry), "docker-hub", Official::AsOthers).unwrap());
    assert_eq!(adoption.scan().iter().filter(|finding| finding.pinned).count(), 2);
    adoption.everything_is_there_without_docker_hub().await;
    assert_eq!(adoption.mirror.store().image("docker-hub/library/python", "3.11-slim").unwrap().digest, python);
}

#[tokio::test]
async fn the_compose_stack_moves_by_an_override() {
    let adoption = Adoption::of("case-e", "adopt-case-e-override", &CASE_E);
    let registry = adoption.mirror.host().to_owned();
    let findings = adoption.scan();
    adoption.fill(&mirror_config(&findings, Some(&registry), "docker-hub")).await;
    let Override { text, left } =
        compose_override(&findings, &NewRegistry::new(Some(&registry), "docker-hub", Official::AsOthers).unwrap());
    let places: Vec<&str> = left.iter().map(|left| left.file.rsplit('/').next().unwrap()).collect();
    assert_eq!(places, ["Dockerfile", "Dockerfile"], "no override reaches into a Dockerfile");
    let documents = Yaml::load_from_str(&text).unwrap();
    let services = documents[0]["services"].as_mapping().unwrap();
    assert_eq!(services.len(), 4);
    for (name, service) in services {
        let reference: Reference = service["image"].as_str().unwrap().parse().unwrap();
        assert_eq!(reference.registry(), registry, "{name:?}");
        adoption.copier.client().resolve(&reference).await.unwrap();
    }
}

#[tokio::test]
async fn the_build_image_moves_to_the_mirror_or_to_ecr_public() {
    let images = [("library/python", "3.11-slim")];
    let adoption = Adoption::of("case-b", "adopt-case-b", &images);
    let registry = adoption.mirror.host().to_owned();
    let config = mirror_config(&adoption.scan(), Some(&registry), "docker-hub");
    assert_eq!(adoption.fill(&config).await, 1);
    adoption.fix(&NewRegistry::new(Some(&registry), "docker-hub", Official::AsOthers).unwrap());
    adoption.everything_is_there_without_docker_hub().await;

    // The fix of the case itself: one line, without a mirror.
    let adoption = Adoption::of("case-b", "adopt-case-b-public", &images);
    adoption.fix(&NewRegistry::new(None, "docker-hub", Official::ToEcrPublic).unwrap());
    let dockerfile = fs::read_to_string(adoption.root.join("Dockerfile")).unwrap();
    assert!(dockerfile.starts_with("FROM public.ecr.aws/docker/library/python:3.11-slim\n"), "{dockerfile}");
    adoption.everything_is_there_without_docker_hub().await;
    assert!(!adoption.public.log().is_empty());
}
