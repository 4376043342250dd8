//! The writers of open uploads, kept in memory between requests; at most one request has each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roadstead_domain::ids::UploadId;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::blobs::BlobWriter;

/// A writer that rests longer gives its memory back; taking the upload up again reads its bytes.
const IDLE_MAX: Span = Span::seconds(15 * 60);

/// All open sessions of this process.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<UploadId, Session>>);

struct Session {
    is_claimed: bool,
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
    pub(super) fn open(&self, id: &UploadId, now: Timestamp) {
        let session = Session {
            is_claimed: false,
            is_fresh: true,
            used_at: now,
            writer: Arc::default(),
        };
        self.lock().insert(id.clone(), session);
    }

    /// Takes the right to write to an upload; none if another request has it.
    pub(super) fn claim(&self, id: &UploadId, now: Timestamp) -> Option<SessionGuard<'_>> {
        let mut sessions = self.lock();
        let is_new = !sessions.contains_key(id);
        let session = sessions.entry(id.clone()).or_insert_with(|| Session {
            is_claimed: false,
            is_fresh: false,
            used_at: now,
            writer: Arc::default(),
        });
        if session.is_claimed {
            return None;
        }
        (session.is_claimed, session.used_at) = (true, now);
        let is_fresh = std::mem::take(&mut session.is_fresh);
        Some(SessionGuard {
            sessions: self,
            id: id.clone(),
            is_new,
            is_fresh,
            writer: session.writer.clone(),
        })
    }

    /// Whether a request is writing to the upload now.
    pub(crate) fn is_claimed(&self, id: &UploadId) -> bool {
        self.lock()
            .get(id)
            .is_some_and(|session| session.is_claimed)
    }

    /// Drops writers that have rested for long.
    pub(crate) fn drop_idle(&self, now: Timestamp) {
        self.lock()
            .retain(|_, session| session.is_claimed || session.used_at + IDLE_MAX > now);
    }
}

/// The right to write to one upload, given back on drop.
pub(crate) struct SessionGuard<'s> {
    sessions: &'s Sessions,
    id: UploadId,
    is_new: bool,
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

    /// The upload does not exist, at least not in the repository that was named.
    pub(super) fn forget_if_new(self) {
        if self.is_new {
            self.forget();
        }
    }
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.sessions.lock().get_mut(&self.id) {
            session.is_claimed = false;
        }
    }
}
