//! From a connection to an answer: the log, the planted faults, the operation.

use std::net::TcpListener;
use std::sync::Arc;

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::SharedServer;
use super::answer::{
    Cut, ServerAnswer, abuse, counted, error, has_content, json_body, respond, spoil, too_many_requests,
};
use super::fault::RegistryFault;
use super::log::AccessLine;
use super::request::{Query, Route, source};

/// A listener on a free port, and its URL.
pub(super) fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on the loopback interface");
    listener.set_nonblocking(true).expect("a listener that does not block");
    let url = format!("http://{}", listener.local_addr().expect("the port it got"));
    (listener, url)
}

/// Accepts connections until this is dropped, which also ends the connections. With an `address`, the requests seem to
/// come from there.
pub(super) async fn accept(server: &Arc<SharedServer>, listener: TcpListener, cdn: bool, address: Option<HeaderValue>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener of this runtime");
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Without this, small answers wait until earlier ones are acknowledged.
        let _ = stream.set_nodelay(true);
        let (server, address) = (Arc::clone(server), address.clone());
        connections.spawn(async move {
            let service = service_fn(|mut request: Request<Incoming>| {
                if let Some(address) = &address {
                    request.headers_mut().insert("x-forwarded-for", address.clone());
                }
                Arc::clone(&server).serve(request, cdn)
            });
            // An error means a cut, either planted here or made by the client.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

impl SharedServer {
    async fn serve(self: Arc<Self>, request: Request<Incoming>, cdn: bool) -> ServerAnswer {
        let (parts, body) = request.into_parts();
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let open = self.log.open(AccessLine {
            method: parts.method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            status: 0,
            source: source(&parts.headers),
            bytes_out: 0,
            had_authorization: parts.headers.contains_key(AUTHORIZATION),
            cdn,
        });
        let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
        if let Some(rounds) = self.rounds.get() {
            rounds.pass(format!("{} {path}", parts.method)).await;
        }
        let fault = self.faults.strike(&parts.method, target, false);
        let mut body = Body::new(body);
        let mut redirect = self.mode.redirects_blobs();
        let instead = match fault {
            None => None,
            Some(RegistryFault::Redirect) => {
                redirect = true;
                None
            }
            Some(fault) => self.strike(fault, &Route::of(path), &mut body).await?,
        };
        let response = match instead {
            Some(response) => response,
            None if cdn => self.cdn(&parts.method, &parts.headers, path, query),
            None => self.route(&parts, &mut body, redirect).await?,
        };
        // The request is read to its end first: some clients do not see an answer that comes earlier.
        while let Some(Ok(_)) = body.frame().await {}
        let spoiled = if has_content(&response) {
            self.faults.strike(&parts.method, target, true)
        } else {
            None
        };
        let response = match spoiled {
            Some(fault) => spoil(response, fault),
            None => response,
        };
        Ok(counted(response, open))
    }

    /// Carries out a fault that strikes before the answer. Returns the answer to give instead, if any.
    async fn strike(
        &self,
        fault: RegistryFault,
        route: &Route<'_>,
        body: &mut Body,
    ) -> Result<Option<Response<Body>>, Cut> {
        match fault {
            RegistryFault::Status(status) => {
                let status = StatusCode::from_u16(status).expect("a status between 100 and 999");
                Ok(Some(error(status, "UNKNOWN", status.canonical_reason().unwrap_or("unknown error"))))
            }
            RegistryFault::Unauthorized => Ok(Some(self.expired(route))),
            RegistryFault::TooManyRequests(retry_after) => {
                Ok(Some(too_many_requests(retry_after, "TOOMANYREQUESTS", "Rate exceeded")))
            }
            RegistryFault::Abuse => Ok(Some(abuse())),
            RegistryFault::Cut { after } => {
                let mut seen = 0;
                while seen < after {
                    let Some(Ok(frame)) = body.frame().await else { break };
                    seen += frame.data_ref().map_or(0, |data| data.len() as u64);
                }
                Err(Cut)
            }
            RegistryFault::Hold(gate) => {
                gate.pass().await;
                Ok(None)
            }
            RegistryFault::Redirect
            | RegistryFault::Truncate { .. }
            | RegistryFault::Corrupt
            | RegistryFault::Reset { .. }
            | RegistryFault::HoldBody { .. }
            | RegistryFault::Trickle { .. } => Ok(None),
        }
    }

    async fn route(&self, parts: &http::request::Parts, body: &mut Body, redirect: bool) -> ServerAnswer {
        let (method, headers) = (&parts.method, &parts.headers);
        let query = Query::of(parts.uri.query().unwrap_or_default());
        let route = Route::of(parts.uri.path());
        match route {
            Route::Token if method == Method::POST => {
                let form = form(body).await;
                return Ok(self.token(headers, &query, Some(&Query::of(&form))));
            }
            Route::Token => return Ok(self.token(headers, &query, None)),
            Route::HubTags { namespace, repository, tag } => {
                return Ok(self.hub_tags(headers, &format!("{namespace}/{repository}"), tag, &query));
            }
            Route::Unknown => return Ok(error(StatusCode::NOT_FOUND, "NOT_FOUND", "page not found")),
            Route::Ping
            | Route::Manifest { .. }
            | Route::Blob { .. }
            | Route::Uploads { .. }
            | Route::Upload { .. }
            | Route::Tags { .. }
            | Route::Referrers { .. } => {}
        }
        let reads = method == Method::GET || method == Method::HEAD;
        let caller = match self.authenticate(headers, &route, !reads) {
            Ok(caller) => caller,
            Err(refusal) => return Ok(*refusal),
        };
        match route {
            Route::Ping if reads => Ok(json_body(respond(StatusCode::OK), &serde_json::json!({}))),
            Route::Manifest { repository, reference } if reads => {
                Ok(self.pull_manifest(method, headers, &caller, repository, reference))
            }
            Route::Manifest { repository, reference } if method == Method::PUT => {
                self.push_manifest(headers, repository, reference, body).await
            }
            Route::Blob { repository, digest } if reads => {
                Ok(self.pull_blob(method, headers, repository, digest, redirect))
            }
            Route::Uploads { repository } if method == Method::POST => Ok(self.start_upload(repository, &query)),
            Route::Upload { repository, id } if method == Method::PATCH => {
                self.upload_chunk(headers, repository, id, body).await
            }
            Route::Upload { repository, id } if method == Method::PUT => {
                self.finish_upload(repository, id, &query, body).await
            }
            Route::Upload { repository, id } if method == Method::DELETE => Ok(self.cancel_upload(repository, id)),
            Route::Tags { repository } if reads => Ok(self.tags_list(repository, &query)),
            Route::Referrers { repository, digest } if reads => Ok(self.referrers(repository, digest, &query)),
            Route::Ping
            | Route::Token
            | Route::Manifest { .. }
            | Route::Blob { .. }
            | Route::Uploads { .. }
            | Route::Upload { .. }
            | Route::Tags { .. }
            | Route::Referrers { .. }
            | Route::HubTags { .. }
            | Route::Unknown => {
                Ok(error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported."))
            }
        }
    }
}

/// Reads the whole body of a form.
async fn form(body: &mut Body) -> String {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
