//! The binaries that are measured: built as they are shipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::e2e::package::FUNCTIONS;
use crate::e2e::tools::project;
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// The command that builds them, for the document.
pub const BUILD: &str = "cargo build --release -p remediator -p mirror -p image-gate -p widget -p probe -p yardstick";

/// Where the binaries are.
#[derive(Debug, Clone)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// Builds the functions, and the bare function beside them. Nothing else is in the build, so that the features of
    /// every crate are those that the functions are shipped with.
    ///
    /// # Errors
    /// If they do not build.
    pub fn build() -> Result<Self> {
        cargo(BUILD.split_whitespace().skip(1))?;
        Ok(Self(target().join("release")))
    }

    /// A function's binary.
    pub fn function(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The bare function's binary.
    pub fn bare(&self) -> PathBuf {
        self.0.join("yardstick")
    }

    /// Links the remediator once more with its symbols, and takes the copy; the shipped binary is put back.
    ///
    /// Only the last step of the build differs. With `strip = false` in the profile, every crate would be compiled
    /// again.
    ///
    /// # Errors
    /// If it does not link.
    pub fn with_symbols(&self) -> Result<PathBuf> {
        let [remediator, ..] = FUNCTIONS else {
            return Ok(self.bare());
        };
        let with_symbols = folder()?.join(format!("{remediator}-with-symbols"));
        cargo(["rustc", "--release", "-p", remediator, "--bin", remediator, "--", "-C", "strip=none"])?;
        let copied = std::fs::copy(self.function(remediator), &with_symbols);
        cargo([
            "build",
            "--release",
            "-p",
            "remediator",
            "-p",
            "mirror",
            "-p",
            "image-gate",
            "-p",
            "widget",
            "-p",
            "probe",
        ])?;
        copied.context("copy the binary with symbols")?;
        Ok(with_symbols)
    }
}

/// The folder for what the measurements leave behind.
///
/// # Errors
/// If it cannot be made.
pub fn folder() -> Result<PathBuf> {
    let folder = target().join("figures");
    std::fs::create_dir_all(&folder).context("make the folder of the figures")?;
    Ok(folder)
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| project().join("target"), |target| project().join(Path::new(&target)))
}

/// Runs cargo on this workspace.
///
/// # Errors
/// If it fails.
pub fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(project()).args(arguments);
    let status = command.status().context("run cargo")?;
    ensure(status.success(), format!("{command:?}: {status}"))
}
