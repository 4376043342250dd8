//! Bytes that change, shrink, go or come from nowhere.

use std::fs;

use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_registry::Rules;
use roadstead_registry::doctor::{Action, Kind, Options};
use roadstead_registry::rot::VerifyReads;
use roadstead_store::fault::When;
use roadstead_testkit::client;
use roadstead_testkit::images::digest;
use roadstead_testkit::world::WorldBuilder;
use serde_json::json;

use crate::bench::{Bench, LONG, SHORT, examine, flip};

/// Pulls the layer whole, however the answer ends: the status, and the body if it came to its end.
async fn pull(bench: &Bench) -> Option<(u16, Bytes)> {
    let basic = bench.world.basic(&bench.world.credentials).await;
    pull_with(bench, &basic).await
}

async fn pull_with(bench: &Bench, basic: &str) -> Option<(u16, Bytes)> {
    let world = &bench.world;
    let request = http::Request::builder().uri(bench.layer_path());
    let request = request.header("authorization", basic).body(Bytes::new());
    let sent = roadstead_server::client::send(world.address, request.expect("a request"));
    let answer = sent.await.ok()?;
    Some((answer.status().as_u16(), answer.into_body()))
}

/// A pusher is told that nothing is there, pushes, and everybody can pull again.
async fn heals_by_push(bench: &Bench) {
    assert_eq!(bench.status(Method::HEAD, &bench.layer_path()).await, 404);
    let input = json!({
        "repositoryName": "app", "layerDigests": [digest(bench.layer())],
    });
    let told = bench.world.ecr("BatchCheckLayerAvailability", input).await;
    let told = told.expect(200).json();
    assert_eq!(told["layers"][0]["layerAvailability"], "UNAVAILABLE");
    bench.world.push_blob("app", bench.layer()).await;
    assert_eq!(bench.status(Method::HEAD, &bench.layer_path()).await, 200);
    let (status, body) = pull(bench).await.expect("an answer");
    assert!(status == 200 && body == *bench.layer());
    assert_eq!(bench.found().await, []);
    assert!(!bench.quarantine().is_empty(), "what was rotten is kept");
}

#[tokio::test]
async fn f43_a_flipped_bit_is_never_served_as_good() {
    for (length, is_pulled_before) in [(SHORT, false), (SHORT, true), (LONG, false), (LONG, true)] {
        let bench = Bench::with_layer(length).await;
        if is_pulled_before {
            for _ in 0..2 {
                let (status, body) = pull(&bench).await.expect("an answer");
                assert!(status == 200 && body == *bench.layer());
            }
        }
        flip(&bench.layer_file(), length as u64 / 2);
        match pull(&bench).await {
            None => assert_eq!(length, LONG, "told before the first byte"),
            Some((status, _)) => assert_eq!((status, length), (404, SHORT)),
        }
        heals_by_push(&bench).await;
    }
}

/// Whatever stops while a blob is set aside: who pushes it again afterwards can pull it.
#[tokio::test]
async fn f43_a_stop_while_a_blob_is_set_aside_costs_no_push() {
    let stops = (1..=8).flat_map(|nth| [(nth, When::Before), (nth, When::After)]);
    for (nth, when) in stops {
        let bench = Bench::with_layer(SHORT).await;
        flip(&bench.layer_file(), 7);
        let basic = bench.world.basic(&bench.world.credentials).await;
        bench.world.faults.fail_from(nth, when);
        if let Some((status, _)) = pull_with(&bench, &basic).await {
            assert_ne!(status, 200, "{nth} {when:?}");
        }
        bench.world.faults.clear();
        // Rot that nobody noticed yet is noticed here.
        let (status, _) = pull(&bench).await.expect("an answer");
        assert_eq!(status, 404, "{nth} {when:?}");
        bench.world.push_blob("app", bench.layer()).await;
        let (status, body) = pull(&bench).await.expect("an answer");
        assert!(status == 200 && body == *bench.layer(), "{nth} {when:?}");
    }
}

#[tokio::test]
async fn f43_a_range_that_is_the_whole_is_a_full_read() {
    let bench = Bench::with_layer(SHORT).await;
    flip(&bench.layer_file(), 7);
    let world = &bench.world;
    let range = [("range", "bytes=0-")];
    let path = bench.layer_path();
    let answer = world.oci(Method::GET, &path, &range, Bytes::new()).await;
    assert_eq!(answer.code(), (404, "BLOB_UNKNOWN".into()));
}

#[tokio::test]
async fn f43_a_download_link_leads_to_nothing_rotten() {
    let bench = Bench::with_layer(SHORT).await;
    let input = json!({ "repositoryName": "app", "layerDigest": digest(bench.layer()) });
    let link = bench.world.ecr("GetDownloadUrlForLayer", input).await;
    let link = link.expect(200).json()["downloadUrl"].clone();
    let link: http::Uri = link.as_str().expect("a link").parse().expect("a link");
    let path = link.path_and_query().expect("a path").as_str();
    let followed = async || {
        let request = http::Request::builder().uri(path).body(Bytes::new());
        client::send(bench.world.address, request.expect("a request")).await
    };
    followed().await.expect(200);
    flip(&bench.layer_file(), 7);
    assert_eq!(followed().await.status.as_u16(), 403);
}

#[tokio::test]
async fn reads_can_be_left_unverified() {
    let rules = Rules {
        verify_reads: VerifyReads::Off,
        ..Rules::default()
    };
    let world = WorldBuilder {
        rules,
        ..WorldBuilder::default()
    };
    let world = world.start().await;
    world.push_image("app", "content", &["v1"]).await;
    let layer = Bytes::from_static(b"layer of content");
    let is_layer = |path: &std::path::PathBuf| fs::read(path).expect("a file") == layer;
    let file = world.blob_files().into_iter().find(is_layer);
    flip(&file.expect("the layer"), 0);
    let path = format!("/v2/app/blobs/{}", digest(&layer));
    let pulled = world.oci(Method::GET, &path, &[], Bytes::new()).await;
    assert_eq!(pulled.expect(200).body.len(), layer.len());
    let found = examine(&world, Options::default()).await;
    assert_eq!(found[0].kind, Kind::BlobRotten);
}

#[tokio::test]
async fn the_doctor_finds_a_flipped_bit_and_says_who_needs_it() {
    let bench = Bench::with_layer(SHORT).await;
    assert_eq!(bench.found().await, []);
    flip(&bench.layer_file(), 12_345);
    let quick = Options {
        is_quick: true,
        ..Options::default()
    };
    assert_eq!(bench.examined(quick).await, []);
    let dry = Options {
        is_dry_run: true,
        ..Options::default()
    };
    for (options, action) in [
        (dry, Action::Reported),
        (Options::default(), Action::SetAside),
    ] {
        let found = bench.examined(options).await;
        let [finding] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!((finding.kind, finding.action), (Kind::BlobRotten, action));
        assert!(finding.subject.contains(&digest(bench.layer())));
        let needer = &finding.images[0];
        assert_eq!(needer.repository, "123456789012/us-east-1/app");
        assert_eq!(needer.digest, bench.layout.manifest.digest);
        assert_eq!(needer.tags, ["v1"]);
    }
    assert_eq!(bench.quarantine().len(), 1);
    assert_eq!(bench.found().await, [Kind::BlobLost]);
    heals_by_push(&bench).await;
}

#[tokio::test]
async fn bytes_that_are_cut_or_gone_are_pushed_again() {
    let bench = Bench::with_layer(SHORT).await;
    let cut = fs::OpenOptions::new().write(true).open(bench.layer_file());
    cut.expect("a file").set_len(1000).expect("cut");
    assert_eq!(bench.found().await, [Kind::BlobResized]);
    heals_by_push(&bench).await;
    fs::remove_file(bench.layer_file()).expect("removed");
    let found = bench.examined(Options::default()).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, Kind::BlobMissing);
    assert_eq!(found[0].action, Action::MarkedLost);
    heals_by_push(&bench).await;
}

/// Whoever asks before a push is told to send it, by each question there is, and what is pushed then is
/// kept, though rows still name the bytes that are gone.
#[tokio::test]
async fn f43_a_push_brings_back_bytes_that_are_gone_without_a_doctor() {
    for length in [SHORT, LONG] {
        let bench = Bench::with_layer(length).await;
        let input = json!({ "repositoryName": "other" });
        bench.world.ecr("CreateRepository", input).await.expect(200);
        assert_eq!(bench.status(Method::HEAD, &bench.layer_path()).await, 200);
        fs::remove_file(bench.layer_file()).expect("the layer's file");
        let layer = digest(bench.layer());
        assert_eq!(bench.status(Method::HEAD, &bench.layer_path()).await, 404);
        let input = json!({ "repositoryName": "app", "layerDigests": [layer] });
        let told = bench.world.ecr("BatchCheckLayerAvailability", input).await;
        let told = told.expect(200).json();
        assert_eq!(told["layers"][0]["layerAvailability"], "UNAVAILABLE");
        let mount = format!("/v2/other/blobs/uploads/?mount={layer}&from=app");
        assert_eq!(bench.status(Method::POST, &mount).await, 202, "no mount");
        bench.world.push_blob("other", bench.layer()).await;
        let (status, body) = pull(&bench).await.expect("an answer");
        assert!(status == 200 && body == *bench.layer());
        assert_eq!(bench.status(Method::HEAD, &bench.layer_path()).await, 200);
        assert_eq!(bench.found().await, []);
    }
}

#[tokio::test]
async fn f43_a_cut_file_is_never_served_as_good() {
    let bench = Bench::with_layer(LONG).await;
    let cut = fs::OpenOptions::new().write(true).open(bench.layer_file());
    cut.expect("a file").set_len(LONG as u64 - 1).expect("cut");
    assert_eq!(pull(&bench).await.expect("an answer").0, 404);
    heals_by_push(&bench).await;
}

#[tokio::test]
async fn a_push_heals_every_repository() {
    let bench = Bench::with_layer(SHORT).await;
    let layer = digest(bench.layer());
    let input = json!({ "repositoryName": "other" });
    bench.world.ecr("CreateRepository", input).await.expect(200);
    let mount = format!("/v2/other/blobs/uploads/?mount={layer}&from=app");
    assert_eq!(bench.status(Method::POST, &mount).await, 201);
    flip(&bench.layer_file(), 0);
    assert_eq!(bench.found().await, [Kind::BlobRotten]);
    assert_eq!(bench.status(Method::POST, &mount).await, 202, "no mount");
    bench.world.push_blob("other", bench.layer()).await;
    let (status, body) = pull(&bench).await.expect("an answer");
    assert!(status == 200 && body == *bench.layer());
    assert_eq!(bench.found().await, []);
}

#[tokio::test]
async fn bytes_that_are_put_back_are_offered_again() {
    let bench = Bench::with_layer(SHORT).await;
    let file = bench.layer_file();
    flip(&file, 5);
    assert_eq!(bench.found().await, [Kind::BlobRotten]);
    fs::write(&file, bench.layer()).expect("put back");
    let found = bench.examined(Options::default()).await;
    assert_eq!(found[0].kind, Kind::BlobRestored);
    assert_eq!(found[0].action, Action::Restored);
    assert_eq!(pull(&bench).await.expect("an answer").0, 200);
    assert_eq!(bench.found().await, []);
}

#[tokio::test]
async fn unknown_files_are_moved_and_kept() {
    let bench = Bench::with_layer(SHORT).await;
    let blobs = bench.world.directory().join("blobs");
    let key = "ab000000000000000000000000000001";
    fs::write(blobs.join("ab").join(key), "one").expect("written");
    fs::write(blobs.join("ab/notes.txt"), "two").expect("written");
    let dry = Options {
        is_dry_run: true,
        ..Options::default()
    };
    assert_eq!(bench.examined(dry).await.len(), 2);
    let found = bench.examined(Options::default()).await;
    let shown: Vec<_> = found.iter().map(|one| (one.kind, one.action)).collect();
    assert_eq!(shown, [(Kind::FileUnknown, Action::SetAside); 2]);
    let mut kept: Vec<String> = bench
        .quarantine()
        .iter()
        .map(|path| fs::read_to_string(path).expect("kept"))
        .collect();
    kept.sort();
    assert_eq!(kept, ["one", "two"]);
    assert_eq!(bench.found().await, []);
    assert_eq!(pull(&bench).await.expect("an answer").0, 200);
}

#[tokio::test]
async fn what_waits_and_what_is_open_is_sound() {
    let bench = Bench::with_layer(SHORT).await;
    let opened = bench
        .world
        .oci(Method::POST, "/v2/app/blobs/uploads/", &[], Bytes::new())
        .await;
    let upload = opened.expect(202).header("location").to_owned();
    assert_eq!(bench.found().await, [], "an upload without a byte");
    let chunk = Bytes::from(vec![1; 100_000]);
    let octets = [("content-type", "application/octet-stream")];
    bench
        .world
        .oci(Method::PATCH, &upload, &octets, chunk)
        .await
        .expect(202);
    assert_eq!(bench.found().await, []);
    // Garbage: the same layer again, and a deleted image.
    bench.world.push_blob("app", bench.layer()).await;
    let input = json!({
        "repositoryName": "app", "imageIds": [{ "imageTag": "v1" }],
    });
    bench.world.ecr("BatchDeleteImage", input).await.expect(200);
    assert_eq!(bench.found().await, []);
    bench.world.clock.advance(Span::hours(2));
    bench.world.sweep().await;
    assert_eq!(bench.found().await, []);
    bench.sql("UPDATE upload SET received_bytes = received_bytes + 1");
    assert_eq!(bench.found().await, [Kind::UploadShort]);
}
