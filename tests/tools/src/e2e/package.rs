//! Builds the functions and packs them as `sam deploy` does: one zip a function, and a template that names the zips.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::tools::{folder, project};
use super::{Result, WhatWasTried as _, ensure};

/// The functions' packages, which are the names of their binaries too.
pub const FUNCTIONS: &[&str] = &["remediator", "mirror", "image-gate", "widget", "probe"];

/// Which build is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What is deployed.
    Release,
    /// Faster to build, for work on the scenarios.
    Dev,
}

/// One function, packed.
#[derive(Debug)]
pub struct Packed {
    /// The package's name.
    pub name: &'static str,
    /// The zip file.
    pub zip: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Builds the functions for this machine and returns the folder with the binaries.
///
/// # Errors
/// If they do not build.
pub fn build(profile: Profile) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(project())
        .arg("build")
        .args(FUNCTIONS.iter().flat_map(|name| ["--package", name]));
    let (flags, output) = match profile {
        Profile::Release => (["--release"].as_slice(), "release"),
        // With this package beside them, the functions' dependencies get the features that every other dev build has
        // given them.
        Profile::Dev => (["--package", env!("CARGO_PKG_NAME"), "--bins"].as_slice(), "debug"),
    };
    let status = command.args(flags).status().context("run cargo")?;
    ensure(status.success(), "the functions do not build")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project().join("target"), PathBuf::from);
    Ok(target.join(output))
}

/// Packs each function, from `<binaries>/<name>` to `<name>.zip` with the one file `bootstrap`.
///
/// The zips go to `.e2e/packed`, not to `target/lambda`: what `cargo lambda build` left there for another architecture
/// stays what it is.
///
/// # Errors
/// If a binary is missing, or cannot be packed.
pub fn pack(binaries: &Path, profile: Profile) -> Result<Vec<Packed>> {
    let output = folder().join("packed");
    fs::create_dir_all(&output).context("make .e2e/packed")?;
    let pack = |name: &&'static str| {
        let zip = output.join(format!("{name}.zip"));
        let bytes = pack_one(&binaries.join(name), &zip, profile)?;
        Ok(Packed { name, zip, bytes })
    };
    FUNCTIONS.iter().map(pack).collect()
}

/// Packs one binary as `bootstrap`, executable, with a fixed time so that equal binaries give equal zips. Returns the
/// zip's size.
///
/// # Errors
/// If the binary cannot be read, or the zip not written.
pub fn pack_one(binary: &Path, zip: &Path, profile: Profile) -> Result<u64> {
    let content = fs::read(binary).context(format!("read {}", binary.display()))?;
    let mut writer = ZipWriter::new(File::create(zip).context(format!("write {}", zip.display()))?);
    let level = match profile {
        Profile::Release => 9,
        // Debug information is large, and nobody keeps these zips.
        Profile::Dev => 1,
    };
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
        .unix_permissions(0o755);
    writer.start_file("bootstrap", options).context("pack")?;
    writer.write_all(&content).context("pack")?;
    let file = writer.finish().context("pack")?;
    Ok(file.metadata().context("pack")?.len())
}

/// What the emulator cannot make: it knows no metric math.
const LEFT_OUT: &[&str] = &["MirrorStaleAlarm"];

/// The project's template with every `CodeUri` replaced by where the zip was uploaded to, and without what the emulator
/// cannot make; nothing else is changed.
///
/// # Errors
/// If a function's `CodeUri` is not there.
pub fn template(packed: &[Packed], bucket: &str) -> Result<String> {
    let mut template = fs::read_to_string(project().join("template.yaml")).context("read template.yaml")?;
    for Packed { name, .. } in packed {
        let local = format!("CodeUri: target/lambda/{name}/\n");
        // One program may be more than one function.
        ensure(template.contains(&local), format!("template.yaml has `{}`", local.trim()))?;
        template = template.replace(&local, &format!("CodeUri: s3://{bucket}/{name}.zip\n"));
    }
    for name in LEFT_OUT {
        let (before, rest) =
            template.split_once(&format!("\n  {name}:\n")).context(format!("template.yaml has {name}"))?;
        // A resource ends where a line is indented no deeper than its name.
        let mut lines = rest.split_inclusive('\n');
        let length: usize = lines
            .by_ref()
            .take_while(|line| line.starts_with("   ") || line.trim().is_empty())
            .map(str::len)
            .sum();
        template = format!("{before}\n{}", &rest[length..]);
    }
    Ok(template)
}
