//! A manifest stays while a name or a push wants it, and not longer.

use bytes::Bytes;
use roadstead_domain::time::Span;
use roadstead_testkit::{Layout, images};

use crate::room::{GONE, Kept, NAMED, Room};

const PUSHED: Kept = Kept {
    is_there: true,
    tags: 1,
    waits: true,
};

#[tokio::test]
async fn a_shared_manifest_goes_with_its_last_name() {
    let room = Room::with(&["web", "api"]).await;
    let digest = room.pushed("one").await;
    assert_eq!(room.kept(&digest).await, PUSHED);
    let names = [
        ("web", room.register("web", "www", &digest).await),
        ("web", room.register("web", "other", &digest).await),
        ("api", room.register("api", "www", &digest).await),
    ];
    for (service, name) in names {
        assert_eq!(room.kept(&digest).await, NAMED, "{name}");
        assert_eq!(room.delete(service, &name).await.0, 200, "{name}");
        let again = room.delete(service, &name).await;
        assert_eq!(again, (400, "NotFoundException".into()), "{name}");
    }
    assert_eq!(room.kept(&digest).await, GONE);
    room.sweep().await;
    assert_eq!(room.world.blob_bytes(), 0);
}

#[tokio::test]
async fn a_push_keeps_what_a_deletion_would_take() {
    let room = Room::with(&["web"]).await;
    let digest = room.pushed("one").await;
    let first = room.register("web", "www", &digest).await;
    // Somebody pushes the same again and has not registered it yet.
    room.pushed("one").await;
    assert_eq!(room.delete("web", &first).await.0, 200);
    assert_eq!(room.kept(&digest).await, PUSHED);
    room.sweep().await;
    assert_eq!(room.register("web", "www", &digest).await, ":web.www.2");
    assert_eq!(room.kept(&digest).await, NAMED);
}

#[tokio::test]
async fn a_push_that_nobody_registers_ends_after_a_day() {
    let room = Room::with(&["web"]).await;
    let [forgotten, named] = [room.pushed("forgotten").await, room.pushed("named").await];
    room.register("web", "www", &named).await;
    room.pushed("named").await;
    room.world.clock.advance(Span::seconds(24 * 3600 - 10));
    room.step().await;
    assert_eq!(room.kept(&forgotten).await, PUSHED);
    // Pushed again: a day from now.
    let renewed = room.pushed("renewed").await;
    room.world.clock.advance(Span::seconds(20));
    room.step().await;
    assert_eq!(room.kept(&forgotten).await, GONE);
    assert_eq!(room.kept(&named).await, NAMED);
    assert_eq!(room.kept(&renewed).await, PUSHED);
}

#[tokio::test]
async fn an_index_takes_along_what_nothing_else_wants() {
    let room = Room::with(&["web"]).await;
    let layouts = ["amd64", "arm64", "riscv64"].map(Layout::image);
    for layout in &layouts {
        room.push(layout, &layout.manifest.digest).await;
    }
    let [amd, arm, risc] = layouts.map(|layout| layout.manifest);
    let all = images::index(&[&amd, &arm, &risc]);
    let some = images::index(&[&risc]);
    let all = room.push_manifest(&all, "all").await;
    let some = room.push_manifest(&some, "some").await;
    let named_all = room.register("web", "www", &all).await;
    let named_some = room.register("web", "www", &some).await;
    let named_arm = room.register("web", "arm", &arm.digest).await;
    // The pushes of the members end; their indexes hold them.
    room.world.clock.advance(Span::hours(25));
    room.step().await;
    for digest in [&all, &some, &amd.digest, &arm.digest, &risc.digest] {
        assert_eq!(room.kept(digest).await, NAMED, "{digest}");
    }
    assert_eq!(room.delete("web", &named_all).await.0, 200);
    assert_eq!(room.kept(&all).await, GONE);
    assert_eq!(room.kept(&amd.digest).await, GONE);
    assert_eq!(room.kept(&arm.digest).await, NAMED, "it has a name itself");
    assert_eq!(
        room.kept(&risc.digest).await,
        NAMED,
        "another index lists it"
    );
    for name in [named_some, named_arm] {
        assert_eq!(room.delete("web", &name).await.0, 200);
    }
    for digest in [&some, &arm.digest, &risc.digest] {
        assert_eq!(room.kept(digest).await, GONE, "{digest}");
    }
    room.sweep().await;
    assert_eq!(room.world.blob_bytes(), 0);
}

#[tokio::test]
async fn the_sweep_frees_what_only_the_deleted_image_used() {
    let room = Room::with(&["web"]).await;
    let shared = Bytes::from(vec![1; 5_000]);
    let own = Bytes::from(vec![2; 7_000]);
    let first = Layout::of("first", vec![shared.clone(), own.clone()]);
    let second = Layout::of("second", vec![shared.clone()]);
    let digests = [room.push(&first, "1").await, room.push(&second, "2").await];
    let name = room.register("web", "www", &digests[0]).await;
    room.register("web", "www", &digests[1]).await;
    room.sweep().await;
    let before = room.world.blob_bytes();
    assert_eq!(room.delete("web", &name).await.0, 200);
    let swept = room.sweep().await;
    let config = first.blobs[0].len();
    assert_eq!(swept.bytes_freed, (own.len() + config) as u64);
    assert_eq!(room.world.blob_bytes(), before - swept.bytes_freed);
    assert_eq!(room.kept(&digests[1]).await, NAMED);
}

#[tokio::test]
async fn the_last_deployment_keeps_its_image_and_no_other() {
    let room = Room::with(&["web"]).await;
    let [one, two] = [room.pushed("one").await, room.pushed("two").await];
    let first = room.register("web", "www", &one).await;
    room.deploy("web", ":web.www.latest").await;
    room.settle().await;
    let second = room.register("web", "www", &two).await;
    let in_use = (400, "InvalidInputException".to_owned());
    assert_eq!(room.delete("web", &first).await, in_use);
    room.deploy("web", &second).await;
    assert_eq!(room.delete("web", &second).await, in_use);
    assert_eq!(room.delete("web", &first).await, in_use);
    room.settle().await;
    assert_eq!(room.delete("web", &first).await.0, 200);
    assert_eq!(room.kept(&one).await, GONE);
    assert_eq!(room.kept(&two).await, NAMED);
}
