//! The answers as the AWS SDK reads them. The tests on plain JSON would not notice a wrong name or type of a field.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecr::error::ProvideErrorMetadata as _;
use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier, ImageStatus, ImageTagMutability, LayerAvailability};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::{EcrApi, REGION};
use crate::aws::service::FakeService as _;
use crate::clock::VirtualClock;
use crate::registry::{ImageStore, Sample};

/// The JSON protocol of AWS over one service, without a socket.
#[derive(Debug, Clone)]
struct JsonWire(EcrApi);

impl HttpConnector for JsonWire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let json: Value = request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let (status, body) = match self.0.call(operation, &json) {
            Ok(answer) => (200, answer),
            Err(error) => (error.status, json!({"__type": error.code, "message": error.message})),
        };
        let status = http::StatusCode::from_u16(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.into(), SdkBody::from(body.to_string()))))
    }
}

fn client(api: &EcrApi) -> Client {
    let connector = SharedHttpConnector::new(JsonWire(api.clone()));
    let config = aws_sdk_ecr::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("access", "secret", None, None, "test"))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn the_sdk_reads_every_field() {
    let start = Timestamp::parse("2026-01-15T19:00:00.500Z").expect("a time");
    let api = EcrApi::new(&ImageStore::new(VirtualClock::at(start)));
    let client = client(&api);
    let created = client
        .create_repository()
        .repository_name("app")
        .image_tag_mutability(ImageTagMutability::Immutable)
        .send()
        .await;
    let created = created.expect("a repository").repository.expect("a repository");
    assert_eq!(created.repository_uri(), Some("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app"));
    assert_eq!(created.created_at().map(|time| time.as_secs_f64()), Some(1_768_503_600.5));
    let again = client.create_repository().repository_name("app").send().await.expect_err("a refusal");
    assert!(again.as_service_error().is_some_and(|error| error.is_repository_already_exists_exception()));

    let image = Sample::multi_arch(1).build();
    image.push(api.store(), "app", "1");
    let tag = |tag: &str| ImageIdentifier::builder().image_tag(tag).build();
    let described =
        client.describe_images().repository_name("app").image_ids(tag("1")).send().await.expect("the image");
    let detail = &described.image_details()[0];
    assert_eq!((detail.image_digest(), detail.image_tags()), (Some(image.digest().as_str()), &["1".to_owned()][..]));
    assert_eq!(detail.image_status(), Some(&ImageStatus::Active));
    assert_eq!(detail.image_pushed_at().map(|time| time.as_secs_f64()), Some(1_768_503_600.5));
    assert!(detail.image_size_in_bytes().is_some_and(|size| size > 5000));
    let missing = client
        .describe_images()
        .repository_name("app")
        .image_ids(tag("2"))
        .send()
        .await
        .expect_err("a refusal");
    assert_eq!(missing.code(), Some("ImageNotFoundException"));
    assert!(missing.as_service_error().is_some_and(|error| error.is_image_not_found_exception()));

    let got = client
        .batch_get_image()
        .repository_name("app")
        .image_ids(tag("1"))
        .image_ids(tag("2"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(got.images()[0].image_manifest().map(str::as_bytes), Some(&image.top.bytes[..]));
    assert_eq!(got.failures()[0].failure_code(), Some(&ImageFailureCode::ImageNotFound));

    let layers = client
        .batch_check_layer_availability()
        .repository_name("app")
        .layer_digests(image.blobs[0].digest().as_str());
    let layers = layers.send().await.expect("an answer");
    assert_eq!(layers.layers()[0].layer_availability(), Some(&LayerAvailability::Available));

    let manifest = String::from_utf8_lossy(&image.top.bytes);
    let put = client
        .put_image()
        .repository_name("app")
        .image_tag("1")
        .image_manifest(manifest)
        .send()
        .await
        .expect_err("a refusal");
    assert!(put.as_service_error().is_some_and(|error| error.is_image_already_exists_exception()));

    let token = client.get_authorization_token().send().await.expect("a token");
    let data = &token.authorization_data()[0];
    assert_eq!(data.expires_at().map(|time| time.secs()), Some(1_768_503_600 + 43_200));
    assert_eq!(data.proxy_endpoint(), Some("https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"));
}
