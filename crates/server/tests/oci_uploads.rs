//! Uploads over `/v2`: chunks, offsets, endings, and what differs under `strict_ecr`. Expected
//! values are those of the OCI distribution-spec, "Pushing Blobs", and of ecr.md 9.5.

use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::images::digest;
use roadstead_testkit::{Answer, World};
use serde_json::json;

async fn world_with_app(is_strict: bool) -> World {
    let builder = World::builder();
    let builder = if is_strict { builder.strict() } else { builder };
    let world = builder.start().await;
    let body = json!({ "repositoryName": "app" });
    world.ecr("CreateRepository", body).await.expect(200);
    world
}

async fn open(world: &World) -> String {
    let opened = world.oci(Method::POST, "/v2/app/blobs/uploads/", &[], "");
    let opened = opened.await.expect(202);
    let location = opened.header("location").to_owned();
    assert_eq!(opened.header("range"), "0-0");
    let id = opened.header("docker-upload-uuid");
    assert_eq!(location, format!("/v2/app/blobs/uploads/{id}"));
    location
}

async fn patch(world: &World, location: &str, range: Option<&str>, body: &'static str) -> Answer {
    let headers: Vec<_> = range.map(|r| ("content-range", r)).into_iter().collect();
    world.oci(Method::PATCH, location, &headers, body).await
}

async fn finish(world: &World, location: &str, whole: &[u8], body: &'static str) -> Answer {
    let path = format!("{location}?digest={}", digest(whole));
    world.oci(Method::PUT, &path, &[], body).await
}

async fn kept(world: &World, location: &str) -> String {
    let status = world.oci(Method::GET, location, &[], "").await.expect(204);
    assert_eq!(status.header("location"), location);
    status.header("range").to_owned()
}

#[tokio::test]
async fn one_stream_then_an_empty_ending() {
    let world = world_with_app(false).await;
    let location = open(&world).await;
    assert_eq!(kept(&world, &location).await, "0-0");
    let sent = patch(&world, &location, None, "hello").await.expect(202);
    assert_eq!(sent.header("range"), "0-4");
    assert_eq!(sent.header("location"), location);
    assert_eq!(kept(&world, &location).await, "0-4");
    let done = finish(&world, &location, b"hello", "").await.expect(201);
    let blob = format!("/v2/app/blobs/{}", digest(b"hello"));
    assert_eq!(done.header("location"), blob);
    assert_eq!(done.header("docker-content-digest"), digest(b"hello"));
    let got = world.oci(Method::GET, &blob, &[], "").await.expect(200);
    assert_eq!(&got.body[..], b"hello");
}

#[tokio::test]
async fn numbered_chunks_and_a_last_one_in_the_ending() {
    let world = world_with_app(false).await;
    let location = open(&world).await;
    let sent = patch(&world, &location, Some("0-3"), "abcd").await;
    assert_eq!(sent.expect(202).header("range"), "0-3");
    let sent = patch(&world, &location, Some("4-5"), "ef").await;
    assert_eq!(sent.expect(202).header("range"), "0-5");
    let path = format!("{location}?digest={}", digest(b"abcdefgh"));
    let range = [("content-range", "6-7")];
    world
        .oci(Method::PUT, &path, &range, "gh")
        .await
        .expect(201);
    let blob = format!("/v2/app/blobs/{}", digest(b"abcdefgh"));
    let got = world.oci(Method::GET, &blob, &[], "").await.expect(200);
    assert_eq!(&got.body[..], b"abcdefgh");
}

#[tokio::test]
async fn everything_in_the_ending() {
    let world = world_with_app(false).await;
    let location = open(&world).await;
    finish(&world, &location, b"all", "all").await.expect(201);
}

#[tokio::test]
async fn everything_in_the_opening() {
    let world = world_with_app(false).await;
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest(b"all"));
    let pushed = world.oci(Method::POST, &path, &[], "all").await.expect(201);
    let blob = pushed.header("location").to_owned();
    world.oci(Method::HEAD, &blob, &[], "").await.expect(200);
    // Without the slash at the end, and for a blob that is there already.
    let path = path.replace("uploads/?", "uploads?");
    world.oci(Method::POST, &path, &[], "all").await.expect(201);
    let refused = world.oci(Method::POST, &path, &[], "other").await;
    assert_eq!(refused.code(), (400, "DIGEST_INVALID".into()));
    world.oci(Method::HEAD, &blob, &[], "").await.expect(200);
}

#[tokio::test]
async fn a_blob_that_is_there_may_be_sent_again_and_is_stored_once() {
    let world = world_with_app(false).await;
    for _ in 0..3 {
        let location = open(&world).await;
        finish(&world, &location, b"again", "again")
            .await
            .expect(201);
    }
    world.clock.advance(Span::hours(2));
    world.push_blob("app", &Bytes::from("again")).await;
    world.sweep().await;
    assert_eq!(world.blob_bytes(), 5);
}

#[tokio::test]
async fn an_upload_given_up_is_gone_with_its_bytes() {
    let world = world_with_app(false).await;
    let location = open(&world).await;
    patch(&world, &location, None, "hello").await.expect(202);
    let gone = world.oci(Method::DELETE, &location, &[], "").await;
    gone.expect(204);
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let refused = world.oci(method, &location, &[], "").await;
        assert_eq!(refused.code(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    }
    let refused = finish(&world, &location, b"hello", "").await;
    assert_eq!(refused.code(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    world.sweep().await;
    assert_eq!(world.blob_files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn an_ending_needs_a_digest() {
    let world = world_with_app(false).await;
    let location = open(&world).await;
    patch(&world, &location, None, "hello").await.expect(202);
    for query in ["", "?digest=", "?digest=sha256:ab", "?digest=md5:ab"] {
        let path = format!("{location}{query}");
        let refused = world.oci(Method::PUT, &path, &[], "").await;
        assert_eq!(refused.code(), (400, "DIGEST_INVALID".into()), "{query}");
    }
    finish(&world, &location, b"hello", "").await.expect(201);
}

#[tokio::test]
async fn an_empty_blob_is_a_blob_except_on_ecr() {
    for (is_strict, expected) in [
        (false, (201, String::new())),
        (true, (400, "BLOB_UPLOAD_INVALID".into())),
    ] {
        let world = world_with_app(is_strict).await;
        let location = open(&world).await;
        let done = finish(&world, &location, b"", "").await;
        assert_eq!(done.code(), expected, "strict: {is_strict}");
        if !is_strict {
            let blob = done.header("location").to_owned();
            let got = world.oci(Method::GET, &blob, &[], "").await.expect(200);
            assert!(got.body.is_empty());
            assert_eq!(got.header("content-length"), "0");
        }
    }
}

#[tokio::test]
async fn small_chunks_are_fine_except_on_ecr() {
    for (is_strict, least, sent, status) in [(false, "", 202, 201), (true, "5242880", 201, 400)] {
        let world = world_with_app(is_strict).await;
        let opened = world.oci(Method::POST, "/v2/app/blobs/uploads/", &[], "");
        let opened = opened.await.expect(202);
        assert_eq!(opened.header("oci-chunk-min-length"), least);
        let location = opened.header("location").to_owned();
        for part in ["small ", "chunks"] {
            let answer = patch(&world, &location, None, part).await.expect(sent);
            assert_eq!(answer.header("location"), location);
        }
        let done = finish(&world, &location, b"small chunks", "").await;
        done.expect(status);
    }
}
