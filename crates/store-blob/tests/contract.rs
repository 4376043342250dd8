//! The file store against the contract of the blob port.

use roadstead_store::blob_contract;
use roadstead_store_blob::FileBlobs;
use tempfile::TempDir;

async fn fresh(_case: &str) -> (FileBlobs, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = FileBlobs::open(&folder.path().join("blobs")).unwrap();
    (store, folder)
}

blob_contract!(files, fresh);
