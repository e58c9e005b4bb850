//! Tables in documents that repeat code: made from it, and stale only until this test runs. `UPDATE_DOCS=1` rewrites them.

use pullsafe::domain::{permission, settings};

/// Holds what stands between `<!-- generated: NAME -->` and `<!-- end -->` against what the code says.
pub(crate) fn check(file: &str, name: &str, table: &str) {
    let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("{file} has no {begin}"));
    let (found, after) = rest.split_once("<!-- end -->").unwrap();
    if found == table {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "{file}: the table `{name}` is stale; run UPDATE_DOCS=1 cargo test -p scenarios documents"
    );
    std::fs::write(&path, format!("{before}{begin}{table}<!-- end -->{after}")).unwrap();
}

#[test]
fn the_permissions_in_the_readme_are_those_of_the_code() {
    let mut table = "| The remediator may | Actions |\n|---|---|\n".to_owned();
    for permission in permission::REMEDIATOR {
        let changes = if permission.writes { " (act mode)" } else { "" };
        table += &format!("| {}{changes} | `{}` |\n", permission.purpose, permission.actions.join("`, `"));
    }
    check("README.md", "permissions", &table);
}

#[test]
fn the_settings_in_the_readme_are_those_of_the_code() {
    let mut table = "| Variable | Default | |\n|---|---|---|\n".to_owned();
    for setting in settings::ALL {
        let default =
            setting.default.map_or("must be set".to_owned(), |value| if value.is_empty() { String::new() } else { format!("`{value}`") });
        table += &format!("| `{}` | {default} | {} |\n", setting.name, setting.meaning);
    }
    check("README.md", "settings", &table);
}
