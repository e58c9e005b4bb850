//! The layers between TLS and its two neighbours, the socket and HTTP, so that moving a byte costs few calls.
//!
//! TLS reads 4 kB at a time from the layer below, and gives one record of 16 kB at a time to the layer above.
//! [`Buffered`] reads the socket in large pieces; [`Filled`] fills as much as HTTP has room for. Both hand on what has
//! arrived and do not wait for more.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::TryFutureExt as _;
use futures_util::future::MapOk;
use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::AsyncBufRead as _;
use tower_service::Service;

/// How much is read from a socket in one call: it stays in the processor's cache until TLS has decrypted it.
const AT_ONCE: usize = 64 * 1024;

/// A connector whose streams are wrapped.
#[derive(Debug)]
pub(crate) struct Wrapped<S, R, T> {
    connector: S,
    wrap: fn(R) -> T,
}

impl<S, R, T> Wrapped<S, R, T> {
    pub(crate) const fn new(connector: S, wrap: fn(R) -> T) -> Self {
        Self { connector, wrap }
    }
}

/// Not derived: the streams need not be `Clone`, for there are none in it.
impl<S: Clone, R, T> Clone for Wrapped<S, R, T> {
    fn clone(&self) -> Self {
        Self { connector: self.connector.clone(), wrap: self.wrap }
    }
}

impl<S: Service<Uri, Response = R, Future: Future<Output = Result<R, S::Error>>>, R, T> Service<Uri>
    for Wrapped<S, R, T>
{
    type Response = T;
    type Error = S::Error;
    type Future = MapOk<S::Future, fn(R) -> T>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        self.connector.call(to).map_ok(self.wrap)
    }
}

/// A stream that is read in large pieces, however small the pieces that are asked for.
#[derive(Debug)]
pub(crate) struct Buffered<T> {
    stream: T,
    /// Empty while the socket has nothing.
    buffer: Vec<u8>,
    /// The range of the buffer that was not asked for yet.
    from: usize,
    to: usize,
}

impl<T> Buffered<T> {
    pub(crate) const fn new(stream: T) -> Self {
        Self { stream, buffer: Vec::new(), from: 0, to: 0 }
    }
}

impl<T: Read + Unpin> Read for Buffered<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.from == this.to {
            if this.buffer.is_empty() {
                this.buffer = vec![0; AT_ONCE];
            }
            let mut buffer = ReadBuf::new(&mut this.buffer);
            let read = Pin::new(&mut this.stream).poll_read(context, buffer.unfilled());
            let length = buffer.filled().len();
            if read.is_pending() {
                // A waiting connection, as most are, holds no buffer.
                this.buffer = Vec::new();
            }
            ready!(read)?;
            (this.from, this.to) = (0, length);
        }
        let length = into.remaining().min(this.to - this.from);
        into.put_slice(&this.buffer[this.from..this.from + length]);
        this.from += length;
        Poll::Ready(Ok(()))
    }
}

/// A stream that takes as many TLS records at a time as have arrived and fit.
#[derive(Debug)]
pub(crate) struct Filled<T> {
    stream: MaybeHttpsStream<T>,
    /// An error that came after bytes that had to be handed on first.
    failed: Option<io::Error>,
}

impl<T> Filled<T> {
    pub(crate) const fn new(stream: MaybeHttpsStream<T>) -> Self {
        Self { stream, failed: None }
    }
}

impl<T: Read + Write + Unpin> Read for Filled<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(failed) = this.failed.take() {
            return Poll::Ready(Err(failed));
        }
        let tls = match &mut this.stream {
            MaybeHttpsStream::Http(stream) => return Pin::new(stream).poll_read(context, into),
            MaybeHttpsStream::Https(tls) => tls.inner_mut(),
        };
        let room = into.remaining();
        while into.remaining() > 0 {
            let is_first = into.remaining() == room;
            match Pin::new(&mut *tls).poll_fill_buf(context) {
                Poll::Ready(Ok([])) => break,
                Poll::Ready(Ok(record)) => {
                    let length = into.remaining().min(record.len());
                    into.put_slice(&record[..length]);
                    Pin::new(&mut *tls).consume(length);
                }
                Poll::Ready(Err(error)) if is_first => return Poll::Ready(Err(error)),
                Poll::Ready(Err(error)) => {
                    this.failed = Some(error);
                    break;
                }
                Poll::Pending if is_first => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Hands writes, and the properties of the connection, through unchanged.
macro_rules! passed_on {
    ($wrapper:ident) => {
        impl<T: Read + Write + Unpin> Write for $wrapper<T> {
            fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, bytes)
            }

            fn is_write_vectored(&self) -> bool {
                self.stream.is_write_vectored()
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.get_mut().stream).poll_flush(context)
            }

            fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
            }
        }

        impl<T: Read + Write + Connection + Unpin> Connection for $wrapper<T> {
            fn connected(&self) -> Connected {
                self.stream.connected()
            }
        }
    };
}

passed_on!(Buffered);
passed_on!(Filled);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// What a socket gives next: bytes, nothing for now, or an error.
    type Next = Option<Result<Vec<u8>, io::ErrorKind>>;

    struct Socket(VecDeque<Next>);

    impl Read for Socket {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut into: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            match self.0.pop_front() {
                Some(Some(Ok(bytes))) => into.put_slice(&bytes),
                Some(Some(Err(kind))) => return Poll::Ready(Err(kind.into())),
                Some(None) => return Poll::Pending,
                None => {}
            }
            Poll::Ready(Ok(()))
        }
    }

    fn read(stream: &mut Buffered<Socket>, room: usize) -> Poll<Result<Vec<u8>, io::ErrorKind>> {
        let mut space = vec![0; room];
        let mut into = ReadBuf::new(&mut space);
        let read = Pin::new(stream).poll_read(&mut Context::from_waker(std::task::Waker::noop()), into.unfilled());
        let bytes = into.filled().to_vec();
        read.map(|read| read.map(|()| bytes).map_err(|error| error.kind()))
    }

    #[test]
    fn small_reads_get_what_one_large_read_brought_and_who_waits_holds_nothing() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let refused = io::ErrorKind::ConnectionReset;
        let socket = [Some(Ok(bytes.clone())), None, Some(Ok(vec![7])), None, Some(Err(refused))];
        let mut stream = Buffered::new(Socket(socket.into_iter().collect()));
        let mut got = Vec::new();
        for length in [4096, 4096, 10_000 - 2 * 4096] {
            let Poll::Ready(Ok(part)) = read(&mut stream, 4096) else {
                panic!("there is more")
            };
            assert_eq!(part.len(), length);
            got.extend(part);
        }
        assert!(got == bytes, "in order, each once");
        assert!(read(&mut stream, 4096).is_pending() && stream.buffer.is_empty());
        assert_eq!(read(&mut stream, 4096), Poll::Ready(Ok(vec![7])));
        assert!(read(&mut stream, 4096).is_pending() && stream.buffer.is_empty());
        assert_eq!(read(&mut stream, 4096), Poll::Ready(Err(refused)));
        assert_eq!(read(&mut stream, 4096), Poll::Ready(Ok(Vec::new())), "the end");
    }
}
