//! F11 and F18 to F45 where nothing else tells of them: what is open, shared, lost or in the way.

use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use http::Method;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::BlobKey;
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_server::compose::Stores;
use roadstead_store::blobs::{BlobBody, BlobError, BlobStore, BlobWriter, Expected};
use roadstead_testkit::World;
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::random::bytes_of;
use serde_json::json;

use crate::doors::{Client, none, nothing_is_left, sweep_all};

async fn world() -> (World, Client) {
    let world = World::start().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    (world, client)
}

#[tokio::test]
async fn f11_what_is_not_yet_whole_is_not_swept() {
    let (world, mut client) = world().await;
    let blob = bytes_of("on its way", 2000);
    let upload = client.open_upload("app").await;
    client
        .chunk(&upload, 0, blob.slice(..900))
        .await
        .expect(202);
    for _ in 0..23 {
        world.clock.advance(Span::hours(1));
        world.sweep().await;
    }
    client.renew().await;
    let digest = images::digest(&blob);
    let finished = client.finish(&upload, blob.slice(900..), &digest).await;
    finished.expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f18_an_upload_is_its_row_whatever_its_address_says() {
    let (world, client) = world().await;
    client.create("other").await;
    let blob = bytes_of("mine", 1000);
    let upload = client.open_upload("app").await;
    let elsewhere = upload.replace("/app/", "/other/");
    assert_ne!(elsewhere, upload);
    let moved = client.chunk(&elsewhere, 0, blob.slice(..500)).await;
    assert_eq!(moved.status, 404);
    // Nothing about the upload is believed because a client says it.
    let claiming = format!("{upload}?_state=offset-700&offset=700");
    let answer = client.chunk(&claiming, 700, blob.slice(700..)).await;
    assert_eq!(answer.status, 416);
    let digest = images::digest(&blob);
    client.finish(&upload, blob, &digest).await.expect(201);
    nothing_is_left(&world).await;
}

/// A blob store whose keys cannot be listed.
struct Unlisted(Arc<dyn BlobStore>);

#[async_trait]
impl BlobStore for Unlisted {
    async fn create(&self, key: &BlobKey) -> Result<Box<dyn BlobWriter>, BlobError> {
        self.0.create(key).await
    }

    async fn resume(
        &self,
        key: &BlobKey,
        size_bytes: u64,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        self.0.resume(key, size_bytes).await
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<BlobBody, BlobError> {
        self.0.read(key, range).await
    }

    async fn read_verified(
        &self,
        key: &BlobKey,
        range: Range<u64>,
        expected: &Expected,
    ) -> Result<BlobBody, BlobError> {
        self.0.read_verified(key, range, expected).await
    }

    async fn digest_at_rate(
        &self,
        key: &BlobKey,
        algorithm: Algorithm,
        bytes_per_second: Option<NonZeroU64>,
    ) -> Result<Digest, BlobError> {
        let digest = self.0.digest_at_rate(key, algorithm, bytes_per_second);
        digest.await
    }

    async fn size_bytes(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        self.0.size_bytes(key).await
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<u64, BlobError> {
        self.0.delete(keys).await
    }

    async fn keys(&self, _: Option<&BlobKey>, _: usize) -> Result<Vec<BlobKey>, BlobError> {
        Err(listed())
    }

    async fn set_aside(&self, key: &BlobKey) -> Result<bool, BlobError> {
        self.0.set_aside(key).await
    }

    async fn strangers(&self, _: usize) -> Result<Vec<String>, BlobError> {
        Err(listed())
    }

    async fn set_stranger_aside(&self, name: &str) -> Result<bool, BlobError> {
        self.0.set_stranger_aside(name).await
    }
}

fn listed() -> BlobError {
    BlobError::Io(std::io::Error::other("the store was listed"))
}

#[tokio::test]
async fn f20_no_request_and_no_sweep_lists_the_store() {
    let wrap = |stores: Stores| Stores {
        blobs: Arc::new(Unlisted(stores.blobs)),
        ..stores
    };
    let world = World::builder().start_over(wrap).await;
    let client = Client::of(&world).await;
    client.create("app").await;
    let layout = Layout::image("listed nowhere");
    client.push_image("app", &layout, "v1").await;
    client.pull("app", "v1").await.expect("the image");
    let upload = client.open_upload("app").await;
    let chunk = client.chunk(&upload, 0, bytes_of("left", 100)).await;
    chunk.expect(202);
    assert_eq!(client.delete("app", "v1").await, 202);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f21_finishing_copies_and_renames_nothing() {
    let (world, client) = world().await;
    let blob = bytes_of("in its place", 5000);
    let upload = client.open_upload("app").await;
    client
        .chunk(&upload, 0, blob.slice(..4000))
        .await
        .expect(202);
    let where_it_is = || -> Vec<(PathBuf, u64)> {
        let files = world.blob_files().into_iter();
        let inode = |path: &PathBuf| std::fs::metadata(path).expect("a file").ino();
        files.map(|path| (path.clone(), inode(&path))).collect()
    };
    let before = where_it_is();
    assert_eq!(before.len(), 1);
    let digest = images::digest(&blob);
    let finished = client.finish(&upload, blob.slice(4000..), &digest).await;
    finished.expect(201);
    assert_eq!(where_it_is(), before);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f22_uploads_that_nobody_ends_are_reaped() {
    let (world, client) = world().await;
    for n in 0..30 {
        let upload = client.open_upload("app").await;
        let chunk = bytes_of(&format!("left alone {n}"), 100);
        client.chunk(&upload, 0, chunk).await.expect(202);
    }
    assert_eq!(world.blob_files().len(), 30);
    sweep_all(&world).await;
    assert_eq!(world.blob_files(), Vec::<PathBuf>::new());
    let rows = world.rows();
    let left = ["upload", "garbage"].map(|table| rows.get(table).copied().unwrap_or(0));
    assert_eq!(left, [0, 0]);
}

#[tokio::test]
async fn f23_the_first_holder_of_shared_bytes_may_go() {
    let (world, mut client) = world().await;
    client.create("first").await;
    let layout = Layout::image("shared");
    client.push_image("first", &layout, "v1").await;
    client.push_image("app", &layout, "v1").await;
    world.sweep().await;
    assert_eq!(world.blob_files().len(), layout.blobs.len());
    client.remove("first").await.expect(200);
    sweep_all(&world).await;
    client.renew().await;
    client.pull("app", "v1").await.expect("all of it");
    nothing_is_left(&world).await;
}

/// The file that holds these bytes.
fn file_of(world: &World, bytes: &[u8]) -> PathBuf {
    let mut files = world.blob_files().into_iter();
    let holds = |path: &PathBuf| std::fs::read(path).is_ok_and(|held| held == bytes);
    files.find(holds).expect("a file with these bytes")
}

#[tokio::test]
async fn f24_a_file_that_was_lost_is_one_blob_that_is_not_found() {
    let (world, client) = world().await;
    let (lost, kept) = (Layout::image("lost"), Layout::image("kept"));
    client.push_image("app", &lost, "lost").await;
    client.push_image("app", &kept, "kept").await;
    std::fs::remove_file(file_of(&world, &lost.blobs[1])).expect("a file");
    let path = format!("/v2/app/blobs/{}", images::digest(&lost.blobs[1]));
    let answer = client.v2(Method::GET, &path, none()).await;
    assert_eq!(answer.code(), (404, "BLOB_UNKNOWN".into()));
    client.pull("app", "kept").await.expect("the other image");
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f30_a_thousand_pushes_at_once_wait_for_one_another_and_all_succeed() {
    let (world, client) = world().await;
    let shared = bytes_of("the one layer", 500);
    client.push("app", &shared).await.expect(201);
    let mut layouts = Vec::new();
    for n in 0..1000 {
        let layout = Layout::of(&format!("{}", n % 3), vec![shared.clone()]);
        let tag = format!("v{n}");
        if n < 3 {
            client.push("app", &layout.blobs[0]).await.expect(201);
        }
        layouts.push((layout, tag));
    }
    let pushes = layouts
        .iter()
        .map(|(layout, tag)| client.put("app", tag, &layout.manifest));
    for answer in join_all(pushes).await {
        answer.expect(201);
    }
    assert_eq!(client.listed("app").await.len(), 1000);
    nothing_is_left(&world).await;
}

/// Calls of the stores that a sweep makes to free one image beside so many that stay.
async fn cost_beside(stay: usize) -> u64 {
    let (world, client) = world().await;
    for n in 0..stay {
        let layout = Layout::image(&format!("stays {n}"));
        client.push_image("app", &layout, &format!("v{n}")).await;
    }
    client
        .push_image("app", &Layout::image("goes"), "goes")
        .await;
    assert_eq!(client.delete("app", "goes").await, 202);
    world.clock.advance(Span::hours(2));
    world.faults.clear();
    world.sweep().await;
    world.faults.calls()
}

#[tokio::test]
async fn f32_a_sweep_costs_what_it_frees_and_not_what_stays() {
    assert_eq!(cost_beside(1).await, cost_beside(60).await);
}

/// Calls of the stores that it takes to push, list, delete and sweep two images below so many levels
/// of two indexes, each of which lists both of the level below it: twice as many paths a level.
async fn cost_of_nested(levels: usize) -> u64 {
    let (world, client) = world().await;
    let leaves = ["one", "two"].map(Layout::image);
    world.faults.clear();
    for leaf in &leaves {
        for blob in &leaf.blobs {
            client.push("app", blob).await.expect(201);
        }
    }
    let mut pushed = vec![leaves.map(|leaf| leaf.manifest)];
    for _ in 0..levels {
        let [one, two] = pushed.last().expect("a level");
        pushed.push([images::index(&[one, two]), images::index(&[two, one])]);
    }
    for manifest in pushed.iter().flatten() {
        client.put_untagged("app", manifest).await.expect(201);
    }
    assert_eq!(client.listed("app").await.len(), 2 * levels + 2);
    for manifest in pushed.iter().rev().flatten() {
        assert_eq!(client.delete("app", &manifest.digest).await, 202);
    }
    world.clock.advance(Span::hours(2));
    world.sweep().await;
    let calls = world.faults.calls();
    nothing_is_left(&world).await;
    calls
}

#[tokio::test]
async fn f32_nested_indexes_cost_what_they_are_and_not_the_paths_through_them() {
    let [few, more, most] = [cost_of_nested(5), cost_of_nested(10), cost_of_nested(20)];
    let (few, more, most) = (few.await, more.await, most.await);
    assert!(few < more, "nothing was counted");
    assert_eq!(most - more, 2 * (more - few));
}

#[tokio::test]
async fn f33_one_file_that_cannot_be_deleted_keeps_no_other_from_going() {
    let (world, client) = world().await;
    let blobs: Vec<_> = (0..5)
        .map(|n| bytes_of(&format!("goes {n}"), 100))
        .collect();
    for blob in &blobs {
        client.push("app", blob).await.expect(201);
    }
    // A folder in place of a file cannot be unlinked.
    let stuck = file_of(&world, &blobs[2]);
    std::fs::remove_file(&stuck).expect("a file");
    std::fs::create_dir(&stuck).expect("a folder");
    sweep_all(&world).await;
    assert_eq!(world.blob_files(), Vec::<PathBuf>::new());
    assert_eq!(world.rows().get("garbage"), Some(&1));
    std::fs::remove_dir(&stuck).expect("a folder");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f38_no_scan_is_made_up() {
    let (_world, client) = world().await;
    client
        .push_image("app", &Layout::image("never scanned"), "v1")
        .await;
    let input = json!({ "repositoryName": "app", "imageId": { "imageTag": "v1" } });
    for operation in ["StartImageScan", "DescribeImageScanFindings"] {
        let answer = client.ecr(operation, input.clone()).await;
        assert_eq!(answer.code(), (400, "UnknownOperationException".into()));
    }
    let input = json!({ "repositoryName": "app" });
    let images = client.ecr("DescribeImages", input).await.expect(200).json();
    let image = &images["imageDetails"][0];
    assert!(image["imageDigest"].is_string(), "{image}");
    assert!(image["imageScanStatus"].is_null(), "{image}");
    assert!(image["imageScanFindingsSummary"].is_null(), "{image}");
}

#[tokio::test]
async fn f42_a_clock_that_jumps_takes_nothing_that_is_referenced() {
    let (world, mut client) = world().await;
    client
        .push_image("app", &Layout::image("timeless"), "v1")
        .await;
    let start = world.clock.now();
    let ten_years = Span::hours(24 * 3653);
    for jump in [ten_years, Span(-ten_years.0)] {
        world.clock.set(start + jump);
        client.renew().await;
        world.sweep().await;
        client.pull("app", "v1").await.expect("the image");
        let layout = Layout::image(&format!("pushed {} from there", jump.0));
        client.push_image("app", &layout, "v2").await;
        world.sweep().await;
        client.pull("app", "v2").await.expect("the image");
    }
    world.clock.set(start + ten_years);
    nothing_is_left(&world).await;
}
