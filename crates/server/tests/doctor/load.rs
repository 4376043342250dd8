//! Beside a server that pushes, deletes, mounts, gives up and sweeps: not one false alarm.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Method;
use roadstead_registry::doctor::Options;
use roadstead_testkit::World;
use roadstead_testkit::images::Layout;
use serde_json::json;

use crate::bench::examine;

/// Writers at a time.
const WRITERS: usize = 4;
/// What each of them does.
const ROUNDS: usize = 25;

/// Pushes, leaves an upload open, deletes; every layer is pushed by several.
async fn write(world: Arc<World>, writer: usize) {
    let basic = world.basic(&world.credentials).await;
    let send = async |method: Method, path: &str, media_type: &str, body: Bytes| {
        let headers = [
            ("authorization", basic.as_str()),
            ("content-type", media_type),
        ];
        world.raw(method, path, &headers, body).await
    };
    let octets = "application/octet-stream";
    let repository = format!("app{}", writer % 2);
    for round in 0..ROUNDS {
        let layout = Layout::image(&format!("{}", (writer + round) % 5));
        for blob in &layout.blobs {
            let digest = roadstead_testkit::images::digest(blob);
            let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
            send(Method::POST, &path, octets, blob.clone())
                .await
                .expect(201);
        }
        let open = format!("/v2/{repository}/blobs/uploads/");
        let opened = send(Method::POST, &open, octets, Bytes::new())
            .await
            .expect(202);
        let upload = opened.header("location").to_owned();
        let chunk = Bytes::from(vec![writer as u8; 1000 * (round + 1)]);
        send(Method::PATCH, &upload, octets, chunk)
            .await
            .expect(202);
        let manifest = &layout.manifest;
        let path = format!("/v2/{repository}/manifests/w{writer}");
        // Another writer's deletion may have taken the layers: then it is refused, and that is well.
        send(
            Method::PUT,
            &path,
            &manifest.media_type,
            manifest.bytes.clone(),
        )
        .await;
        if round % 2 == 0 {
            send(Method::DELETE, &upload, octets, Bytes::new())
                .await
                .expect(204);
        }
        let path = format!("/v2/{repository}/manifests/{}", manifest.digest);
        send(Method::DELETE, &path, octets, Bytes::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_is_never_wrong_beside_writers() {
    let world = Arc::new(World::builder().without_grace().start().await);
    for repository in ["app0", "app1"] {
        let input = json!({ "repositoryName": repository });
        world.ecr("CreateRepository", input).await.expect(200);
    }
    let writing = Arc::new(AtomicUsize::new(WRITERS));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (world, writing) = (world.clone(), writing.clone());
            tokio::spawn(async move {
                write(world, writer).await;
                writing.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    let sweeper = tokio::spawn({
        let (world, writing) = (world.clone(), writing.clone());
        async move {
            while writing.load(Ordering::SeqCst) > 0 {
                world
                    .clock
                    .advance(roadstead_domain::time::Span::seconds(1));
                world.sweep().await;
                tokio::task::yield_now().await;
            }
        }
    });
    let mut examined = 0;
    while writing.load(Ordering::SeqCst) > 0 {
        assert_eq!(examine(&world, Options::default()).await, []);
        examined += 1;
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    sweeper.await.expect("the sweeper");
    assert!(examined > 0);
    assert_eq!(examine(&world, Options::default()).await, []);
    let aside = world.directory().join("blobs/quarantine");
    assert!(!aside.exists(), "nothing was set aside");
}
