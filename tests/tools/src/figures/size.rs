//! What the functions weigh.

use super::build::{Binaries, folder};
use super::report::{FiguresDocument, Goal, megabytes, thousands};
use crate::e2e::package::{FUNCTIONS, Profile, pack_one};
use crate::e2e::{Result, WhatWasTried as _};

/// The largest zip that each function may be, in megabytes.
fn limit(function: &str) -> f64 {
    if function == "remediator" { 6.0 } else { 5.0 }
}

/// Packs the functions and weighs them.
///
/// # Errors
/// If a binary cannot be read or packed.
pub fn measure(binaries: &Binaries, report: &mut FiguresDocument) -> Result<()> {
    report.section("Size");
    report.prose("Of the zip that is uploaded, deflated at level 9, and of the binary in it. 1 MB is 1,000,000 bytes.");
    for function in FUNCTIONS {
        let binary = binaries.function(function);
        let zip = pack_one(&binary, &folder()?.join(format!("{function}.zip")), Profile::Release)?;
        report.figure(
            &format!("{function}.zip"),
            &format!("{} MB", megabytes(zip)),
            Goal::at_most(limit(function), "MB", zip as f64 / 1_000_000.0),
        );
        report.figure(&format!("{function}, unpacked"), &format!("{} bytes", thousands(weigh(&binary)?)), None);
    }
    report.figure("bare function, unpacked", &format!("{} bytes", thousands(weigh(&binaries.bare())?)), None);
    Ok(())
}

/// A file's size.
///
/// # Errors
/// If there is no such file.
pub fn weigh(file: &std::path::Path) -> Result<u64> {
    Ok(file.metadata().context(format!("look at {}", file.display()))?.len())
}
