//! Pushing, pulling, mounting and deleting over `/v2`, from outside the server. Expected values are
//! those of the OCI distribution-spec and of ecr.md section 9.

use bytes::Bytes;
use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::images::{OCI_INDEX, OCI_MANIFEST, digest, index};
use roadstead_testkit::{Artifact, Credentials, Layout, World};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

async fn with_repositories(names: &[&str]) -> World {
    let world = World::start().await;
    for name in names {
        let body = json!({ "repositoryName": name });
        world.ecr("CreateRepository", body).await.expect(200);
    }
    world
}

#[tokio::test]
async fn login() {
    let world = World::start().await;
    for path in ["/v2/", "/v2"] {
        for method in [Method::GET, Method::HEAD] {
            let answer = world.oci(method, path, &[], "").await.expect(200);
            let version = answer.header("docker-distribution-api-version");
            assert_eq!(version, "registry/2.0");
        }
    }
}

#[tokio::test]
async fn a_manifest_comes_back_to_the_byte() {
    let world = World::start().await;
    let image = world.push_image("team/app", "one", &["v1", "v2"]).await;
    for reference in ["v1", "v2", &image.digest] {
        let path = format!("/v2/team/app/manifests/{reference}");
        let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
        assert_eq!(got.body, image.bytes);
        let head = world.oci(Method::HEAD, &path, &[], "").await.expect(200);
        assert!(head.body.is_empty());
        for answer in [got, head] {
            assert_eq!(answer.header("content-type"), OCI_MANIFEST);
            assert_eq!(answer.header("docker-content-digest"), image.digest);
            assert_eq!(answer.header("etag"), format!("\"{}\"", image.digest));
            let length = image.bytes.len().to_string();
            assert_eq!(answer.header("content-length"), length);
        }
    }
}

#[tokio::test]
async fn a_push_answers_where_the_manifest_is() {
    let world = with_repositories(&["app"]).await;
    let layout = Layout::image("one");
    for blob in &layout.blobs {
        world.push_blob("app", blob).await;
    }
    let manifest = &layout.manifest;
    let pushed = world.push_manifest("app", "v1", manifest).await.expect(201);
    assert_eq!(pushed.header("docker-content-digest"), manifest.digest);
    assert_eq!(pushed.header("oci-subject"), "");
    let location = pushed.header("location").to_owned();
    let got = world.oci(Method::GET, &location, &[], "").await.expect(200);
    assert_eq!(got.body, manifest.bytes);
    // The same push again changes nothing and succeeds (ecr.md 5.2).
    world.push_manifest("app", "v1", manifest).await.expect(201);
}

#[tokio::test]
async fn docker_media_types_and_parameters() {
    let world = with_repositories(&["app"]).await;
    let layout = Layout::image("docker");
    for blob in &layout.blobs {
        world.push_blob("app", blob).await;
    }
    let mut manifest: Value = serde_json::from_slice(&layout.manifest.bytes).unwrap();
    manifest["mediaType"] = DOCKER_MANIFEST.into();
    let manifest = Artifact::new(DOCKER_MANIFEST, &manifest);
    let with_parameter = format!("{DOCKER_MANIFEST}; charset=utf-8");
    let headers = [("content-type", with_parameter.as_str())];
    let path = "/v2/app/manifests/v1";
    let put = world.oci(Method::PUT, path, &headers, manifest.bytes.clone());
    put.await.expect(201);
    // The stored type is given whatever is accepted (ecr.md 9.3).
    let accept = [("accept", OCI_MANIFEST)];
    let got = world.oci(Method::GET, path, &accept, "").await.expect(200);
    assert_eq!(got.header("content-type"), DOCKER_MANIFEST);
    assert_eq!(got.body, manifest.bytes);
}

#[tokio::test]
async fn a_blob_comes_back_whole_and_in_parts() {
    let world = with_repositories(&["app"]).await;
    // Longer than the pieces in which files are sent, and no multiple of any.
    let size = 3 * 1024 * 1024 + 7_usize;
    let bytes: Bytes = (0..size).map(|n| (n * 31 % 251) as u8).collect();
    let digest = world.push_blob("app", &bytes).await;
    let path = format!("/v2/app/blobs/{digest}");
    let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
    assert_eq!(got.body, bytes);
    assert_eq!(got.header("docker-content-digest"), digest);
    assert_eq!(got.header("accept-ranges"), "bytes");
    assert_eq!(got.header("content-type"), "application/octet-stream");
    let head = world.oci(Method::HEAD, &path, &[], "").await.expect(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), size.to_string());
    assert_eq!(head.header("docker-content-digest"), digest);
    for (range, first, last) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=5-99".into(), 5, 99),
        ("bytes=1048570-1048590".into(), 1_048_570, 1_048_590),
        ("bytes=1000-".into(), 1000, size - 1),
        ("bytes=-10".into(), size - 10, size - 1),
        (format!("bytes=10-{}", size * 2), 10, size - 1),
    ] {
        let headers = [("range", range.as_str())];
        let got = world.oci(Method::GET, &path, &headers, "").await;
        let got = got.expect(206);
        let expected = format!("bytes {first}-{last}/{size}");
        assert_eq!(got.header("content-range"), expected);
        assert_eq!(got.body, bytes.slice(first..=last), "{range}");
    }
    let headers = [("range", "bytes=99999999-")];
    let refused = world.oci(Method::GET, &path, &headers, "").await;
    let refused = refused.expect(416);
    let expected = format!("bytes */{size}");
    assert_eq!(refused.header("content-range"), expected);
    let ignored = world.oci(Method::HEAD, &path, &headers, "").await;
    ignored.expect(200);
}

#[tokio::test]
async fn an_index_and_its_children() {
    let world = World::start().await;
    let one = world.push_image("app", "one", &[]).await;
    let two = world.push_image("app", "two", &[]).await;
    let both = world.push_index("app", "multi", &[&one, &two]).await;
    let path = "/v2/app/manifests/multi";
    let got = world.oci(Method::GET, path, &[], "").await.expect(200);
    assert_eq!(got.header("content-type"), OCI_INDEX);
    assert_eq!(got.body, both.bytes);
    let missing = Layout::image("never pushed").manifest;
    let sparse = index(&[&one, &missing]);
    let refused = world.push_manifest("app", "sparse", &sparse).await;
    assert_eq!(refused.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
}

#[tokio::test]
async fn a_mounted_blob_is_readable_without_being_sent() {
    let world = with_repositories(&["from", "to"]).await;
    let digest = world.push_blob("from", &Bytes::from("shared")).await;
    let path = format!("/v2/to/blobs/uploads/?mount={digest}&from=from");
    let mounted = world.oci(Method::POST, &path, &[], "").await.expect(201);
    assert_eq!(mounted.header("docker-content-digest"), digest);
    let location = mounted.header("location").to_owned();
    assert_eq!(location, format!("/v2/to/blobs/{digest}"));
    let got = world.oci(Method::GET, &location, &[], "").await.expect(200);
    assert_eq!(&got.body[..], b"shared");
    // It belongs to the second repository as well, once the first is gone.
    let body = json!({ "repositoryName": "from", "force": true });
    world.ecr("DeleteRepository", body).await.expect(200);
    world.clock.advance(Span::seconds(60));
    world.sweep().await;
    world.oci(Method::GET, &location, &[], "").await.expect(200);
}

#[tokio::test]
async fn deleting_by_tag_and_by_digest() {
    let world = World::start().await;
    let image = world.push_image("app", "one", &["v1", "v2", "v3"]).await;
    let path = |reference: &str| format!("/v2/app/manifests/{reference}");
    let delete = async |reference: &str| world.oci(Method::DELETE, &path(reference), &[], "").await;
    let status = async |reference: &str| {
        let head = world.oci(Method::HEAD, &path(reference), &[], "").await;
        head.status.as_u16()
    };
    delete("v1").await.expect(202);
    assert_eq!(status("v1").await, 404);
    assert_eq!(status("v2").await, 200);
    assert_eq!(delete("v1").await.code(), (404, "MANIFEST_UNKNOWN".into()));
    delete(&image.digest).await.expect(202);
    for reference in ["v2", "v3", &image.digest] {
        assert_eq!(status(reference).await, 404, "{reference}");
    }
    let again = delete(&image.digest).await;
    assert_eq!(again.code(), (404, "MANIFEST_UNKNOWN".into()));
}

#[tokio::test]
async fn a_child_of_an_index_is_not_deleted() {
    let world = World::start().await;
    let child = world.push_image("app", "child", &[]).await;
    let parent = world.push_index("app", "multi", &[&child]).await;
    let path = format!("/v2/app/manifests/{}", child.digest);
    let refused = world.oci(Method::DELETE, &path, &[], "").await;
    assert_eq!(refused.code(), (405, "UNSUPPORTED".into()));
    let expected = format!(
        "Requested image referenced by manifest list: [{}]",
        parent.digest
    );
    assert_eq!(refused.json()["errors"][0]["message"], expected);
    world.oci(Method::GET, &path, &[], "").await.expect(200);
    let index = format!("/v2/app/manifests/{}", parent.digest);
    world.oci(Method::DELETE, &index, &[], "").await.expect(202);
    world.oci(Method::DELETE, &path, &[], "").await.expect(202);
}

#[tokio::test]
async fn a_subject_is_acknowledged() {
    let world = World::start().await;
    let subject = world.push_image("app", "subject", &["v1"]).await;
    let signature = Layout::image("signature").referring_to(&subject, "application/x.signature");
    for blob in &signature.blobs {
        world.push_blob("app", blob).await;
    }
    let manifest = &signature.manifest;
    let pushed = world.push_manifest("app", &manifest.digest, manifest).await;
    let pushed = pushed.expect(201);
    assert_eq!(pushed.header("oci-subject"), subject.digest);
}

#[tokio::test]
async fn sha512_names_are_verified() {
    let world = with_repositories(&["app"]).await;
    let bytes = Bytes::from("hashed longer");
    let sha512 = |bytes: &[u8]| format!("sha512:{}", hex::encode(Sha512::digest(bytes)));
    let upload = |digest: &str| format!("/v2/app/blobs/uploads/?digest={digest}");
    let wrong = upload(&sha512(b"something else"));
    let refused = world.oci(Method::POST, &wrong, &[], bytes.clone()).await;
    assert_eq!(refused.code(), (400, "DIGEST_INVALID".into()));
    let right = upload(&sha512(&bytes));
    let pushed = world.oci(Method::POST, &right, &[], bytes.clone()).await;
    let location = pushed.expect(201).header("location").to_owned();
    assert_eq!(location, format!("/v2/app/blobs/{}", sha512(&bytes)));
    let got = world.oci(Method::GET, &location, &[], "").await.expect(200);
    assert_eq!(got.body, bytes);

    let layout = Layout::image("one");
    for blob in &layout.blobs {
        world.push_blob("app", blob).await;
    }
    let name = sha512(&layout.manifest.bytes);
    let pushed = world.push_manifest("app", &name, &layout.manifest).await;
    assert_eq!(pushed.expect(201).header("docker-content-digest"), name);
    let path = format!("/v2/app/manifests/{name}");
    let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
    assert_eq!(got.header("docker-content-digest"), name);
}

#[tokio::test]
async fn dev_needs_no_login_and_makes_repositories() {
    let world = World::builder().dev().start().await;
    let bytes = Bytes::from("config");
    let path = format!("/v2/new/app/blobs/uploads/?digest={}", digest(&bytes));
    let nonsense = World::basic_of("someone", "anything");
    let headers = [("authorization", nonsense.as_str())];
    let push = world.raw(Method::POST, &path, &headers, bytes).await;
    push.expect(201);
    let body = json!({ "repositoryNames": ["new/app"] });
    world.ecr("DescribeRepositories", body).await.expect(200);

    // Without a login the host says whose registry it is; with one, the token does.
    let host = ("host", "999999999999.dkr.ecr.eu-west-1.localhost:5000");
    let upload = "/v2/theirs/blobs/uploads/";
    world
        .raw(Method::POST, upload, &[host], "")
        .await
        .expect(202);
    let theirs = Credentials {
        id: "999999999999".into(),
        secret: "any".into(),
        region: "eu-west-1".into(),
    };
    let body = json!({ "repositoryNames": ["theirs"] });
    let found = world.ecr_as(&theirs, "DescribeRepositories", body).await;
    found.expect(200);
    let refused = world.oci(Method::POST, upload, &[host], "").await;
    assert_eq!(refused.code(), (403, "DENIED".into()));
}

#[tokio::test]
async fn outside_dev_repositories_are_not_made() {
    let world = World::start().await;
    for (method, path) in [
        (Method::POST, "/v2/new/app/blobs/uploads/"),
        (Method::GET, "/v2/new/app/tags/list"),
        (Method::GET, "/v2/new/app/manifests/v1"),
        (Method::DELETE, "/v2/new/app/manifests/v1"),
    ] {
        let refused = world.oci(method, path, &[], "").await;
        assert_eq!(refused.code(), (404, "NAME_UNKNOWN".into()), "{path}");
    }
    let refused = world
        .push_manifest("new/app", "v1", &Layout::image("one").manifest)
        .await;
    assert_eq!(refused.code(), (404, "NAME_UNKNOWN".into()));
    let expected =
        "The repository with name 'new/app' does not exist in the registry with id '123456789012'";
    assert_eq!(refused.json()["errors"][0]["message"], expected);
}

#[tokio::test]
async fn a_host_names_account_and_region() {
    let world = World::start().await;
    let own = "123456789012.dkr.ecr.eu-west-1.localhost:5000";
    let elsewhere = world.credentials.in_region("eu-west-1");
    let body = json!({ "repositoryName": "app" });
    let made = world.ecr_as(&elsewhere, "CreateRepository", body).await;
    made.expect(200);
    let list = "/v2/app/tags/list";
    // The token was asked for in us-east-1; the host wins.
    let found = world.oci(Method::GET, list, &[("host", own)], "").await;
    found.expect(200);
    let missing = world.oci(Method::GET, list, &[], "").await;
    assert_eq!(missing.code(), (404, "NAME_UNKNOWN".into()));
}
