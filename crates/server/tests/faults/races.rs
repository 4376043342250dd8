//! F01, F06, F25, F31: two requests at once, whose outcomes have to be those of one after the other.

use http::Method;
use roadstead_testkit::World;
use roadstead_testkit::images::{self, Layout, index};
use roadstead_testkit::random::bytes_of;
use serde_json::json;

use crate::doors::{Client, none, nothing_is_left};

async fn world() -> (World, Client) {
    let world = World::start().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    (world, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f06_an_index_pushed_while_its_child_is_deleted_has_it_or_is_refused() {
    let (world, client) = world().await;
    let mut stored = 0;
    for round in 0..40 {
        let child = Layout::image(&format!("child {round}"));
        let digest = child.manifest.digest.clone();
        client.push_image("app", &child, &digest).await;
        let list = index(&[&child.manifest]);
        let (pushed, deleted) = match round % 2 {
            0 => tokio::join!(
                client.put("app", "multi", &list),
                client.delete("app", &digest)
            ),
            _ => {
                let (deleted, pushed) = tokio::join!(
                    client.delete("app", &digest),
                    client.put("app", "multi", &list)
                );
                (pushed, deleted)
            }
        };
        match (pushed.code().0, deleted) {
            (201, 405) => {
                stored += 1;
                client.pull("app", "multi").await.expect("a whole index");
            }
            (400, 202) => assert_eq!(pushed.code().1, "MANIFEST_BLOB_UNKNOWN"),
            other => panic!("{other:?}"),
        }
    }
    assert!(stored > 0, "no index won: the race was none");
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f01_a_mount_racing_with_the_end_of_its_source_is_whole_or_refused() {
    let (world, client) = world().await;
    for round in 0..20 {
        let source = format!("source-{round}");
        client.create(&source).await;
        let blob = bytes_of(&format!("mounted {round}"), 2000);
        let digest = images::digest(&blob);
        client.push(&source, &blob).await.expect(201);
        let (mounted, removed, _) = tokio::join!(
            client.mount(&source, "app", &digest),
            client.remove(&source),
            world.sweep()
        );
        removed.expect(200);
        world.sweep().await;
        match mounted.status.as_u16() {
            201 => client.pull_blob("app", &digest).await.expect("the blob"),
            202 => assert_eq!(client.head_blob("app", &digest).await, 404),
            status => panic!("{status} {}", mounted.text()),
        }
    }
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f25_what_races_with_the_end_of_its_repository_does_not_come_back() {
    let (world, client) = world().await;
    client.create("gone").await;
    for round in 0..15 {
        let layout = Layout::image(&format!("racing {round}"));
        let blob = layout.blobs[1].clone();
        client.push("gone", &layout.blobs[0]).await.expect(201);
        client.push("gone", &blob).await.expect(201);
        let (pushed, put, removed) = tokio::join!(
            client.push("gone", &blob),
            client.put("gone", "v1", &layout.manifest),
            client.remove("gone")
        );
        removed.expect(200);
        for answer in [pushed, put] {
            let told = answer.code();
            // The upload of a blob may have lost its repository at any of its steps.
            let codes = ["NAME_UNKNOWN", "BLOB_UPLOAD_UNKNOWN"].map(|code| (404, code.to_owned()));
            assert!(answer.status == 201 || codes.contains(&told), "{told:?}");
        }
        assert_eq!(client.head("gone", "v1").await, 404);
        // The name is free at once, and what was there is not.
        client.create("gone").await;
        assert_eq!(client.listed("gone").await, [""; 0]);
        assert_eq!(client.head("gone", "v1").await, 404);
        assert_eq!(client.head_blob("gone", &images::digest(&blob)).await, 404);
        let path = "/v2/gone/tags/list";
        let tags = client.v2(Method::GET, path, none()).await.expect(200);
        assert_eq!(tags.json()["tags"], json!([]));
        world.sweep().await;
    }
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f31_deleters_of_shared_layers_never_stand_in_each_others_way() {
    let (world, client) = world().await;
    let layers: Vec<_> = (0..6)
        .map(|n| bytes_of(&format!("layer {n}"), 500))
        .collect();
    let mut all = Vec::new();
    for n in 0..24 {
        let mut own = layers.clone();
        own.rotate_left(n % 6);
        let layout = Layout::of(&format!("image {n}"), own);
        client.push_image("app", &layout, &format!("v{n}")).await;
        all.push(layout.manifest.digest);
    }
    // Everyone deletes everything, each in an order of its own.
    let deleters: Vec<_> = (0..6)
        .map(|n| {
            let (client, mut mine) = (client.clone(), all.clone());
            mine.rotate_left(n * 4);
            tokio::spawn(async move {
                let mut removed = 0;
                for ids in mine.chunks(5) {
                    let ids = ids.iter().map(|one| json!({ "imageDigest": one }));
                    let ids = ids.collect::<Vec<_>>().into();
                    let answer = client.batch_delete("app", ids).await.expect(200).json();
                    removed += answer["imageIds"].as_array().map_or(0, Vec::len);
                }
                removed
            })
        })
        .collect();
    let mut removed = 0;
    for deleter in deleters {
        removed += deleter.await.expect("its count");
    }
    assert_eq!(removed, all.len(), "each image is removed once");
    assert_eq!(client.listed("app").await, [""; 0]);
    nothing_is_left(&world).await;
}
