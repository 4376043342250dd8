//! Blobs over `/v2` beside pushing them: deleting, mounting without a source, conditional reads,
//! layers that registries need not hold. Expected values are those of the OCI distribution-spec 1.1
//! ("Deleting Blobs", "Mounting a blob from another repository") and of RFC 9110, sections 13 and 14.

use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::images::{OCI_MANIFEST, digest};
use roadstead_testkit::{Answer, Artifact, Credentials, Layout, World};
use serde_json::{Value, json};

async fn world_with(names: &[&str]) -> World {
    let world = World::start().await;
    for name in names {
        create(&world, name).await;
    }
    world
}

async fn create(world: &World, name: &str) {
    let body = json!({ "repositoryName": name });
    world.ecr("CreateRepository", body).await.expect(200);
}

async fn head(world: &World, path: &str) -> u16 {
    let answer = world.oci(Method::HEAD, path, &[], "").await;
    answer.status.as_u16()
}

async fn delete(world: &World, path: &str) -> Answer {
    world.oci(Method::DELETE, path, &[], "").await
}

#[tokio::test]
async fn a_blob_that_no_image_has_is_deleted_at_once() {
    let world = world_with(&["app", "other"]).await;
    let blob = world.push_blob("app", &Bytes::from("loose")).await;
    world.push_blob("other", &Bytes::from("loose")).await;
    let path = format!("/v2/app/blobs/{blob}");
    let deleted = delete(&world, &path).await.expect(202);
    assert!(deleted.body.is_empty());
    assert_eq!(head(&world, &path).await, 404);
    let again = delete(&world, &path).await;
    assert_eq!(again.code(), (404, "BLOB_UNKNOWN".into()));
    // Another repository has its own link, and with it the bytes.
    let path = format!("/v2/other/blobs/{blob}");
    let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
    assert_eq!(&got.body[..], b"loose");
    delete(&world, &path).await.expect(202);
    // No grace is left to wait for.
    world.sweep().await;
    assert_eq!(world.blob_bytes(), 0);
    // It can be pushed again.
    world.push_blob("app", &Bytes::from("loose")).await;
}

#[tokio::test]
async fn a_blob_of_an_image_is_not_deleted() {
    let world = World::start().await;
    let image = world.push_image("app", "one", &["v1"]).await;
    let manifest: Value = serde_json::from_slice(&image.bytes).expect("JSON");
    let paths = [&manifest["config"], &manifest["layers"][0]].map(|one| {
        format!(
            "/v2/app/blobs/{}",
            one["digest"].as_str().expect("a digest")
        )
    });
    for path in &paths {
        let refused = delete(&world, path).await;
        assert_eq!(refused.code(), (405, "UNSUPPORTED".into()));
        assert_eq!(head(&world, path).await, 200);
    }
    delete(&world, "/v2/app/manifests/v1").await.expect(202);
    for path in &paths {
        delete(&world, path).await.expect(202);
        assert_eq!(head(&world, path).await, 404);
    }
    // An image of what was deleted is refused (M2).
    let refused = world.push_manifest("app", "v1", &image).await;
    assert_eq!(refused.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
}

#[tokio::test]
async fn a_blob_that_undelete_would_need_is_not_deleted() {
    let mut builder = World::builder();
    builder.rules.undelete_window = Some(Span::hours(1));
    let world = builder.start().await;
    world.push_image("app", "kept", &["v1"]).await;
    let layer = digest(&Layout::image("kept").blobs[1]);
    delete(&world, "/v2/app/manifests/v1").await.expect(202);
    let refused = delete(&world, &format!("/v2/app/blobs/{layer}")).await;
    assert_eq!(refused.code(), (405, "UNSUPPORTED".into()));
}

#[tokio::test]
async fn blobs_that_cannot_be_deleted() {
    let world = world_with(&["app"]).await;
    let unknown = digest(b"unknown");
    for (path, status, code) in [
        (format!("/v2/app/blobs/{unknown}"), 404, "BLOB_UNKNOWN"),
        (format!("/v2/none/blobs/{unknown}"), 404, "NAME_UNKNOWN"),
        ("/v2/app/blobs/sha256:ab".into(), 400, "DIGEST_INVALID"),
        ("/v2/app/blobs/uploads/".into(), 405, "UNSUPPORTED"),
    ] {
        let refused = delete(&world, &path).await;
        assert_eq!(refused.code(), (status, code.into()), "{path}");
    }
    let blob = world.push_blob("app", &Bytes::from("mine")).await;
    let path = format!("/v2/app/blobs/{blob}");
    let stranger = world.raw(Method::DELETE, &path, &[], "").await;
    stranger.expect(401);
    let text = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchDeleteImage",
    }});
    let policy = json!({"repositoryName": "app", "policyText": text.to_string()});
    world.ecr("SetRepositoryPolicy", policy).await.expect(200);
    let denied = delete(&world, &path).await;
    assert_eq!(denied.code(), (403, "DENIED".into()));
    assert_eq!(head(&world, &path).await, 200);
}

#[tokio::test]
async fn ecr_deletes_no_blobs() {
    let world = World::builder().strict().start().await;
    create(&world, "app").await;
    let blob = world.push_blob("app", &Bytes::from("stays")).await;
    let path = format!("/v2/app/blobs/{blob}");
    let refused = delete(&world, &path).await;
    assert_eq!(refused.code(), (405, "UNSUPPORTED".into()));
    assert_eq!(refused.header("allow"), "GET, HEAD");
    assert_eq!(head(&world, &path).await, 200);
}

async fn mount(world: &World, who: &Credentials, name: &str, blob: &str) -> Answer {
    let basic = world.basic(who).await;
    let headers = [("authorization", basic.as_str())];
    let path = format!("/v2/{name}/blobs/uploads/?mount={blob}");
    world.raw(Method::POST, &path, &headers, "").await
}

#[tokio::test]
async fn a_mount_without_a_source_takes_any_that_may_be_read() {
    let world = world_with(&["from", "to"]).await;
    let own = &world.credentials;
    let blob = digest(b"shared");
    // Nobody has it: an upload.
    let opened = mount(&world, own, "to", &blob).await.expect(202);
    assert!(
        opened
            .header("location")
            .starts_with("/v2/to/blobs/uploads/")
    );
    world.push_blob("from", &Bytes::from("shared")).await;
    let mounted = mount(&world, own, "to", &blob).await.expect(201);
    let location = format!("/v2/to/blobs/{blob}");
    assert_eq!(mounted.header("location"), location);
    assert_eq!(mounted.header("docker-content-digest"), blob);
    let got = world.oci(Method::GET, &location, &[], "").await.expect(200);
    assert_eq!(&got.body[..], b"shared");
    // Again, where it is already.
    mount(&world, own, "to", &blob).await.expect(201);
    assert_eq!(world.blob_bytes(), 6);
    let bad = mount(&world, own, "to", "sha256:ab").await;
    bad.expect(202);
}

#[tokio::test]
async fn c7_a_mount_without_a_source_tells_nothing_of_what_may_not_be_read() {
    let world = world_with(&["secret", "to"]).await;
    let blob = world.push_blob("secret", &Bytes::from("hidden")).await;
    // Another account, and another region of the same one.
    let other = world.key_of("999999999999").await;
    let body = json!({ "repositoryName": "to" });
    world
        .ecr_as(&other, "CreateRepository", body.clone())
        .await
        .expect(200);
    mount(&world, &other, "to", &blob).await.expect(202);
    let far = world.credentials.in_region("eu-west-1");
    world
        .ecr_as(&far, "CreateRepository", body)
        .await
        .expect(200);
    mount(&world, &far, "to", &blob).await.expect(202);
    // The only holder is closed to the caller.
    let text = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Principal": "*", "Action": "ecr:GetDownloadUrlForLayer",
    }});
    let policy = json!({"repositoryName": "secret", "policyText": text.to_string()});
    world.ecr("SetRepositoryPolicy", policy).await.expect(200);
    let own = &world.credentials;
    mount(&world, own, "to", &blob).await.expect(202);
    assert_eq!(head(&world, &format!("/v2/to/blobs/{blob}")).await, 404);
    // One that is open suffices.
    create(&world, "open").await;
    world.push_blob("open", &Bytes::from("hidden")).await;
    mount(&world, own, "to", &blob).await.expect(201);
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again() {
    let world = World::start().await;
    let image = world.push_image("app", "one", &["v1"]).await;
    let layer = &Layout::image("one").blobs[1];
    let blob = format!("/v2/app/blobs/{}", digest(layer));
    let by_digest = format!("/v2/app/manifests/{}", image.digest);
    let rows = [
        (blob.as_str(), digest(layer), layer),
        ("/v2/app/manifests/v1", image.digest.clone(), &image.bytes),
        (&by_digest, image.digest.clone(), &image.bytes),
    ];
    for (path, digest, bytes) in rows {
        let tag = format!("\"{digest}\"");
        let got = world.oci(Method::GET, path, &[], "").await.expect(200);
        assert_eq!(got.header("etag"), tag);
        for (known, is_known) in [
            (tag.as_str(), true),
            (&format!("\"other\", W/{tag}"), true),
            ("*", true),
            ("\"other\"", false),
            (&digest, false),
        ] {
            let headers = [("if-none-match", known), ("range", "bytes=0-1")];
            for method in [Method::GET, Method::HEAD] {
                let answer = world.oci(method.clone(), path, &headers[..1], "").await;
                let expected = if is_known { 304 } else { 200 };
                let answer = answer.expect(expected);
                assert_eq!(answer.header("docker-content-digest"), digest);
                assert_eq!(answer.header("etag"), tag);
                let is_sent = !is_known && method == Method::GET;
                let expected = if is_sent { &bytes[..] } else { b"" };
                assert_eq!(&answer.body[..], expected, "{method} {path} {known}");
            }
            // A condition is asked before a range (RFC 9110, section 13.2.2).
            if is_known {
                let answer = world.oci(Method::GET, path, &headers, "").await;
                answer.expect(304);
            }
        }
    }
    // The tag moves on, and so does what it names.
    let known = format!("\"{}\"", image.digest);
    world.push_image("app", "two", &["v1"]).await;
    let headers = [("if-none-match", known.as_str())];
    let got = world.oci(Method::GET, "/v2/app/manifests/v1", &headers, "");
    got.await.expect(200);
    // Nothing is known of what is not there.
    let missing = format!("/v2/app/blobs/{}", digest(b"missing"));
    let answer = world.oci(Method::GET, &missing, &[("if-none-match", "*")], "");
    answer.await.expect(404);
}

#[tokio::test]
async fn a_range_of_other_bytes_is_not_a_range() {
    let world = world_with(&["app"]).await;
    let blob = world.push_blob("app", &Bytes::from("0123456789")).await;
    let path = format!("/v2/app/blobs/{blob}");
    let tag = format!("\"{blob}\"");
    for (condition, status, body) in [
        (tag.as_str(), 206, "23"),
        ("\"other\"", 200, "0123456789"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 200, "0123456789"),
    ] {
        let headers = [("range", "bytes=2-3"), ("if-range", condition)];
        let got = world.oci(Method::GET, &path, &headers, "").await;
        assert_eq!(got.expect(status).text(), body, "{condition}");
    }
}

#[tokio::test]
async fn a4_layers_that_registries_need_not_hold() {
    let world = world_with(&["app"]).await;
    let config = Bytes::from("{}");
    world.push_blob("app", &config).await;
    let describe = |layer: Value| {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(&config), "size": 2,
            },
            "layers": [layer],
        });
        Artifact::new(OCI_MANIFEST, &manifest)
    };
    let layer = |kind: &str| json!({"mediaType": kind, "digest": digest(b"far away"), "size": 8});
    let mut with_urls = layer("application/vnd.oci.image.layer.v1.tar+gzip");
    with_urls["urls"] = json!(["https://example.com/layer"]);
    for foreign in [
        layer("application/vnd.oci.image.layer.nondistributable.v1.tar"),
        layer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        with_urls,
    ] {
        let manifest = describe(foreign);
        let pushed = world.push_manifest("app", "v1", &manifest).await;
        pushed.expect(201);
        let got = world
            .oci(Method::GET, "/v2/app/manifests/v1", &[], "")
            .await;
        assert_eq!(got.expect(200).body, manifest.bytes);
    }
    let ordinary = describe(layer("application/vnd.oci.image.layer.v1.tar+gzip"));
    let refused = world.push_manifest("app", "v1", &ordinary).await;
    assert_eq!(refused.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    // Held all the same, it is kept with its images.
    let blob = world.push_blob("app", &Bytes::from("far away")).await;
    let refused = delete(&world, &format!("/v2/app/blobs/{blob}")).await;
    assert_eq!(refused.code(), (405, "UNSUPPORTED".into()));
}
