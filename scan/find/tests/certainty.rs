//! A finding is certain only where it can be nothing but a pull.

use pullsafe_find::detect::scan_text;
use pullsafe_find::neighbours::NoNeighbours;

#[test]
fn what_may_be_there_without_a_pull_is_likely() {
    let workflow = |command: &str| format!("on: push\njobs:\n  a:\n    steps:\n      - run: {command}\n");
    for (path, text, certain) in [
        ("run.sh", "docker pull acme/app:1\n".to_owned(), Some(true)),
        (
            ".drone.yml",
            "kind: pipeline\nsteps: [{name: a, image: 'node:24', commands: [make]}]\n".to_owned(),
            Some(true),
        ),
        (
            "fixture.yml",
            "kind: pipeline\nsteps: [{name: a, image: 'node:24', commands: [make]}]\n".to_owned(),
            Some(false),
        ),
        ("run.sh", "docker run acme/app:1\n".to_owned(), Some(true)),
        ("run.sh", "trivy image acme/app:1\n".to_owned(), Some(false)),
        ("run.sh", "grype acme/app:1\n".to_owned(), Some(false)),
        ("run.sh", "docker build -t acme/app:1 .\ntrivy image acme/app:1\n".to_owned(), None),
        ("run.sh", "docker push acme/app:1\ndocker run acme/app:1\n".to_owned(), None),
        ("run.sh", "docker load -i x.tar\ndocker run acme/app:1\n".to_owned(), None),
        ("run.sh", "docker load -i x.tar\ndocker run alpine:3\n".to_owned(), Some(false)),
        ("run.sh", "docker load -i x.tar\ndocker pull acme/app:1\n".to_owned(), Some(true)),
        ("run.sh", "make docker-image\ndocker run acme/app:1\n".to_owned(), Some(false)),
        (".github/workflows/a.yml", workflow("./gradlew dockerBuild && docker run acme/app:1"), Some(false)),
        (".github/workflows/a.yml", workflow("./gradlew dockerBuild && docker pull acme/app:1"), Some(true)),
        (".github/workflows/a.yml", workflow("./gradlew test && docker run acme/app:1"), Some(true)),
        (
            "buildspec.yml",
            "version: 0.2\nphases: {build: {commands: ['mvn jib:dockerBuild', 'docker run acme/app:1']}}\n".to_owned(),
            Some(false),
        ),
    ] {
        let (findings, _) = scan_text(path, &text, &NoNeighbours);
        assert_eq!(findings.first().map(|finding| finding.certain), certain, "{text}");
    }
}
