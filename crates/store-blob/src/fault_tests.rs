//! What the store does when the disk fails at any call (F12 to F15, F19).
//!
//! Each test runs the same push against a planned disk, then looks at what is left through a
//! store on the real one, as a restarted process would.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::BlobKey;
use roadstead_store::blobs::{BlobError, BlobStore, Sealed};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::FileBlobs;
use crate::disk::Disk;
use crate::planned_disk::{Call, Fault, Plan, PlannedDisk, SlowDisk};
use crate::writer::BUFFER_BYTES;

const KEY: u128 = 0x5a << 120 | 1;

fn key() -> BlobKey {
    BlobKey::from_random(KEY)
}

/// Two full buffers and a rest, with no short period.
fn content() -> Bytes {
    (0..2 * BUFFER_BYTES + 1000)
        .map(|at| (at * 31 + at / 251).to_le_bytes()[0])
        .collect::<Vec<u8>>()
        .into()
}

fn planned(folder: &TempDir, plan: &Plan) -> FileBlobs {
    let store = open_on(folder, PlannedDisk(Plan::clone(plan)));
    // What opening did is no part of the plan.
    assert!(plan.calls().iter().all(|call| *call == Call::SyncFolder));
    store
}

fn open_on(folder: &TempDir, disk: impl Disk + 'static) -> FileBlobs {
    FileBlobs::open_on(Box::new(disk), folder.path()).unwrap()
}

/// A store on a planned disk with `fault`, counting from its first call after opening.
fn store_with(folder: &TempDir, fault: Fault) -> (FileBlobs, Plan) {
    let plan = Plan::new(Fault::None);
    let store = planned(folder, &plan);
    plan.restart(fault);
    (store, plan)
}

/// Writes and seals the content, in pieces of `piece` bytes.
async fn push(store: &FileBlobs, piece: usize) -> Result<Sealed, BlobError> {
    let mut writer = store.create(&key()).await?;
    for part in content().chunks(piece) {
        writer.write(Bytes::copy_from_slice(part)).await?;
    }
    writer.seal().await
}

/// What a restarted process finds can be finished to the right blob from wherever it stands.
async fn assert_can_be_finished(folder: &TempDir, acknowledged: u64) {
    let store = FileBlobs::open(folder.path()).unwrap();
    let mut writer = store.resume(&key(), acknowledged).await.unwrap();
    let held = usize::try_from(writer.size_bytes()).unwrap();
    assert!(held as u64 <= acknowledged);
    writer.write(content().slice(held..)).await.unwrap();
    let sealed = writer.seal().await.unwrap();
    assert_eq!(sealed.size_bytes, content().len() as u64);
    assert_eq!(sealed.sha256, Digest::sha256(&content()));
    let read = store.digest(&key(), Algorithm::Sha256).await.unwrap();
    assert_eq!(read, sealed.sha256, "the hash differs from the bytes");
}

#[tokio::test]
async fn f12_bytes_are_synced_before_the_name_and_both_before_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (store, plan) = store_with(&folder, Fault::None);
    push(&store, 10_000).await.unwrap();
    use Call::{Create, SyncBytes, SyncFolder, Write};
    let expected = [Create, Write, Write, Write, SyncBytes, SyncFolder];
    assert_eq!(plan.calls(), expected);
}

#[tokio::test]
async fn a_small_blob_asks_for_four_calls_and_none_before_its_seal() {
    let folder = tempfile::tempdir().unwrap();
    let (store, plan) = store_with(&folder, Fault::None);
    let mut writer = store.create(&key()).await.unwrap();
    for _ in 0..100 {
        writer
            .write(Bytes::from_static(b"0123456789"))
            .await
            .unwrap();
    }
    assert_eq!(plan.calls(), []);
    writer.seal().await.unwrap();
    use Call::{Create, SyncBytes, SyncFolder, Write};
    assert_eq!(plan.calls(), [Create, Write, SyncBytes, SyncFolder]);
}

#[tokio::test]
async fn f12_a_machine_that_dies_at_any_call_never_answers_success() {
    for piece in [10_000, 3 * BUFFER_BYTES] {
        let mut number = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let (store, plan) = store_with(&folder, Fault::From(number, Errno::IO));
            let pushed = push(&store, piece).await;
            if plan.calls().len() <= number {
                assert!(pushed.is_ok());
                break;
            }
            let error = pushed.expect_err("success after a fault");
            assert!(matches!(error, BlobError::Io(_)), "{error}");
            assert_can_be_finished(&folder, content().len() as u64).await;
            number += 1;
        }
        assert!(number >= 4, "only {number} calls were tried");
    }
}

#[tokio::test]
async fn f15_one_failure_that_is_not_repeated_fails_the_push() {
    for number in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = store_with(&folder, Fault::Once(number, Errno::IO));
        push(&store, 10_000)
            .await
            .expect_err("success after a fault");
        // Nothing that the fault touched may be taken up again.
        assert_eq!(store.size_bytes(&key()).await.unwrap(), None);
        assert_can_be_finished(&folder, content().len() as u64).await;
    }
}

#[tokio::test]
async fn f15_a_failed_sync_is_never_followed_by_one_that_succeeds_over_the_same_file() {
    for kind in [Call::SyncBytes, Call::SyncFolder] {
        let folder = tempfile::tempdir().unwrap();
        let (store, plan) = store_with(&folder, Fault::Every(kind, Errno::IO));
        push(&store, 10_000)
            .await
            .expect_err("success after a fault");
        plan.restart(Fault::None);
        let acknowledged = content().len() as u64;
        let writer = store.resume(&key(), acknowledged).await.unwrap();
        assert_eq!(writer.size_bytes(), 0, "the bytes were trusted again");
    }
}

#[tokio::test]
async fn a_failed_writer_answers_nothing_but_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (store, plan) = store_with(&folder, Fault::Once(1, Errno::IO));
    let mut writer = store.create(&key()).await.unwrap();
    writer.write(content().slice(..10)).await.unwrap();
    assert!(writer.flush().await.is_err());
    let before = plan.calls();
    assert!(writer.write(Bytes::from_static(b"x")).await.is_err());
    assert!(writer.write(Bytes::new()).await.is_err());
    assert!(writer.flush().await.is_err());
    assert!(writer.seal().await.is_err());
    assert_eq!(plan.calls(), before, "the disk was asked again");
}

#[tokio::test]
async fn f14_a_full_disk_is_no_space_at_every_call_and_loses_nothing() {
    for errno in [Errno::NOSPC, Errno::DQUOT] {
        for number in 0..6 {
            let folder = tempfile::tempdir().unwrap();
            let real = FileBlobs::open(folder.path()).unwrap();
            let other = BlobKey::from_random(KEY + 1);
            let mut writer = real.create(&other).await.unwrap();
            writer
                .write(Bytes::from_static(b"sealed before"))
                .await
                .unwrap();
            let sealed = writer.seal().await.unwrap();

            let (store, _) = store_with(&folder, Fault::From(number, errno));
            let error = push(&store, 10_000)
                .await
                .expect_err("success on a full disk");
            assert!(matches!(error, BlobError::NoSpace), "{number}: {error}");

            let read = real.digest(&other, Algorithm::Sha256).await.unwrap();
            assert_eq!(read, sealed.sha256);
            assert_can_be_finished(&folder, content().len() as u64).await;
        }
    }
}

#[tokio::test]
async fn f14_acknowledged_bytes_survive_a_disk_that_fills_up_later() {
    let folder = tempfile::tempdir().unwrap();
    let (store, plan) = store_with(&folder, Fault::None);
    let mut writer = store.create(&key()).await.unwrap();
    writer.write(content().slice(..5000)).await.unwrap();
    writer.flush().await.unwrap();
    plan.restart(Fault::Every(Call::Write, Errno::NOSPC));
    writer.write(content().slice(5000..6000)).await.unwrap();
    assert!(matches!(writer.flush().await, Err(BlobError::NoSpace)));

    plan.restart(Fault::None);
    let mut writer = store.resume(&key(), 5000).await.unwrap();
    assert_eq!(writer.size_bytes(), 5000);
    writer.write(content().slice(5000..)).await.unwrap();
    let sealed = writer.seal().await.unwrap();
    assert_eq!(sealed.sha256, Digest::sha256(&content()));
}

#[tokio::test]
async fn short_and_interrupted_writes_are_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (store, plan) = store_with(&folder, Fault::ShortWrites(30_011));
    let sealed = push(&store, 10_000).await.unwrap();
    assert_eq!(sealed.sha256, Digest::sha256(&content()));
    let read = store.digest(&key(), Algorithm::Sha256).await.unwrap();
    assert_eq!(read, sealed.sha256);
    assert!(plan.calls().len() > 2 * content().len() / 30_011);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_an_error_and_no_endless_loop() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store_with(&folder, Fault::ShortWrites(0));
    let error = push(&store, 10_000).await.expect_err("success of nothing");
    assert!(matches!(error, BlobError::Io(_)));
}

#[tokio::test]
async fn a_resume_that_cannot_open_or_cut_is_an_error_and_throws_nothing_away() {
    for kind in [Call::Open, Call::Cut] {
        let folder = tempfile::tempdir().unwrap();
        let (store, plan) = store_with(&folder, Fault::None);
        let mut writer = store.create(&key()).await.unwrap();
        writer.write(content().slice(..5000)).await.unwrap();
        writer.flush().await.unwrap();
        drop(writer);
        plan.restart(Fault::Every(kind, Errno::IO));
        assert!(store.resume(&key(), 4000).await.is_err());
        assert_eq!(store.size_bytes(&key()).await.unwrap(), Some(5000));
    }
}

#[tokio::test]
async fn a_delete_answers_success_only_after_its_folder_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, plan) = store_with(&folder, Fault::None);
    push(&store, 10_000).await.unwrap();
    let neighbour = BlobKey::from_random(KEY + 1);
    let keys = [neighbour, key()];

    plan.restart(Fault::Once(0, Errno::IO));
    assert!(store.delete(&keys).await.is_err());
    assert!(store.size_bytes(&key()).await.unwrap().is_some());

    plan.restart(Fault::Every(Call::SyncFolder, Errno::IO));
    assert!(store.delete(&keys).await.is_err());
    assert_eq!(plan.calls(), [Call::Unlink, Call::SyncFolder]);

    // The repeated call finds no name any more and still makes that durable.
    plan.restart(Fault::None);
    assert_eq!(store.delete(&keys).await.unwrap(), 0);
    assert_eq!(plan.calls(), [Call::SyncFolder]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f19_a_stale_write_under_way_holds_up_its_successor_and_the_delete() {
    for delete in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (disk, has_started, open) = SlowDisk::new();
        let store = Arc::new(open_on(&folder, disk));
        let mut writer = store.create(&key()).await.unwrap();
        writer.write(vec![0xff; BUFFER_BYTES].into()).await.unwrap();
        drop(writer);
        has_started.recv().unwrap();

        let next = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                if delete {
                    return store.delete(&[key()]).await.unwrap();
                }
                let mut writer = store.resume(&key(), 0).await.unwrap();
                writer.write(content()).await.unwrap();
                writer.seal().await.unwrap().size_bytes
            }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!next.is_finished(), "it overtook the stale write");
        open.send(()).unwrap();
        if delete {
            assert_eq!(next.await.unwrap(), BUFFER_BYTES as u64);
            assert_eq!(store.size_bytes(&key()).await.unwrap(), None);
        } else {
            assert_eq!(next.await.unwrap(), content().len() as u64);
            let read = store.digest(&key(), Algorithm::Sha256).await.unwrap();
            assert_eq!(read, Digest::sha256(&content()));
        }
    }
}

#[tokio::test]
async fn f03_a_key_is_never_written_by_two_creators() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileBlobs::open(folder.path()).unwrap();
    let sealed = push(&store, 10_000).await.unwrap();
    let error = push(&store, 7000).await.expect_err("a second creation");
    assert!(matches!(error, BlobError::Io(_)));
    let read = store.digest(&key(), Algorithm::Sha256).await.unwrap();
    assert_eq!(read, sealed.sha256, "the first bytes were touched");
}

#[tokio::test]
async fn f19_a_checkpoint_is_durable_and_spares_reading_what_lies_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, plan) = store_with(&folder, Fault::None);
    let mut writer = store.create(&key()).await.unwrap();
    writer.write(content().slice(..BUFFER_BYTES)).await.unwrap();
    let state = writer.checkpoint().await.unwrap().unwrap();
    use Call::{Create, SyncBytes, SyncFolder, Write};
    assert_eq!(plan.calls(), [Create, Write, SyncBytes, SyncFolder]);
    writer.write(content().slice(BUFFER_BYTES..)).await.unwrap();
    writer.flush().await.unwrap();
    drop(writer);
    // Only who reads them sees that these bytes are others now.
    let path = folder
        .path()
        .join(&key().as_str()[..2])
        .join(key().as_str());
    let file = std::fs::File::options().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"other", 0).unwrap();
    let length = content().len() as u64;
    let resumed = store.resume_hashed(&key(), length, &state).await.unwrap();
    let sealed = resumed.seal().await.unwrap();
    assert_eq!(sealed.sha256, Digest::sha256(&content()));
    let resumed = store.resume(&key(), length).await.unwrap();
    let sealed = resumed.seal().await.unwrap();
    assert_ne!(sealed.sha256, Digest::sha256(&content()));
}

#[tokio::test]
async fn f15_a_checkpoint_that_cannot_be_synced_ends_its_writer() {
    for (call, errno) in [
        (Call::SyncBytes, Errno::IO),
        (Call::SyncBytes, Errno::NOSPC),
        (Call::SyncFolder, Errno::IO),
        (Call::SyncFolder, Errno::DQUOT),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, plan) = store_with(&folder, Fault::Every(call, errno));
        let mut writer = store.create(&key()).await.unwrap();
        writer.write(content()).await.unwrap();
        // Its bytes are gone: nobody may take this for a disk that is merely full.
        assert!(matches!(writer.checkpoint().await, Err(BlobError::Io(_))));
        plan.restart(Fault::None);
        // A second sync would succeed over a hole.
        assert!(writer.checkpoint().await.is_err());
        assert!(writer.write(content()).await.is_err());
        assert!(writer.seal().await.is_err());
        assert_eq!(store.size_bytes(&key()).await.unwrap(), None);
    }
}
