//! The mirror's flow over the wire: queue in, repository, copy, announcement, and what goes back to the queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_ecr::config::{Credentials, Region, SharedCredentialsProvider};
use mirror::MirrorFunction;
use pullsafe::clock;
use pullsafe::reference::Digest;
use pullsafe::settings::MirrorSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
/// An artifact without blobs: the copy engine has its own tests.
const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}"#;

/// AWS, Docker Hub and the ECR registry behind one address, with what they were asked: operation and body.
struct World {
    address: String,
    log: Arc<Mutex<Vec<(String, Value)>>>,
}

impl World {
    /// `special` answers first, given the operation (`HEAD /v2/...` or an AWS operation); otherwise the target is empty
    /// and everything works.
    async fn start(special: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let log: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (shared, special) = (Arc::clone(&log), Arc::new(special));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, special) = (Arc::clone(&shared), Arc::clone(&special));
                tokio::spawn(async move {
                    let (operation, body) = read(&mut stream).await?;
                    log.lock().unwrap().push((operation.clone(), body));
                    let (status, body) = special(&operation).unwrap_or_else(|| usual(&operation));
                    let digest = Digest::of(MANIFEST.as_bytes());
                    let headers = format!(
                        "docker-content-digest: {digest}\r\nconnection: close\r\ncontent-length: {}",
                        body.len()
                    );
                    let body = if operation.starts_with("HEAD") { String::new() } else { body };
                    stream.write_all(format!("HTTP/1.1 {status} X\r\n{headers}\r\n\r\n{body}").as_bytes()).await.ok()
                });
            }
        });
        Self { address, log }
    }

    fn mirror(&self) -> MirrorFunction {
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
            .endpoint_url(format!("http://{}", self.address))
            .build();
        let endpoints = format!("docker.io=http://{0},{ECR}=http://{0}", self.address);
        let queue_url = Some(format!("http://{}/jobs", self.address));
        let settings = MirrorSettings {
            queue_url,
            event_bus: "events".to_owned(),
            registry: Some(ECR.to_owned()),
            ..MirrorSettings::default()
        };
        MirrorFunction::new(settings, config, endpoints.parse().unwrap(), clock::system())
    }

    fn asked(&self, operation: &str) -> Vec<Value> {
        self.log
            .lock()
            .unwrap()
            .iter()
            .filter(|(asked, _)| asked.starts_with(operation))
            .map(|(_, body)| body.clone())
            .collect()
    }
}

fn usual(operation: &str) -> (u16, String) {
    let answer = |status, body: Value| (status, body.to_string());
    match operation {
        "DescribeRepositories" => answer(400, json!({"__type": "RepositoryNotFoundException", "message": "none"})),
        "CreateRepository" => answer(200, json!({"repository": {}})),
        "GetAuthorizationToken" => answer(
            200,
            json!({"authorizationData": [{"authorizationToken": "QVdTOmh1bnRlcjI=", "expiresAt": 4_000_000_000_u32}]}),
        ),
        "ChangeMessageVisibility" => answer(200, json!({})),
        "PutEvents" => answer(200, json!({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]})),
        _ if operation.starts_with("PUT") => (201, String::new()),
        _ if operation.contains("/v2/library/") => (200, MANIFEST.to_owned()),
        _ => (404, String::new()),
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
            let mut lines = head.lines();
            let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
            let headers: HashMap<String, &str> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
                .collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap_or_default());
            if bytes.len() >= end + 4 + length {
                let operation =
                    headers.get("x-amz-target").and_then(|target| target.rsplit('.').next()).map(str::to_owned);
                return Some((
                    operation.unwrap_or(line),
                    serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default(),
                ));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn job(id: &str, source: &str) -> Value {
    let target = format!("{ECR}/docker-hub/library/{source}");
    let body = json!({"source": source, "target": target, "requested_by": "arn:aws:ecs:eu-west-1:123456789012:service/c/s", "later": true});
    let attributes = json!({"ApproximateReceiveCount": "2"});
    json!({"messageId": id, "receiptHandle": format!("handle of {id}"), "attributes": attributes, "eventSource": "aws:sqs", "body": body.to_string()})
}

fn in_seconds(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_job_creates_the_repository_copies_and_is_announced() {
    let world = World::start(|_| None).await;
    let answer = world
        .mirror()
        .handle(&json!({"Records": [job("a", "redis:7"), job("b", "node:22")]}), in_seconds(60))
        .await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let created = world.asked("CreateRepository");
    assert_eq!(created[0], json!({"registryId": "123456789012", "repositoryName": "docker-hub/library/redis"}));
    assert_eq!(world.asked("PUT /v2/docker-hub/library/redis/manifests/7").len(), 1);
    assert_eq!(world.asked("GetAuthorizationToken").len(), 1, "one password for the batch");
    let events = world.asked("PutEvents");
    let entry = &events[0]["Entries"][0];
    assert_eq!((&entry["Source"], &entry["DetailType"]), (&json!("pullsafe"), &json!("Image Mirrored")));
    assert_eq!(entry["EventBusName"], "events");
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    let expected = json!({
        "source": "docker.io/library/redis:7", "target": format!("{ECR}/docker-hub/library/redis:7"),
        "digest": Digest::of(MANIFEST.as_bytes()), "platforms": [],
        "requested_by": "arn:aws:ecs:eu-west-1:123456789012:service/c/s", "bytes_copied": 0, "up_to_date": false,
    });
    assert_eq!(detail, expected);
}

#[tokio::test]
async fn a_current_image_is_announced_too() {
    let world = World::start(|operation| operation.starts_with("HEAD").then(|| (200, MANIFEST.to_owned()))).await;
    world.mirror().handle(&json!({"Records": [job("a", "redis:7")]}), in_seconds(60)).await;
    assert!(world.asked("PUT").is_empty());
    let detail: Value =
        serde_json::from_str(world.asked("PutEvents")[0]["Entries"][0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["up_to_date"], true);
}

#[tokio::test]
async fn only_what_repetition_can_cure_comes_again() {
    let immutable =
        r#"{"errors":[{"code":"TAG_INVALID","message":"cannot be overwritten because the tag is immutable"}]}"#;
    let world = World::start(move |operation| match operation {
        "PUT /v2/docker-hub/library/frozen/manifests/1" => Some((400, immutable.to_owned())),
        "HEAD /v2/library/gone/manifests/1" => Some((404, String::new())),
        "HEAD /v2/library/limited/manifests/1" => Some((401, String::new())),
        _ => None,
    })
    .await;
    let bad = json!({"messageId": "bad", "body": "hello"});
    let records = [
        bad,
        job("frozen", "frozen:1"),
        job("gone", "gone:1"),
        job("limited", "limited:1"),
        job("good", "redis:7"),
    ];
    let answer = world.mirror().handle(&json!({"Records": records}), in_seconds(60)).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "limited"}]}));
    assert_eq!(world.asked("PutEvents").len(), 1, "only the copy that succeeded is announced");
    let hidden = world.asked("ChangeMessageVisibility");
    let queue = format!("http://{}/jobs", world.address);
    let hide = |id: &str, seconds: u32| json!({"QueueUrl": queue, "ReceiptHandle": format!("handle of {id}"), "VisibilityTimeout": seconds});
    // While it is worked on a job stays hidden for two minutes at a time, so that a process that dies does not hold it
    // up.
    let expected =
        [hide("frozen", 120), hide("gone", 120), hide("limited", 120), hide("limited", 60), hide("good", 120)];
    assert_eq!(hidden, expected, "what comes again comes soon");
}

#[tokio::test]
async fn a_queue_that_refuses_the_pause_changes_nothing() {
    let refused = json!({"__type": "com.amazonaws.sqs#ReceiptHandleIsInvalid", "message": "expired"}).to_string();
    let world = World::start(move |operation| match operation {
        "HEAD /v2/library/limited/manifests/1" => Some((401, String::new())),
        "ChangeMessageVisibility" => Some((400, refused.clone())),
        _ => None,
    })
    .await;
    let answer = world
        .mirror()
        .handle(&json!({"Records": [job("limited", "limited:1"), job("good", "redis:7")]}), in_seconds(60))
        .await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "limited"}]}));
    assert_eq!(world.asked("PutEvents").len(), 1);
}

#[tokio::test]
async fn a_target_without_a_tag_is_stored_as_latest_or_under_its_digest() {
    let world = World::start(|_| None).await;
    let digest = Digest::of(MANIFEST.as_bytes());
    let repository = format!("{ECR}/docker-hub/library/redis");
    let record = |source: &str, target: String| json!({"messageId": "a", "body": json!({"source": source, "target": target}).to_string()});
    let records = [
        record("redis", repository.clone()),
        record(&format!("redis@{digest}"), format!("{repository}@{digest}")),
    ];
    let answer = world.mirror().handle(&json!({"Records": records}), in_seconds(60)).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(world.asked("PUT /v2/docker-hub/library/redis/manifests/latest").len(), 1);
    assert_eq!(world.asked(&format!("PUT /v2/docker-hub/library/redis/manifests/{digest}")).len(), 1);
    let targets = world
        .asked("PutEvents")
        .iter()
        .map(|event| {
            let detail: Value = serde_json::from_str(event["Entries"][0]["Detail"].as_str().unwrap()).unwrap();
            detail["target"].clone()
        })
        .collect::<Vec<_>>();
    assert_eq!(targets, [json!(repository), json!(format!("{repository}@{digest}"))]);
}

#[tokio::test]
async fn an_announcement_that_fails_brings_the_job_back() {
    let world = World::start(|operation| {
        (operation == "PutEvents")
            .then(|| (200, json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Throttled"}]}).to_string()))
    })
    .await;
    let answer = world.mirror().handle(&json!({"Records": [job("a", "redis:7")]}), in_seconds(60)).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "a"}]}));
}

#[tokio::test]
async fn no_job_is_taken_without_the_time_for_it() {
    let world = World::start(|_| None).await;
    let answer = world.mirror().handle(&json!({"Records": [job("a", "redis:7")]}), in_seconds(10)).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "a"}]}));
    assert!(world.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_schedule_without_a_selection_does_nothing_and_says_so() {
    let world = World::start(|_| None).await;
    let answer = world
        .mirror()
        .handle(&json!({"source": "aws.events", "detail-type": "Scheduled Event"}), in_seconds(60))
        .await;
    assert_eq!(answer, json!({"planned": 0, "reason": "no selection configured"}));
    let answer = world.mirror().handle(&json!("hello"), in_seconds(60)).await;
    assert_eq!(answer["planned"], 0);
    assert!(world.log.lock().unwrap().is_empty());
}
