use super::*;

fn check(text: &str, full: &str) {
    let reference: Reference = text.parse().unwrap();
    assert_eq!(reference.to_string(), full, "{text}");
    assert_eq!(full.parse::<Reference>().unwrap(), reference, "the full form of {text} parses back");
}

#[test]
fn fills_in_what_a_short_form_leaves_out() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    check("python", "docker.io/library/python");
    let (longest, too_long) = ("a".repeat(247), "a".repeat(248));
    check(&longest, &format!("docker.io/library/{longest}"));
    assert!(
        too_long.parse::<Reference>().is_err() && format!("docker.io/library/{too_long}").parse::<Reference>().is_err()
    );
    check("python:3.11-slim", "docker.io/library/python:3.11-slim");
    check("iseepatterns/court-case-backend:latest", "docker.io/iseepatterns/court-case-backend:latest");
    check("index.docker.io/redis", "docker.io/library/redis");
    check("registry-1.docker.io/library/redis:7", "docker.io/library/redis:7");
    check("localhost/app", "localhost/app");
    check("localhost:5000/app:1", "localhost:5000/app:1");
    check("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c");
    check("[::1]:5000/a:b", "[::1]:5000/a:b");
    check(&format!("redis:7@{digest}"), &format!("docker.io/library/redis:7@{digest}"));
    check(
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app_x/a--b.c:V1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app_x/a--b.c:V1",
    );
}

#[test]
fn refuses_what_docker_refuses() {
    for (text, why) in [
        ("", "empty"),
        ("Python:3", "lower case"),
        ("python:", "a tag is"),
        ("python: 3", "a tag is"),
        ("python@sha256:short", "a digest is"),
        ("https://docker.io/python", "repository"),
        ("a//b", "a repository is"),
        ("a..b", "a repository is"),
        ("-a", "a repository is"),
        ("bad_host.example:99999/a", "host"),
    ] {
        let error = text.parse::<Reference>().unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn knows_registries_by_their_host() {
    for (text, kind) in [
        ("redis", Registry::DockerHub),
        ("public.ecr.aws/docker/library/redis", Registry::EcrPublic),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app", Registry::EcrPrivate),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app", Registry::EcrPrivate),
        ("123456789012.dkr-ecr.eu-west-1.on.aws/app", Registry::EcrPrivate),
        ("ghcr.io/a/b", Registry::Ghcr),
        ("quay.io/a/b", Registry::Quay),
        ("registry.gitlab.com/a/b", Registry::Gitlab),
        ("acme.jfrog.io/docker/a", Registry::Proxy),
        ("registry.k8s.io/pause", Registry::Other),
    ] {
        assert_eq!(text.parse::<Reference>().unwrap().kind(), kind, "{text}");
    }
}

#[test]
fn a_move_keeps_tag_and_digest_as_written() {
    let moved = |text: &str| {
        text.parse::<Reference>()
            .unwrap()
            .moved_to("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "docker-hub/library/redis")
            .unwrap()
            .to_string()
    };
    assert_eq!(moved("redis"), "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis");
    assert_eq!(moved("redis:7"), "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/redis:7");
}

#[test]
fn only_docker_hub_has_official_images() {
    assert!("redis".parse::<Reference>().unwrap().is_official());
    assert!(!"acme/redis".parse::<Reference>().unwrap().is_official());
    assert!(!"public.ecr.aws/library/redis".parse::<Reference>().unwrap().is_official());
}
