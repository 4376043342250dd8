//! Which files this process hashed, and in which state: a bounded memory.
//!
//! A file is known by what nobody who writes to it can keep from changing. Whoever changes bytes
//! below the file system goes unseen until the entry is too old: hence its instant.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use roadstead_domain::ids::BlobKey;
use roadstead_domain::time::Timestamp;

use crate::recent::Recent;

/// Entries of one generation; two are kept. An entry takes less than 100 bytes.
const GENERATION_MAX: usize = 32 * 1024;

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    /// How many names it has: none once it is deleted.
    names: u64,
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
            names: found.nlink(),
            size_bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Files that were hashed and found to be what they were.
#[derive(Debug)]
pub(crate) struct Verified(Recent<(Stamp, Timestamp)>);

impl Default for Verified {
    fn default() -> Self {
        Self(Recent::new(GENERATION_MAX))
    }
}

impl Verified {
    /// Whether the file of a key was good in this state, at `since` or later.
    pub(crate) fn has(&self, key: &BlobKey, stamp: &Stamp, since: Timestamp) -> bool {
        let found = self.0.get(key);
        found.is_some_and(|(known, at)| known == *stamp && at >= since)
    }

    /// Remembers that the file of a key is good.
    pub(crate) fn put(&self, key: &BlobKey, stamp: Stamp, now: Timestamp) {
        self.0.put(key, (stamp, now));
    }

    /// Forgets what was found of a file: it is to be hashed again, and nobody may rely on it until
    /// that is done.
    pub(crate) fn forget(&self, key: &BlobKey) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64) -> Stamp {
        Stamp {
            inode,
            names: 1,
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
        let deleted = Stamp {
            names: 0,
            ..stamp(1)
        };
        assert!(!verified.has(&key, &deleted, Timestamp(0)));
    }
}
