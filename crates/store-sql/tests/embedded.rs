//! What is SQLite's alone: files, crashes, the writer's queue, a full disk.

use std::path::Path;
use std::time::Duration;

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, Region, RepositoryId};
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataStore, NewRepository, Part, StoreError};
use roadstead_store_sql::{SqliteOptions, SqliteStore};

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, &SqliteOptions::default())
}

fn new_repository(text: &str) -> NewRepository {
    NewRepository {
        key: RepositoryKey::private(
            AccountId::parse("123456789012").unwrap(),
            Region::parse("eu-west-1").unwrap(),
            RepositoryName::parse(text).unwrap(),
        ),
        created_at: Timestamp(0),
        tag_mutability: TagMutability::default(),
        scan_on_push: false,
        resource_tags: vec![],
    }
}

async fn made(store: &dyn MetadataStore, text: &str) -> Result<bool, StoreError> {
    store
        .write(new_repository(text), |tx, new| {
            Box::pin(async move { Ok(tx.insert_repository(new).await?.is_some()) })
        })
        .await
}

async fn is_there(store: &dyn MetadataStore, text: &str) -> bool {
    let found: Result<bool, StoreError> = store
        .read(new_repository(text).key, |tx, key| {
            Box::pin(async move { Ok(tx.repository(key).await?.is_some()) })
        })
        .await;
    found.unwrap()
}

/// Keeps the writer busy, so that what is written meanwhile shares one commit.
async fn busy(store: &dyn MetadataStore, millis: u64) -> Result<(), StoreError> {
    store
        .write(millis, |_, millis| {
            Box::pin(async move {
                std::thread::sleep(Duration::from_millis(*millis));
                Ok(())
            })
        })
        .await
}

#[tokio::test]
async fn a_store_opens_again_with_what_it_held() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.sqlite");
    for n in 0..3 {
        let store = open(&path).unwrap();
        for earlier in 0..n {
            assert!(is_there(&store, &format!("app-{earlier}")).await);
        }
        assert!(made(&store, &format!("app-{n}")).await.unwrap());
        drop(store);
        let log = path.with_extension("sqlite-wal");
        let left = std::fs::metadata(&log).map_or(0, |log| log.len());
        assert_eq!(left, 0, "a clean end leaves an empty log");
    }
}

/// What was answered survives the end of the process: a copy of the files opens with all of it.
#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.sqlite");
    let store = open(&path).unwrap();
    let names: Vec<String> = (0..50).map(|n| format!("app-{n}")).collect();
    for text in &names {
        made(&store, text).await.unwrap();
    }
    let crashed = directory.path().join("crashed.sqlite");
    std::fs::copy(&path, &crashed).unwrap();
    let log = path.with_extension("sqlite-wal");
    std::fs::copy(log, crashed.with_extension("sqlite-wal")).unwrap();
    let again = open(&crashed).unwrap();
    for text in &names {
        assert!(is_there(&again, text).await, "{text}");
    }
}

#[tokio::test]
async fn foreign_schemas_are_refused() {
    for change in [
        "INSERT INTO schema_migration VALUES (1000, 'future', 'x')",
        "UPDATE schema_migration SET checksum = 'x' WHERE version = 1",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.sqlite");
        drop(open(&path).unwrap());
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute(change, []).unwrap();
        drop(connection);
        let refused = open(&path).err();
        assert!(
            matches!(refused, Some(StoreError::Unavailable(_))),
            "{change}"
        );
    }
}

/// Commits in the log: frames that say how large the file is after them (SQLite file format, "The
/// Write-Ahead Log": a header of 32 bytes, then frames of 24 bytes and a page).
fn commits(path: &Path) -> usize {
    let log = std::fs::read(path.with_extension("sqlite-wal")).unwrap();
    let word = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let frame = 24 + word(8) as usize;
    let salt = &log[16..24];
    (32..log.len())
        .step_by(frame)
        .filter(|at| &log[at + 8..at + 16] == salt && word(at + 4) != 0)
        .count()
}

/// While the writer is busy, reads go on and writes wait; then they share a commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_do_not_wait_for_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.sqlite");
    let store = open(&path).unwrap();
    assert!(made(&store, "early").await.unwrap());
    let before = commits(&path);
    let names: Vec<String> = (0..20).map(|n| format!("app-{n}")).collect();
    let store: &dyn MetadataStore = &store;
    let writes = futures_util::future::join_all(names.iter().map(|text| made(store, text)));
    let reads = async {
        assert!(is_there(store, "early").await);
        assert!(!is_there(store, "app-0").await);
        assert_eq!(commits(&path), before, "nothing is committed yet");
    };
    let (held, written, ()) = tokio::join!(busy(store, 300), writes, reads);
    held.unwrap();
    assert!(written.into_iter().all(|made| made.unwrap()));
    // Some may have joined the busy write in its commit; the others share the next.
    let shared = commits(&path) - before;
    assert!((1..=2).contains(&shared), "{shared} commits");
}

/// A caller that went away does not take its write with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.sqlite");
    let store = open(&path).unwrap();
    let abandoned = async {
        tokio::select! {
            biased;
            _ = made(&store, "app") => panic!("answered while the writer was busy"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    };
    let (held, ()) = tokio::join!(busy(&store, 300), abandoned);
    held.unwrap();
    drop(store);
    assert!(is_there(&open(&path).unwrap(), "app").await);
}

/// F14: a full disk fails the write that meets it and damages nothing.
#[tokio::test]
async fn a_full_disk_fails_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.sqlite");
    drop(open(&path).unwrap());
    let options = SqliteOptions {
        page_count_max: Some(200),
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, &options).unwrap();
    let mut written = 0;
    let failure = loop {
        let keys: Vec<BlobKey> = (0..500)
            .map(|n| BlobKey::from_random(written + n))
            .collect();
        let stored: Result<(), StoreError> = (&store as &dyn MetadataStore)
            .write(keys, |tx, keys| {
                Box::pin(async move {
                    for key in keys {
                        tx.insert_garbage(key, 1).await?;
                    }
                    Ok(())
                })
            })
            .await;
        match stored {
            Ok(()) => written += 500,
            Err(failure) => break failure,
        }
        assert!(written < 1_000_000, "the disk is never full");
    };
    assert!(matches!(failure, StoreError::NoSpace), "{failure}");
    drop(store);

    let connection = rusqlite::Connection::open(&path).unwrap();
    let checked: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(checked, "ok");
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM garbage", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows as u128, written, "whole writes only");
    let store = open(&path).unwrap();
    assert!(made(&store, "space-again").await.unwrap());
}

/// The embedded store has epochs, so that what is read of it may be kept, and a refused write ends
/// none of them.
#[tokio::test]
async fn repositories_have_epochs() {
    let directory = tempfile::tempdir().unwrap();
    let store: Box<dyn MetadataStore> = Box::new(open(&directory.path().join("m.sqlite")).unwrap());
    assert!(made(&*store, "app").await.unwrap());
    let key = new_repository("app").key;
    let found: Result<Option<RepositoryId>, StoreError> = store
        .read(key, |tx, key| {
            Box::pin(async move { Ok(tx.repository(key).await?.map(|found| found.id)) })
        })
        .await;
    let id = found.unwrap().unwrap();
    let both = |id| [Part::Itself, Part::Contents].map(|part| store.epoch(id, part));
    let before = both(id);
    assert!(before.iter().all(Option::is_some));
    let refused: Result<(), StoreError> = store
        .write(id, |tx, id| {
            Box::pin(async move {
                tx.delete_repository(*id, Timestamp(1)).await?;
                Err(StoreError::Failed("refused".into()))
            })
        })
        .await;
    assert!(refused.is_err());
    assert_eq!(both(id), before);
    // What goes from a repository leaves what is kept of itself: its policy is not read anew each time.
    let deleted: Result<(), StoreError> = store
        .write(id, |tx, id| {
            Box::pin(async move {
                let digest = Digest::sha256(b"none");
                tx.delete_image(*id, &digest, Timestamp(1), None).await
            })
        })
        .await;
    deleted.unwrap();
    let after = both(id);
    assert_eq!(after[0], before[0]);
    assert_ne!(after[1], before[1]);
    assert!(is_there(&*store, "app").await);
}
