//! The cases of section 16 that are asked of the API: 1 to 12.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_testkit::{World, images};
use serde_json::{Value, json};

use crate::public_api::{
    NAME, NOW, alias, delete, error, invalid, no_image, ok, push, push_manifest, refused,
    repository, sorted, tags_of, world_and_alias, world_with,
};

async fn world() -> World {
    world_and_alias(false).await.0
}

fn deleted(ids: Value) -> Value {
    json!({ "failures": [], "imageIds": ids })
}

#[tokio::test]
async fn case01_a_new_repository() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let body = json!({ "repositoryName": NAME });
        let made = ok(&world, "CreateRepository", body).await;
        let alias = alias(&world).await;
        assert_eq!(
            made,
            json!({
                "catalogData": {},
                "repository": {
                    "createdAt": NOW,
                    "registryId": "123456789012",
                    "repositoryArn": "arn:aws:ecr-public::123456789012:repository/team/app",
                    "repositoryName": "team/app",
                    "repositoryUri": format!("public.ecr.aws/{alias}/team/app"),
                },
            })
        );
    }
}

#[tokio::test]
async fn case02_catalog_data_right_after_the_creation() {
    let world = world().await;
    let body = json!({ "repositoryName": NAME });
    assert_eq!(
        ok(&world, "GetRepositoryCatalogData", body).await,
        json!({ "catalogData": {} })
    );
    // As Terraform asks.
    let body = json!({ "registryId": "123456789012", "repositoryName": NAME });
    assert_eq!(
        ok(&world, "GetRepositoryCatalogData", body).await,
        json!({ "catalogData": {} })
    );
}

#[tokio::test]
async fn case03_a_token_is_one_object() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let mut answer = ok(&world, "GetAuthorizationToken", json!({})).await;
        let token = answer["authorizationData"]["authorizationToken"].take();
        assert_eq!(
            answer,
            json!({ "authorizationData": {
                "authorizationToken": null,
                "expiresAt": NOW + 43_200.0,
            } })
        );
        let token = token.as_str().expect("a text");
        // Read with either alphabet of base64, by clients that take no padding away.
        assert!(!token.contains(['+', '/', '-', '_']), "{token}");
        assert_eq!(token.len() % 4, 0);
        let decoded = STANDARD.decode(token).expect("base64");
        let decoded = String::from_utf8(decoded).expect("text");
        let (user, password) = decoded.split_once(':').expect("a colon");
        assert_eq!(user, "AWS");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "+/=._-".contains(c);
        assert!(
            !password.is_empty() && password.chars().all(is_plain),
            "{password}"
        );
    }
}

#[tokio::test]
async fn case04_one_tag_of_two() {
    let world = world().await;
    let digest = push(&world, "four", &["v1", "v2"]).await.digest;
    assert_eq!(
        delete(&world, json!([{ "imageTag": "v1" }])).await,
        deleted(json!([{ "imageDigest": digest, "imageTag": "v1" }]))
    );
    assert_eq!(tags_of(&world, &digest).await, Some(json!(["v2"])));
}

#[tokio::test]
async fn case05_the_last_tag() {
    let world = world().await;
    let digest = push(&world, "five", &["v1"]).await.digest;
    assert_eq!(
        delete(&world, json!([{ "imageTag": "v1" }])).await,
        deleted(json!([{ "imageDigest": digest, "imageTag": "v1" }]))
    );
    let body = json!({ "repositoryName": NAME, "imageIds": [{ "imageDigest": digest }] });
    assert_eq!(
        refused(&world, "DescribeImages", body).await,
        no_image(&digest, "null")
    );
}

#[tokio::test]
async fn case06_a_digest_takes_every_tag_along() {
    let world = world().await;
    let tagged = push(&world, "tagged", &["v1", "v2"]).await.digest;
    let untagged = push(&world, "untagged", &[]).await.digest;
    let mut answer = delete(&world, json!([{ "imageDigest": tagged }])).await;
    answer["imageIds"] = sorted(&answer["imageIds"]).into();
    assert_eq!(
        answer,
        deleted(json!([
            { "imageDigest": tagged, "imageTag": "v1" },
            { "imageDigest": tagged, "imageTag": "v2" },
        ]))
    );
    assert_eq!(
        delete(&world, json!([{ "imageDigest": untagged }])).await,
        deleted(json!([{ "imageDigest": untagged }]))
    );
    let body = json!({ "repositoryName": NAME });
    assert_eq!(
        ok(&world, "DescribeImages", body).await,
        json!({ "imageDetails": [] })
    );
}

#[tokio::test]
async fn case07_what_fails_alone() {
    let world = world().await;
    assert_eq!(
        delete(&world, json!([{}, { "imageTag": "nope" }])).await,
        json!({
            "failures": [
                {
                    "failureCode": "MissingDigestAndTag",
                    "failureReason":
                        "Invalid request parameters: both tag and digest cannot be null",
                    "imageId": {},
                },
                {
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                    "imageId": { "imageTag": "nope" },
                },
            ],
            "imageIds": [],
        })
    );
}

#[tokio::test]
async fn case08_a_child_of_an_index() {
    let world = world().await;
    let amd64 = push(&world, "amd64", &[]).await;
    let arm64 = push(&world, "arm64", &[]).await;
    let index = images::index(&[&amd64, &arm64]);
    push_manifest(&world, &index, &["all"]).await;
    let reason = format!(
        "Requested image referenced by manifest list: [{}]",
        index.digest
    );
    assert_eq!(
        delete(&world, json!([{ "imageDigest": arm64.digest }])).await,
        json!({
            "failures": [{
                "failureCode": "ImageReferencedByManifestList",
                "failureReason": reason,
                "imageId": { "imageDigest": arm64.digest },
            }],
            "imageIds": [],
        })
    );
    let body = json!({ "repositoryName": NAME });
    let left = ok(&world, "DescribeImages", body).await;
    assert_eq!(left["imageDetails"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn case09_where_an_alias_is_a_registry() {
    let (world, alias) = world_and_alias(false).await;
    let digest = push(&world, "nine", &["v1"]).await.digest;
    let describe = json!({ "registryId": alias, "repositoryName": NAME });
    assert_eq!(
        refused(&world, "DescribeImages", describe).await,
        invalid(
            "registryId",
            "Member must satisfy regular expression pattern: [0-9]{12}"
        )
    );
    let ids = json!([{ "imageTag": "v1" }]);
    let body = json!({ "registryId": alias, "repositoryName": NAME, "imageIds": ids });
    assert_eq!(
        ok(&world, "BatchDeleteImage", body).await,
        deleted(json!([{ "imageDigest": digest, "imageTag": "v1" }]))
    );
}

#[tokio::test]
async fn case10_an_architecture_of_its_own() {
    let world = world_with(false).await;
    let catalog = json!({ "architectures": ["riscv64"] });
    let body = json!({ "repositoryName": NAME, "catalogData": catalog });
    let made = ok(&world, "CreateRepository", body).await;
    assert_eq!(made["catalogData"], catalog);
    let body = json!({ "repositoryName": NAME });
    assert_eq!(
        ok(&world, "GetRepositoryCatalogData", body).await,
        json!({ "catalogData": catalog })
    );
}

#[tokio::test]
async fn case11_a_policy_that_is_none() {
    let world = world().await;
    let body = json!({ "repositoryName": NAME, "policyText": "not json" });
    assert_eq!(
        refused(&world, "SetRepositoryPolicy", body).await,
        invalid("PolicyText", "Invalid repository policy provided")
    );
    let body = json!({ "repositoryName": NAME });
    assert_eq!(
        refused(&world, "GetRepositoryPolicy", body).await,
        error(
            "RepositoryPolicyNotFoundException",
            "Repository policy does not exist for the repository with name 'team/app' in the \
             registry with id '123456789012'"
        )
    );
}

#[tokio::test]
async fn case12_a_row_for_each_tag() {
    let world = world_with(false).await;
    repository(&world, NAME).await;
    let layout = roadstead_testkit::Layout::image("twelve");
    let size: usize = layout.blobs.iter().map(bytes::Bytes::len).sum();
    let digest = push(&world, "twelve", &["v1", "v2"]).await.digest;
    push(&world, "untagged", &[]).await;
    let mut answer = ok(
        &world,
        "DescribeImageTags",
        json!({ "repositoryName": NAME }),
    )
    .await;
    answer["imageTagDetails"] = sorted(&answer["imageTagDetails"]).into();
    let row = |tag: &str| {
        json!({
            "createdAt": NOW,
            "imageDetail": {
                "artifactMediaType": "application/vnd.oci.image.config.v1+json",
                "imageDigest": digest,
                "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
                "imagePushedAt": NOW,
                "imageSizeInBytes": size,
            },
            "imageTag": tag,
        })
    };
    assert_eq!(answer, json!({ "imageTagDetails": [row("v1"), row("v2")] }));
}
