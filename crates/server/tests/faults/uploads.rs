//! F16, F17, F19, F27, F40, F47: an upload is written by one request at a time, its digest is that
//! of its bytes, and its name never becomes a path.

use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_domain::upload::Upload;
use roadstead_registry::context::Clock as _;
use roadstead_store::metadata::StoreError;
use roadstead_testkit::World;
use roadstead_testkit::images::{self, Layout};
use roadstead_testkit::random::{Random, bytes_of};
use tokio::io::AsyncWriteExt as _;

use crate::doors::{Client, none, nothing_is_left};

async fn world() -> (World, Client) {
    let world = World::start().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    (world, client)
}

#[tokio::test]
async fn f16_chunks_out_of_place_change_nothing() {
    let (world, client) = world().await;
    let blob = bytes_of("chunked", 1000);
    let part = |from: usize, to: usize| blob.slice(from..to);
    let upload = client.open_upload("app").await;
    client.chunk(&upload, 0, part(0, 400)).await.expect(202);
    // Duplicate, overlap, gap, reordered.
    for (from, to) in [(0, 400), (300, 500), (401, 500), (700, 1000)] {
        let refused = client.chunk(&upload, from, part(from, to)).await;
        assert_eq!(refused.status, 416, "{from}-{to}");
        assert_eq!(refused.header("range"), "0-399");
        let told = client.v2(Method::GET, &upload, none()).await.expect(204);
        assert_eq!(told.header("range"), "0-399");
    }
    client.chunk(&upload, 400, part(400, 700)).await.expect(202);
    let digest = images::digest(&blob);
    client
        .finish(&upload, part(700, 1000), &digest)
        .await
        .expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f16_of_chunks_at_one_offset_one_is_stored() {
    let (world, client) = world().await;
    for round in 0..10 {
        let blob = bytes_of(&format!("raced {round}"), 6 * 20_000);
        let digest = images::digest(&blob);
        let upload = client.open_upload("app").await;
        for n in 0..6 {
            let part = blob.slice(n * 20_000..(n + 1) * 20_000);
            let racers: Vec<_> = (0..4)
                .map(|_| {
                    let (client, upload, part) = (client.clone(), upload.clone(), part.clone());
                    tokio::spawn(async move { client.chunk(&upload, n * 20_000, part).await })
                })
                .collect();
            let mut statuses = Vec::new();
            for racer in racers {
                statuses.push(racer.await.expect("an answer").status.as_u16());
            }
            let stored = statuses.iter().filter(|status| **status == 202).count();
            assert_eq!(stored, 1, "{statuses:?}");
            // Busy, or the wrong offset by now.
            let is_allowed = |status: &u16| [202, 409, 416].contains(status);
            assert!(statuses.iter().all(is_allowed), "{statuses:?}");
        }
        client.finish(&upload, none(), &digest).await.expect(201);
        client.pull_blob("app", &digest).await.expect("the blob");
    }
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f17_of_many_finishers_one_finishes_and_none_breaks_it() {
    let (world, client) = world().await;
    for round in 0..15 {
        let blob = bytes_of(&format!("finished {round}"), 50_000);
        let digest = images::digest(&blob);
        let upload = client.open_upload("app").await;
        client.chunk(&upload, 0, blob.clone()).await.expect(202);
        let racers: Vec<_> = (0..5)
            .map(|_| {
                let (client, upload, digest) = (client.clone(), upload.clone(), digest.clone());
                tokio::spawn(async move { client.finish(&upload, none(), &digest).await })
            })
            .collect();
        let mut statuses = Vec::new();
        for racer in racers {
            statuses.push(racer.await.expect("an answer").status.as_u16());
        }
        let finished = statuses.iter().filter(|status| **status == 201).count();
        assert_eq!(finished, 1, "{statuses:?}");
        let is_allowed = |status: &u16| [201, 404, 409].contains(status);
        assert!(statuses.iter().all(is_allowed), "{statuses:?}");
        client.pull_blob("app", &digest).await.expect("the blob");
        assert_eq!(world.blob_files().len(), round + 1);
    }
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f17_finishing_races_with_giving_up() {
    let (world, client) = world().await;
    for round in 0..15 {
        let blob = bytes_of(&format!("given up {round}"), 5000);
        let digest = images::digest(&blob);
        let upload = client.open_upload("app").await;
        client.chunk(&upload, 0, blob.clone()).await.expect(202);
        let finish = client.finish(&upload, none(), &digest);
        let cancel = client.v2(Method::DELETE, &upload, none());
        let (finished, cancelled) = tokio::join!(finish, cancel);
        let outcome = (finished.status.as_u16(), cancelled.status.as_u16());
        match outcome {
            (201, 404 | 409) => client.pull_blob("app", &digest).await.expect("the blob"),
            (404 | 409, 204) => assert_eq!(client.head_blob("app", &digest).await, 404),
            other => panic!("{other:?}"),
        }
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f19_the_hash_goes_on_after_the_writer_was_let_go() {
    let (world, client) = world().await;
    let blob = bytes_of("resumed", 700_000);
    let digest = images::digest(&blob);
    let upload = client.open_upload("app").await;
    for (from, to) in [(0, 300_000), (300_000, 300_001), (300_001, 600_000)] {
        let part = blob.slice(from..to);
        client.chunk(&upload, from, part).await.expect(202);
        // Rested longer than writers are kept: the bytes are hashed again from the disk.
        world.clock.advance(Span::seconds(16 * 60));
        world.sweep().await;
    }
    let rest = blob.slice(600_000..);
    client.finish(&upload, rest, &digest).await.expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f19_bytes_of_another_digest_are_never_stored_under_it() {
    let (world, client) = world().await;
    let (told, sent) = (bytes_of("told", 3000), bytes_of("sent", 3000));
    let digest = images::digest(&told);
    let upload = client.open_upload("app").await;
    client.chunk(&upload, 0, sent).await.expect(202);
    let refused = client.finish(&upload, none(), &digest).await;
    assert_eq!(refused.code(), (400, "DIGEST_INVALID".into()));
    assert_eq!(client.head_blob("app", &digest).await, 404);
    nothing_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f27_equal_blobs_pushed_at_once_never_share_a_file_half_written() {
    let (world, client) = world().await;
    client.create("other").await;
    for round in 0..5 {
        let blob = bytes_of(&format!("same {round}"), 400_000);
        let racers: Vec<_> = (0..6)
            .map(|n| {
                let (client, blob) = (client.clone(), blob.clone());
                let repository = ["app", "other"][n % 2];
                tokio::spawn(async move { client.push(repository, &blob).await.status })
            })
            .collect();
        for racer in racers {
            assert_eq!(racer.await.expect("an answer"), 201);
        }
        world.sweep().await;
        // One generation of a digest is live at a time (decisions/0003).
        assert_eq!(world.blob_files().len(), round + 1);
        let digest = images::digest(&blob);
        for repository in ["app", "other"] {
            client.pull_blob(repository, &digest).await.expect("it");
        }
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f40_names_of_uploads_never_become_paths() {
    let (world, client) = world().await;
    let upload = client.open_upload("app").await;
    client
        .chunk(&upload, 0, bytes_of("mine", 10))
        .await
        .expect(202);
    let before = world.blob_files();
    let mut random = Random::new(40);
    let pieces = [
        "..",
        ".",
        "/",
        "%2e%2e",
        "%2f",
        "\\",
        "%5c",
        "%00",
        "a",
        "metadata.sqlite",
        "~",
        "%c0%ae",
    ];
    let fixed = [
        "../../metadata.sqlite",
        "..%2f..%2fmetadata.sqlite",
        "%2e%2e/%2e%2e/metadata.sqlite",
        "00000000-0000-4000-8000-000000000000",
    ];
    let made = (0..200).map(|_| {
        let count = 1 + random.below(6);
        (0..count)
            .map(|_| *random.pick(&pieces))
            .collect::<String>()
    });
    let ids: Vec<String> = fixed.into_iter().map(str::to_owned).chain(made).collect();
    let digest = images::digest(b"evil");
    for id in ids {
        let path = format!("/v2/app/blobs/uploads/{id}");
        if path.parse::<http::Uri>().is_err() || id.bytes().all(|byte| byte == b'/') {
            continue;
        }
        for (method, path) in [
            (Method::PATCH, path.clone()),
            (Method::PUT, format!("{path}?digest={digest}")),
            (Method::DELETE, path.clone()),
            (Method::GET, path.clone()),
        ] {
            let answer = client.v2(method, &path, Bytes::from_static(b"evil")).await;
            let status = answer.status.as_u16();
            assert!((400..500).contains(&status), "{path}: {status}");
        }
    }
    assert_eq!(world.blob_files(), before);
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f40_names_of_repositories_never_leave_their_registry() {
    let (world, client) = world().await;
    let digest = images::digest(b"evil");
    for name in [
        "..",
        "../app",
        "app/..",
        "app/../app",
        "./app",
        "app/.",
        "/app",
        "app/",
        "app//b",
        "App",
        "app\\b",
        "app\0",
        "%2e%2e/app",
        "a",
        "app/-b",
        "app_",
        "-app",
    ] {
        let input = serde_json::json!({ "repositoryName": name });
        let refused = client.ecr("CreateRepository", input).await;
        let code = (400, "InvalidParameterException".to_owned());
        assert_eq!(refused.code(), code, "{name}");
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        if path.parse::<http::Uri>().is_ok() {
            let bytes = Bytes::from_static(b"evil");
            let status = client.v2(Method::POST, &path, bytes).await.status.as_u16();
            assert!((400..500).contains(&status), "{name}: {status}");
        }
    }
    assert_eq!(client.repositories().await, ["app"]);
    assert_eq!(world.blob_files().len(), 0);
    nothing_is_left(&world).await;
}

/// Sends the head of a request and a part of its body, then goes away.
async fn break_off(world: &World, head: String, part: &[u8]) {
    let mut stream = tokio::net::TcpStream::connect(world.address)
        .await
        .expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("a head");
    stream.write_all(part).await.expect("a part");
    stream.shutdown().await.expect("an end");
}

#[tokio::test]
async fn f47_a_body_that_breaks_off_leaves_an_upload_that_can_go_on() {
    let (world, client) = world().await;
    let basic = world.basic(&world.credentials).await;
    let blob = bytes_of("broken off", 300_000);
    let digest = images::digest(&blob);
    let upload = client.open_upload("app").await;
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: {}\r\nAuthorization: {basic}\r\n\
         Content-Length: 300000\r\n\r\n",
        world.address
    );
    break_off(&world, head, &blob[..200_000]).await;
    // Whoever asks is told where to go on; until the broken request is over it is busy.
    let mut sent = None;
    for _ in 0..1000 {
        let told = client.v2(Method::GET, &upload, none()).await.expect(204);
        let range = told.header("range").to_owned();
        let last: usize = range.trim_start_matches("0-").parse().expect("a range");
        let first = if last == 0 { 0 } else { last + 1 };
        assert!(first <= 200_000, "{range}");
        let answer = client.chunk(&upload, first, blob.slice(first..)).await;
        if answer.status == 202 {
            sent = Some(first);
            break;
        }
        assert!([409, 416].contains(&answer.status.as_u16()), "{answer:?}");
        tokio::task::yield_now().await;
    }
    assert!(sent.is_some(), "the upload stays busy");
    client.finish(&upload, none(), &digest).await.expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
    nothing_is_left(&world).await;
}

/// Ends a connection with a reset, which takes along what the other side has not read.
fn reset(stream: &tokio::net::TcpStream) {
    let at_once = Some(std::time::Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(stream, at_once).expect("the option");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f47_what_arrived_before_a_reset_is_kept() {
    let (world, client) = world().await;
    let basic = world.basic(&world.credentials).await;
    let blob = bytes_of("reset", 3_000_000);
    let digest = images::digest(&blob);
    for (method, length, framing) in [
        (
            "PATCH",
            2_000_000,
            "Content-Length: 3000000\r\n\r\n".to_owned(),
        ),
        (
            "PUT",
            2_000_000,
            "Content-Length: 3000000\r\n\r\n".to_owned(),
        ),
        // One chunk that is longer than what comes of it.
        (
            "PUT",
            2_000_000,
            "Transfer-Encoding: chunked\r\n\r\n2DC6C0\r\n".to_owned(),
        ),
    ] {
        let upload = client.open_upload("app").await;
        let head = format!(
            "{method} {upload}?digest={digest} HTTP/1.1\r\nHost: {}\r\n\
             Authorization: {basic}\r\n{framing}",
            world.address
        );
        let before = world.blob_bytes();
        let mut stream = tokio::net::TcpStream::connect(world.address)
            .await
            .expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("a head");
        stream.write_all(&blob[..length]).await.expect("a part");
        // Most of it has come as far as the disk by now; then the connection breaks.
        let mut on_disk = 0;
        while on_disk < 1_000_000 {
            tokio::task::yield_now().await;
            on_disk = world.blob_bytes() - before;
        }
        reset(&stream);
        drop(stream);
        let on_disk = usize::try_from(on_disk).expect("a length");
        let kept = loop {
            let told = client.v2(Method::GET, &upload, none()).await.expect(204);
            let last: usize = told.header("range")[2..].parse().expect("a last byte");
            if last > 0 {
                break last + 1;
            }
            tokio::task::yield_now().await;
        };
        assert!(
            (on_disk..=length).contains(&kept),
            "{method}: {kept} of {on_disk}"
        );
        // The broken request may hold the upload a moment longer.
        let mut done = client.finish(&upload, blob.slice(kept..), &digest).await;
        while done.status == 409 {
            done = client.finish(&upload, blob.slice(kept..), &digest).await;
        }
        done.expect(201);
        client.pull_blob("app", &digest).await.expect("the blob");
    }
    nothing_is_left(&world).await;
}

/// A world whose uploads leave a checkpoint after every MiB.
async fn with_checkpoints() -> (World, Client) {
    let mut builder = World::builder();
    builder.rules.upload_checkpoint_bytes = 1024 * 1024;
    let world = builder.start().await;
    let client = Client::of(&world).await;
    client.create("app").await;
    (world, client)
}

/// The rest between two requests after which nothing of an upload is left in memory.
async fn forget_writers(world: &World) {
    world.clock.advance(Span::seconds(16 * 60));
    world.sweep().await;
}

/// The row of an upload.
async fn row_of(world: &World, upload: &str) -> Upload {
    let far = world.clock.now() + Span::hours(1000);
    let all: Result<Vec<Upload>, StoreError> = world
        .metadata
        .read(far, |tx, far| {
            Box::pin(async move { tx.expired_uploads(*far, 1000).await })
        })
        .await;
    let mut all = all.expect("the uploads").into_iter();
    let found = all.find(|row| upload.ends_with(row.id.as_str()));
    found.expect("an open upload")
}

#[tokio::test]
async fn f19_the_hash_goes_on_from_a_checkpoint() {
    let (world, client) = with_checkpoints().await;
    let mib = 1024 * 1024;
    let blob = bytes_of("checkpointed", 5 * mib + 77);
    let digest = images::digest(&blob);
    let upload = client.open_upload("app").await;
    let mut first = 0;
    for end in [mib - 1, mib, 3 * mib + 5, 5 * mib] {
        let part = blob.slice(first..end);
        client.chunk(&upload, first, part).await.expect(202);
        let row = row_of(&world, &upload).await;
        assert_eq!(row.received_bytes, end as u64);
        assert_eq!(row.hash_state.is_some(), end >= mib, "{end}");
        forget_writers(&world).await;
        first = end;
    }
    let rest = blob.slice(first..);
    client.finish(&upload, rest, &digest).await.expect(201);
    client.pull_blob("app", &digest).await.expect("the blob");
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f19_a_state_of_other_bytes_refuses_nothing() {
    let (world, client) = with_checkpoints().await;
    let length = 2 * 1024 * 1024 + 5;
    let blobs = [bytes_of("mine", length), bytes_of("yours", length)];
    let mut uploads = Vec::new();
    for blob in &blobs {
        let upload = client.open_upload("app").await;
        client.chunk(&upload, 0, blob.clone()).await.expect(202);
        uploads.push(upload);
    }
    forget_writers(&world).await;
    // Each upload gets the state of the other: whole, of the right length, and wrong.
    let mut rows = [
        row_of(&world, &uploads[0]).await,
        row_of(&world, &uploads[1]).await,
    ];
    let [mine, yours] = &mut rows;
    assert!(mine.hash_state.is_some() && mine.hash_state != yours.hash_state);
    std::mem::swap(&mut mine.hash_state, &mut yours.hash_state);
    let stored: Result<(), StoreError> = world
        .metadata
        .write(rows, |tx, rows| {
            Box::pin(async move {
                for row in rows {
                    tx.update_upload(row).await?;
                }
                Ok(())
            })
        })
        .await;
    stored.expect("the rows");
    for (upload, blob) in uploads.iter().zip(&blobs) {
        let digest = images::digest(blob);
        client.finish(upload, none(), &digest).await.expect(201);
        client.pull_blob("app", &digest).await.expect("the blob");
    }
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn f47_a_repeated_push_is_the_same_push() {
    let (world, client) = world().await;
    let layout = Layout::image("again");
    for _ in 0..3 {
        client.push_image("app", &layout, "v1").await;
    }
    let pair = format!("{} v1", layout.manifest.digest);
    assert_eq!(client.listed("app").await, [pair]);
    world.sweep().await;
    assert_eq!(world.blob_files().len(), 2);
    nothing_is_left(&world).await;
}
