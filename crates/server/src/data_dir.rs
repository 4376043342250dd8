//! The data directory of an embedded server; one process at a time owns it (F46).
//!
//! ```text
//! <data>/lock             locked while a process owns the directory
//! <data>/keyring.json     the keys that seal secrets and tokens, owner-only
//! <data>/metadata.sqlite  rows
//! <data>/blobs/           bytes
//! <data>/control.sock     where a running server takes commands, owner-only
//! <data>/engine-id        tells the containers of this server from those of others
//! <data>/log-positions    how far the logs of containers were read
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use roadstead_registry::context::Ids;
use roadstead_registry::keyring::{KEY_BYTES, KeyRing, RingKey};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A data directory that this process owns for as long as the value lives.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    id: u32,
    key: String,
}

impl DataDir {
    /// Opens or makes the directory and takes it; fails at once if another process has it.
    pub fn take(path: &Path) -> Result<Self> {
        let describe = || format!("opening the data directory {}", path.display());
        make_durable(path).with_context(describe)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .with_context(describe)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!(
                "the data directory {} is in use by another process",
                path.display()
            );
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where the rows are.
    pub fn metadata(&self) -> PathBuf {
        self.path.join("metadata.sqlite")
    }

    /// Where the bytes are.
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where positions in the logs of containers are kept.
    pub fn log_positions(&self) -> PathBuf {
        self.path.join("log-positions")
    }

    /// What tells the containers of this server from those of others on the same engine, made on
    /// first use.
    pub fn engine_id(&self, ids: &dyn Ids) -> Result<String> {
        let path = self.path.join("engine-id");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let id = format!("{:032x}", ids.bits());
                self.put(&path, &id)?;
                Ok(id)
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Whether an engine ever ran containers of this data.
    pub fn has_engine_id(&self) -> bool {
        self.path.join("engine-id").exists()
    }

    /// The key ring, made on first use.
    pub fn keyring(&self, ids: &dyn Ids) -> Result<KeyRing> {
        let path = self.path.join("keyring.json");
        let mut text = Zeroizing::new(String::new());
        match File::open(&path) {
            Ok(mut file) => {
                file.read_to_string(&mut text)
                    .with_context(|| format!("reading {}", path.display()))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                text = self.make_keyring(&path, ids)?
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        }
        let stored: Vec<StoredKey> = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a key ring", path.display()))?;
        let keys = stored.iter().map(ring_key).collect::<Result<Vec<_>>>()?;
        KeyRing::new(&keys).context("the key ring is empty")
    }

    /// Writes a ring of one fresh key.
    fn make_keyring(&self, path: &Path, ids: &dyn Ids) -> Result<Zeroizing<String>> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        ids.fill(&mut key[..]);
        let text = Zeroizing::new(serde_json::to_string(&[StoredKey {
            id: 1,
            key: hex::encode(&key[..]),
        }])?);
        self.put(path, &text)?;
        Ok(text)
    }

    /// Writes an owner-only file, complete and durable before it has its name.
    fn put(&self, path: &Path, text: &str) -> Result<()> {
        let staged = path.with_extension("new");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&staged)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&staged, path)?;
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }
}

/// Makes a folder and its parents, each with its name synced, and the folder's own name in any
/// case: an earlier start may have died before its sync (F12).
fn make_durable(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let missing = path.ancestors().take_while(|folder| !folder.is_dir());
    let mut folders: Vec<&Path> = missing.collect();
    if folders.is_empty() {
        folders.push(&path);
    }
    for folder in folders.into_iter().rev() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        if let Some(parent) = folder.parent() {
            match File::open(parent) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
                opened => opened?.sync_all()?,
            }
        }
    }
    Ok(())
}

fn ring_key(stored: &StoredKey) -> Result<RingKey> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    hex::decode_to_slice(&stored.key, &mut key[..])
        .context("a key of the key ring is not 32 bytes of hex")?;
    Ok(RingKey { id: stored.id, key })
}

/// The path of the control socket, short whatever the directory is called: socket addresses hold
/// about 100 bytes. Good for as long as `directory` is open.
pub fn socket_path(directory: &File) -> PathBuf {
    PathBuf::from(format!(
        "/proc/self/fd/{}/control.sock",
        directory.as_raw_fd()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::ambient::SystemIds;
    use roadstead_registry::keyring::Purpose;

    #[test]
    fn f46_one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::take(dir.path()).unwrap();
        assert!(DataDir::take(dir.path()).is_err());
        drop(first);
        assert!(DataDir::take(dir.path()).is_ok());
    }

    #[test]
    fn the_engine_id_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::take(dir.path()).unwrap();
        let ids = SystemIds::default();
        let id = data.engine_id(&ids).unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!(data.engine_id(&ids).unwrap(), id);
    }

    #[test]
    fn the_key_ring_is_made_once_and_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::take(dir.path()).unwrap();
        let ids = SystemIds::default();
        let sealed = data
            .keyring(&ids)
            .unwrap()
            .seal(Purpose::Token, [0; 12], b"x");
        assert!(
            data.keyring(&ids)
                .unwrap()
                .open(Purpose::Token, &sealed)
                .is_ok()
        );
        let mode = std::fs::metadata(dir.path().join("keyring.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
