//! Contract cases of deleting bytes and of listing the keys that hold some.

use bytes::Bytes;

use super::{BUFFER, assert_holds, bytes, collect, key, put, stage};
use crate::blobs::{BlobError, BlobStore};

/// The answer is the sum of the lengths, and nothing is left.
pub async fn frees_the_exact_bytes(store: &dyn BlobStore) {
    let lengths = [0, 1, 1000, BUFFER + 1];
    let keys: Vec<_> = (1..=4).map(key).collect();
    for (key, length) in keys.iter().zip(lengths) {
        put(store, key, &bytes(1, length)).await;
    }
    let freed = store.delete(&keys).await.expect("delete");
    assert_eq!(freed, 1001 + BUFFER as u64 + 1);
    for key in &keys {
        assert_eq!(store.size_bytes(key).await.expect("size"), None);
        let read = store.read(key, 0..0).await.err();
        assert!(matches!(read, Some(BlobError::NotFound(_))));
    }
}

/// An upload that was given up goes the same way.
pub async fn frees_staged_bytes(store: &dyn BlobStore) {
    stage(store, &key(1), &bytes(1, 4321)).await;
    assert_eq!(store.delete(&[key(1)]).await.expect("delete"), 4321);
    assert_eq!(store.size_bytes(&key(1)).await.expect("size"), None);
}

/// A second removal succeeds and frees nothing (F04).
pub async fn again_frees_nothing(store: &dyn BlobStore) {
    put(store, &key(1), &bytes(1, 10)).await;
    assert_eq!(store.delete(&[key(1)]).await.expect("delete"), 10);
    assert_eq!(store.delete(&[key(1)]).await.expect("delete"), 0);
    put(store, &key(2), &bytes(2, 20)).await;
    let both = [key(1), key(2)];
    assert_eq!(store.delete(&both).await.expect("delete"), 20);
}

/// An empty list and unknown keys are removed at once.
pub async fn nothing_is_fine(store: &dyn BlobStore) {
    assert_eq!(store.delete(&[]).await.expect("delete"), 0);
    assert_eq!(store.delete(&[key(1), key(2)]).await.expect("delete"), 0);
}

/// Bytes are freed once, however often their key is in the list, in whatever order.
pub async fn a_key_named_twice_counts_once(store: &dyn BlobStore) {
    put(store, &key(1), &bytes(1, 10)).await;
    put(store, &key(2), &bytes(2, 5)).await;
    let list = [key(2), key(1), key(2), key(1)];
    assert_eq!(store.delete(&list).await.expect("delete"), 15);
}

/// Only the named keys go, also among near neighbours.
pub async fn leaves_other_keys_alone(store: &dyn BlobStore) {
    for n in 0..16 {
        put(store, &key(n), &bytes(n, 100)).await;
    }
    let odd: Vec<_> = (0..16).filter(|n| n % 2 == 1).map(key).collect();
    assert_eq!(store.delete(&odd).await.expect("delete"), 800);
    for n in (0..16).filter(|n| n % 2 == 0) {
        assert_holds(store, &key(n), &bytes(n, 100)).await;
    }
}

/// A body that was opened before the removal yields every byte after it (F48).
pub async fn an_open_reader_still_reads_everything(store: &dyn BlobStore) {
    let content = bytes(1, 5 * 1024 * 1024);
    put(store, &key(1), &content).await;
    let whole = store
        .read(&key(1), 0..content.len() as u64)
        .await
        .expect("read");
    let part = store.read(&key(1), 1000..2_000_000).await.expect("read");
    let freed = store.delete(&[key(1)]).await.expect("delete");
    assert_eq!(freed, content.len() as u64);
    assert!(collect(whole).await == *content);
    assert!(collect(part).await == content[1000..2_000_000]);
}

/// Pages of any size list every key once, in order; staged and empty ones too.
pub async fn keys_come_in_ordered_pages(store: &dyn BlobStore) {
    assert_eq!(store.keys(None, 10).await.expect("keys"), []);
    for n in 0..20 {
        put(store, &key(n), &Bytes::new()).await;
    }
    for n in 20..25 {
        stage(store, &key(n), &bytes(n, 9)).await;
    }
    let mut expected: Vec<_> = (0..25).map(key).collect();
    expected.sort();
    for limit in [1, 2, 7, 24, 25, 26, 1000] {
        let mut listed: Vec<_> = Vec::new();
        loop {
            let page = store.keys(listed.last(), limit).await.expect("keys");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            listed.extend(page);
        }
        assert_eq!(listed, expected, "pages of {limit}");
    }
    assert_eq!(store.keys(None, 0).await.expect("keys"), []);
    let between = store.keys(Some(&expected[9]), 2).await.expect("keys");
    assert_eq!(between, expected[10..12]);
}

/// A key that was removed between two pages is no obstacle, and is listed no more.
pub async fn keys_are_gone_after_removal(store: &dyn BlobStore) {
    for n in 0..4 {
        put(store, &key(n), &bytes(n, 1)).await;
    }
    let all = store.keys(None, 10).await.expect("keys");
    store.delete(&all[1..2]).await.expect("delete");
    let behind = store.keys(Some(&all[1]), 10).await.expect("keys");
    assert_eq!(behind, all[2..]);
    let left = store.keys(None, 10).await.expect("keys");
    assert_eq!(left, [all[0].clone(), all[2].clone(), all[3].clone()]);
}
