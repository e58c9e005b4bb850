//! The puller over HTTP, against a registry of a few lines.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use pullsafe::reference::Digest;
use serde_json::{Value, json};

use crate::ecs::{HttpPuller, PullOutcome, Puller as _};

const CONFIG: &str = r#"{"architecture":"amd64","os":"linux"}"#;

/// How the registry answers, and the requests that it got.
struct PlayedHost {
    base: String,
    scheme: &'static str,
    status: Option<(StatusCode, Value)>,
    config: &'static str,
    asked: Mutex<Vec<(String, HeaderMap)>>,
}

impl PlayedHost {
    fn manifest() -> String {
        json!({"schemaVersion": 2, "config": {"digest": Digest::of(CONFIG.as_bytes()).as_str()}, "layers": []})
            .to_string()
    }

    fn index() -> String {
        let child = Digest::of(Self::manifest().as_bytes());
        json!({"schemaVersion": 2, "manifests": [{"digest": child.as_str(), "platform": {"os": "linux", "architecture": "amd64"}}]})
            .to_string()
    }

    async fn start(scheme: &'static str, status: Option<(StatusCode, Value)>, config: &'static str) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let registry = Arc::new(Self { base, scheme, status, config, asked: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&registry));
        tokio::spawn(async move { axum::serve(listener, router).await });
        registry
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }
}

async fn answer(State(registry): State<Arc<PlayedHost>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    registry.asked.lock().unwrap().push((path.clone(), request.headers().clone()));
    if path == "/token" {
        assert_eq!(request.uri().query(), Some("service=hub&scope=repository:library/python:pull"));
        return axum::body::Body::from(r#"{"token":"secret"}"#).into_response();
    }
    let expected = if registry.scheme == "Bearer" { "Bearer secret" } else { "Basic QVdTOnB3" };
    if authorization.as_deref() != Some(expected) && !path.starts_with("/cdn/") {
        let challenge = format!(
            "{} realm=\"{}/token\",service=\"hub\",scope=\"repository:library/python:pull\"",
            registry.scheme, registry.base
        );
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
    }
    if let Some((status, body)) = &registry.status {
        return (*status, body.to_string()).into_response();
    }
    let child = format!("/manifests/{}", Digest::of(PlayedHost::manifest().as_bytes()));
    if path.ends_with(&child) {
        PlayedHost::manifest().into_response()
    } else if path.contains("/manifests/") {
        PlayedHost::index().into_response()
    } else {
        // Blobs come from another host, as with Docker Hub.
        match path.strip_prefix("/cdn/") {
            Some(_) => registry.config.into_response(),
            None => (StatusCode::TEMPORARY_REDIRECT, [("location", format!("{}/cdn/config", registry.base))])
                .into_response(),
        }
    }
}

async fn pull(registry: &PlayedHost, image: &str, platform: &str) -> PullOutcome {
    let host = image.split('/').next().filter(|host| host.ends_with(".com")).unwrap_or("docker.io");
    let puller = HttpPuller::new("203.0.113.7").endpoint(host, &registry.base);
    let puller = if registry.scheme == "Basic" {
        puller.login(Arc::new(|_, role| role.map(|_| ("AWS".into(), "pw".into()))))
    } else {
        puller
    };
    puller.pull(image, platform, Some("role")).await
}

fn failure(outcome: PullOutcome) -> String {
    match outcome {
        PullOutcome::Failed { message } => message,
        PullOutcome::Pulled { digest } => panic!("pulled {digest}"),
    }
}

#[tokio::test]
async fn pulls_through_tokens_indexes_and_redirects() {
    let registry = PlayedHost::start("Bearer", None, CONFIG).await;
    let digest = Digest::of(PlayedHost::index().as_bytes()).to_string();
    assert_eq!(pull(&registry, "python:3.12", "linux/amd64").await, PullOutcome::Pulled { digest });
    let paths = registry.asked();
    let manifests = paths.iter().filter(|path| *path == "/v2/library/python/manifests/3.12").count();
    assert_eq!((manifests, paths[1].as_str(), paths.last().unwrap().as_str()), (2, "/token", "/cdn/config"));
    let asked = registry.asked.lock().unwrap();
    assert!(asked.iter().all(|(_, headers)| headers["x-forwarded-for"] == "203.0.113.7"));
    assert!(!asked.last().unwrap().1.contains_key("authorization"), "credentials do not follow a redirect");
}

#[tokio::test]
async fn ecr_takes_basic_credentials_of_the_role() {
    let registry = PlayedHost::start("Basic", None, CONFIG).await;
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/library/python:3.12";
    assert!(matches!(pull(&registry, image, "linux/amd64").await, PullOutcome::Pulled { .. }));
}

#[tokio::test]
async fn failures_read_as_containerd_words_them() {
    let quota = json!({"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your unauthenticated pull \
        rate limit. https://www.docker.com/increase-rate-limit"}]});
    let hub = "docker.io/library/python:3.12";
    let table = [
        (
            StatusCode::TOO_MANY_REQUESTS,
            quota,
            "429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate \
             limit. \
             https://www.docker.com/increase-rate-limit"
                .to_owned(),
        ),
        (StatusCode::NOT_FOUND, json!({}), format!("failed to resolve ref {hub}: {hub}: not found")),
        (
            StatusCode::FORBIDDEN,
            json!({}),
            format!(
                "failed to resolve ref {hub}: pulling from host docker.io failed with status code [manifests \
                3.12]: 403 Forbidden"
            ),
        ),
        (
            StatusCode::BAD_GATEWAY,
            json!({}),
            format!(
                "failed to resolve ref {hub}: unexpected status from HEAD request to \
                 https://registry-1.docker.io/v2/library/python/manifests/3.12: 502 Bad Gateway"
            ),
        ),
    ];
    for (status, body, expected) in table {
        let registry = PlayedHost::start("Bearer", Some((status, body)), CONFIG).await;
        assert_eq!(failure(pull(&registry, "python:3.12", "linux/amd64").await), expected);
    }
}

#[tokio::test]
async fn platforms_digests_and_hosts_are_checked() {
    let registry = PlayedHost::start("Bearer", None, "{}").await;
    let arm = failure(pull(&registry, "python:3.12", "linux/arm64").await);
    assert_eq!(arm, "image Manifest does not contain descriptor matching platform 'linux/arm64'");
    let corrupt = failure(pull(&registry, "python:3.12", "linux/amd64").await);
    assert!(
        corrupt.starts_with("failed commit on ref \"config-sha256:") && corrupt.contains("unexpected commit digest"),
        "{corrupt}"
    );

    let nowhere = failure(HttpPuller::new("203.0.113.7").pull("quay.io/a/b:1", "linux/amd64", None).await);
    assert_eq!(
        nowhere,
        "failed to resolve ref quay.io/a/b:1: failed to do request: Head \"https://quay.io/v2/a/b/manifests/1\": \
         dial tcp: lookup quay.io on 10.0.0.2:53: no such host"
    );
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = HttpPuller::new("203.0.113.7").endpoint("quay.io", &format!("http://{closed}"));
    assert!(failure(refused.pull("quay.io/a/b:1", "linux/amd64", None).await).ends_with("connect: connection refused"));
}
