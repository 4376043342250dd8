//! Refusals over `/v2`, to the byte where clients have seen them, with and without `strict_ecr`
//! (ecr.md 9.1). Credentials and hostile input are in `hostile/`.

use http::Method;
use roadstead_store::fault::When;
use roadstead_testkit::World;
use roadstead_testkit::images::{OCI_INDEX, OCI_MANIFEST, digest};

async fn both_modes() -> [(bool, World); 2] {
    [
        (false, World::start().await),
        (true, World::builder().strict().start().await),
    ]
}

#[tokio::test]
async fn manifests_that_are_not() {
    for (is_strict, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let expected = match is_strict {
            false => (400, "MANIFEST_INVALID".to_owned()),
            true => (405, "UNSUPPORTED".to_owned()),
        };
        for body in ["", "{", "[]", "null", "{}", "{\"schemaVersion\":1}"] {
            let headers = [("content-type", OCI_MANIFEST)];
            let path = "/v2/app/manifests/v2";
            let refused = world.oci(Method::PUT, path, &headers, body).await;
            assert_eq!(refused.code(), expected, "{body}");
            let headers = [("content-type", OCI_INDEX)];
            let refused = world.oci(Method::PUT, path, &headers, body).await;
            assert_eq!(refused.code(), expected, "{body}");
        }
    }
}

#[tokio::test]
async fn ecrs_text_for_a_bad_manifest() {
    let world = World::builder().strict().start().await;
    world.push_image("app", "one", &["v1"]).await;
    let headers = [("content-type", OCI_MANIFEST)];
    let path = "/v2/app/manifests/v2";
    let refused = world.oci(Method::PUT, path, &headers, "{").await;
    let expected = "{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\"Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'\"}]}\n";
    assert_eq!(refused.text(), expected);
    assert_eq!(refused.header("content-type"), "application/json");
}

#[tokio::test]
async fn what_is_not_there() {
    for (_, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let unknown = digest(b"unknown");
        for (path, code, message) in [
            (
                "/v2/app/manifests/v9".to_owned(),
                "MANIFEST_UNKNOWN",
                "Requested image not found",
            ),
            (
                format!("/v2/app/manifests/{unknown}"),
                "MANIFEST_UNKNOWN",
                "Requested image not found",
            ),
            (
                "/v2/none/manifests/v1".into(),
                "NAME_UNKNOWN",
                "The repository with name 'none' does not exist in the registry with id '123456789012'",
            ),
        ] {
            let refused = world.oci(Method::GET, &path, &[], "").await;
            let expected =
                format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"{message}\"}}]}}\n");
            assert_eq!(refused.clone().expect(404).text(), expected);
            let head = world.oci(Method::HEAD, &path, &[], "").await.expect(404);
            assert!(head.body.is_empty());
        }
        let path = format!("/v2/app/blobs/{unknown}");
        let refused = world.oci(Method::GET, &path, &[], "").await;
        assert_eq!(refused.code(), (404, "BLOB_UNKNOWN".into()));
        let head = world.oci(Method::HEAD, &path, &[], "").await.expect(404);
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn an_inner_failure_tells_nothing_of_itself() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    let basic = world.basic(&world.credentials).await;
    let headers = [("authorization", basic.as_str())];
    let path = "/v2/app/tags/list";
    world.raw(Method::GET, path, &headers, "").await.expect(200);
    world.faults.fail_all(When::Before);
    let failed = world.raw(Method::GET, path, &headers, "").await;
    assert_eq!(failed.code(), (500, "UNKNOWN".into()));
    assert!(!failed.text().contains("fault"), "{}", failed.text());
    world.faults.clear();
    world.raw(Method::GET, path, &headers, "").await.expect(200);
}
