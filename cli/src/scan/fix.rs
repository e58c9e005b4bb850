//! `--fix`, `--diff` and `--compose-override`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use pullsafe::foreign::{self, log_line};
use pullsafe_find::disk::Disk;
use pullsafe_find::neighbours::Neighbours as _;
use pullsafe_find::walk::Scanned;
use pullsafe_scan::report::count;
use pullsafe_scan::rewrite::{NewRegistry, Rewrite, Unmoved, apply, compose_override, logins, plan, replace, unified};
use serde_json::json;

use super::{Arguments, ScanOutput, print, problems};

/// Exits with 0 if nothing of Docker Hub is left, 1 otherwise.
pub(super) fn run(arguments: &Arguments, scanned: &Scanned, target: &NewRegistry) -> io::Result<ExitCode> {
    problems(scanned);
    if let Some(file) = &arguments.compose_override {
        return write_override(file, scanned, target);
    }
    let disk = Disk::below(&arguments.paths, arguments.max_file_size);
    let mut plan = plan(&scanned.findings, &scanned.elsewhere, target, &disk);
    if arguments.diff {
        for (file, edits) in &plan.edits {
            if let Some(before) = disk.read(file) {
                match unified(file, &before, edits) {
                    Some(diff) => print(&diff)?,
                    None => eprintln!(
                        "{}: its diff is not shown, for a line of it would be a command; --fix changes it all the same",
                        log_line(file)
                    ),
                }
            }
        }
        tell(&plan.left);
        tell_logins(&plan, arguments);
        return Ok(status(&plan.left));
    }
    write(&mut plan, &disk);
    match arguments.output {
        ScanOutput::Json => {
            let files: Vec<&String> = plan.edits.keys().collect();
            print(&foreign::json(&format!("{:#}\n", json!({"moved": plan.moved, "files": files, "left": plan.left}))))?;
        }
        ScanOutput::Text | ScanOutput::Github | ScanOutput::Sarif => {
            for file in plan.edits.keys() {
                print(&format!("{}: rewritten\n", log_line(file)))?;
            }
            tell(&plan.left);
            tell_logins(&plan, arguments);
            eprintln!(
                "{} moved in {}, {} left",
                count(plan.moved, "image"),
                count(plan.edits.len(), "file"),
                plan.left.len()
            );
        }
    }
    Ok(status(&plan.left))
}

/// Writes each file. A file that cannot be written is reported, with what stays in it.
fn write(plan: &mut Rewrite, disk: &Disk) {
    let mut failed = Vec::new();
    for (file, edits) in &plan.edits {
        let inside =
            disk.within(Path::new(file)).ok_or_else(|| io::Error::other("not below the paths that were given"));
        let written = inside
            .and_then(|_| fs::read(file))
            .and_then(|before| replace(Path::new(file), &apply(&before, edits)));
        if let Err(error) = written {
            failed.push((file.clone(), error.to_string()));
        }
    }
    for (file, why) in failed {
        if let Some(edits) = plan.edits.remove(&file) {
            plan.moved = plan.moved.saturating_sub(edits.len());
        }
        plan.left.push(Unmoved { file, line: 0, reference: "(every image)".to_owned(), why });
    }
}

fn write_override(file: &Path, scanned: &Scanned, target: &NewRegistry) -> io::Result<ExitCode> {
    let written = compose_override(&scanned.findings, target);
    if file == Path::new("-") {
        print(&written.text)?;
    } else {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
        if file.exists() {
            replace(file, written.text.as_bytes())
        } else {
            fs::write(file, &written.text)
        }
        .map_err(named)?;
        print(&format!("{}: written\n", file.display()))?;
    }
    tell(&written.left);
    Ok(status(&written.left))
}

fn tell(left: &[Unmoved]) {
    for left in left {
        eprintln!(
            "{}:{}: {} stays: {}",
            log_line(&left.file),
            left.line,
            log_line(&left.reference),
            log_line(&left.why)
        );
    }
}

/// Prints what each CI system needs before it can pull from a private registry.
fn tell_logins(plan: &Rewrite, arguments: &Arguments) {
    let Some(registry) = &arguments.registry else { return };
    for step in logins(plan.moves.iter(), registry) {
        eprintln!("login: {}", log_line(&step));
    }
}

fn status(left: &[Unmoved]) -> ExitCode {
    if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
