//! Sealed files that were read lately, open still: who pulls one again need not wait for a thread
//! that may wait for the disk.
//!
//! An open file keeps its bytes on the disk, so whoever takes the name of sealed bytes away closes them
//! here ([`OpenFiles::close`]), after the name is gone.

use std::fs::File;
use std::sync::Arc;

use roadstead_domain::ids::BlobKey;

use crate::recent::Recent;
use crate::verified::Stamp;

/// Files of one generation; two are kept. Descriptors are few, and connections want them.
const GENERATION_MAX: usize = 32;

/// A bounded table of open files.
#[derive(Debug)]
pub(crate) struct OpenFiles(Recent<Arc<File>>);

impl Default for OpenFiles {
    fn default() -> Self {
        Self(Recent::new(GENERATION_MAX))
    }
}

impl OpenFiles {
    /// The file of a key, if it is open. Its state is for the caller to look at.
    pub(crate) fn get(&self, key: &BlobKey) -> Option<Arc<File>> {
        self.0.get(key)
    }

    /// Keeps a file open that was good in this state, unless it is in another one by now: a name that
    /// went, or another name, shows in it.
    ///
    /// The look comes after the entry: who takes the name away later takes the entry along.
    pub(crate) fn keep(&self, key: &BlobKey, file: &Arc<File>, stamp: &Stamp) {
        self.0.put(key, Arc::clone(file));
        if Stamp::of(file).ok().as_ref() != Some(stamp) {
            self.close(key);
        }
    }

    /// Lets go of the file of a key; who is reading it reads on.
    pub(crate) fn close(&self, key: &BlobKey) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_name_is_gone_or_another_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "bytes").unwrap();
        let (files, key) = (OpenFiles::default(), BlobKey::from_random(1));
        let file = Arc::new(File::open(&path).unwrap());
        let stamp = Stamp::of(&file).unwrap();
        files.keep(&key, &file, &stamp);
        assert!(files.get(&key).is_some());
        files.close(&key);
        assert!(files.get(&key).is_none());
        let aside = folder.path().join("aside");
        std::fs::hard_link(&path, &aside).unwrap();
        files.keep(&key, &file, &stamp);
        assert!(files.get(&key).is_none());
        for name in [path, aside] {
            std::fs::remove_file(name).unwrap();
            files.keep(&key, &file, &stamp);
            assert!(files.get(&key).is_none());
        }
        assert_eq!(Arc::strong_count(&file), 1);
    }
}
