//! The blob store on a local file system: one file per key, below one root.
//!
//! Implements the blob port. Every call that may wait for the disk runs on the pool of blocking
//! threads. One process owns the root; nothing here looks at a clock or makes up keys.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::BlobKey;
use roadstead_domain::upload::HashState;
use roadstead_store::blobs::{BlobBody, BlobError, BlobStore, BlobWriter, Expected};
use sha2::Digest as _;

use crate::aside;
use crate::disk::{Disk, Kernel, blob_error, off_thread};
use crate::hash_state::{self, Saved};
use crate::layout::{FOLDERS, Layout, folder_number};
use crate::open_files::OpenFiles;
use crate::reading;
use crate::turns::Turns;
use crate::verified::Verified;
use crate::writer::{BUFFER_BYTES, FileWriter, Staged};

/// What the store and its writers share.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) layout: Layout,
    pub(crate) turns: Arc<Turns>,
    pub(crate) verified: Verified,
    pub(crate) open_files: OpenFiles,
}

/// Blobs in files below one folder. Clones share it.
#[derive(Debug, Clone)]
pub struct FileBlobs {
    place: Arc<Place>,
}

impl FileBlobs {
    /// Opens the store at `root`, making the folder and its 256 sub-folders if they are missing,
    /// durably, so that no later write has to make one. Waits for the disk.
    ///
    /// # Errors
    /// `Io` or `NoSpace` if a folder cannot be made or synced.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        Self::open_on(Box::new(Kernel), root)
    }

    pub(crate) fn open_on(disk: Box<dyn Disk>, root: &Path) -> Result<Self, BlobError> {
        let layout = Layout::new(root);
        make_tree(&*disk, &layout).map_err(blob_error)?;
        Ok(Self {
            place: Arc::new(Place {
                disk,
                layout,
                turns: Arc::default(),
                verified: Verified::default(),
                open_files: OpenFiles::default(),
            }),
        })
    }

    /// A writer over staged bytes, whose hash goes on from `saved` if they are that long.
    async fn picked_up(
        &self,
        key: &BlobKey,
        size_bytes: u64,
        saved: Saved,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        let turn = self.place.turns.take(key).await;
        let wanted = key.clone();
        let staged = self
            .job(move |place| {
                let _turn = turn;
                pick_up(place, &wanted, size_bytes, saved)
            })
            .await?;
        let place = Arc::clone(&self.place);
        Ok(Box::new(FileWriter::new(place, key.clone(), staged)))
    }

    /// Runs `job` on a pool thread.
    async fn job<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Place) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let place = Arc::clone(&self.place);
        off_thread(move || job(&place)).await
    }
}

#[async_trait]
impl BlobStore for FileBlobs {
    async fn create(&self, key: &BlobKey) -> Result<Box<dyn BlobWriter>, BlobError> {
        // The file is made with the first bytes that leave the buffer, in the same job; a key
        // that has a file already fails there.
        let place = Arc::clone(&self.place);
        Ok(Box::new(FileWriter::new(
            place,
            key.clone(),
            Staged::default(),
        )))
    }

    async fn resume(
        &self,
        key: &BlobKey,
        size_bytes: u64,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        self.picked_up(key, size_bytes, Saved::default()).await
    }

    async fn resume_hashed(
        &self,
        key: &BlobKey,
        size_bytes: u64,
        state: &HashState,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        let saved = hash_state::load(state).unwrap_or_default();
        self.picked_up(key, size_bytes, saved).await
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobBody, BlobError> {
        let key = key.clone();
        self.job(move |place| {
            let file = Arc::new(open_sealed(place, &key)?);
            let held = file.metadata().map_err(BlobError::Io)?.len();
            reading::part(&key, file, held, range)
        })
        .await
    }

    async fn read_verified(
        &self,
        key: &BlobKey,
        range: Range<u64>,
        expected: &Expected,
    ) -> Result<BlobBody, BlobError> {
        if let Some(body) = reading::at_hand(&self.place, key, &range, expected) {
            return Ok(body);
        }
        let (key, expected) = (key.clone(), expected.clone());
        let place = Arc::clone(&self.place);
        off_thread(move || reading::verified(&place, &key, range, &expected)).await
    }

    async fn digest_at_rate(
        &self,
        key: &BlobKey,
        algorithm: Algorithm,
        rate: Option<NonZeroU64>,
    ) -> Result<Digest, BlobError> {
        let key = key.clone();
        self.job(move |place| reading::digest(&open_sealed(place, &key)?, algorithm, rate))
            .await
    }

    async fn size_bytes(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        let key = key.clone();
        self.job(move |place| length(&place.layout.file(&key)).map_err(BlobError::Io))
            .await
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<u64, BlobError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let mut turns = Vec::with_capacity(keys.len());
        for key in &keys {
            turns.push(self.place.turns.take(key).await);
        }
        self.job(move |place| {
            let _turns = turns;
            remove(place, &keys).map_err(blob_error)
        })
        .await
    }

    async fn keys(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<BlobKey>, BlobError> {
        let after = after.cloned();
        self.job(move |place| page(&place.layout, after.as_ref(), limit).map_err(BlobError::Io))
            .await
    }

    async fn set_aside(&self, key: &BlobKey) -> Result<bool, BlobError> {
        let turn = self.place.turns.take(key).await;
        let key = key.clone();
        self.job(move |place| {
            let _turn = turn;
            let is_moved = aside::set_aside(place, &place.layout.file(&key));
            place.open_files.close(&key);
            is_moved
        })
        .await
    }

    async fn strangers(&self, limit: usize) -> Result<Vec<String>, BlobError> {
        self.job(move |place| aside::strangers(&place.layout, limit).map_err(BlobError::Io))
            .await
    }

    async fn set_stranger_aside(&self, name: &str) -> Result<bool, BlobError> {
        let name = name.to_owned();
        self.job(move |place| match aside::stranger(&place.layout, &name) {
            Some(path) => aside::set_aside(place, &path),
            None => Ok(false),
        })
        .await
    }
}

/// Makes the root, with the parents that it lacks, and all folders below it; then syncs the root
/// in any case, since an earlier start may have died before it did.
fn make_tree(disk: &dyn Disk, layout: &Layout) -> io::Result<()> {
    let root = layout.root();
    let missing: Vec<&Path> = root
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.is_dir())
        .collect();
    // The root's own name is synced in any case: an earlier start may have died before its sync.
    let unsynced = if missing.is_empty() {
        vec![root]
    } else {
        Vec::new()
    };
    for folder in missing.iter().rev() {
        disk.make_folder(folder)?;
    }
    for folder in missing.into_iter().rev().chain(unsynced) {
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        disk.sync_folder(parent)?;
    }
    for number in 0..FOLDERS {
        match disk.make_folder(&layout.numbered_folder(number)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    disk.sync_folder(root)
}

/// Opens staged bytes again, cuts what was never acknowledged, and hashes anew what lies behind
/// the saved state, or all of it if there are fewer bytes than that state knows.
fn pick_up(
    place: &Place,
    key: &BlobKey,
    size_bytes: u64,
    saved: Saved,
) -> Result<Staged, BlobError> {
    let mut file = match place.disk.open_staged(&place.layout.file(key)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Staged::default()),
        opened => opened.map_err(blob_error)?,
    };
    let held = file.metadata().map_err(BlobError::Io)?.len();
    if held > size_bytes {
        place.disk.cut(&file, size_bytes).map_err(blob_error)?;
    }
    let Saved {
        mut hash,
        length: start,
    } = match saved.length <= held.min(size_bytes) {
        true => saved,
        false => Saved::default(),
    };
    file.seek(SeekFrom::Start(start)).map_err(BlobError::Io)?;
    let rest = each_buffer(&file, size_bytes - start, |bytes| hash.update(bytes));
    Ok(Staged {
        file: Some(Arc::new(file)),
        length: start + rest.map_err(BlobError::Io)?,
        hash,
    })
}

pub(crate) fn open_sealed(place: &Place, key: &BlobKey) -> Result<File, BlobError> {
    match place.disk.open_sealed(&place.layout.file(key)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(BlobError::NotFound(key.clone()))
        }
        opened => opened.map_err(blob_error),
    }
}

/// Shows up to `limit` bytes of a file to `see`, from where it stands, and says how many there were.
pub(crate) fn each_buffer(file: &File, limit: u64, mut see: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut source = file.take(limit);
    let mut seen = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(seen),
            Ok(count) => {
                see(&buffer[..count]);
                seen += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The length of a file, if there is one.
fn length(path: &Path) -> io::Result<Option<u64>> {
    match path.symlink_metadata() {
        Ok(found) => Ok(Some(found.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Unlinks sorted keys and syncs each of their folders once, also where nothing was left to
/// unlink: an earlier attempt may have died before its sync.
fn remove(place: &Place, keys: &[BlobKey]) -> io::Result<u64> {
    let mut freed = 0;
    for key in keys {
        let path = place.layout.file(key);
        if let Some(length) = length(&path)? {
            place.disk.unlink(&path)?;
            freed += length;
        }
        place.open_files.close(key);
    }
    for folder in keys.chunk_by(|a, b| folder_number(a) == folder_number(b)) {
        place.disk.sync_folder(&place.layout.folder(&folder[0]))?;
    }
    Ok(freed)
}

/// Up to `limit` keys behind `after`, in order. What is not named like a key of its folder is
/// not ours and is passed over.
fn page(layout: &Layout, after: Option<&BlobKey>, limit: usize) -> io::Result<Vec<BlobKey>> {
    let mut found = Vec::new();
    for number in after.map_or(0, folder_number)..FOLDERS {
        if found.len() >= limit {
            break;
        }
        let mut here = Vec::new();
        for entry in std::fs::read_dir(layout.numbered_folder(number))? {
            let name = entry?.file_name();
            let key = name.to_str().and_then(|name| BlobKey::parse(name).ok());
            here.extend(
                key.filter(|key| folder_number(key) == number && after.is_none_or(|a| key > a)),
            );
        }
        here.sort_unstable();
        found.append(&mut here);
    }
    found.truncate(limit);
    Ok(found)
}
