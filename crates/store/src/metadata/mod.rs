//! The metadata port: transactions over rows, the only truth of what the registry holds.
//!
//! A write is a re-runnable body over a transaction handle. The body awaits nothing but that
//! handle, so that one store may run it on its single writer thread and another may retry it.

mod containers;
mod inspection;
mod lifecycle;
mod public;
mod reads;
mod rows;
mod writes;

#[cfg(feature = "contract")]
pub mod contract;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use roadstead_domain::ids::RepositoryId;

pub use containers::*;
pub use inspection::*;
pub use lifecycle::*;
pub use public::*;
pub use reads::*;
pub use rows::*;
pub use writes::*;

/// Why a store could not do what it was asked. Never a business answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or is shutting down.
    #[error("the metadata store is not available: {0}")]
    Unavailable(String),
    /// The disk is full; nothing was stored.
    #[error("no space is left for the metadata store")]
    NoSpace,
    /// A statement or commit failed.
    #[error("the metadata store failed: {0}")]
    Failed(String),
    /// A row holds what no writer can have put there.
    #[error("the metadata store holds an impossible value: {0}")]
    Corrupt(String),
}

/// A boxed future of one transaction.
pub type TxFuture<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// The body of a write: a plain function of the handle and its input, so it can run again.
pub type WriteBody<I, T, E> =
    for<'t> fn(&'t mut dyn MetadataWrite, &'t I) -> TxFuture<'t, Result<T, E>>;

/// The body of a read.
pub type ReadBody<I, T, E> =
    for<'t> fn(&'t mut dyn MetadataRead, &'t I) -> TxFuture<'t, Result<T, E>>;

/// What a body asks its store to do at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Make the changes durable.
    Commit,
    /// Undo them: the body refused.
    Rollback,
}

/// A write body whose result goes to its caller by the side.
pub type ErasedWrite =
    Arc<dyn for<'t> Fn(&'t mut dyn MetadataWrite) -> TxFuture<'t, Verdict> + Send + Sync>;

/// A read body whose result goes to its caller by the side.
pub type ErasedRead =
    Arc<dyn for<'t> Fn(&'t mut dyn MetadataRead) -> TxFuture<'t, ()> + Send + Sync>;

/// What of a repository has an age of its own ([`MetadataStore::epoch`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The repository itself: that it is there, its settings, policy and resource tags.
    Itself,
    /// What it holds: an image or its status, where a tag points, a link to a blob (but for its media
    /// type), and that an image has a blob.
    Contents,
}

/// The age of a part of a repository, for those who keep what they read of it
/// ([`MetadataStore::epoch`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(pub u64);

/// One store of rows. Use [`dyn MetadataStore::write`] and [`dyn MetadataStore::read`].
#[async_trait]
pub trait MetadataStore: Send + Sync {
    /// Runs `body` in a serialisable transaction, again if the store has to, and returns once a
    /// commit is durable.
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError>;

    /// Runs `body` over one consistent snapshot.
    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError>;

    /// As [`Self::read_erased`], for a body that reads much and that nobody waits for: it leaves
    /// the processor to requests as far as the store can see to that.
    async fn survey_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        self.read_erased(body).await
    }

    /// The epoch of a part of a repository; none if nothing that is read of it now may be kept.
    ///
    /// A new one begins before the commit that takes away or replaces what a read of that part may
    /// have found. Who changes the repository itself ends both. So what was found *after* its epoch
    /// was asked for is right for as long as the part has that epoch, to the very instant of the
    /// commit. That something was *not* found is not covered, and neither are pull times.
    fn epoch(&self, _repository: RepositoryId, _part: Part) -> Option<Epoch> {
        None
    }

    /// What the store itself finds wrong with how it keeps its rows, in words; nothing if it has no
    /// way to tell. Reads everything.
    async fn damages(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

impl dyn MetadataStore + '_ {
    /// Runs `body` as one transaction: `Ok` commits, `Err` rolls back. The answer is durable.
    pub async fn write<I, T, E>(&self, input: I, body: WriteBody<I, T, E>) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: Send + From<StoreError> + 'static,
    {
        let slot = Slot::default();
        let (input, outcome) = (Arc::new(input), slot.clone());
        let erased: ErasedWrite = Arc::new(move |tx| {
            let (input, outcome) = (input.clone(), outcome.clone());
            Box::pin(async move {
                let result = body(tx, &input).await;
                let verdict = if result.is_ok() {
                    Verdict::Commit
                } else {
                    Verdict::Rollback
                };
                outcome.put(result);
                verdict
            })
        });
        self.write_erased(erased).await?;
        slot.take()
    }

    /// Runs `body` over one snapshot.
    pub async fn read<I, T, E>(&self, input: I, body: ReadBody<I, T, E>) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: Send + From<StoreError> + 'static,
    {
        let slot = Slot::default();
        self.read_erased(erase_read(input, body, &slot)).await?;
        slot.take()
    }

    /// As `read`, behind everything else.
    pub async fn survey<I, T, E>(&self, input: I, body: ReadBody<I, T, E>) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: Send + From<StoreError> + 'static,
    {
        let slot = Slot::default();
        self.survey_erased(erase_read(input, body, &slot)).await?;
        slot.take()
    }
}

/// Hides the input and the result of a read body.
fn erase_read<I, T, E>(
    input: I,
    body: ReadBody<I, T, E>,
    outcome: &Slot<Result<T, E>>,
) -> ErasedRead
where
    I: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let (input, outcome) = (Arc::new(input), outcome.clone());
    Arc::new(move |tx| {
        let (input, outcome) = (input.clone(), outcome.clone());
        Box::pin(async move { outcome.put(body(tx, &input).await) })
    })
}

/// Carries the result of the last run of a body past the erased interface.
struct Slot<R>(Arc<Mutex<Option<R>>>);

impl<R> Default for Slot<R> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<R> Clone for Slot<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R> Slot<R> {
    fn put(&self, result: R) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }
}

impl<T, E: From<StoreError>> Slot<Result<T, E>> {
    fn take(self) -> Result<T, E> {
        let result = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(StoreError::Failed("the body did not run".into()).into()))
    }
}
