//! `pullsafe scan` on large trees, beside ripgrep on the same ones, in one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::build::{cargo, folder, target};
use super::machine;
use super::report::{FiguresDocument, Goal, megabytes, rounded, thousands};
use super::start::median;
use crate::e2e::tools::{project, ripgrep};
use crate::e2e::{Result, WhatWasTried as _, ensure};

const ROUNDS: usize = 7;
/// How often the memory of a running program is looked at.
const LOOK: Duration = Duration::from_millis(1);
const BEGIN: &str = "<!-- figures: made by `cargo figures scan` -->\n";
const END: &str = "<!-- end of figures -->";

/// A tree to scan: what it is like, how many files it has, and what they are.
struct ScannedTree {
    name: &'static str,
    like: &'static str,
    files: usize,
    /// Seconds that the scan may take.
    most: Option<f64>,
    file: fn(usize) -> (String, &'static str),
}

const TREES: [ScannedTree; 2] = [
    ScannedTree {
        name: "monorepo",
        like: "like a monorepo: of a hundred files one is a Dockerfile, three are manifests and ten are other JSON; a \
            tenth lies in ignored directories",
        files: 100_000,
        most: Some(5.0),
        file: |index| match index % 100 {
            0 => (format!("Dockerfile.part{index}"), DOCKERFILE),
            1..=3 => (format!("deploy{index}.yaml"), MANIFEST),
            4..=13 => (format!("settings{index}.json"), SETTINGS),
            14..=16 => (format!("LICENSE{index}"), SOURCE),
            _ => (format!("file{index}.rs"), SOURCE),
        },
    },
    ScannedTree {
        name: "deployments",
        like: "nothing but Dockerfiles, compose files, manifests and task definitions; a tenth lies in ignored \
            directories",
        files: 20_000,
        most: None,
        file: |index| match index % 4 {
            0 => (format!("Dockerfile.part{index}"), DOCKERFILE),
            1 => (format!("compose{index}.yaml"), COMPOSE),
            2 => (format!("deploy{index}.yaml"), MANIFEST),
            _ => (format!("task{index}.json"), TASK),
        },
    },
];

const DOCKERFILE: &str = include_str!("../../../../scan/tests/fixtures/case-e/Dockerfile");
const COMPOSE: &str = include_str!("../../../../scan/tests/fixtures/case-e/infra/docker-compose.yml");
const TASK: &str = include_str!("../../../../scan/find/tests/corpus/ecs/taskdef/task-definition.json");
const MANIFEST: &str = include_str!("../../../../scan/find/tests/corpus/kubernetes/deployment/deployment.yaml");
const SETTINGS: &str = include_str!("../../../../scan/find/tests/corpus/none/words/app/package.json");
const SOURCE: &str = include_str!("tree.rs");

/// Builds the scan, makes the trees, measures, and writes the table into `docs/scan.md`.
///
/// # Errors
/// If a program cannot be had or fails.
pub fn write() -> Result<()> {
    cargo(["build", "--release", "--package", "pullsafe-scan", "--example", "scan"])?;
    let (pullsafe, rg) = (target().join("release/examples/scan"), ripgrep()?);
    let mut report = FiguresDocument::default();
    for tree in &TREES {
        measure(tree, &pullsafe, &rg, &mut report)?;
    }
    let file = project().join("docs/scan.md");
    let text = fs::read_to_string(&file).context("read docs/scan.md")?;
    let (before, rest) = text.split_once(BEGIN).context("docs/scan.md has no place for the figures")?;
    let (_, after) = rest.split_once(END).context("docs/scan.md has no end of the figures")?;
    let head = format!("Medians of {ROUNDS} runs each, in turn, files in the kernel's cache; {}.", machine::describe());
    let figures = report.document(&head, "");
    // One level below the section that they are in.
    let figures = figures.replace("\n## ", "\n### ");
    fs::write(&file, format!("{before}{BEGIN}{}\n{END}{after}", figures.trim_end())).context("write docs/scan.md")?;
    println!("\nwritten to docs/scan.md");
    Ok(())
}

fn measure(tree: &ScannedTree, pullsafe: &Path, rg: &Path, report: &mut FiguresDocument) -> Result<()> {
    let root = made(tree)?;
    report.section(&format!("{} files, {}", thousands(tree.files as u64), tree.name));
    report.prose(&format!("The tree is {}.", tree.like));
    let scan = |threads: &str| {
        let mut command = Command::new(pullsafe);
        command.arg(threads).arg(&root);
        command
    };
    let mut search = Command::new(rg);
    search.args(["--hidden", "--no-require-git", "--count", "image|^FROM "]).arg(&root);
    let mut list = Command::new(rg);
    list.args(["--hidden", "--no-require-git", "--files"]).arg(&root);
    let counts: Value =
        serde_json::from_slice(&scan("0").output().context("run the scan")?.stdout).context("read its answer")?;
    let mut programs = [scan("0"), scan("1"), search, list];
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut peaks = [0; 4];
    for round in 0..ROUNDS {
        for turn in 0..programs.len() {
            let which = (turn + round) % programs.len();
            let (time, peak) = timed(&mut programs[which])?;
            times[which].push(time);
            peaks[which] = peaks[which].max(peak);
        }
    }
    let [ours, alone, search, list] = times.each_mut().map(|times| median(times).as_secs_f64());
    let shown = |seconds: f64, peak: u64| format!("{seconds:.2} s, peak memory {} MB", megabytes(peak));
    let found = counts["summary"]["findings"].as_u64().unwrap_or_default();
    let read = counts["summary"]["files_read"].as_u64().unwrap_or_default();
    let per_second = rounded(tree.files as f64 / ours);
    let figure = format!(
        "{}; {} images in {} files read, {per_second} files a second",
        shown(ours, peaks[0]),
        thousands(found),
        thousands(read)
    );
    report.figure("`pullsafe scan --output json`", &figure, tree.most.and_then(|most| Goal::at_most(most, "s", ours)));
    report.figure("the same with `--threads 1`", &shown(alone, peaks[1]), None);
    report.figure(
        "`rg --count 'image\\|^FROM '`",
        &format!("{}; the scan takes {:.1} times that", shown(search, peaks[2]), ours / search),
        None,
    );
    report.figure("`rg --files`, which reads none", &shown(list, peaks[3]), None);
    Ok(())
}

/// Runs a program to its end: how long it takes, and the most memory that it was seen to have.
fn timed(command: &mut Command) -> Result<(Duration, u64)> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("start it")?;
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait().context("wait for it")? {
            break status;
        }
        peak = peak.max(machine::peak_bytes(child.id()).unwrap_or(0));
        std::thread::sleep(LOOK);
    };
    // 1 is an answer of both programs.
    ensure(matches!(status.code(), Some(0 | 1)), format!("{command:?}: {status}"))?;
    Ok((start.elapsed(), peak))
}

/// The tree on disk, made unless it is there.
fn made(tree: &ScannedTree) -> Result<PathBuf> {
    let root = folder()?.join(tree.name);
    let complete = root.join(".complete");
    if fs::read_to_string(&complete).is_ok_and(|made| made == tree.like) {
        return Ok(root);
    }
    if root.exists() {
        fs::remove_dir_all(&root).context("remove the old tree")?;
    }
    for index in 0..tree.files {
        let area = if index % 10 == 9 { "node_modules" } else { "src" };
        let directory = root.join(format!("project{}/{area}/part{}", index % 101, (index / 101) % 50));
        let (name, content) = (tree.file)(index);
        fs::create_dir_all(&directory).context("make a directory of the tree")?;
        fs::write(directory.join(name), content).context("write a file of the tree")?;
    }
    fs::write(root.join(".gitignore"), "node_modules/\n").context("write the ignore file of the tree")?;
    fs::write(&complete, tree.like).context("note that the tree is complete")?;
    Ok(root)
}
