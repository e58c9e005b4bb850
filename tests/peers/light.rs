//! A registry that does as little as it can, and a line that is as slow as it is told: for measuring clients and not servers.
//!
//! Needs nothing but the standard library (`rustc -O light.rs`), see `peers.py`.
//!
//!     light registry PORT [--images FOLDER] [--token | --basic]
//!     light delay PORT TO_PORT MILLISECONDS
//!
//! The registry sends images from a folder by `sendfile`, and throws away what is uploaded beyond its digest and size: it
//! believes whatever it is sent. `GET /_stats` tells what was asked of it, `POST /_reset` forgets that and all uploads.
//! The line holds every byte for half a round trip in each direction, and lets each connection have a window in flight that
//! grows as TCP's does, from 15 kB to 2.8 MB: one stream over 20 ms carries 139 MB/s.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = |n: usize| arguments.get(n).and_then(|port| port.parse::<u16>().ok()).expect("a port");
    match arguments.first().map(String::as_str) {
        Some("registry") => registry(port(1), &arguments[2..]),
        Some("delay") => delay(port(1), port(2), arguments[3].parse().expect("milliseconds")),
        _ => panic!("light registry PORT [--images FOLDER] [--token | --basic], or light delay PORT TO_PORT MILLISECONDS"),
    }
}

#[derive(Default)]
struct Store {
    /// By repository and tag or digest.
    manifests: HashMap<(String, String), (String, Arc<Vec<u8>>, String)>,
    blobs: HashMap<(String, String), u64>,
    small: HashMap<String, Arc<Vec<u8>>>,
    requests: HashMap<String, u64>,
    bytes_in: u64,
    bytes_out: u64,
    uploads: u64,
    /// Digests that were uploaded, to find those sent twice.
    uploaded: HashSet<String>,
    uploaded_twice: u64,
}

struct Registry {
    store: Mutex<Store>,
    folder: Option<PathBuf>,
    token: bool,
    basic: bool,
}

struct Request {
    method: String,
    path: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
}

fn registry(port: u16, options: &[String]) {
    let flag = |name: &str| options.iter().any(|option| option == name);
    let folder = options.iter().position(|option| option == "--images").map(|at| PathBuf::from(&options[at + 1]));
    let mut store = Store::default();
    if let Some(folder) = &folder {
        load(&mut store, folder);
    }
    let registry = Arc::new(Registry { store: Mutex::new(store), folder, token: flag("--token"), basic: flag("--basic") });
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    for stream in listener.incoming().flatten() {
        let registry = Arc::clone(&registry);
        thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            // An error is a client that has left.
            let _ = serve(&registry, stream);
        });
    }
}

/// `images.txt` has lines `M repository reference digest media-type` and `B repository digest size`; `blobs/<hex>` has the bytes.
fn load(store: &mut Store, folder: &std::path::Path) {
    let list = std::fs::read_to_string(folder.join("images.txt")).expect("images.txt");
    for line in list.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let file = |digest: &str| folder.join("blobs").join(digest.trim_start_matches("sha256:"));
        match words.as_slice() {
            ["M", repository, reference, digest, media_type] => {
                let bytes = Arc::new(std::fs::read(file(digest)).expect("a manifest"));
                let held = (media_type.to_string(), bytes, digest.to_string());
                store.manifests.insert((repository.to_string(), reference.to_string()), held.clone());
                store.manifests.insert((repository.to_string(), digest.to_string()), held);
            }
            ["B", repository, digest, size] => {
                store.blobs.insert((repository.to_string(), digest.to_string()), size.parse().expect("a size"));
            }
            _ => panic!("`{line}` is not understood"),
        }
    }
}

fn serve(registry: &Registry, stream: TcpStream) -> io::Result<()> {
    let mut output = stream.try_clone()?;
    let mut input = BufReader::with_capacity(256 * 1024, stream);
    while let Some(request) = read_head(&mut input)? {
        answer(registry, &request, &mut input, &mut output)?;
        if request.headers.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    Ok(())
}

fn read_head(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default().to_string(), words.next().unwrap_or_default().to_string());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_string());
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_string(), value.replace("%3A", ":").replace("%3a", ":").replace("%2F", "/"))).collect();
    Ok(Some(Request { method, path: path.to_string(), query, headers }))
}

/// Reads the body, and keeps it if it is small.
fn read_body(request: &Request, input: &mut impl BufRead) -> io::Result<(u64, Vec<u8>)> {
    let (mut kept, mut total) = (Vec::new(), 0);
    let mut take = |input: &mut dyn BufRead, mut left: u64| -> io::Result<()> {
        total += left;
        while left > 0 {
            let available = input.fill_buf()?;
            if available.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let used = available.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if kept.len() + used <= 4 * 1024 * 1024 {
                kept.extend_from_slice(&available[..used]);
            }
            input.consume(used);
            left -= used as u64;
        }
        Ok(())
    };
    if request.headers.get("expect").is_some() {
        // Nobody here sends it; it would need an interim answer.
    }
    if request.headers.get("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        loop {
            let mut line = String::new();
            input.read_line(&mut line)?;
            let length = u64::from_str_radix(line.trim().split(';').next().unwrap_or("0"), 16).unwrap_or(0);
            take(input, length)?;
            line.clear();
            input.read_line(&mut line)?;
            if length == 0 {
                break;
            }
        }
    } else {
        let length = request.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        take(input, length)?;
    }
    Ok((total, kept))
}

fn send(output: &mut TcpStream, status: &str, headers: &[(&str, &str)], body: &[u8], head_only: bool) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status}\r\ndocker-distribution-api-version: registry/2.0\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-length") && !status.starts_with("204") {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut all = head.into_bytes();
    if !head_only {
        all.extend_from_slice(body);
    }
    output.write_all(&all)
}

fn answer(registry: &Registry, request: &Request, input: &mut impl BufRead, output: &mut TcpStream) -> io::Result<()> {
    let (bytes, body) = read_body(request, input)?;
    let (method, path) = (request.method.as_str(), request.path.as_str());
    let authorization = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    let lock = || registry.store.lock().expect("the store");
    match path {
        "/_stats" => {
            let store = lock();
            let mut text = format!(
                "{{\"bytes_in\": {}, \"bytes_out\": {}, \"sent_twice\": {}", store.bytes_in, store.bytes_out, store.uploaded_twice
            );
            for (what, count) in &store.requests {
                text.push_str(&format!(", \"{what}\": {count}"));
            }
            drop(store);
            return send(output, "200 OK", &[], format!("{text}}}").as_bytes(), false);
        }
        "/_reset" => {
            let mut store = lock();
            *store = Store { blobs: HashMap::new(), ..Store::default() };
            if let Some(folder) = &registry.folder {
                load(&mut store, folder);
            }
            drop(store);
            return send(output, "200 OK", &[], b"", false);
        }
        "/_reset_stats" => {
            let mut store = lock();
            (store.bytes_in, store.bytes_out, store.uploaded_twice) = (0, 0, 0);
            store.requests.clear();
            drop(store);
            return send(output, "200 OK", &[], b"", false);
        }
        _ => {}
    }
    {
        let mut store = lock();
        store.bytes_in += bytes;
        let is_manifest = path.contains("/manifests/");
        for what in ["requests".to_string(), method.to_string(), format!("{method} {}", if is_manifest { "manifest" } else { "other" })] {
            *store.requests.entry(what).or_default() += 1;
        }
    }
    if path.starts_with("/token") {
        return send(output, "200 OK", &[("content-type", "application/json")], br#"{"token":"t","access_token":"t","expires_in":300}"#, false);
    }
    if registry.token && authorization != "Bearer t" {
        let host = request.headers.get("host").cloned().unwrap_or_default();
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"light\"");
        return send(output, "401 Unauthorized", &[("www-authenticate", &challenge)], b"{}", method == "HEAD");
    }
    if registry.basic && !authorization.starts_with("Basic ") {
        return send(output, "401 Unauthorized", &[("www-authenticate", "Basic realm=\"light\"")], b"{}", method == "HEAD");
    }
    let rest = path.trim_start_matches("/v2/");
    if rest.is_empty() || path == "/v2" {
        return send(output, "200 OK", &[], b"{}", method == "HEAD");
    }
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        let store = lock();
        let tags = store.manifests.keys().filter(|(held, tag)| held == repository && !tag.contains(':'));
        let tags: Vec<String> = tags.map(|(_, tag)| format!("\"{tag}\"")).collect();
        drop(store);
        let text = format!("{{\"name\": \"{repository}\", \"tags\": [{}]}}", tags.join(", "));
        return send(output, "200 OK", &[("content-type", "application/json")], text.as_bytes(), false);
    }
    if let Some((repository, reference)) = rest.split_once("/manifests/") {
        return manifest(registry, request, (repository, reference), body, output);
    }
    if let Some((repository, _)) = rest.split_once("/blobs/uploads/") {
        return upload(registry, request, repository, bytes, body, output);
    }
    if let Some((repository, digest)) = rest.split_once("/blobs/") {
        return blob(registry, request, repository, digest, output);
    }
    send(output, "404 Not Found", &[], b"{\"errors\":[]}", method == "HEAD")
}

fn manifest(
    registry: &Registry,
    request: &Request,
    (repository, reference): (&str, &str),
    body: Vec<u8>,
    output: &mut TcpStream,
) -> io::Result<()> {
    let mut store = registry.store.lock().expect("the store");
    let key = (repository.to_string(), reference.to_string());
    if request.method == "PUT" {
        let digest = sha256(&body);
        let media_type = request.headers.get("content-type").cloned().unwrap_or_default();
        let held = (media_type, Arc::new(body), digest.clone());
        store.manifests.insert((repository.to_string(), digest), held.clone());
        store.manifests.insert(key, held);
        drop(store);
        return send(output, "201 Created", &[("location", &request.path)], b"", false);
    }
    let held = store.manifests.get(&key).cloned();
    drop(store);
    let head_only = request.method == "HEAD";
    let Some((media_type, bytes, digest)) = held else {
        return send(output, "404 Not Found", &[], br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}"#, head_only);
    };
    let length = bytes.len().to_string();
    send(output, "200 OK", &[("content-type", &media_type), ("docker-content-digest", &digest), ("content-length", &length)], &bytes, head_only)
}

fn upload(registry: &Registry, request: &Request, repository: &str, bytes: u64, body: Vec<u8>, output: &mut TcpStream) -> io::Result<()> {
    let mut store = registry.store.lock().expect("the store");
    let created = |output: &mut TcpStream, digest: &str| {
        let location = format!("/v2/{repository}/blobs/{digest}");
        send(output, "201 Created", &[("location", &location), ("docker-content-digest", digest)], b"", false)
    };
    let id = request.path.rsplit('/').next().unwrap_or_default().to_string();
    match request.method.as_str() {
        "POST" => {
            if let (Some(digest), Some(from)) = (request.query.get("mount"), request.query.get("from"))
                && let Some(size) = store.blobs.get(&(from.clone(), digest.clone())).copied()
            {
                store.blobs.insert((repository.to_string(), digest.clone()), size);
                drop(store);
                return created(output, digest);
            }
            store.uploads += 1;
            let location = format!("/v2/{repository}/blobs/uploads/{}", store.uploads);
            drop(store);
            send(output, "202 Accepted", &[("location", &location), ("range", "0-0"), ("docker-upload-uuid", "u")], b"", false)
        }
        "PATCH" => {
            *store.blobs.entry((String::from("uploads"), id.clone())).or_default() += bytes;
            let total = store.blobs[&(String::from("uploads"), id.clone())];
            store.small.insert(id, Arc::new(body));
            drop(store);
            let range = format!("0-{}", total.saturating_sub(1));
            send(output, "202 Accepted", &[("location", &request.path), ("range", &range), ("docker-upload-uuid", "u")], b"", false)
        }
        _ => {
            let digest = request.query.get("digest").cloned().unwrap_or_default();
            let earlier = store.blobs.remove(&(String::from("uploads"), id.clone())).unwrap_or(0);
            let total = earlier + bytes;
            let content = if earlier > 0 { store.small.remove(&id).unwrap_or_default() } else { Arc::new(body) };
            if content.len() as u64 == total {
                store.small.insert(digest.clone(), content);
            }
            store.blobs.insert((repository.to_string(), digest.clone()), total);
            if !store.uploaded.insert(digest.clone()) {
                store.uploaded_twice += 1;
            }
            drop(store);
            created(output, &digest)
        }
    }
}

fn blob(registry: &Registry, request: &Request, repository: &str, digest: &str, output: &mut TcpStream) -> io::Result<()> {
    let head_only = request.method == "HEAD";
    let (size, small) = {
        let store = registry.store.lock().expect("the store");
        (store.blobs.get(&(repository.to_string(), digest.to_string())).copied(), store.small.get(digest).cloned())
    };
    let Some(size) = size else { return send(output, "404 Not Found", &[], b"{\"errors\":[]}", head_only) };
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")).and_then(|range| range.split_once('-'));
    let start = range.and_then(|(start, _)| start.parse::<u64>().ok()).unwrap_or(0).min(size);
    let end = range.and_then(|(_, end)| end.parse::<u64>().ok()).map_or(size, |end| (end + 1).min(size));
    let length = (end - start).to_string();
    let content_range = format!("bytes {start}-{}/{size}", end.saturating_sub(1));
    let mut headers = vec![("content-length", length.as_str()), ("content-type", "application/octet-stream"), ("docker-content-digest", digest)];
    let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
    if range.is_some() {
        headers.push(("content-range", content_range.as_str()));
    }
    if !head_only {
        registry.store.lock().expect("the store").bytes_out += end - start;
    }
    send(output, status, &headers, b"", true)?;
    if head_only {
        return Ok(());
    }
    let file = registry.folder.as_ref().and_then(|folder| File::open(folder.join("blobs").join(digest.trim_start_matches("sha256:"))).ok());
    match (file, small) {
        (Some(mut file), _) => {
            file.seek(SeekFrom::Start(start))?;
            io::copy(&mut file.take(end - start), output).map(|_| ())
        }
        (None, Some(small)) => output.write_all(&small[usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0)]),
        (None, None) => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Everything that one direction of a connection has on its way.
#[derive(Default)]
struct Line {
    state: Mutex<LineState>,
    changed: Condvar,
}

#[derive(Default)]
struct LineState {
    chunks: std::collections::VecDeque<(Instant, Vec<u8>)>,
    /// When what was sent is acknowledged, and how much it is.
    unacknowledged: std::collections::VecDeque<(Instant, usize)>,
    in_flight: usize,
    window: usize,
    ended: bool,
}

const FIRST_WINDOW: usize = 15_000;
const LARGEST_WINDOW: usize = 2_800_000;

fn delay(port: u16, to: u16, millis: u64) {
    let round_trip = Duration::from_millis(millis);
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    for client in listener.incoming().flatten() {
        thread::spawn(move || {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
            let opened = Instant::now();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let _ = from.set_nodelay(true);
                let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
                let line = Arc::new(Line::default());
                let writing = Arc::clone(&line);
                // A connection takes a round trip to open, before which nothing goes.
                thread::spawn(move || sender(&line, &mut from, opened + round_trip, round_trip));
                thread::spawn(move || receiver(&writing, &mut to));
            }
        });
    }
}

fn sender(line: &Line, from: &mut TcpStream, opens: Instant, round_trip: Duration) {
    thread::sleep(opens.saturating_duration_since(Instant::now()));
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let room = {
            let mut state = line.state.lock().expect("the line");
            if state.window == 0 {
                state.window = FIRST_WINDOW;
            }
            loop {
                let now = Instant::now();
                while let Some((at, bytes)) = state.unacknowledged.front().copied().filter(|(at, _)| *at <= now) {
                    let _ = at;
                    state.unacknowledged.pop_front();
                    state.in_flight -= bytes;
                    state.window = (state.window + bytes).min(LARGEST_WINDOW);
                }
                if state.in_flight < state.window {
                    break state.window - state.in_flight;
                }
                let wait = state.unacknowledged.front().map_or(Duration::ZERO, |(at, _)| at.saturating_duration_since(now));
                drop(state);
                thread::sleep(wait);
                state = line.state.lock().expect("the line");
            }
        };
        let most = room.min(buffer.len());
        let read = from.read(&mut buffer[..most]).unwrap_or(0);
        let mut state = line.state.lock().expect("the line");
        if read == 0 {
            state.ended = true;
            line.changed.notify_all();
            return;
        }
        let now = Instant::now();
        state.chunks.push_back((now + round_trip / 2, buffer[..read].to_vec()));
        state.unacknowledged.push_back((now + round_trip, read));
        state.in_flight += read;
        line.changed.notify_all();
    }
}

fn receiver(line: &Line, to: &mut TcpStream) {
    loop {
        let chunk = {
            let mut state = line.state.lock().expect("the line");
            loop {
                if let Some(chunk) = state.chunks.pop_front() {
                    break Some(chunk);
                }
                if state.ended {
                    break None;
                }
                state = line.changed.wait(state).expect("the line");
            }
        };
        let Some((at, bytes)) = chunk else {
            let _ = to.shutdown(Shutdown::Write);
            return;
        };
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// SHA-256 of a manifest that came by its tag (FIPS 180-4).
fn sha256(message: &[u8]) -> String {
    let primes: Vec<u64> = (2_u64..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).take(64).collect();
    let fraction = |root: f64| ((root - root.floor()) * 4_294_967_296.0) as u32;
    let k: Vec<u32> = primes.iter().map(|prime| fraction((*prime as f64).cbrt())).collect();
    let mut hash: Vec<u32> = primes.iter().take(8).map(|prime| fraction((*prime as f64).sqrt())).collect();
    let mut bytes = message.to_vec();
    bytes.push(0x80);
    while bytes.len() % 64 != 56 {
        bytes.push(0);
    }
    bytes.extend_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    for block in bytes.chunks_exact(64) {
        let mut w: Vec<u32> = block.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]])).collect();
        for n in 16..64 {
            let s0 = w[n - 15].rotate_right(7) ^ w[n - 15].rotate_right(18) ^ (w[n - 15] >> 3);
            let s1 = w[n - 2].rotate_right(17) ^ w[n - 2].rotate_right(19) ^ (w[n - 2] >> 10);
            w.push(w[n - 16].wrapping_add(s0).wrapping_add(w[n - 7]).wrapping_add(s1));
        }
        let mut v = hash.clone();
        for n in 0..64 {
            let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let t1 = v[7].wrapping_add(s1).wrapping_add(choice).wrapping_add(k[n]).wrapping_add(w[n]);
            let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(t1);
            v[0] = t1.wrapping_add(s0).wrapping_add(majority);
        }
        for (sum, value) in hash.iter_mut().zip(v) {
            *sum = sum.wrapping_add(value);
        }
    }
    hash.iter().fold(String::from("sha256:"), |text, word| format!("{text}{word:08x}"))
}
