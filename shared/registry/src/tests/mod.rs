//! The client and the copy engine against registries that misbehave.

mod faults;
mod identity;
mod many;
mod requests;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::http::Timeouts;
use super::limits::Limit;
use super::sign_in::credentials::CredentialsError;
use super::*;
use crate::tests::server::{Cut, Reply, Request, Server};
use pullsafe::manifest::{DOCKER_LIST, DOCKER_MANIFEST};
use pullsafe::reference::{Digest, Reference};
use pullsafe::timestamp::Timestamp;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const REPOSITORY: &str = "library/redis";

/// Signs in to ECR with a password and to Docker Hub with an account.
struct Passwords;

impl CredentialsProvider for Passwords {
    fn credentials<'a>(&'a self, registry: &'a str) -> BoxFuture<'a, Result<Option<Credentials>, CredentialsError>> {
        let username = if registry == ECR { "AWS" } else { "account" };
        Box::pin(async move {
            Ok(Some(
                Basic {
                    username: username.to_owned(),
                    password: Secret::new("hunter2"),
                }
                .into(),
            ))
        })
    }
}

fn copier(hub: &Server, ecr: &Server, other: Option<(&str, &Server)>) -> Copier {
    let mut endpoints = format!("docker.io=http://{},{ECR}=http://{}", hub.address, ecr.address);
    if let Some((host, server)) = other {
        endpoints.push_str(&format!(",{host}=http://{}", server.address));
    }
    let defaults = Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)));
    Copier::new(Client::new(Config {
        endpoints: endpoints.parse().unwrap(),
        credentials: Arc::new(Passwords),
        timeouts: Timeouts { stall: Duration::from_millis(150), ..defaults.timeouts },
        first_pause: Duration::from_millis(1),
        ..defaults
    }))
}

fn request(copier: &Copier) -> CopyRequest {
    request_to(copier, "docker-hub/library/redis")
}

fn request_to(copier: &Copier, repository: &str) -> CopyRequest {
    CopyRequest::new(
        "redis:7".parse().unwrap(),
        format!("{ECR}/{repository}:7").parse().unwrap(),
        copier.client().endpoints(),
    )
}

fn layer(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(200_000).collect()
}

/// Publishes an index with two platforms that share a base layer; returns the index's digest.
fn publish(server: &Server, repository: &str, tag: &str) -> Digest {
    let blob = |content: &[u8], media_type: &str| json!({"mediaType": media_type, "digest": server.put_blob(repository, content), "size": content.len()});
    let children: Vec<_> = ["amd64", "arm64"]
        .iter()
        .map(|architecture| {
            let config = json!({"os": "linux", "architecture": architecture}).to_string();
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": DOCKER_MANIFEST,
                "config": blob(config.as_bytes(), "application/vnd.docker.container.image.v1+json"),
                "layers": [blob(&layer("base"), "tar"), blob(&layer(architecture), "tar")],
            });
            let bytes = format!("{manifest:#}");
            let digest = server.put_manifest(repository, architecture, DOCKER_MANIFEST, bytes.as_bytes());
            json!({"digest": digest, "size": bytes.len(), "mediaType": DOCKER_MANIFEST, "platform": {"os": "linux", "architecture": architecture}})
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": children});
    server.put_manifest(repository, tag, DOCKER_LIST, format!("{index:#}\n").as_bytes())
}

/// Asserts that the target has everything that the source holds, byte for byte.
fn assert_same(source: &Server, target: &Server, repository: &str) {
    let (source, target) = (source.store.lock().unwrap(), target.store.lock().unwrap());
    for ((_, digest), content) in &source.blobs {
        assert!(target.blobs.get(&(repository.to_owned(), digest.clone())) == Some(content), "{digest}");
    }
    for ((_, name), content) in
        source.manifests.iter().filter(|((_, name), _)| name.starts_with("sha256:") || name == "7")
    {
        assert_eq!(target.manifests.get(&(repository.to_owned(), name.clone())), Some(content), "{name}");
    }
}

/// Imitates Docker Hub's sign-in: a 401 that names a token service, here on the same server.
fn with_tokens(request: &Request, before: usize) -> Option<Reply> {
    if request.path == "/token" {
        let body = json!({"token": format!("t{before}"), "expires_in": 300});
        return Some(Reply::new(200, body.to_string()));
    }
    if request.header("authorization") == "Bearer t0" {
        return None;
    }
    let challenge = format!(
        r#"Bearer realm="http://{}/token",service="registry.docker.io",scope="repository:x:pull""#,
        request.header("host")
    );
    Some(Reply::new(401, "").with("www-authenticate", challenge))
}

#[tokio::test]
async fn an_index_is_copied_byte_for_byte_and_then_left_alone() {
    let (hub, ecr) = (Server::start(with_tokens).await, Server::good().await);
    let digest = publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, None);
    let report = copier.copy(&request(&copier)).await.unwrap();
    assert_same(&hub, &ecr, "docker-hub/library/redis");
    assert_eq!((&report.digest, report.up_to_date, report.source_manifest_gets), (&digest, false, 3));
    assert_eq!((report.blobs_copied, report.blobs_skipped), (5, 0));
    assert_eq!(
        report.bytes_copied,
        ecr.store.lock().unwrap().blobs.values().map(|blob| blob.len() as u64).sum::<u64>()
    );
    assert_eq!(report.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);
    // One token for everything, requested with the account; ECR's password from the first request on.
    assert_eq!(hub.count("GET", "/token"), 1);
    let token = hub.requests().into_iter().find(|request| request.path == "/token").unwrap();
    assert_eq!(token.query, "service=registry.docker.io&scope=repository:library/redis:pull");
    assert!(token.header("authorization").starts_with("Basic "));
    assert!(ecr.requests().iter().all(|request| request.header("authorization") == "Basic QVdTOmh1bnRlcjI="));
    // Children before the index, the tag last, never PATCH.
    let puts: Vec<String> =
        ecr.requests().iter().filter(|request| request.method == "PUT").map(Request::line).collect();
    assert!(puts.last().unwrap().ends_with("/manifests/7"), "{puts:?}");
    assert_eq!(ecr.count("PATCH", ""), 0);

    let gets = hub.count("GET", "/manifests/");
    let again = copier.copy(&request(&copier)).await.unwrap();
    assert_eq!((again.up_to_date, again.bytes_copied, again.platforms.len()), (true, 0, 2));
    assert_eq!((hub.count("GET", "/manifests/"), ecr.count("PUT", "/manifests/7")), (gets, 1));
}

#[tokio::test]
async fn content_comes_from_the_alternate_and_only_the_tag_from_docker_hub() {
    let (hub, ecr, public) = (Server::good().await, Server::good().await, Server::good().await);
    publish(&hub, REPOSITORY, "7");
    publish(&public, "docker/library/redis", "stale");
    let copier = copier(&hub, &ecr, Some(("public.ecr.aws", &public)));
    let report = copier.copy(&request(&copier)).await.unwrap();
    assert_same(&hub, &ecr, "docker-hub/library/redis");
    assert_eq!((report.source_manifest_gets, report.blobs_copied), (0, 5));
    assert_eq!(hub.requests().iter().map(Request::line).collect::<Vec<_>>(), ["HEAD /v2/library/redis/manifests/7"]);
}

#[tokio::test]
async fn corrupt_content_is_taken_elsewhere_and_never_pushed() {
    let corrupt = |request: &Request, _| (request.method == "GET").then(|| Reply::new(200, vec![0; 200_000]));
    let (hub, ecr, public) = (Server::good().await, Server::good().await, Server::start(corrupt).await);
    publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, Some(("public.ecr.aws", &public)));
    copier.copy(&request(&copier)).await.unwrap();
    assert_same(&hub, &ecr, "docker-hub/library/redis");
    assert_eq!(public.count("GET", ""), 1, "a source that lies is asked once");

    let corrupt = |request: &Request, _| {
        (request.method == "GET" && request.path.contains("/blobs/")).then(|| Reply::new(200, vec![0; 200_000]))
    };
    let (hub, ecr) = (Server::start(corrupt).await, Server::good().await);
    publish(&hub, REPOSITORY, "7");
    let copier = self::copier(&hub, &ecr, None);
    let error = copier.copy(&request(&copier)).await.unwrap_err();
    assert!(matches!(&error, RegistryError::Content { .. }), "{error}");
    assert_eq!(error.fault(), ErrorSource::Content);
    let store = ecr.store.lock().unwrap();
    assert!(store.manifests.is_empty());
    assert!(
        store.blobs.iter().all(|((_, digest), content)| Digest::of(content) == *digest),
        "only whole blobs arrive"
    );
}

#[tokio::test]
async fn a_broken_or_silent_download_is_taken_up_where_it_broke() {
    for cut in [Cut::Break, Cut::Silence] {
        let base = Digest::of(&layer("base"));
        let path = format!("/blobs/{base}");
        let fault = move |request: &Request, before| {
            let first = before == 0 && request.method == "GET" && request.path.ends_with(&path);
            first.then(|| Reply { cut: Some((120_000, cut)), ..Reply::new(200, layer("base")) })
        };
        let (hub, ecr) = (Server::start(fault).await, Server::good().await);
        publish(&hub, REPOSITORY, "7");
        let copier = copier(&hub, &ecr, None);
        copier.copy(&request(&copier)).await.unwrap();
        assert_same(&hub, &ecr, "docker-hub/library/redis");
        let resumed = hub.requests().into_iter().find(|request| !request.header("range").is_empty()).unwrap();
        assert_eq!(resumed.header("range"), "bytes=120000-");
        assert_eq!(ecr.count("POST", "/uploads/"), 5, "the upload never noticed");
    }
}

#[tokio::test]
async fn a_used_up_quota_is_reported_at_once_and_asked_once() {
    let fault = |request: &Request, _| {
        (request.method == "GET" && request.path.contains("/manifests/")).then(|| {
            let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your unauthenticated pull rate limit."}]}"#;
            Reply::new(429, body).with("ratelimit-limit", "100;w=21600").with("ratelimit-remaining", "0;w=21600")
        })
    };
    let (hub, ecr) = (Server::start(fault).await, Server::good().await);
    publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, None);
    let error = copier.copy(&request(&copier)).await.unwrap_err();
    assert!(error.is_pull_quota() && error.to_string().contains("0 of 100 pulls left"), "{error}");
    assert_eq!(hub.count("GET", "/manifests/"), 1);
}

#[tokio::test]
async fn faults_that_pass_are_survived() {
    let passing = |request: &Request, before| match (request.method.as_str(), before) {
        ("HEAD" | "GET", 0) if request.path.contains("/manifests/") => Some(Reply::new(503, "busy")),
        ("GET", 0) => Some(Reply::new(429, "Too Many Requests (HAP429).").with("retry-after", "0")),
        _ => None,
    };
    // Every upload has its own address, so the fault counts over all of them.
    let uploads = AtomicUsize::new(0);
    let breaking = move |request: &Request, before| match request.method.as_str() {
        "PUT" if request.path.contains("/uploads/") => {
            (uploads.fetch_add(1, Ordering::Relaxed) < 2).then(|| Reply::new(500, "oops"))
        }
        "POST" | "PUT" => (before == 0).then(|| Reply::new(500, "oops")),
        _ => None,
    };
    let (hub, ecr) = (Server::start(passing).await, Server::start(breaking).await);
    publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, None);
    copier.copy(&request(&copier)).await.unwrap();
    assert_same(&hub, &ecr, "docker-hub/library/redis");
}

#[tokio::test]
async fn a_burst_limit_with_a_long_wait_is_an_error() {
    let limited = |_: &Request, _| Some(Reply::new(429, "Too Many Requests (HAP429).").with("retry-after", "60"));
    let (hub, ecr) = (Server::start(limited).await, Server::good().await);
    let error = copier(&hub, &ecr, None).client().resolve(&"redis:7".parse().unwrap()).await.unwrap_err();
    let expected = RegistryError::Limited {
        registry: "docker.io".to_owned(),
        limit: Limit::Burst,
        quota: None,
        retry_after: Some(Duration::from_secs(60)),
    };
    assert_eq!(error, expected);
    assert_eq!(hub.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_credential() {
    let storage = Server::good().await;
    let content = layer("base");
    storage.put_blob("cdn", &content);
    let location = format!("http://{}/v2/cdn/blobs/{}?X-Amz-Signature=s", storage.address, Digest::of(&content));
    let redirect = move |request: &Request, _| {
        (request.method == "GET" && request.path.contains("/blobs/"))
            .then(|| Reply::new(307, "").with("location", location.clone()))
    };
    let (hub, ecr) = (Server::good().await, Server::start(redirect).await);
    let reference: Reference = format!("{ECR}/app").parse().unwrap();
    let descriptor = pullsafe::manifest::Descriptor {
        media_type: String::new(),
        digest: Digest::of(&content),
        size: content.len() as u64,
        urls: Vec::new(),
        platform: None,
    };
    let client = copier(&hub, &ecr, None).client().clone();
    assert_eq!(client.small_blob(&reference, &descriptor, 1_000_000).await.unwrap(), content);
    assert!(client.small_blob(&reference, &descriptor, 1000).await.is_err());
    assert!(!ecr.requests()[0].header("authorization").is_empty());
    assert_eq!(storage.requests()[0].header("authorization"), "");
}

#[tokio::test]
async fn an_immutable_tag_with_other_content_is_its_own_error() {
    let immutable = |request: &Request, _| {
        (request.method == "PUT" && request.path.ends_with("/manifests/7")).then(|| {
            let message =
                "The image tag '7' already exists in the 'redis' repository and cannot be overwritten because the tag \
                 is immutable.";
            Reply::new(400, json!({"errors": [{"code": "TAG_INVALID", "message": message}]}).to_string())
        })
    };
    let (hub, ecr) = (Server::good().await, Server::start(immutable).await);
    publish(&hub, REPOSITORY, "7");
    ecr.put_manifest("docker-hub/library/redis", "7", DOCKER_LIST, b"{}");
    let copier = copier(&hub, &ecr, None);
    let error = copier.copy(&request(&copier)).await.unwrap_err();
    assert!(matches!(error, RegistryError::TagImmutable { .. }), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn what_another_repository_holds_is_mounted() {
    let (hub, ecr) = (Server::good().await, Server::good().await);
    publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, None);
    copier.copy(&request(&copier)).await.unwrap();
    let report = copier.copy(&request_to(&copier, "second")).await.unwrap();
    assert_eq!((report.blobs_mounted, report.bytes_copied), (5, 0));
    assert_same(&hub, &ecr, "second");
    // A mount that the registry does not do opens an upload, which is then used.
    ecr.store.lock().unwrap().blobs.retain(|(repository, _), _| repository == "nobody");
    let before = ecr.count("POST", "/uploads/");
    let report = copier.copy(&request_to(&copier, "third")).await.unwrap();
    assert_eq!((report.blobs_mounted, report.blobs_copied), (0, 5));
    assert_eq!(ecr.count("POST", "/uploads/") - before, 5);
}

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_renewed_once() {
    let rotating = |request: &Request, before| match with_tokens(request, before) {
        // From the second manifest on, the first token is refused.
        None if request.path.contains("sha256") => with_tokens(
            &Request {
                headers: [("host".to_owned(), request.header("host").to_owned())].into(),
                ..request.clone()
            },
            0,
        ),
        Some(reply) if reply.status == 401 && request.header("authorization") == "Bearer t1" => None,
        reply => reply,
    };
    let (hub, ecr) = (Server::start(rotating).await, Server::good().await);
    publish(&hub, REPOSITORY, "7");
    let copier = copier(&hub, &ecr, None);
    copier.copy(&request(&copier)).await.unwrap();
    assert_eq!(hub.count("GET", "/token"), 2);
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_secret() {
    let refuse = |request: &Request, before| match with_tokens(request, before) {
        None => Some(Reply::new(403, "no")),
        reply => reply,
    };
    let (hub, ecr) = (Server::start(refuse).await, Server::good().await);
    let copier = copier(&hub, &ecr, None);
    let error = copier.copy(&request(&copier)).await.unwrap_err();
    for text in [format!("{error} {error:?}"), format!("{copier:?}"), format!("{:?}", copier.client())] {
        assert!(!text.contains("hunter2") && !text.contains("t0\""), "{text}");
    }
    assert!(format!("{copier:?}").contains("[redacted]"), "the token is there and does not show");
}
