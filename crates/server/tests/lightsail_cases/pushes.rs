//! Pushes that nobody registered yet (lightsail-containers.md 3.3, 13): kept for a day, then gone;
//! and what an image of several platforms leaves behind.

use roadstead_domain::time::Span;
use roadstead_testkit::{Layout, World, images};
use serde_json::json;

use crate::api::lightsail::{
    basic, builder, login, not_found_text, ok, push, push_with, put_manifest, refused, register,
    registration, service, step,
};

/// A world where unreferenced bytes have no grace.
async fn bench() -> World {
    let world = builder().without_grace().start().await;
    service(&world, "web").await;
    world
}

async fn sweep(world: &World) {
    // What went in this very instant waits for the next.
    step(world).await;
    world.sweep().await;
}

#[tokio::test]
async fn a_push_waits_a_day_for_its_registration() {
    let world = bench().await;
    let digest = push(&world, "one").await.digest;
    let bytes = world.blob_bytes();
    world.clock.advance(Span::hours(23));
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), bytes);
    let image = register(&world, "web", "www", &digest).await;
    assert_eq!(image["image"], ":web.www.1");
    // From now on it is the name that keeps it.
    world.clock.advance(Span::hours(48));
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), bytes);
    register(&world, "web", "www", &digest).await;
}

#[tokio::test]
async fn a_push_that_nobody_registers_is_gone_after_a_day() {
    let world = bench().await;
    let digest = push(&world, "one").await.digest;
    world.clock.advance(Span::hours(25));
    // Manifest, then bytes.
    sweep(&world).await;
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), 0);
    let body = registration("web", "www", &digest);
    not_found_text(&refused(&world, "RegisterContainerImage", body).await);
    // It can come again.
    push(&world, "one").await;
    let image = register(&world, "web", "www", &digest).await;
    assert_eq!(image["image"], ":web.www.1");
}

#[tokio::test]
async fn an_index_keeps_its_children_and_takes_them_along() {
    let world = bench().await;
    let basic = basic(&login(&world).await);
    let (amd, arm) = (Layout::image("amd"), Layout::image("arm"));
    push_with(&world, &basic, &amd, "amd").await;
    push_with(&world, &basic, &arm, "arm").await;
    let index = images::index(&[&amd.manifest, &arm.manifest]);
    put_manifest(&world, &basic, "multi", &index)
        .await
        .expect(201);
    register(&world, "web", "www", &index.digest).await;
    // A child under a name of its own.
    register(&world, "web", "arm", &arm.manifest.digest).await;
    let bytes = world.blob_bytes();
    world.clock.advance(Span::hours(48));
    sweep(&world).await;
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), bytes);
    let body = json!({ "serviceName": "web", "image": ":web.www.1" });
    ok(&world, "DeleteContainerImage", body).await;
    sweep(&world).await;
    let arm_bytes: usize = arm.blobs.iter().map(|blob| blob.len()).sum();
    assert_eq!(world.blob_bytes(), arm_bytes as u64);
    let body = json!({ "serviceName": "web", "image": ":web.arm.1" });
    ok(&world, "DeleteContainerImage", body).await;
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), 0);
}

#[tokio::test]
async fn a_name_outlives_the_index_that_lists_it() {
    let world = bench().await;
    let basic = basic(&login(&world).await);
    let amd = Layout::image("amd");
    push_with(&world, &basic, &amd, "amd").await;
    register(&world, "web", "amd", &amd.manifest.digest).await;
    let index = images::index(&[&amd.manifest]);
    put_manifest(&world, &basic, "multi", &index)
        .await
        .expect(201);
    register(&world, "web", "www", &index.digest).await;
    // The child's name goes first: the index still needs its bytes.
    let bytes = world.blob_bytes();
    let body = json!({ "serviceName": "web", "image": ":web.amd.1" });
    ok(&world, "DeleteContainerImage", body).await;
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), bytes);
    let body = json!({ "serviceName": "web", "image": ":web.www.1" });
    ok(&world, "DeleteContainerImage", body).await;
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), 0);
}
