//! The fake on a real socket, for programs that cannot be given an HTTP client. They find it by `AWS_ENDPOINT_URL`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use axum::Router;
use axum::extract::State;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::FakeAws;
use super::fake::FakeReply;
use super::wire::WireRequest;

/// A fake that listens until this is dropped.
#[derive(Debug)]
pub struct Served {
    url: String,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Served {
    /// How many connections have been accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The value for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeAws {
    /// Serves this AWS on a port of the loopback interface, in both protocols, with the same log and the same faults. A
    /// fault that loses the answer becomes a 502 here. A death becomes an answer that never comes.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn serve(&self) -> std::io::Result<Served> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let listener = listener.tap_io(move |stream| {
            counter.fetch_add(1, Ordering::Relaxed);
            // Without this, an answer in two packets would wait until its first packet is acknowledged. If the option
            // cannot be set, the stream is only slower.
            stream.set_nodelay(true).ok();
        });
        let routes = Router::new().fallback(answer).with_state(self.clone());
        let task = tokio::spawn(async move {
            // If the server ends with an error, clients see an AWS that cannot be reached.
            axum::serve(listener, routes).await.ok();
        });
        Ok(Served { url, connections, task })
    }
}

async fn answer(State(fake): State<FakeAws>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let address = uri.path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    let wire = match WireRequest::read(method.as_str(), address, target, &body) {
        Ok(wire) => wire,
        Err(why) => return (StatusCode::NOT_IMPLEMENTED, why).into_response(),
    };
    if let Some(rounds) = fake.rounds() {
        rounds.pass(format!("{}:{}", wire.service, wire.operation)).await;
    }
    match fake.handle(&wire.service, &wire.operation, wire.request.clone()) {
        FakeReply::Answer(said) => match wire.render(said).map(over_http) {
            Ok(Some(response)) => response,
            Ok(None) => (StatusCode::INTERNAL_SERVER_ERROR, "an answer that is no HTTP").into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        },
        FakeReply::Lost(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        FakeReply::Never => std::future::pending().await,
    }
}

fn over_http(response: HttpResponse) -> Option<Response> {
    let response = response.try_into_http1x().ok()?;
    Some(response.map(|body| body.bytes().map(Bytes::copy_from_slice).unwrap_or_default().into()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
    use pullsafe::timestamp::Timestamp;

    use crate::aws::sns::Sns;
    use crate::aws::sqs::Sqs;
    use crate::aws::{FakeAws, REGION};
    use crate::clock::VirtualClock;

    /// Real clients with their own HTTP client, in both protocols: one gets an answer, one a typed error.
    #[tokio::test]
    async fn real_clients_are_answered_over_the_socket() {
        let clock = VirtualClock::at(Timestamp::from_millis(0));
        let queues = Sqs::new(clock.clone()).with_queue("work", 30);
        let topic = Sns::new(clock.clone()).with_topic("people");
        let aws = FakeAws::new(clock)
            .with_service("sqs", Arc::new(queues))
            .with_service("sns", Arc::new(topic.clone()));
        let served = aws.serve().await.unwrap();
        let credentials = Credentials::new("AKIDEXAMPLE", "example-secret", None, None, "fake");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(served.url())
            .build();
        let sns = aws_sdk_sns::Client::new(&config);
        sns.publish().topic_arn(Sns::arn("people")).message("a & b").send().await.unwrap();
        assert_eq!(topic.published()[0].message, "a & b");
        let sqs = aws_sdk_sqs::Client::new(&config);
        let error = sqs.send_message().queue_url(Sqs::url("none")).message_body("x").send().await.unwrap_err();
        assert!(error.into_service_error().is_queue_does_not_exist());
        assert_eq!(
            (aws.count("Publish"), aws.count("SendMessage"), served.connections()),
            (1, 1, 2),
            "each client has its own"
        );
    }
}
