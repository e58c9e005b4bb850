//! Planted faults as a client sees them.

use axum::body::Body;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use pullsafe::timestamp::Timestamp;

use super::RegistryServer;
use super::test_client::{TestClient, new_store};
use crate::registry::{Blob, FaultRule, Gate, OpenOptions, RegistryFault, RetryAfter, Sample};

fn open() -> (RegistryServer, TestClient, Blob, String) {
    let store = new_store();
    let image = Sample::new(1).layers(&[600_000]).build();
    image.push(&store, "a", "1");
    let blob = image.blobs.iter().find(|blob| blob.size() == 600_000).expect("the layer").clone();
    let server = RegistryServer::open(&store, OpenOptions::default());
    let client = TestClient::of(&server);
    let path = format!("/v2/a/blobs/{}", blob.digest());
    (server, client, blob, path)
}

async fn get(client: &TestClient, path: &str) -> Result<(StatusCode, Bytes), &'static str> {
    client.send(Method::GET, path, &[], Body::empty()).await.map(|reply| (reply.status, reply.body))
}

#[tokio::test]
async fn bodies_are_spoilt_once_and_then_right_again() {
    let (server, client, blob, path) = open();
    let all = blob.bytes();
    server.plant(FaultRule::get("/blobs/", RegistryFault::Truncate { after: 1000 }));
    assert_eq!(get(&client, &path).await, Ok((StatusCode::OK, all.slice(..1000))));
    server.plant(FaultRule::get("/blobs/", RegistryFault::Corrupt));
    let (status, wrong) = get(&client, &path).await.expect("an answer");
    assert_eq!(
        (status, wrong.len(), wrong[1..] == all[1..], wrong[0] == all[0]),
        (StatusCode::OK, all.len(), true, false)
    );
    server.plant(FaultRule::get("/blobs/", RegistryFault::Reset { after: 300_000 }));
    assert_eq!(get(&client, &path).await, Err("cut body"));
    assert_eq!(server.log().last().map(|access| (access.status, access.bytes_out)), Some((200, 300_000)));
    server.plant(FaultRule::get("/blobs/", RegistryFault::Trickle { bytes_per_second: 100_000_000 }));
    assert_eq!(get(&client, &path).await, Ok((StatusCode::OK, all.clone())));
    assert_eq!(server.faults_waiting(), 0);
    assert_eq!(get(&client, &path).await, Ok((StatusCode::OK, all)));
    server.plant(FaultRule::get("/manifests/", RegistryFault::Reset { after: 10 }));
    assert_eq!(get(&client, "/v2/a/manifests/1").await, Err("cut body"));
}

#[tokio::test]
async fn answers_are_replaced() {
    let (server, client, _, path) = open();
    server.plant(FaultRule::get("/blobs/", RegistryFault::Status(503)).nth(2).times(2));
    let statuses = [
        get(&client, &path).await,
        get(&client, &path).await,
        get(&client, &path).await,
        get(&client, &path).await,
    ];
    assert_eq!(statuses.map(|reply| reply.expect("an answer").0.as_u16()), [200, 503, 503, 200]);

    let moment = Timestamp::parse("2026-01-15T20:00:00Z").expect("a time");
    for (retry_after, header) in [
        (RetryAfter::Absent, ""),
        (RetryAfter::Seconds(30), "30"),
        (RetryAfter::Date(moment), "Thu, 15 Jan 2026 20:00:00 GMT"),
        (RetryAfter::Epoch(moment), "1768507200"),
    ] {
        server.plant(FaultRule::get("", RegistryFault::TooManyRequests(retry_after)));
        let reply = client.get(&path).await;
        assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, header));
    }
    server.plant(FaultRule::new(Method::HEAD, "", RegistryFault::Abuse));
    assert_eq!(client.head(&path).await.header("retry-after"), "60");
    server.plant(FaultRule::get("", RegistryFault::Abuse));
    let abuse = client.get(&path).await;
    assert_eq!(
        (abuse.header("content-type"), &abuse.body[..]),
        ("text/plain", &b"Too Many Requests (HAP429).\n"[..])
    );
    server.plant(FaultRule::get("", RegistryFault::Unauthorized).always());
    assert_eq!(client.get(&path).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.get(&path).await.status, StatusCode::UNAUTHORIZED);
    server.clear_faults();
    assert_eq!(client.get(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_connection_is_cut_before_the_answer() {
    let (server, client, blob, path) = open();
    server.plant(FaultRule::get("/blobs/", RegistryFault::Cut { after: 0 }));
    assert_eq!(get(&client, &path).await, Err("no answer"));
    assert_eq!(server.log().last().map(|access| access.status), Some(0));
    let location = client.post("/v2/b/blobs/uploads/").await.header("location").to_owned();
    server.plant(FaultRule::new(Method::PUT, "/uploads/", RegistryFault::Cut { after: 1000 }));
    let target = format!("{location}&digest={}", blob.digest());
    let cut = client.send(Method::PUT, &target, &[], blob.bytes()).await;
    assert!(cut.is_err());
    assert!(server.store().blob("b", blob.digest()).is_none());
    let again = client.put(&target, "application/octet-stream", blob.bytes()).await;
    assert_eq!(again.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_upload_that_ends_early_leaves_nothing() {
    let (server, client, blob, _) = open();
    let location = client.post("/v2/b/blobs/uploads/").await.header("location").to_owned();
    let half = blob.bytes().slice(..1000);
    let broken = futures_util::stream::iter([Ok(Frame::data(half)), Err(std::io::Error::other("gone"))]);
    let target = format!("{location}&digest={}", blob.digest());
    let sent = client
        .send(Method::PUT, &target, &[("content-length", "600000")], Body::new(StreamBody::new(broken)))
        .await;
    assert!(sent.is_err());
    assert!(server.store().blob("b", blob.digest()).is_none());
}

#[tokio::test]
async fn requests_wait_at_a_gate_until_it_opens() {
    let (server, client, blob, path) = open();
    let (head_gate, body_gate) = (Gate::closed(), Gate::closed());
    server.plant(FaultRule::get("/blobs/", RegistryFault::Hold(head_gate.clone())));
    server.plant(FaultRule::get("/blobs/", RegistryFault::HoldBody { after: 300_000, gate: body_gate.clone() }));
    let waiting = tokio::spawn(async move { get(&client, &path).await });
    head_gate.reached_by(1).await;
    assert_eq!(server.log().last().map(|access| access.status), Some(0));
    head_gate.open();
    body_gate.reached_by(1).await;
    assert_eq!(server.log().last().map(|access| (access.status, access.bytes_out)), Some((200, 300_000)));
    body_gate.open();
    assert_eq!(waiting.await.expect("no panic"), Ok((StatusCode::OK, blob.bytes())));
    assert_eq!(server.peak_in_flight(), 1);
}

#[tokio::test]
async fn a_fault_may_strike_at_the_other_host() {
    let (server, client, blob, path) = open();
    server.plant(FaultRule::get("/blobs/", RegistryFault::Redirect));
    server.plant(FaultRule::get("/blobs/", RegistryFault::Truncate { after: 5 }));
    let redirect = client.get(&path).await;
    assert_eq!(redirect.status, StatusCode::TEMPORARY_REDIRECT, "a redirect has no body to spoil");
    let link = redirect.header("location").to_owned();
    assert_eq!(client.get(&link).await.body.len(), 5);
    assert_eq!(client.get(&link).await.body, blob.bytes());
}

#[tokio::test]
async fn large_blobs_stream_without_being_joined() {
    let store = new_store();
    let blob = Blob::generated(1, 64 << 20);
    store.create_repository("a", crate::registry::Mutability::Mutable);
    store.put_blob("a", blob.clone());
    store.discard_uploads_above(1 << 20);
    let server = RegistryServer::open(&store, OpenOptions::default());
    let client = TestClient::of(&server);
    let location = client.post("/v2/b/blobs/uploads/").await.header("location").to_owned();
    let pieces = futures_util::stream::iter(
        blob.pieces(0, blob.size()).map(|piece| Ok::<_, std::io::Error>(Frame::data(piece))),
    );
    let body = Body::new(StreamBody::new(pieces).boxed_unsync());
    let target = format!("{location}&digest={}", blob.digest());
    let end = client.send(Method::PUT, &target, &[], body).await.expect("an answer");
    assert_eq!(end.status, StatusCode::CREATED);
    assert_eq!(
        store.blob("b", blob.digest()).map(|held| (held.size(), held.is_readable())),
        Some((blob.size(), false))
    );
}
