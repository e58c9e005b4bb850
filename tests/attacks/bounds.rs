//! What a registry can do with sizes, numbers and time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pullsafe::reference::{Digest, Reference};
use pullsafe::timestamp::Timestamp;
use pullsafe_registry::http::Timeouts;
use pullsafe_registry::{Client, Config, Copier, CopyRequest};
use serde_json::{Value, json};

use super::evil::{Evil, EvilReply};

/// The most memory that the client may use. The mirror's function has 512 MB.
const MOST_MEMORY_MB: u64 = 400;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn client(evil: &Evil) -> Client {
    let config = Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)));
    let timeouts = Timeouts { small_answer: Duration::from_millis(600), ..config.timeouts };
    let endpoints = format!("registry.example={0},target.example={0}", evil.url());
    Client::new(Config {
        endpoints: endpoints.parse().unwrap(),
        attempts: 1,
        timeouts,
        ..config
    })
}

fn image() -> Reference {
    "registry.example/team/app:1".parse().unwrap()
}

pub(crate) async fn numbers() -> String {
    let mut survived = 0;
    for number in [
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "1e999",
        "9223372036854775807",
        "\"3600\"",
        "null",
        "[]",
        "0",
        "0.5",
    ] {
        let evil = Evil::start(move |asked, own| {
            if asked.line.contains("/token") {
                return EvilReply::new(200, format!(r#"{{"token":"t","expires_in":{number}}}"#));
            }
            if !asked.headers.contains_key("authorization") {
                return EvilReply::new(401, "")
                    .with("www-authenticate", format!("Bearer realm=\"http://{own}/token\",service=\"s\""));
            }
            let header = number.trim_matches('"').to_owned();
            EvilReply::new(if asked.line.starts_with("GET") { 429 } else { 200 }, "{}")
                .with("docker-content-digest", Digest::of(b"x").to_string())
                .with("ratelimit-limit", format!("{header};w={header}"))
                .with("ratelimit-remaining", format!("0;w={header}"))
                .with("retry-after", header.clone())
                .with("content-range", format!("bytes {header}-{header}/{header}"))
        });
        let client = client(&evil);
        drop(client.resolve(&image()).await);
        drop(client.manifest(&image(), &Digest::of(b"x")).await);
        // A copy also remembers the quota, and when it resets.
        let request = CopyRequest::new(image(), "target.example/team/app:1".parse().unwrap(), client.endpoints());
        drop(Copier::new(client).copy(&request).await);
        survived += 1;
    }
    // The sizes of blobs are numbers from the registry too.
    for size in [u64::MAX, u64::MAX - 1, 1 << 63] {
        let layer = json!({"mediaType": "x", "digest": Digest::of(b"a"), "size": size});
        let manifest = json!({"schemaVersion": 2, "layers": [layer.clone(), layer]}).to_string();
        let evil = Evil::start(move |_, _| {
            EvilReply::new(200, manifest.clone())
                .with("docker-content-digest", Digest::of(manifest.as_bytes()).to_string())
        });
        let client = client(&evil);
        let request = CopyRequest::new(image(), "target.example/team/app:2".parse().unwrap(), client.endpoints());
        drop(Copier::new(client).copy(&request).await);
        survived += 1;
    }
    format!("{survived} answers survived, nothing panics or sleeps")
}

pub(crate) async fn dripping() -> String {
    let evil = Evil::start(|asked, own| {
        let drip = Some(Duration::from_millis(20));
        if asked.line.contains("/token") {
            return EvilReply {
                drip,
                ..EvilReply::new(200, format!(r#"{{"token":"{}"}}"#, "t".repeat(4000)))
            };
        }
        match asked.headers.contains_key("authorization") || asked.line.contains("open") {
            true => EvilReply { drip, ..EvilReply::new(200, vec![b' '; 4000]) },
            false => EvilReply::new(401, "").with("www-authenticate", format!("Bearer realm=\"http://{own}/token\"")),
        }
    });
    let began = Instant::now();
    let client = client(&evil);
    let token = client.resolve(&image()).await.unwrap_err().to_string();
    assert!(token.contains("had not sent a short answer"), "{token}");
    let open: Reference = "registry.example/open/app:1".parse().unwrap();
    let manifest = client.manifest(&open, &Digest::of(b"x")).await.unwrap_err().to_string();
    assert!(manifest.contains("had not sent a short answer"), "{manifest}");
    let tags = client.tags(&open).await.unwrap_err().to_string();
    assert!(tags.contains("had not sent a short answer"), "{tags}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    "each given up after its time, and it says so".to_owned()
}

pub(crate) async fn laughs() -> String {
    // Four levels of indexes, each naming the next a thousand times: 10^12 manifests in a few hundred kB.
    let config =
        json!({"schemaVersion": 2, "config": {"digest": Digest::of(b"c"), "size": 1}, "layers": []}).to_string();
    let mut levels = vec![config];
    for level in 0..3 {
        let below = levels.last().unwrap();
        let child =
            |n: usize| json!({"digest": Digest::of(below.as_bytes()), "size": below.len(), "annotations": {"n": n}});
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "level": level, "manifests": (0..900).map(child).collect::<Vec<Value>>()});
        levels.push(index.to_string());
    }
    let top = Digest::of(levels.last().unwrap().as_bytes());
    let evil = Evil::start(move |asked, _| {
        let named = levels.iter().find(|level| asked.line.contains(Digest::of(level.as_bytes()).as_str()));
        match (asked.line.contains("target") || !asked.line.contains("/team/"), named) {
            (_, Some(level)) if asked.line.starts_with("GET") => {
                EvilReply::new(200, level.clone()).with("content-type", INDEX)
            }
            _ if asked.line.starts_with("HEAD /v2/team/app/manifests/1") => {
                EvilReply::new(200, "").with("docker-content-digest", top.to_string())
            }
            _ => EvilReply::new(404, "{}"),
        }
    });
    let client = client(&evil);
    let began = Instant::now();
    let request = CopyRequest::new(image(), "target.example/copy/app:1".parse().unwrap(), client.endpoints());
    let error = Copier::new(client).copy(&request).await.unwrap_err();
    assert!(evil.asked().len() < 3000, "{} requests", evil.asked().len());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let _ = error;
    format!("{} requests, then an error", evil.asked().len())
}

/// The most memory that this process has used so far, in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// The variable that tells the other process where the attacker listens.
const ATTACKER: &str = "PULLSAFE_TEST_ATTACKER";

/// The client's side of [`memory`]. It runs in a process of its own so that only the client's memory is measured.
/// Without [`ATTACKER`] in its environment this test does nothing.
#[tokio::test]
async fn the_client_of_the_largest_answers() {
    let Ok(attacker) = std::env::var(ATTACKER) else { return };
    let config = Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)));
    let endpoints = format!("registry.example={attacker},target.example={attacker}");
    let client = Client::new(Config { endpoints: endpoints.parse().unwrap(), attempts: 1, ..config });
    let request = CopyRequest::new(image(), "target.example/copy/app:1".parse().unwrap(), client.endpoints());
    let error = Copier::new(client.clone()).copy(&request).await.unwrap_err().to_string();
    assert!(error.contains("more than 16777216 bytes together"), "{error}");
    let manifests = peak_mb();
    let error = client.tags(&image()).await.unwrap_err().to_string();
    assert!(error.contains("more than 50000 tags"), "{error}");
    // A manifest of few bytes and very many values.
    let many = format!("{{\"manifests\":[],\"x\":[{}0]}}", "[],".repeat(1_300_000));
    assert!(
        pullsafe::manifest::Contents::parse(many.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("more than 100000 values")
    );
    println!("peak: {manifests} {}", peak_mb());
}

pub(crate) async fn memory() -> String {
    /// Just below the largest size that a registry may send. The manifest is full of what takes the most memory to
    /// parse.
    const MANIFEST: usize = 4 * 1024 * 1024 - 64;
    let body = |number: usize| {
        let mut body =
            format!("{{\"schemaVersion\":2,\"n\":{number},\"layers\":[],\"config\":null,\"x\":[").into_bytes();
        body.resize(MANIFEST - 3, b' ');
        body.extend_from_slice(b"0]}");
        body
    };
    let children: Vec<Value> =
        (0..120).map(|number| json!({"digest": Digest::of(&body(number)), "size": MANIFEST})).collect();
    let digests: Vec<String> = children.iter().map(|child| child["digest"].as_str().unwrap().to_owned()).collect();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).to_string();
    let top = Digest::of(index.as_bytes());
    let evil = Evil::start(move |asked, _| {
        if asked.line.starts_with("PUT") {
            return EvilReply::new(201, "");
        }
        if asked.line.contains("/tags/list") {
            let from = asked
                .line
                .split("last=")
                .nth(1)
                .and_then(|rest| rest.split('&').next()?.parse::<u32>().ok())
                .unwrap_or(0);
            let tags: Vec<String> = (0..1000).map(|n| format!("{:0>110}", from * 1000 + n)).collect();
            let next = format!("</v2/team/app/tags/list?last={}&n=1000>; rel=\"next\"", from + 1);
            return EvilReply::new(200, json!({"name": "team/app", "tags": tags}).to_string()).with("link", next);
        }
        if asked.line.starts_with("HEAD /v2/team/app/manifests/1") {
            return EvilReply::new(200, "").with("docker-content-digest", top.to_string());
        }
        if asked.line.starts_with("GET /v2/team/app/manifests") {
            if asked.line.contains(top.as_str()) {
                return EvilReply::new(200, index.clone()).with("content-type", INDEX);
            }
            if let Some(number) = digests.iter().position(|digest| asked.line.contains(digest)) {
                return EvilReply::new(200, body(number))
                    .with("content-type", "application/vnd.oci.image.manifest.v1+json");
            }
        }
        EvilReply::new(404, "{}")
    });
    let mut client = std::process::Command::new(std::env::current_exe().unwrap());
    client
        .args(["attacks::bounds::the_client_of_the_largest_answers", "--exact", "--nocapture"])
        .env(ATTACKER, evil.url());
    let output = client.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let peak = told.lines().find_map(|line| line.split_once("peak: ")).map(|(_, peak)| peak).unwrap_or_default();
    let peaks: Vec<u64> = peak.split(' ').filter_map(|mb| mb.parse().ok()).collect();
    assert!(peaks.len() == 2 && peaks.iter().all(|mb| *mb < MOST_MEMORY_MB), "{told}");
    format!("errors that say which budget; {} MB for the manifests, {} MB with the tags", peaks[0], peaks[1])
}
