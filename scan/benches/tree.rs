//! A tree of 100,000 files, scanned; beside it `rg` on the same tree, if there is one on the path.
//!
//! `cargo bench -p pullsafe-scan --bench tree` prints the median of five runs of each and the peak of memory. The tree
//! is like a monorepo: mostly sources, one file in a hundred names images, a tenth lies in ignored directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pullsafe_scan::walk::{Options, scan};

const FILES: usize = 100_000;
const RUNS: usize = 5;

fn main() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tree");
    if !root.join("complete").exists() {
        make(&root);
    }
    let mut findings = 0;
    let ours = median(|| {
        let scanned = scan(std::slice::from_ref(&root), Options::default()).expect("the tree is there");
        findings = scanned.findings.len();
    });
    println!("pullsafe scan: {FILES} files, {findings} images, {ours:.2?}");
    println!("peak memory: {}", peak());
    let rg = || Command::new("rg").args(["--hidden", "--no-require-git", "-c", r"image|^FROM "]).arg(&root).stdout(Stdio::null()).status();
    match rg() {
        Ok(_) => println!("rg -c 'image|^FROM ': {:.2?}", median(|| drop(rg()))),
        Err(_) => println!("rg: not on the path"),
    }
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).map(|line| line.trim_start_matches("VmHWM:").trim().to_owned());
    line.unwrap_or_else(|| "not known here".to_owned())
}

fn make(root: &Path) {
    let source = "fn image() -> u32 {\n    // FROM here on, nothing.\n    42\n}\n".repeat(40);
    let manifest = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - name: a\n          image: nginx:1.27\n";
    let settings = "{\"a\": 1, \"b\": [1, 2, 3], \"c\": {\"d\": \"x\"}}\n".repeat(20);
    for index in 0..FILES {
        let area = if index % 10 == 9 { "node_modules" } else { "src" };
        let directory: PathBuf = root.join(format!("project{}/{area}/part{}", index % 100, (index / 100) % 50));
        let (name, content) = match index % 100 {
            0 => (format!("Dockerfile.part{index}"), "# syntax=docker/dockerfile:1\nFROM python:3.11-slim AS base\nCOPY . .\n".to_owned()),
            1..=3 => (format!("deploy{index}.yaml"), manifest.to_owned()),
            4..=13 => (format!("settings{index}.json"), settings.clone()),
            14..=16 => (format!("LICENSE{index}"), source.clone()),
            _ => (format!("file{index}.rs"), source.clone()),
        };
        fs::create_dir_all(&directory).expect("a directory can be made");
        fs::write(directory.join(name), content).expect("a file can be written");
    }
    fs::write(root.join(".gitignore"), "node_modules/\n").expect("a file can be written");
    fs::write(root.join("complete"), "").expect("a file can be written");
}
