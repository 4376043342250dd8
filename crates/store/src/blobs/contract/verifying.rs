//! Contract cases of bytes that are looked at: verified reads, and setting aside.

use std::num::NonZeroU64;

use futures_util::StreamExt;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::time::Timestamp;

use super::{BUFFER, bytes, collect, key, put};
use crate::blobs::{BlobBody, BlobError, BlobStore, Expected};

/// Lengths below and above what implementations may hash at once.
const LENGTHS: [usize; 4] = [0, 1000, BUFFER + 1, 5 * 1024 * 1024 + 3];

fn expected(digest: Digest, length: usize, since: i64) -> Expected {
    Expected {
        digest,
        size_bytes: length as u64,
        verified_since: Timestamp(since),
        now: Timestamp(10),
    }
}

/// Right bytes come whole and in part, for the first time and again, whenever they were hashed.
pub async fn what_is_right_is_read(store: &dyn BlobStore) {
    for (seed, length) in (1..).zip(LENGTHS) {
        let content = bytes(seed, length);
        put(store, &key(seed), &content).await;
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for since in [0, 10, 11] {
                let expected = expected(Digest::of(algorithm, &content), length, since);
                for range in [0..length as u64, length as u64 / 3..length as u64 / 2] {
                    let part = &content[range.start as usize..range.end as usize];
                    let body = store.read_verified(&key(seed), range, &expected).await;
                    assert!(collect(body.expect("a body")).await == part, "{length}");
                }
            }
        }
    }
    let missing = key(99);
    let wanted = expected(Digest::sha256(b""), 0, 0);
    let read = store.read_verified(&missing, 0..0, &wanted).await.err();
    assert!(matches!(read, Some(BlobError::NotFound(key)) if key == missing));
}

/// Bytes of another digest or length never come to their end.
pub async fn what_is_wrong_is_never_read_whole(store: &dyn BlobStore) {
    for (seed, length) in (1..).zip(LENGTHS) {
        let content = bytes(seed, length);
        put(store, &key(seed), &content).await;
        let other = expected(Digest::sha256(b"other"), length, 0);
        let whole = 0..length as u64;
        let read = store.read_verified(&key(seed), whole.clone(), &other).await;
        assert!(!comes_whole(read, length).await, "{length}");
        // What was read in vain is not remembered as good.
        let read = store.read_verified(&key(seed), whole, &other).await;
        assert!(!comes_whole(read, length).await, "{length}");
        let longer = expected(Digest::sha256(&content), length + 1, 0);
        let key = key(seed);
        let read = store.read_verified(&key, 0..length as u64, &longer).await;
        assert!(matches!(read, Err(BlobError::Rotten(_))), "{length}");
    }
}

/// Whether all bytes came; if not, the end says why.
async fn comes_whole(read: Result<BlobBody, BlobError>, length: usize) -> bool {
    match read {
        Err(BlobError::Rotten(_)) => false,
        Ok(BlobBody::Stream(mut pieces)) => {
            let (mut seen, mut end) = (0, None);
            while let Some(piece) = pieces.next().await {
                match piece {
                    Ok(piece) => seen += piece.len(),
                    Err(error) => end = Some(error),
                }
            }
            assert!(matches!(end, Some(BlobError::Rotten(_))), "{end:?}");
            assert!(seen < length, "all bytes were given out");
            false
        }
        Ok(BlobBody::File { .. } | BlobBody::Bytes(_)) => true,
        Err(error) => panic!("{error}"),
    }
}

/// Reading slowly changes nothing about the answer.
pub async fn a_digest_at_a_rate_is_the_same(store: &dyn BlobStore) {
    let content = bytes(1, BUFFER + 100);
    put(store, &key(1), &content).await;
    let rate = NonZeroU64::new(1024 * 1024 * 1024);
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let found = store.digest_at_rate(&key(1), algorithm, rate).await;
        assert_eq!(found.expect("a digest"), Digest::of(algorithm, &content));
    }
}

/// Bytes that were set aside are not there any more, and others are.
pub async fn set_aside_is_gone(store: &dyn BlobStore) {
    for seed in 1..=2 {
        put(store, &key(seed), &bytes(seed, 1000)).await;
    }
    assert!(store.set_aside(&key(1)).await.expect("set aside"));
    assert!(!store.set_aside(&key(1)).await.expect("nothing left"));
    assert_eq!(store.size_bytes(&key(1)).await.expect("size"), None);
    assert_eq!(store.keys(None, 10).await.expect("keys"), [key(2)]);
    assert_eq!(store.strangers(10).await.expect("none"), [""; 0]);
    super::assert_holds(store, &key(2), &bytes(2, 1000)).await;
}

/// A store that only its own calls wrote to holds nothing strange.
pub async fn there_are_no_strangers(store: &dyn BlobStore) {
    put(store, &key(1), &bytes(1, 1000)).await;
    assert_eq!(store.strangers(10).await.expect("none"), [""; 0]);
    let nothing = ["../outside", "/etc/hostname", "nothing"];
    for name in nothing {
        assert!(!store.set_stranger_aside(name).await.expect("nothing"));
    }
}
