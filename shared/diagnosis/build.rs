//! Makes the index of known messages from `known.tsv` at compile time, so that a function computes nothing at its
//! start.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

include!("src/grams.rs");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let source = "src/known.tsv";
    println!("cargo::rerun-if-changed={source}");
    println!("cargo::rerun-if-changed=src/grams.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let mut known = String::new();
    let mut holders: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
    let mut all: Vec<Vec<u32>> = Vec::new();
    for (number, line) in std::fs::read_to_string(source)?.lines().enumerate() {
        let mut fields = line.splitn(3, '\t');
        let (Some(cause), Some(group), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(format!("{source}:{}: not `cause<TAB>group<TAB>text`", number + 1).into());
        };
        let word = |word: &str| -> String {
            word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default()
        };
        let variant: String = cause.split('-').map(word).collect();
        writeln!(known, "    KnownMessage {{ cause: Cause::{variant}, group: {group:?}, text: {text:?} }},")?;
        let own = grams(text);
        for gram in &own {
            holders.entry(*gram).or_default().push(u16::try_from(number)?);
        }
        all.push(own);
    }
    let mut lines = String::new();
    let mut flat: Vec<u16> = Vec::new();
    for (gram, held) in &holders {
        writeln!(lines, "    ({gram}, {}),", flat.len())?;
        flat.extend(held);
    }
    // The end of the last entry.
    writeln!(lines, "    ({}, {}),", u32::MAX, flat.len())?;
    let weight = |own: &Vec<u32>| own.iter().map(|gram| rarity(holders.get(gram).map_or(1, Vec::len))).sum::<f32>();
    let weights: Vec<String> = all.iter().map(|own| format!("{:.1}", weight(own))).collect();
    let code = format!(
        "pub(super) static KNOWN: &[KnownMessage] = &[\n{known}];\npub(super) static GRAMS: &[(u32, u32)] = \
         &[\n{lines}];\npub(super) static HOLDERS: &[u16] = &{flat:?};\npub(super) static WEIGHTS: &[f32] = &[{}];\n",
        weights.join(", ")
    );
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("known.rs"), code)?;
    Ok(())
}
