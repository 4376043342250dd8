//! Stores that fail on command: wrappers that count calls and fail the one they are told to, so
//! that a test can provoke each failure point in turn. For tests only.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::{BlobKey, RepositoryId};
use roadstead_domain::upload::HashState;

use crate::blobs::{BlobBody, BlobError, BlobStore, BlobWriter, Expected, Sealed};
use crate::metadata::{Epoch, ErasedRead, ErasedWrite, MetadataStore, Part, StoreError};

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
    failing_from: Option<u64>,
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

    /// Fails the `nth` call from now on, counted from 1, and every later one before its effect, as
    /// if the process had ended there.
    pub fn fail_from(&self, nth: u64, when: When) {
        self.fail_nth(nth, when);
        let mut plan = self.lock();
        plan.failing_from = Some(plan.calls + nth);
    }

    /// Calls counted so far.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn next(&self) -> Option<When> {
        let mut plan = self.lock();
        plan.calls += 1;
        let calls = plan.calls;
        let is_over = plan.failing_from.is_some_and(|from| calls >= from);
        let planned = plan.failing.remove(&calls).or(plan.failing_always);
        planned.or(is_over.then_some(When::Before))
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

    async fn survey_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        match self.faults.next() {
            Some(_) => Err(no_rows()),
            None => self.inner.survey_erased(body).await,
        }
    }

    fn epoch(&self, repository: RepositoryId, part: Part) -> Option<Epoch> {
        self.inner.epoch(repository, part)
    }

    async fn damages(&self) -> Result<Vec<String>, StoreError> {
        match self.faults.next() {
            Some(_) => Err(no_rows()),
            None => self.inner.damages().await,
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

    async fn resume_hashed(
        &self,
        key: &BlobKey,
        size_bytes: u64,
        state: &HashState,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        let call = self.inner.resume_hashed(key, size_bytes, state);
        under!(self.faults, call.await).map(|writer| self.wrap(writer))
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobBody, BlobError> {
        under!(self.faults, self.inner.read(key, range).await)
    }

    async fn read_verified(
        &self,
        key: &BlobKey,
        range: Range<u64>,
        expected: &Expected,
    ) -> Result<BlobBody, BlobError> {
        under!(
            self.faults,
            self.inner.read_verified(key, range, expected).await
        )
    }

    async fn digest_at_rate(
        &self,
        key: &BlobKey,
        algorithm: Algorithm,
        rate: Option<NonZeroU64>,
    ) -> Result<Digest, BlobError> {
        under!(
            self.faults,
            self.inner.digest_at_rate(key, algorithm, rate).await
        )
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

    async fn set_aside(&self, key: &BlobKey) -> Result<bool, BlobError> {
        under!(self.faults, self.inner.set_aside(key).await)
    }

    async fn strangers(&self, limit: usize) -> Result<Vec<String>, BlobError> {
        under!(self.faults, self.inner.strangers(limit).await)
    }

    async fn set_stranger_aside(&self, name: &str) -> Result<bool, BlobError> {
        under!(self.faults, self.inner.set_stranger_aside(name).await)
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

    async fn checkpoint(&mut self) -> Result<Option<HashState>, BlobError> {
        under!(self.faults, self.inner.checkpoint().await)
    }

    async fn seal(self: Box<Self>) -> Result<Sealed, BlobError> {
        under!(self.faults, self.inner.seal().await)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::metadata::Verdict;

    /// Counts what gets through.
    #[derive(Default)]
    struct Counted(AtomicU64);

    #[async_trait]
    impl MetadataStore for Counted {
        async fn write_erased(&self, _: ErasedWrite) -> Result<(), StoreError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        async fn read_erased(&self, _: ErasedRead) -> Result<(), StoreError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    /// Seven writes under a plan: which succeeded, and how many took effect.
    async fn seven(plan: impl FnOnce(&Faults)) -> (Vec<bool>, u64) {
        let (inner, faults) = (Arc::new(Counted::default()), Arc::new(Faults::default()));
        let store = FaultyMetadata::new(inner.clone(), faults.clone());
        plan(&faults);
        let mut answers = Vec::new();
        for _ in 0..7 {
            let body: ErasedWrite = Arc::new(|_| Box::pin(async { Verdict::Commit }));
            answers.push(store.write_erased(body).await.is_ok());
        }
        (answers, inner.0.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn the_planned_calls_fail_and_no_others() {
        let all_but = |failed: Range<usize>| (0..7).map(|n| !failed.contains(&n)).collect();
        assert_eq!(seven(|_| {}).await, (all_but(0..0), 7));
        let plan = |f: &Faults| f.fail_nth(3, When::Before);
        assert_eq!(seven(plan).await, (all_but(2..3), 6));
        let plan = |f: &Faults| f.fail_nth(3, When::After);
        assert_eq!(seven(plan).await, (all_but(2..3), 7));
        let plan = |f: &Faults| f.fail_from(3, When::Before);
        assert_eq!(seven(plan).await, (all_but(2..7), 2));
        let plan = |f: &Faults| f.fail_from(3, When::After);
        assert_eq!(seven(plan).await, (all_but(2..7), 3));
        let plan = |f: &Faults| f.fail_all(When::After);
        assert_eq!(seven(plan).await, (all_but(0..7), 7));
        let plan = |f: &Faults| {
            f.fail_from(3, When::Before);
            f.clear();
        };
        assert_eq!(seven(plan).await, (all_but(0..0), 7));
    }

    #[test]
    fn a_plan_counts_from_where_it_is_made() {
        let faults = Faults::default();
        assert_eq!(faults.next(), None);
        faults.fail_nth(2, When::After);
        assert_eq!(faults.next(), None);
        assert_eq!(faults.next(), Some(When::After));
        assert_eq!(faults.next(), None);
        assert_eq!(faults.calls(), 4);
    }
}
