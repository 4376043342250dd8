//! Reading sealed bytes that are what they were: hashed once, then left to the kernel for as long as
//! it has them in memory (F43).
//!
//! A short file is hashed before it is given out. A long one that is read whole is hashed on its
//! way and its last piece held back until the hash is right, so that nobody gets all of a rotten
//! blob and takes it for good. `decisions/0017` says why.

use std::fs::File;
use std::io::{self, IoSliceMut, Read as _};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, try_unfold};
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::BlobKey;
use roadstead_store::blobs::{BlobBody, BlobError, Expected, SMALL_BYTES};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::disk::off_thread;
use crate::file_blobs::{Place, each_buffer, open_sealed};
use crate::hash::Hash;
use crate::verified::Stamp;

/// Files up to here are hashed before their first byte is given out: some milliseconds.
const AT_ONCE_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a file on its way that are read and hashed at a time: what a reader who takes nothing holds.
const PIECE_BYTES: u64 = 32 * 1024;
/// What the kernel reads ahead, and gives up, together by default.
const PROBE_BYTES: u64 = 128 * 1024;

/// A part of an open file, if it has one there.
pub(crate) fn part(
    key: &BlobKey,
    file: Arc<File>,
    held: u64,
    range: Range<u64>,
) -> Result<BlobBody, BlobError> {
    if range.start > range.end || range.end > held {
        return Err(BlobError::Io(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{range:?} was asked of {held} bytes under {key}"),
        )));
    }
    let (offset, length) = (range.start, range.end - range.start);
    if length <= SMALL_BYTES {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, offset)
            .map_err(BlobError::Io)?;
        return Ok(BlobBody::Bytes(bytes.into()));
    }
    Ok(BlobBody::File {
        file,
        offset,
        length,
    })
}

/// A part of a short file that is open, known to be good and in memory, so that there is no disk to
/// wait for. None if one of these is not so: [`verified`] then looks at it.
pub(crate) fn at_hand(
    place: &Place,
    key: &BlobKey,
    range: &Range<u64>,
    expected: &Expected,
) -> Option<BlobBody> {
    let file = place.open_files.get(key)?;
    let is_good = Stamp::of(&file).is_ok_and(|stamp| {
        stamp.size_bytes == expected.size_bytes && is_good(place, key, &file, &stamp, expected)
    });
    if !is_good {
        place.open_files.close(key);
        return None;
    }
    if range.start > range.end || range.end > expected.size_bytes {
        return None;
    }
    let (offset, length) = (range.start, range.end - range.start);
    if length > SMALL_BYTES {
        return Some(BlobBody::File {
            file,
            offset,
            length,
        });
    }
    let mut bytes = vec![0; length as usize];
    let mut into = [IoSliceMut::new(&mut bytes)];
    let read = preadv2(&file, &mut into, offset, ReadWriteFlags::NOWAIT);
    (read == Ok(bytes.len())).then(|| BlobBody::Bytes(bytes.into()))
}

/// See [`roadstead_store::blobs::BlobStore::read_verified`].
pub(crate) fn verified(
    place: &Arc<Place>,
    key: &BlobKey,
    range: Range<u64>,
    expected: &Expected,
) -> Result<BlobBody, BlobError> {
    let file = Arc::new(open_sealed(place, key)?);
    let stamp = Stamp::of(&file).map_err(BlobError::Io)?;
    if stamp.size_bytes != expected.size_bytes {
        return Err(BlobError::Rotten(key.clone()));
    }
    // A part of a long file is not enough to judge it by, and looking for the whole in memory costs
    // what the whole is long.
    if stamp.size_bytes > AT_ONCE_MAX && range != (0..stamp.size_bytes) {
        return part(key, file, stamp.size_bytes, range);
    }
    if !is_good(place, key, &file, &stamp, expected) {
        // To hash it brings it into memory: until that is done nobody else may take it for good.
        place.verified.forget(key);
        if stamp.size_bytes <= AT_ONCE_MAX {
            let mut hash = Hash::new(expected.digest.algorithm());
            each_buffer(&file, u64::MAX, |bytes| hash.update(bytes)).map_err(BlobError::Io)?;
            judge(place, key, stamp, hash.finish(), expected)?;
        } else {
            return Ok(BlobBody::Stream(on_the_way(
                place, key, file, stamp, expected,
            )));
        }
    }
    let can_be_known = expected.verified_since <= expected.now;
    if can_be_known && (SMALL_BYTES + 1..=AT_ONCE_MAX).contains(&stamp.size_bytes) {
        place.open_files.keep(key, &file, &stamp);
    }
    part(key, file, stamp.size_bytes, range)
}

/// Whether a file was verified, and is in memory since. In this order: who brings it there to hash it
/// has forgotten it before.
fn is_good(place: &Place, key: &BlobKey, file: &File, stamp: &Stamp, expected: &Expected) -> bool {
    is_in_memory(file, stamp.size_bytes) && place.verified.has(key, stamp, expected.verified_since)
}

/// Whether the bytes that were verified are in the memory of the system still. What has to come from
/// the disk once more may have rotted there meanwhile, and nothing of a file tells that.
///
/// One byte in [`PROBE_BYTES`] is asked for, and the last one. Where a file system cannot tell, an
/// entry counts for as long as it is not too old.
fn is_in_memory(file: &File, size_bytes: u64) -> bool {
    let probes = (0..size_bytes).step_by(PROBE_BYTES as usize);
    probes.chain(size_bytes.checked_sub(1)).all(|at| {
        let mut byte = [0];
        let mut into = [IoSliceMut::new(&mut byte)];
        match preadv2(file, &mut into, at, ReadWriteFlags::NOWAIT) {
            Ok(read) => read == 1,
            Err(error) => error == Errno::OPNOTSUPP,
        }
    })
}

/// Remembers a file that is good.
fn judge(
    place: &Place,
    key: &BlobKey,
    stamp: Stamp,
    found: Digest,
    expected: &Expected,
) -> Result<(), BlobError> {
    if found != expected.digest {
        return Err(BlobError::Rotten(key.clone()));
    }
    place.verified.put(key, stamp, expected.now);
    Ok(())
}

/// A file on its way out.
struct Passage {
    place: Arc<Place>,
    key: BlobKey,
    file: Arc<File>,
    stamp: Stamp,
    left: u64,
    hash: Hash,
    expected: Expected,
}

impl Passage {
    /// The next piece, hashed; the last one only if all of them were right.
    fn step(mut self) -> Result<(Bytes, Self), BlobError> {
        let length = self.left.min(PIECE_BYTES);
        let mut piece = vec![0; length as usize];
        (&*self.file)
            .read_exact(&mut piece)
            .map_err(BlobError::Io)?;
        self.hash.update(&piece);
        self.left -= length;
        if self.left == 0 {
            let algorithm = self.expected.digest.algorithm();
            let found = std::mem::replace(&mut self.hash, Hash::new(algorithm)).finish();
            judge(&self.place, &self.key, self.stamp, found, &self.expected)?;
        }
        Ok((piece.into(), self))
    }
}

fn on_the_way(
    place: &Arc<Place>,
    key: &BlobKey,
    file: Arc<File>,
    stamp: Stamp,
    expected: &Expected,
) -> BoxStream<'static, Result<Bytes, BlobError>> {
    let passage = Passage {
        place: Arc::clone(place),
        key: key.clone(),
        file,
        left: stamp.size_bytes,
        stamp,
        hash: Hash::new(expected.digest.algorithm()),
        expected: expected.clone(),
    };
    Box::pin(try_unfold(passage, |passage| async move {
        if passage.left == 0 {
            return Ok(None);
        }
        off_thread(move || passage.step().map(Some)).await
    }))
}

/// Hashes a whole file, pausing after each buffer for as long as `rate` bytes in a second ask.
pub(crate) fn digest(
    file: &File,
    algorithm: Algorithm,
    rate: Option<NonZeroU64>,
) -> Result<Digest, BlobError> {
    let mut hash = Hash::new(algorithm);
    let see = |bytes: &[u8]| {
        hash.update(bytes);
        if let Some(rate) = rate {
            let seconds = bytes.len() as f64 / rate.get() as f64;
            std::thread::sleep(Duration::from_secs_f64(seconds));
        }
    };
    each_buffer(file, u64::MAX, see).map_err(BlobError::Io)?;
    Ok(hash.finish())
}
