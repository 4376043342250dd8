//! F01 to F05: a sweep must never take what a client was told is there, nor leave what nobody
//! refers to.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_store::fault::When;
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::random::bytes_of;
use roadstead_testkit::{Answer, World};
use serde_json::json;

use crate::doors::{Client, none, nothing_is_left, sweep_all};

/// The default grace is one hour (decisions.md, Store 3).
const GRACE: Span = Span::hours(1);
const INSTANT: Span = Span(1);

fn just_before(span: Span) -> Span {
    Span(span.0 - 1)
}

async fn world() -> (World, Client) {
    let world = World::start().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    (world, client)
}

/// Pushes the blobs of an image, and waits until the last instant of their grace.
async fn almost_swept(world: &World, client: &Client, repository: &str) -> Layout {
    let layout = Layout::image("late");
    for blob in &layout.blobs {
        client.push(repository, blob).await.expect(201);
    }
    world.clock.advance(GRACE);
    world.sweep().await;
    layout
}

/// Waits once more for almost a grace, and pushes the manifest.
async fn manifest_comes(world: &World, client: &Client, repository: &str, layout: &Layout) {
    world.clock.advance(just_before(GRACE));
    world.sweep().await;
    client
        .put(repository, "v1", &layout.manifest)
        .await
        .expect(201);
    client.pull(repository, "v1").await.expect("a whole image");
}

/// How many links the status says a sweep would remove now.
async fn due(world: &World) -> u64 {
    let status = world.registry.sweep_status(world.clock.now()).await;
    status.expect("a status").links_due
}

#[tokio::test]
async fn f01_a_blob_without_manifest_lives_for_its_grace_and_no_longer() {
    let (world, client) = world().await;
    let layout = almost_swept(&world, &client, "app").await;
    assert_eq!(world.blob_files().len(), 2);
    assert_eq!(due(&world).await, 0);
    world.clock.advance(INSTANT);
    assert_eq!(due(&world).await, 2);
    assert_eq!(world.sweep().await.links_removed, 2);
    assert_eq!(world.blob_files().len(), 0);
    let refused = client.put("app", "v1", &layout.manifest).await;
    assert_eq!(refused.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
}

#[tokio::test]
async fn f02_a_blob_asked_for_in_its_last_instant_is_there_when_the_manifest_comes() {
    let (world, client) = world().await;
    let layout = almost_swept(&world, &client, "app").await;
    for blob in &layout.blobs {
        let digest = images::digest(blob);
        assert_eq!(client.head_blob("app", &digest).await, 200);
    }
    manifest_comes(&world, &client, "app", &layout).await;
}

#[tokio::test]
async fn f02_an_availability_check_renews_the_grace() {
    let (world, client) = world().await;
    let layout = almost_swept(&world, &client, "app").await;
    for blob in &layout.blobs {
        let digest = images::digest(blob);
        assert_eq!(client.availability("app", &digest).await, "AVAILABLE");
    }
    manifest_comes(&world, &client, "app", &layout).await;
}

#[tokio::test]
async fn f02_pushing_what_is_there_renews_the_grace() {
    let (world, client) = world().await;
    let layout = almost_swept(&world, &client, "app").await;
    client.push("app", &layout.blobs[0]).await.expect(201);
    let again = client.push_layer("app", &layout.blobs[1]).await;
    let exists = (400, "LayerAlreadyExistsException".to_owned());
    assert_eq!(again.code(), exists);
    manifest_comes(&world, &client, "app", &layout).await;
}

#[tokio::test]
async fn f02_a_mount_has_a_grace_of_its_own() {
    let (world, client) = world().await;
    client.create("copy").await;
    let layout = almost_swept(&world, &client, "app").await;
    for blob in &layout.blobs {
        let digest = images::digest(blob);
        client.mount("app", "copy", &digest).await.expect(201);
    }
    manifest_comes(&world, &client, "copy", &layout).await;
    // Nobody asked the first repository again: its right to read is over, the bytes stay.
    let digest = images::digest(&layout.blobs[0]);
    assert_eq!(client.head_blob("app", &digest).await, 404);
}

#[tokio::test]
async fn f02_a_mount_into_what_has_it_renews_the_grace() {
    let (world, client) = world().await;
    client.create("copy").await;
    let layout = almost_swept(&world, &client, "copy").await;
    for blob in &layout.blobs {
        client.push("app", blob).await.expect(201);
        let digest = images::digest(blob);
        client.mount("app", "copy", &digest).await.expect(201);
    }
    manifest_comes(&world, &client, "copy", &layout).await;
}

#[tokio::test]
async fn f02_the_grace_of_a_deleted_image_starts_with_its_deletion() {
    let (world, client) = world().await;
    let layout = Layout::image("old");
    client.push_image("app", &layout, "v1").await;
    world.clock.advance(Span::hours(100));
    let mut client = client;
    client.renew().await;
    assert_eq!(client.delete("app", "v1").await, 202);
    manifest_comes(&world, &client, "app", &layout).await;
}

#[tokio::test]
async fn f01_two_repositories_share_a_layer_and_one_is_deleted() {
    let (world, client) = world().await;
    client.create("other").await;
    let layout = Layout::image("shared");
    client.push_image("app", &layout, "v1").await;
    for blob in &layout.blobs {
        let digest = images::digest(blob);
        client.mount("app", "other", &digest).await.expect(201);
    }
    client
        .put("other", "v1", &layout.manifest)
        .await
        .expect(201);
    client.remove("app").await.expect(200);
    sweep_all(&world).await;
    let client = Client::of(&world).await;
    client.pull("other", "v1").await.expect("a whole image");
    assert_eq!(world.blob_files().len(), 2);
    client.remove("other").await.expect(200);
    sweep_all(&world).await;
    assert_eq!(world.blob_files().len(), 0);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f01_a_layer_stays_while_another_image_of_its_repository_needs_it() {
    let (world, client) = world().await;
    let layer = bytes_of("shared", 5000);
    let one = Layout::of("one", vec![layer.clone()]);
    let two = Layout::of("two", vec![layer.clone()]);
    client.push_image("app", &one, "one").await;
    client.push_image("app", &two, "two").await;
    assert_eq!(client.delete("app", "one").await, 202);
    sweep_all(&world).await;
    let client = Client::of(&world).await;
    client.pull("app", "two").await.expect("a whole image");
    assert_eq!(world.blob_files().len(), 2);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f03_new_bytes_of_a_digest_outlive_the_removal_of_old_ones() {
    let layout = Layout::image("twice");
    let mut is_over = false;
    for n in 1..100 {
        if is_over {
            return;
        }
        let (world, client) = world().await;
        client.push_image("app", &layout, "v1").await;
        assert_eq!(client.delete("app", "v1").await, 202);
        world.clock.advance(Span::hours(2));
        // The sweep dies at its nth call: some of the old rows or bytes are left.
        world.faults.clear();
        world.faults.fail_from(n, When::Before);
        let swept = world.registry.sweep_step(world.clock.now()).await;
        is_over = world.faults.calls() < n;
        assert!(swept.is_ok() || !is_over, "{n} calls");
        world.faults.clear();
        let client = Client::of(&world).await;
        client.push_image("app", &layout, "v1").await;
        sweep_all(&world).await;
        let client = Client::of(&world).await;
        client.pull("app", "v1").await.expect("a whole image");
        assert_eq!(world.blob_files().len(), 2, "after {n} calls");
    }
    panic!("the sweep does not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f04_two_sweeps_at_once_remove_everything_once() {
    let (world, client) = world().await;
    for n in 0..30 {
        let layout = Layout::image(&format!("image {n}"));
        client.push_image("app", &layout, &format!("v{n}")).await;
    }
    client.remove("app").await.expect(200);
    world.clock.advance(Span::hours(2));
    let (one, two, three) = tokio::join!(world.sweep(), world.sweep(), world.sweep());
    let sum = |f: fn(&roadstead_registry::work::SweepReport) -> u64| f(&one) + f(&two) + f(&three);
    assert_eq!(sum(|report| report.repositories_reaped), 1);
    assert_eq!(sum(|report| report.blobs_deleted), 60);
    assert_eq!(world.blob_files().len(), 0);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f05_no_door_remembers_a_blob_that_was_swept() {
    let (world, client) = world().await;
    client.create("other").await;
    let layout = Layout::image("gone");
    client.push_image("app", &layout, "v1").await;
    let digest = images::digest(&layout.blobs[1]);
    // Every door is asked once while it is there.
    assert_eq!(client.head_blob("app", &digest).await, 200);
    client.pull("app", "v1").await.expect("a whole image");
    assert_eq!(client.availability("app", &digest).await, "AVAILABLE");
    assert_eq!(client.delete("app", "v1").await, 202);
    sweep_all(&world).await;
    let client = Client::of(&world).await;
    assert_eq!(client.head("app", "v1").await, 404);
    assert_eq!(client.head("app", &layout.manifest.digest).await, 404);
    assert_eq!(client.head_blob("app", &digest).await, 404);
    let path = format!("/v2/app/blobs/{digest}");
    assert_eq!(client.v2(Method::GET, &path, none()).await.status, 404);
    assert_eq!(client.availability("app", &digest).await, "UNAVAILABLE");
    client.mount("app", "other", &digest).await.expect(202);
    let refused = client.put("app", "v1", &layout.manifest).await;
    assert_eq!(refused.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    let url = json!({ "repositoryName": "app", "layerDigest": digest });
    let refused = client.ecr("GetDownloadUrlForLayer", url).await;
    assert_eq!(refused.code(), (400, "LayersNotFoundException".into()));
}

/// What a push may be answered while a sweep without grace runs.
fn is_allowed(answer: &Answer) -> bool {
    let code = answer.code();
    answer.status == 201 || code == (400, "MANIFEST_BLOB_UNKNOWN".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f01_whatever_a_racing_sweep_does_a_stored_image_is_whole() {
    let world = Arc::new(World::builder().without_grace().start().await);
    let client = Client::of(&world).await;
    client.create("app").await;
    client.create("copy").await;
    let sweeper = tokio::spawn({
        let world = world.clone();
        async move {
            // Pauses from shorter than a push to much longer, so that both sides win now and then.
            for pause_ms in [2, 8, 32, 128].into_iter().cycle() {
                world.clock.advance(INSTANT);
                world.sweep().await;
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
        }
    });
    let push = |worker: u64| {
        let client = client.clone();
        async move {
            let mut stored = 0;
            for round in 0..25_u64 {
                // Workers share every second layer, so that they meet.
                let layer = format!("layer {}", if round % 2 == 0 { worker } else { 99 });
                let layout = Layout::of(&format!("{worker} {round}"), vec![bytes_of(&layer, 3000)]);
                let repository = if round % 3 == 0 { "copy" } else { "app" };
                for blob in &layout.blobs {
                    let digest = images::digest(blob);
                    let mounted = client.mount("app", repository, &digest).await;
                    let is_there =
                        mounted.status == 201 || client.head_blob(repository, &digest).await == 200;
                    if !is_there {
                        client.push(repository, blob).await.expect(201);
                    }
                }
                let tag = format!("v{worker}");
                let answer = client.put(repository, &tag, &layout.manifest).await;
                assert!(is_allowed(&answer), "{} {}", answer.status, answer.text());
                if answer.status == 201 {
                    stored += 1;
                    client.pull(repository, &tag).await.expect("a whole image");
                    if round % 4 == 1 {
                        client.delete(repository, &tag).await;
                    }
                }
            }
            stored
        }
    };
    let stored = tokio::join!(push(1), push(2), push(3), push(4));
    sweeper.abort();
    assert!(sweeper.await.is_err_and(|error| error.is_cancelled()));
    assert!(stored.0 + stored.1 + stored.2 + stored.3 > 0, "no push won");
    for repository in ["app", "copy"] {
        client.pull_all(repository).await;
    }
    nothing_is_left(&world).await;
}
