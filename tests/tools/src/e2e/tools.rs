//! What the run needs besides Rust, installed into `.e2e/` of the project: nothing is installed into the system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Result, WhatWasTried as _, ensure};

/// What the emulated AWS consists of. The second one is what expands the SAM transform.
const EMULATOR: &[&str] = &["ministack==1.5.33", "aws-sam-translator==1.115.0"];

/// The project's folder.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// The folder that everything of the run goes into; git ignores it.
pub fn folder() -> PathBuf {
    project().join(".e2e")
}

/// The emulator's program, installed if it is not there yet.
///
/// # Errors
/// If there is no Python 3 with `venv`, or the packages cannot be fetched.
pub fn emulator() -> Result<PathBuf> {
    let environment = folder().join("emulator");
    let (installed, wanted) = (environment.join("installed.txt"), EMULATOR.join("\n"));
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(environment.join("bin/ministack"));
    }
    fs::create_dir_all(folder()).context("make .e2e")?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    run(Command::new(environment.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(EMULATOR))?;
    fs::write(&installed, wanted).context("note what is installed")?;
    Ok(environment.join("bin/ministack"))
}

/// Debian's docker-registry, unpacked but not installed.
///
/// # Errors
/// If this system has no apt, or apt does not have the package.
pub fn docker_registry() -> Result<PathBuf> {
    unpacked("docker-registry", "usr/bin/docker-registry")
}

/// ripgrep: the one on the path, or else Debian's, unpacked but not installed.
///
/// # Errors
/// If there is none on the path, and this system has no apt or apt does not have the package.
pub fn ripgrep() -> Result<PathBuf> {
    if Command::new("rg").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from("rg"));
    }
    unpacked("ripgrep", "usr/bin/rg")
}

/// A program of a Debian package, which is unpacked beside the system.
fn unpacked(name: &str, program: &str) -> Result<PathBuf> {
    let root = folder().join(name);
    let program = root.join(program);
    if program.is_file() {
        return Ok(program);
    }
    let download = folder().join("download").join(name);
    fs::create_dir_all(&download).context("make .e2e/download")?;
    let fetch = || run(Command::new("apt-get").args(["download", "--quiet", name]).current_dir(&download));
    if fetch().is_err() {
        // A fresh container image comes without package lists.
        run(Command::new("apt-get").args(["update", "--quiet"]))?;
        fetch()?;
    }
    let packages = fs::read_dir(&download)
        .context("look into .e2e/download")?
        .filter_map(std::result::Result::ok)
        .map(|entry| entry.path());
    let package = packages
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("no package came")?;
    run(Command::new("dpkg").arg("-x").arg(&package).arg(&root))?;
    ensure(program.is_file(), format!("the package has no {}", program.display()))?;
    Ok(program)
}

/// Runs a command to its end; its output is part of the error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let output = command.output().context(&shown)?;
    ensure(
        output.status.success(),
        format!("{shown}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)),
    )
}
