//! The layers of a connection: with TLS or without, over a slow line or directly.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::line::Far;

/// How many bytes TLS gets in one read, and how many encrypted bytes it holds. Its own reads of 4 kB would cost more
/// than its ciphers.
const AT_ONCE: usize = 64 * 1024;

pub enum Carrier {
    Near(TcpStream),
    Far(Far),
}

pub enum Wire {
    Plain(Carrier),
    Server(Box<StreamOwned<ServerConnection, Buffered>>),
}

/// A carrier that is read in large pieces, however small the caller's reads are.
pub struct Buffered(BufReader<Carrier>);

impl Wire {
    pub fn server(carrier: Carrier, tls: Option<&Arc<ServerConfig>>) -> Self {
        let Some(config) = tls else { return Self::Plain(carrier) };
        let mut connection = ServerConnection::new(Arc::clone(config)).expect("TLS");
        connection.set_buffer_limit(Some(AT_ONCE));
        Self::Server(Box::new(StreamOwned::new(connection, Buffered(BufReader::with_capacity(AT_ONCE, carrier)))))
    }

    /// Sends `length` bytes of a file. Without TLS and without a slow line, the kernel copies them and this program
    /// does not.
    pub fn send_file(&mut self, file: &mut File, length: u64) -> io::Result<u64> {
        match self {
            Self::Plain(Carrier::Near(stream)) => io::copy(&mut file.take(length), stream),
            wire => {
                let mut bytes = vec![0; usize::try_from(length).expect("a piece")];
                file.read_exact(&mut bytes)?;
                wire.write_all(&bytes)?;
                Ok(length)
            }
        }
    }
}

/// The client's end of a connection.
pub type Client = StreamOwned<ClientConnection, Buffered>;

pub fn client(stream: TcpStream, config: &Arc<ClientConfig>) -> Client {
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let mut connection = ClientConnection::new(Arc::clone(config), name).expect("TLS");
    connection.set_buffer_limit(Some(AT_ONCE));
    StreamOwned::new(connection, Buffered(BufReader::with_capacity(AT_ONCE, Carrier::Near(stream))))
}

pub fn server_config(certificate: &Path, key: &Path) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate).expect("the certificate").collect::<Result<_, _>>().expect("the certificate");
    let key = PrivateKeyDer::from_pem_file(key).expect("the key");
    Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("a certificate and its \
        key"))
}

pub fn client_config(authority: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).expect("the authority")).expect("the authority");
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

impl Read for Carrier {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Near(stream) => stream.read(buffer),
            Self::Far(far) => far.read(buffer),
        }
    }
}

impl Write for Carrier {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Near(stream) => stream.write(bytes),
            Self::Far(far) => far.write(bytes),
        }
    }

    fn write_vectored(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Near(stream) => stream.write_vectored(bytes),
            Self::Far(far) => far.write_vectored(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Buffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn write_vectored(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(carrier) => carrier.read(buffer),
            Self::Server(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(carrier) => carrier.write(bytes),
            Self::Server(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(carrier) => carrier.flush(),
            Self::Server(tls) => tls.flush(),
        }
    }
}
