//! Finds Chromium, or fetches Debian's `chromium-headless-shell` into `.e2e/`, unpacked and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::e2e::tools::{folder, run};
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// What the browser needs besides the libraries that apt finds missing: something to write with.
const PACKAGES: &[&str] = &["chromium-headless-shell", "fonts-dejavu-core", "fontconfig-config"];
/// Names of browsers that may be on the path.
const PROGRAMS: &[&str] = &["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// A browser's program, and where its libraries are.
#[derive(Debug, Clone)]
pub struct Chromium {
    /// The program.
    pub program: PathBuf,
    /// Folders with libraries that the system lacks.
    pub libraries: Vec<PathBuf>,
}

/// Whether there is a browser for this machine.
#[derive(Debug)]
pub enum Found {
    /// There is.
    Browser(Chromium),
    /// There is none, and no way to fetch one: why.
    Nowhere(String),
}

/// The browser: the one that was fetched before, one on the path, or Debian's, fetched now.
///
/// # Errors
/// If this system has apt, and the packages cannot be had from it.
pub fn chromium() -> Result<Found> {
    let root = folder().join("chromium");
    if let Some(fetched) = unpacked(&root) {
        return Ok(Found::Browser(fetched));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).flat_map(|folder| PROGRAMS.iter().map(move |name| folder.join(name)));
    if let Some(program) = on_path.into_iter().find(|program| program.is_file()) {
        return Ok(Found::Browser(Chromium { program, libraries: Vec::new() }));
    }
    if Command::new("apt-get").arg("--version").output().is_err() {
        return Ok(Found::Nowhere(
            "no Chromium is on the path, and this system has no apt-get to fetch Debian's".to_owned(),
        ));
    }
    fetch(&root)?;
    Ok(Found::Browser(unpacked(&root).context("Debian's package has no browser in it")?))
}

/// Fetches the package and every library that this system lacks. Nothing is installed, and no root is needed.
fn fetch(root: &Path) -> Result<()> {
    let cache = folder().join("download/chromium");
    fs::create_dir_all(cache.join("partial")).context("make .e2e/download/chromium")?;
    let download = || {
        let mut command = Command::new("apt-get");
        command.args([
            "install",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            "--download-only",
            "--option",
            "Debug::NoLocking=1",
        ]);
        command.arg("--option").arg(format!("Dir::Cache::archives={}", cache.display())).args(PACKAGES);
        run(&mut command)
    };
    if download().is_err() {
        // A fresh container image comes without package lists.
        run(Command::new("apt-get").args(["update", "--quiet"]))?;
        download()?;
    }
    let packages = fs::read_dir(&cache)
        .context("look into .e2e/download/chromium")?
        .filter_map(std::result::Result::ok);
    for package in packages
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
    {
        run(Command::new("dpkg").arg("-x").arg(&package).arg(root))?;
    }
    ensure(root.is_dir(), "no package came")
}

fn unpacked(root: &Path) -> Option<Chromium> {
    let program = root.join("usr/lib/chromium/chromium-headless-shell");
    let library = root.join("usr/lib");
    let folders = fs::read_dir(&library).ok()?.filter_map(std::result::Result::ok).map(|entry| entry.path());
    let of_architecture: Vec<PathBuf> =
        folders.filter(|folder| folder.to_string_lossy().ends_with("-linux-gnu")).collect();
    let libraries = of_architecture.iter().flat_map(|folder| [folder.clone(), folder.join("pulseaudio")]).collect();
    program.is_file().then_some(Chromium { program, libraries })
}
