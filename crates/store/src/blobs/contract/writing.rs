//! Contract cases of creating, appending and sealing.

use bytes::Bytes;
use futures_util::future::join_all;
use roadstead_domain::digest::{Algorithm, Digest};

use super::{BUFFER, append, assert_holds, bytes, key, put, seal_as};
use crate::blobs::BlobStore;

/// A blob of no bytes is a blob.
pub async fn an_empty_blob_seals(store: &dyn BlobStore) {
    put(store, &key(1), &Bytes::new()).await;
    assert_holds(store, &key(1), &Bytes::new()).await;
}

/// The smallest blob with content.
pub async fn one_byte_seals(store: &dyn BlobStore) {
    put(store, &key(1), &Bytes::from_static(b"x")).await;
    assert_holds(store, &key(1), &Bytes::from_static(b"x")).await;
}

/// Digests equal those that FIPS 180-4's example documents give (empty, "abc", a million "a").
pub async fn published_digests_are_found(store: &dyn BlobStore) {
    let examples: [(Bytes, &str, &str); 3] = [
        (
            Bytes::new(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
        (
            Bytes::from_static(b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (
            vec![b'a'; 1_000_000].into(),
            "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            "sha512:e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb\
             de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
        ),
    ];
    for (number, (content, sha256, sha512)) in (1..).zip(examples) {
        let key = key(number);
        let mut writer = store.create(&key).await.expect("create");
        append(&mut *writer, &content, 4000).await;
        let sealed = writer.seal().await.expect("seal");
        assert_eq!(sealed.sha256.as_str(), sha256);
        let read = store.digest(&key, Algorithm::Sha256).await.expect("digest");
        assert_eq!(read.as_str(), sha256);
        let read = store.digest(&key, Algorithm::Sha512).await.expect("digest");
        assert_eq!(read.as_str(), sha512);
    }
}

/// However a body is cut into pieces, the same blob comes out.
pub async fn pieces_of_any_size_make_the_same_blob(store: &dyn BlobStore) {
    let cuts = [
        (3000, 1),
        (70_000, 255),
        (2 * BUFFER + 5, 255),
        (3 * BUFFER + 1, BUFFER - 1),
        (3 * BUFFER, BUFFER),
        (3 * BUFFER - 1, BUFFER),
        (3 * BUFFER + 1, BUFFER + 1),
        (5 * 1024 * 1024, 5 * 1024 * 1024),
        (11 * 1024 * 1024 + 77, 5 * 1024 * 1024),
    ];
    for (number, (length, piece)) in (1..).zip(cuts) {
        let content = bytes(number, length);
        let mut writer = store.create(&key(number)).await.expect("create");
        append(&mut *writer, &content, piece).await;
        seal_as(writer, &content).await;
        assert_holds(store, &key(number), &content).await;
    }
    let mixed = bytes(99, 6 * 1024 * 1024);
    let mut writer = store.create(&key(99)).await.expect("create");
    append(&mut *writer, &mixed.slice(..1), 1).await;
    append(&mut *writer, &mixed.slice(1..3 * BUFFER), 3 * BUFFER).await;
    append(&mut *writer, &mixed.slice(3 * BUFFER..4 * BUFFER), 255).await;
    append(&mut *writer, &mixed.slice(4 * BUFFER..), 4 * 1024 * 1024).await;
    seal_as(writer, &mixed).await;
    assert_holds(store, &key(99), &mixed).await;
}

/// A piece of no bytes is allowed anywhere.
pub async fn empty_pieces_change_nothing(store: &dyn BlobStore) {
    let content = bytes(1, BUFFER + 9);
    let mut writer = store.create(&key(1)).await.expect("create");
    writer.write(Bytes::new()).await.expect("write");
    assert_eq!(writer.size_bytes(), 0);
    for part in [
        content.slice(..9),
        Bytes::new(),
        content.slice(9..),
        Bytes::new(),
    ] {
        writer.write(part).await.expect("write");
    }
    seal_as(writer, &content).await;
    assert_holds(store, &key(1), &content).await;
}

/// After a flush the store, too, knows every byte; before one the writer does.
pub async fn flushed_bytes_are_counted_in_the_store(store: &dyn BlobStore) {
    let content = bytes(1, 2 * BUFFER + 3);
    let mut writer = store.create(&key(1)).await.expect("create");
    for end in [1, 300, BUFFER, 2 * BUFFER + 3] {
        let start = usize::try_from(writer.size_bytes()).expect("small");
        writer
            .write(content.slice(start..end))
            .await
            .expect("write");
        assert_eq!(writer.size_bytes(), end as u64);
        writer.flush().await.expect("flush");
        let held = store.size_bytes(&key(1)).await.expect("size");
        assert_eq!(held, Some(end as u64));
    }
    seal_as(writer, &content).await;
}

/// Flushing is allowed at any time, also twice and on nothing.
pub async fn flushing_between_pieces_changes_nothing(store: &dyn BlobStore) {
    let content = bytes(1, 900_001);
    let mut writer = store.create(&key(1)).await.expect("create");
    writer.flush().await.expect("flush");
    for start in (0..content.len()).step_by(100_000) {
        let end = content.len().min(start + 100_000);
        writer
            .write(content.slice(start..end))
            .await
            .expect("write");
        writer.flush().await.expect("flush");
        writer.flush().await.expect("flush");
    }
    seal_as(writer, &content).await;
    assert_holds(store, &key(1), &content).await;
}

/// Two blobs that are written piece by piece in turns keep their own bytes.
pub async fn keys_do_not_disturb_one_another(store: &dyn BlobStore) {
    let left = bytes(1, 700_000);
    let right = bytes(2, 700_000);
    let mut left_writer = store.create(&key(1)).await.expect("create");
    let mut right_writer = store.create(&key(2)).await.expect("create");
    for start in (0..700_000).step_by(70_000) {
        let part = start..start + 70_000;
        left_writer
            .write(left.slice(part.clone()))
            .await
            .expect("write");
        right_writer.write(right.slice(part)).await.expect("write");
    }
    seal_as(left_writer, &left).await;
    seal_as(right_writer, &right).await;
    assert_holds(store, &key(1), &left).await;
    assert_holds(store, &key(2), &right).await;
}

/// 32 writers with bodies of different sizes.
pub async fn many_writers_at_once(store: &dyn BlobStore) {
    let contents: Vec<_> = (0..32)
        .map(|n| bytes(n, usize::from(n) * 40_000 + 1))
        .collect();
    let keys: Vec<_> = (0..32).map(key).collect();
    join_all(
        keys.iter()
            .zip(&contents)
            .map(|(key, content)| put(store, key, content)),
    )
    .await;
    for n in 0..32 {
        assert_holds(store, &key(n), &contents[usize::from(n)]).await;
    }
    let listed = store.keys(None, 100).await.expect("keys");
    assert_eq!(listed.len(), keys.len());
}

/// 32 writers open at the same time, each getting one piece per round.
pub async fn many_writers_in_turns(store: &dyn BlobStore) {
    let mut writers = Vec::new();
    for n in 0..32 {
        writers.push(store.create(&key(n)).await.expect("create"));
    }
    let rounds = 8;
    for round in 0..rounds {
        join_all(
            (0..)
                .zip(&mut writers)
                .map(|(n, writer)| writer.write(bytes(n ^ (round << 5), 30_001))),
        )
        .await
        .into_iter()
        .for_each(|written| written.expect("write"));
    }
    for (n, writer) in (0..).zip(writers) {
        let content: Vec<u8> = (0..rounds)
            .flat_map(|round| bytes(n ^ (round << 5), 30_001))
            .collect();
        seal_as(writer, &content.clone().into()).await;
        let read = store
            .digest(&key(n), Algorithm::Sha256)
            .await
            .expect("digest");
        assert_eq!(read, Digest::sha256(&content));
    }
}
