//! Section C: uploads of blobs, in chunks of `/v2` and in parts of the API.

mod framing;
mod limits;
mod races;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::images::digest;
use roadstead_testkit::{Answer, Layout, World};
use serde_json::{Value, json};

use crate::api::ok;
use crate::bench::{Bench, repositories, status, with_image};

async fn world_with_app() -> World {
    let world = World::start().await;
    repositories(&world, &["app"]).await;
    world
}

async fn open(world: &World) -> String {
    let opened = world.oci(Method::POST, "/v2/app/blobs/uploads/", &[], "");
    opened.await.expect(202).header("location").to_owned()
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
    status.header("range").to_owned()
}

/// Opens an upload of the API.
async fn initiate(world: &World) -> String {
    let name = json!({ "repositoryName": "app" });
    let opened = ok(world, "InitiateLayerUpload", name).await;
    opened["uploadId"].as_str().expect("an id").to_owned()
}

/// The body of an UploadLayerPart.
fn part(id: &str, first: usize, bytes: &[u8]) -> Value {
    json!({
        "repositoryName": "app", "uploadId": id, "layerPartBlob": STANDARD.encode(bytes),
        "partFirstByte": first, "partLastByte": first + bytes.len() - 1,
    })
}

fn complete(id: &str, digests: &[String]) -> Value {
    json!({ "repositoryName": "app", "uploadId": id, "layerDigests": digests })
}

#[tokio::test]
async fn c1_chunks_that_do_not_fit() {
    let world = world_with_app().await;
    let location = open(&world).await;
    patch(&world, &location, Some("0-4"), "hello")
        .await
        .expect(202);
    for (range, body) in [
        ("0-4", "hello"),
        ("3-7", "lowor"),
        ("6-10", "world"),
        ("1000000-1000004", "world"),
    ] {
        let refused = patch(&world, &location, Some(range), body).await;
        let code = (416, "BLOB_UPLOAD_INVALID".into());
        assert_eq!(refused.code(), code, "{range}");
        assert_eq!(refused.header("range"), "0-4", "{range}");
        assert_eq!(refused.header("location"), location, "{range}");
    }
    for range in ["0--1", "9-5", "abc", "5-", "5", "5-99999999999999999999"] {
        let refused = patch(&world, &location, Some(range), "world").await;
        let code = (400, "BLOB_UPLOAD_INVALID".into());
        assert_eq!(refused.code(), code, "{range}");
    }
    let refused = patch(&world, &location, Some("5-10"), "world").await;
    assert_eq!(refused.code(), (400, "SIZE_INVALID".into()));
    assert_eq!(kept(&world, &location).await, "0-4");
    patch(&world, &location, Some("5-9"), "world")
        .await
        .expect(202);
    let done = finish(&world, &location, b"helloworld", "").await;
    done.expect(201);
}

#[tokio::test]
async fn c1_a_wrong_offset_in_the_ending_leaves_the_upload_open() {
    let world = world_with_app().await;
    let location = open(&world).await;
    patch(&world, &location, None, "hello").await.expect(202);
    let path = format!("{location}?digest={}", digest(b"helloworld"));
    let wrong = [("content-range", "0-4")];
    let refused = world.oci(Method::PUT, &path, &wrong, "world").await;
    assert_eq!(refused.code(), (416, "BLOB_UPLOAD_INVALID".into()));
    let right = [("content-range", "5-9")];
    world
        .oci(Method::PUT, &path, &right, "world")
        .await
        .expect(201);
}

#[tokio::test]
async fn c1_a_stream_must_be_as_long_as_its_range() {
    let bench = Bench::new().await;
    for body in [
        "5\r\nhello\r\n",
        "3\r\nhel\r\n",
        "5\r\nhello\r\n5\r\nworld\r\n",
    ] {
        let location = bench.open().await;
        let line = format!("PATCH {location}");
        let headers = "Transfer-Encoding: chunked\r\nContent-Range: 0-7\r\n";
        let answer = bench
            .request(&line, headers, &format!("{body}0\r\n\r\n"))
            .await;
        assert_eq!(status(&answer), 400, "{body}: {answer}");
        assert!(answer.contains("SIZE_INVALID"), "{answer}");
        assert!(bench.goes_on_at(&location).await <= 8, "{body}");
    }
    let location = bench.open().await;
    let headers = "Transfer-Encoding: chunked\r\nContent-Range: 0-4\r\n";
    let body = "5\r\nhello\r\n0\r\n\r\n";
    let answer = bench
        .request(&format!("PATCH {location}"), headers, body)
        .await;
    assert_eq!(status(&answer), 202, "{answer}");
}

#[tokio::test]
async fn c3_an_ending_repeated_makes_no_second_copy() {
    let world = world_with_app().await;
    let location = open(&world).await;
    finish(&world, &location, b"once", "once").await.expect(201);
    let again = finish(&world, &location, b"once", "once").await;
    assert_eq!(again.code(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    assert_eq!(world.blob_bytes(), 4);
}

#[tokio::test]
async fn c4_an_upload_works_only_where_it_was_opened() {
    let world = world_with_app().await;
    repositories(&world, &["other"]).await;
    let location = open(&world).await;
    patch(&world, &location, None, "hello").await.expect(202);
    let elsewhere = location.replace("/app/", "/other/");
    let unknown = "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000";
    let shapeless = "/v2/app/blobs/uploads/..x";
    let walking = "/v2/app/blobs/uploads/..%2Fx";
    for path in [elsewhere.as_str(), unknown, shapeless, walking] {
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let refused = world.oci(method, path, &[], "x").await;
            assert_eq!(refused.code(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
        }
        let refused = finish(&world, path, b"hello", "").await;
        assert_eq!(refused.code(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    }
    // Another account, on its own registry and on this one.
    let stranger = world.key_of("999999999999").await;
    let made = json!({ "repositoryName": "app" });
    let made = world.ecr_as(&stranger, "CreateRepository", made).await;
    made.expect(200);
    let basic = world.basic(&stranger).await;
    let path = format!("{location}?digest={}", digest(b"hello"));
    for (host, expected) in [
        ("localhost", (404, "BLOB_UPLOAD_UNKNOWN")),
        ("123456789012.dkr.ecr.us-east-1.localhost", (403, "DENIED")),
    ] {
        let headers = [("authorization", basic.as_str()), ("host", host)];
        for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
            let refused = world.raw(method, &path, &headers, "").await;
            assert_eq!(refused.code(), (expected.0, expected.1.into()), "{host}");
        }
    }
    // By the API.
    let id = initiate(&world).await;
    for (repository, id) in [
        ("other", id.as_str()),
        ("app", "00000000-0000-4000-8000-000000000000"),
    ] {
        let mut bodies = [part(id, 0, b"hello"), complete(id, &[digest(b"hello")])];
        for (operation, body) in ["UploadLayerPart", "CompleteLayerUpload"]
            .iter()
            .zip(&mut bodies)
        {
            body["repositoryName"] = repository.into();
            let refused = world.ecr(operation, body.clone()).await;
            assert_eq!(refused.code(), (400, "UploadNotFoundException".into()));
        }
    }
    for id in ["../x", "..", "a/../b", "\0"] {
        let refused = world.ecr("UploadLayerPart", part(id, 0, b"hello")).await;
        assert_eq!(
            refused.code(),
            (400, "InvalidParameterException".into()),
            "{id}"
        );
    }
    finish(&world, &location, b"hello", "").await.expect(201);
}

#[tokio::test]
async fn c4_an_upload_expires_after_a_day_of_rest() {
    let world = world_with_app().await;
    let location = open(&world).await;
    world.clock.advance(Span::hours(23));
    patch(&world, &location, None, "hello").await.expect(202);
    world.clock.advance(Span::hours(23));
    assert_eq!(kept(&world, &location).await, "0-4");
    world.clock.advance(Span::seconds(3601));
    let refused = world.oci(Method::GET, &location, &[], "").await;
    assert_eq!(refused.code(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    let refused = patch(&world, &location, None, "more").await;
    assert_eq!(refused.code(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
    world.sweep().await;
    assert_eq!(world.blob_bytes(), 0);
}

#[tokio::test]
async fn c7_mounts_that_tell_nothing() {
    for builder in [World::builder(), World::builder().strict()] {
        let is_strict = builder.rules.is_strict_ecr;
        mounts(builder.start().await, is_strict).await;
    }
}

async fn mounts(world: World, is_strict: bool) {
    let (world, _) = with_image(world).await;
    repositories(&world, &["to", "empty"]).await;
    let other = world.key_of("999999999999").await;
    let body = json!({ "repositoryName": "theirs" });
    let made = world.ecr_as(&other, "CreateRepository", body).await;
    made.expect(200);
    let (there, missing) = (
        digest(&Layout::image("one").blobs[1]),
        digest(b"never pushed"),
    );
    let mount = async |query: String| {
        let path = format!("/v2/to/blobs/uploads/?{query}");
        world.oci(Method::POST, &path, &[], "").await
    };
    for query in [
        format!("mount={missing}&from=app"),
        format!("mount={there}&from=empty"),
        format!("mount={there}&from=theirs"),
        format!("mount={there}&from=nowhere"),
        format!("mount={there}&from=to"),
        format!("mount={there}&from=../x"),
        format!("mount={there}&from="),
        format!("mount={missing}"),
        "mount=sha256:x&from=app".into(),
        "mount=&from=app".into(),
    ] {
        let answer = mount(query.clone()).await;
        assert_eq!(answer.status.as_u16(), 202, "{query}");
        assert_eq!(answer.header("docker-content-digest"), "", "{query}");
        let id = answer.header("docker-upload-uuid");
        let location = format!("/v2/to/blobs/uploads/{id}");
        assert_eq!(answer.header("location"), location, "{query}");
    }
    let path = format!("/v2/to/blobs/{there}");
    world.oci(Method::HEAD, &path, &[], "").await.expect(404);
    let mounted = mount(format!("mount={there}&from=app")).await;
    if is_strict {
        // ECR mounts nothing unless an account setting says so (ecr.md 9.6).
        mounted.expect(202);
        mount(format!("mount={there}")).await.expect(202);
        world.oci(Method::HEAD, &path, &[], "").await.expect(404);
        return;
    }
    mounted.expect(201);
    // Without a source any repository will do that the caller may read (docs/configuration.md).
    mount(format!("mount={there}")).await.expect(201);
    world.oci(Method::HEAD, &path, &[], "").await.expect(200);
    // Onto itself, now that it is there.
    mount(format!("mount={there}&from=to")).await.expect(201);
}

#[tokio::test]
async fn c9_parts_that_are_not_as_they_have_to_be() {
    const MIB: usize = 1024 * 1024;
    let world = world_with_app().await;
    let code = async |operation: &str, body: Value| world.ecr(operation, body).await.code();
    let is = |code: &str| (400, code.to_owned());
    let id = initiate(&world).await;
    let none = code("CompleteLayerUpload", complete(&id, &[digest(b"")])).await;
    assert_eq!(none, is("EmptyUploadException"));
    for empty in ["", "====", "*"] {
        let mut body = part(&id, 0, b"x");
        body["layerPartBlob"] = empty.into();
        let (status, refused) = code("UploadLayerPart", body).await;
        let codes = [
            "InvalidLayerPartException",
            "InvalidParameterException",
            "SerializationException",
        ];
        assert!(
            status == 400 && codes.contains(&refused.as_str()),
            "{empty}: {refused}"
        );
    }
    for (first, last) in [
        (1, 1),
        (5, 9),
        (0, 0),
        (0, 8),
        (9, 0),
        (i64::MAX - 1, i64::MAX),
    ] {
        let mut body = part(&id, 0, b"xyz");
        (body["partFirstByte"], body["partLastByte"]) = (first.into(), last.into());
        let refused = code("UploadLayerPart", body).await;
        assert_eq!(refused, is("InvalidLayerPartException"), "{first}-{last}");
    }
    // Nothing of it was taken. 10 MiB are asked for, and the model takes twice that.
    let long = part(&id, 0, &vec![0; 20 * MIB + 1]);
    let long = code("UploadLayerPart", long).await;
    assert_eq!(long, is("InvalidParameterException"));
    ok(&world, "UploadLayerPart", part(&id, 0, &[1; 3])).await;
    let again = world.ecr("UploadLayerPart", part(&id, 0, &[1; 3])).await;
    assert_eq!(again.code(), is("InvalidLayerPartException"));
    assert_eq!(again.json()["lastValidByteReceived"], 2);
    ok(&world, "UploadLayerPart", part(&id, 3, &[1; 3])).await;
    let small = code("CompleteLayerUpload", complete(&id, &[digest(&[1; 6])])).await;
    assert_eq!(small, is("LayerPartTooSmallException"));
    let id = initiate(&world).await;
    ok(&world, "UploadLayerPart", part(&id, 0, b"abc")).await;
    let [wrong, other] = [&b"wrong"[..], b"other"].map(digest);
    for (digests, expected) in [
        (vec![], "InvalidParameterException"),
        (vec!["sha256:x".into()], "InvalidParameterException"),
        (vec![wrong, other], "InvalidLayerException"),
    ] {
        let refused = code("CompleteLayerUpload", complete(&id, &digests)).await;
        assert_eq!(refused, is(expected), "{digests:?}");
    }
    crate::bench::is_alive(&world).await;
}

/// C10: what is pushed is never unpacked.
#[test]
fn c10_gzip_bombs_are_only_bytes() {
    use crate::process::{MIB, SLACK, Watched};
    let watched = Watched::start();
    // 1 GiB of zeros in some 4 MiB, by the gzip that every Debian has.
    let script = "head -c 1073741824 /dev/zero | gzip -1";
    let bomb = std::process::Command::new("sh")
        .args(["-c", script])
        .output();
    let bomb = Bytes::from(bomb.expect("gzip").stdout);
    assert!((1 << 20..16 << 20).contains(&bomb.len()), "{}", bomb.len());
    let layout = Layout::of("a bomb", vec![bomb]);
    let growth = watched.growth(|| {
        for blob in &layout.blobs {
            let line = format!("POST /v2/app/blobs/uploads/?digest={}", digest(blob));
            let answer = watched.oci(&line, "", blob);
            assert_eq!(status(&answer), 201, "{answer}");
        }
        let kind = format!("Content-Type: {}\r\n", layout.manifest.media_type);
        let line = "PUT /v2/app/manifests/bomb";
        let answer = watched.oci(line, &kind, &layout.manifest.bytes);
        assert_eq!(status(&answer), 201, "{answer}");
    });
    assert!(growth < SLACK, "{} MiB", growth / MIB);
    watched.is_alive();
}
