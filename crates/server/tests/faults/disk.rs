//! F14, F48: a disk that is full, or slow to open a file. What arrived before is kept, nothing that
//! did not fit is claimed, and a pull that lost its blob is told so before its first byte.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::BlobKey;
use roadstead_domain::time::Span;
use roadstead_server::compose::Stores;
use roadstead_store::blobs::{BlobBody, BlobError, BlobStore, BlobWriter, Expected, Sealed};
use roadstead_testkit::World;
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::random::bytes_of;

use tokio::sync::watch;

use crate::doors::{Client, none, nothing_is_left};

/// Whether the disk is full.
type IsFull = Arc<AtomicBool>;

/// What a test can do to the disk.
struct Control {
    is_full: IsFull,
    /// Whether files are kept from being opened for reading.
    is_stuck: watch::Sender<bool>,
    /// How many reads have come.
    reads: watch::Receiver<usize>,
}

struct Disk {
    inner: Arc<dyn BlobStore>,
    is_full: IsFull,
    is_stuck: watch::Receiver<bool>,
    reads: watch::Sender<usize>,
}

struct Writer {
    inner: Box<dyn BlobWriter>,
    is_full: IsFull,
}

fn room(is_full: &IsFull) -> Result<(), BlobError> {
    match is_full.load(Ordering::SeqCst) {
        true => Err(BlobError::NoSpace),
        false => Ok(()),
    }
}

impl Disk {
    fn wrap(&self, inner: Box<dyn BlobWriter>) -> Box<dyn BlobWriter> {
        let is_full = self.is_full.clone();
        Box::new(Writer { inner, is_full })
    }
}

#[async_trait]
impl BlobStore for Disk {
    async fn create(&self, key: &BlobKey) -> Result<Box<dyn BlobWriter>, BlobError> {
        Ok(self.wrap(self.inner.create(key).await?))
    }

    async fn resume(
        &self,
        key: &BlobKey,
        size_bytes: u64,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        Ok(self.wrap(self.inner.resume(key, size_bytes).await?))
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobBody, BlobError> {
        self.reads.send_modify(|count| *count += 1);
        let mut is_stuck = self.is_stuck.clone();
        drop(is_stuck.wait_for(|is_stuck| !is_stuck).await);
        self.inner.read(key, range).await
    }

    async fn read_verified(
        &self,
        key: &BlobKey,
        range: Range<u64>,
        expected: &Expected,
    ) -> Result<BlobBody, BlobError> {
        self.reads.send_modify(|count| *count += 1);
        let mut is_stuck = self.is_stuck.clone();
        drop(is_stuck.wait_for(|is_stuck| !is_stuck).await);
        self.inner.read_verified(key, range, expected).await
    }

    async fn digest_at_rate(
        &self,
        key: &BlobKey,
        algorithm: Algorithm,
        rate: Option<NonZeroU64>,
    ) -> Result<Digest, BlobError> {
        self.inner.digest_at_rate(key, algorithm, rate).await
    }

    async fn size_bytes(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        self.inner.size_bytes(key).await
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<u64, BlobError> {
        self.inner.delete(keys).await
    }

    async fn keys(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<BlobKey>, BlobError> {
        self.inner.keys(after, limit).await
    }

    async fn set_aside(&self, key: &BlobKey) -> Result<bool, BlobError> {
        self.inner.set_aside(key).await
    }

    async fn strangers(&self, limit: usize) -> Result<Vec<String>, BlobError> {
        self.inner.strangers(limit).await
    }

    async fn set_stranger_aside(&self, name: &str) -> Result<bool, BlobError> {
        self.inner.set_stranger_aside(name).await
    }
}

#[async_trait]
impl BlobWriter for Writer {
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), BlobError> {
        self.inner.write(piece).await
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        room(&self.is_full)?;
        self.inner.flush().await
    }

    async fn seal(self: Box<Self>) -> Result<Sealed, BlobError> {
        room(&self.is_full)?;
        self.inner.seal().await
    }
}

async fn world() -> (World, Client, Control) {
    let is_full = IsFull::default();
    let (is_stuck, stuck) = watch::channel(false);
    let (counter, reads) = watch::channel(0);
    let control = Control {
        is_full: is_full.clone(),
        is_stuck,
        reads,
    };
    let wrap = move |stores: Stores| Stores {
        blobs: Arc::new(Disk {
            inner: stores.blobs,
            is_full,
            is_stuck: stuck,
            reads: counter,
        }),
        metadata: stores.metadata,
    };
    let world = World::builder().start_over(wrap).await;
    let client = Client::of(&world).await;
    client.create("app").await;
    (world, client, control)
}

#[tokio::test]
async fn f14_a_chunk_that_does_not_fit_leaves_the_upload_where_it_was() {
    let (world, client, disk) = world().await;
    let blob = bytes_of("too much", 500_000);
    let digest = images::digest(&blob);
    let upload = client.open_upload("app").await;
    let part = |from: usize, to: usize| blob.slice(from..to);
    client.chunk(&upload, 0, part(0, 200_000)).await.expect(202);
    disk.is_full.store(true, Ordering::SeqCst);
    let refused = client.chunk(&upload, 200_000, part(200_000, 400_000)).await;
    assert_eq!(refused.code(), (507, "UNKNOWN".into()));
    let rest = part(200_000, 500_000);
    let refused = client.finish(&upload, rest.clone(), &digest).await;
    assert_eq!(refused.code(), (507, "UNKNOWN".into()));
    assert_eq!(client.head_blob("app", &digest).await, 404);
    disk.is_full.store(false, Ordering::SeqCst);
    let told = client.v2(Method::GET, &upload, none()).await.expect(204);
    assert_eq!(told.header("range"), "0-199999");
    client.finish(&upload, rest, &digest).await.expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f14_what_was_stored_before_is_pulled_and_deleted_on_a_full_disk() {
    let (world, client, disk) = world().await;
    let old = Layout::image("old");
    client.push_image("app", &old, "v1").await;
    disk.is_full.store(true, Ordering::SeqCst);
    let new = bytes_of("new", 1000);
    let refused = client.push("app", &new).await;
    assert_eq!(refused.code(), (507, "UNKNOWN".into()));
    let refused = client.push_layer("app", &new).await;
    assert_eq!(refused.code(), (500, "ServerException".into()));
    client.pull("app", "v1").await.expect("a whole image");
    assert_eq!(client.delete("app", "v1").await, 202);
    disk.is_full.store(false, Ordering::SeqCst);
    client.push("app", &new).await.expect(201);
    client.push_image("app", &old, "v1").await;
    client.pull("app", "v1").await.expect("a whole image");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f48_a_blob_swept_before_its_file_is_open_is_not_found() {
    let (world, client, mut disk) = world().await;
    let layout = Layout::image("swept");
    client.push_image("app", &layout, "v1").await;
    let path = format!("/v2/app/blobs/{}", images::digest(&layout.blobs[1]));
    disk.is_stuck.send_replace(true);
    let pull = tokio::spawn({
        let client = client.clone();
        async move { client.v2(Method::GET, &path, none()).await }
    });
    drop(disk.reads.wait_for(|reads| *reads == 1).await);
    client.remove("app").await.expect(200);
    world.clock.advance(Span::hours(2));
    world.sweep().await;
    disk.is_stuck.send_replace(false);
    let answer = pull.await.expect("an answer");
    assert_eq!(answer.code(), (404, "BLOB_UNKNOWN".into()));
    nothing_is_left(&world).await;
}
