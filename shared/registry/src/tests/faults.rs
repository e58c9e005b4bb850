//! Plays every fault that a source or a target can have to a copy, and checks its outcome and what is sent twice.
//!
//! `UPDATE_DOCS=1 cargo test -p pullsafe-registry faults` writes the table of `docs/mirror-faults.md` from the
//! outcomes.

use super::server::Uploads;
use super::*;

const TARGET: &str = "docker-hub/library/redis";
const LAYER: usize = 12_000_000;

/// Publishes an image with one large layer, which is where the faults occur; returns the layer.
fn publish_large(server: &Server) -> (Digest, Vec<u8>) {
    let layer: Vec<u8> = (0..LAYER).map(|n| u8::try_from((n / 7 + n / 4099) % 251).unwrap()).collect();
    let config = br#"{"os": "linux", "architecture": "amd64"}"#;
    let blob = |content: &[u8]| json!({"mediaType": "x", "digest": server.put_blob(REPOSITORY, content), "size": content.len()});
    let manifest =
        json!({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": blob(config), "layers": [blob(&layer)]})
            .to_string();
    server.put_manifest(REPOSITORY, "7", DOCKER_MANIFEST, manifest.as_bytes());
    (Digest::of(&layer), layer)
}

fn is_layer(request: &Request, layer: &Digest) -> bool {
    request.method == "GET" && request.path.ends_with(layer.as_str())
}

fn whole(layer: &[u8]) -> Reply {
    Reply::new(200, layer.to_vec())
}

struct Played {
    result: Result<CopyReport, RegistryError>,
    hub: Server,
    other: Server,
    target: Server,
    layer: Digest,
}

impl Played {
    /// Whether the target has the image exactly as the source has it, under its tag.
    fn is_complete(&self) -> bool {
        let (source, target) = (self.hub.store.lock().unwrap(), self.target.store.lock().unwrap());
        let blobs = source
            .blobs
            .iter()
            .all(|((_, digest), content)| target.blobs.get(&(TARGET.to_owned(), digest.clone())) == Some(content));
        let tag = (TARGET.to_owned(), "7".to_owned());
        blobs
            && target.manifests.get(&tag).map(|(_, bytes)| bytes)
                == source.manifests.get(&(REPOSITORY.to_owned(), "7".to_owned())).map(|(_, bytes)| bytes)
    }

    /// Whether the target shows nothing incomplete.
    fn is_clean(&self) -> bool {
        let target = self.target.store.lock().unwrap();
        target.manifests.is_empty() && target.blobs.iter().all(|((_, digest), content)| Digest::of(content) == *digest)
    }

    fn again(&self) -> u64 {
        self.result.as_ref().map_or(0, |report| report.bytes_sent_again)
    }
}

/// A fault of a source: how it answers a request for this blob, or `None` to answer correctly.
type Answering = fn(&Request, &Digest, &[u8]) -> Option<Reply>;

/// Copies from a hub with a fault (and, if `other` gives one, an alternate that has everything) to a target with a
/// fault.
async fn play(
    hub: impl Fn(&Request, usize, &Digest, &[u8]) -> Option<Reply> + Send + Sync + 'static,
    other: Option<Answering>,
    target: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static,
    uploads: Uploads,
) -> Played {
    let blank = Server::good().await;
    let (layer, bytes) = publish_large(&blank);
    let (hub_layer, hub_bytes, other_layer, other_bytes) = (layer.clone(), bytes.clone(), layer.clone(), bytes);
    let hub = Server::start(move |request, before| hub(request, before, &hub_layer, &hub_bytes)).await;
    let other_server =
        Server::start(move |request, _| other.and_then(|fault| fault(request, &other_layer, &other_bytes))).await;
    let target = Server::start_with(target, uploads).await;
    publish_large(&hub);
    let alternate = "public.ecr.aws/docker/library/redis".parse::<Reference>().unwrap();
    for (key, content) in &hub.store.lock().unwrap().blobs {
        other_server
            .store
            .lock()
            .unwrap()
            .blobs
            .insert((alternate.repository().to_owned(), key.1.clone()), content.clone());
    }
    for ((_, name), content) in &hub.store.lock().unwrap().manifests {
        other_server
            .store
            .lock()
            .unwrap()
            .manifests
            .insert((alternate.repository().to_owned(), name.clone()), content.clone());
    }
    let endpoints = format!(
        "docker.io=http://{},registry.example=http://{},public.ecr.aws=http://{}",
        hub.address, target.address, other_server.address
    );
    let defaults = Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)));
    let copier = Copier::new(Client::new(Config {
        endpoints: endpoints.parse().unwrap(),
        credentials: Arc::new(Passwords),
        timeouts: Timeouts { stall: Duration::from_millis(150), ..defaults.timeouts },
        first_pause: Duration::from_millis(1),
        ..defaults
    }));
    let request = CopyRequest {
        source: "redis:7".parse().unwrap(),
        target: format!("registry.example/{TARGET}:7").parse().unwrap(),
        alternates: if other.is_some() { vec![alternate] } else { Vec::new() },
        platforms: Vec::new(),
        artifacts: Artifacts::default(),
    };
    let result = copier.copy(&request).await;
    Played { result, hub, other: other_server, target, layer }
}

fn no_fault(_: &Request, _: usize, _: &Digest, _: &[u8]) -> Option<Reply> {
    None
}

fn good_target(_: &Request, _: usize) -> Option<Reply> {
    None
}

fn quota(request: &Request, _: usize, _: &Digest, _: &[u8]) -> Option<Reply> {
    (request.method == "GET" && request.path.contains("/manifests/")).then(|| {
        let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#;
        Reply::new(429, body)
            .with("ratelimit-limit", "100;w=21600")
            .with("ratelimit-remaining", "0;w=21600")
    })
}

fn cut(kind: Cut) -> impl Fn(&Request, usize, &Digest, &[u8]) -> Option<Reply> + Send + Sync + 'static {
    move |request, before, layer, bytes| {
        (before == 0 && is_layer(request, layer)).then(|| Reply { cut: Some((LAYER / 2, kind)), ..whole(bytes) })
    }
}

fn corrupted(request: &Request, layer: &Digest, bytes: &[u8]) -> Option<Reply> {
    is_layer(request, layer).then(|| {
        let mut wrong = bytes.to_vec();
        wrong[1000] ^= 1;
        Reply::new(200, wrong)
    })
}

#[tokio::test]
async fn every_fault_has_its_outcome_and_the_table_says_so() {
    let mut table = String::new();
    let mut row = |fault: &str, outcome: &str, again: u64| {
        table.push_str(&format!("| {fault} | {outcome} | {} |\n", again_text(again)))
    };
    let none = Uploads::default;

    let played = play(quota, None, good_target, none()).await;
    let error = played.result.as_ref().unwrap_err();
    assert!(error.is_pull_quota() && error.to_string().contains("whole again in 6 h"), "{error}");
    assert_eq!((played.hub.count("GET", "/manifests/"), played.is_clean()), (1, true));
    row(
        "source: 429, pull quota used up",
        "reported at once with the estimate when it is back; one GET, no other follows",
        0,
    );

    let played = play(quota, Some(|_, _, _| None), good_target, none()).await;
    assert!(played.result.is_ok() && played.is_complete() && played.hub.count("GET", "/manifests/") == 0);
    row("the same, where an alternate has the digests", "copied; no GET of a manifest at the source", 0);

    let burst = |seconds: &'static str| {
        move |request: &Request, before: usize, layer: &Digest, _: &[u8]| {
            (before == 0 && is_layer(request, layer))
                .then(|| Reply::new(429, "Too Many Requests (HAP429).").with("retry-after", seconds))
        }
    };
    let played = play(burst("0"), None, good_target, none()).await;
    assert!(played.is_complete() && played.hub.count("GET", played.layer.as_str()) == 2);
    row("source: 429, burst, wait within 5 s", "waited for and repeated", played.again());

    let played = play(burst("60"), None, good_target, none()).await;
    assert!(matches!(played.result, Err(RegistryError::Limited { limit: Limit::Burst, .. })) && played.is_clean());
    row("source: 429, burst, longer wait", "reported with the wait; the next run continues", 0);

    for (name, kind) in [
        ("reset or truncated in the middle of a blob", Cut::Break),
        ("stalled in the middle of a blob", Cut::Silence),
    ] {
        let played = play(cut(kind), None, good_target, none()).await;
        assert!(
            played.is_complete() && played.target.count("POST", "/uploads/") <= 3,
            "{name}: the upload never noticed"
        );
        assert_eq!(played.again(), 0, "{name}");
        let range = played.hub.requests().into_iter().find(|request| request.headers.contains_key("range")).unwrap();
        assert_eq!(range.header("range"), format!("bytes={}-", LAYER / 2));
        let noticed = if kind == Cut::Silence { "noticed after 12 s, then " } else { "" };
        row(
            &format!("source: {name}"),
            &format!("{noticed}resumed by Range into the same upload"),
            played.again(),
        );
    }

    let stalled: fn(&Request, &Digest, &[u8]) -> Option<Reply> = |request, layer, bytes| {
        is_layer(request, layer).then(|| Reply { cut: Some((LAYER / 2, Cut::Silence)), ..whole(bytes) })
    };
    let played = play(no_fault, Some(stalled), good_target, none()).await;
    assert!(played.is_complete() && played.again() == 0);
    assert_eq!(
        played.hub.requests().iter().filter(|request| request.headers.contains_key("range")).count(),
        1,
        "resumed elsewhere"
    );
    row(
        "alternate: stalled in the middle of a blob",
        "resumed at the next source, into the same upload",
        played.again(),
    );

    let played = play(no_fault, Some(corrupted), good_target, none()).await;
    assert!(played.is_complete() && played.other.count("GET", played.layer.as_str()) == 1);
    assert!(
        played
            .target
            .store
            .lock()
            .unwrap()
            .blobs
            .iter()
            .all(|((_, digest), content)| Digest::of(content) == *digest)
    );
    let again = played.again();
    assert!(again < LAYER as u64, "the last chunk was kept back");
    row(
        "alternate: corrupted bytes",
        "never completed at the target; the blob comes from the next source",
        again,
    );

    let played = play(|request, _, layer, bytes| corrupted(request, layer, bytes), None, good_target, none()).await;
    let error = played.result.as_ref().unwrap_err();
    assert!(
        error.to_string().contains(played.layer.as_str())
            && error.to_string().contains(&played.hub.address.to_string()),
        "{error}"
    );
    assert!(
        played.is_clean()
            && !played.target.store.lock().unwrap().blobs.contains_key(&(TARGET.to_owned(), played.layer.clone()))
    );
    row(
        "the only source: corrupted bytes",
        "failure that names the digest and the source; nothing is stored",
        0,
    );

    let expired = |request: &Request, before: usize, layer: &Digest, _: &[u8]| {
        let refused = before == 0 && (request.path.ends_with("/manifests/7") || is_layer(request, layer));
        if refused {
            with_tokens(
                &Request {
                    headers: [("host".to_owned(), request.header("host").to_owned())].into(),
                    ..request.clone()
                },
                0,
            )
        } else {
            token(request)
        }
    };
    let played = play(expired, None, good_target, none()).await;
    assert!(played.is_complete() && played.hub.count("GET", "/token") == 2, "{:?}", played.result);
    row("source: token expired", "one new token; the request is repeated", played.again());

    let busy = |request: &Request, before: usize, layer: &Digest, _: &[u8]| {
        (before < 2 && (is_layer(request, layer) || request.path.contains("/manifests/")))
            .then(|| Reply::new(503, "busy"))
    };
    let played = play(busy, None, good_target, none()).await;
    assert!(played.is_complete());
    row("source: 503, twice for each request", "repeated with growing pauses", played.again());

    let played = play(
        no_fault,
        None,
        |request, before| (before < 2 && request.path.contains("/manifests/")).then(|| Reply::new(500, "oops")),
        none(),
    )
    .await;
    assert!(played.is_complete());
    row("target: 500 at manifests, twice for each", "repeated with growing pauses", played.again());

    let uploads = Uploads { cut_after: 1, cuts: std::sync::Mutex::new(1), keeps: false };
    let played = play(no_fault, None, good_target, uploads).await;
    assert!(played.is_complete(), "{:?}", played.result);

    let uploads = Uploads {
        cut_after: LAYER / 2,
        cuts: std::sync::Mutex::new(1),
        keeps: true,
    };
    let played = play(no_fault, None, good_target, uploads).await;
    assert!(played.is_complete(), "{:?}", played.result);
    let posts = played.target.count("POST", "/uploads/");
    assert!(posts <= 3 && played.again() < LAYER as u64 / 2, "{posts} POSTs, {} bytes again", played.again());
    row(
        "target: reset in the middle of a PUT",
        "asked what it has (not ECR), and the rest is sent; read again from the last mark, at most 4 MiB before",
        IN_FLIGHT,
    );

    let uploads = Uploads {
        cut_after: LAYER / 2,
        cuts: std::sync::Mutex::new(1),
        keeps: false,
    };
    let played = play(no_fault, None, good_target, uploads).await;
    assert!(played.is_complete() && played.again() >= LAYER as u64 / 2);
    row(
        "the same at ECR, or where the upload is gone",
        "a new POST; what had arrived is lost with the upload, small blobs come from memory",
        WHAT_ARRIVED,
    );

    let text = format!(
        "# Faults\n\nWhat the copy engine does about them, played by the tests (`UPDATE_DOCS=1 cargo test -p \
         pullsafe-registry faults` makes this table). After \
         each of them the\ntarget has the image complete under its tag, or has no such tag.\n\n| Fault | What happens \
         | Bytes sent again |\n|---|---|---|\n{table}\
         | killed at any request, and run again | what is there is not sent again; the tag came last | of the blobs \
         in flight |\n"
    );
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mirror-faults.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        text,
        "run UPDATE_DOCS=1 cargo test -p pullsafe-registry faults"
    );
}

/// Amounts that depend on what the network held. The table names them in words; the tests above bound them.
const IN_FLIGHT: u64 = u64::MAX;
const WHAT_ARRIVED: u64 = u64::MAX - 1;

fn again_text(bytes: u64) -> &'static str {
    match bytes {
        0 => "0",
        IN_FLIGHT => "what was in flight",
        WHAT_ARRIVED => "what had arrived",
        _ => "at most the blob",
    }
}

/// Acts as the token service of [`with_tokens`]; any of its tokens is good.
fn token(request: &Request) -> Option<Reply> {
    (request.path == "/token").then(|| Reply::new(200, json!({"token": "good", "expires_in": 300}).to_string()))
}

/// Kills the copy when the target has got its nth request, for every n, and runs it again: nothing is incomplete, and
/// nothing is sent twice.
#[tokio::test]
async fn killed_at_any_moment_and_run_again() {
    let mut killed = 0;
    loop {
        let (hub, target) = (Server::good().await, Server::good().await);
        publish(&hub, REPOSITORY, "7");
        let endpoints = format!("docker.io=http://{},registry.example=http://{}", hub.address, target.address);
        let copier = || {
            Copier::new(Client::new(Config {
                endpoints: endpoints.parse().unwrap(),
                ..Config::new(Arc::new(|| Timestamp::from_millis(0)))
            }))
        };
        let source: Reference = "redis:7".parse().unwrap();
        let request = CopyRequest::new(
            source,
            format!("registry.example/{TARGET}:7").parse().unwrap(),
            &endpoints.parse().unwrap(),
        );
        let first = copier();
        let finished = {
            let copy = first.copy(&request);
            let reached = async {
                while target.requests().len() <= killed {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                () = reached => false,
                result = copy => result.is_ok(),
            }
        };
        {
            let store = target.store.lock().unwrap();
            if store.manifests.contains_key(&(TARGET.to_owned(), "7".to_owned())) {
                assert_eq!(store.blobs.len(), 5, "a tag without its content");
            }
        }
        let there = target.store.lock().unwrap().blobs.len() as u64;
        let report = copier().copy(&request).await.unwrap();
        assert_same(&hub, &target, TARGET);
        assert!(report.blobs_copied <= 5 - there, "killed at {killed}: {report:?}, {there} were there");
        if finished {
            assert!(report.up_to_date);
            break;
        }
        killed += 1;
    }
    assert!(killed > 10, "{killed}");
}
