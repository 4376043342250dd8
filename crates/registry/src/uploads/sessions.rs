//! The writers of open uploads, kept in memory between requests; at most one request has each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roadstead_domain::ids::{BlobKey, UploadId};
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::blobs::BlobWriter;

/// A writer that rests longer gives its memory back; taking the upload up again reads its bytes.
const IDLE_MAX: Span = Span::seconds(15 * 60);
/// Resting writers kept at most. Taking up an upload whose writer went reads its bytes again.
const WRITERS_MAX: usize = 128;

/// All open sessions of this process.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<UploadId, Session>>);

struct Session {
    key: BlobKey,
    is_claimed: bool,
    /// The commit that ends the upload was on its way when its request went away.
    is_in_doubt: bool,
    /// Opened by this process and not written to since: its key cannot have bytes yet.
    is_fresh: bool,
    used_at: Timestamp,
    writer: Arc<Mutex<Option<Box<dyn BlobWriter>>>>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an upload that was opened just now.
    pub(super) fn open(&self, id: &UploadId, key: &BlobKey, now: Timestamp) {
        let mut session = Session::new(key, now);
        session.is_fresh = true;
        self.lock().insert(id.clone(), session);
    }

    /// Where the bytes of an upload go, if it is remembered.
    pub(super) fn key(&self, id: &UploadId) -> Option<BlobKey> {
        self.lock().get(id).map(|session| session.key.clone())
    }

    /// Takes the right to write to an upload; none if another request has it.
    pub(super) fn claim(
        &self,
        id: &UploadId,
        key: &BlobKey,
        now: Timestamp,
    ) -> Option<SessionGuard<'_>> {
        let mut sessions = self.lock();
        let session = sessions
            .entry(id.clone())
            .or_insert_with(|| Session::new(key, now));
        if session.is_claimed {
            return None;
        }
        (session.is_claimed, session.used_at) = (true, now);
        let is_fresh = std::mem::take(&mut session.is_fresh);
        Some(SessionGuard {
            sessions: self,
            id: id.clone(),
            is_in_doubt: session.is_in_doubt,
            is_fresh,
            writer: session.writer.clone(),
        })
    }

    /// The keys that requests may be writing to now.
    pub(crate) fn claimed_keys(&self) -> HashSet<BlobKey> {
        let sessions = self.lock();
        let claimed = sessions.values().filter(|session| session.is_claimed);
        claimed.map(|session| session.key.clone()).collect()
    }

    /// Whether a request is writing to the upload now.
    pub(crate) fn is_claimed(&self, id: &UploadId) -> bool {
        self.lock()
            .get(id)
            .is_some_and(|session| session.is_claimed)
    }

    /// Drops writers that have rested for long.
    pub(crate) fn drop_idle(&self, now: Timestamp) {
        self.lock().retain(|_, session| {
            // A request may hold its claim for hours: rest begins after it.
            if session.is_claimed {
                session.used_at = now;
            }
            session.used_at + IDLE_MAX > now
        });
    }

    /// Drops the writers that have rested longest until no more than [`WRITERS_MAX`] are kept:
    /// each holds an open file.
    fn bound_writers(&self) {
        let sessions = self.lock();
        let mut resting: Vec<_> = sessions
            .values()
            .filter(|session| !session.is_claimed && session.has_writer())
            .collect();
        let excess = resting.len().saturating_sub(WRITERS_MAX);
        resting.sort_unstable_by_key(|session| session.used_at);
        for session in &resting[..excess] {
            *session.slot() = None;
        }
    }
}

impl Session {
    fn slot(&self) -> MutexGuard<'_, Option<Box<dyn BlobWriter>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_writer(&self) -> bool {
        self.slot().is_some()
    }

    fn new(key: &BlobKey, now: Timestamp) -> Self {
        Self {
            key: key.clone(),
            is_claimed: false,
            is_in_doubt: false,
            is_fresh: false,
            used_at: now,
            writer: Arc::default(),
        }
    }
}

/// The right to write to one upload, given back on drop.
pub(crate) struct SessionGuard<'s> {
    sessions: &'s Sessions,
    id: UploadId,
    is_in_doubt: bool,
    is_fresh: bool,
    writer: Arc<Mutex<Option<Box<dyn BlobWriter>>>>,
}

impl SessionGuard<'_> {
    fn slot(&self) -> MutexGuard<'_, Option<Box<dyn BlobWriter>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer, if one is kept.
    pub(super) fn take(&mut self) -> Option<Box<dyn BlobWriter>> {
        self.slot().take()
    }

    /// Whether the key cannot have bytes yet; true at most once.
    pub(super) fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.is_fresh)
    }

    /// Keeps the writer for the next request.
    pub(super) fn put(&mut self, writer: Box<dyn BlobWriter>) {
        *self.slot() = Some(writer);
    }

    /// Lets the writer go.
    pub(super) fn drop_writer(&self) {
        *self.slot() = None;
    }

    /// The upload is over.
    pub(super) fn forget(self) {
        self.sessions.lock().remove(&self.id);
    }

    /// Whether an earlier request went away while its commit was on the way.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// Says whether the end of the upload is on its way, known to this request alone.
    pub(super) fn set_in_doubt(&mut self, is_in_doubt: bool) {
        self.is_in_doubt = is_in_doubt;
        if let Some(session) = self.sessions.lock().get_mut(&self.id) {
            session.is_in_doubt = is_in_doubt;
        }
    }
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.sessions.lock().get_mut(&self.id) {
            session.is_claimed = false;
        }
        if self.slot().is_some() {
            self.sessions.bound_writers();
        }
    }
}
