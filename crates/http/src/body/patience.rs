//! How long a sender is waited for: the least rate of a body (hostile.md C6).
//!
//! Must never bound how long a body that flows may take as a whole.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::time::{Sleep, sleep};

use super::Body;

/// How long a sender may take for each [`STEP_BYTES`].
pub(super) const STEP_TIME_MAX: Duration = Duration::from_secs(60);
/// What it has to send in that time: a byte a minute does not keep a request alive.
pub(super) const STEP_BYTES: usize = 1024;

/// What is left of the time for one step of a body.
pub(super) struct Patience {
    end: Pin<Box<Sleep>>,
    step_bytes: usize,
}

impl Patience {
    /// The patience for a body of which nothing is read yet.
    pub(super) fn new() -> Self {
        Self {
            end: Box::pin(sleep(STEP_TIME_MAX)),
            step_bytes: 0,
        }
    }

    /// The next bytes of a body; none at its end, the reason if it has none for us. Bytes that
    /// are there are taken however late we come for them.
    pub(super) async fn next_piece(&mut self, body: &mut Body) -> Option<Result<Bytes, String>> {
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = self.end.as_mut() => {
                    return Some(Err("the sender fell silent or is too slow".into()));
                }
            };
            match frame?.map(Frame::into_data) {
                Ok(Ok(piece)) if !piece.is_empty() => {
                    self.received(piece.len());
                    return Some(Ok(piece));
                }
                // Nothing, or trailers.
                Ok(_) => {}
                Err(error) => return Some(Err(error.to_string())),
            }
        }
    }

    fn received(&mut self, bytes: usize) {
        self.step_bytes += bytes;
        if self.step_bytes >= STEP_BYTES {
            *self = Self::new();
        }
    }
}
