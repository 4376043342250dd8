//! A part of a file as a body: slices of a memory map if it is long, buffers if it is short or
//! whoever takes it looks at the bytes.
//!
//! What is in the page cache goes out at once; what is not is fetched on the blocking pool first,
//! so that no async thread waits for the disk.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rustix::fs::{Advice, fadvise};
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::task::JoinHandle;

use super::mapping;

/// Longer parts are mapped; up to here a copy is cheaper, and leaves in one write with the head.
const BUFFERED_MAX: u64 = 64 * 1024;
/// Bytes of a map given out at a time.
const PIECE_BYTES: u64 = 1024 * 1024;
/// Bytes read at a time: what one answer holds twice over while its peer takes nothing. A connection of
/// HTTP/2 has a hundred answers, and sends frames of 16 KiB.
const READ_BYTES: u64 = 16 * 1024;
/// One byte in as many is asked for to learn whether a piece is in the page cache: what the
/// kernel reads ahead by default, so that what goes unseen is one read of the disk.
const PROBE_BYTES: u64 = 128 * 1024;
/// How far the disk is asked to read on from a piece that was not in the page cache.
const AHEAD_BYTES: NonZeroU64 = NonZeroU64::new(8 * 1024 * 1024).unwrap();

/// A part of a sealed blob.
pub(crate) struct FileBody {
    file: Arc<File>,
    offset: u64,
    left: u64,
    /// Whether a map is still to be made, at the first piece.
    is_to_map: bool,
    /// The bytes that are left, unless they are read.
    map: Option<Bytes>,
    fetching: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    /// The `length` bytes from `offset` on. A file that ends before fails the body.
    pub(crate) fn new(file: Arc<File>, offset: u64, length: u64) -> Self {
        Self {
            file,
            offset,
            left: length,
            is_to_map: length > BUFFERED_MAX,
            map: None,
            fetching: None,
        }
    }

    /// The same part, read into buffers. For whoever looks at the bytes, since to look at a map whose
    /// disk fails ends the process; the kernel only fails to send it.
    pub(crate) fn unmapped(self) -> Self {
        Self {
            is_to_map: false,
            ..self
        }
    }

    fn map(&mut self) {
        // Without a map (no memory, a file system that has none, a short file) all is read.
        let length = usize::try_from(self.left).ok();
        let mapped = length.and_then(|length| mapping::map(&self.file, self.offset, length).ok());
        self.map = mapped;
    }

    /// The next piece, if no disk is needed for it.
    fn at_once(&mut self, length: usize) -> Option<Bytes> {
        match &self.map {
            Some(map) => is_cached(&self.file, self.offset, length).then(|| map.slice(..length)),
            None => {
                let mut piece = vec![0; length];
                let read = read_cached(&self.file, self.offset, &mut piece);
                (read == length).then(|| piece.into())
            }
        }
    }

    fn fetch(&self, length: usize) -> JoinHandle<io::Result<Bytes>> {
        let (file, offset) = (self.file.clone(), self.offset);
        let mapped = self.map.as_ref().map(|map| map.slice(..length));
        tokio::task::spawn_blocking(move || {
            if let Some(mapped) = mapped {
                load(&file, offset, length)?;
                return Ok(mapped);
            }
            let mut piece = vec![0; length];
            file.read_exact_at(&mut piece, offset)?;
            Ok(piece.into())
        })
    }

    fn gave_out(&mut self, piece: &Bytes) {
        self.offset += piece.len() as u64;
        self.left -= piece.len() as u64;
        // A body that was given out whole must not hold its map until somebody drops it.
        self.map = self
            .map
            .take()
            .filter(|_| self.left > 0)
            .map(|map| map.slice(piece.len()..));
    }
}

/// Reads what is in the page cache, without waiting for more.
fn read_cached(file: &File, offset: u64, into: &mut [u8]) -> usize {
    let mut into = [IoSliceMut::new(into)];
    preadv2(file, &mut into, offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
}

/// Whether a piece seems to be in the page cache. A false answer costs time, nothing else.
fn is_cached(file: &File, offset: u64, length: usize) -> bool {
    probes(offset, length).all(|at| read_cached(file, at, &mut [0]) == 1)
}

/// Brings a piece into the page cache, and starts to read the next ones.
fn load(file: &File, offset: u64, length: usize) -> io::Result<()> {
    // Advice only: the reads below wait for the bytes in any case.
    if let Err(error) = fadvise(file, offset, Some(AHEAD_BYTES), Advice::WillNeed) {
        tracing::debug!(%error, "POSIX_FADV_WILLNEED");
    }
    probes(offset, length).try_for_each(|at| file.read_exact_at(&mut [0], at))
}

/// Offsets that stand for a piece, its last byte among them: a piece that is there at its end is
/// within the file.
fn probes(offset: u64, length: usize) -> impl Iterator<Item = u64> {
    let last = offset + (length as u64).saturating_sub(1);
    (offset..last)
        .step_by(PROBE_BYTES as usize)
        .chain(std::iter::once(last))
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        if std::mem::take(&mut this.is_to_map) {
            this.map();
        }
        let most = this.map.as_ref().map_or(READ_BYTES, |_| PIECE_BYTES);
        let length = this.left.min(most) as usize;
        if this.fetching.is_none()
            && let Some(piece) = this.at_once(length)
        {
            this.gave_out(&piece);
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let mut fetching = match this.fetching.take() {
            Some(fetching) => fetching,
            None => this.fetch(length),
        };
        let Poll::Ready(outcome) = Pin::new(&mut fetching).poll(context) else {
            this.fetching = Some(fetching);
            return Poll::Pending;
        };
        let piece = outcome.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        this.gave_out(&piece);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
