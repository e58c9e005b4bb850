//! `--fix`, `--diff` and `--compose-override`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use pullsafe_scan::analysis::Neighbours as _;
use pullsafe_scan::rewrite::{Left, Plan, Target, apply, compose_override, plan, replace, unified};
use pullsafe_scan::walk::{Disk, Scanned};
use serde_json::json;

use super::{Arguments, Output, print, problems};

/// 0 if nothing of Docker Hub is left, 1 otherwise.
pub(super) fn run(arguments: &Arguments, scanned: &Scanned, target: &Target) -> io::Result<ExitCode> {
    problems(scanned);
    if let Some(file) = &arguments.compose_override {
        return write_override(file, scanned, target);
    }
    let disk = Disk { max_bytes: arguments.max_file_size };
    let mut plan = plan(&scanned.findings, target, &disk);
    if arguments.diff {
        for (file, edits) in &plan.edits {
            if let Some(before) = disk.read(file) {
                print(&unified(file, &before, edits))?;
            }
        }
        tell(&plan.left);
        return Ok(status(&plan.left));
    }
    write(&mut plan);
    match arguments.output {
        Output::Json => {
            let files: Vec<&String> = plan.edits.keys().collect();
            print(&format!("{:#}\n", json!({"moved": plan.moved, "files": files, "left": plan.left})))?;
        }
        Output::Text | Output::Github | Output::Sarif => {
            for file in plan.edits.keys() {
                print(&format!("{file}: rewritten\n"))?;
            }
            tell(&plan.left);
            eprintln!("{} images moved in {} files, {} left", plan.moved, plan.edits.len(), plan.left.len());
        }
    }
    Ok(status(&plan.left))
}

/// Writes each file; one that cannot be written is reported with what stays in it.
fn write(plan: &mut Plan) {
    let mut failed = Vec::new();
    for (file, edits) in &plan.edits {
        let written = fs::read(file).and_then(|before| replace(Path::new(file), &apply(&before, edits)));
        if let Err(error) = written {
            failed.push((file.clone(), error.to_string()));
        }
    }
    for (file, why) in failed {
        if let Some(edits) = plan.edits.remove(&file) {
            plan.moved = plan.moved.saturating_sub(edits.len());
        }
        plan.left.push(Left { file, line: 0, reference: "(every image)".to_owned(), why });
    }
}

fn write_override(file: &Path, scanned: &Scanned, target: &Target) -> io::Result<ExitCode> {
    let written = compose_override(&scanned.findings, target);
    fs::write(file, &written.text).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    print(&format!("{}: written\n", file.display()))?;
    tell(&written.left);
    Ok(status(&written.left))
}

fn tell(left: &[Left]) {
    for left in left {
        eprintln!("{}:{}: {} stays: {}", left.file, left.line, left.reference, left.why);
    }
}

fn status(left: &[Left]) -> ExitCode {
    if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
