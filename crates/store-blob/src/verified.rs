//! Which files this process hashed, and in which state: a bounded memory.
//!
//! A file is known by what nobody who writes to it can keep from changing. Whoever changes bytes
//! below the file system goes unseen until the entry is too old: hence its instant.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};

use roadstead_domain::ids::BlobKey;
use roadstead_domain::time::Timestamp;

/// Entries of one generation; two are kept. An entry takes less than 100 bytes.
const GENERATION_MAX: usize = 32 * 1024;

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    /// Its length.
    pub(crate) size_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The state of an open file now.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self {
            inode: found.ino(),
            size_bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Files that were hashed and found to be what they were.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<Generations>);

/// What is used stays: an entry that is found moves to the young, and the old ones go together.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<u128, (Stamp, Timestamp)>,
    old: HashMap<u128, (Stamp, Timestamp)>,
}

impl Verified {
    /// Whether the file of a key was good in this state, at `since` or later.
    pub(crate) fn has(&self, key: &BlobKey, stamp: &Stamp, since: Timestamp) -> bool {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = number(key);
        let found = match entries.young.get(&number) {
            Some(found) => Some(*found),
            None => entries.old.remove(&number).inspect(|found| {
                entries.keep(number, *found);
            }),
        };
        found.is_some_and(|(known, at)| known == *stamp && at >= since)
    }

    /// Remembers that the file of a key is good.
    pub(crate) fn put(&self, key: &BlobKey, stamp: Stamp, now: Timestamp) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.keep(number(key), (stamp, now));
    }
}

impl Generations {
    fn keep(&mut self, number: u128, entry: (Stamp, Timestamp)) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(number, entry);
    }
}

/// A key is 32 hex digits by its type.
fn number(key: &BlobKey) -> u128 {
    u128::from_str_radix(key.as_str(), 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64) -> Stamp {
        Stamp {
            inode,
            size_bytes: 1,
            modified: (1, 1),
            changed: (1, 1),
        }
    }

    #[test]
    fn another_state_or_an_old_look_does_not_count() {
        let (verified, key) = (Verified::default(), BlobKey::from_random(7));
        assert!(!verified.has(&key, &stamp(1), Timestamp(0)));
        verified.put(&key, stamp(1), Timestamp(5));
        assert!(verified.has(&key, &stamp(1), Timestamp(5)));
        assert!(!verified.has(&key, &stamp(1), Timestamp(6)));
        assert!(!verified.has(&key, &stamp(2), Timestamp(0)));
        let touched = Stamp {
            changed: (1, 2),
            ..stamp(1)
        };
        assert!(!verified.has(&key, &touched, Timestamp(0)));
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_used() {
        let (verified, used) = (Verified::default(), BlobKey::from_random(u128::MAX));
        verified.put(&used, stamp(1), Timestamp(0));
        for n in 0..5 * GENERATION_MAX {
            verified.put(&BlobKey::from_random(n as u128), stamp(1), Timestamp(0));
            if n % 1000 == 0 {
                assert!(verified.has(&used, &stamp(1), Timestamp(0)));
            }
        }
        let entries = verified.0.lock().unwrap();
        assert!(entries.young.len() + entries.old.len() <= 2 * GENERATION_MAX);
    }
}
