//! Docker Hub as a client sees it.

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::test_client::{TestClient, new_store};
use super::{HubOptions, RegistryServer};
use crate::registry::{HubAccount, OpenOptions, Sample};

const PYTHON: &str = "/v2/library/python/manifests/3.11-slim";

fn hub(options: HubOptions) -> RegistryServer {
    let store = new_store();
    Sample::multi_arch(1).build().push(&store, "library/python", "3.11-slim");
    Sample::new(2).docker().build().push(&store, "library/redis", "7");
    RegistryServer::hub(&store, options)
}

async fn signed_in(server: &RegistryServer, basic: Option<&str>) -> TestClient {
    let mut client = TestClient::of(server);
    if let Some(basic) = basic {
        client = client.with("authorization", format!("Basic {}", BASE64_STANDARD.encode(basic)));
    }
    let scopes = "scope=repository%3Alibrary%2Fpython%3Apull&scope=repository:library/redis:pull&scope=repository:ratelimitpreview/test:pull";
    let token = client.get(&format!("/token?service=registry.docker.io&{scopes}")).await;
    assert_eq!(token.status, StatusCode::OK);
    let token = token.json()["token"].as_str().expect("a token").to_owned();
    client.with("authorization", format!("Bearer {token}"))
}

#[tokio::test]
async fn one_token_opens_the_repositories_it_was_asked_for_until_it_expires() {
    let server = hub(HubOptions::default());
    let stranger = TestClient::of(&server).get(PYTHON).await;
    assert_eq!((stranger.status, stranger.code().as_str()), (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"));
    let challenge = format!(
        r#"Bearer realm="{}/token",service="registry.docker.io",scope="repository:library/python:pull""#,
        server.url()
    );
    assert_eq!(stranger.header("www-authenticate"), challenge);

    let client = signed_in(&server, None).await;
    for path in [PYTHON, "/v2/library/redis/manifests/7", "/v2/ratelimitpreview/test/manifests/latest"] {
        assert_eq!(client.head(path).await.status, StatusCode::OK, "{path}");
    }
    let claims = client.headers["authorization"].split('.').nth(1).expect("claims").to_owned();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON");
    assert_eq!(claims["access"][1], json!({"type": "repository", "name": "library/redis", "actions": ["pull"]}));

    let elsewhere = client.head("/v2/library/nothing/manifests/1").await;
    assert!(elsewhere.header("www-authenticate").ends_with(r#"error="insufficient_scope""#));
    assert_eq!(
        client.post("/v2/library/python/blobs/uploads/").await.status,
        StatusCode::UNAUTHORIZED,
        "nobody pushes here"
    );
    assert_eq!(client.get("/v2/library/python/manifests/nothing").await.code(), "MANIFEST_UNKNOWN");

    server.store().clock().advance(300);
    let late = client.head(PYTHON).await;
    assert!(late.header("www-authenticate").ends_with(r#"error="invalid_token""#));
}

#[tokio::test]
async fn a_get_costs_a_unit_a_head_costs_none_and_a_refusal_costs_none() {
    let server = hub(HubOptions {
        anonymous_pulls: Some(2),
        token_seconds: 86_400,
        ..HubOptions::default()
    });
    let nat = signed_in(&server, None).await.with("x-forwarded-for", "203.0.113.7");
    let head = nat.head(PYTHON).await;
    assert_eq!((head.header("ratelimit-limit"), head.header("ratelimit-remaining")), ("2;w=21600", "2;w=21600"));
    assert_eq!(head.header("docker-ratelimit-source"), "203.0.113.7");
    assert!(head.body.is_empty() && head.header("content-length") != "0");

    assert_eq!(nat.get(PYTHON).await.header("ratelimit-remaining"), "1;w=21600");
    server.store().clock().advance(3600);
    assert_eq!(nat.get(PYTHON).await.header("ratelimit-remaining"), "0;w=21600");
    for _ in 0..3 {
        let refused = nat.get(PYTHON).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"));
        let message =
            "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
        assert_eq!(refused.json()["errors"][0]["message"], message);
        assert_eq!(refused.header("ratelimit-remaining"), "0;w=21600");
    }
    assert_eq!(nat.head(PYTHON).await.status, StatusCode::OK, "HEAD is answered with nothing left");
    let elsewhere = signed_in(&server, None).await;
    assert_eq!(
        elsewhere.get(PYTHON).await.header("docker-ratelimit-source"),
        "lambda",
        "another address has its own quota"
    );

    server.store().clock().advance(18_000);
    // The first unit has left the window, the second has not.
    assert_eq!(nat.head(PYTHON).await.header("ratelimit-remaining"), "1;w=21600");
    assert_eq!((server.manifest_gets("library/python"), server.manifest_heads("library/python")), (6, 3));
}

#[tokio::test]
async fn accounts_have_their_own_limit_or_none() {
    let account = |name: &str, pulls| HubAccount { name: name.to_owned(), password: "s3cret".to_owned(), pulls };
    let accounts = vec![account("free", Some(200)), account("paid", None)];
    let server = hub(HubOptions { accounts, ..HubOptions::default() });
    let free = signed_in(&server, Some("free:s3cret")).await.get(PYTHON).await;
    assert_eq!(free.header("ratelimit-remaining"), "199;w=21600");
    assert_eq!(free.header("docker-ratelimit-source"), RegistryServer::account_source("free"));
    let paid = signed_in(&server, Some("paid:s3cret")).await.get(PYTHON).await;
    assert_eq!((paid.status, paid.header("ratelimit-limit")), (StatusCode::OK, ""));
    let wrong =
        TestClient::of(&server).with("authorization", format!("Basic {}", BASE64_STANDARD.encode("free:guess")));
    assert_eq!(wrong.get("/token?service=registry.docker.io").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn manifests_come_as_stored_and_only_if_the_client_takes_their_type() {
    let server = hub(HubOptions::default());
    let client = signed_in(&server, None).await;
    let sample = Sample::multi_arch(1).build();
    let reply = client.get(PYTHON).await;
    assert_eq!(reply.body, sample.top.bytes);
    assert_eq!(reply.header("docker-content-digest"), sample.digest().as_str());
    assert_eq!(sample.children.len(), 4, "two images and their attestations");
    let child = client.get(&format!("/v2/library/python/manifests/{}", sample.children[3].digest)).await;
    assert_eq!(child.body, sample.children[3].bytes);
    let docker_only = [("accept", "application/vnd.docker.distribution.manifest.v2+json, text/plain;q=0.5")];
    let refused = client.send(Method::GET, PYTHON, &docker_only, Body::empty()).await.expect("an answer");
    assert_eq!(refused.code(), "MANIFEST_UNKNOWN");
    assert_eq!(server.quota().used("lambda"), 2, "what was not sent was not counted");
}

#[tokio::test]
async fn blobs_come_from_the_other_host_which_must_see_no_credentials() {
    let server = hub(HubOptions::default());
    let client = signed_in(&server, None).await;
    let blob = Sample::new(2).docker().build().blobs[0].clone();
    let redirect = client.get(&format!("/v2/library/redis/blobs/{}", blob.digest())).await;
    assert_eq!(redirect.status, StatusCode::TEMPORARY_REDIRECT);
    let link = redirect.header("location").to_owned();
    assert!(link.starts_with(server.cdn_url()));

    let stranger = TestClient::of(&server);
    assert_eq!(stranger.get(&link).await.body, blob.bytes());
    let rest = stranger
        .send(Method::GET, &link, &[("range", "bytes=10-")], Body::empty())
        .await
        .expect("an answer");
    assert_eq!((rest.status, rest.body), (StatusCode::PARTIAL_CONTENT, blob.bytes().slice(10..)));
    assert_eq!(rest.headers["content-range"], format!("bytes 10-{}/{}", blob.size() - 1, blob.size()));
    assert!(server.leaked_credentials().is_empty());
    assert_eq!(client.get(&link).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.leaked_credentials().len(), 1);
    let sent: u64 = server
        .log()
        .iter()
        .filter(|access| access.cdn && access.status < 300)
        .map(|access| access.bytes_out)
        .sum();
    assert_eq!(sent, 2 * blob.size() - 10);
}

#[tokio::test]
async fn the_tags_api_lists_a_hundred_tags_for_no_pull_units() {
    let server = hub(HubOptions::default());
    for minor in 0..120 {
        server.store().clock().advance(1);
        Sample::multi_arch(minor).build().push(server.store(), "library/node", &format!("22.{minor}"));
    }
    let client = TestClient::of(&server);
    let first = client.get("/v2/namespaces/library/repositories/node/tags?page_size=100&page=1").await;
    let json = first.json();
    assert_eq!((json["count"].as_u64(), json["results"].as_array().map(Vec::len)), (Some(120), Some(100)));
    assert_eq!(json["results"][0]["name"], "22.119", "newest first");
    assert_eq!(json["results"][0]["images"][1]["variant"], "v8");
    let next = client.get(json["next"].as_str().expect("a second page")).await.json();
    assert_eq!((next["results"].as_array().map(Vec::len), &next["next"]), (Some(20), &Value::Null));
    let redis = client.get("/v2/namespaces/library/repositories/redis/tags").await.json();
    assert_eq!(redis["results"][0]["images"][0]["architecture"], "amd64");
    assert_eq!(server.quota().used("lambda"), 0);

    for _ in 0..177 {
        client.get("/v2/namespaces/library/repositories/redis/tags").await;
    }
    let limited = client.get("/v2/namespaces/library/repositories/redis/tags").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    let frees_at = server.store().clock().now().plus_seconds(60).seconds().to_string();
    assert_eq!(limited.header("retry-after"), frees_at, "an epoch, not seconds");
}

#[tokio::test]
async fn a_public_registry_gives_anybody_a_token() {
    let store = new_store();
    Sample::new(1).build().push(&store, "docker/library/redis", "7");
    let server = RegistryServer::open(&store, OpenOptions { anonymous_token: true, redirect_blobs: false });
    let path = "/v2/docker/library/redis/manifests/7";
    let client = TestClient::of(&server);
    let refused = client.get(path).await;
    assert_eq!(
        refused.header("www-authenticate"),
        format!(r#"Bearer realm="{}/token/",service="public.ecr.aws",scope="aws""#, server.url())
    );
    let token = client.get("/token/?service=public.ecr.aws&scope=aws").await.json()["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert_eq!(client.with("authorization", format!("Bearer {token}")).get(path).await.status, StatusCode::OK);
}
