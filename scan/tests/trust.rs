//! What the author of scanned files must not reach: other files, devices, and the reader's terminal.

#![cfg(unix)]

use pullsafe_scan::report::FindingsShown;
use pullsafe_scan::rewrite::Official;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pullsafe_find::disk::Disk;
use pullsafe_find::walk::{Options, Scanned, scan};
use pullsafe_scan::mirror_config::mirror_config;
use pullsafe_scan::report::{Colours, github, json, sarif, terminal, text};
use pullsafe_scan::rewrite::{NewRegistry, compose_override, plan, replace, unified};

const SECRET: &str = "s3cret-from-elsewhere";

/// A tree to scan, with a directory beside it that is none of its affairs.
fn tree(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    fs::create_dir_all(root.join("tree/app")).unwrap();
    fs::create_dir_all(root.join("outside")).unwrap();
    root
}

fn scanned(path: PathBuf) -> Scanned {
    scan(&[path], Options::default()).unwrap()
}

/// Every report of a scan.
fn reports(scanned: &Scanned) -> String {
    [text(scanned, FindingsShown::All), json(scanned), github(scanned), sarif(scanned, None)].concat()
}

#[test]
fn neighbours_outside_the_given_paths_are_not_read() {
    let root = tree("trust-outside");
    let app = root.join("tree/app");
    fs::write(root.join("outside/.env"), format!("TOKEN={SECRET}\n")).unwrap();
    fs::write(root.join("outside/base.yml"), format!("services:\n  x:\n    image: {SECRET}\n    build: .\n")).unwrap();
    fs::write(root.join("outside/Dockerfile"), format!("ARG A\nFROM {SECRET}$A\n")).unwrap();
    symlink(root.join("outside/.env"), app.join(".env")).unwrap();
    let outside = root.join("outside");
    let compose = format!(
        "services:\n  a:\n    image: x/$TOKEN\n  b:\n    extends: {{file: {0}/base.yml, service: x}}\n    image: \
         redis:7\n  c:\n    build: {{context: {0}, args: {{A: ':1'}}}}\n  d:\n    build: {{context: ../../outside, \
         args: {{A: ':1'}}}}\n",
        outside.display()
    );
    fs::write(app.join("compose.yml"), compose).unwrap();
    for path in [root.join("tree"), app.join("compose.yml")] {
        let scanned = scanned(path);
        assert!(!reports(&scanned).contains(SECRET), "{scanned:?}");
        assert!(
            scanned.findings.iter().any(|finding| finding.reference == "docker.io/library/redis:7"),
            "what `extends` names is not read"
        );
    }
}

#[test]
fn a_neighbour_in_the_tree_is_read() {
    let root = tree("trust-inside");
    fs::write(root.join("tree/.env"), "TAG=7\n").unwrap();
    symlink("../.env", root.join("tree/app/.env")).unwrap();
    fs::write(root.join("tree/app/compose.yml"), "services: {a: {image: 'redis:$TAG'}}\n").unwrap();
    assert_eq!(scanned(root.join("tree")).findings[0].reference, "docker.io/library/redis:7");
}

#[test]
fn a_named_link_is_followed_only_where_it_stays_below_its_directory() {
    let root = tree("trust-links");
    fs::write(root.join("outside/Dockerfile"), format!("FROM {SECRET}\n")).unwrap();
    symlink(root.join("outside/Dockerfile"), root.join("tree/Dockerfile")).unwrap();
    let scanned = scanned(root.join("tree/Dockerfile"));
    assert!(scanned.findings.is_empty());
    assert_eq!(scanned.skipped[0].reason, "a link to a file that is not below its own directory");
}

#[cfg(target_os = "linux")]
#[test]
fn devices_and_the_kernels_files_are_not_read() {
    let root = tree("trust-devices");
    symlink("/dev/zero", root.join("tree/app/.env")).unwrap();
    symlink("/proc/kmsg", root.join("tree/app/Dockerfile")).unwrap();
    fs::write(
        root.join("tree/app/compose.yml"),
        "services: {a: {image: 'redis:$TAG', build: {context: ., args: {A: b}}}}\n",
    )
    .unwrap();
    assert!(scanned(root.join("tree")).findings.is_empty());
    assert!(
        scan(&[PathBuf::from("/dev/zero")], Options::default())
            .unwrap_err()
            .to_string()
            .contains("neither a file nor a directory")
    );
    assert!(scanned(root.join("tree/app/Dockerfile")).findings.is_empty());
    assert_eq!(scanned(PathBuf::from("/proc/self/status")).findings.len(), 0);
}

#[test]
fn what_another_file_gives_a_variable_is_not_repeated_unless_it_is_an_image() {
    let root = tree("trust-values");
    fs::write(root.join("tree/app/.env"), format!("KEY=\"{SECRET} {SECRET}\"\nIMAGE=redis:7\n")).unwrap();
    fs::write(root.join("tree/app/compose.yml"), "services:\n  a: {image: '$KEY'}\n  b: {image: $IMAGE}\n").unwrap();
    let scanned = scanned(root.join("tree"));
    assert!(!reports(&scanned).contains(SECRET), "{scanned:?}");
    assert_eq!((scanned.findings.len(), scanned.problems.len()), (1, 1));
}

#[test]
fn nothing_is_written_through_a_link() {
    let root = tree("trust-write");
    fs::write(root.join("outside/file"), "before").unwrap();
    symlink(root.join("outside/file"), root.join("tree/link")).unwrap();
    assert!(replace(&root.join("tree/link"), b"after").is_err());
    assert_eq!(fs::read_to_string(root.join("outside/file")).unwrap(), "before");
}

#[test]
fn no_output_has_a_command_or_a_sign_that_is_not_seen() {
    let root = tree("trust-names");
    let names = [
        "::error::x.yml",
        "##[error]x.yml",
        "##vso[task.complete]y.yml",
        "a\n::error::b.yml",
        "c\u{1b}[2J.yml",
        "d\u{202e}lmy.yml",
        "e\r::add-mask::f.yml",
    ];
    for name in names {
        let text = "services:\n  \"##vso[x]\\u202e::y\": {image: redis:7}\n  b: {image: \"redis:${X:?##[y]}\"}\n  c: \
            {image: \"::set-output ##vso[x]\"}\n";
        fs::write(root.join("tree").join(name), text).unwrap();
    }
    let scanned = scanned(root.join("tree"));
    assert_eq!(scanned.findings.len(), 2 * names.len());
    let target = NewRegistry::new(Some("registry.example.com"), "hub", Official::AsOthers).unwrap();
    let plan = plan(&scanned.findings, &scanned.elsewhere, &target, &Disk::below(&[root.join("tree")], 1 << 20));
    let outputs = [
        ("text", text(&scanned, FindingsShown::All)),
        ("terminal", terminal(&scanned, FindingsShown::All, Colours::None, Some(&target))),
        ("json", json(&scanned)),
        ("sarif", sarif(&scanned, Some(&target))),
        ("github", github(&scanned)),
        ("override", compose_override(&scanned.findings, &target).text),
        ("mirror", mirror_config(&scanned.findings, None, "hub")),
        (
            "diff",
            plan.edits
                .iter()
                .filter_map(|(file, edits)| unified(file, &fs::read_to_string(file).unwrap(), edits))
                .collect(),
        ),
    ];
    for (name, output) in outputs {
        for line in output.lines() {
            let ours =
                name == "github" && ["::warning file=", "::notice file="].iter().any(|begin| line.starts_with(begin));
            assert!(ours || !line.trim_start().starts_with("::"), "{name}: {line:?}");
            assert!(!line.contains("##[") && !line.contains("##vso["), "{name}: {line:?}");
            assert!(!line.chars().any(|sign| sign.is_control() || sign == '\u{202e}'), "{name}: {line:?}");
        }
    }
}
