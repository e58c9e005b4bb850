//! The registry sends images from a folder. Of an uploaded blob it keeps the digest and the size, and the content only
//! if it is small.
//!
//! `GET /_log` returns the access log (see `log.rs`), `POST /_forget` clears it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::ServerConfig;

use crate::http::{Body, Request, Response};
use crate::line::{Far, Quality};
use crate::log::{Entry, Log};
use crate::store::{Store, blob_path};
use crate::wire::{Carrier, Wire};

/// The first byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;
const JSON: &str = "application/json";

#[derive(PartialEq, Eq)]
pub enum Access {
    Open,
    /// A token, which anybody gets.
    Token,
    /// A password, and any will do.
    Password,
}

pub struct Registry {
    store: Mutex<Store>,
    log: Log,
    folder: Option<PathBuf>,
    access: Access,
    /// Whether its token service is reached over TLS.
    encrypted: bool,
}

/// How clients connect: with TLS or not, over a slow line or not.
#[derive(Clone)]
pub struct Road {
    pub tls: Option<Arc<ServerConfig>>,
    pub quality: Quality,
}

pub fn listen(port: u16, registry: Registry, road: &Road) {
    let registry = Arc::new(registry);
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    for stream in listener.incoming().flatten() {
        let (registry, road) = (Arc::clone(&registry), road.clone());
        thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            // An error here means that the client has left.
            let _ = registry.serve(stream, &road);
        });
    }
}

impl Registry {
    pub fn new(folder: Option<PathBuf>, access: Access, encrypted: bool) -> Self {
        let store = folder.as_deref().map(Store::load).unwrap_or_default();
        Self { store: Mutex::new(store), log: Log::default(), folder, access, encrypted }
    }

    fn serve(&self, stream: TcpStream, road: &Road) -> io::Result<()> {
        let carrier = if road.quality.is_loopback() { Carrier::Near(stream) } else { Carrier::Far(Far::over(stream, road.quality)?) };
        let mut client = BufReader::with_capacity(256 * 1024, Wire::server(carrier, road.tls.as_ref()));
        if road.tls.is_none() && client.fill_buf()?.first() == Some(&TLS_HANDSHAKE) {
            // Some clients try TLS first. They get an answer at once, as from servers in Go.
            return client.get_mut().write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an \
                HTTP server.\n");
        }
        while let Some(mut request) = Request::read(&mut client)? {
            match request.path.as_str() {
                "/_log" => Response::new(200, self.log.text()).send(client.get_mut(), false, &AtomicU64::new(0))?,
                "/_forget" => {
                    self.log.clear();
                    Response::new(200, "").send(client.get_mut(), false, &AtomicU64::new(0))?;
                }
                _ => {
                    let response = self.answer(&mut request);
                    // The request is logged before the response is sent, so a client that has read the response finds
                    // it in the log.
                    let sent = self.note(&request, &response);
                    response.send(client.get_mut(), request.is_head(), &sent)?;
                }
            }
            if request.closes() {
                break;
            }
        }
        Ok(())
    }

    fn note(&self, request: &Request, response: &Response) -> Arc<AtomicU64> {
        let bytes_out = Arc::new(AtomicU64::new(0));
        self.log.add(Entry {
            method: request.method.clone(),
            kind: kind(&request.path),
            status: response.status,
            bytes_in: request.bytes_in,
            bytes_out: Arc::clone(&bytes_out),
            note: response.note,
            path: request.path.clone(),
        });
        bytes_out
    }

    fn answer(&self, request: &mut Request) -> Response {
        if request.path == "/token" {
            return Response::new(200, r#"{"token":"t","access_token":"t","expires_in":300}"#).with("content-type", JSON);
        }
        if let Some(challenge) = self.challenge(request) {
            return Response::new(401, "{}").with("www-authenticate", challenge);
        }
        let path = request.path.clone();
        let rest = path.trim_start_matches("/v2").trim_start_matches('/');
        if rest.is_empty() {
            Response::new(200, "{}")
        } else if let Some(repository) = rest.strip_suffix("/tags/list") {
            let tags: Vec<String> = self.store().tags(repository).iter().map(|tag| format!("\"{tag}\"")).collect();
            let text = format!("{{\"name\": \"{repository}\", \"tags\": [{}]}}", tags.join(", "));
            Response::new(200, text).with("content-type", JSON)
        } else if let Some((repository, reference)) = rest.split_once("/manifests/") {
            self.manifest(request, repository, reference)
        } else if let Some((repository, upload)) = rest.split_once("/blobs/uploads") {
            self.upload(request, repository, upload.trim_start_matches('/'))
        } else if let Some((repository, digest)) = rest.split_once("/blobs/") {
            self.blob(request, repository, digest)
        } else {
            unknown("NAME_UNKNOWN")
        }
    }

    /// The challenge for a request without valid credentials.
    fn challenge(&self, request: &Request) -> Option<String> {
        let authorization = request.header("authorization").unwrap_or_default();
        match self.access {
            Access::Token if authorization != "Bearer t" => {
                let host = request.header("host").unwrap_or_default();
                let scheme = if self.encrypted { "https" } else { "http" };
                Some(format!("Bearer realm=\"{scheme}://{host}/token\",service=\"light\""))
            }
            Access::Password if !authorization.starts_with("Basic ") => Some(String::from("Basic realm=\"light\"")),
            Access::Open | Access::Token | Access::Password => None,
        }
    }

    fn manifest(&self, request: &mut Request, repository: &str, reference: &str) -> Response {
        if request.method == "PUT" {
            let media_type = request.header("content-type").unwrap_or_default().to_owned();
            let bytes = std::mem::take(&mut request.body);
            self.store().put_manifest(repository, reference, &media_type, bytes);
            return Response::new(201, "").with("location", &request.path);
        }
        let Some(manifest) = self.store().manifest(repository, reference) else { return unknown("MANIFEST_UNKNOWN") };
        let response = Response::new(200, "").with("content-type", manifest.media_type).with("docker-content-digest", manifest.digest);
        Response { body: Body::Bytes(manifest.bytes), ..response }
    }

    fn upload(&self, request: &mut Request, repository: &str, upload: &str) -> Response {
        let mut store = self.store();
        let created = |digest: &str| {
            Response::new(201, "").with("location", format!("/v2/{repository}/blobs/{digest}")).with("docker-content-digest", digest)
        };
        let content = std::mem::take(&mut request.body);
        match request.method.as_str() {
            "POST" => {
                let mount = request.query("mount").zip(request.query("from"));
                if let Some((digest, from)) = mount
                    && store.mount(repository, digest, from)
                {
                    return created(digest).noted("mount");
                }
                let location = format!("/v2/{repository}/blobs/uploads/{}", store.open_upload());
                let response = Response::new(202, "").with("location", location).with("range", "0-0").with("docker-upload-uuid", "u");
                response.noted(if mount.is_some() { "mount" } else { "-" })
            }
            "PATCH" => {
                let total = store.append(upload, request.bytes_in, content);
                let range = format!("0-{}", total.saturating_sub(1));
                Response::new(202, "").with("location", &request.path).with("range", range).with("docker-upload-uuid", "u")
            }
            _ => {
                let digest = request.query("digest").unwrap_or_default();
                let again = store.finish(repository, upload, digest, request.bytes_in, content);
                created(digest).noted(if again { "again" } else { "-" })
            }
        }
    }

    fn blob(&self, request: &Request, repository: &str, digest: &str) -> Response {
        let (size, content) = {
            let store = self.store();
            (store.blob(repository, digest), store.content(digest))
        };
        let Some(size) = size else { return unknown("BLOB_UNKNOWN") };
        let Ok(range) = request.range(size) else {
            return Response::new(416, "").with("content-range", format!("bytes */{size}")).noted("range");
        };
        let (start, end) = range.map_or((0, size), |(first, last)| (first, last + 1));
        let body = match (&self.folder, content) {
            (_, Some(content)) => {
                let at = |at: u64| usize::try_from(at).unwrap_or(content.len()).min(content.len());
                Body::Bytes(Arc::new(content[at(start)..at(end)].to_vec()))
            }
            (Some(folder), None) => Body::File(blob_path(folder, digest), start, end - start),
            // The content of large blobs is not kept, but a HEAD finds them.
            (None, None) if request.is_head() => Body::File(PathBuf::new(), start, end - start),
            (None, None) => return unknown("BLOB_UNKNOWN"),
        };
        let response = Response::new(if range.is_some() { 206 } else { 200 }, "")
            .with("content-type", "application/octet-stream")
            .with("accept-ranges", "bytes")
            .with("docker-content-digest", digest);
        let response = Response { body, ..response };
        match range {
            Some((first, last)) => response.with("content-range", format!("bytes {first}-{last}/{size}")).noted("range"),
            None => response,
        }
    }

    fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        self.store.lock().expect("the store")
    }
}

fn unknown(code: &str) -> Response {
    Response::new(404, format!(r#"{{"errors":[{{"code":"{code}","message":"unknown"}}]}}"#)).with("content-type", JSON)
}

fn kind(path: &str) -> &'static str {
    let rest = path.trim_start_matches("/v2").trim_start_matches('/');
    match rest {
        "" => "ping",
        "token" => "token",
        _ if rest.ends_with("/tags/list") => "tags",
        _ if rest.contains("/manifests/") => "manifest",
        _ if rest.contains("/blobs/uploads") => "upload",
        _ if rest.contains("/blobs/") => "blob",
        _ => "other",
    }
}
