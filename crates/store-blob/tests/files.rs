//! What the file store leaves on the disk: tree, modes, and what it does not follow.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;

use bytes::Bytes;
use futures_util::StreamExt;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::BlobKey;
use roadstead_domain::time::Timestamp;
use roadstead_store::blobs::{BlobBody, BlobError, BlobStore, Expected, SMALL_BYTES};
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

fn expected(content: &[u8], now: i64) -> Expected {
    Expected {
        digest: Digest::sha256(content),
        size_bytes: content.len() as u64,
        verified_since: Timestamp(0),
        now: Timestamp(now),
    }
}

/// Writes one byte of a sealed file behind the store's back, keeping length and time of change.
fn flip(path: &Path, at: u64) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let times = fs::metadata(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    // The clock of file systems has coarse ticks.
    let is_same_tick = || {
        let now = fs::metadata(path).unwrap();
        (now.ctime(), now.ctime_nsec()) == (times.ctime(), times.ctime_nsec())
    };
    let modified = fs::FileTimes::new().set_modified(times.modified().unwrap());
    file.set_times(modified).unwrap();
    while is_same_tick() {
        file.set_times(modified).unwrap();
    }
}

/// F43: whoever changes a file, it is hashed again, though it was good before.
#[tokio::test]
async fn a_file_that_was_changed_is_hashed_again() {
    let home = tempfile::tempdir().unwrap();
    let store = FileBlobs::open(home.path()).unwrap();
    let name = "e0123456789abcdef0123456789abcde";
    for length in [100, 500_000, 5 * 1024 * 1024] {
        let content = vec![7; length];
        let mut writer = store.create(&self::key(name)).await.unwrap();
        writer.write(content.clone().into()).await.unwrap();
        writer.seal().await.unwrap();
        let wanted = expected(&content, 1);
        let whole = 0..length as u64;
        let key = key(name);
        let read = || store.read_verified(&key, whole.clone(), &wanted);
        drain(read().await.unwrap()).await.unwrap();
        // Once it was hashed the file itself is given out, for the kernel to send, if it is not small.
        match read().await.unwrap() {
            BlobBody::File { .. } => assert_ne!(length, 100),
            BlobBody::Bytes(_) => assert_eq!(length, 100),
            BlobBody::Stream(_) => panic!("hashed once more"),
        }
        let path = home.path().join("e0").join(name);
        flip(&path, length as u64 - 1);
        let broken = match read().await {
            Err(error) => error,
            Ok(body) => drain(body).await.unwrap_err(),
        };
        assert!(matches!(broken, BlobError::Rotten(_)), "{broken}");
        flip(&path, length as u64 - 1);
        drain(read().await.unwrap()).await.unwrap();
        store.delete(std::slice::from_ref(&key)).await.unwrap();
    }
}

/// How many files below a folder this process has open.
fn open_below(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let links = fs::read_dir("/proc/self/fd").unwrap();
    let open = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
    open.filter(|path| path.starts_with(&folder)).count()
}

/// A short file that was read stays open for the next reader, and takes no byte along when it goes.
#[tokio::test]
async fn a_file_that_is_gone_is_open_no_more() {
    let home = tempfile::tempdir().unwrap();
    let store = FileBlobs::open(home.path()).unwrap();
    let name = "e0123456789abcdef0123456789abcde";
    let (key, content) = (key(name), vec![7; 500_000]);
    let wanted = expected(&content, 1);
    for way in ["deleted", "set aside", "removed by hand"] {
        let mut writer = store.create(&key).await.unwrap();
        writer.write(content.clone().into()).await.unwrap();
        writer.seal().await.unwrap();
        let read = || store.read_verified(&key, 0..500_000, &wanted);
        drop(read().await.unwrap());
        assert_eq!(open_below(home.path()), 1, "{way}");
        // Whoever reads it meanwhile reads on.
        let body = read().await.unwrap();
        match way {
            "deleted" => {
                let freed = store.delete(std::slice::from_ref(&key)).await.unwrap();
                assert_eq!(freed, 500_000);
            }
            "set aside" => assert!(store.set_aside(&key).await.unwrap()),
            _ => fs::remove_file(home.path().join("e0").join(name)).unwrap(),
        }
        let BlobBody::File { file, .. } = body else {
            panic!("no file: {way}");
        };
        let mut end = [0];
        file.read_exact_at(&mut end, 499_999).unwrap();
        assert_eq!(end, [7], "{way}");
        let gone = read().await.err();
        assert!(matches!(gone, Some(BlobError::NotFound(_))), "{way}");
        drop(file);
        assert_eq!(open_below(home.path()), 0, "{way}");
    }
}

/// F43: what has to come from the disk once more may have rotted there, so it is hashed once more.
#[tokio::test]
async fn a_file_that_left_memory_is_hashed_again() {
    // On a disk: what lies in memory alone never leaves it.
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = FileBlobs::open(home.path()).unwrap();
    let (name, content) = ("e0123456789abcdef0123456789abcde", vec![7; 8 * 1024 * 1024]);
    let mut writer = store.create(&key(name)).await.unwrap();
    writer.write(content.clone().into()).await.unwrap();
    writer.seal().await.unwrap();
    let (key, wanted) = (key(name), expected(&content, 1));
    let read = || store.read_verified(&key, 0..content.len() as u64, &wanted);
    drain(read().await.unwrap()).await.unwrap();
    assert!(matches!(read().await.unwrap(), BlobBody::File { .. }));
    let file = fs::File::open(home.path().join("e0").join(name)).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let BlobBody::Stream(pieces) = read().await.unwrap() else {
        panic!("not hashed again");
    };
    drain(BlobBody::Stream(pieces)).await.unwrap();
    assert!(matches!(read().await.unwrap(), BlobBody::File { .. }));
}

/// F43: what is being hashed again is good for nobody until that is done, though the look brings it
/// into memory; nor is it afterwards if it was wrong. A digest that the bytes do not have stands for
/// rot below the file system, which no file shows.
#[tokio::test]
async fn a_second_reader_does_not_profit_from_the_look_of_the_first() {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = FileBlobs::open(home.path()).unwrap();
    let name = "e0123456789abcdef0123456789abcde";
    for length in [500_000, 8 * 1024 * 1024] {
        let content = vec![7; length];
        let mut writer = store.create(&key(name)).await.unwrap();
        writer.write(content.clone().into()).await.unwrap();
        writer.seal().await.unwrap();
        let (key, good) = (key(name), expected(&content, 1));
        let rotten = Expected {
            size_bytes: length as u64,
            ..expected(b"other", 1)
        };
        let whole = 0..length as u64;
        let read = store.read_verified(&key, whole.clone(), &good).await;
        drain(read.unwrap()).await.unwrap();
        let file = fs::File::open(home.path().join("e0").join(name)).unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let first = store.read_verified(&key, whole.clone(), &rotten).await;
        for reader in ["at the same time", "later"] {
            let second = store.read_verified(&key, whole.clone(), &rotten).await;
            let end = match second {
                Ok(BlobBody::Stream(pieces)) => drain(BlobBody::Stream(pieces)).await.err(),
                Ok(_) => panic!("{length} bytes were not looked at: {reader}"),
                Err(error) => Some(error),
            };
            assert!(matches!(end, Some(BlobError::Rotten(_))), "{reader}");
        }
        drop(first);
        store.delete(std::slice::from_ref(&key)).await.unwrap();
    }
}

/// Around the lengths where the way of reading changes, for the first time and again: the bytes are
/// right, and no short answer holds a file.
#[tokio::test]
async fn a_short_part_is_bytes_whether_its_file_is_open_or_not() {
    const SMALL: usize = SMALL_BYTES as usize;
    const LONG: usize = 4 * 1024 * 1024;
    let home = tempfile::tempdir().unwrap();
    let store = FileBlobs::open(home.path()).unwrap();
    let name = "e0123456789abcdef0123456789abcde";
    for length in [SMALL, SMALL + 1, 500_000, LONG, LONG + 1] {
        let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut writer = store.create(&key(name)).await.unwrap();
        writer.write(content.clone().into()).await.unwrap();
        writer.seal().await.unwrap();
        let (key, wanted) = (key(name), expected(&content, 1));
        let whole = store.read_verified(&key, 0..length as u64, &wanted);
        drain(whole.await.unwrap()).await.unwrap();
        for range in [
            0..0,
            0..1,
            5..SMALL,
            0..SMALL,
            0..length,
            length - 1..length,
        ] {
            for turn in ["first", "again"] {
                let part = range.start as u64..range.end as u64;
                let body = store.read_verified(&key, part, &wanted).await.unwrap();
                let found = match body {
                    BlobBody::Bytes(bytes) => {
                        assert!(range.len() <= SMALL, "{length} {range:?} {turn}");
                        bytes
                    }
                    BlobBody::File { file, offset, .. } => {
                        assert!(range.len() > SMALL, "{length} {range:?} {turn}");
                        let mut bytes = vec![0; range.len()];
                        file.read_exact_at(&mut bytes, offset).unwrap();
                        bytes.into()
                    }
                    BlobBody::Stream(_) => panic!("{length} {range:?} {turn}"),
                };
                assert!(found == content[range.clone()], "{length} {range:?} {turn}");
            }
        }
        let beyond = store.read_verified(&key, 1..length as u64 + 1, &wanted);
        assert!(beyond.await.is_err(), "{length}");
        store.delete(std::slice::from_ref(&key)).await.unwrap();
    }
}

async fn drain(body: BlobBody) -> Result<(), BlobError> {
    if let BlobBody::Stream(mut pieces) = body {
        while let Some(piece) = pieces.next().await {
            piece?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn strangers_are_named_and_set_aside_and_nothing_is_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("blobs");
    let store = FileBlobs::open(&root).unwrap();
    let name = "e0123456789abcdef0123456789abcde";
    fs::write(root.join("notes"), "1").unwrap();
    fs::create_dir(root.join("lost+found")).unwrap();
    fs::write(root.join("00/notes"), "2").unwrap();
    fs::write(root.join("00").join(name), "a key in a wrong place").unwrap();
    fs::create_dir(root.join("e0").join(name)).unwrap();
    fs::write(root.join("e0").join(name).join("inside"), "4").unwrap();
    let found = store.strangers(10).await.unwrap();
    let wanted = [
        format!("00/{name}"),
        "00/notes".into(),
        format!("e0/{name}"),
        "notes".into(),
    ];
    assert_eq!(found, wanted);
    assert_eq!(store.strangers(1).await.unwrap().len(), 1);
    for name in &found {
        assert!(store.set_stranger_aside(name).await.unwrap());
    }
    assert_eq!(store.strangers(10).await.unwrap(), [""; 0]);
    let aside = root.join("quarantine");
    assert_eq!(mode(&aside), 0o700);
    let kept = |name: &str| fs::read_to_string(aside.join(name)).unwrap();
    assert_eq!((kept("notes"), kept("notes.1")), ("2".into(), "1".into()));
    assert_eq!(kept(name), "a key in a wrong place");
    assert_eq!(kept(&format!("{name}.1/inside")), "4");
}
