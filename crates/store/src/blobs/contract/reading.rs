//! Contract cases of reading sealed bytes.

use bytes::Bytes;
use futures_util::future::join_all;
use roadstead_domain::digest::Algorithm;

use super::{BUFFER, assert_holds, bytes, collect, key, put};
use crate::blobs::{BlobError, BlobStore};

/// Every range within a blob yields exactly its bytes, the empty ones included.
pub async fn ranges_are_exact(store: &dyn BlobStore) {
    let length = 2 * BUFFER + 100;
    let content = bytes(1, length);
    put(store, &key(1), &content).await;
    let edges = [
        0,
        1,
        255,
        BUFFER - 1,
        BUFFER,
        BUFFER + 1,
        length - 1,
        length,
    ];
    for start in edges {
        for end in edges.into_iter().filter(|end| *end >= start) {
            let range = start as u64..end as u64;
            let body = store.read(&key(1), range).await.expect("read");
            let read = collect(body).await;
            assert!(read == content[start..end], "other bytes in {start}..{end}");
        }
    }
}

/// A blob that is shorter than asked is an error before the first byte, never a short answer.
pub async fn a_range_past_the_end_is_an_error(store: &dyn BlobStore) {
    put(store, &key(1), &bytes(1, 1000)).await;
    for range in [0..1001, 999..1001, 1000..1001, 1001..1001, 5000..6000] {
        let read = store.read(&key(1), range.clone()).await;
        assert!(matches!(read, Err(BlobError::Io(_))), "{range:?}");
    }
    assert_holds(store, &key(1), &bytes(1, 1000)).await;
}

/// A key without bytes is `NotFound` for readers, and without a size.
pub async fn unknown_keys_are_not_found(store: &dyn BlobStore) {
    put(store, &key(1), &Bytes::from_static(b"here")).await;
    let missing = key(2);
    let read = store.read(&missing, 0..1).await.err();
    assert!(matches!(read, Some(BlobError::NotFound(key)) if key == missing));
    let digest = store.digest(&missing, Algorithm::Sha256).await.err();
    assert!(matches!(digest, Some(BlobError::NotFound(key)) if key == missing));
    assert_eq!(store.size_bytes(&missing).await.expect("size"), None);
}

/// Readers of one blob do not share a position.
pub async fn many_readers_of_one_blob(store: &dyn BlobStore) {
    let content = bytes(1, 800_000);
    put(store, &key(1), &content).await;
    join_all((0..32_usize).map(|n| {
        let content = &content;
        async move {
            let part = n * 1000..800_000 - n * 999;
            let range = part.start as u64..part.end as u64;
            let body = store.read(&key(1), range).await.expect("read");
            assert!(collect(body).await == content[part]);
        }
    }))
    .await;
}
