//! The five calls that push an image without the data plane (section 3.5): layers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use roadstead_domain::time::Span;
use roadstead_testkit::{World, images};
use serde_json::{Value, json};

use crate::public_api::{
    ACCOUNT, NAME, error, invalid, ok, push, push_layer, refused, repository, world_and_alias,
};

const PART: usize = 10_485_760;
const LEAST_PART: usize = 5_242_880;

async fn open(world: &World) -> Value {
    let body = json!({ "repositoryName": NAME });
    ok(world, "InitiateLayerUpload", body).await["uploadId"].clone()
}

fn part(upload: &Value, first: usize, last: usize, bytes: &[u8]) -> Value {
    json!({
        "repositoryName": NAME, "uploadId": upload, "partFirstByte": first,
        "partLastByte": last, "layerPartBlob": STANDARD.encode(bytes),
    })
}

fn whole(upload: &Value, digest: &str) -> Value {
    json!({ "repositoryName": NAME, "uploadId": upload, "layerDigests": [digest] })
}

fn no_upload(upload: &Value) -> Value {
    let id = upload.as_str().expect("an id");
    error(
        "UploadNotFoundException",
        &format!(
            "The upload with id '{id}' in the repository with name 'team/app' in the registry \
             with id '123456789012' does not exist"
        ),
    )
}

#[tokio::test]
async fn which_layers_there_are() {
    let (world, alias) = world_and_alias(false).await;
    let bytes = Bytes::from_static(b"a layer");
    push_layer(&world, NAME, &bytes).await;
    let (known, unknown) = (images::digest(&bytes), images::digest(b"unknown"));
    let digests = json!([unknown, known, "nonsense", ""]);
    for registry in [ACCOUNT, &alias] {
        let body = json!({
            "registryId": registry, "repositoryName": NAME, "layerDigests": digests,
        });
        let mut answer = ok(&world, "BatchCheckLayerAvailability", body).await;
        for failure in answer["failures"].as_array_mut().expect("failures") {
            let reason = failure["failureReason"].take();
            assert!(reason.as_str().is_some_and(|text| !text.is_empty()));
        }
        let layers = answer["layers"].as_array_mut().expect("layers");
        for layer in layers {
            // Known to the registry or not: nobody sent it.
            let layer = layer.as_object_mut().expect("a layer");
            assert!(
                layer
                    .remove("mediaType")
                    .is_none_or(|kind| kind.is_string())
            );
        }
        assert_eq!(
            answer,
            json!({
                "failures": [
                    {
                        "failureCode": "InvalidLayerDigest",
                        "failureReason": null,
                        "layerDigest": "nonsense",
                    },
                    {
                        "failureCode": "MissingLayerDigest",
                        "failureReason": null,
                        "layerDigest": "",
                    },
                ],
                "layers": [
                    { "layerAvailability": "UNAVAILABLE", "layerDigest": unknown },
                    { "layerAvailability": "AVAILABLE", "layerDigest": known, "layerSize": 7 },
                ],
            })
        );
    }
}

#[tokio::test]
async fn a_layer_in_two_parts() {
    let (world, alias) = world_and_alias(false).await;
    let layer: Vec<u8> = (0..PART + 1000).map(|n| (n % 251) as u8).collect();
    for registry in [ACCOUNT, &alias] {
        let named = json!({ "registryId": registry, "repositoryName": NAME });
        let opened = ok(&world, "InitiateLayerUpload", named).await;
        let upload = &opened["uploadId"];
        assert_eq!(opened, json!({ "partSize": PART, "uploadId": upload }));
        let lengths = upload.as_str().expect("an id").split('-').map(str::len);
        assert_eq!(lengths.collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        for (first, last) in [(0, PART - 1), (PART, PART + 999)] {
            let mut body = part(upload, first, last, &layer[first..=last]);
            body["registryId"] = registry.into();
            assert_eq!(
                ok(&world, "UploadLayerPart", body).await,
                json!({
                    "lastByteReceived": last,
                    "registryId": ACCOUNT,
                    "repositoryName": NAME,
                    "uploadId": upload,
                })
            );
        }
        let digest = images::digest(&layer);
        let mut body = whole(upload, &digest);
        body["registryId"] = registry.into();
        assert_eq!(
            ok(&world, "CompleteLayerUpload", body.clone()).await,
            json!({
                "layerDigest": digest,
                "registryId": ACCOUNT,
                "repositoryName": NAME,
                "uploadId": upload,
            })
        );
        assert_eq!(
            refused(&world, "CompleteLayerUpload", body).await,
            no_upload(upload)
        );
        // Anew for the other name.
        ok(
            &world,
            "DeleteRepository",
            json!({ "repositoryName": NAME }),
        )
        .await;
        repository(&world, NAME).await;
    }
}

#[tokio::test]
async fn the_longest_part() {
    let (world, _) = world_and_alias(false).await;
    let longest = 20_971_520;
    let upload = open(&world).await;
    let body = part(&upload, 0, longest - 1, &vec![7; longest]);
    ok(&world, "UploadLayerPart", body).await;
    let upload = open(&world).await;
    let body = part(&upload, 0, longest, &vec![7; longest + 1]);
    assert_eq!(
        refused(&world, "UploadLayerPart", body).await,
        invalid(
            "layerPartBlob",
            "Member must have length less than or equal to 20971520"
        )
    );
}

#[tokio::test]
async fn a_part_out_of_place() {
    let (world, _) = world_and_alias(false).await;
    let upload = open(&world).await;
    ok(
        &world,
        "UploadLayerPart",
        part(&upload, 0, LEAST_PART - 1, &vec![7; LEAST_PART]),
    )
    .await;
    let wrong = |message: &str| {
        json!({
            "__type": "InvalidLayerPartException",
            "lastValidByteReceived": LEAST_PART - 1,
            "message": message,
            "registryId": "123456789012",
            "repositoryName": "team/app",
            "uploadId": upload,
        })
    };
    let place =
        |first: usize| format!("First byte of the layer part is {first} instead of {LEAST_PART}");
    // A gap, a part again, an overlap.
    for first in [LEAST_PART + 1, 0, LEAST_PART - 1] {
        let body = part(&upload, first, first + 6, b"a layer");
        assert_eq!(
            refused(&world, "UploadLayerPart", body).await,
            wrong(&place(first))
        );
    }
    // One that is shorter or longer than it says, with a text of its own.
    for last in [LEAST_PART + 7, LEAST_PART + 5] {
        let body = part(&upload, LEAST_PART, last, b"a layer");
        let said = refused(&world, "UploadLayerPart", body).await;
        let message = said["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{said}");
        assert_eq!(said, wrong(message));
    }
    // What was refused left nothing behind.
    let body = part(&upload, LEAST_PART, LEAST_PART + 6, b"a layer");
    ok(&world, "UploadLayerPart", body).await;
    let layer = [vec![7; LEAST_PART], b"a layer".to_vec()].concat();
    let body = whole(&upload, &images::digest(&layer));
    ok(&world, "CompleteLayerUpload", body).await;
}

#[tokio::test]
async fn ends_of_uploads() {
    let (world, _) = world_and_alias(false).await;
    let bytes = Bytes::from_static(b"a layer");
    let digest = images::digest(&bytes);
    let upload = open(&world).await;
    let id = upload.as_str().expect("an id");
    assert_eq!(
        refused(&world, "CompleteLayerUpload", whole(&upload, &digest)).await,
        error(
            "EmptyUploadException",
            &format!(
                "The upload with id '{id}' in the repository with name 'team/app' in registry \
                 with id '123456789012' cannot be completed because it does not have any parts"
            )
        )
    );
    ok(&world, "UploadLayerPart", part(&upload, 0, 6, &bytes)).await;
    ok(&world, "CompleteLayerUpload", whole(&upload, &digest)).await;

    let upload = open(&world).await;
    ok(&world, "UploadLayerPart", part(&upload, 0, 6, &bytes)).await;
    let again = refused(&world, "CompleteLayerUpload", whole(&upload, &digest)).await;
    assert_eq!(again["__type"], "LayerAlreadyExistsException");

    let upload = open(&world).await;
    ok(&world, "UploadLayerPart", part(&upload, 0, 6, &bytes)).await;
    let other = images::digest(b"other");
    let said = refused(&world, "CompleteLayerUpload", whole(&upload, &other)).await;
    assert_eq!(said["__type"], "InvalidLayerException");
}

/// Any digest of the list may be the right one.
#[tokio::test]
async fn one_digest_of_several_suffices() {
    let (world, _) = world_and_alias(false).await;
    let upload = open(&world).await;
    ok(&world, "UploadLayerPart", part(&upload, 0, 6, b"a layer")).await;
    let (right, wrong) = (images::digest(b"a layer"), images::digest(b"other"));
    let body = json!({
        "repositoryName": NAME, "uploadId": upload, "layerDigests": [wrong, right],
    });
    let answer = ok(&world, "CompleteLayerUpload", body).await;
    assert_eq!(answer["layerDigest"], right);
}

#[tokio::test]
async fn parts_that_are_too_small() {
    let (world, _) = world_and_alias(false).await;
    let upload = open(&world).await;
    let short = LEAST_PART - 1;
    let body = part(&upload, 0, short - 1, &vec![7; short]);
    ok(&world, "UploadLayerPart", body).await;
    ok(&world, "UploadLayerPart", part(&upload, short, short, b"7")).await;
    let digest = images::digest(&vec![7; LEAST_PART - 1]);
    assert_eq!(
        refused(&world, "CompleteLayerUpload", whole(&upload, &digest)).await,
        error(
            "LayerPartTooSmallException",
            "All layer parts except the last part should be at least 5MB"
        )
    );
}

#[tokio::test]
async fn uploads_that_are_not_there() {
    let (world, _) = world_and_alias(false).await;
    repository(&world, "second").await;
    let unknown = json!("00000000-0000-4000-8000-000000000000");
    let digest = images::digest(b"a layer");
    let second = json!({ "repositoryName": "second" });
    let foreign = ok(&world, "InitiateLayerUpload", second).await["uploadId"].clone();
    let expired = open(&world).await;
    ok(&world, "UploadLayerPart", part(&expired, 0, 6, b"a layer")).await;
    world.clock.advance(Span::hours(25));
    for upload in [unknown, foreign, expired] {
        let body = part(&upload, 0, 6, b"a layer");
        assert_eq!(
            refused(&world, "UploadLayerPart", body).await,
            no_upload(&upload)
        );
        let body = whole(&upload, &digest);
        assert_eq!(
            refused(&world, "CompleteLayerUpload", body).await,
            no_upload(&upload)
        );
    }
    let body = part(&json!("nonsense"), 0, 6, b"a layer");
    let said = refused(&world, "UploadLayerPart", body).await;
    crate::public_api::is_invalid(&said, "uploadId");
}

/// A private upload is none of the public registry's, nor the other way round.
#[tokio::test]
async fn uploads_of_the_other_service() {
    let (world, _) = world_and_alias(false).await;
    let name = json!({ "repositoryName": NAME });
    world
        .ecr("CreateRepository", name.clone())
        .await
        .expect(200);
    let private = world.ecr("InitiateLayerUpload", name).await.expect(200);
    let private = private.json()["uploadId"].clone();
    let body = part(&private, 0, 6, b"a layer");
    assert_eq!(
        refused(&world, "UploadLayerPart", body).await,
        no_upload(&private)
    );
    let public = open(&world).await;
    let body = part(&public, 0, 6, b"a layer");
    let answer = world.ecr("UploadLayerPart", body).await;
    assert_eq!(answer.code(), (400, "UploadNotFoundException".into()));
}

#[tokio::test]
async fn what_an_image_refers_to_is_available() {
    let (world, _) = world_and_alias(false).await;
    push(&world, "whole", &["v1"]).await;
    let layout = roadstead_testkit::Layout::image("whole");
    for blob in &layout.blobs {
        let body = json!({ "repositoryName": NAME, "layerDigests": [images::digest(blob)] });
        let answer = ok(&world, "BatchCheckLayerAvailability", body).await;
        assert_eq!(answer["failures"], json!([]));
        assert_eq!(answer["layers"][0]["layerAvailability"], "AVAILABLE");
        assert_eq!(answer["layers"][0]["layerSize"], blob.len());
    }
}
