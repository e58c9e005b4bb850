//! A registry in a few lines, for faults that a well-behaved one cannot be made to show.
//!
//! It stores whatever it is sent: only the client under test keeps wrong content out of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use pullsafe::reference::Digest;

#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// After this much of the body, breaks off or falls silent.
    pub(crate) cut: Option<(usize, Cut)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Break,
    Silence,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), cut: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

type Fault = Box<dyn Fn(&Request, usize) -> Option<Reply> + Send + Sync>;

/// How a server treats content that it is sent.
#[derive(Default)]
pub(crate) struct Uploads {
    /// Breaks off PUTs of blobs after this many bytes, `cuts` times.
    pub(crate) cut_after: usize,
    pub(crate) cuts: Mutex<usize>,
    /// Keeps what has arrived of an upload, and says how much when asked.
    pub(crate) keeps: bool,
}

/// What the registry holds, and the requests it got.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) manifests: HashMap<(String, String), (String, Vec<u8>)>,
    pub(crate) blobs: HashMap<(String, Digest), Vec<u8>>,
    pub(crate) log: Vec<Request>,
    /// What has arrived of uploads that broke off, by their path.
    pub(crate) partial: HashMap<String, Vec<u8>>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<Mutex<Store>>,
}

impl Server {
    /// Starts a registry that answers as `fault` says, or correctly where `fault` gives `None`. `fault` gets the
    /// request and how many with the same line came before.
    pub(crate) async fn start(fault: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::start_with(fault, Uploads::default()).await
    }

    pub(crate) async fn start_with(
        fault: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static,
        uploads: Uploads,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Arc::new(Mutex::new(Store::default()));
        let (shared, fault, uploads) = (Arc::clone(&store), Arc::new(Box::new(fault) as Fault), Arc::new(uploads));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), Arc::clone(&fault), Arc::clone(&uploads)));
            }
        });
        Self { address, store }
    }

    pub(crate) async fn good() -> Self {
        Self::start(|_, _| None).await
    }

    pub(crate) fn put_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        self.store.lock().unwrap().blobs.insert((repository.to_owned(), digest.clone()), content.to_vec());
        digest
    }

    pub(crate) fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let mut store = self.store.lock().unwrap();
        for name in [tag, digest.as_str()] {
            store
                .manifests
                .insert((repository.to_owned(), name.to_owned()), (media_type.to_owned(), content.to_vec()));
        }
        digest
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.store.lock().unwrap().log.clone()
    }

    /// Counts the requests with this method and this part in their path.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.method == method && request.path.contains(part))
            .count()
    }
}

async fn serve(
    mut stream: TcpStream,
    store: Arc<Mutex<Store>>,
    fault: Arc<Fault>,
    uploads: Arc<Uploads>,
) -> Option<()> {
    let request = read(&mut stream, &store, &uploads).await?;
    let reply = {
        let mut store = store.lock().unwrap();
        let before = store.log.iter().filter(|earlier| earlier.line() == request.line()).count();
        store.log.push(request.clone());
        fault(&request, before).unwrap_or_else(|| answer(&mut store, &request))
    };
    let mut head =
        format!("HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    if request.method != "HEAD" {
        let sent = reply.cut.map_or(reply.body.len(), |(sent, _)| sent);
        stream.write_all(&reply.body[..sent]).await.ok()?;
        if matches!(reply.cut, Some((_, Cut::Silence))) {
            // Waits until the client gives up and closes.
            let _ = stream.read(&mut [0; 1]).await;
        }
    }
    stream.shutdown().await.ok()
}

/// Reads a request; `None` if the connection breaks before it is whole.
async fn read(stream: &mut TcpStream, store: &Mutex<Store>, uploads: &Uploads) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[head_end + 4..].to_vec();
    let is_blob = method == "PUT" && path.contains("/uploads/");
    while body.len() < length {
        if is_blob && uploads.cut_after > 0 && body.len() >= uploads.cut_after && *uploads.cuts.lock().unwrap() > 0 {
            *uploads.cuts.lock().unwrap() -= 1;
            if uploads.keeps {
                store.lock().unwrap().partial.entry(path.to_owned()).or_default().extend(body);
            }
            return None;
        }
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    })
}

fn answer(store: &mut Store, request: &Request) -> Reply {
    let path = request.path.trim_start_matches("/v2/");
    let query: HashMap<&str, String> = request
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key, value.replace("%3A", ":")))
        .collect();
    if let Some((repository, name)) = path.split_once("/manifests/") {
        let key = (repository.to_owned(), name.to_owned());
        if request.method == "PUT" {
            let (media_type, digest) = (request.header("content-type").to_owned(), Digest::of(&request.body));
            store.manifests.insert(key, (media_type.clone(), request.body.clone()));
            store
                .manifests
                .insert((repository.to_owned(), digest.to_string()), (media_type, request.body.clone()));
            return Reply::new(201, "").with("docker-content-digest", digest.to_string());
        }
        return match store.manifests.get(&key) {
            Some((media_type, bytes)) => Reply::new(200, bytes.clone())
                .with("content-type", media_type)
                .with("docker-content-digest", Digest::of(bytes).to_string()),
            None => Reply::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}"#),
        };
    }
    // There is no referrers API: whoever looks for referrers has to find the tag that stands in for it.
    let Some((repository, rest)) = path.split_once("/blobs/") else {
        return Reply::new(404, "");
    };
    if request.method == "GET" && rest.starts_with("uploads/") {
        return match store.partial.get(&request.path) {
            Some(held) => Reply::new(204, "")
                .with("range", format!("0-{}", held.len() - 1))
                .with("location", request.path.clone()),
            None => Reply::new(404, ""),
        };
    }
    if request.method == "POST" {
        if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from"))
            && let Some(blob) = store.blobs.get(&(from.clone(), digest.parse().unwrap())).cloned()
        {
            store.blobs.insert((repository.to_owned(), digest.parse().unwrap()), blob);
            return Reply::new(201, "");
        }
        return Reply::new(202, "")
            .with("location", format!("/v2/{repository}/blobs/uploads/{}?_state=x%2By", store.log.len()));
    }
    if request.method == "PUT" {
        let mut content = store.partial.remove(&request.path).unwrap_or_default();
        content.extend_from_slice(&request.body);
        store.blobs.insert((repository.to_owned(), query["digest"].parse().unwrap()), content);
        return Reply::new(201, "");
    }
    let Some(blob) = store.blobs.get(&(repository.to_owned(), rest.parse().unwrap())) else {
        return Reply::new(404, "");
    };
    let range = request.header("range").strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    match range.map(|(first, last)| (first.parse::<usize>().unwrap(), last.parse().unwrap_or(blob.len() - 1))) {
        Some((first, last)) => {
            Reply::new(206, &blob[first..=last]).with("content-range", format!("bytes {first}-{last}/{}", blob.len()))
        }
        None => Reply::new(200, blob.clone()),
    }
}
