//! The body of an answer on its way: what is held for its request is given back when it is over,
//! and the connection knows whether it waits for its peer or for us.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::pulse::Open;
use crate::body::Body;

/// A body as the answer to a request.
pub(super) struct Answering {
    body: Body,
    open: Open,
    _room: Option<OwnedSemaphorePermit>,
}

impl Answering {
    /// The same body, as the answer to `open`.
    pub(super) fn new(body: Body, open: Open, room: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            body,
            open,
            _room: room,
        }
    }
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = io::Error;

    /// A piece that was given out waits for the peer until the next one is asked for; while there
    /// is none, the peer waits for us.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.open.answering(matches!(polled, Poll::Ready(Some(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
