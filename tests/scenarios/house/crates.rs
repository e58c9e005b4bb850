//! Crates: dependencies go in one direction, and no decision depends on an SDK.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::project;

/// Which packages of the workspace each package may depend on, tests aside. A package without a row fails the test.
const MAY: &[(&str, &[&str])] = &[
    ("pullsafe", &[]),
    ("pullsafe-yaml", &[]),
    ("pullsafe-lifecycle", &["pullsafe"]),
    ("pullsafe-radar", &["pullsafe"]),
    ("pullsafe-events", &["pullsafe", "pullsafe-radar"]),
    ("pullsafe-registry", &["pullsafe"]),
    ("pullsafe-signatures", &["pullsafe"]),
    ("pullsafe-diagnosis", &["pullsafe", "pullsafe-events", "pullsafe-signatures"]),
    ("pullsafe-aws", &["pullsafe", "pullsafe-lifecycle", "pullsafe-registry"]),
    (
        "pullsafe-incident",
        &["pullsafe", "pullsafe-aws", "pullsafe-diagnosis", "pullsafe-events", "pullsafe-radar"],
    ),
    (
        "pullsafe-inspect",
        &["pullsafe", "pullsafe-aws", "pullsafe-diagnosis", "pullsafe-events", "pullsafe-registry"],
    ),
    ("pullsafe-report", &["pullsafe", "pullsafe-diagnosis", "pullsafe-events", "pullsafe-incident"]),
    ("remediator", &["remediator-decide"]),
    ("remediator-decide", SHARED),
    ("mirror", SHARED),
    ("image-gate", SHARED),
    ("widget", SHARED),
    ("probe", SHARED),
    ("pullsafe-syntax", &["pullsafe", "pullsafe-yaml"]),
    ("pullsafe-find", &["pullsafe", "pullsafe-syntax"]),
    ("pullsafe-scan", &["pullsafe", "pullsafe-find"]),
    (
        "pullsafe-cli",
        &["image-gate", "mirror", "pullsafe-find", "pullsafe-scan", "remediator", "remediator-decide"],
    ),
    ("features", &[]),
    ("testkit", SHARED),
    ("yardstick", &[]),
    (
        "scenarios",
        &[
            "features",
            "image-gate",
            "mirror",
            "probe",
            "pullsafe-find",
            "pullsafe-scan",
            "remediator",
            "remediator-decide",
            "testkit",
            "widget",
        ],
    ),
    ("tools", &["image-gate", "mirror", "pullsafe-scan", "remediator", "scenarios", "testkit", "widget"]),
];

/// What every function may use: the shared packages, and no other function.
const SHARED: &[&str] = &[
    "pullsafe",
    "pullsafe-aws",
    "pullsafe-diagnosis",
    "pullsafe-events",
    "pullsafe-incident",
    "pullsafe-inspect",
    "pullsafe-lifecycle",
    "pullsafe-radar",
    "pullsafe-registry",
    "pullsafe-report",
    "pullsafe-yaml",
];

/// The prefixes of crates that a package of decisions may not need: SDKs, an async runtime, a network, a log.
const SHELL: &[&str] = &["aws-", "aws_", "hyper", "http", "lambda_runtime", "tokio", "tracing", "futures"];

/// The packages of this workspace, by name, with their dependencies.
fn packages() -> BTreeMap<String, Vec<Value>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--offline", "--no-deps", "--format-version", "1"];
    let output = Command::new(cargo).current_dir(project()).args(arguments).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let list = metadata["packages"].as_array().expect("there are packages").iter();
    list.map(|package| {
        let name = package["name"].as_str().expect("a package has a name").to_owned();
        (name, package["dependencies"].as_array().cloned().unwrap_or_default())
    })
    .collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let packages = packages();
    for (name, dependencies) in &packages {
        let Some((_, may)) = MAY.iter().find(|(known, _)| known == name) else {
            panic!("{name} has no row in MAY")
        };
        let above = ["pullsafe-cli", "remediator", "scenarios", "tools"].contains(&name.as_str());
        for dependency in dependencies.iter().filter(|dependency| dependency["kind"].is_null()) {
            let of = dependency["name"].as_str().unwrap_or_default();
            let allowed = !packages.contains_key(of) || may.contains(&of) || above && SHARED.contains(&of);
            assert!(
                allowed,
                "{name} may not depend on {of}: see MAY in tests/scenarios/house/crates.rs, and ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn functions_and_the_command_line_do_not_need_the_scenarios_for_their_tests() {
    for name in ["remediator", "mirror", "image-gate", "widget", "probe"] {
        let found = packages()[name].iter().any(|dependency| dependency["name"] == "scenarios");
        assert!(!found, "{name} dev-depends on scenarios, which depends on it");
    }
}

#[test]
fn a_decision_is_built_without_its_shell() {
    let pure = [
        "pullsafe",
        "pullsafe-yaml",
        "pullsafe-events",
        "pullsafe-diagnosis",
        "pullsafe-incident",
        "pullsafe-inspect",
        "pullsafe-lifecycle",
        "pullsafe-radar",
        "pullsafe-registry",
        "pullsafe-report",
        "pullsafe-signatures",
        "pullsafe-syntax",
    ];
    let functions = ["remediator-decide", "mirror", "image-gate"];
    let packages = packages();
    for name in pure.iter().chain(&functions) {
        let always = packages[*name]
            .iter()
            .filter(|dependency| dependency["kind"].is_null() && dependency["optional"] == false);
        for dependency in always {
            let of = dependency["name"].as_str().unwrap_or_default();
            let shell = SHELL.iter().any(|start| of.starts_with(start)) || of == "pullsafe-aws";
            assert!(!shell, "{name} needs {of} even without its features: a decision would be built with it");
        }
    }
}
