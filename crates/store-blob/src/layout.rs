//! Where each blob lies: the only maker of paths in this crate.
//!
//! ```text
//! root/                 0700
//!   00/ … ff/           0700, all 256 made once when the store is opened
//!     <key>             0600, 32 hex digits; the folder is the key's first two
//!   quarantine/         0700, what was set aside, once there is any
//! ```
//!
//! Staged and sealed bytes have the same path, so sealing renames and copies nothing. Keys are
//! typed, so no path can leave the root.

use std::path::{Path, PathBuf};

use roadstead_domain::ids::BlobKey;

/// How many folders the keys are spread over.
pub(crate) const FOLDERS: u16 = 256;

/// The tree under one root.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder with this number, `00` to `ff`.
    pub(crate) fn numbered_folder(&self, number: u16) -> PathBuf {
        self.root.join(format!("{number:02x}"))
    }

    /// The folder of what was set aside.
    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// The folder that holds this key.
    pub(crate) fn folder(&self, key: &BlobKey) -> PathBuf {
        self.root.join(&key.as_str()[..2])
    }

    /// The file that holds this key's bytes.
    pub(crate) fn file(&self, key: &BlobKey) -> PathBuf {
        self.folder(key).join(key.as_str())
    }
}

/// The number of the folder that holds this key.
pub(crate) fn folder_number(key: &BlobKey) -> u16 {
    // A key is hex by its type; 0 is never taken.
    u16::from_str_radix(&key.as_str()[..2], 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_in_the_folder_of_its_first_two_digits() {
        let layout = Layout::new(Path::new("/blobs"));
        let key = BlobKey::parse("a7000000000000000000000000000001").unwrap();
        assert_eq!(
            layout.file(&key),
            Path::new("/blobs/a7/a7000000000000000000000000000001")
        );
        assert_eq!(layout.folder(&key), Path::new("/blobs/a7"));
        assert_eq!(folder_number(&key), 0xa7);
        assert_eq!(layout.numbered_folder(0xa7), layout.folder(&key));
        assert_eq!(layout.numbered_folder(3), Path::new("/blobs/03"));
    }
}
