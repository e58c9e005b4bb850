//! The parsers of foreign text, each as a function of bytes that panics when the parser breaks a promise.
//!
//! `cargo fuzz run NAME` feeds one of them for as long as you like. `cargo test -p scenarios fuzz` feeds each of them a
//! bounded number of inputs, made from the seeds in this file. A parser that is not in [`TARGETS`] is not fuzzed.

use std::collections::BTreeMap;
use std::path::Path;

use image_gate::decide::properties::Properties;
use image_gate::decide::request::Envelope;
use mirror::decide::MirrorConfig;
use pullsafe::foreign;
use pullsafe::manifest::{Contents, Platform, platform_of_config};
use pullsafe::mirror_job::MirrorJob;
use pullsafe::platforms::{choose, taken_from};
use pullsafe::reference::{Digest, HostKind, Reference, Region, ecr_host, kind_of_host, row_of};
use pullsafe::timestamp::Timestamp;
use pullsafe_diagnosis::{diagnose_log, diagnose_text};
use pullsafe_events as event;
use pullsafe_events::stopped_task::StoppedTask;
use pullsafe_events::task_definition::TaskDefinition;
use pullsafe_find::detect::scan_text;
use pullsafe_find::neighbours::NoNeighbours;
use pullsafe_registry::decide::throttle::retry_after;
use pullsafe_registry::parsers;
use pullsafe_registry::sign_in::docker_config::DockerConfig;
use pullsafe_yaml::Tree;
use remediator_decide::log::place::{LogPlace, of_build, of_container};
use serde_json::Value;

/// A parser, and the texts that its inputs are made from.
#[derive(Debug)]
pub struct Target {
    /// The name of its fuzz program.
    pub name: &'static str,
    /// Runs the parser on these bytes and panics if it breaks a promise.
    pub run: fn(&[u8]),
    /// Texts that the parser accepts. Fuzzing starts from them.
    pub seeds: &'static [&'static str],
}

pub const TARGETS: &[Target] = &[
    Target {
        name: "references",
        run: references,
        seeds: &[
            "python:3.11-slim",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b:1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "[::1]:5000/a",
            "localhost/x",
        ],
    },
    Target {
        name: "hosts",
        run: hosts,
        seeds: &[
            "127.0.0.1:80",
            "[::ffff:127.0.0.1]",
            "eu-west-1",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "x.localhost.",
        ],
    },
    Target {
        name: "events",
        run: events,
        seeds: &[
            r#"{"source":"aws.ecs","detail-type":"ECS Task State Change","time":"2026-01-15T19:47:00Z","detail":{"lastStatus":"STOPPED","taskArn":"arn:aws:ecs:eu-west-1:123456789012:task/prod/abc","group":"service:web","containers":[{"name":"app","exitCode":1,"reason":"CannotPullContainerError: x"}]}}"#,
            r#"{"source":"aws.ecr","detail-type":"ECR Image Action","detail":{"result":"SUCCESS","repository-name":"a","image-tag":"1"}}"#,
            r#"{"source":"pullsafe","detail-type":"Image Mirrored","detail":{"source":"python:3","target":"r.example/python:3"}}"#,
            r#"{"pullsafe":"look","subject":{}}"#,
        ],
    },
    Target {
        name: "task_definitions",
        run: task_definitions,
        seeds: &[
            r#"{"taskDefinition":{"containerDefinitions":[{"name":"app","image":"python:3","logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"eu-west-1","awslogs-stream-prefix":"p"}}}],"runtimePlatform":{"cpuArchitecture":"ARM64"}}}"#,
        ],
    },
    Target {
        name: "challenges",
        run: challenges,
        seeds: &[
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/redis:pull""#,
            "Basic realm=\"x\"",
            "/v2/a/blobs/uploads/1?_state=x",
            "60",
            "100;w=21600",
        ],
    },
    Target {
        name: "manifests",
        run: manifests,
        seeds: &[
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1,"platform":{"os":"linux","architecture":"amd64"}}]}"#,
            r#"{"config":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1},"layers":[]}"#,
        ],
    },
    Target {
        name: "tag_lists",
        run: tag_lists,
        seeds: &[
            r#"{"name":"a","tags":["1","2"]}"#,
            r#"{"next":null,"results":[{"name":"3","tag_last_pushed":"2026-01-02T03:04:05Z","images":[{"os":"linux","architecture":"arm64","digest":"sha256:x"}]}]}"#,
            "</v2/a/tags/list?last=1>; rel=\"next\"",
        ],
    },
    Target {
        name: "docker_configs",
        run: docker_configs,
        seeds: &[
            r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw","identitytoken":"t"}},"credsStore":"x","credHelpers":{"a":"b"}}"#,
        ],
    },
    Target {
        name: "yaml",
        run: yaml,
        seeds: &[
            "registry: r.example\nimages:\n- python: ['3', \"4\"]\n- \
             {source: node, tags: {semver: '>=1 <2', newest: 3}}\n",
            "a: &x [1]\nb: *x\n<<: {c: d}\n",
            "? a\n: |\n  b\n",
        ],
    },
    Target {
        name: "dockerfiles",
        run: dockerfiles,
        seeds: &[
            "ARG V=3\nFROM --platform=$BUILDPLATFORM python:${V}-slim AS build\nCOPY --from=node:20 /a /b\nRUN \
             <<EOF\nx\nEOF\n",
            "# syntax=docker/dockerfile:1\n# escape=`\nFROM a\n",
        ],
    },
    Target {
        name: "hcl",
        run: hcl,
        seeds: &["variable \"image\" {\n  default = \"redis:7\"\n}\nresource \"aws_ecs_task_definition\" \"x\" \
             {\n  container_definitions = jsonencode([{ image = var.image }])\n}\n"],
    },
    Target {
        name: "workflows",
        run: workflows,
        seeds: &[
            "jobs:\n  a:\n    container: python:3\n    steps:\n    - run: docker run -v x:y redis:7 && docker pull \
             \"$IMAGE\"\n    - uses: docker://alpine:3\n",
            "services:\n  web:\n    image: ${IMAGE:-nginx:1}\n    build: {context: ., dockerfile: D}\n",
        ],
    },
    Target {
        name: "gate_requests",
        run: gate_requests,
        seeds: &[
            r#"{"RequestType":"Create","ResponseURL":"https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/x","StackId":"arn:aws:cloudformation:eu-west-1:123456789012:stack/a/b","RequestId":"r","LogicalResourceId":"I","ResourceProperties":{"RepositoryName":"a/b","ImageTag":"1","Platforms":["linux/arm64"],"Source":"redis:7","ServiceTimeout":"60"}}"#,
        ],
    },
    Target {
        name: "log_lines",
        run: log_lines,
        seeds: &[
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref \
             docker.io/library/python:3: toomanyrequests: You have reached your unauthenticated pull rate limit.",
            "Traceback (most recent call last):\nModuleNotFoundError: No module named 'x'\npassword=hunter2 \
             Authorization: Bearer abc",
        ],
    },
    Target {
        name: "jobs",
        run: jobs,
        seeds: &[
            r#"{"source":"python:3","target":"123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/python:3","requested_by":"me","platforms":["linux/arm64"]}"#,
        ],
    },
    Target {
        name: "shown",
        run: shown,
        seeds: &[
            "\u{1b}]0;x\u{7}\n::error::x\n##[group]",
            "<!channel> <https://a|b> @here",
            "| a ` b [x](http://e) <script>",
        ],
    },
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::from(text(bytes)))
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_768_506_420_000)
}

fn references(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse::<Reference>().as_ref(), Ok(&reference), "{text:?}");
        assert!(!reference.repository().contains("..") && !reference.repository().contains("//"), "{text:?}");
        assert!(reference.to_string().bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
        let pinned = reference.pinned_to(Digest::of(b"x"));
        assert_eq!(pinned.repository(), reference.repository());
    }
    let _ = text.parse::<Digest>();
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse::<Platform>().as_ref(), Ok(&platform), "{text:?}");
    }
}

fn hosts(bytes: &[u8]) {
    let text = text(bytes);
    let _ = row_of(&text);
    if let Ok(region) = text.parse::<Region>() {
        assert!(
            region
                .as_str()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
            "{text:?}"
        );
    }
    if let Some(host) = ecr_host(&text) {
        assert!(Region::is_valid(host.region) && host.account.len() == 12, "{text:?}");
    }
    // An address that resolvers take for this machine never counts as a host of the internet.
    if let Ok(address) = text.parse::<std::net::IpAddr>()
        && (address.is_loopback() || address.is_unspecified())
    {
        assert_ne!(kind_of_host(&text), HostKind::Public, "{text:?}");
    }
    let _ = kind_of_host(&text);
}

fn events(bytes: &[u8]) {
    let payload = json(bytes);
    let _ = event::parse(&payload, now());
    let _ = event::records(&payload);
}

fn task_definitions(bytes: &[u8]) {
    let value = json(bytes);
    let task = StoppedTask::from_json(value.get("detail").unwrap_or(&value));
    let _ = of_build(&value);
    let Some(definition) = TaskDefinition::from_json(&value) else {
        return;
    };
    let images = definition.images();
    let _ = definition.clone_request(&[("python:3".to_owned(), "r.example/python:3".to_owned())]);
    assert!(images.len() <= 10_000);
    if let LogPlace::Stream(stream) = of_container(&definition, &task, "app") {
        assert!(stream.region.is_none_or(|region| Region::is_valid(region.as_str())));
    }
}

fn challenges(bytes: &[u8]) {
    let text = text(bytes);
    assert!(parsers::realm(&text).is_none_or(|realm| !realm.is_empty() && realm.len() <= 2048));
    let _ = parsers::location("https://registry.example/v2/a/blobs/uploads/", &text);
    assert!(retry_after(&text, now()).is_none_or(|wait| wait.as_secs() <= 7 * 86_400));
    if let Some(quota) = parsers::quota(&text) {
        assert!(quota.limit <= 1_000_000_000 && quota.window_seconds > 0);
    }
}

fn manifests(bytes: &[u8]) {
    if let Ok(contents) = Contents::parse(bytes) {
        let total: u64 = contents.blobs().iter().map(|blob| blob.size).sum();
        assert!(total <= 1001 << 40);
        let _ = contents.platforms();
    }
    let wanted: Vec<Platform> = ["linux/amd64", "linux/arm64"].iter().filter_map(|text| text.parse().ok()).collect();
    let _ = choose(bytes, &wanted);
    let _ = (taken_from(bytes), platform_of_config(bytes));
}

fn tag_lists(bytes: &[u8]) {
    assert!(parsers::tags(bytes).is_none_or(|count| count <= 50_000));
    if let Some(next) = parsers::next_page(&text(bytes), "a/tags/list?n=1000") {
        assert!(next.starts_with("a/tags/list"), "{next}");
    }
}

fn docker_configs(bytes: &[u8]) {
    match DockerConfig::parse(Path::new("config.json"), bytes) {
        Ok(config) => {
            let _ = config.knows("docker.io");
            let shown = format!("{config:?}");
            assert!(!shown.contains("auth"), "{shown}");
        }
        Err(error) => assert!(error.to_string().len() < 200, "the text of an error holds nothing of the file"),
    }
}

fn yaml(bytes: &[u8]) {
    let text = text(bytes);
    let _ = MirrorConfig::parse(&text);
    let (tree, _) = Tree::read(text.as_str());
    let _ = tree.documents().count();
}

fn scanned(path: &str, bytes: &[u8]) {
    let text = text(bytes);
    let (findings, _) = scan_text(path, &text, &NoNeighbours);
    for finding in findings {
        assert!(
            finding.line >= 1 && finding.line <= text.lines().count().max(1) + 1,
            "{path}: line {}",
            finding.line
        );
    }
}

fn dockerfiles(bytes: &[u8]) {
    scanned("Dockerfile", bytes);
}

fn hcl(bytes: &[u8]) {
    scanned("main.tf", bytes);
}

fn workflows(bytes: &[u8]) {
    for path in [
        ".github/workflows/x.yml",
        "compose.yaml",
        ".gitlab-ci.yml",
        "buildspec.yml",
        "k8s.yaml",
        "template.yaml",
        "x.sh",
        "values.yaml",
    ] {
        scanned(path, bytes);
    }
}

fn gate_requests(bytes: &[u8]) {
    let event = json(bytes);
    for envelope in Envelope::find(&event) {
        let _ = Properties::parse(&envelope.properties);
        let shown = format!("{envelope:?}");
        assert!(!shown.contains("X-Amz-Signature"), "a response URL does not show");
    }
    if let Ok(properties) = Properties::parse(&event) {
        assert!((1..=3600).contains(&properties.timeout_seconds));
    }
}

fn log_lines(bytes: &[u8]) {
    let text = text(bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let _ = diagnose_log("fuzz", &lines);
    let _ = diagnose_text(&text, Some("python:3"), "fuzz");
    let _: BTreeMap<String, Vec<String>> = BTreeMap::new();
}

fn jobs(bytes: &[u8]) {
    if let Ok(job) = serde_json::from_slice::<MirrorJob>(bytes) {
        let again = serde_json::to_value(&job).and_then(serde_json::from_value::<MirrorJob>);
        assert_eq!(again.ok().as_ref(), Some(&job), "what is written is what is read");
    }
}

fn shown(bytes: &[u8]) {
    let text = text(bytes);
    let control =
        |text: &str| text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t'));
    for (surface, shown) in [
        ("terminal", foreign::terminal(&text).into_owned()),
        ("line", foreign::line(&text)),
        ("github", foreign::ci_log(&text)),
        ("chat", foreign::chat(&text)),
        ("html", foreign::html(&text)),
        ("markdown", foreign::markdown(&text)),
    ] {
        assert!(!control(&shown), "{surface}: {shown:?}");
    }
    assert!(!foreign::line(&text).contains('\n') && foreign::line(&text).chars().count() <= 1006);
    assert!(!foreign::ci_log(&text).lines().any(|line| line.trim_start().starts_with("::")));
    assert!(!foreign::chat(&text).contains(['<', '>']) && !foreign::html(&text).contains(['<', '>', '"']));
}
