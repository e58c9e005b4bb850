//! The address for answers: it takes them, or fails in the ways in which the real one can fail.
//!
//! It parses HTTP by itself, because the tests check what is on the wire: the path byte for byte, the headers, the
//! length.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The signature in every address. A function must never write it.
pub const SIGNATURE: &str = "5ecre7deadbeef5ecre7";

/// How an answer is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// The answer is taken.
    Take,
    /// The answer is refused with this status.
    Refuse(u16),
    /// No response is ever sent.
    Hang,
    /// The connection breaks.
    Reset,
}

/// One answer that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Path and query, byte for byte.
    pub target: String,
    /// The headers, with their names in lower case.
    pub headers: HashMap<String, String>,
    /// The body, byte for byte.
    pub body: String,
    pub at: Instant,
    /// How the answer was received.
    pub manner: Manner,
}

impl Received {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct ReceivedAnswers {
    received: Vec<Received>,
    /// How the next answers are received. Once this is empty, every answer is taken.
    manners: Vec<Manner>,
    always: Option<Manner>,
}

/// An address that listens until this is dropped.
#[derive(Debug)]
pub struct Answers {
    address: String,
    state: Arc<Mutex<ReceivedAnswers>>,
    task: JoinHandle<()>,
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Answers {
    /// Listens on a port of the loopback interface.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let state: Arc<Mutex<ReceivedAnswers>> = Arc::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state, task })
    }

    /// A signed address for the request of this name, in CloudFormation's form.
    pub fn url(&self, name: &str) -> String {
        format!(
            "http://{}/arn%3Aaws%3Acloudformation%3Aeu-west-1/{name}%7CImage%7C?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={SIGNATURE}",
            self.address
        )
    }

    /// Receives the next answers in these manners, and takes all later ones.
    pub fn next(&self, manners: &[Manner]) {
        let mut state = lock(&self.state);
        state.manners = manners.iter().rev().copied().collect();
        state.always = None;
    }

    /// Receives every answer in this manner.
    pub fn always(&self, manner: Manner) {
        lock(&self.state).always = Some(manner);
    }

    /// Everything that arrived, in order.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.state).received.clone()
    }

    /// The answers to the request of this name that were taken, in order.
    pub fn taken(&self, name: &str) -> Vec<Received> {
        let wanted = format!("/{name}%7C");
        self.received()
            .into_iter()
            .filter(|received| received.manner == Manner::Take && received.target.contains(&wanted))
            .collect()
    }

    /// Waits until this many answers were taken. Returns false if that takes longer than `patience`.
    pub async fn until(&self, count: usize, patience: Duration) -> bool {
        let begin = Instant::now();
        while self.received().iter().filter(|received| received.manner == Manner::Take).count() < count {
            if begin.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        true
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<ReceivedAnswers>>) -> Option<()> {
    // A connection may carry several answers.
    loop {
        let (target, headers, body) = read(&mut stream).await?;
        let manner = {
            let mut state = lock(&state);
            let manner = state.always.or_else(|| state.manners.pop()).unwrap_or(Manner::Take);
            state.received.push(Received { target, headers, body, at: Instant::now(), manner });
            manner
        };
        let status = match manner {
            Manner::Take => 200,
            Manner::Refuse(status) => status,
            Manner::Hang => std::future::pending().await,
            Manner::Reset => return None,
        };
        stream
            .write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").as_bytes())
            .await
            .ok()?;
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, HashMap<String, String>, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
            let mut lines = head.lines();
            let target = lines.next()?.split(' ').nth(1)?.to_owned();
            let header = |line: &str| {
                line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            };
            let headers: HashMap<String, String> = lines.filter_map(header).collect();
            let length: usize =
                headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
            if bytes.len() >= end + 4 + length {
                return Some((
                    target,
                    headers,
                    String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned(),
                ));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn lock(state: &Mutex<ReceivedAnswers>) -> MutexGuard<'_, ReceivedAnswers> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
