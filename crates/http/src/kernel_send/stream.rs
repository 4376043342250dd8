//! The stream under a plain connection: hands slices of mapped files to `sendfile(2)`.
//!
//! To the layers above it is a TCP stream like any other. It must never change which bytes go out
//! or in which order, only who copies them.

use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::sendfile;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::mapping::{self, Source};

/// Shorter slices are not looked up; a copy costs no more than the call. Above the 16 KiB of a
/// HTTP/2 frame (RFC 9113, 4.2), which are cheaper to send many at a time.
const LOOKED_UP_MIN: usize = 32 * 1024;

/// A TCP stream that lets the kernel send what lies in a mapped file.
pub(crate) struct KernelSend {
    stream: TcpStream,
    /// Where the last part sent from a file ended, so that its short rest is recognised too.
    rest: usize,
}

impl KernelSend {
    /// Wraps a connection.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, rest: 0 }
    }

    fn find(&self, slice: &[u8]) -> Option<Source> {
        let is_rest = slice.as_ptr() as usize == self.rest;
        (slice.len() >= LOOKED_UP_MIN || is_rest)
            .then(|| mapping::find(slice))
            .flatten()
    }

    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        slice: &[u8],
        source: &Source,
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(poll_send(&self.stream, context, || {
            send_file(&self.stream, &source.file, source.offset, slice.len())
        }));
        match sent {
            Ok(sent) => {
                self.rest = slice.as_ptr() as usize + sent;
                Poll::Ready(Ok(sent))
            }
            // Not from this file system: the memory holds the same bytes.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Pin::new(&mut self.stream).poll_write(context, slice)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// Sends as soon as the socket takes bytes.
fn poll_send(
    stream: &TcpStream,
    context: &mut Context<'_>,
    mut send: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(context))?;
        match stream.try_io(Interest::WRITABLE, &mut send) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            sent => return Poll::Ready(sent),
        }
    }
}

fn send_file(stream: &TcpStream, file: &File, offset: u64, length: usize) -> io::Result<usize> {
    let mut offset = offset;
    match sendfile(stream, file, Some(&mut offset), length)? {
        // The file ends too early. Nothing else may stand in for what is missing.
        0 if length > 0 => Err(io::ErrorKind::UnexpectedEof.into()),
        sent => Ok(sent),
    }
}

/// Sends what stands before a part of a file, to leave in one packet with its start.
fn send_before(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
    Ok(sendmsg(
        stream,
        slices,
        &mut SendAncillaryBuffer::default(),
        flags,
    )?)
}

impl AsyncWrite for KernelSend {
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
        let mapped = slices
            .iter()
            .enumerate()
            .find_map(|(at, slice)| Some((at, this.find(slice)?)));
        let Some((at, source)) = mapped else {
            let stream = Pin::new(&mut this.stream);
            // send(2) of one slice costs less than writev(2).
            return match slices {
                [only] => stream.poll_write(context, only),
                _ => stream.poll_write_vectored(context, slices),
            };
        };
        let before = &slices[..at];
        if before.iter().all(|slice| slice.is_empty()) {
            this.poll_send_file(context, &slices[at], &source)
        } else {
            poll_send(&this.stream, context, || send_before(&this.stream, before))
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for KernelSend {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}
