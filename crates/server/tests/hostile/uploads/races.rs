//! C2, C3, C11: requests that meet in one upload, or in one blob.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::World;
use roadstead_testkit::images::{Layout, digest};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{finish, initiate, kept, open, part, world_with_app};
use crate::bench::{Bench, PATIENCE, Stored, repositories, rest_of, status, world_with_image};

#[tokio::test]
async fn c2_of_many_chunks_for_one_place_one_is_kept() {
    let (world, _) = world_with_image().await;
    let world = Arc::new(world);
    let opened = world.oci(Method::POST, "/v2/app/blobs/uploads/", &[], "");
    let location = opened.await.expect(202).header("location").to_owned();
    let basic = world.basic(&world.credentials).await;
    let chunk = |letter: u8| Bytes::from(vec![letter; 1024 * 1024]);
    let mut patches = JoinSet::new();
    for letter in b'a'..=b'h' {
        let (world, location, basic) = (world.clone(), location.clone(), basic.clone());
        let body = chunk(letter);
        patches.spawn(async move {
            let headers = [
                ("authorization", basic.as_str()),
                ("content-range", "0-1048575"),
            ];
            let answer = world.raw(Method::PATCH, &location, &headers, body).await;
            (letter, answer.status.as_u16())
        });
    }
    let outcomes = patches.join_all().await;
    let winners: Vec<u8> = outcomes
        .iter()
        .filter(|(_, status)| *status == 202)
        .map(|(letter, _)| *letter)
        .collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let is_refusal = |status: u16| status == 409 || status == 416;
    assert!(
        outcomes
            .iter()
            .all(|(_, status)| *status == 202 || is_refusal(*status)),
        "{outcomes:?}"
    );
    let whole = chunk(winners[0]);
    let path = format!("{location}?digest={}", digest(&whole));
    world.oci(Method::PUT, &path, &[], "").await.expect(201);
}

#[tokio::test]
async fn c3_of_many_endings_one_makes_the_blob() {
    let (world, _) = world_with_image().await;
    let world = Arc::new(world);
    let before = world.blob_files().len();
    let opened = world.oci(Method::POST, "/v2/app/blobs/uploads/", &[], "");
    let location = opened.await.expect(202).header("location").to_owned();
    let body = Bytes::from(vec![b'x'; 1024 * 1024]);
    let path = format!("{location}?digest={}", digest(&body));
    let basic = world.basic(&world.credentials).await;
    let mut endings = JoinSet::new();
    for _ in 0..8 {
        let (world, path, basic, body) = (world.clone(), path.clone(), basic.clone(), body.clone());
        endings.spawn(async move {
            let headers = [("authorization", basic.as_str())];
            world
                .raw(Method::PUT, &path, &headers, body)
                .await
                .status
                .as_u16()
        });
    }
    let mut statuses = endings.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{statuses:?}");
    assert!(
        statuses[1..]
            .iter()
            .all(|status| [404, 409].contains(status)),
        "{statuses:?}"
    );
    let blob = format!("/v2/app/blobs/{}", digest(&body));
    let got = world.oci(Method::GET, &blob, &[], "").await.expect(200);
    assert_eq!(got.body, body);
    assert_eq!(world.blob_files().len(), before + 1);
}

#[tokio::test]
async fn c11_a_pull_in_progress_outlives_what_it_reads() {
    let world = World::builder().without_grace().start().await;
    let body = json!({ "repositoryName": "app" });
    repositories(&world, &["app"]).await;
    // More than the sockets between hold, so that most of it is read after the deletion.
    let size = 48 * 1024 * 1024_usize;
    let blob: Bytes = (0..size).map(|n| (n % 251) as u8).collect();
    let digest = world.push_blob("app", &blob).await;
    let basic = world.basic(&world.credentials).await;
    let bench = Bench { world, basic };
    let headers = "Connection: close\r\n";
    let head = bench.head(&format!("GET /v2/app/blobs/{digest}"), headers);
    let mut stream = TcpStream::connect(bench.world.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 1024];
    stream.read_exact(&mut first).await.unwrap();

    let delete = json!({ "repositoryName": "app", "force": true });
    let world = &bench.world;
    world.ecr("DeleteRepository", delete).await.expect(200);
    world.clock.advance(Span::seconds(1));
    world.sweep().await;
    assert_eq!(world.blob_bytes(), 0);
    world.ecr("CreateRepository", body).await.expect(200);
    let path = format!("/v2/app/blobs/{digest}");
    let gone = world.oci(Method::GET, &path, &[], "").await;
    assert_eq!(gone.code(), (404, "BLOB_UNKNOWN".into()));

    let mut answer = first.to_vec();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    let start = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert!(
        answer[start..] == blob[..],
        "{} bytes",
        answer.len() - start
    );
}

#[tokio::test]
async fn c2_adjacent_chunks_at_once_are_in_order_or_refused() {
    let world = Arc::new(world_with_app().await);
    let location = open(&world).await;
    let basic = world.basic(&world.credentials).await;
    let mut patches = JoinSet::new();
    for n in 0..4_u8 {
        let (world, location, basic) = (world.clone(), location.clone(), basic.clone());
        patches.spawn(async move {
            let first = usize::from(n) * 1000;
            let range = format!("{first}-{}", first + 999);
            let headers = [
                ("authorization", basic.as_str()),
                ("content-range", range.as_str()),
            ];
            let body = Bytes::from(vec![n; 1000]);
            let answer = world.raw(Method::PATCH, &location, &headers, body).await;
            (n, answer.status.as_u16())
        });
    }
    let mut outcomes = patches.join_all().await;
    outcomes.sort_unstable();
    // Those that were taken are the first ones, without a gap.
    let taken = outcomes.iter().take_while(|(_, status)| *status == 202);
    let taken = taken.count();
    for (_, status) in &outcomes[taken..] {
        assert!([409, 416].contains(status), "{outcomes:?}");
    }
    let whole: Vec<u8> = (0..taken).flat_map(|n| vec![n as u8; 1000]).collect();
    let end = whole.len().saturating_sub(1);
    assert_eq!(kept(&world, &location).await, format!("0-{end}"));
    finish(&world, &location, &whole, "").await.expect(201);
}

#[tokio::test]
async fn c2_of_many_parts_for_one_place_one_is_kept() {
    let world = world_with_app().await;
    let id = initiate(&world).await;
    let bodies: Vec<Vec<u8>> = (b'a'..=b'h').map(|letter| vec![letter; 100_000]).collect();
    let all = bodies
        .iter()
        .map(|body| world.ecr("UploadLayerPart", part(&id, 0, body)));
    let answers = futures_util::future::join_all(all).await;
    let mut winner = Vec::new();
    for (body, answer) in bodies.iter().zip(answers) {
        if answer.status == 200 {
            winner.push(body.clone());
            continue;
        }
        // While the other part is on its way the client is asked to come back, and then told how
        // far the upload is.
        match answer.code() {
            (400, code) if code == "LimitExceededException" => {}
            (400, code) if code == "InvalidLayerPartException" => {
                assert_eq!(answer.json()["lastValidByteReceived"], 99_999);
            }
            other => panic!("{other:?}: {}", answer.text()),
        }
    }
    assert_eq!(winner.len(), 1);
    let whole = json!({
        "repositoryName": "app", "uploadId": id, "layerDigests": [digest(&winner[0])],
    });
    world.ecr("CompleteLayerUpload", whole).await.expect(200);
}

#[tokio::test]
async fn c3_nothing_comes_between_the_bytes_of_a_chunk() {
    let bench = Bench::new().await;
    let world = &bench.world;
    for method in ["PATCH", "PUT"] {
        let before = Stored::of(world);
        let location = bench.open().await;
        let whole = format!("{location}?digest={}", digest(b"helloworld"));
        let path = if method == "PUT" { &whole } else { &location };
        let mut slow = bench.begin(&format!("{method} {path}"), 10, b"hello").await;
        bench.until_busy(&location).await;
        for (method, path) in [
            (Method::PATCH, &location),
            (Method::PUT, &whole),
            (Method::DELETE, &location),
        ] {
            let refused = world.oci(method.clone(), path, &[], "").await;
            // Giving up may win over a chunk; nothing else does.
            let is_given_up = method == Method::DELETE && refused.status == 204;
            assert!(
                refused.status == 409 || is_given_up,
                "{method}: {refused:?}"
            );
        }
        slow.write_all(b"world").await.unwrap();
        let answer = rest_of(slow).await;
        let blob = format!("/v2/app/blobs/{}", digest(b"helloworld"));
        match (method, status(&answer)) {
            ("PATCH", 202) => {
                world.oci(Method::PUT, &whole, &[], "").await.expect(201);
            }
            ("PUT", 201) => {}
            (_, 404) => {
                world.oci(Method::HEAD, &blob, &[], "").await.expect(404);
                world.sweep().await;
                before.is_unchanged(world).await;
                continue;
            }
            other => panic!("{other:?}: {answer}"),
        }
        let got = world.oci(Method::GET, &blob, &[], "").await.expect(200);
        assert_eq!(&got.body[..], b"helloworld");
        let remove = json!({ "repositoryName": "app", "force": true });
        world.ecr("DeleteRepository", remove).await.expect(200);
        repositories(world, &["app"]).await;
    }
    bench.is_alive().await;
}

/// A manifest that was taken has its blobs, whatever is deleted and swept meanwhile.
#[tokio::test]
async fn c11_a_manifest_is_taken_with_its_blobs_or_not_at_all() {
    let world = World::builder().without_grace().start().await;
    let layout = Layout::image("one");
    let (mut taken, mut refused) = (0, 0);
    for round in 0..40 {
        world.push_image("app", "one", &["old"]).await;
        world.clock.advance(Span::seconds(1));
        let old = json!({ "repositoryName": "app", "imageIds": [{ "imageTag": "old" }] });
        let mut again: serde_json::Value =
            serde_json::from_slice(&layout.manifest.bytes).expect("JSON");
        again["annotations"] = json!({ "round": round.to_string() });
        let again = roadstead_testkit::Artifact::new(&layout.manifest.media_type, &again);
        let deletion = async {
            world.ecr("BatchDeleteImage", old).await.expect(200);
            world.sweep().await;
        };
        let push = async {
            // A different number of turns each round.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            world.push_manifest("app", "new", &again).await
        };
        let (_, pushed) = tokio::join!(deletion, push);
        match pushed.code() {
            (201, _) => {
                taken += 1;
                for blob in &layout.blobs {
                    let path = format!("/v2/app/blobs/{}", digest(blob));
                    let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
                    assert_eq!(got.body, blob);
                }
            }
            code => {
                refused += 1;
                assert_eq!(code, (400, "MANIFEST_BLOB_UNKNOWN".into()));
                let path = "/v2/app/manifests/new";
                let head = world.oci(Method::HEAD, path, &[], "").await;
                assert!(head.status == 404 || taken > 0, "{head:?}");
            }
        }
        let all = json!({ "repositoryName": "app", "force": true });
        world.ecr("DeleteRepository", all).await.expect(200);
    }
    assert_eq!(taken + refused, 40);
    crate::bench::is_alive(&world).await;
}
