//! Tests `pullsafe mirror` as a program: what it says of a wrong configuration, the plan, the run, and its exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pullsafe::timestamp::Timestamp;
use serde_json::Value;
use testkit::clock::VirtualClock;
use testkit::registry::{Blob, HubOptions, ImageStore, OpenOptions, RegistryServer, Sample};

/// Docker Hub, ECR Public, another registry, and an empty one.
struct Registries {
    hub: RegistryServer,
    public: RegistryServer,
    other: RegistryServer,
    target: RegistryServer,
}

impl Registries {
    fn start() -> Self {
        let clock = VirtualClock::at(Timestamp::from_millis(1_768_504_620_000));
        let hub = RegistryServer::hub(&ImageStore::new(clock.clone()), HubOptions::default());
        let open = || RegistryServer::open(&ImageStore::new(clock.clone()), OpenOptions::default());
        Self { hub, public: open(), other: open(), target: open() }
    }

    fn config(&self, name: &str, images: &str) -> PathBuf {
        file(name, &format!("registry: {}\nprefix: copies\nimages:\n{images}", self.host()))
    }

    fn host(&self) -> &str {
        self.target.url().trim_start_matches("http://")
    }

    fn mirror(&self, config: &Path, arguments: &[&str]) -> Output {
        let mut command = command(config, arguments);
        let (hub, public) = (self.hub.url(), self.public.url());
        let endpoints = format!("docker.io={hub},hub.docker.com={hub},public.ecr.aws={public},mirror.gcr.io={public}");
        command.env("PULLSAFE_REGISTRY_ENDPOINTS", endpoints).output().unwrap()
    }

    fn pulls(&self) -> usize {
        self.hub
            .log()
            .iter()
            .filter(|access| access.method == "GET" && access.path.contains("/manifests/"))
            .count()
    }

    fn tags(&self, repository: &str) -> Vec<String> {
        let read = |repository: &testkit::registry::repository::StoredRepository| {
            repository.tags().map(|(tag, _)| tag.to_owned()).collect()
        };
        self.target.store().read(repository, read).unwrap_or_default()
    }
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn command(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullsafe"));
    command.arg("mirror").arg("--config").arg(config).args(arguments);
    // This machine's Docker configuration must not matter.
    command.env("DOCKER_CONFIG", env!("CARGO_TARGET_TMPDIR"));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_wrong_configuration_names_file_line_column_and_key_and_exits_with_2() {
    let path = file("wrong.yaml", "registry: localhost:5000\nimages:\n- python: []\nimmages: 1\n");
    let output = command(&path, &[]).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(&format!("{}:3:11: `images[0].python` ", path.display())), "{error}");
    assert!(error.contains(&format!("{}:4:1: `immages` is no key", path.display())), "{error}");
    let missing = command(Path::new("/does/not/exist.yaml"), &[]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("/does/not/exist.yaml: "));
}

#[test]
fn a_plan_changes_nothing_and_a_run_copies_to_any_registry() {
    let registries = Registries::start();
    for (seed, tag) in ["1.0", "1.1", "2.0", "latest"].iter().enumerate() {
        Sample::multi_arch(seed as u64).build().push(registries.hub.store(), "acme/app", tag);
    }
    let config = registries.config("right.yaml", "- source: acme/app\n  tags: {semver: '^1', newest: 1}\n");
    let plan = registries.mirror(&config, &["--dry-run"]);
    let shown = text(&plan.stdout).replace(registries.host(), "REGISTRY");
    assert_eq!(plan.status.code(), Some(0), "{shown}{}", text(&plan.stderr));
    assert!(
        shown.starts_with("1 images: 1 to copy.\nDocker Hub has 100 of 100 pulls left (10 kept back); this costs 5.\n"),
        "{shown}"
    );
    assert!(shown.contains("  docker.io/acme/app:1.1\n    -> REGISTRY/copies/acme/app:1.1\n"), "{shown}");
    assert!(
        shown.contains("why: line 4: version ^1, newest by version; number 1 of the newest 1 among 2"),
        "{shown}"
    );
    assert_eq!((registries.pulls(), registries.tags("copies/acme/app")), (0, Vec::new()));

    let run = registries.mirror(&config, &["--output", "json"]);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(0), "{report:#}{}", text(&run.stderr));
    assert_eq!(
        (&report["images"][0]["action"], &report["images"][0]["report"]["source_manifest_gets"]),
        (&"copy".into(), &5.into())
    );
    assert_eq!(registries.tags("copies/acme/app"), ["1.1"]);

    let again = registries.mirror(&config, &["--output", "json"]);
    let report: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((again.status.code(), &report["images"][0]["action"]), (Some(0), &"current".into()), "{report:#}");
    assert_eq!(registries.pulls(), 5, "nothing changed, nothing pulled");
}

#[test]
fn platforms_are_chosen_and_found_current_without_a_pull() {
    let registries = Registries::start();
    let all = ["linux/amd64", "linux/arm64", "linux/s390x"];
    Sample::new(1).platforms(&all).attestations().build().push(registries.hub.store(), "acme/app", "1");
    let images = "- source: acme/app\n  tags: ['1']\n  platforms: [linux/amd64, linux/arm64]\n";
    for images in [images, &images.replace("amd64, linux/arm64", "arm64")] {
        let config = registries.config("platforms.yaml", images);
        let run = registries.mirror(&config, &[]);
        assert_eq!(run.status.code(), Some(0), "{}{}", text(&run.stdout), text(&run.stderr));
        let pulls = registries.pulls();
        let again = registries.mirror(&config, &["--dry-run"]);
        assert!(text(&again.stdout).starts_with("1 images: 1 current."), "{}", text(&again.stdout));
        assert_eq!(registries.pulls(), pulls);
    }
}

#[test]
fn what_refers_to_an_image_comes_along_where_the_configuration_says_so() {
    let registries = Registries::start();
    let image = Sample::multi_arch(1).build();
    image.push(registries.hub.store(), "acme/app", "1");
    let config = Blob::of("{}");
    let descriptor = serde_json::json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.digest(), "size": config.size()});
    registries.hub.store().put_blob("acme/app", config);
    let signature = serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": descriptor,
        "artifactType": "application/vnd.example.signature", "layers": [descriptor],
        "subject": {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": image.digest(), "size": 1}})
    .to_string();
    let signature = registries
        .hub
        .store()
        .push("acme/app", None, signature.into(), Some("application/vnd.oci.image.manifest.v1+json"))
        .unwrap();
    for (asked, there) in [("", false), ("referrers: true\n", true)] {
        let config = registries.config("referrers.yaml", &format!("- acme/app: ['1']\n{asked}"));
        let run = registries.mirror(&config, &[]);
        assert_eq!(run.status.code(), Some(0), "{}{}", text(&run.stdout), text(&run.stderr));
        assert_eq!(registries.target.store().image("copies/acme/app", &signature.digest.to_string()).is_some(), there);
        registries.target.store().untag("copies/acme/app", "1");
    }
}

#[test]
fn what_is_not_there_ends_with_1_and_is_named() {
    let registries = Registries::start();
    let config = registries.config("gone.yaml", "- acme/gone: ['1']\n");
    let run = registries.mirror(&config, &[]);
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stdout));
    assert!(
        text(&run.stdout).contains("copies/acme/gone:1: not known: docker.io refuses access"),
        "{}",
        text(&run.stdout)
    );
}

/// Images at other registries cost nothing of Docker Hub's quota, and neither plan nor run counts them; a plan pulls
/// nothing at all.
#[test]
fn what_a_plan_foretells_is_what_the_run_spends_and_what_docker_hub_counts() {
    let registries = Registries::start();
    let several = ["linux/amd64", "linux/arm64", "linux/s390x"];
    let several = |seed| Sample::new(seed).platforms(&several).attestations().build();
    several(1).push(registries.hub.store(), "acme/app", "1");
    several(2).push(registries.hub.store(), "acme/tool", "1");
    for store in [registries.hub.store(), registries.public.store()] {
        several(3).push(store, "library/python", "3");
        several(3).push(store, "docker/library/python", "3");
    }
    several(4).push(registries.other.store(), "team/api", "1");
    let other = registries.other.url().trim_start_matches("http://").to_owned();
    let rows = [
        ("one image", "- acme/app: ['1']\n".to_owned()),
        (
            "some platforms",
            "- source: acme/tool\n  tags: ['1']\n  platforms: [linux/amd64, linux/arm64]\n".to_owned(),
        ),
        ("one platform", "- source: acme/tool\n  tags: ['1']\n  platforms: [linux/s390x]\n".to_owned()),
        ("held by ECR Public too", "- python: ['3']\n".to_owned()),
        ("at another registry", format!("- source: {other}/team/api\n  tags: ['1']\n")),
        (
            "all together, current by now",
            format!("- acme/app: ['1']\n- python: ['3']\n- source: {other}/team/api\n  tags: ['1']\n"),
        ),
    ];
    for (name, images) in rows {
        let config = registries.config("foretold.yaml", &images);
        let before = (
            registries.pulls(),
            registries
                .target
                .log()
                .iter()
                .filter(|access| access.method != "GET" && access.method != "HEAD")
                .count(),
        );
        let plan = registries.mirror(&config, &["--dry-run", "--output", "json"]);
        let plan: Value =
            serde_json::from_slice(&plan.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {plan:?}"));
        let foretold = plan["pulls"]["expected"].as_u64();
        let writes = registries
            .target
            .log()
            .iter()
            .filter(|access| access.method != "GET" && access.method != "HEAD")
            .count();
        assert_eq!((registries.pulls(), writes), before, "{name}: a plan pulls nothing and writes nothing");
        let run = registries.mirror(&config, &["--output", "json"]);
        let report: Value =
            serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {run:?}"));
        assert_eq!(run.status.code(), Some(0), "{name}: {report:#}");
        let counted = (registries.pulls() - before.0) as u64;
        assert_eq!(
            (foretold, report["pulls"].as_u64()),
            (Some(counted), Some(counted)),
            "{name}: {plan:#}\n{report:#}"
        );
    }
    several(5).push(registries.other.store(), "team/api", "2");
    let config = registries.config("foretold.yaml", &format!("- source: {other}/team/api\n  tags: ['2']\n"));
    let run = registries.mirror(&config, &[]);
    assert!(text(&run.stdout).contains("1 copied with 0 pulls of Docker Hub"), "{}", text(&run.stdout));
}
