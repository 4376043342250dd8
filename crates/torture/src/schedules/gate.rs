//! Stores whose every call waits at a gate until the executor lets it through, so that the order
//! of calls is the executor's choice and nobody else's.
//!
//! Must change nothing about a call but its time.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::{BlobKey, RepositoryId};
use roadstead_domain::upload::HashState;
use roadstead_server::compose::Stores;
use roadstead_store::blobs::{BlobBody, BlobError, BlobStore, BlobWriter, Expected, Sealed};
use roadstead_store::metadata::{Epoch, ErasedRead, ErasedWrite, MetadataStore, Part, StoreError};

/// What a call is, as far as an order of calls is told from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// The task begins.
    Start,
    /// A transaction that writes.
    Write,
    /// A read of rows.
    Read,
    /// A call of the blob store or of one of its writers.
    Blobs,
}

#[derive(Debug, Default)]
struct State {
    /// Closed while a schedule runs; else every call goes through.
    is_closed: bool,
    /// The task that is being polled.
    current: usize,
    /// Who waits, for what.
    waiting: BTreeMap<usize, Call>,
    /// Who may go on.
    permitted: Option<usize>,
    /// Calls that went through and have not come back.
    under_way: usize,
}

/// The gate of one house.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes it for the calls to come, or opens it for good.
    pub fn close(&self, is_closed: bool) {
        *self.lock() = State {
            is_closed,
            ..State::default()
        };
    }

    /// Says which task is polled from now on.
    pub fn polling(&self, task: usize) {
        self.lock().current = task;
    }

    /// Who waits, in the order of tasks.
    pub fn waiting(&self) -> Vec<(usize, Call)> {
        let state = self.lock();
        state
            .waiting
            .iter()
            .map(|(task, call)| (*task, *call))
            .collect()
    }

    /// Lets one that waits go on when it is polled next.
    pub fn permit(&self, task: usize) {
        self.lock().permitted = Some(task);
    }

    /// A task that waited was dropped.
    pub fn forget(&self, task: usize) {
        let mut state = self.lock();
        state.waiting.remove(&task);
        if state.permitted == Some(task) {
            state.permitted = None;
        }
    }

    /// Whether a call has gone through and not come back.
    pub fn is_under_way(&self) -> bool {
        self.lock().under_way > 0
    }

    /// Waits until the task that is polled may make its call.
    pub async fn pass(&self, call: Call) {
        poll_fn(|_| {
            let mut state = self.lock();
            let task = state.current;
            if !state.is_closed {
                return Poll::Ready(());
            }
            if state.permitted == Some(task) {
                state.permitted = None;
                state.waiting.remove(&task);
                return Poll::Ready(());
            }
            state.waiting.insert(task, call);
            Poll::Pending
        })
        .await;
    }

    async fn through(&self, call: Call) -> UnderWay<'_> {
        self.pass(call).await;
        self.lock().under_way += 1;
        UnderWay(self)
    }
}

/// A call that went through; it has come back, or its caller is gone, when this is dropped.
struct UnderWay<'g>(&'g Gate);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.under_way = state.under_way.saturating_sub(1);
    }
}

/// Puts the gate before both stores.
pub fn gated(gate: Arc<Gate>, stores: Stores) -> Stores {
    Stores {
        metadata: Arc::new(Gated {
            inner: stores.metadata,
            gate: gate.clone(),
        }),
        blobs: Arc::new(Gated {
            inner: stores.blobs,
            gate,
        }),
    }
}

struct Gated<S: ?Sized> {
    inner: Arc<S>,
    gate: Arc<Gate>,
}

#[async_trait]
impl MetadataStore for Gated<dyn MetadataStore> {
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError> {
        let _under_way = self.gate.through(Call::Write).await;
        self.inner.write_erased(body).await
    }

    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        let _under_way = self.gate.through(Call::Read).await;
        self.inner.read_erased(body).await
    }

    async fn survey_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        let _under_way = self.gate.through(Call::Read).await;
        self.inner.survey_erased(body).await
    }

    fn epoch(&self, repository: RepositoryId, part: Part) -> Option<Epoch> {
        self.inner.epoch(repository, part)
    }
}

impl Gated<dyn BlobStore> {
    fn wrap(&self, inner: Box<dyn BlobWriter>) -> Box<dyn BlobWriter> {
        Box::new(GatedWriter {
            inner,
            gate: self.gate.clone(),
        })
    }
}

#[async_trait]
impl BlobStore for Gated<dyn BlobStore> {
    async fn create(&self, key: &BlobKey) -> Result<Box<dyn BlobWriter>, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        let made = self.inner.create(key).await;
        made.map(|writer| self.wrap(writer))
    }

    async fn resume(
        &self,
        key: &BlobKey,
        size_bytes: u64,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        let made = self.inner.resume(key, size_bytes).await;
        made.map(|writer| self.wrap(writer))
    }

    async fn resume_hashed(
        &self,
        key: &BlobKey,
        size_bytes: u64,
        state: &HashState,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        let made = self.inner.resume_hashed(key, size_bytes, state).await;
        made.map(|writer| self.wrap(writer))
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobBody, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.read(key, range).await
    }

    async fn read_verified(
        &self,
        key: &BlobKey,
        range: Range<u64>,
        expected: &Expected,
    ) -> Result<BlobBody, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.read_verified(key, range, expected).await
    }

    async fn digest_at_rate(
        &self,
        key: &BlobKey,
        algorithm: Algorithm,
        bytes_per_second: Option<NonZeroU64>,
    ) -> Result<Digest, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner
            .digest_at_rate(key, algorithm, bytes_per_second)
            .await
    }

    async fn size_bytes(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.size_bytes(key).await
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<u64, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.delete(keys).await
    }

    async fn keys(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<BlobKey>, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.keys(after, limit).await
    }

    async fn set_aside(&self, key: &BlobKey) -> Result<bool, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.set_aside(key).await
    }

    async fn strangers(&self, limit: usize) -> Result<Vec<String>, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.strangers(limit).await
    }

    async fn set_stranger_aside(&self, name: &str) -> Result<bool, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.set_stranger_aside(name).await
    }
}

struct GatedWriter {
    inner: Box<dyn BlobWriter>,
    gate: Arc<Gate>,
}

#[async_trait]
impl BlobWriter for GatedWriter {
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.write(piece).await
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.flush().await
    }

    async fn checkpoint(&mut self) -> Result<Option<HashState>, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.checkpoint().await
    }

    async fn seal(self: Box<Self>) -> Result<Sealed, BlobError> {
        let _under_way = self.gate.through(Call::Blobs).await;
        self.inner.seal().await
    }
}
