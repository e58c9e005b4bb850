//! HTTP/1.1, as far as clients of registries use it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::wire::Wire;

/// Bodies up to this size are kept; larger ones are only counted.
const LARGEST_KEPT: usize = 4 * 1024 * 1024;
/// How many bytes of a file are sent before they are counted.
const PIECE: u64 = 1024 * 1024;

pub struct Request {
    pub method: String,
    pub path: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
    /// The request's body, if it was small.
    pub body: Vec<u8>,
    pub bytes_in: u64,
}

impl Request {
    /// Reads the next request of a connection; `None` where the client has closed it.
    pub fn read(input: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = |value: &str| value.replace("%3A", ":").replace("%3a", ":").replace("%2F", "/").replace("%2f", "/");
        let query = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        let mut request = Self { method, path: path.to_owned(), query, headers, body: Vec::new(), bytes_in: 0 };
        request.read_body(input)?;
        Ok(Some(request))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The first and the last byte that the request's range asks for, of a blob of `size` bytes; `Err` where the range
    /// lies beyond it. A range that cannot be read, or more than one, gets the whole blob (`None`).
    pub fn range(&self, size: u64) -> Result<Option<(u64, u64)>, ()> {
        let Some((start, end)) = self.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
            return Ok(None);
        };
        let last = size.saturating_sub(1);
        let range = match (start.parse::<u64>(), end.parse::<u64>()) {
            (Ok(start), Ok(end)) if start <= end => (start, end.min(last)),
            (Ok(start), Err(_)) if end.is_empty() => (start, last),
            (Err(_), Ok(tail)) if start.is_empty() && tail > 0 => (size.saturating_sub(tail), last),
            _ => return Ok(None),
        };
        if range.0 >= size { Err(()) } else { Ok(Some(range)) }
    }

    fn read_body(&mut self, input: &mut impl BufRead) -> io::Result<()> {
        if !self.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            let length = self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            return self.take(input, length);
        }
        loop {
            let mut line = String::new();
            input.read_line(&mut line)?;
            let length = u64::from_str_radix(line.trim().split(';').next().unwrap_or("0"), 16).unwrap_or(0);
            self.take(input, length)?;
            line.clear();
            input.read_line(&mut line)?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, input: &mut impl BufRead, mut left: u64) -> io::Result<()> {
        self.bytes_in += left;
        while left > 0 {
            let available = input.fill_buf()?;
            if available.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let used = available.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if self.body.len() + used <= LARGEST_KEPT {
                self.body.extend_from_slice(&available[..used]);
            }
            input.consume(used);
            left -= used as u64;
        }
        Ok(())
    }
}

pub enum Body {
    Bytes(Arc<Vec<u8>>),
    /// A part of a file: the offset of its first byte, and its length.
    File(PathBuf, u64, u64),
}

pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    /// For the access log.
    pub note: &'static str,
}

impl Response {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: Body::Bytes(Arc::new(body.into())), note: "-" }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn noted(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// Sends the response; `sent` counts the bytes of the body as they go out.
    pub fn send(self, output: &mut Wire, head_only: bool, sent: &AtomicU64) -> io::Result<()> {
        let length = match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File(_, _, length) => *length,
        };
        let mut head = format!("HTTP/1.1 {} {}\r\ndocker-distribution-api-version: registry/2.0\r\n", self.status, reason(self.status));
        head.push_str(&format!("content-length: {length}\r\n"));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut head = head.into_bytes();
        if head_only {
            output.write_all(&head)?;
            return output.flush();
        }
        match self.body {
            Body::Bytes(bytes) => {
                sent.fetch_add(length, Ordering::Relaxed);
                head.extend_from_slice(&bytes);
                output.write_all(&head)?;
            }
            Body::File(path, start, length) => {
                output.write_all(&head)?;
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(start))?;
                let mut left = length;
                while left > 0 {
                    let copied = output.send_file(&mut file, left.min(PIECE))?;
                    if copied == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    sent.fetch_add(copied, Ordering::Relaxed);
                    left -= copied;
                }
            }
        }
        output.flush()
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        206 => "Partial Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        _ => "Other",
    }
}
