//! Cases of the table in docs/configuration.md that no other test holds in both modes: mounts, and
//! manifests that ECR refuses as parameters of its API (ecr.md 9.1, 9.6).

use bytes::Bytes;
use http::Method;
use roadstead_testkit::images::OCI_MANIFEST;
use roadstead_testkit::{Artifact, Layout, World};
use serde_json::{Value, json};

async fn both_modes() -> [(bool, World); 2] {
    [
        (false, World::start().await),
        (true, World::builder().strict().start().await),
    ]
}

#[tokio::test]
async fn a_mount_is_an_upload_on_ecr() {
    for (is_strict, world) in both_modes().await {
        for name in ["from", "to"] {
            let body = json!({ "repositoryName": name });
            world.ecr("CreateRepository", body).await.expect(200);
        }
        let digest = world.push_blob("from", &Bytes::from("shared")).await;
        let path = format!("/v2/to/blobs/uploads/?mount={digest}&from=from");
        let answer = world.oci(Method::POST, &path, &[], "").await;
        let blob = format!("/v2/to/blobs/{digest}");
        let there = world.oci(Method::HEAD, &blob, &[], "").await.status;
        if !is_strict {
            assert_eq!((answer.status.as_u16(), there.as_u16()), (201, 200));
            continue;
        }
        assert_eq!((answer.status.as_u16(), there.as_u16()), (202, 404));
        // The upload works.
        let path = format!("{}?digest={digest}", answer.header("location"));
        let done = world.oci(Method::PUT, &path, &[], "shared").await;
        done.expect(201);
    }
}

#[tokio::test]
async fn manifests_with_a_wrong_size_or_of_no_type() {
    for (is_strict, world) in both_modes().await {
        let image = world.push_image("app", "one", &["v1"]).await;
        let mut wrong: Value = serde_json::from_slice(&image.bytes).expect("JSON");
        let digest = wrong["layers"][0]["digest"].clone();
        let actual = Layout::image("one").blobs[1].len();
        wrong["layers"][0]["size"] = 1_000_000.into();
        let wrong = Artifact::new(OCI_MANIFEST, &wrong);
        let refused = world.push_manifest("app", "v2", &wrong).await;
        let path = "/v2/app/manifests/v2";
        let untyped = world.oci(Method::PUT, path, &[], image.bytes.clone()).await;
        let size = format!("the manifest says that {digest} has 1000000 bytes, it has {actual}")
            .replace('"', "'");
        let kind = "the request has no Content-Type";
        let rows = [
            (refused, "ImageManifest", size.as_str()),
            (untyped, "imageManifestMediaType", kind),
        ];
        for (answer, member, text) in rows {
            let message = answer.json()["errors"][0]["message"].clone();
            let in_ecrs_words =
                format!("Invalid parameter at '{member}' failed to satisfy constraint: '{text}'");
            if is_strict {
                assert_eq!(answer.code(), (405, "UNSUPPORTED".into()));
                assert_eq!(message, in_ecrs_words);
            } else {
                assert_eq!(answer.code(), (400, "MANIFEST_INVALID".into()));
                assert_eq!(message, text);
            }
        }
        world.oci(Method::HEAD, path, &[], "").await.expect(404);
    }
}

#[tokio::test]
async fn an_upload_that_is_not_there_has_no_code_of_its_own_on_ecr() {
    for (is_strict, world) in both_modes().await {
        let body = json!({ "repositoryName": "app" });
        world.ecr("CreateRepository", body).await.expect(200);
        let path = "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000";
        let code = if is_strict {
            "UNKNOWN"
        } else {
            "BLOB_UPLOAD_UNKNOWN"
        };
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let refused = world.oci(method, path, &[], "x").await;
            assert_eq!(refused.code().0, 404);
            let shown = refused.json()["errors"][0]["code"].clone();
            assert!(shown == code || refused.body.is_empty(), "{shown}");
        }
    }
}

#[tokio::test]
async fn lists_are_text_on_ecr() {
    for (is_strict, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let expected = match is_strict {
            true => "text/plain; charset=utf-8",
            false => "application/json",
        };
        for (path, member) in [
            ("/v2/app/tags/list", "tags"),
            ("/v2/_catalog", "repositories"),
        ] {
            let list = world.oci(Method::GET, path, &[], "").await.expect(200);
            assert_eq!(list.header("content-type"), expected, "{path}");
            assert_eq!(list.json()[member].as_array().map(Vec::len), Some(1));
        }
    }
}
