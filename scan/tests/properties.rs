//! What holds for every text: rewriting twice is rewriting once, and touches nothing but the registry's part.

use pullsafe_scan::rewrite::Official;
use std::collections::BTreeMap;

use proptest::prelude::*;
use pullsafe_find::detect::scan_text;
use pullsafe_find::neighbours::Neighbours;
use pullsafe_scan::rewrite::{NewRegistry, apply, plan};

fn target() -> NewRegistry {
    NewRegistry::new(Some("123456789012.dkr.ecr.eu-west-1.amazonaws.com"), "docker-hub", Official::AsOthers).unwrap()
}

/// Lines of which many make a Dockerfile, with what tends to break parsers between them.
fn dockerfile_line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("FROM python:3.11-slim AS base".to_owned()),
        Just("FROM docker.io/library/redis:7".to_owned()),
        Just("FROM docker.io/redis".to_owned()),
        Just("from --platform=$BUILDPLATFORM ${IMAGE:-golang:1.23} as build".to_owned()),
        Just("FROM ${IMAGE}".to_owned()),
        Just("ARG IMAGE=node:22".to_owned()),
        Just("ARG REG=docker.io".to_owned()),
        Just("FROM ${REG}/acme/app".to_owned()),
        Just("FROM ${REG}/memcached".to_owned()),
        Just("COPY --from=nginx:1.27 \\".to_owned()),
        Just("  /a /b".to_owned()),
        Just("RUN --mount=type=bind,from=busybox,target=/b <<EOF".to_owned()),
        Just("EOF".to_owned()),
        Just("# syntax=docker/dockerfile:1".to_owned()),
        Just("# escape=`".to_owned()),
        "[ -~é]{0,24}",
    ]
}

fn compose_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("redis:7".to_owned()),
        Just("\"${A:-redis:7}\" # why".to_owned()),
        Just("'docker.io/acme/app'".to_owned()),
        Just("&x ${B}".to_owned()),
        Just("${NAME}:7".to_owned()),
        Just("|-\n      nginx:1".to_owned()),
        Just("!!str mysql".to_owned()),
        Just("quay.io/a/b:1".to_owned()),
        "[ -~é]{0,16}",
    ]
}

fn check(path: &str, files: &BTreeMap<String, String>) {
    let target = target();
    let text = &files[path];
    let (findings, _) = scan_text(path, text, files);
    let first = plan(&findings, &[], &target, files);
    let mut after = files.clone();
    for (file, edits) in &first.edits {
        let before = files.read(file).unwrap();
        let moved = apply(before.as_bytes(), edits);
        // Without the edits' text, and with the bytes that they replaced, the file is what it was.
        let mut back = Vec::new();
        let (mut old, mut new) = (0, 0);
        for edit in edits {
            let kept = edit.start - old;
            assert_eq!(&moved[new..new + kept], &before.as_bytes()[old..edit.start]);
            back.extend_from_slice(&moved[new..new + kept]);
            back.extend_from_slice(&before.as_bytes()[edit.start..edit.end]);
            new += kept + edit.text.len();
            old = edit.end;
        }
        back.extend_from_slice(&moved[new..]);
        assert_eq!(back, before.as_bytes());
        after.insert(file.clone(), String::from_utf8(moved).unwrap());
    }
    let (found, _) = scan_text(path, &after[path], &after);
    assert_eq!(found.len(), findings.len(), "{}", after[path]);
    assert_eq!(found.iter().filter(|finding| finding.is_docker_hub()).count(), first.left.len(), "{}", after[path]);
    let second = plan(&found, &[], &target, &after);
    assert!(second.edits.is_empty(), "a second time: {:?}\n{}", second.edits, after[path]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dockerfiles_are_rewritten_once(lines in prop::collection::vec(dockerfile_line(), 0..12), crlf in any::<bool>()) {
        let text = lines.join(if crlf { "\r\n" } else { "\n" });
        check("Dockerfile", &BTreeMap::from([("Dockerfile".to_owned(), text)]));
    }

    #[test]
    fn compose_files_are_rewritten_once(values in prop::collection::vec(compose_value(), 1..6), env in "[ -~]{0,12}") {
        let services: String = values.iter().enumerate().map(|(index, value)| format!("  s{index}:\n    image: \
            {value}\n")).collect();
        let files = BTreeMap::from([
            ("a/compose.yml".to_owned(), format!("services:\n{services}")),
            ("a/.env".to_owned(), format!("NAME=memcached\nB={env}\n")),
        ]);
        check("a/compose.yml", &files);
    }

    #[test]
    fn any_text_is_survived(text in ".{0,200}", index in 0usize..8) {
        let names = ["Dockerfile", "compose.yml", "x.json", "main.tf", "values.yaml", ".gitlab-ci.yml", "templates/a.yaml", "buildspec.yml"];
        let _ = scan_text(names[index], &text, &BTreeMap::new());
    }

    #[test]
    fn any_mapping_is_survived(keys in prop::collection::vec("(image|services|Resources|Type|Fn::Sub|Ref|containers|phases|build|[*&!]?[a-z]{1,3})", 1..20), depth in prop::collection::vec(0usize..6, 1..20)) {
        let text: String = keys.iter().zip(&depth).map(|(key, depth)| format!("{}{key}: \n", "  ".repeat(*depth))).collect();
        for name in ["compose.yml", "template.yaml", ".gitlab-ci.yml", "values.yaml"] {
            let _ = scan_text(name, &text, &BTreeMap::new());
        }
    }
}
