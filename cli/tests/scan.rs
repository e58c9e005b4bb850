//! Tests `pullsafe scan` as a user runs it: the binary on files, and the definitions that run it in CI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Value, json};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files of case E, in a folder for one test.
fn case_e(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    let from = project().join("scan/tests/fixtures/case-e");
    for file in ["Dockerfile", "infra/docker-compose.yml"] {
        let to = root.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(file), to).unwrap();
    }
    root
}

fn pullsafe(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pullsafe"))
        .current_dir(directory)
        .arg("scan")
        .args(arguments)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn people_read_one_line_for_each_pull() {
    let output = pullsafe(&case_e("scan-text"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = out(&output);
    assert_eq!(
        text.lines().next(),
        Some("Dockerfile:1:10: dockerhub docker.io/docker/dockerfile:1 (dockerfile-syntax)")
    );
    assert!(
        text.contains("infra/docker-compose.yml:8:12: dockerhub docker.io/postgis/postgis:16-3.4 (compose-image)\n"),
        "{text}"
    );
    assert!(text.ends_with("6 images in 2 files, 6 from Docker Hub\n"), "{text}");
}

#[test]
fn tools_read_every_field() {
    let root = case_e("scan-json");
    fs::write(root.join("Dockerfile.extra"), "ARG TAG\nFROM python:${TAG}\nFROM ${BASE}\n").unwrap();
    let output = pullsafe(&root, &["--output", "json", "Dockerfile.extra"]);
    assert_eq!(output.status.code(), Some(1));
    let found = json_of(&output);
    assert_eq!(
        found["findings"],
        json!([
            {
                "file": "Dockerfile.extra", "line": 2, "column": 6, "place": "dockerfile-from", "written": "python:${TAG}",
                "reference": "docker.io/library/python:${TAG}", "registry": "dockerhub", "official": true, "pinned": false, "certain": false,
                "variables": ["TAG"],
            },
            {
                "file": "Dockerfile.extra", "line": 3, "column": 6, "place": "dockerfile-from", "written": "${BASE}", "reference": "${BASE}",
                "registry": null, "official": false, "pinned": false, "certain": false, "variables": ["BASE"],
            },
        ])
    );
    assert_eq!(
        found["summary"],
        json!({"findings": 2, "docker_hub": 1, "undecided": 1, "files_seen": 1, "files_read": 1})
    );
}

#[test]
fn undecided_images_and_warnings_fail_only_when_strict() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scan-strict");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("Dockerfile"), "FROM ${BASE}\n").unwrap();
    assert_eq!(pullsafe(&root, &[]).status.code(), Some(0));
    assert_eq!(pullsafe(&root, &["--strict"]).status.code(), Some(1));
    fs::write(root.join("Dockerfile"), "FROM quay.io/a/b:1\nFORM x\n").unwrap();
    assert_eq!(pullsafe(&root, &[]).status.code(), Some(0));
    assert_eq!(pullsafe(&root, &["--strict"]).status.code(), Some(1));
}

#[test]
fn a_known_file_that_cannot_be_read_fails_unless_told_otherwise() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scan-unreadable");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("compose.yml"), "services:\n  a:\n    image: quay.io/a/b:1\n   b: [\n").unwrap();
    assert_eq!(pullsafe(&root, &[]).status.code(), Some(1));
    assert_eq!(pullsafe(&root, &["--allow-unreadable"]).status.code(), Some(0));
    assert!(out(&pullsafe(&root, &[])).contains("compose.yml:4: error: "));
}

#[test]
fn a_baseline_leaves_what_is_new() {
    let root = case_e("scan-baseline");
    assert_eq!(pullsafe(&root, &["--write-baseline", "known.json"]).status.code(), Some(0));
    assert_eq!(pullsafe(&root, &["--baseline", "known.json"]).status.code(), Some(0));
    fs::write(root.join("Dockerfile.new"), "FROM redis:8\n").unwrap();
    let output = pullsafe(&root, &["--baseline", "known.json"]);
    assert_eq!((output.status.code(), out(&output).matches("dockerhub").count()), (Some(1), 1), "{output:?}");
    fs::write(root.join("known.json"), "{}").unwrap();
    assert_eq!(pullsafe(&root, &["--baseline", "known.json"]).status.code(), Some(2));
}

#[test]
fn an_override_goes_to_standard_output_and_keeps_variables() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scan-override-stdout");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("compose.yml"), "services: {a: {image: 'redis:${REDIS_VERSION:-7}'}}\n").unwrap();
    let output = pullsafe(&root, &["--compose-override", "-", "--registry", REGISTRY]);
    assert!(
        out(&output).contains(&format!("image: \"{REGISTRY}/docker-hub/library/redis:${{REDIS_VERSION:-7}}\"")),
        "{output:?}"
    );
    assert!(!root.join("-").exists());
}

/// git runs no program that the scanned repository's configuration names.
#[cfg(unix)]
#[test]
fn only_what_changed_since_a_commit_and_nothing_of_the_repository_is_run() {
    let root = case_e("scan-since");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(&root)
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments)
            .output();
        assert!(output.as_ref().is_ok_and(|output| output.status.success()), "{output:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "before"]);
    fs::write(root.join("Dockerfile.new"), "FROM redis:8\n").unwrap();
    let mark = root.join("ran");
    let run = format!("touch {}", mark.display());
    for (name, value) in [
        ("core.fsmonitor", run.as_str()),
        ("core.pager", &run),
        ("diff.external", &run),
        ("filter.x.clean", &run),
        ("core.sshCommand", &run),
    ] {
        git(&["config", name, value]);
    }
    fs::write(root.join(".gitattributes"), "* filter=x\n").unwrap();
    let output = pullsafe(&root, &["--since", "HEAD"]);
    assert_eq!((output.status.code(), out(&output).matches("dockerhub").count()), (Some(1), 1), "{output:?}");
    assert!(!mark.exists());
    assert_eq!(pullsafe(&root, &["--since", "--output=x"]).status.code(), Some(2));
    assert_eq!(pullsafe(&root, &["--since=no-such-commit"]).status.code(), Some(2));
}

#[test]
fn wrong_usage_is_told_apart_from_a_pull() {
    let root = case_e("scan-usage");
    for (arguments, word) in [
        (["no/such/path"].as_slice(), "no/such/path"),
        (&["--fix"], "--registry"),
        (&["--fix", "--registry", "docker.io"], "Docker Hub itself"),
        (&["--fix", "--registry", "not a host"], "not a host"),
        (&["--diff", "--registry", REGISTRY, "--prefix", "Docker Hub"], "Docker Hub"),
        (&["--output", "xml"], "xml"),
        (&["--mirror-config", "--fix"], "--fix"),
    ] {
        let output = pullsafe(&root, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(word), "{arguments:?}: {error}");
    }
}

#[test]
fn annotations_and_code_scanning_point_at_the_line() {
    let root = case_e("scan-annotations");
    let text = out(&pullsafe(&root, &["--output", "github"]));
    assert!(
        text.contains(
            "::warning file=Dockerfile,line=2,col=6,title=Docker Hub pull::docker.io/library/python:3.11-slim is \
             pulled from Docker Hub\n"
        ),
        "{text}"
    );
    let sarif = json_of(&pullsafe(&root, &["--output", "sarif"]));
    let result = &sarif["runs"][0]["results"][1];
    assert_eq!(result["level"], "warning");
    assert_eq!(
        result["locations"][0]["physicalLocation"],
        json!({"artifactLocation": {"uri": "Dockerfile"}, "region": {"startLine": 2, "startColumn": 6}})
    );
    assert_eq!(result["properties"]["official"], true);
    let rules: Vec<&str> = sarif["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "{rules:?}");
}

#[test]
fn the_diff_is_what_fix_does_and_changes_nothing() {
    let root = case_e("scan-fix");
    let before = fs::read_to_string(root.join("infra/docker-compose.yml")).unwrap();
    let diff = pullsafe(&root, &["--diff", "--registry", REGISTRY]);
    assert_eq!(diff.status.code(), Some(0), "nothing would be left: {diff:?}");
    assert_eq!(fs::read_to_string(root.join("infra/docker-compose.yml")).unwrap(), before);
    let diff = out(&diff);
    let moved = format!("+    image: \"{REGISTRY}/docker-hub/library/redis:7-alpine\"\n");
    assert!(diff.contains("-    image: \"redis:7-alpine\"\n") && diff.contains(&moved), "{diff}");

    let fixed = pullsafe(&root, &["--fix", "--registry", REGISTRY]);
    assert_eq!(fixed.status.code(), Some(0), "{fixed:?}");
    assert!(
        fs::read_to_string(root.join("infra/docker-compose.yml"))
            .unwrap()
            .contains(moved.trim_start_matches('+'))
    );
    assert_eq!(pullsafe(&root, &["--strict"]).status.code(), Some(0), "clean");
    assert_eq!(out(&pullsafe(&root, &["--diff", "--registry", REGISTRY])), "", "a second time changes nothing");
}

#[test]
fn official_images_go_to_ecr_public_and_the_rest_stays_and_says_so() {
    let root = case_e("scan-public");
    let fixed = pullsafe(&root, &["--fix", "--ecr-public"]);
    assert_eq!(fixed.status.code(), Some(1), "{fixed:?}");
    assert!(
        fs::read_to_string(root.join("Dockerfile"))
            .unwrap()
            .contains("FROM public.ecr.aws/docker/library/python:3.11-slim AS base\n")
    );
    let told = String::from_utf8_lossy(&fixed.stderr).into_owned();
    assert!(
        told.contains("infra/docker-compose.yml:14: docker.io/minio/minio:latest stays: not an official image"),
        "{told}"
    );
    assert!(told.ends_with("2 images moved in 2 files, 4 left\n"), "{told}");
}

#[test]
fn an_override_leaves_the_compose_file_alone() {
    let root = case_e("scan-override");
    let before = fs::read(root.join("infra/docker-compose.yml")).unwrap();
    let output = pullsafe(
        &root,
        &["--compose-override", "infra/mirror.yml", "--registry", REGISTRY, "infra/docker-compose.yml"],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read(root.join("infra/docker-compose.yml")).unwrap(), before);
    assert!(
        fs::read_to_string(root.join("infra/mirror.yml")).unwrap().contains("  db:\n    image: "),
        "{output:?}"
    );
}

#[test]
fn the_mirror_configuration_names_every_image() {
    let output = pullsafe(&case_e("scan-config"), &["--mirror-config", "--registry", REGISTRY]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    assert!(text.starts_with(&format!("registry: {REGISTRY}\nprefix: docker-hub\nimages:\n")), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("  - ")).count(), 6, "{text}");
}

fn yaml(text: &str) -> Yaml<'_> {
    Yaml::load_from_str(text).unwrap().remove(0)
}

/// The action's scan step, run by the shell as GitHub runs it.
fn action(root: &Path, inputs: &[(&str, &str)]) -> Output {
    let text = fs::read_to_string(project().join("action.yml")).unwrap();
    let action = yaml(&text);
    let step = action["runs"]["steps"]
        .as_vec()
        .unwrap()
        .iter()
        .find(|step| step["name"].as_str() == Some("Scan"))
        .unwrap();
    assert_eq!(step["shell"].as_str(), Some("bash"));
    let mut bash = Command::new("bash");
    bash.current_dir(root)
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
    let temporary = root.with_extension("runner");
    fs::create_dir_all(&temporary).unwrap();
    bash.env("GITHUB_OUTPUT", temporary.join("output"));
    for (name, value) in step["env"].as_mapping().unwrap() {
        let value = value.as_str().unwrap();
        let from_runner = match value {
            "${{ github.action_path }}" => Some(project()),
            "${{ steps.get.outputs.program }}" => Some(env!("CARGO_BIN_EXE_pullsafe").into()),
            "${{ runner.temp }}/pullsafe" => Some(temporary.clone()),
            _ => None,
        };
        if let Some(path) = from_runner {
            bash.env(name.as_str().unwrap(), path);
            continue;
        }
        let input = value.trim_start_matches("${{ inputs.").trim_end_matches(" }}").to_owned();
        let default = action["inputs"][input.as_str()]["default"]
            .as_str()
            .unwrap_or_else(|| panic!("`{input}` is no input with a default"));
        // The table on the job's page is made by Python, which a runner has; the tests of the release cover it.
        let default = if input == "summary" { "false" } else { default };
        let given = inputs.iter().find(|(name, _)| *name == input).map_or(default, |(_, value)| *value);
        bash.env(name.as_str().unwrap(), given);
    }
    bash.output().unwrap()
}

#[test]
fn the_github_action_annotates_and_fails() {
    let root = case_e("scan-action");
    let output = action(&root, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(out(&output).starts_with("::warning file=Dockerfile,line=1,"), "{output:?}");

    let output = action(&root, &[("paths", "Dockerfile infra"), ("strict", "true"), ("sarif", "report.sarif")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let sarif: Value = serde_json::from_str(&fs::read_to_string(root.join("report.sarif")).unwrap()).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 6);

    pullsafe(&root, &["--fix", "--registry", REGISTRY]);
    let output = action(&root, &[("strict", "true"), ("sarif", "report.sarif")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let output = action(&root, &[("paths", "no/such/path"), ("sarif", "report.sarif")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_pre_commit_hooks_take_the_files_that_name_images() {
    let root = case_e("scan-hooks");
    let text = fs::read_to_string(project().join(".pre-commit-hooks.yaml")).unwrap();
    let hooks = yaml(&text);
    let hooks = hooks.as_vec().unwrap();
    assert_eq!(
        hooks.iter().map(|hook| hook["id"].as_str().unwrap()).collect::<Vec<_>>(),
        ["pullsafe-scan", "pullsafe-scan-strict"]
    );
    for hook in hooks {
        let mut words = hook["entry"].as_str().unwrap().split(' ');
        assert_eq!((words.next(), words.next()), (Some("pullsafe"), Some("scan")));
        // A file's name is never taken for an option.
        let words: Vec<&str> = words.collect();
        assert_eq!(words.last(), Some(&"--"));
        let arguments: Vec<&str> = words.into_iter().chain(["Dockerfile", "infra/docker-compose.yml"]).collect();
        let output = pullsafe(&root, &arguments);
        assert_eq!(
            (output.status.code(), out(&output).ends_with("6 from Docker Hub\n")),
            (Some(1), true),
            "{output:?}"
        );
        // The scan itself decides which files name images: a list of file names here would be a second source.
        assert!(hook.as_mapping_get("files").is_none());
        assert_eq!(
            hook["types"].as_vec().map(|types| types.iter().filter_map(|name| name.as_str()).collect()),
            Some(vec!["text"])
        );
    }
}
