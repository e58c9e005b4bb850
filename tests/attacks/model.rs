//! Checks that docs/security-model.md and the attacks agree: each row names the file that enforces it and the attack
//! that tries it, and every attack has a row.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::ATTACKS;

/// The heading of the sections with the tables of attempts. Their columns: what is tried, what it causes at most, where
/// that is enforced, which attack tries it.
const MODEL: &str = "## What each may cause at most";

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the model, without the heads of the tables.
fn rows() -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(project().join("docs/security-model.md")).unwrap();
    let section = page.split(MODEL).nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Tries"))
        .map(cells)
        .collect()
}

/// The texts between backticks in a cell.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_row_of_the_model_is_enforced_somewhere_and_tried() {
    let rows = rows();
    assert!(rows.len() > 25, "{} rows", rows.len());
    let known: BTreeSet<&str> = ATTACKS.iter().map(|attack| attack.name).collect();
    let mut tried = BTreeSet::new();
    for row in &rows {
        let [what, most, enforced, by] = row.as_slice() else {
            panic!("not four cells: {row:?}")
        };
        assert!(!what.is_empty() && !most.is_empty(), "{row:?}");
        let files: Vec<&str> =
            named(enforced).into_iter().filter(|name| name.contains('/') && !name.contains(' ')).collect();
        assert!(!files.is_empty(), "{what}: no file of it is named");
        for file in files {
            assert!(project().join(file).exists(), "{what}: there is no {file}");
        }
        let attacks = named(by);
        assert!(!attacks.is_empty(), "{what}: nothing tries it");
        for attack in attacks {
            let test = attack.strip_suffix(".rs").map(|_| project().join(attack));
            assert!(
                known.contains(attack) || test.is_some_and(|file| file.exists()),
                "{what}: nothing is called {attack}"
            );
            tried.insert(attack.to_owned());
        }
    }
    let without: Vec<&&str> = known.iter().filter(|name| !tried.contains(**name)).collect();
    assert!(without.is_empty(), "these attacks are in no row: {without:?}");
}

#[test]
fn an_attack_is_named_once() {
    let names: BTreeSet<&str> = ATTACKS.iter().map(|attack| attack.name).collect();
    let texts: BTreeSet<&str> = ATTACKS.iter().map(|attack| attack.what).collect();
    assert_eq!((names.len(), texts.len()), (ATTACKS.len(), ATTACKS.len()));
}
