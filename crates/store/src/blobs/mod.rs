//! The blob port: bytes under keys that are used once.
//!
//! A key's life: appended to, sealed, read, deleted. Sealing makes bytes and name durable and is
//! done before any row names them; deleting is done after no row does.

#[cfg(feature = "contract")]
pub mod contract;

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::BlobKey;
use roadstead_domain::time::Timestamp;
use roadstead_domain::upload::HashState;

/// Why a blob store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There are no bytes under this key.
    #[error("no bytes under the key {0}")]
    NotFound(BlobKey),
    /// The disk or bucket is full; nothing was lost, and the same call may work later.
    #[error("no space left for blobs")]
    NoSpace,
    /// The bytes under this key are not those that were sealed there (F43).
    #[error("the bytes under the key {0} have changed")]
    Rotten(BlobKey),
    /// Reading or writing failed. After a failed write or sync the staged bytes are not to be
    /// trusted: the upload is over (F15).
    #[error("the blob store failed: {0}")]
    Io(#[source] io::Error),
}

/// What sealing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the bytes, hashed once while they were written.
    pub sha256: Digest,
}

/// Blobs up to this size are read as one piece.
pub const SMALL_BYTES: u64 = 16 * 1024;

/// The bytes of a read.
pub enum BlobBody {
    /// All of them, where they are at most [`SMALL_BYTES`].
    Bytes(Bytes),
    /// A part of an open file, for the kernel or a memory map to send. The file is never changed
    /// in place; it may be unlinked meanwhile and stays readable (F48).
    File {
        /// The open file.
        file: Arc<File>,
        /// Where the part starts.
        offset: u64,
        /// How long it is.
        length: u64,
    },
    /// A stream of pieces.
    Stream(BoxStream<'static, Result<Bytes, BlobError>>),
}

/// What sealed bytes were, and how lately that must have been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Their digest.
    pub digest: Digest,
    /// How many there were.
    pub size_bytes: u64,
    /// Bytes that were hashed before this instant are hashed again.
    pub verified_since: Timestamp,
    /// The instant now.
    pub now: Timestamp,
}

/// Appends to one staged blob. One writer at a time has a key.
#[async_trait]
pub trait BlobWriter: Send {
    /// Bytes written so far, those of earlier writers included.
    fn size_bytes(&self) -> u64;

    /// Appends a piece, hashing it. When it fails the writer is of no more use.
    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError>;

    /// Waits until every piece has left this process, so that a crash of the process alone loses
    /// none of them.
    async fn flush(&mut self) -> Result<(), BlobError>;

    /// Makes the bytes so far and their name durable, and tells where their hash stands; none if
    /// the store keeps no such states. When it fails the writer is of no more use.
    async fn checkpoint(&mut self) -> Result<Option<HashState>, BlobError> {
        Ok(None)
    }

    /// Makes the bytes and their name durable.
    async fn seal(self: Box<Self>) -> Result<Sealed, BlobError>;
}

/// One store of bytes.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// Starts the bytes of a fresh key.
    async fn create(&self, key: &BlobKey) -> Result<Box<dyn BlobWriter>, BlobError>;

    /// Takes staged bytes up again after a restart, hashing them anew (F19). What lies past
    /// `size_bytes` was never acknowledged and is cut off; the writer's size is smaller than
    /// `size_bytes` if a power cut took bytes. A key without bytes starts empty.
    async fn resume(
        &self,
        key: &BlobKey,
        size_bytes: u64,
    ) -> Result<Box<dyn BlobWriter>, BlobError>;

    /// As [`Self::resume`], but hashes only what comes behind the checkpoint that `state` tells of.
    /// A state that does not fit the bytes is no use: they are hashed from the first one.
    async fn resume_hashed(
        &self,
        key: &BlobKey,
        size_bytes: u64,
        _state: &HashState,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        self.resume(key, size_bytes).await
    }

    /// Reads a part of sealed bytes. The range lies within the blob.
    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobBody, BlobError>;

    /// As [`Self::read`], of bytes that are what they were (F43). Bytes that this process hashed in
    /// their present state, late enough, are read as they are. Others are hashed first, or, if they
    /// are many and read whole, on their way: then a stream ends with [`BlobError::Rotten`] in
    /// place of its last piece. A part of many bytes that nobody hashed is read as it is, since only
    /// the whole has a digest.
    async fn read_verified(
        &self,
        key: &BlobKey,
        range: Range<u64>,
        expected: &Expected,
    ) -> Result<BlobBody, BlobError>;

    /// The digest of sealed bytes, computed by reading them.
    async fn digest(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Digest, BlobError> {
        self.digest_at_rate(key, algorithm, None).await
    }

    /// As [`Self::digest`], reading no more than so many bytes in a second.
    async fn digest_at_rate(
        &self,
        key: &BlobKey,
        algorithm: Algorithm,
        bytes_per_second: Option<NonZeroU64>,
    ) -> Result<Digest, BlobError>;

    /// The length of the bytes under a key, staged or sealed.
    async fn size_bytes(&self, key: &BlobKey) -> Result<Option<u64>, BlobError>;

    /// Removes bytes for good, durably, and says how many bytes that freed. A key without bytes
    /// counts as removed.
    async fn delete(&self, keys: &[BlobKey]) -> Result<u64, BlobError>;

    /// Keys that hold bytes, in order, after `after`: for verification only, never for a request.
    async fn keys(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<BlobKey>, BlobError>;

    /// Moves the bytes of a key to where nothing reads or deletes them, durably. False if there are
    /// none.
    async fn set_aside(&self, key: &BlobKey) -> Result<bool, BlobError>;

    /// Up to `limit` things among the bytes that are not the bytes of any key, by a name that
    /// [`Self::set_stranger_aside`] takes.
    async fn strangers(&self, limit: usize) -> Result<Vec<String>, BlobError>;

    /// As [`Self::set_aside`], of such a thing.
    async fn set_stranger_aside(&self, name: &str) -> Result<bool, BlobError>;
}
