//! Files that belong to many others are read once in a scan, however many ask for them.

use pullsafe_scan::rewrite::Official;
use std::collections::BTreeMap;
use std::sync::Mutex;

use pullsafe_find::detect::scan_file;
use pullsafe_find::nearby::Nearby;
use pullsafe_find::neighbours::Neighbours;
use pullsafe_scan::rewrite::{NewRegistry, plan};

/// Files in memory that count how often each is read, and each directory listed.
#[derive(Default)]
struct Counted {
    files: BTreeMap<String, String>,
    reads: Mutex<BTreeMap<String, usize>>,
}

impl Counted {
    fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { files: files.into_iter().collect(), ..Self::default() }
    }

    fn count(&self, path: &str) {
        *self.reads.lock().unwrap().entry(path.to_owned()).or_default() += 1;
    }

    fn most(&self) -> (String, usize) {
        let reads = self.reads.lock().unwrap();
        reads.iter().max_by_key(|(_, times)| **times).map(|(path, times)| (path.clone(), *times)).unwrap()
    }
}

impl Neighbours for Counted {
    fn read(&self, path: &str) -> Option<String> {
        self.count(path);
        self.files.read(path)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        self.count(directory);
        self.files.list(directory)
    }
}

const MANY: usize = 300;

fn many(file: impl Fn(usize) -> (String, String), beside: &[(&str, &str)]) -> Counted {
    Counted::of(
        (0..MANY)
            .map(file)
            .chain(beside.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))),
    )
}

/// Trees in which many files have the same neighbours, each with an image that only these give.
fn trees() -> Vec<(&'static str, Counted, String)> {
    let image = |text: &str| format!("docker.io/library/{text}");
    vec![
        (
            "Terraform",
            many(
                |at| {
                    (
                        format!("m{at}.tf"),
                        format!(
                            "variable \"v{at}\" {{ default = \"redis:{at}\" }}\nresource \"docker_image\" \"i{at}\" \
                             {{ name = var.v{} }}\n",
                            (at + 1) % MANY
                        ),
                    )
                },
                &[("terraform.tfvars", "v0 = \"redis:last\"\n")],
            ),
            image("redis:last"),
        ),
        (
            "compose",
            many(
                |at| (format!("docker-compose.{at}.yml"), "services: {a: {image: \"redis:$TAG\"}}\n".to_owned()),
                &[(".env", "TAG=7\n")],
            ),
            image("redis:7"),
        ),
        (
            "compose, contexts",
            many(
                |at| (format!("d{at}/Dockerfile"), "FROM base\nFROM redis\n".to_owned()),
                &[("compose.yml", "services: {a: {build: {context: d0, additional_contexts: {base: ./base}}}}\n")],
            ),
            image("redis"),
        ),
        (
            "compose, arguments",
            many(
                |at| {
                    (
                        format!("docker-compose.{at}.yml"),
                        "services: {a: {build: {context: ., args: {BASE: \"redis:7\"}}}}\n".to_owned(),
                    )
                },
                &[("Dockerfile", "ARG BASE\nFROM $BASE\n")],
            ),
            image("redis:7"),
        ),
        (
            "Helm",
            many(
                |at| (format!("chart/values-{at}.yaml"), "web: {image: {repository: acme/web}}\n".to_owned()),
                &[
                    ("chart/values.yaml", "global: {imageRegistry: docker.io}\n"),
                    ("chart/Chart.yaml", "appVersion: \"1.2\"\n"),
                ],
            ),
            "docker.io/acme/web:1.2".to_owned(),
        ),
        (
            "Ansible",
            many(
                |at| {
                    (
                        format!("roles/a/tasks/t{at}.yml"),
                        "- docker_container: {image: \"redis:{{ tag }}\"}\n".to_owned(),
                    )
                },
                &[("roles/a/defaults/main.yml", "tag: \"7\"\n")],
            ),
            image("redis:7"),
        ),
        (
            "buildspec",
            many(
                |at| {
                    (
                        format!("buildspec-{at}.yml"),
                        "version: 0.2\nphases: {build: {commands: ['docker build --build-arg BASE=redis:7 .']}}\n"
                            .to_owned(),
                    )
                },
                &[("Dockerfile", "ARG BASE\nFROM $BASE\n")],
            ),
            image("redis:7"),
        ),
        (
            "bake",
            many(
                |at| {
                    (format!("docker-bake.{at}.hcl"), "target \"a\" {\n  args = { BASE = \"redis:7\" }\n}\n".to_owned())
                },
                &[("Dockerfile", "ARG BASE\nFROM $BASE\n")],
            ),
            image("redis:7"),
        ),
        (
            "devcontainer",
            many(
                |at| {
                    (
                        format!(".devcontainer/devcontainer-{at}.json"),
                        "{\"build\": {\"args\": {\"BASE\": \"redis:7\"}}}\n".to_owned(),
                    )
                },
                &[(".devcontainer/Dockerfile", "ARG BASE\nFROM $BASE\n")],
            ),
            image("redis:7"),
        ),
    ]
}

#[test]
fn each_neighbour_is_read_once() {
    for (name, files, wanted) in trees() {
        let nearby = Nearby::of(&files);
        let mut found = 0;
        for (path, text) in &files.files {
            found +=
                usize::from(scan_file(path, text, &nearby).findings.iter().any(|finding| finding.reference == wanted));
        }
        assert!(found > 0, "{name}: nothing has {wanted}");
        let (path, times) = files.most();
        assert_eq!(times, 1, "{name}: `{path}` was read {times} times");
    }
}

#[test]
fn a_plan_reads_a_neighbour_as_often_however_many_files_have_it() {
    let target = NewRegistry::new(Some("registry.example.com"), "hub", Official::AsOthers).unwrap();
    for (name, files, _) in trees() {
        let nearby = Nearby::of(&files);
        let scans: Vec<_> = files.files.iter().map(|(path, text)| scan_file(path, text, &nearby)).collect();
        let findings: Vec<_> = scans.into_iter().flat_map(|scan| scan.findings).collect();
        files.reads.lock().unwrap().clear();
        plan(&findings, &[], &target, &files);
        // Each file for itself, as it is and as it would be; each neighbour for all that are as they are, and as they
        // would be.
        let (path, times) = files.most();
        assert!(times <= 4, "{name}: `{path}` was read {times} times");
    }
}
