//! What the file store leaves on the disk: tree, modes, and what it does not follow.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use bytes::Bytes;
use roadstead_domain::digest::Algorithm;
use roadstead_domain::ids::BlobKey;
use roadstead_store::blobs::{BlobError, BlobStore};
use roadstead_store_blob::FileBlobs;

fn key(text: &str) -> BlobKey {
    BlobKey::parse(text).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn the_tree_is_made_once_and_a_blob_lies_in_one_place() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("a/b/blobs");
    let store = FileBlobs::open(&root).unwrap();
    let mut folders: Vec<_> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let expected: Vec<_> = (0..256).map(|n| format!("{n:02x}")).collect();
    assert_eq!(folders, expected);

    let name = "e0123456789abcdef0123456789abcde";
    let path = root.join("e0").join(name);
    let mut writer = store.create(&key(name)).await.unwrap();
    writer.write(Bytes::from_static(b"abc")).await.unwrap();
    writer.flush().await.unwrap();
    let staged = fs::metadata(&path).unwrap();
    writer.seal().await.unwrap();
    let sealed = fs::metadata(&path).unwrap();
    assert_eq!(staged.ino(), sealed.ino(), "sealing copied the bytes");
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    let all = fs::read_dir(root.join("e0")).unwrap().count();
    assert_eq!(all, 1, "something else was left");

    let again = FileBlobs::open(&root).unwrap();
    assert_eq!(again.size_bytes(&key(name)).await.unwrap(), Some(3));
}

#[tokio::test]
async fn files_and_folders_are_the_owners_alone() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("blobs");
    let store = FileBlobs::open(&root).unwrap();
    let name = "00000000000000000000000000000001";
    store
        .create(&key(name))
        .await
        .unwrap()
        .seal()
        .await
        .unwrap();
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join("00")), 0o700);
    assert_eq!(mode(&root.join("ff")), 0o700);
    assert_eq!(mode(&root.join("00").join(name)), 0o600);
}

#[tokio::test]
async fn a_symbolic_link_is_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("blobs");
    let store = FileBlobs::open(&root).unwrap();
    let outside = home.path().join("outside");
    fs::write(&outside, b"not a blob").unwrap();
    let key = key("77000000000000000000000000000001");
    let link = root.join("77").join(key.as_str());
    symlink(&outside, &link).unwrap();

    let read = store.read(&key, 0..1).await.err();
    assert!(matches!(read, Some(BlobError::Io(_))));
    let digest = store.digest(&key, Algorithm::Sha256).await.err();
    assert!(matches!(digest, Some(BlobError::Io(_))));
    assert!(matches!(store.resume(&key, 3).await, Err(BlobError::Io(_))));
    let mut writer = store.create(&key).await.unwrap();
    writer.write(Bytes::from_static(b"x")).await.unwrap();
    assert!(matches!(writer.seal().await, Err(BlobError::Io(_))));
    store.delete(&[key]).await.unwrap();
    assert!(fs::symlink_metadata(&link).is_err());
    assert_eq!(fs::read(&outside).unwrap(), b"not a blob");
}

#[tokio::test]
async fn foreign_files_are_not_listed() {
    let home = tempfile::tempdir().unwrap();
    let store = FileBlobs::open(home.path()).unwrap();
    let ours = key("0a000000000000000000000000000001");
    store.create(&ours).await.unwrap().seal().await.unwrap();
    for foreign in [
        "lost+found",
        "0a/.nfs0001",
        "0a/0A000000000000000000000000000002",
        "0a/0a00000000000000000000000000000",
        "0b/0a000000000000000000000000000003",
    ] {
        fs::write(home.path().join(foreign), b"").unwrap();
    }
    assert_eq!(store.keys(None, 10).await.unwrap(), [ours]);
}

#[tokio::test]
async fn a_store_that_vanished_is_an_error_for_a_delete_and_not_an_empty_one() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("blobs");
    let store = FileBlobs::open(&root).unwrap();
    fs::remove_dir_all(&root).unwrap();
    let key = key("0a000000000000000000000000000001");
    assert!(matches!(store.delete(&[key]).await, Err(BlobError::Io(_))));
    assert!(matches!(store.keys(None, 1).await, Err(BlobError::Io(_))));
}

#[test]
fn a_root_that_cannot_be_made_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(FileBlobs::open(&file), Err(BlobError::Io(_))));
    assert!(FileBlobs::open(&file.join("below")).is_err());
}
