//! Contract cases of taking staged bytes up again (F19: the hash always equals the bytes).

use bytes::Bytes;
use roadstead_domain::upload::HashState;

use super::{BUFFER, append, assert_holds, bytes, key, put, seal_as, stage};
use crate::blobs::BlobStore;

/// Places around every edge that an implementation may have.
const EDGES: [usize; 9] = [
    0,
    1,
    255,
    BUFFER - 1,
    BUFFER,
    BUFFER + 1,
    2 * BUFFER,
    2 * BUFFER + 7,
    3 * BUFFER - 1,
];

/// A writer dropped after a flush is followed by one that knows what it wrote.
pub async fn goes_on_where_the_writer_was_dropped(store: &dyn BlobStore) {
    let content = bytes(1, 3 * BUFFER);
    for (number, edge) in (1..).zip(EDGES) {
        let key = key(number);
        stage(store, &key, &content.slice(..edge)).await;
        let mut writer = store.resume(&key, edge as u64).await.expect("resume");
        assert_eq!(writer.size_bytes(), edge as u64);
        append(&mut *writer, &content.slice(edge..), 100_000).await;
        seal_as(writer, &content).await;
        assert_holds(store, &key, &content).await;
    }
}

/// Bytes past the acknowledged size are cut, and others may take their place.
pub async fn cuts_what_was_not_acknowledged(store: &dyn BlobStore) {
    let first = bytes(1, 3 * BUFFER);
    let second = bytes(2, 3 * BUFFER);
    for (number, edge) in (1..).zip(EDGES) {
        let key = key(number);
        stage(store, &key, &first).await;
        let mut writer = store.resume(&key, edge as u64).await.expect("resume");
        assert_eq!(writer.size_bytes(), edge as u64);
        append(&mut *writer, &second.slice(edge..), BUFFER).await;
        let content = [&first[..edge], &second[edge..]].concat().into();
        seal_as(writer, &content).await;
        assert_holds(store, &key, &content).await;
    }
}

/// What was cut does not reappear behind a shorter rest.
pub async fn cut_bytes_never_come_back(store: &dyn BlobStore) {
    let first = bytes(1, 3 * BUFFER);
    stage(store, &key(1), &first).await;
    let mut writer = store.resume(&key(1), 1000).await.expect("resume");
    writer.write(bytes(2, 5)).await.expect("write");
    let content = [&first[..1000], &bytes(2, 5)[..]].concat().into();
    seal_as(writer, &content).await;
    assert_holds(store, &key(1), &content).await;
}

/// Resuming at zero starts over, and sealing at once leaves an empty blob.
pub async fn cuts_to_nothing(store: &dyn BlobStore) {
    stage(store, &key(1), &bytes(1, 5000)).await;
    let writer = store.resume(&key(1), 0).await.expect("resume");
    seal_as(writer, &Bytes::new()).await;
    assert_holds(store, &key(1), &Bytes::new()).await;
}

/// When fewer bytes are there than were acknowledged, the writer's size says so and the blob can
/// be finished from there.
pub async fn tells_when_bytes_are_missing(store: &dyn BlobStore) {
    let content = bytes(1, 2 * BUFFER);
    for (number, held) in [(1, 1), (2, 1000), (3, BUFFER + 1)] {
        stage(store, &key(number), &content.slice(..held)).await;
        let mut writer = store
            .resume(&key(number), content.len() as u64)
            .await
            .expect("resume");
        assert_eq!(writer.size_bytes(), held as u64);
        append(&mut *writer, &content.slice(held..), BUFFER).await;
        seal_as(writer, &content).await;
    }
}

/// A key that never got bytes resumes at zero, whatever size is named.
pub async fn without_bytes_starts_empty(store: &dyn BlobStore) {
    let content = bytes(1, 1234);
    for (number, size_bytes) in [(1, 0), (2, 77)] {
        let mut writer = store
            .resume(&key(number), size_bytes)
            .await
            .expect("resume");
        assert_eq!(writer.size_bytes(), 0);
        writer.write(content.clone()).await.expect("write");
        seal_as(writer, &content).await;
        assert_holds(store, &key(number), &content).await;
    }
}

/// A writer that is dropped while bytes are still on their way does not spoil its successor.
pub async fn follows_a_writer_dropped_in_full_flight(store: &dyn BlobStore) {
    let stale = bytes(1, 8 * BUFFER);
    let fresh = bytes(2, 8 * BUFFER);
    for number in 1..=16 {
        let key = key(number);
        let mut writer = store.create(&key).await.expect("create");
        append(
            &mut *writer,
            &stale,
            usize::from(number) * BUFFER / 4 + usize::from(number),
        )
        .await;
        drop(writer);
        let mut writer = store.resume(&key, 0).await.expect("resume");
        append(&mut *writer, &fresh, BUFFER).await;
        seal_as(writer, &fresh).await;
        assert_holds(store, &key, &fresh).await;
    }
}

/// An upload may be taken up for each of its parts.
pub async fn works_many_times(store: &dyn BlobStore) {
    let content = bytes(1, 500_000);
    for start in (0..content.len()).step_by(50_000) {
        let mut writer = store.resume(&key(1), start as u64).await.expect("resume");
        assert_eq!(writer.size_bytes(), start as u64);
        append(&mut *writer, &content.slice(start..start + 50_000), BUFFER).await;
        writer.flush().await.expect("flush");
    }
    let writer = store
        .resume(&key(1), content.len() as u64)
        .await
        .expect("resume");
    seal_as(writer, &content).await;
    assert_holds(store, &key(1), &content).await;
}

/// After a crash between sealing and the row, the upload is still open: it resumes and seals
/// again.
pub async fn works_after_a_seal_that_no_row_knows(store: &dyn BlobStore) {
    let content = bytes(1, BUFFER + 1);
    put(store, &key(1), &content).await;
    let writer = store
        .resume(&key(1), content.len() as u64)
        .await
        .expect("resume");
    seal_as(writer, &content).await;
    assert_holds(store, &key(1), &content).await;
}

/// The hash goes on where a checkpoint was made, however much came behind it.
pub async fn goes_on_from_a_checkpoint(store: &dyn BlobStore) {
    let content = bytes(1, 3 * BUFFER);
    let cases = EDGES
        .into_iter()
        .flat_map(|at| [(at, 0), (at, 1), (at, BUFFER)]);
    for (number, (at, more)) in (1..).zip(cases) {
        let (key, end) = (key(number), content.len().min(at + more));
        let mut writer = store.create(&key).await.expect("create");
        append(&mut *writer, &content.slice(..at), 100_000).await;
        let state = writer.checkpoint().await.expect("checkpoint");
        // The writer goes on, and so does one that takes its place.
        append(&mut *writer, &content.slice(at..end), 100_000).await;
        writer.flush().await.expect("flush");
        drop(writer);
        let Some(state) = state else { return };
        let resumed = store.resume_hashed(&key, end as u64, &state).await;
        let mut writer = resumed.expect("resume");
        assert_eq!(writer.size_bytes(), end as u64);
        append(&mut *writer, &content.slice(end..), 100_000).await;
        seal_as(writer, &content).await;
        assert_holds(store, &key, &content).await;
    }
}

/// A state of more bytes than there are, or one that nobody can read, costs reading the bytes.
pub async fn a_checkpoint_that_does_not_fit_is_no_use(store: &dyn BlobStore) {
    let content = bytes(1, BUFFER + 100);
    let mut writer = store.create(&key(1)).await.expect("create");
    append(&mut *writer, &bytes(2, BUFFER + 1), BUFFER).await;
    let state = writer.checkpoint().await.expect("checkpoint");
    let unreadable = HashState("of another version".into());
    for (number, state) in (2..).zip(state.into_iter().chain([unreadable])) {
        let (key, held) = (key(number), BUFFER as u64);
        stage(store, &key, &content.slice(..BUFFER)).await;
        let mut writer = store
            .resume_hashed(&key, held, &state)
            .await
            .expect("resume");
        assert_eq!(writer.size_bytes(), held);
        append(&mut *writer, &content.slice(BUFFER..), BUFFER).await;
        seal_as(writer, &content).await;
        assert_holds(store, &key, &content).await;
    }
}
