//! A clock that stands until it is moved, and ids that count.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::context::{Clock, Ids};
use roadstead_server::ambient::next_in_sequence;
use sha2::{Digest as _, Sha256};

/// A clock that only tests move.
pub struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        // 2026-01-02T03:04:05Z, any instant will do.
        Self(AtomicI64::new(Timestamp::from_seconds(1_767_323_045).0))
    }
}

impl TestClock {
    /// Moves the clock forward.
    pub fn advance(&self, span: Span) {
        self.0.fetch_add(span.0, Ordering::SeqCst);
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Ids from a counter: different every time, the same in every run.
#[derive(Default)]
pub struct CountingIds {
    drawn: AtomicU64,
    latest: AtomicI64,
}

impl Ids for CountingIds {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(32) {
            let count = self.drawn.fetch_add(1, Ordering::SeqCst);
            piece.copy_from_slice(&Sha256::digest(count.to_le_bytes())[..piece.len()]);
        }
    }

    fn sequence(&self, now: Timestamp) -> i64 {
        next_in_sequence(&self.latest, now)
    }
}
