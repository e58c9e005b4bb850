//! Amazon ECR and an open registry, as a pushing client sees them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{Method, StatusCode};
use pullsafe::reference::Digest;
use serde_json::{Value, json};

use super::test_client::{TestClient, new_store};
use super::{EcrOptions, RegistryServer};
use crate::aws::service::FakeService as _;
use crate::ecr::EcrApi;
use crate::registry::{Blob, ImageStore, Mutability, OpenOptions, Patch, Sample, SampleImage, media_type};

fn ecr(options: EcrOptions) -> (RegistryServer, EcrApi, TestClient) {
    let store = new_store();
    let server = RegistryServer::ecr(&store, options);
    let api = EcrApi::new(&store);
    let client = signed_in(&server, &api);
    (server, api, client)
}

fn signed_in(server: &RegistryServer, api: &EcrApi) -> TestClient {
    let answer = api.call("GetAuthorizationToken", &json!({})).expect("a token");
    let token = answer["authorizationData"][0]["authorizationToken"].as_str().expect("a token").to_owned();
    assert!(BASE64_STANDARD.decode(&token).expect("base64").starts_with(b"AWS:"));
    TestClient::of(server).with("authorization", format!("Basic {token}"))
}

async fn push_blob(client: &TestClient, repository: &str, blob: &Blob) {
    let start = client.post(&format!("/v2/{repository}/blobs/uploads/")).await;
    assert_eq!(start.status, StatusCode::ACCEPTED);
    let location = start.header("location");
    let join = if location.contains('?') { '&' } else { '?' };
    let digest = blob.digest().as_str().replace(':', "%3A");
    let end = client
        .put(&format!("{location}{join}digest={digest}"), "application/octet-stream", blob.bytes())
        .await;
    assert_eq!(end.status, StatusCode::CREATED, "{:?}", end.body);
}

async fn push(client: &TestClient, repository: &str, tag: &str, image: &SampleImage) {
    for blob in &image.blobs {
        push_blob(client, repository, blob).await;
    }
    for (manifest, reference) in
        image.children.iter().map(|child| (child, child.digest.as_str())).chain([(&image.top, tag)])
    {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let reply = client.put(&path, &manifest.media_type, manifest.bytes.clone()).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{:?}", reply.body);
        assert_eq!(reply.header("docker-content-digest"), manifest.digest.as_str());
    }
}

#[tokio::test]
async fn a_pushed_image_is_seen_by_the_api_and_can_be_pulled_as_it_was() {
    let (server, api, client) = ecr(EcrOptions { redirect_blobs: false, ..EcrOptions::default() });
    api.call("CreateRepository", &json!({"repositoryName": "docker-hub/library/python"}))
        .expect("a repository");
    let image = Sample::multi_arch(1).layers(&[300_000, 10]).build();
    push(&client, "docker-hub/library/python", "3.11-slim", &image).await;
    let pulled = client.get("/v2/docker-hub/library/python/manifests/3.11-slim").await;
    assert_eq!(pulled.body, image.top.bytes);
    for blob in &image.blobs {
        let reply = client.get(&format!("/v2/docker-hub/library/python/blobs/{}", blob.digest())).await;
        assert_eq!(&Digest::of(&reply.body), blob.digest());
    }
    let described = api.call(
        "DescribeImages",
        &json!({"repositoryName": "docker-hub/library/python", "imageIds": [{"imageTag": "3.11-slim"}]}),
    );
    assert_eq!(described.expect("the image")["imageDetails"][0]["imageDigest"], json!(image.digest()));
    assert_eq!(client.get("/v2/docker-hub/library/python/tags/list").await.json()["tags"], json!(["3.11-slim"]));
    let pushes = server.store().pushes();
    assert_eq!(pushes.len(), 5);
    assert!(pushes[..4].iter().all(|push| push.tag.is_none()));
    assert_eq!(pushes[4].tag.as_deref(), Some("3.11-slim"));
}

#[tokio::test]
async fn passwords_end_after_twelve_hours() {
    let (server, _, client) = ecr(EcrOptions::default());
    let stranger = TestClient::of(&server).get("/v2/").await;
    assert_eq!((stranger.status, &stranger.header("www-authenticate")[..5]), (StatusCode::UNAUTHORIZED, "Basic"));
    assert_eq!(client.get("/v2/").await.status, StatusCode::OK);
    server.store().clock().advance(12 * 60 * 60);
    let late = client.get("/v2/").await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::FORBIDDEN, "DENIED"));
    assert!(
        late.json()["errors"][0]["message"]
            .as_str()
            .is_some_and(|message| message.contains("token has expired"))
    );
}

#[tokio::test]
async fn a_manifest_comes_after_what_it_names_and_a_locked_tag_stays() {
    let (server, _, client) = ecr(EcrOptions::default());
    let missing = client.post("/v2/nowhere/blobs/uploads/").await;
    assert_eq!((missing.status, missing.code().as_str()), (StatusCode::NOT_FOUND, "NAME_UNKNOWN"));

    server.store().create_repository("app", Mutability::Immutable);
    let image = Sample::multi_arch(1).build();
    let child = &image.children[0];
    let put = async |manifest: &[u8], media_type: &str, reference: &str| {
        let reply = client.put(&format!("/v2/app/manifests/{reference}"), media_type, manifest.to_vec()).await;
        (reply.status.as_u16(), reply.code())
    };
    assert_eq!(
        put(&child.bytes, &child.media_type, child.digest.as_str()).await,
        (400, "BLOB_UPLOAD_INVALID".to_owned())
    );
    assert_eq!(put(&image.top.bytes, &image.top.media_type, "1").await, (400, "MANIFEST_BLOB_UNKNOWN".to_owned()));
    assert_eq!(put(b"{}", media_type::OCI_MANIFEST, "1").await, (405, "UNSUPPORTED".to_owned()));

    push(&client, "app", "1", &image).await;
    let other = image.digest().as_str();
    assert_eq!(
        put(&child.bytes, &child.media_type, other).await,
        (400, "MANIFEST_INVALID".to_owned()),
        "another digest than its own"
    );
    assert_eq!(put(&child.bytes, &child.media_type, "1").await, (400, "TAG_INVALID".to_owned()));
    assert_eq!(
        put(&image.top.bytes, &image.top.media_type, "1").await,
        (400, "TAG_INVALID".to_owned()),
        "even where nothing changes"
    );
    assert_eq!(server.store().image("app", "1").map(|image| image.digest).as_ref(), Some(image.digest()));
}

#[tokio::test]
async fn wrong_content_is_refused_and_blobs_belong_to_one_repository() {
    let (server, _, client) = ecr(EcrOptions::default());
    server.store().create_repository("a", Mutability::Mutable);
    server.store().create_repository("b", Mutability::Mutable);
    let blob = Blob::generated(1, 1000);
    let start = client.post("/v2/a/blobs/uploads/").await;
    let target = format!("{}?digest={}", start.header("location"), blob.digest());
    let wrong = client.put(&target, "application/octet-stream", "something else").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (StatusCode::BAD_REQUEST, "DIGEST_INVALID"));
    assert_eq!(
        client.put(&target, "application/octet-stream", blob.bytes()).await.code(),
        "BLOB_UPLOAD_UNKNOWN",
        "the upload is over"
    );
    push_blob(&client, "a", &blob).await;
    assert_eq!(client.head(&format!("/v2/a/blobs/{}", blob.digest())).await.status, StatusCode::OK);
    assert_eq!(client.head(&format!("/v2/b/blobs/{}", blob.digest())).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_mount_needs_the_setting_and_a_committed_manifest() {
    let (server, api, client) = ecr(EcrOptions::default());
    server.store().create_repository("a", Mutability::Mutable);
    server.store().create_repository("b", Mutability::Mutable);
    let image = Sample::new(1).build();
    let blob = &image.blobs[0];
    push_blob(&client, "a", blob).await;
    let mount = format!("/v2/b/blobs/uploads/?mount={}&from=a", blob.digest());
    assert_eq!(client.post(&mount).await.status, StatusCode::ACCEPTED, "the setting is off");
    api.call("PutAccountSetting", &json!({"name": "BLOB_MOUNTING", "value": "ENABLED"}))
        .expect("a setting");
    let refused = client.post(&mount).await;
    assert_eq!(refused.status, StatusCode::ACCEPTED, "no manifest names the blob yet");
    let target = format!("{}?digest={}", refused.header("location"), blob.digest());
    push(&client, "a", "1", &image).await;
    assert_eq!(client.post(&mount).await.status, StatusCode::CREATED);
    assert_eq!(client.head(&format!("/v2/b/blobs/{}", blob.digest())).await.status, StatusCode::OK);
    let used = client.put(&target, "application/octet-stream", blob.bytes()).await;
    assert_eq!(used.status, StatusCode::CREATED, "the upload that a refused mount opened is a real one");
}

#[tokio::test]
async fn chunks_meet_what_ecr_does_with_them() {
    let (server, _, client) = ecr(EcrOptions::default());
    server.store().create_repository("a", Mutability::Mutable);
    let blob = Blob::generated(3, 11 << 20);
    let all = blob.bytes();
    let (first, second, last) = (all.slice(..5 << 20), all.slice(5 << 20..10 << 20), all.slice(10 << 20..));
    let location = client.post("/v2/a/blobs/uploads/").await.header("location").to_owned();
    for chunk in [first, second] {
        let reply = client.patch(&location, chunk).await;
        assert_eq!((reply.status, reply.header("range")), (StatusCode::CREATED, "0-5242879"), "the range stands still");
    }
    let misplaced = [("content-range", "5242880-10485759")];
    let refused = client.send(Method::PATCH, &location, &misplaced, last.clone()).await.expect("an answer");
    assert_eq!(refused.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let end = client.put(&format!("{location}?digest={}", blob.digest()), "application/octet-stream", last).await;
    assert_eq!(end.status, StatusCode::CREATED, "all data arrived all the same");

    let location = client.post("/v2/a/blobs/uploads/").await.header("location").to_owned();
    assert_eq!(client.patch(&location, "small").await.status, StatusCode::CREATED);
    assert_eq!(client.patch(&location, "next").await.code(), "BLOB_UPLOAD_INVALID");

    let (server, _, client) = ecr(EcrOptions { patch: Patch::Refused, ..EcrOptions::default() });
    server.store().create_repository("a", Mutability::Mutable);
    let location = client.post("/v2/a/blobs/uploads/").await.header("location").to_owned();
    assert_eq!(client.patch(&location, "x").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn referrers_are_found_by_their_subject() {
    let (server, _, client) = ecr(EcrOptions::default());
    let image = Sample::new(1).build();
    image.push(server.store(), "a", "1");
    let empty = Blob::of("{}");
    server.store().put_blob("a", empty.clone());
    let subject = json!({"mediaType": image.top.media_type, "digest": image.digest(), "size": image.top.bytes.len()});
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty.digest(), "size": 2});
    let signature = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": "application/vnd.cncf.notary.signature",
        "config": config, "layers": [], "subject": subject, "annotations": {"a": "b"},
    });
    let digest = Digest::of(signature.to_string().as_bytes());
    let pushed = client
        .put(&format!("/v2/a/manifests/{digest}"), media_type::OCI_MANIFEST, signature.to_string())
        .await;
    assert_eq!(pushed.header("oci-subject"), image.digest().as_str());
    let path = format!("/v2/a/referrers/{}", image.digest());
    let found = client.get(&path).await.json();
    assert_eq!(
        (&found["manifests"][0]["digest"], &found["manifests"][0]["annotations"]),
        (&json!(digest), &json!({"a": "b"}))
    );
    let filtered = client.get(&format!("{path}?artifactType=application%2Fother")).await;
    assert_eq!(
        (filtered.header("oci-filters-applied"), &filtered.json()["manifests"]),
        ("artifactType", &Value::from(Vec::<Value>::new()))
    );
}

#[tokio::test]
async fn an_open_registry_makes_repositories_and_mounts_what_it_has() {
    let store: ImageStore = new_store();
    let server = RegistryServer::open(&store, OpenOptions::default());
    let client = TestClient::of(&server);
    let image = Sample::multi_arch(5).base(9, 2000).build();
    push(&client, "team/app", "1", &image).await;
    assert_eq!(client.get("/v2/team/app/manifests/1").await.body, image.top.bytes);
    let mount = format!("/v2/team/other/blobs/uploads/?mount={}&from=team/app", image.blobs[0].digest());
    assert_eq!(client.post(&mount).await.status, StatusCode::CREATED);
    let location = client.post("/v2/team/app/blobs/uploads/").await.header("location").to_owned();
    assert!(
        location.starts_with("/v2/") && location.contains('?'),
        "a relative location with a query: {location}"
    );
    assert_eq!(client.patch(&location, "abc").await.header("range"), "0-2");
    assert_eq!(client.patch(&location, "de").await.header("range"), "0-4");
    for tag in ["2", "3", "4"] {
        image.push(&store, "team/app", tag);
    }
    let page = client.get("/v2/team/app/tags/list?n=2&last=1").await;
    assert_eq!(page.json()["tags"], json!(["2", "3"]));
    assert_eq!(page.header("link"), r#"</v2/team/app/tags/list?last=3&n=2>; rel="next""#);
}
