//! `--baseline` and `--write-baseline`.

use std::fs;

use pullsafe_find::walk::Scanned;
use pullsafe_scan::baseline::Baseline;
use pullsafe_scan::report::count;

use super::Arguments;

/// Drops known images from the findings, or writes the current ones as known; the error names the file.
pub(super) fn apply(arguments: &Arguments, scanned: &mut Scanned) -> Result<(), String> {
    if let Some(file) = &arguments.write_baseline {
        let baseline = Baseline::of(&scanned.findings);
        fs::write(file, baseline.text()).map_err(|error| format!("{}: {error}", file.display()))?;
        let known = baseline.take_known(&mut scanned.findings);
        eprintln!("{}: {} written", file.display(), count(known, "image"));
        return Ok(());
    }
    let Some(file) = &arguments.baseline else { return Ok(()) };
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| named(&error))?;
    let known = Baseline::parse(&text).map_err(|error| named(&error))?.take_known(&mut scanned.findings);
    if known > 0 {
        eprintln!("{} known to {}", count(known, "image"), file.display());
    }
    Ok(())
}
