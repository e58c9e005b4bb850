//! Tables in documents that repeat code. They are made from it, and this test fails when one is stale. `UPDATE_DOCS=1`
//! rewrites them.

use mirror::decide as mirror;
use pullsafe::permission::Permission;
use pullsafe::settings::Setting;
use pullsafe::{permission, settings};

/// Compares what is between `<!-- generated: NAME -->` and `<!-- end -->` with this table.
pub(crate) fn check(file: &str, name: &str, table: &str) {
    let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
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

/// `changes` is written after a permission that changes something of the user.
fn permission_table(who: &str, list: &[Permission], changes: &str) -> String {
    let mut table = format!("| The {who} may | Actions |\n|---|---|\n");
    for permission in list {
        let changes = match permission.parameter {
            Some(parameter) => format!(" (with `{parameter}`)"),
            None => if permission.writes { changes } else { "" }.to_owned(),
        };
        table += &format!("| {}{changes} | `{}` |\n", permission.purpose, permission.actions.join("`, `"));
    }
    table
}

fn settings_table(list: &[Setting], all_optional: bool) -> String {
    let mut table = "| Variable | Default | |\n|---|---|---|\n".to_owned();
    for setting in list {
        let missing = if all_optional { "" } else { "must be set" };
        let default = setting
            .default
            .map_or(missing.to_owned(), |value| if value.is_empty() { String::new() } else { format!("`{value}`") });
        table += &format!("| `{}` | {default} | {} |\n", setting.name, setting.meaning);
    }
    table
}

#[test]
fn the_permissions_in_the_documents_are_those_of_the_code() {
    for (name, who, list, changes) in [
        ("remediator", "remediator", permission::REMEDIATOR, " (act mode)"),
        ("gate", "image gate", permission::GATE, ""),
        ("waker", "waker", permission::WAKER, ""),
        ("widget", "widget", permission::WIDGET, ""),
        ("probe", "probe", permission::PROBE, ""),
    ] {
        check("docs/permissions.md", &format!("permissions-{name}"), &permission_table(who, list, changes));
    }
}

#[test]
fn the_settings_in_the_readme_are_those_of_the_code() {
    check("docs/settings.md", "settings", &settings_table(settings::ALL, false));
}

#[test]
fn the_mirrors_page_has_every_key_setting_and_permission() {
    check("docs/mirror.md", "mirror-keys", &mirror::table());
    check("docs/mirror.md", "mirror-settings", &settings_table(settings::OF_MIRROR, true));
    check("docs/mirror.md", "mirror-permissions", &permission_table("mirror", permission::MIRROR, ""));
}

#[test]
fn the_schema_of_the_mirrors_configuration_is_that_of_the_code() {
    let path = format!("{}/../../docs/mirror.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema = format!("{}\n", serde_json::to_string_pretty(&mirror::schema()).unwrap());
    if std::fs::read_to_string(&path).unwrap_or_default() == schema {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "docs/mirror.schema.json is stale; run UPDATE_DOCS=1 cargo test -p scenarios documents"
    );
    std::fs::write(&path, schema).unwrap();
}

#[test]
fn the_errors_in_the_documents_are_those_of_the_code() {
    check("docs/errors.md", "errors", &pullsafe_aws::errors::table());
}
