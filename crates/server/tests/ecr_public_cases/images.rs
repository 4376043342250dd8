//! DescribeImages and DescribeImageTags (section 3.3).

use bytes::Bytes;
use roadstead_domain::time::Span;
use roadstead_testkit::{Artifact, Layout, images};
use serde_json::{Value, json};

use crate::public_api::{
    ACCOUNT, NAME, NOW, no_image, ok, push, push_blobs, push_manifest, refused, sorted,
    world_and_alias,
};

const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

fn size_of(layout: &Layout) -> usize {
    layout.blobs.iter().map(Bytes::len).sum()
}

/// The manifest of an image as Docker writes it.
fn as_docker(layout: &Layout) -> Artifact {
    let mut manifest: Value = serde_json::from_slice(&layout.manifest.bytes).expect("JSON");
    manifest["mediaType"] = DOCKER.into();
    manifest["config"]["mediaType"] = DOCKER_CONFIG.into();
    let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    manifest["layers"][0]["mediaType"] = layer.into();
    Artifact::new(DOCKER, &manifest)
}

#[tokio::test]
async fn all_that_is_said_of_an_image() {
    let (world, _) = world_and_alias(false).await;
    let small = Layout::image("s");
    let large = Layout::image("a longer text than the other one has");
    push_blobs(&world, &small).await;
    push_blobs(&world, &large).await;
    let docker = as_docker(&small);
    push_manifest(&world, &docker, &["v1", "latest"]).await;
    push_manifest(&world, &small.manifest, &[]).await;
    push_manifest(&world, &large.manifest, &[]).await;
    let index = images::index(&[&small.manifest, &large.manifest]);
    push_manifest(&world, &index, &["all"]).await;

    let detail = |manifest: &Artifact, size: usize| {
        json!({
            "imageDigest": manifest.digest,
            "imageManifestMediaType": manifest.media_type,
            "imagePushedAt": NOW,
            "imageSizeInBytes": size,
            "registryId": "123456789012",
            "repositoryName": "team/app",
        })
    };
    let with = |mut detail: Value, member: &str, value: Value| {
        detail[member] = value;
        detail
    };
    let oci_config = json!("application/vnd.oci.image.config.v1+json");
    let of_docker = detail(&docker, size_of(&small));
    let of_docker = with(of_docker, "artifactMediaType", DOCKER_CONFIG.into());
    let of_docker = with(of_docker, "imageTags", json!(["v1", "latest"]));
    let of_small = detail(&small.manifest, size_of(&small));
    let of_small = with(of_small, "artifactMediaType", oci_config.clone());
    let of_large = detail(&large.manifest, size_of(&large));
    let of_large = with(of_large, "artifactMediaType", oci_config);
    // The largest of its children, and no configuration.
    let of_index = with(detail(&index, size_of(&large)), "imageTags", json!(["all"]));
    let all = json!([of_docker, of_small, of_large, of_index]);

    let body = json!({ "registryId": ACCOUNT, "repositoryName": NAME });
    let answer = ok(&world, "DescribeImages", body).await;
    assert_eq!(sorted(&answer["imageDetails"]), sorted(&all));
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1));

    let ids = json!([
        { "imageTag": "all" },
        { "imageDigest": docker.digest },
        { "imageDigest": index.digest, "imageTag": "all" },
    ]);
    let body = json!({ "repositoryName": NAME, "imageIds": ids });
    let answer = ok(&world, "DescribeImages", body).await;
    let mut named = sorted(&answer["imageDetails"]);
    // An image that is named twice may be told once or twice.
    named.dedup();
    assert_eq!(named, sorted(&json!([of_docker, of_index])));
}

#[tokio::test]
async fn one_image_that_is_missing_fails_the_call() {
    let (world, _) = world_and_alias(false).await;
    let there = push(&world, "there", &["there"]).await.digest;
    let other = push(&world, "other", &["other"]).await.digest;
    let absent = images::digest(b"absent");
    let rows = [
        (json!({ "imageTag": "ghost" }), no_image("null", "ghost")),
        (json!({ "imageDigest": absent }), no_image(&absent, "null")),
        (
            json!({ "imageDigest": other, "imageTag": "there" }),
            no_image(&other, "there"),
        ),
        (
            json!({ "imageDigest": there, "imageTag": "ghost" }),
            no_image(&there, "ghost"),
        ),
    ];
    for (id, expected) in rows {
        let ids = json!([{ "imageTag": "there" }, id]);
        let body = json!({ "repositoryName": NAME, "imageIds": ids });
        assert_eq!(refused(&world, "DescribeImages", body).await, expected);
    }
}

#[tokio::test]
async fn what_cannot_be_described() {
    let (world, _) = world_and_alias(false).await;
    push(&world, "there", &["there"]).await;
    let too_many = vec![json!({ "imageTag": "there" }); 101];
    for ids in [json!([]), json!([{}]), json!(too_many)] {
        let body = json!({ "repositoryName": NAME, "imageIds": ids });
        let said = refused(&world, "DescribeImages", body).await;
        assert_eq!(said["__type"], "InvalidParameterException", "{said}");
    }
    // Private ECR's filter is no member here, and unknown members are ignored.
    push(&world, "untagged", &[]).await;
    let body = json!({ "repositoryName": NAME, "filter": { "tagStatus": "TAGGED" } });
    let all = ok(&world, "DescribeImages", body).await;
    assert_eq!(all["imageDetails"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_row_for_each_tag_with_its_own_time() {
    let (world, _) = world_and_alias(false).await;
    let first = push(&world, "first", &["latest"]).await;
    world.clock.advance(Span::seconds(60));
    // The same image under another tag keeps the time of its push.
    push_manifest(&world, &first, &["v1"]).await;
    world.clock.advance(Span::seconds(60));
    let second = push(&world, "second", &["latest"]).await;
    let row = |tag: &str, created: f64, manifest: &Artifact, pushed: f64, size: usize| {
        json!({
            "createdAt": NOW + created,
            "imageDetail": {
                "artifactMediaType": "application/vnd.oci.image.config.v1+json",
                "imageDigest": manifest.digest,
                "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
                "imagePushedAt": NOW + pushed,
                "imageSizeInBytes": size,
            },
            "imageTag": tag,
        })
    };
    let sizes = ["first", "second"].map(|content| size_of(&Layout::image(content)));
    let expected = json!([
        row("latest", 120.0, &second, 120.0, sizes[1]),
        row("v1", 60.0, &first, 0.0, sizes[0]),
    ]);
    let body = json!({ "registryId": ACCOUNT, "repositoryName": NAME });
    let answer = ok(&world, "DescribeImageTags", body.clone()).await;
    assert_eq!(sorted(&answer["imageTagDetails"]), sorted(&expected));

    // An index has no configuration, hence no type of artifact.
    let index = images::index(&[&first]);
    push_manifest(&world, &index, &["all"]).await;
    let answer = ok(&world, "DescribeImageTags", body).await;
    let rows = answer["imageTagDetails"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["imageTag"] == "all");
    assert_eq!(
        row.expect("a row")["imageDetail"],
        json!({
            "imageDigest": index.digest,
            "imageManifestMediaType": "application/vnd.oci.image.index.v1+json",
            "imagePushedAt": NOW + 120.0,
            "imageSizeInBytes": sizes[0],
        })
    );
}

#[tokio::test]
async fn a_tag_that_moves_leaves_its_image_behind() {
    let (world, _) = world_and_alias(false).await;
    let old = push(&world, "old", &["latest"]).await.digest;
    let new = push(&world, "new", &["latest"]).await.digest;
    assert_eq!(crate::public_api::tags_of(&world, &old).await, None);
    assert_eq!(
        crate::public_api::tags_of(&world, &new).await,
        Some(json!(["latest"]))
    );
    let tags = ok(
        &world,
        "DescribeImageTags",
        json!({ "repositoryName": NAME }),
    )
    .await;
    let rows = tags["imageTagDetails"].as_array().expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["imageDetail"]["imageDigest"], new);
}
