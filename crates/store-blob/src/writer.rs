//! Appends to one staged file: gathers pieces, hashes and writes them on pool threads, seals.
//!
//! Pieces are gathered into buffers of 256 KiB; a full one is hashed and written at the same time
//! by two pool threads while the next one fills, and never is more than one on its way. A small
//! blob costs one job in all: its file is made, written and synced when it is sealed. A writer
//! that failed, or whose call was dropped half-way, answers nothing but errors.

use std::fs::File;
use std::io;
use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::BlobKey;
use roadstead_domain::upload::HashState;
use roadstead_store::blobs::{BlobError, BlobWriter, Sealed};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::disk::{blob_error, off_thread, write_all_at};
use crate::file_blobs::Place;
use crate::hash_state;

/// Size of a gathered buffer in bytes. A writer holds two of them at most.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;

/// What has left the buffers: the file, its length and its hash. The file is made by the first
/// job that needs it.
#[derive(Default)]
pub(crate) struct Staged {
    pub(crate) file: Option<Arc<File>>,
    pub(crate) length: u64,
    pub(crate) hash: Sha256,
}

/// A buffer on its way to the disk and to the hash.
struct Flight {
    written: JoinHandle<Result<Arc<File>, BlobError>>,
    hashed: JoinHandle<Sha256>,
    bytes: Bytes,
    start: u64,
}

enum State {
    Resting(Staged),
    Flying(Flight),
    Dead,
}

/// The writer of one key.
pub(crate) struct FileWriter {
    place: Arc<Place>,
    key: BlobKey,
    size_bytes: u64,
    filling: BytesMut,
    spare: BytesMut,
    state: State,
}

impl FileWriter {
    pub(crate) fn new(place: Arc<Place>, key: BlobKey, staged: Staged) -> Self {
        Self {
            place,
            key,
            size_bytes: staged.length,
            filling: BytesMut::new(),
            spare: BytesMut::new(),
            state: State::Resting(staged),
        }
    }

    /// Waits until nothing is on its way and takes what is staged. The writer is dead until the
    /// caller puts it back, so a failure or a dropped call leaves it dead.
    async fn take_staged(&mut self) -> Result<Staged, BlobError> {
        match mem::replace(&mut self.state, State::Dead) {
            State::Resting(staged) => Ok(staged),
            State::Dead => Err(BlobError::Io(io::Error::other(
                "this writer has failed before",
            ))),
            State::Flying(flight) => {
                let written = flight.written.await;
                let hash = flight.hashed.await;
                let file = written.map_err(|died| BlobError::Io(io::Error::other(died)))??;
                let hash = hash.map_err(|died| BlobError::Io(io::Error::other(died)))?;
                let length = flight.start + flight.bytes.len() as u64;
                self.keep_buffer(flight.bytes);
                Ok(Staged {
                    file: Some(file),
                    length,
                    hash,
                })
            }
        }
    }

    /// Keeps a buffer of ours for the next round; a caller's large piece is let go.
    fn keep_buffer(&mut self, bytes: Bytes) {
        if let Ok(mut buffer) = bytes.try_into_mut()
            && buffer.capacity() <= BUFFER_BYTES
        {
            buffer.clear();
            self.spare = buffer;
        }
    }

    /// Sends a buffer to the disk and to the hash at once, after the one before has arrived.
    async fn launch(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        let Staged {
            file,
            length: start,
            mut hash,
        } = self.take_staged().await?;
        let turn = self.place.turns.take(&self.key).await;
        let place = Arc::clone(&self.place);
        let key = self.key.clone();
        let to_write = bytes.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            append(&place, &key, file, start, &to_write)
        });
        let to_hash = bytes.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            hash.update(&to_hash);
            hash
        });
        self.state = State::Flying(Flight {
            written,
            hashed,
            bytes,
            start,
        });
        Ok(())
    }

    /// Moves bytes of `piece` into the buffer, as many as fit.
    fn gather(&mut self, piece: &mut Bytes) {
        if self.filling.is_empty() && self.size_bytes >= BUFFER_BYTES as u64 {
            // A large body: full buffers from here on. A small one only takes what it needs.
            self.filling = mem::take(&mut self.spare);
            self.filling.reserve(BUFFER_BYTES);
        }
        let room = BUFFER_BYTES - self.filling.len();
        let part = piece.split_to(room.min(piece.len()));
        self.filling.extend_from_slice(&part);
        self.size_bytes += part.len() as u64;
    }

    /// One job that writes what is left in the buffer and then does `finish`.
    async fn drain<T: Send + 'static>(
        &mut self,
        finish: impl FnOnce(&Place, &BlobKey, Staged) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let Staged {
            file,
            length,
            mut hash,
        } = self.take_staged().await?;
        let turn = self.place.turns.take(&self.key).await;
        let rest = mem::take(&mut self.filling);
        let place = Arc::clone(&self.place);
        let key = self.key.clone();
        off_thread(move || {
            let _turn = turn;
            let file = append(&place, &key, file, length, &rest)?;
            hash.update(&rest);
            let staged = Staged {
                file: Some(file),
                length: length + rest.len() as u64,
                hash,
            };
            finish(&place, &key, staged)
        })
        .await
    }
}

#[async_trait]
impl BlobWriter for FileWriter {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    async fn write(&mut self, mut piece: Bytes) -> Result<(), BlobError> {
        if matches!(self.state, State::Dead) {
            self.take_staged().await?;
        }
        while !piece.is_empty() {
            if self.filling.is_empty() && piece.len() >= BUFFER_BYTES {
                self.size_bytes += piece.len() as u64;
                self.launch(mem::take(&mut piece)).await?;
                break;
            }
            self.gather(&mut piece);
            if self.filling.len() == BUFFER_BYTES {
                let full = mem::take(&mut self.filling).freeze();
                self.launch(full).await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        let staged = if self.filling.is_empty() {
            self.take_staged().await?
        } else {
            self.drain(|_, _, staged| Ok(staged)).await?
        };
        self.state = State::Resting(staged);
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<Option<HashState>, BlobError> {
        let staged = self
            .drain(|place, key, staged| {
                // The file is thrown away, so that this is no disk that is merely full.
                sync(place, key, &staged).map_err(|error| match error {
                    BlobError::NoSpace => BlobError::Io(io::ErrorKind::StorageFull.into()),
                    other => other,
                })?;
                Ok(staged)
            })
            .await?;
        let state = hash_state::save(&staged.hash, staged.length);
        self.state = State::Resting(staged);
        Ok(Some(state))
    }

    async fn seal(mut self: Box<Self>) -> Result<Sealed, BlobError> {
        self.drain(|place, key, staged| {
            sync(place, key, &staged)?;
            Ok(Sealed {
                size_bytes: staged.length,
                sha256: Digest::from_sha256(&staged.hash.finalize()),
            })
        })
        .await
    }
}

/// Writes `bytes` at `start`, making the file if there is none yet. Staged bytes that a failed
/// write left behind are thrown away, except on a full disk, which loses nothing.
fn append(
    place: &Place,
    key: &BlobKey,
    file: Option<Arc<File>>,
    start: u64,
    bytes: &[u8],
) -> Result<Arc<File>, BlobError> {
    let file = match file {
        Some(file) => file,
        None => {
            let path = place.layout.file(key);
            Arc::new(place.disk.create(&path).map_err(blob_error)?)
        }
    };
    match write_all_at(&*place.disk, &file, bytes, start).map_err(blob_error) {
        Ok(()) => Ok(file),
        Err(BlobError::NoSpace) => Err(BlobError::NoSpace),
        Err(error) => {
            throw_away(place, key);
            Err(error)
        }
    }
}

/// Makes bytes, then name, durable. After a failed sync the kernel may count lost pages as clean,
/// so that a second sync would succeed over a hole (F15): the file is thrown away instead.
fn sync(place: &Place, key: &BlobKey, staged: &Staged) -> Result<(), BlobError> {
    let synced = match &staged.file {
        Some(file) => place.disk.sync_bytes(file),
        None => Err(io::ErrorKind::NotFound.into()),
    }
    .and_then(|()| place.disk.sync_folder(&place.layout.folder(key)));
    if let Err(error) = synced {
        throw_away(place, key);
        return Err(blob_error(error));
    }
    Ok(())
}

/// Removes a file that nobody may trust. Should that fail too, the caller still has its error and
/// the key stays one that no row names.
fn throw_away(place: &Place, key: &BlobKey) {
    let _ = place.disk.unlink(&place.layout.file(key));
}
