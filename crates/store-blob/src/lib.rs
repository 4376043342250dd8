//! Blob stores: the bytes behind the blob port, kept in files.
//!
//! Below the metadata: nothing here knows digests of others, repositories or requests. A sealed
//! file is never changed in place, and no path is made anywhere but in `layout`.

mod aside;
mod disk;
mod file_blobs;
mod hash;
mod hash_state;
mod layout;
mod open_files;
mod reading;
mod recent;
mod turns;
mod verified;
mod writer;

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod planned_disk;

pub use file_blobs::FileBlobs;
