//! The twenty cases that naive implementations get wrong (ecr.md section 15), over the wire:
//! status, headers and whole bodies, with addresses in AWS's own form.
//!
//! Deletion, pushes and settings are here; reads, layers and the OCI side in `ecr_cases_reads.rs`.

mod api;

use api::{error, invalid, ok, push, push_manifest, put_image, refused, repository, tags_of};
use roadstead_domain::time::Span;
use roadstead_testkit::{Artifact, World, images};
use serde_json::{Value, json};

async fn world() -> World {
    let world = World::builder().with_aws_hosts().start().await;
    repository(&world, "app").await;
    world
}

async fn delete(world: &World, ids: Value) -> Value {
    let body = json!({ "repositoryName": "app", "imageIds": ids });
    ok(world, "BatchDeleteImage", body).await
}

fn deleted(ids: Value) -> Value {
    json!({ "failures": [], "imageIds": ids })
}

fn not_found(imagine: &str, tag: &str) -> Value {
    let message = format!(
        "The image with imageId {{imageDigest:'{imagine}', imageTag:'{tag}'}} does not exist \
         within the repository with name 'app' in the registry with id '123456789012'"
    );
    error("ImageNotFoundException", &message)
}

#[tokio::test]
async fn cases_1_and_2_one_tag_of_two_then_the_last() {
    let world = world().await;
    let digest = push(&world, "app", "one", &["a", "b"]).await.digest;
    assert_eq!(
        delete(&world, json!([{ "imageTag": "a" }])).await,
        deleted(json!([{ "imageDigest": digest, "imageTag": "a" }]))
    );
    assert_eq!(tags_of(&world, "app", &digest).await, Some(json!(["b"])));
    assert_eq!(
        delete(&world, json!([{ "imageTag": "b" }])).await,
        deleted(json!([{ "imageDigest": digest, "imageTag": "b" }]))
    );
    let describe = json!({ "repositoryName": "app", "imageIds": [{ "imageDigest": digest }] });
    assert_eq!(
        refused(&world, "DescribeImages", describe).await,
        not_found(&digest, "null")
    );
}

#[tokio::test]
async fn case_3_a_digest_takes_every_tag_along() {
    let world = world().await;
    let tagged = push(&world, "app", "two", &["x", "latest"]).await.digest;
    let untagged = push(&world, "app", "three", &[]).await.digest;
    assert_eq!(
        delete(&world, json!([{ "imageDigest": tagged }])).await,
        deleted(json!([
            { "imageDigest": tagged, "imageTag": "x" },
            { "imageDigest": tagged, "imageTag": "latest" },
        ]))
    );
    assert_eq!(
        delete(&world, json!([{ "imageDigest": untagged }])).await,
        deleted(json!([{ "imageDigest": untagged }]))
    );
}

#[tokio::test]
async fn cases_4_and_5_children_of_an_index() {
    let world = world().await;
    let four = push(&world, "app", "four", &[]).await;
    let five = push(&world, "app", "five", &[]).await;
    let index = images::index(&[&four, &five]);
    push_manifest(&world, "app", &index, &[]).await;
    assert_eq!(
        delete(&world, json!([{ "imageDigest": four.digest }])).await,
        json!({
            "failures": [{
                "failureCode": "ImageReferencedByManifestList",
                "failureReason":
                    format!("Requested image referenced by manifest list: [{}]", index.digest),
                "imageId": { "imageDigest": four.digest },
            }],
            "imageIds": [],
        })
    );
    assert_eq!(
        delete(&world, json!([{ "imageDigest": index.digest }])).await,
        deleted(json!([{ "imageDigest": index.digest }]))
    );
    for child in [four, five] {
        assert_eq!(tags_of(&world, "app", &child.digest).await, None);
        assert_eq!(
            delete(&world, json!([{ "imageDigest": child.digest }])).await,
            deleted(json!([{ "imageDigest": child.digest }]))
        );
    }
}

#[tokio::test]
async fn case_6_a_missing_image_is_no_error() {
    let world = world().await;
    assert_eq!(
        delete(&world, json!([{ "imageTag": "nope" }])).await,
        json!({
            "failures": [{
                "failureCode": "ImageNotFound",
                "failureReason": "Requested image not found",
                "imageId": { "imageTag": "nope" },
            }],
            "imageIds": [],
        })
    );
}

#[tokio::test]
async fn case_7_bad_entries_fail_alone_and_bad_lists_fail_whole() {
    let world = world().await;
    let digest = push(&world, "app", "seven", &["v7"]).await.digest;
    assert_eq!(
        delete(&world, json!([{}, { "imageDigest": "sha256:zz" }])).await,
        json!({
            "failures": [
                {
                    "failureCode": "MissingDigestAndTag",
                    "failureReason":
                        "Invalid request parameters: both tag and digest cannot be null",
                    "imageId": {},
                },
                {
                    "failureCode": "InvalidImageDigest",
                    "failureReason": "Invalid request parameters: image digest should satisfy \
                                      the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
                    "imageId": { "imageDigest": "sha256:zz" },
                },
            ],
            "imageIds": [],
        })
    );
    let mut ids = vec![json!({ "imageTag": "v7" })];
    ids.resize(101, json!({ "imageTag": "other" }));
    let body = json!({ "repositoryName": "app", "imageIds": ids });
    assert_eq!(
        refused(&world, "BatchDeleteImage", body).await,
        invalid(
            "imageIds",
            "Member must have length less than or equal to 100"
        )
    );
    let body = json!({ "repositoryName": "app", "imageIds": [] });
    assert_eq!(
        refused(&world, "BatchDeleteImage", body).await,
        invalid(
            "imageIds",
            "Member must have length greater than or equal to 1"
        )
    );
    assert_eq!(tags_of(&world, "app", &digest).await, Some(json!(["v7"])));
}

#[tokio::test]
async fn case_8_a_tag_moves_and_the_old_image_stays() {
    let world = world().await;
    let old = push(&world, "app", "old", &["latest"]).await;
    let new = push(&world, "app", "new", &["latest"]).await;
    let untagged = json!({ "repositoryName": "app", "filter": { "tagStatus": "UNTAGGED" } });
    assert_eq!(
        ok(&world, "ListImages", untagged).await,
        json!({ "imageIds": [{ "imageDigest": old.digest }] })
    );
    let tagged = json!({ "repositoryName": "app", "filter": { "tagStatus": "TAGGED" } });
    assert_eq!(
        ok(&world, "ListImages", tagged).await,
        json!({ "imageIds": [{ "imageDigest": new.digest, "imageTag": "latest" }] })
    );
    let by_digest = json!({ "repositoryName": "app", "imageIds": [{ "imageDigest": old.digest }] });
    assert_eq!(
        ok(&world, "BatchGetImage", by_digest).await,
        json!({
            "failures": [],
            "images": [got(&old, None)],
        })
    );
}

fn got(manifest: &Artifact, tag: Option<&str>) -> Value {
    let mut id = json!({ "imageDigest": manifest.digest });
    if let Some(tag) = tag {
        id["imageTag"] = tag.into();
    }
    json!({
        "imageId": id,
        "imageManifest": manifest.text(),
        "imageManifestMediaType": manifest.media_type,
        "registryId": "123456789012",
        "repositoryName": "app",
    })
}

#[tokio::test]
async fn case_9_the_same_manifest_under_the_same_tag() {
    let world = world().await;
    let image = push(&world, "app", "nine", &[]).await;
    let put = put_image("app", &image, Some("latest"));
    assert_eq!(
        ok(&world, "PutImage", put.clone()).await,
        json!({ "image": got(&image, Some("latest")) })
    );
    let digest = &image.digest;
    let exists = |tag: &str| {
        let message = format!(
            "Image with digest '{digest}' and tag '{tag}' already exists in the repository with \
             name 'app' in registry with id '123456789012'"
        );
        error("ImageAlreadyExistsException", &message)
    };
    assert_eq!(refused(&world, "PutImage", put).await, exists("latest"));
    let untagged = put_image("app", &image, None);
    assert_eq!(refused(&world, "PutImage", untagged).await, exists("null"));
    let over_v2 = world.push_manifest("app", "latest", &image).await;
    assert_eq!(over_v2.status, 201, "{}", over_v2.text());
}

fn immutable(tag: &str) -> Value {
    error("ImageTagAlreadyExistsException", &immutable_text(tag))
}

fn immutable_text(tag: &str) -> String {
    format!(
        "The image tag '{tag}' already exists in the 'app' repository and cannot be overwritten \
         because the tag is immutable."
    )
}

async fn put_mutability(world: &World, mode: &str, filter: Option<&str>) {
    let mut body = json!({ "repositoryName": "app", "imageTagMutability": mode });
    let mut answer = json!({
        "registryId": "123456789012", "repositoryName": "app", "imageTagMutability": mode,
    });
    if let Some(filter) = filter {
        let filters = json!([{ "filterType": "WILDCARD", "filter": filter }]);
        body["imageTagMutabilityExclusionFilters"] = filters.clone();
        answer["imageTagMutabilityExclusionFilters"] = filters;
    }
    assert_eq!(ok(world, "PutImageTagMutability", body).await, answer);
}

#[tokio::test]
async fn case_10_an_immutable_tag_has_its_own_code() {
    for is_strict in [false, true] {
        let builder = World::builder().with_aws_hosts();
        let builder = if is_strict { builder.strict() } else { builder };
        let world = builder.start().await;
        repository(&world, "app").await;
        put_mutability(&world, "IMMUTABLE", None).await;
        let first = push(&world, "app", "first", &["v1"]).await;
        let third = push(&world, "app", "third", &[]).await;
        let put = put_image("app", &third, Some("v1"));
        assert_eq!(
            refused(&world, "PutImage", put.clone()).await,
            immutable("v1")
        );
        // The same image again is refused alike.
        let again = put_image("app", &first, Some("v1"));
        assert_eq!(refused(&world, "PutImage", again).await, immutable("v1"));
        let over_v2 = world.push_manifest("app", "v1", &third).await.expect(400);
        assert_eq!(
            over_v2.json(),
            json!({ "errors": [{ "code": "TAG_INVALID", "message": immutable_text("v1") }] })
        );
        delete(&world, json!([{ "imageTag": "v1" }])).await;
        ok(&world, "PutImage", put).await;
    }
}

#[tokio::test]
async fn case_11_exclusion_filters_are_anchored() {
    let world = world().await;
    put_mutability(&world, "IMMUTABLE_WITH_EXCLUSION", Some("dev-*")).await;
    push(&world, "app", "one", &["dev-1", "mydev-1"]).await;
    let two = push(&world, "app", "two", &[]).await;
    ok(&world, "PutImage", put_image("app", &two, Some("dev-1"))).await;
    let put = put_image("app", &two, Some("mydev-1"));
    assert_eq!(refused(&world, "PutImage", put).await, immutable("mydev-1"));
    // A dot stands for itself.
    put_mutability(&world, "IMMUTABLE_WITH_EXCLUSION", Some("v1.*")).await;
    push_manifest(&world, "app", &two, &["v1x0", "v1.0"]).await;
    let three = push(&world, "app", "three", &[]).await;
    ok(&world, "PutImage", put_image("app", &three, Some("v1.0"))).await;
    let put = put_image("app", &three, Some("v1x0"));
    assert_eq!(refused(&world, "PutImage", put).await, immutable("v1x0"));
}

#[tokio::test]
async fn case_12_a_new_tag_keeps_the_time_of_the_push() {
    let world = world().await;
    let image = push(&world, "app", "twelve", &["a"]).await;
    let describe = json!({ "repositoryName": "app", "imageIds": [{ "imageTag": "a" }] });
    let before = ok(&world, "DescribeImages", describe.clone()).await;
    world.clock.advance(Span::seconds(60));
    push_manifest(&world, "app", &image, &["prod"]).await;
    let after = ok(&world, "DescribeImages", describe).await;
    let (before, after) = (&before["imageDetails"][0], &after["imageDetails"][0]);
    assert!(before["imagePushedAt"].is_f64());
    assert_eq!(after["imagePushedAt"], before["imagePushedAt"]);
    assert_eq!(after["imageTags"], json!(["a", "prod"]));
}

#[tokio::test]
async fn case_16_a_repository_with_images_stays() {
    let world = world().await;
    let image = push(&world, "app", "sixteen", &[]).await;
    let unforced = json!({ "repositoryName": "app" });
    assert_eq!(
        refused(&world, "DeleteRepository", unforced.clone()).await,
        error(
            "RepositoryNotEmptyException",
            "The repository with name 'app' in registry with id '123456789012' cannot be deleted \
             because it still contains images"
        )
    );
    assert_eq!(tags_of(&world, "app", &image.digest).await, None);
    let described = ok(&world, "DescribeRepositories", json!({})).await;
    let forced = json!({ "repositoryName": "app", "force": true });
    assert_eq!(
        ok(&world, "DeleteRepository", forced.clone()).await,
        json!({ "repository": described["repositories"][0] })
    );
    assert_eq!(
        refused(&world, "DeleteRepository", forced).await,
        error(
            "RepositoryNotFoundException",
            "The repository with name 'app' does not exist in the registry with id '123456789012'"
        )
    );
}

#[tokio::test]
async fn case_17_an_image_after_its_parts() {
    let world = world().await;
    let absent = roadstead_testkit::Layout::image("absent");
    let index = images::index(&[&absent.manifest]);
    let digest = &absent.manifest.digest;
    assert_eq!(
        refused(&world, "PutImage", put_image("app", &index, Some("i"))).await,
        error(
            "ReferencedImagesNotFoundException",
            &format!(
                "Images with digests '[{digest}]' required for pushing image into repository \
                 with name 'app' in the registry with id '123456789012' do not exist"
            )
        )
    );
    let parts: Vec<String> = absent
        .blobs
        .iter()
        .map(|blob| images::digest(blob))
        .collect();
    assert_eq!(
        refused(&world, "PutImage", put_image("app", &absent.manifest, None)).await,
        error(
            "LayersNotFoundException",
            &format!(
                "Layers with digests '[{}]' required for pushing image into repository with \
                 name 'app' in the registry with id '123456789012' do not exist",
                parts.join(", ")
            )
        )
    );
    let referrer =
        roadstead_testkit::Layout::image("sbom").referring_to(&absent.manifest, "application/sbom");
    api::push_layout(&world, "app", &referrer, &[]).await;
}
