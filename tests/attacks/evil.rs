//! A server of the attacker. It answers as the scenario says and remembers every request.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request that the server got.
#[derive(Debug, Clone)]
pub(crate) struct EvilRequest {
    /// The request line without its version, such as `GET /v2/`.
    pub(crate) line: String,
    /// By name, in lower case.
    pub(crate) headers: HashMap<String, String>,
}

/// An answer: status, headers and body.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvilReply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Where this is set, the body is sent one byte at a time, with this pause before each byte.
    pub(crate) drip: Option<Duration>,
}

impl EvilReply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A running server, on a port of its own.
#[derive(Clone)]
pub(crate) struct Evil {
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<EvilRequest>>>,
}

impl Evil {
    /// Starts a server. `answer` gets the request and the server's own address.
    pub(crate) fn start(answer: impl Fn(&EvilRequest, &str) -> EvilReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let asked: Arc<Mutex<Vec<EvilRequest>>> = Arc::default();
        let (log, answer, own) = (Arc::clone(&asked), Arc::new(answer), host.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer, own) = (Arc::clone(&log), Arc::clone(&answer), own.clone());
                thread::spawn(move || serve(stream, &log, &*answer, &own));
            }
        });
        Self { host, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    pub(crate) fn asked(&self) -> Vec<EvilRequest> {
        self.asked.lock().expect("no panic here").clone()
    }

    /// The `Authorization` headers that the server has received.
    pub(crate) fn credentials(&self) -> Vec<String> {
        self.asked().into_iter().filter_map(|asked| asked.headers.get("authorization").cloned()).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<EvilRequest>>,
    answer: &dyn Fn(&EvilRequest, &str) -> EvilReply,
    own: &str,
) -> Option<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut left = headers
        .get("content-length")
        .and_then(|length| length.parse::<usize>().ok())
        .unwrap_or(0)
        .saturating_sub(bytes.len() - end - 4);
    while left > 0 {
        let mut chunk = [0; 65_536];
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        left = left.saturating_sub(read);
    }
    let asked = EvilRequest { line, headers };
    log.lock().expect("no panic here").push(asked.clone());
    let reply = answer(&asked, own);
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| name == "content-length") {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if asked.line.starts_with("HEAD") {
        return Some(());
    }
    match reply.drip {
        None => stream.write_all(&reply.body).ok()?,
        Some(pause) => {
            for byte in reply.body {
                thread::sleep(pause);
                stream.write_all(&[byte]).ok()?;
                stream.flush().ok()?;
            }
        }
    }
    Some(())
}
