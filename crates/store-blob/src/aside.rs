//! Setting aside: what is rotten or unknown is moved below `quarantine/` and kept for inspection.
//!
//! Nothing here deletes or overwrites; nothing else reads what lies there.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use roadstead_domain::ids::BlobKey;
use roadstead_store::blobs::BlobError;

use crate::disk::blob_error;
use crate::file_blobs::Place;
use crate::layout::{FOLDERS, Layout, folder_number};

/// What a file system puts into its root by itself.
const NOT_OURS: &str = "lost+found";
/// Names tried for one thing.
const NAMES_MAX: u32 = 10_000;

/// Moves a path of the store into the quarantine; false if there is nothing.
pub(crate) fn set_aside(place: &Place, path: &Path) -> Result<bool, BlobError> {
    let moved = (|| {
        if let Err(error) = path.symlink_metadata() {
            return match error.kind() {
                io::ErrorKind::NotFound => Ok(false),
                _ => Err(error),
            };
        }
        let folder = place.layout.quarantine();
        match place.disk.make_folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        place.disk.sync_folder(place.layout.root())?;
        let name = path.file_name().unwrap_or(OsStr::new("unnamed"));
        for number in 0..NAMES_MAX {
            let mut free = name.to_owned();
            if number > 0 {
                free.push(format!(".{number}"));
            }
            match place.disk.move_to_free_name(path, &folder.join(free)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                moved => {
                    moved?;
                    place.disk.sync_folder(&folder)?;
                    if let Some(left) = path.parent() {
                        place.disk.sync_folder(left)?;
                    }
                    return Ok(true);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    })();
    moved.map_err(blob_error)
}

/// The path of something that [`strangers`] named; none if it is not below the root.
pub(crate) fn stranger(layout: &Layout, name: &str) -> Option<PathBuf> {
    let relative = Path::new(name);
    let is_plain = relative
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    is_plain.then(|| layout.root().join(relative))
}

/// Up to `limit` things that are not a key's file in its place, by their path below the root. A name
/// that is no text is told as well as it can be.
pub(crate) fn strangers(layout: &Layout, limit: usize) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let quarantine = layout.quarantine();
    for entry in std::fs::read_dir(layout.root())? {
        let entry = entry?;
        let name = entry.file_name();
        let is_folder = entry.file_type()?.is_dir();
        let is_numbered = name.to_str().is_some_and(is_folder_name);
        let is_known = is_numbered || entry.path() == quarantine || name == NOT_OURS;
        if !(is_folder && is_known) {
            found.push(name.to_string_lossy().into_owned());
        }
    }
    for number in 0..FOLDERS {
        if found.len() >= limit {
            break;
        }
        for entry in std::fs::read_dir(layout.numbered_folder(number))? {
            let entry = entry?;
            let name = entry.file_name();
            let key = name.to_str().and_then(|name| BlobKey::parse(name).ok());
            let is_in_place = key.is_some_and(|key| folder_number(&key) == number);
            if !(is_in_place && entry.file_type()?.is_file()) {
                found.push(format!("{number:02x}/{}", name.to_string_lossy()));
            }
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    Ok(found)
}

fn is_folder_name(name: &str) -> bool {
    name.len() == 2 && (0..FOLDERS).any(|number| name == format!("{number:02x}"))
}
