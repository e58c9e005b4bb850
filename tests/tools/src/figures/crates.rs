//! What each crate costs in a binary: the sizes of its symbols, added up by the crate that they are named after.
//!
//! A symbol that names an SDK crate anywhere counts for that crate: `<Vec<aws_sdk_ecs::types::Tag> as Debug>::fmt` is
//! there because of ECS. What the method cannot see is said in the document.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::build::Binaries;
use super::report::{FiguresDocument, megabytes, rounded, thousands};
use super::size::weigh;
use crate::e2e::{Result, WhatWasTried as _, ensure};

/// Everything beyond these, in order of size, is one row.
const MOST_ROWS: usize = 14;
/// What stands before the name of an SDK crate.
const SDK: &str = "aws_sdk_";

/// Builds the remediator with symbols and reads them.
///
/// # Errors
/// If it does not build, or there is no `nm`.
pub fn measure(binaries: &Binaries, report: &mut FiguresDocument) -> Result<()> {
    let with_symbols = binaries.with_symbols()?;
    let listing = symbols(&with_symbols)?;
    let sizes = by_crate(&listing);
    let named: u64 = sizes.values().sum();
    let binary = weigh(&binaries.function("remediator"))?;

    report.section("What each crate costs in the remediator");
    report.prose(&format!(
        "Sizes of the symbols of the same build, linked without `strip` (`nm --print-size`), by the crate that the \
         symbol names; a \
         symbol that names an SDK crate anywhere counts for that one. Not seen: what was inlined into another crate's \
         symbol \
         counts there, generic code of a shared crate counts for the shared crate unless the symbol names the type, \
         and the {} MB \
         of the binary that belong to no symbol (string literals, unwind tables, relocations) are not divided.",
        megabytes(binary.saturating_sub(named))
    ));
    let percent = |bytes: u64| {
        format!("{} bytes, {} % of the binary", thousands(bytes), rounded(100.0 * bytes as f64 / binary as f64))
    };
    let sdk: u64 = sizes.iter().filter(|(name, _)| name.starts_with(SDK)).map(|(_, bytes)| bytes).sum();
    report.figure("all SDK crates (`aws_sdk_*`)", &percent(sdk), None);
    for (name, bytes) in ordered(&sizes, |name| name.starts_with(SDK)) {
        report.figure(&format!("`{name}`"), &percent(bytes), None);
    }
    let others = ordered(&sizes, |name| !name.starts_with(SDK));
    for (name, bytes) in others.iter().take(MOST_ROWS) {
        report.figure(&format!("`{name}`"), &percent(*bytes), None);
    }
    let rest: u64 = others.iter().skip(MOST_ROWS).map(|(_, bytes)| bytes).sum();
    report.figure("all others", &percent(rest), None);
    Ok(())
}

fn ordered(sizes: &BTreeMap<String, u64>, which: impl Fn(&str) -> bool) -> Vec<(&str, u64)> {
    let mut rows: Vec<(&str, u64)> =
        sizes.iter().filter(|(name, _)| which(name)).map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    rows
}

fn symbols(binary: &Path) -> Result<String> {
    let mut command = Command::new("nm");
    command.args(["--print-size", "--demangle", "--defined-only"]).arg(binary);
    let output = command.output().context("run nm, which comes with a C compiler")?;
    ensure(output.status.success(), format!("{command:?}: {}", output.status))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Adds up the listing of `nm`: address, size, kind, name. Symbols at the same address are one piece of code.
fn by_crate(listing: &str) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for line in listing.lines() {
        let mut fields = line.splitn(4, ' ');
        let (Some(address), Some(size), Some(kind), Some(name)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let Ok(size) = u64::from_str_radix(size, 16) else {
            continue;
        };
        // `b` is memory that takes no room in the file.
        if matches!(kind, "b" | "B") || !seen.insert(address) {
            continue;
        }
        *sizes.entry(crate_of(name)).or_default() += size;
    }
    sizes
}

/// The crate that a demangled symbol is named after; what has no path is C or assembly.
fn crate_of(symbol: &str) -> String {
    if let Some((_, rest)) = symbol.split_once(SDK) {
        let name: String = rest.chars().take_while(|next| next.is_ascii_alphanumeric()).collect();
        return format!("{SDK}{name}");
    }
    if !symbol.contains("::") {
        return "C and assembly".to_owned();
    }
    let start = symbol.trim_start_matches(|next: char| !next.is_alphabetic() && next != '_');
    // `<dyn core::..>`, `<mut T>`, `<[T]>`: the crate is the first word that a path follows.
    let mut words = start
        .split(|next: char| !(next.is_alphanumeric() || next == '_' || next == ':'))
        .filter(|word| word.contains("::"));
    let name = words.next().and_then(|path| path.split("::").next()).unwrap_or_default();
    // The standard library is one crate for this purpose.
    match name {
        "core" | "alloc" | "std" | "hashbrown" | "" => "std".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_belongs_to_the_crate_that_it_names() {
        for (symbol, name) in [
            ("aws_sdk_ecs::types::_tag::Tag::key", "aws_sdk_ecs"),
            ("<alloc::vec::Vec<aws_sdk_sns::types::Tag> as core::fmt::Debug>::fmt", "aws_sdk_sns"),
            ("core::ptr::drop_in_place::<aws_sdk_iam::Client>", "aws_sdk_iam"),
            ("<regex_automata::meta::Regex>::new", "regex_automata"),
            ("<&mut hyper::proto::h1::Conn as core::fmt::Debug>::fmt", "hyper"),
            ("<dyn tracing::Subscriber>::downcast_ref", "tracing"),
            ("core::str::from_utf8", "std"),
            ("aws_lc_0_42_0_EVP_sha256", "C and assembly"),
        ] {
            assert_eq!(crate_of(symbol), name, "{symbol}");
        }
    }

    #[test]
    fn memory_and_aliases_are_not_counted() {
        let listing = "\
0000000000001000 0000000000000010 t a::one
0000000000001000 0000000000000010 t a::the_same
0000000000002000 0000000000000020 b a::ZEROED
0000000000003000 0000000000000005 r b::TABLE
                 U malloc
";
        assert_eq!(by_crate(listing), BTreeMap::from([("a".to_owned(), 16), ("b".to_owned(), 5)]));
    }
}
