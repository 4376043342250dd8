//! How long a sender is waited for: the least rate of a body (hostile.md C6).
//!
//! Only time spent waiting for the sender counts, never our own. Must never bound how long a body
//! that flows may take as a whole.

use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use super::Body;

/// How long a sender may take for each [`STEP_BYTES`].
pub(super) const STEP_TIME_MAX: Duration = Duration::from_secs(60);
/// What it has to send in that time: a byte a minute does not keep a request alive.
pub(super) const STEP_BYTES: usize = 1024;

/// What is left of the time for one step of a body.
pub(super) struct Patience {
    left: Duration,
    step_bytes: usize,
}

impl Patience {
    /// The patience for a body of which nothing is read yet.
    pub(super) fn new() -> Self {
        Self {
            left: STEP_TIME_MAX,
            step_bytes: 0,
        }
    }

    /// The next bytes of a body; none at its end, the reason if it has none for us.
    pub(super) async fn next_piece(&mut self, body: &mut Body) -> Option<Result<Bytes, String>> {
        loop {
            let before = Instant::now();
            let Ok(frame) = tokio::time::timeout(self.left, body.frame()).await else {
                return Some(Err("the sender fell silent or is too slow".into()));
            };
            self.left = self.left.saturating_sub(before.elapsed());
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
