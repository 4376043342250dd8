//! The bytes under HTTP: plain, or within TLS. Which one is told by the first byte.
//!
//! Plain connections keep the way of the kernel (`kernel_send`); what is encrypted has to be
//! copied. Must count every byte that passes (`pulse.rs`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::pulse::Pulse;
use super::tls::Certificates;
use crate::kernel_send::KernelSend;

/// The first byte of a connection that speaks TLS: a record of a handshake (RFC 8446, 5.1). No
/// method of HTTP begins with it.
const HANDSHAKE: u8 = 0x16;

/// A connection that is ready for HTTP.
pub(super) struct Transport {
    stream: Stream,
    pulse: Arc<Pulse>,
}

enum Stream {
    Plain(KernelSend),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Looks at the first byte, and shakes hands if it asks for TLS. Without certificates nobody
    /// is looked at. May wait for as long as the peer likes.
    pub(super) async fn open(
        stream: TcpStream,
        certificates: Option<&Certificates>,
        pulse: Arc<Pulse>,
    ) -> io::Result<Self> {
        let stream = match certificates {
            Some(certificates) if is_tls(&stream).await? => {
                let acceptor = TlsAcceptor::from(certificates.config());
                Stream::Tls(Box::new(acceptor.accept(stream).await?))
            }
            _ => Stream::Plain(KernelSend::new(stream)),
        };
        Ok(Self { stream, pulse })
    }

    /// Whether nobody in between can read it.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}

async fn is_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first == [HANDSHAKE]),
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, into),
        };
        this.pulse.received(into.filled().len() - before);
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = ready!(match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        })?;
        this.pulse.sent(sent);
        Poll::Ready(Ok(sent))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
