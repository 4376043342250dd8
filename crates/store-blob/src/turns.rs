//! Whose turn it is: at most one job at a time changes the file of a key.
//!
//! A writer that is dropped (its client went away) may leave a write under way on a pool thread.
//! Whoever resumes or deletes the key waits for that job, else stale bytes could land after the
//! cut. A turn lasts as long as one disk job, never as long as a client.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roadstead_domain::ids::BlobKey;
use tokio::sync::Notify;

/// The keys whose files are being changed right now.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    taken: Mutex<HashSet<BlobKey>>,
    freed: Notify,
}

/// The right to change one key's file; given back when dropped, also by a job that panics.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    key: BlobKey,
}

impl Turns {
    /// Waits for the turn of `key`. Who takes several takes them in order of their keys.
    pub(crate) async fn take(self: &Arc<Self>, key: &BlobKey) -> Turn {
        loop {
            // Made before looking, so that a turn given back in between still wakes us.
            let freed = self.freed.notified();
            if self.lock().insert(key.clone()) {
                return Turn {
                    turns: Arc::clone(self),
                    key: key.clone(),
                };
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<BlobKey>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().remove(&self.key);
        self.turns.freed.notify_waiters();
    }
}
