//! Memory maps of parts of sealed blobs, and the table that knows where mapped bytes come from.
//!
//! The one module with `unsafe`: making the map. It must never be given a file that is changed or
//! truncated in place.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};

/// Which part of which file stands at some address.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The mapped file.
    pub(super) file: Arc<File>,
    /// Where the part starts in the file.
    pub(super) offset: u64,
}

struct Entry {
    end: usize,
    source: Source,
}

/// All maps of this process, by their first address. Ranges never overlap: an entry goes before
/// its addresses are free again.
static TABLE: RwLock<BTreeMap<usize, Entry>> = RwLock::new(BTreeMap::new());

/// Maps a part of a sealed blob and enters it into the table for as long as any slice lives.
///
/// # Errors
///
/// The part does not lie within the file, or the system cannot map it (`mmap(2)`).
pub(super) fn map(file: &Arc<File>, offset: u64, length: usize) -> io::Result<Bytes> {
    let end = offset.checked_add(length as u64);
    if end.is_none_or(|end| end > file.metadata().map_or(0, |found| found.len())) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // SAFETY: the bytes behind a shared `&[u8]` must neither change nor vanish.
    // - They do not change: a blob that can be read is sealed, its key is used once, and the
    //   blob store opens sealed files for reading only.
    // - They do not vanish: sealed files are never truncated, only unlinked, and an unlinked file
    //   lives on while a map holds it. The part lies within the file, as just checked.
    // - The map outlives all slices: `Bytes` owns it, and drops it with its last slice.
    let map = unsafe { MmapOptions::new().offset(offset).len(length).map(&**file) }?;
    let source = Source {
        file: file.clone(),
        offset,
    };
    let registered = Registered::new(map.as_ptr() as usize, length, source);
    Ok(Bytes::from_owner(Mapped {
        _registered: registered,
        map,
    }))
}

/// Where `bytes` come from, if all of them lie in one map. Such bytes are those of the file: an
/// entry is in the table only while its addresses belong to its map.
pub(super) fn find(bytes: &[u8]) -> Option<Source> {
    let start = bytes.as_ptr() as usize;
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    let (first, entry) = table.range(..=start).next_back()?;
    if entry.end < start + bytes.len() {
        return None;
    }
    Some(Source {
        file: entry.source.file.clone(),
        offset: entry.source.offset + (start - first) as u64,
    })
}

/// A map and its entry. Fields drop in their order: the entry goes first.
struct Mapped {
    _registered: Registered,
    map: Mmap,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

/// An entry of the table.
pub(super) struct Registered {
    start: usize,
}

impl Registered {
    /// Enters `length` bytes at the address `start`.
    pub(super) fn new(start: usize, length: usize, source: Source) -> Self {
        let end = start + length;
        let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
        table.insert(start, Entry { end, source });
        Self { start }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
        table.remove(&self.start);
    }
}
