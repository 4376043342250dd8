//! BatchDeleteImage to its corners (section 3.4).

use roadstead_testkit::images;
use serde_json::{Value, json};

use crate::public_api::{
    ACCOUNT, NAME, OTHER, delete, invalid, no_repository, ok, ok_as, push, push_manifest, refused,
    sorted, tags_of, world_and_alias,
};

fn failure(code: &str, reason: &str, id: Value) -> Value {
    json!({ "failureCode": code, "failureReason": reason, "imageId": id })
}

fn not_found(id: Value) -> Value {
    failure("ImageNotFound", "Requested image not found", id)
}

#[tokio::test]
async fn every_failure_beside_a_success() {
    let (world, _) = world_and_alias(false).await;
    let there = push(&world, "there", &["v1"]).await.digest;
    let other = push(&world, "other", &["kept"]).await.digest;
    let unknown = images::digest(b"unknown");
    let mismatch = json!({ "imageDigest": other, "imageTag": "v1" });
    let mut answer = delete(
        &world,
        json!([
            { "imageDigest": "sha256:zz" },
            { "imageDigest": unknown },
            mismatch,
            { "imageTag": "v1" },
            { "imageTag": "v1" },
            {},
        ]),
    )
    .await;
    // The reason of a mismatch is free.
    let reason = answer["failures"][2]["failureReason"].take();
    assert!(reason.as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(
        answer,
        json!({
            "failures": [
                failure(
                    "InvalidImageDigest",
                    "Invalid request parameters: image digest should satisfy the regex \
                     '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
                    json!({ "imageDigest": "sha256:zz" })
                ),
                not_found(json!({ "imageDigest": unknown })),
                {
                    "failureCode": "ImageTagDoesNotMatchDigest",
                    "failureReason": null,
                    "imageId": mismatch,
                },
                not_found(json!({ "imageTag": "v1" })),
                failure(
                    "MissingDigestAndTag",
                    "Invalid request parameters: both tag and digest cannot be null",
                    json!({})
                ),
            ],
            "imageIds": [{ "imageDigest": there, "imageTag": "v1" }],
        })
    );
    assert_eq!(tags_of(&world, &other).await, Some(json!(["kept"])));
}

#[tokio::test]
async fn a_tag_that_cannot_be_one() {
    let (world, _) = world_and_alias(false).await;
    let answer = delete(&world, json!([{ "imageTag": "a tag" }])).await;
    let [failure] = answer["failures"].as_array().expect("a list").as_slice() else {
        panic!("one failure: {answer}");
    };
    assert_eq!(failure["failureCode"], "InvalidImageTag");
    let reason = failure["failureReason"].as_str().unwrap_or_default();
    let start = "Invalid request parameters: image tag should satisfy the regex '";
    assert!(reason.starts_with(start), "{reason}");
    assert_eq!(failure["imageId"], json!({ "imageTag": "a tag" }));
    assert_eq!(answer["imageIds"], json!([]));
}

#[tokio::test]
async fn a_digest_with_its_tag_goes_as_by_tag() {
    let (world, _) = world_and_alias(false).await;
    let digest = push(&world, "both", &["v1", "v2"]).await.digest;
    for (tag, left) in [("v1", Some(json!(["v2"]))), ("v2", None)] {
        let id = json!({ "imageDigest": digest, "imageTag": tag });
        assert_eq!(
            delete(&world, json!([id])).await,
            json!({ "failures": [], "imageIds": [id] })
        );
        if left.is_some() {
            assert_eq!(tags_of(&world, &digest).await, left);
        }
    }
    let all = ok(&world, "DescribeImages", json!({ "repositoryName": NAME })).await;
    assert_eq!(all, json!({ "imageDetails": [] }));
}

#[tokio::test]
async fn an_index_with_its_children() {
    let (world, _) = world_and_alias(false).await;
    let one = push(&world, "one", &["child"]).await;
    let two = push(&world, "two", &[]).await;
    let index = images::index(&[&one, &two]);
    push_manifest(&world, &index, &["all"]).await;
    let reason = format!(
        "Requested image referenced by manifest list: [{}]",
        index.digest
    );
    // The last tag of a child stays with it.
    assert_eq!(
        delete(&world, json!([{ "imageTag": "child" }])).await,
        json!({
            "failures": [failure(
                "ImageReferencedByManifestList",
                &reason,
                json!({ "imageTag": "child" })
            )],
            "imageIds": [],
        })
    );
    assert_eq!(tags_of(&world, &one.digest).await, Some(json!(["child"])));
    let ids = json!([
        { "imageDigest": index.digest },
        { "imageDigest": one.digest },
        { "imageDigest": two.digest },
    ]);
    let mut answer = delete(&world, ids).await;
    answer["imageIds"] = sorted(&answer["imageIds"]).into();
    let gone = json!([
        { "imageDigest": index.digest, "imageTag": "all" },
        { "imageDigest": one.digest, "imageTag": "child" },
        { "imageDigest": two.digest },
    ]);
    assert_eq!(answer, json!({ "failures": [], "imageIds": sorted(&gone) }));
}

#[tokio::test]
async fn what_fails_the_whole_call() {
    let (world, _) = world_and_alias(false).await;
    let digest = push(&world, "kept", &["kept"]).await.digest;
    let mut ids = vec![json!({ "imageTag": "kept" })];
    ids.resize(101, json!({ "imageTag": "other" }));
    let rows = [
        (
            json!({ "repositoryName": NAME, "imageIds": ids }),
            invalid(
                "imageIds",
                "Member must have length less than or equal to 100",
            ),
        ),
        (
            json!({ "repositoryName": NAME, "imageIds": [] }),
            invalid(
                "imageIds",
                "Member must have length greater than or equal to 1",
            ),
        ),
        (
            json!({ "repositoryName": NAME }),
            invalid("imageIds", "Member must not be null"),
        ),
        (
            json!({ "imageIds": [{ "imageTag": "kept" }] }),
            invalid("repositoryName", "Member must not be null"),
        ),
        (
            json!({ "repositoryName": "ghost", "imageIds": [{ "imageTag": "kept" }] }),
            no_repository("ghost", ACCOUNT),
        ),
    ];
    for (body, expected) in rows {
        assert_eq!(refused(&world, "BatchDeleteImage", body).await, expected);
    }
    assert_eq!(tags_of(&world, &digest).await, Some(json!(["kept"])));
}

/// The fourth of the AWS CLI's examples: images of another account, whose policy allows it.
#[tokio::test]
async fn in_the_repository_of_another_account() {
    let (world, alias) = world_and_alias(false).await;
    let policy = json!({
        "Version": "2008-10-17",
        "Statement": [{
            "Sid": "Allow deletion",
            "Effect": "Allow",
            "Principal": { "AWS": OTHER },
            "Action": "ecr-public:BatchDeleteImage",
        }],
    });
    let body = json!({ "repositoryName": NAME, "policyText": policy.to_string() });
    ok(&world, "SetRepositoryPolicy", body).await;
    let other = world.key_of(OTHER).await;
    for registry in [ACCOUNT, &alias] {
        let digest = push(&world, "lent", &["v1"]).await.digest;
        let body = json!({
            "registryId": registry, "repositoryName": NAME, "imageIds": [{ "imageTag": "v1" }],
        });
        assert_eq!(
            ok_as(&world, &other, "BatchDeleteImage", body).await,
            json!({
                "failures": [],
                "imageIds": [{ "imageDigest": digest, "imageTag": "v1" }],
            })
        );
    }
}
