//! Rows that change behind the server's back.

use bytes::Bytes;
use http::Method;
use roadstead_registry::doctor::Kind;
use serde_json::json;

use crate::bench::{Bench, SHORT};

const FLIP: &str = "UPDATE manifest SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"size\":300000', \
     '\"size\":300001') AS BLOB)";

#[tokio::test]
async fn f43_a_changed_manifest_is_never_served_and_a_push_heals_it() {
    let bench = Bench::with_layer(SHORT).await;
    let by_tag = "/v2/app/manifests/v1";
    bench.sql(FLIP);
    let by_digest = format!("/v2/app/manifests/{}", bench.layout.manifest.digest);
    for path in [by_tag, &by_digest] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(bench.status(method, path).await, 404);
        }
    }
    let input = json!({ "repositoryName": "app", "imageIds": [{ "imageTag": "v1" }] });
    let got = bench.world.ecr("BatchGetImage", input).await.expect(200);
    assert_eq!(got.json()["failures"][0]["failureCode"], "ImageNotFound");
    assert_eq!(bench.found().await, [Kind::ManifestRotten]);
    bench.push_manifest().await.expect(201);
    let pulled = bench.world.oci(Method::GET, by_tag, &[], Bytes::new());
    assert_eq!(pulled.await.expect(200).body, bench.layout.manifest.bytes);
    assert_eq!(bench.found().await, []);
}

#[tokio::test]
async fn a_changed_manifest_heals_under_an_immutable_tag() {
    let bench = Bench::with_layer(SHORT).await;
    let input = json!({ "repositoryName": "app", "imageTagMutability": "IMMUTABLE" });
    bench
        .world
        .ecr("PutImageTagMutability", input)
        .await
        .expect(200);
    bench.sql(FLIP);
    bench.push_manifest().await.expect(201);
    assert_eq!(bench.status(Method::GET, "/v2/app/manifests/v1").await, 200);
}

/// Each change, and everything that is wrong afterwards.
const CHANGES: &[(&str, &[Kind])] = &[
    (
        "DELETE FROM manifest",
        &[Kind::StoreDamaged, Kind::ManifestMissing],
    ),
    ("UPDATE image SET is_tagged = 0", &[Kind::TagCountWrong]),
    (
        "UPDATE tag SET image_id = 99999",
        &[Kind::StoreDamaged, Kind::TagCountWrong, Kind::TagAstray],
    ),
    (
        "DELETE FROM blob_edge WHERE digest = (SELECT digest FROM blob WHERE size_bytes = 300000)",
        &[Kind::EdgesWrong, Kind::LinkHeld],
    ),
    (
        "UPDATE blob_link SET unreferenced_since = 1 \
         WHERE digest = (SELECT digest FROM blob WHERE size_bytes = 300000)",
        &[Kind::LinkLoose],
    ),
    (
        "DELETE FROM blob_link \
         WHERE digest = (SELECT digest FROM blob WHERE size_bytes = 300000)",
        &[Kind::LinkMissing, Kind::BlobUnlinked],
    ),
    (
        "INSERT INTO garbage (key, size_bytes) SELECT key, 1 FROM blob WHERE size_bytes = 300000",
        &[Kind::KeyShared],
    ),
    (
        "UPDATE blob SET digest = 'sha256:x' WHERE size_bytes = 300000",
        &[Kind::LinkAstray, Kind::RowBroken],
    ),
    (
        "UPDATE blob SET size_bytes = 7 WHERE size_bytes = 300000",
        &[Kind::BlobResized],
    ),
    (
        "DELETE FROM blob WHERE size_bytes = 300000",
        &[Kind::StoreDamaged, Kind::LinkAstray, Kind::FileUnknown],
    ),
];

#[tokio::test]
async fn every_broken_row_is_found() {
    for (change, expected) in CHANGES {
        let bench = Bench::with_layer(SHORT).await;
        bench.sql(change);
        let dry = roadstead_registry::doctor::Options {
            is_dry_run: true,
            ..Default::default()
        };
        let found = bench.examined(dry).await;
        let kinds: Vec<Kind> = found.iter().map(|finding| finding.kind).collect();
        let expected: Vec<Kind> = expected
            .iter()
            .copied()
            // No foreign key stands behind a manifest.
            .filter(|kind| !(change.contains("FROM manifest") && *kind == Kind::StoreDamaged))
            .collect();
        assert_eq!(kinds, expected, "{change}: {found:#?}");
    }
}

#[tokio::test]
async fn an_index_without_its_child_is_found() {
    let bench = Bench::with_layer(SHORT).await;
    let child = &bench.layout.manifest;
    bench.world.push_index("app", "all", &[child]).await;
    assert_eq!(bench.found().await, []);
    bench.sql("UPDATE manifest_child SET child = 'sha256:x'");
    let found = bench.found().await;
    assert_eq!(found, [Kind::ChildMissing, Kind::EdgesWrong]);
}
