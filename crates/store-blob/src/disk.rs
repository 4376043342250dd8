//! The system calls of this crate, one method each: the seam where tests put faults.
//!
//! Every method does the real thing by default, so production has one implementation without a
//! line in it. Errors are translated here and nowhere else.

use std::fmt::Debug;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use roadstead_store::blobs::BlobError;
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};

const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// What the store asks of the operating system.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Makes a folder; the parent exists.
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(FOLDER_MODE).create(path)
    }

    /// Makes a file that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path)
    }

    /// Opens staged bytes to go on with them; a symbolic link is refused.
    fn open_staged(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
    }

    /// Opens bytes to read them; a symbolic link is refused.
    fn open_sealed(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
    }

    /// Writes a part of `bytes` and says how much.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    /// Cuts a file to `length`.
    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    /// Makes the bytes and the length of a file durable (fdatasync).
    fn sync_bytes(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Moves something to a name that nothing has.
    fn move_to_free_name(&self, from: &Path, to: &Path) -> io::Result<()> {
        renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?;
        Ok(())
    }

    /// Removes a name.
    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// The operating system itself.
#[derive(Debug)]
pub(crate) struct Kernel;

impl Disk for Kernel {}

/// Writes all of `bytes`, however short the single writes are.
pub(crate) fn write_all_at(
    disk: &dyn Disk,
    file: &File,
    mut bytes: &[u8],
    mut offset: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match disk.write_at(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The port's word for an error of the operating system: a full disk or quota is not a defect.
pub(crate) fn blob_error(error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::NoSpace,
        _ => BlobError::Io(error),
    }
}

/// Runs a job that may wait for the disk away from the async threads.
pub(crate) async fn off_thread<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(job).await {
        Ok(result) => result,
        Err(died) => Err(BlobError::Io(io::Error::other(died))),
    }
}
