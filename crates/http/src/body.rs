//! Bodies of requests and responses: bounded or piece by piece, never a whole blob in memory.
//!
//! A sender that falls silent is given up, however long its body may take as a whole (F41): see
//! `patience`. `budget` bounds what bodies of strangers hold together.

mod budget;
mod patience;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::{TryStreamExt as _, stream};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use roadstead_registry::pull::BlobBody;

use crate::kernel_send::FileBody;
pub use budget::{Budget, Held, Unheld};
use patience::Patience;

/// Any body.
pub struct Body(Kind);

/// Most bodies are a few bytes or none: they need no box.
enum Kind {
    Bytes(Bytes),
    File(Box<FileBody>),
    Other(UnsyncBoxBody<Bytes, io::Error>),
}

impl Body {
    /// Any other body as one of these.
    pub fn new(
        body: impl http_body::Body<Data = Bytes, Error = io::Error> + Send + 'static,
    ) -> Self {
        match body.is_end_stream() {
            true => empty(),
            false => Self(Kind::Other(body.boxed_unsync())),
        }
    }

    /// The same body for whoever looks at its bytes, as TLS and HTTP/2 do: no part of it is a memory
    /// map, in which a sector that cannot be read would end the process.
    pub(crate) fn unmapped(self) -> Self {
        match self.0 {
            Kind::File(file) => Self(Kind::File(Box::new(file.unmapped()))),
            other @ (Kind::Bytes(_) | Kind::Other(_)) => Self(other),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Kind::File(file) => Pin::new(file).poll_frame(context),
            Kind::Other(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.is_empty(),
            Kind::File(file) => file.is_end_stream(),
            Kind::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::File(file) => file.size_hint(),
            Kind::Other(body) => body.size_hint(),
        }
    }
}

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Body(Kind::Bytes(bytes.into()))
}

/// A body of nothing.
pub fn empty() -> Body {
    full(Bytes::new())
}

/// A body is longer than its limit, or broke off.
#[derive(Debug)]
pub enum Unread {
    /// Longer than the limit.
    TooLong,
    /// The connection failed, or the sender was too slow.
    BrokeOff(String),
}

/// Reads a whole body of at most `bytes_max` bytes.
pub async fn read_all(mut body: Body, bytes_max: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Unread::TooLong);
    }
    let (mut whole, mut patience) = (BytesMut::new(), Patience::new());
    while let Some(piece) = patience.next_piece(&mut body).await {
        let piece = piece.map_err(Unread::BrokeOff)?;
        if whole.len() + piece.len() > bytes_max {
            return Err(Unread::TooLong);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// How many bytes of a body that nobody wants are still taken.
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long they are taken for.
const LINGER_TIME_MAX: Duration = Duration::from_secs(10);

/// A body whose rest is taken and thrown away if it is dropped before its end. Closing a connection
/// with bytes unread resets it, and the reset can overtake the answer on its way to the sender.
pub fn lingering(body: Body) -> Body {
    Body::new(Lingering(Some(body)))
}

struct Lingering(Option<Body>);

impl http_body::Body for Lingering {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.0 = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.0.as_ref().map_or_else(none, Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let rest = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LINGER_TIME_MAX, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Body) {
    let (mut left, mut patience) = (LINGER_BYTES_MAX, Patience::new());
    while let Some(Ok(piece)) = patience.next_piece(&mut body).await {
        let Some(fewer) = left.checked_sub(piece.len()) else {
            return;
        };
        left = fewer;
    }
}

/// The pieces of a body as they arrive, for a use case that stores them.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, String>> + Send>>;

/// Gives out a body piece by piece. If `bytes` is known, or the body itself says how long it is, one
/// of another length ends in an error, and no byte behind that length is given out.
pub fn pieces(body: Body, bytes: Option<u64>) -> Pieces {
    // What is left of a connection that ended is a body that simply stops.
    let bytes = bytes.or_else(|| body.size_hint().exact());
    let start = Some((body, Patience::new(), 0));
    Box::pin(stream::unfold(start, move |state| async move {
        let (mut body, mut patience, before) = state?;
        let piece = match patience.next_piece(&mut body).await {
            Some(Ok(piece)) => piece,
            Some(Err(reason)) => return Some((Err(reason), None)),
            None if bytes.is_some_and(|bytes| before < bytes) => {
                return Some((Err("shorter than announced".into()), None));
            }
            None => return None,
        };
        let received = before + piece.len() as u64;
        if bytes.is_some_and(|bytes| received > bytes) {
            return Some((Err("longer than announced".into()), None));
        }
        Some((Ok(piece), Some((body, patience, received))))
    }))
}

/// Sends the bytes of a blob.
pub fn blob(blob: BlobBody) -> Body {
    match blob {
        BlobBody::Bytes(bytes) => full(bytes),
        BlobBody::File {
            file,
            offset,
            length,
        } => Body(Kind::File(Box::new(FileBody::new(file, offset, length)))),
        BlobBody::Stream(stream) => {
            let frames = stream.map_ok(Frame::data).map_err(io::Error::other);
            Body::new(StreamBody::new(frames))
        }
    }
}

#[cfg(test)]
mod tests;
