//! Every value of a property that was tried, and its answer, as a readable table.

use std::fmt::Write as _;

use scenarios::gate::GateStage;
use serde_json::{Map, Value, json};

/// A complete digest that no image has. Some values write it in capitals.
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// The values by property. The repository `web` has the tags `1`, `1.5` and `1.10`, for amd64 and arm64.
fn values() -> Vec<(&'static str, Vec<Value>)> {
    let hex = DIGEST.trim_start_matches("sha256:");
    vec![
        (
            "RepositoryName",
            vec![
                json!("web"),
                json!(" web "),
                json!("team/web"),
                json!("a.b_c-d/e0"),
                json!(format!("{REGISTRY}/web")),
                json!("123456789012.dkr.ecr.us-east-1.amazonaws.com/web"),
                json!("123456789012.dkr-ecr.eu-west-1.on.aws/web"),
                json!(7),
                json!(42),
                json!(""),
                json!(null),
                json!(true),
                json!(["web"]),
                json!({"Ref": "Repository"}),
                json!("w"),
                json!("r".repeat(257)),
                json!("Web"),
                json!("web:1"),
                json!(format!("{REGISTRY}/web:1")),
                json!(format!("web@{DIGEST}")),
                json!(format!("web:1@{DIGEST}")),
                json!("/web"),
                json!("web/"),
                json!("team//web"),
                json!("web-"),
                json!("-web"),
                json!("we--b"),
                json!("we__b"),
                json!("we b"),
                json!("wéb"),
                json!("web\u{0}"),
                json!("https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/web"),
                json!("http://localhost:5000/web"),
                json!("arn:aws:ecr:eu-west-1:123456789012:repository/team/web"),
                json!("arn:aws:s3:::bucket"),
                json!(REGISTRY),
                json!(format!("{REGISTRY}/")),
                json!("12345.dkr.ecr.eu-west-1.amazonaws.com/web"),
                json!("docker.io/library/redis"),
                json!("docker.io/redis"),
                json!("index.docker.io/library/redis"),
                json!("public.ecr.aws/docker/library/redis"),
                json!("ghcr.io/org/app"),
                json!("quay.io/org/app"),
                json!("registry.k8s.io/pause"),
                json!("mcr.microsoft.com/dotnet/runtime"),
                json!("registry.example.com:5000/web"),
                json!("localhost/web"),
                json!("my.team/web"),
                json!("${Repository}"),
                json!("{{resolve:ssm:/repository}}"),
                json!("../web"),
                json!("web?x=1"),
                json!("web#1"),
                json!("<script>"),
                json!("web\r\nweb"),
            ],
        ),
        (
            "ImageTag",
            vec![
                json!("1"),
                json!(1),
                json!(1.5),
                json!("1.5"),
                json!(1.1),
                json!("1.10"),
                json!(" 1 "),
                json!("latest"),
                json!(true),
                json!("v1.0_x-y"),
                json!("_1"),
                json!(hex),
                json!("x".repeat(128)),
                json!("1.1"),
                json!(""),
                json!(null),
                json!(["1"]),
                json!({"a": "1"}),
                json!("x".repeat(129)),
                json!(format!("1.0@{DIGEST}")),
                json!(format!("@{DIGEST}")),
                json!(format!("web:1@{DIGEST}")),
                json!("1@sha256:0"),
                json!(DIGEST),
                json!("sha256:0123"),
                json!(":1"),
                json!("web:1"),
                json!(format!("{REGISTRY}/web:1")),
                json!("feature/login"),
                json!("-1"),
                json!(".1"),
                json!("1.*"),
                json!("[0-9]+"),
                json!("^1.2"),
                json!("a b"),
                json!("1\u{0}"),
                json!("1\n"),
                json!("ünï"),
                json!("${Tag}"),
                json!("!Ref Tag"),
                json!("{{resolve:ssm:/tag}}"),
                json!("<none>"),
                json!("<!channel>"),
                json!("\u{1b}[31m1"),
                json!("1`"),
                json!("@here"),
            ],
        ),
        (
            "ImageDigest",
            vec![
                json!(DIGEST),
                json!(format!(" {DIGEST} ")),
                json!(DIGEST.to_uppercase()),
                json!(hex),
                json!(format!("web@{DIGEST}")),
                json!("sha256:0123"),
                json!("sha512:0123"),
                json!("latest"),
                json!("sha256:"),
                json!(7),
                json!([DIGEST]),
                json!("sha256:zz"),
            ],
        ),
        (
            "Platforms",
            vec![
                json!("linux/amd64"),
                json!("linux/amd64, linux/arm64"),
                json!(["linux/amd64", "linux/arm64"]),
                json!("linux/arm64/v8"),
                json!("amd64"),
                json!("arm64"),
                json!("linux/x86_64"),
                json!("X86_64"),
                json!("ARM64"),
                json!("linux/aarch64"),
                json!("armhf"),
                json!("linux/arm/v7"),
                json!("linux/s390x"),
                json!("windows/amd64"),
                json!(386),
                json!(""),
                json!([]),
                json!(null),
                json!("linux/amd65"),
                json!("linux/arm46"),
                json!("linux"),
                json!("linx/amd64"),
                json!("linux/"),
                json!("linux//amd64"),
                json!("linux/amd64/v9"),
                json!("linux/amd64 linux/arm64"),
                json!("any"),
                json!(true),
                json!({"os": "linux"}),
                json!([["linux/amd64"]]),
                json!([null]),
                json!("a/b/c/d"),
                json!("darwin/arm64"),
                json!("linux/amd64;linux/arm64"),
                json!("<!here>"),
            ],
        ),
        (
            "Source",
            vec![
                json!(""),
                json!("redis:7"),
                json!("docker.io/library/redis:1"),
                json!("https://hub.docker.com/_/redis"),
                json!("Redis"),
                json!(["redis"]),
                json!("redis:"),
                json!("localhost:5000/redis:1"),
                json!("10.0.0.1/redis:1"),
                json!("metadata.google.internal/x:1"),
                json!(format!("{REGISTRY}/web:1")),
                json!("redis:1"),
            ],
        ),
        ("Signed", vec![json!("true"), json!(false), json!("yes"), json!(1), json!({})]),
        (
            "ServiceTimeout",
            vec![
                json!("600"),
                json!(600),
                json!(600.0),
                json!(""),
                json!("1"),
                json!("3600"),
                json!("0"),
                json!("-5"),
                json!("3601"),
                json!("10m"),
                json!("1h"),
                json!("600s"),
                json!("soon"),
                json!("NaN"),
                json!("1e3"),
                json!([60]),
            ],
        ),
        ("Trigger", vec![json!("anything"), json!(20_261_121), json!(true), json!({"at": 1})]),
        ("Timeout", vec![json!("60")]),
        ("imageTag", vec![json!("1")]),
        ("Tag", vec![json!("1")]),
        ("Digest", vec![json!("x")]),
        ("NotArchived", vec![json!(true)]),
        ("Zzz", vec![json!(true)]),
    ]
}

/// The properties of a request, with this value in place of the usual one.
fn properties(property: &str, value: &Value) -> Value {
    let mut properties =
        Map::from_iter([("RepositoryName".to_owned(), json!("web")), ("ImageTag".to_owned(), json!("1"))]);
    if property == "ImageDigest" {
        properties.remove("ImageTag");
    }
    properties.insert(property.to_owned(), value.clone());
    Value::Object(properties)
}

#[tokio::test]
async fn every_value_has_its_answer() {
    let stage = GateStage::new().await;
    for tag in ["1", "1.5", "1.10"] {
        stage.push("web", tag, 1);
    }
    let (mut text, mut tried) = (String::new(), 0);
    for (property, values) in values() {
        writeln!(text, "\n{property}").unwrap();
        for value in values {
            let name = format!("value-{tried}");
            tried += 1;
            let outcome = stage.handle(&stage.request_with("Create", &name, properties(property, &value))).await;
            let answer = match stage.is_answered("Create", &name) {
                false if outcome["parked"] == true => "waits".to_owned(),
                false => panic!("{property} {value}: neither answered nor parked: {outcome}"),
                true => {
                    let answer = stage.answer("Create", &name);
                    assert!(answer.to_string().len() <= 4096);
                    match answer["Reason"].as_str() {
                        None => "goes on".to_owned(),
                        Some(reason) => {
                            let names_it = reason.contains(property) || property == "ImageDigest";
                            assert!(
                                names_it && reason.contains("Write "),
                                "{property} {value}: which property, and what to write: {reason}"
                            );
                            reason.trim_start_matches("Custom::PullsafeImage: ").to_owned()
                        }
                    }
                }
            };
            let shown: String = value.to_string().chars().take(90).collect();
            writeln!(text, "  {shown}\n      {answer}").unwrap();
        }
    }
    assert!(tried >= 120, "{tried}");
    insta::assert_snapshot!("gate_properties", text);
}
