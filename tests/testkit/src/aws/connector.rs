//! The fake as the HTTP client of an SDK client.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use super::FakeAws;
use super::fake::FakeReply;
use super::wire::WireRequest;

impl HttpClient for FakeAws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fake = self.clone();
        HttpConnectorFuture::new(async move { answer(&fake, request).await })
    }
}

async fn answer(fake: &FakeAws, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let body = request.take_body().collect().await.map_err(ConnectorError::user)?.to_bytes();
    let uri = http::Uri::try_from(request.uri()).unwrap_or_default();
    let address = uri.path_and_query().map(http::uri::PathAndQuery::as_str).unwrap_or_default();
    let mut wire = WireRequest::read(request.method(), address, request.headers().get("x-amz-target"), &body)
        .map_err(|why| ConnectorError::user(why.into()))?;
    if wire.service == "sts" {
        // The signature says who asks, and it is in the headers only.
        let headers: Map<String, Value> =
            request.headers().iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        wire.request["headers"] = Value::Object(headers);
    }
    // Other waiting tasks go first, so that two concurrent handlers can interleave between any two calls.
    tokio::task::yield_now().await;
    if let Some(rounds) = fake.rounds() {
        rounds.pass(format!("{}:{}", wire.service, wire.operation)).await;
    }
    let reply = fake.handle(&wire.service, &wire.operation, wire.request.clone());
    match reply {
        FakeReply::Answer(answer) => wire.render(answer),
        FakeReply::Lost(error) => Err(error),
        FakeReply::Never => std::future::pending().await,
    }
}
