//! Stores that fail on command: wrappers that count calls and fail the one they are told to, so
//! that a test can provoke each failure point in turn. For tests only.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::BlobKey;

use crate::blobs::{BlobBody, BlobError, BlobStore, BlobWriter, Sealed};
use crate::metadata::{ErasedRead, ErasedWrite, MetadataStore, StoreError};

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before it has any effect.
    Before,
    /// After its effect: the caller cannot know.
    After,
}

/// The plan: which calls fail. Calls are counted from 1 since the plan was last cleared.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Plan>);

#[derive(Debug, Default)]
struct Plan {
    calls: u64,
    failing: BTreeMap<u64, When>,
    failing_always: Option<When>,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets every call work again and starts counting anew.
    pub fn clear(&self) {
        *self.lock() = Plan::default();
    }

    /// Fails the `nth` call from now on, counted from 1.
    pub fn fail_nth(&self, nth: u64, when: When) {
        let mut plan = self.lock();
        let at = plan.calls + nth;
        plan.failing.insert(at, when);
    }

    /// Fails every call until cleared.
    pub fn fail_all(&self, when: When) {
        self.lock().failing_always = Some(when);
    }

    /// Calls counted so far.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn next(&self) -> Option<When> {
        let mut plan = self.lock();
        plan.calls += 1;
        let calls = plan.calls;
        plan.failing.remove(&calls).or(plan.failing_always)
    }
}

/// A metadata store that fails on command.
pub struct FaultyMetadata {
    inner: Arc<dyn MetadataStore>,
    faults: Arc<Faults>,
}

impl FaultyMetadata {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn MetadataStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

fn no_rows() -> StoreError {
    StoreError::Failed("a fault was asked for".into())
}

#[async_trait]
impl MetadataStore for FaultyMetadata {
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError> {
        match self.faults.next() {
            Some(When::Before) => Err(no_rows()),
            Some(When::After) => self.inner.write_erased(body).await.and(Err(no_rows())),
            None => self.inner.write_erased(body).await,
        }
    }

    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        match self.faults.next() {
            Some(_) => Err(no_rows()),
            None => self.inner.read_erased(body).await,
        }
    }
}

/// A blob store that fails on command.
pub struct FaultyBlobs {
    inner: Arc<dyn BlobStore>,
    faults: Arc<Faults>,
}

impl FaultyBlobs {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn BlobStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    fn wrap(&self, inner: Box<dyn BlobWriter>) -> Box<dyn BlobWriter> {
        Box::new(FaultyWriter {
            inner,
            faults: self.faults.clone(),
        })
    }
}

fn no_bytes() -> BlobError {
    BlobError::Io(io::Error::other("a fault was asked for"))
}

/// Runs a call of a blob store or writer under the plan.
macro_rules! under {
    ($faults:expr, $call:expr) => {
        match $faults.next() {
            Some(When::Before) => Err(no_bytes()),
            Some(When::After) => $call.and(Err(no_bytes())),
            None => $call,
        }
    };
}

#[async_trait]
impl BlobStore for FaultyBlobs {
    async fn create(&self, key: &BlobKey) -> Result<Box<dyn BlobWriter>, BlobError> {
        under!(self.faults, self.inner.create(key).await).map(|writer| self.wrap(writer))
    }

    async fn resume(
        &self,
        key: &BlobKey,
        size_bytes: u64,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        under!(self.faults, self.inner.resume(key, size_bytes).await)
            .map(|writer| self.wrap(writer))
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobBody, BlobError> {
        under!(self.faults, self.inner.read(key, range).await)
    }

    async fn digest(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Digest, BlobError> {
        under!(self.faults, self.inner.digest(key, algorithm).await)
    }

    async fn size_bytes(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        under!(self.faults, self.inner.size_bytes(key).await)
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<u64, BlobError> {
        under!(self.faults, self.inner.delete(keys).await)
    }

    async fn keys(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<BlobKey>, BlobError> {
        under!(self.faults, self.inner.keys(after, limit).await)
    }
}

struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    faults: Arc<Faults>,
}

#[async_trait]
impl BlobWriter for FaultyWriter {
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError> {
        under!(self.faults, self.inner.write(piece).await)
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        under!(self.faults, self.inner.flush().await)
    }

    async fn seal(self: Box<Self>) -> Result<Sealed, BlobError> {
        under!(self.faults, self.inner.seal().await)
    }
}
