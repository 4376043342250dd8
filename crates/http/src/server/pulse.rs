//! What happens on one connection, in counters: written where it happens, read at each tick.
//!
//! Must cost next to nothing: every request passes here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::watch::Seen;

/// The counters of a connection.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    received: AtomicU64,
    /// What was received when the last answer was over: more is the next head.
    received_at_rest: AtomicU64,
    sent: AtomicU64,
    asked: AtomicU64,
    open: AtomicU32,
    answering: AtomicU32,
    /// Frames of HTTP/2 come between requests too; they are no heads.
    is_http2: AtomicBool,
}

impl Pulse {
    /// Bytes came.
    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes were taken.
    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }

    /// A request begins; it is over when what this gives is dropped.
    pub(super) fn ask(self: &Arc<Self>, is_http2: bool) -> Open {
        self.is_http2.store(is_http2, Relaxed);
        self.asked.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        Open {
            pulse: self.clone(),
            is_answering: false,
        }
    }

    /// What it shows now.
    pub(super) fn seen(&self) -> Seen {
        let is_more = self.received.load(Relaxed) > self.received_at_rest.load(Relaxed);
        Seen {
            asked: self.asked.load(Relaxed),
            open: self.open.load(Relaxed),
            is_head_begun: is_more && !self.is_http2.load(Relaxed),
            is_answering: self.answering.load(Relaxed) > 0,
            sent: self.sent.load(Relaxed),
        }
    }
}

/// A request that is not over.
#[derive(Debug)]
pub(super) struct Open {
    pulse: Arc<Pulse>,
    is_answering: bool,
}

impl Open {
    /// Whether a part of its answer waits for the peer to take it.
    pub(super) fn answering(&mut self, is_answering: bool) {
        match (self.is_answering, is_answering) {
            (false, true) => self.pulse.answering.fetch_add(1, Relaxed),
            (true, false) => self.pulse.answering.fetch_sub(1, Relaxed),
            (true, true) | (false, false) => return,
        };
        self.is_answering = is_answering;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.answering(false);
        let received = self.pulse.received.load(Relaxed);
        self.pulse.received_at_rest.store(received, Relaxed);
        self.pulse.open.fetch_sub(1, Relaxed);
    }
}
