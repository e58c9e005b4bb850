//! The gate against a small ECR and a small answer address: what is on the wire, and that there always is an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_ecr::config::{Credentials, Region, SharedCredentialsProvider};
use image_gate::{GateContext, ImageGate};
use pullsafe::clock::{self, Clock};
use pullsafe::manifest::OCI_INDEX;
use pullsafe::reference::Digest;
use pullsafe::settings::GateSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// A request: its request line, headers and body.
type RawRequest = (String, HashMap<String, String>, Value);

/// AWS: ECR by its operations, and the address for answers for everything else.
struct Aws {
    address: String,
    log: Arc<Mutex<Vec<RawRequest>>>,
}

impl Aws {
    /// Starts the server. `answer` gets the operation (`PUT` for an answer) and how many calls of it came before.
    async fn start(answer: impl Fn(&str, usize) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let log: Arc<Mutex<Vec<RawRequest>>> = Arc::default();
        let (shared, answer) = (Arc::clone(&log), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&shared), Arc::clone(&answer));
                tokio::spawn(async move {
                    let request = read(&mut stream).await?;
                    let operation = operation(&request);
                    let before =
                        log.lock().unwrap().iter().filter(|earlier| self::operation(earlier) == operation).count();
                    log.lock().unwrap().push(request);
                    let (status, body) = answer(&operation, before);
                    let body = body.to_string();
                    let head =
                        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                    stream.write_all(format!("{head}{body}").as_bytes()).await.ok()
                });
            }
        });
        Self { address, log }
    }

    fn count(&self, wanted: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|request| operation(request) == wanted).count()
    }

    fn answers(&self) -> Vec<RawRequest> {
        self.log.lock().unwrap().iter().filter(|request| operation(request) == "PUT").cloned().collect()
    }

    fn gate(&self) -> Arc<ImageGate> {
        self.gate_with(clock::system())
    }

    fn gate_with(&self, clock: Clock) -> Arc<ImageGate> {
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
            .endpoint_url(format!("http://{}", self.address))
            .build();
        let settings = GateContext {
            stack: GateSettings { allow_local_response_url: true, ..GateSettings::default() },
            pause: Duration::from_millis(5),
            settle_index: Duration::from_millis(5),
            settle_image: Duration::from_millis(5),
            time_to_answer: Duration::from_millis(600),
            ..GateContext::default()
        };
        Arc::new(ImageGate::new(config, settings, clock))
    }

    fn request(&self, request_type: &str, properties: Value) -> Value {
        json!({
            "RequestType": request_type, "RequestId": "r-1", "LogicalResourceId": "Image", "ResourceType": "Custom::PullsafeImage",
            "ResponseURL": format!("http://{}/arn%3Aaws%3Acloudformation/app%7CImage?X-Amz-Signature=s%2Bs", self.address),
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b", "ResourceProperties": properties,
        })
    }
}

fn operation((line, headers, _): &RawRequest) -> String {
    match headers.get("x-amz-target") {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        None => line.split(' ').next().unwrap_or_default().to_owned(),
    }
}

async fn read(stream: &mut TcpStream) -> Option<RawRequest> {
    let mut bytes = Vec::new();
    loop {
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = head_end {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
            let mut lines = head.lines();
            let line = lines.next()?.to_owned();
            let headers: HashMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap_or_default());
            if bytes.len() >= end + 4 + length {
                return Some((line, headers, serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn index() -> String {
    let child = |architecture: &str| json!({"digest": Digest::of(b""), "size": 1, "platform": {"os": "linux", "architecture": architecture}});
    json!({"manifests": [child("amd64"), child("arm64"), child("unknown")]}).to_string()
}

fn present() -> Value {
    let id = json!({"imageDigest": Digest::of(index().as_bytes()), "imageTag": "1.4.3"});
    json!({"images": [{"registryId": "111122223333", "imageId": id, "imageManifest": index(), "imageManifestMediaType": OCI_INDEX}]})
}

fn absent() -> Value {
    json!({"images": [], "failures": [{"imageId": {"imageTag": "1.4.3"}, "failureCode": "ImageNotFound", "failureReason": "not found"}]})
}

fn details() -> Value {
    json!({"imageDetails": [{
        "imageDigest": Digest::of(index().as_bytes()), "imageTags": ["1.4.2"], "imageSizeInBytes": 4711, "imagePushedAt": 1_768_506_421.0,
    }]})
}

fn properties() -> Value {
    json!({"RepositoryName": "web", "ImageTag": "1.4.3", "Platforms": "linux/arm64"})
}

fn in_seconds(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_stack_goes_on_once_the_image_is_there() {
    let aws = Aws::start(|operation, before| match (operation, before) {
        ("BatchGetImage", 0 | 1) => (200, absent()),
        ("BatchGetImage", _) => (200, present()),
        ("DescribeImages", _) => (200, details()),
        _ => (200, Value::Null),
    })
    .await;
    let outcome = aws.gate().handle(aws.request("Create", properties()), "call", in_seconds(60)).await.unwrap();
    assert_eq!(outcome, json!({"answered": true, "success": true}));
    assert_eq!(aws.count("BatchGetImage"), 3);
    let [(line, headers, body)]: [RawRequest; 1] = aws.answers().try_into().unwrap();
    assert_eq!(line, "PUT /arn%3Aaws%3Acloudformation/app%7CImage?X-Amz-Signature=s%2Bs HTTP/1.1");
    assert_eq!((headers["content-type"].as_str(), headers.contains_key("authorization")), ("", false));
    let uri = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web";
    let digest = Digest::of(index().as_bytes());
    let data = &body["Data"];
    assert_eq!(data["ImageUri"], format!("{uri}@{digest}"));
    assert_eq!(data["Platforms"], "linux/amd64,linux/arm64");
    assert_eq!((&data["SizeBytes"], &data["PushedAt"]), (&json!("4711"), &json!("2026-01-15T19:47:01Z")));
    assert_eq!((&body["Status"], &body["RequestId"]), (&json!("SUCCESS"), &json!("r-1")));
}

#[tokio::test]
async fn an_image_that_never_comes_fails_in_time_and_says_what_to_do() {
    let aws = Aws::start(|operation, _| match operation {
        "BatchGetImage" => (200, absent()),
        "DescribeImages" => (200, details()),
        _ => (200, Value::Null),
    })
    .await;
    aws.gate().handle(aws.request("Create", properties()), "call", in_seconds(1)).await.unwrap();
    let (_, _, body) = aws.answers().remove(0);
    let reason = body["Reason"].as_str().unwrap();
    for part in [
        "web:1.4.3 did not appear",
        "could not be parked: ",
        "no such image",
        "Newest tags there: 1.4.2",
        "Similar to 1.4.3: 1.4.2",
        "docker push 111122223333.dkr.ecr.eu-west-1",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(
        (&body["Status"], &body["PhysicalResourceId"]),
        (&json!("FAILED"), &json!("pullsafe-image/app/0a1b/Image"))
    );
}

#[tokio::test]
async fn a_delete_needs_nothing_of_ecr_and_keeps_the_id() {
    let aws = Aws::start(|_, _| (200, Value::Null)).await;
    let mut request = aws.request("Delete", json!({"Nonsense": 1}));
    request["PhysicalResourceId"] = json!("as-returned-before");
    aws.gate().handle(request, "call", in_seconds(60)).await.unwrap();
    assert_eq!(aws.log.lock().unwrap().len(), 1);
    let (_, _, body) = aws.answers().remove(0);
    assert_eq!((&body["Status"], &body["PhysicalResourceId"]), (&json!("SUCCESS"), &json!("as-returned-before")));
}

#[tokio::test]
async fn what_cannot_be_done_is_answered_at_once() {
    let aws = Aws::start(|operation, _| match operation {
        "BatchGetImage" => (400, json!({"__type": "InvalidParameterException", "message": "no"})),
        _ => (200, Value::Null),
    })
    .await;
    let failed = json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": aws.request("Create", properties())});
    for (event, reason) in [
        (
            aws.request("Create", json!({"RepositoryName": "web", "Tag": "1"})),
            "Tag is an unknown property. Write ImageTag",
        ),
        (aws.request("Upsert", properties()), "RequestType"),
        (aws.request("Update", properties()), "InvalidParameterException"),
        (failed, "InvalidParameterException"),
    ] {
        aws.gate().handle(event, "call", in_seconds(60)).await.unwrap();
        let (_, _, body) = aws.answers().pop().unwrap();
        assert!(body["Status"] == "FAILED" && body["Reason"].as_str().unwrap().contains(reason), "{body}");
    }
    assert_eq!(aws.answers().len(), 4);
}

#[tokio::test]
async fn an_answer_is_sent_until_it_is_taken_or_refused() {
    let passing = Aws::start(|_, before| (if before < 2 { 503 } else { 200 }, Value::Null)).await;
    passing.gate().handle(passing.request("Delete", Value::Null), "call", in_seconds(60)).await.unwrap();
    assert_eq!(passing.count("PUT"), 3);
    let failing = Aws::start(|_, _| (500, Value::Null)).await;
    let error = failing
        .gate()
        .handle(failing.request("Delete", Value::Null), "call", in_seconds(1))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("HTTP 500") && !error.to_string().contains("Signature"), "{error}");
    let refusing = Aws::start(|_, _| (403, Value::Null)).await;
    let outcome = refusing
        .gate()
        .handle(refusing.request("Delete", Value::Null), "call", in_seconds(60))
        .await
        .unwrap();
    assert!(
        outcome["reason"].as_str().unwrap().contains("HTTP 403") && !outcome.to_string().contains("Signature"),
        "{outcome}"
    );
    assert_eq!(refusing.count("PUT"), 1, "a signature that is refused stays refused");
    let event = json!({"RequestType": "Create", "ResponseURL": "https://evil.example/x?X-Amz-Signature=s"});
    let outcome = refusing.gate().handle(event, "call", in_seconds(60)).await.unwrap();
    assert_eq!(outcome["answered"], false);
}

#[tokio::test]
async fn a_panic_is_answered() {
    let aws = Aws::start(|_, _| (200, Value::Null)).await;
    let gate = aws.gate_with(Arc::new(|| panic!("a fault of the gate's own")));
    gate.handle(aws.request("Create", properties()), "call", in_seconds(60)).await.unwrap();
    let (_, _, body) = aws.answers().remove(0);
    assert!(
        body["Status"] == "FAILED" && body["Reason"].as_str().unwrap().contains("fault of its own"),
        "{body}"
    );
}

#[tokio::test]
async fn an_ecr_that_hangs_does_not_hold_the_answer_up() {
    let aws = Aws::start(|_, _| (200, Value::Null)).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ecr = Aws {
        address: silent.local_addr().unwrap().to_string(),
        log: Arc::default(),
    };
    ecr.gate().handle(aws.request("Create", properties()), "call", in_seconds(1)).await.unwrap();
    let (_, _, body) = aws.answers().remove(0);
    assert!(
        body["Status"] == "FAILED" && body["Reason"].as_str().unwrap().contains("did not answer in time"),
        "{body}"
    );
}
