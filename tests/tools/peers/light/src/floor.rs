//! The least that copying blobs costs a client: TLS in, SHA-256, TLS out, one blob after the other, and nothing else.
//! It knows the credentials, looks at no response's status, never waits or retries, and gives up at the first fault.

use std::io::{self, BufRead as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use sha2::{Digest as _, Sha256};

use crate::wire::{Client, client, client_config};

/// Copies these blobs of a repository, each `sha256:...`, from a source with token authentication to a target that
/// accepts any password.
pub fn copy(source: u16, target: u16, authority: &Path, repository: &str, blobs: &[String]) {
    let config = client_config(authority);
    for blob in blobs {
        copy_blob(source, target, &config, repository, blob).expect("a copy");
    }
}

fn copy_blob(source: u16, target: u16, config: &Arc<ClientConfig>, repository: &str, digest: &str) -> io::Result<()> {
    let (mut source, mut target) = (connect(source, config)?, connect(target, config)?);
    let heads = "host: 127.0.0.1\r\nauthorization";
    write!(source, "GET /v2/{repository}/blobs/{digest} HTTP/1.1\r\n{heads}: Bearer t\r\n\r\n")?;
    source.flush()?;
    let (length, _) = head(&mut source)?;
    write!(target, "POST /v2/{repository}/blobs/uploads/ HTTP/1.1\r\n{heads}: Basic dTpw\r\ncontent-length: 0\r\n\r\n")?;
    target.flush()?;
    let (_, location) = head(&mut target)?;
    write!(target, "PUT {location}?digest={digest} HTTP/1.1\r\n{heads}: Basic dTpw\r\ncontent-length: \
        {length}\r\n\r\n")?;
    let (mut left, mut hash) = (length, Sha256::new());
    while left > 0 {
        // One decrypted TLS record: it is hashed and encrypted while it is still in the processor's cache.
        let record = source.fill_buf()?;
        if record.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(record);
        target.write_all(record)?;
        let length = record.len();
        source.consume(length);
        left -= length as u64;
    }
    target.flush()?;
    head(&mut target)?;
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, format!("sha256:{hash}"));
    Ok(())
}

fn connect(port: u16, config: &Arc<ClientConfig>) -> io::Result<Client> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    Ok(client(stream, config))
}

/// Reads the head of a response, and returns its `content-length` and `location`.
fn head(input: &mut Client) -> io::Result<(u64, String)> {
    let (mut length, mut location) = (0, String::new());
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok((length, location));
        }
        match line.split_once(": ") {
            Some(("content-length", value)) => length = value.trim().parse().expect("a length"),
            Some(("location", value)) => location = value.trim().to_owned(),
            _ => {}
        }
    }
}
