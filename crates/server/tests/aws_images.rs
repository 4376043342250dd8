//! What the members of requests do: images and layers (ecr.md sections 4 to 6).
//! Repositories, tags and pages are in `aws_members.rs`.
//!
//! Bodies are asserted whole where the reference has them; elsewhere the code.

mod api;

use api::{error, invalid, ok, push, push_layer, put_image, refused, repository};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use roadstead_testkit::{World, images};
use serde_json::{Value, json};

async fn world() -> World {
    let world = World::start().await;
    repository(&world, "app").await;
    world
}

async fn code(world: &World, operation: &str, body: Value) -> Value {
    refused(world, operation, body).await["__type"].take()
}

#[tokio::test]
async fn deletions_in_one_batch_take_effect_in_order() {
    let world = world().await;
    let one = push(&world, "app", "one", &["c"]).await.digest;
    let other = push(&world, "app", "other", &["o"]).await.digest;
    let child = push(&world, "app", "child", &[]).await;
    let index = images::index(&[&child]);
    api::push_manifest(&world, "app", &index, &["all"]).await;
    let body = json!({ "repositoryName": "app", "imageIds": [
        { "imageTag": "c" },
        { "imageTag": "c" },
        { "imageDigest": one, "imageTag": "o" },
        { "imageDigest": other, "imageTag": "o" },
        { "imageDigest": child.digest },
        { "imageDigest": index.digest },
        { "imageDigest": child.digest },
    ] });
    let answer = ok(&world, "BatchDeleteImage", body).await;
    assert_eq!(
        answer["imageIds"],
        json!([
            { "imageDigest": one, "imageTag": "c" },
            { "imageDigest": other, "imageTag": "o" },
            { "imageDigest": index.digest, "imageTag": "all" },
            { "imageDigest": child.digest },
        ])
    );
    let failures = answer["failures"].as_array().expect("failures");
    let failed: Vec<Value> = failures
        .iter()
        .map(|failure| json!([failure["failureCode"], failure["imageId"]]))
        .collect();
    assert_eq!(
        failed,
        [
            json!(["ImageNotFound", { "imageTag": "c" }]),
            json!(["ImageTagDoesNotMatchDigest", { "imageDigest": one, "imageTag": "o" }]),
            json!(["ImageReferencedByManifestList", { "imageDigest": child.digest }]),
        ]
    );
    assert!(world.image_ids("app").await.is_empty());
}

#[tokio::test]
async fn images_are_got_as_they_were_put() {
    let world = world().await;
    let image = push(&world, "app", "got", &["v1"]).await;
    let types = json!(["application/vnd.docker.distribution.manifest.v2+json"]);
    let ids = json!([{ "imageTag": "v1" }, { "imageDigest": image.digest, "imageTag": "v2" }]);
    let ask = json!({ "repositoryName": "app", "imageIds": ids });
    let answer = ok(&world, "BatchGetImage", ask.clone()).await;
    assert_eq!(answer["images"][0]["imageManifest"], image.text());
    assert_eq!(
        answer["failures"],
        json!([{
            "failureCode": "ImageNotFound",
            "failureReason": "Requested image not found",
            "imageId": { "imageDigest": image.digest, "imageTag": "v2" },
        }])
    );
    // A stored type that is not accepted is not translated.
    let mut typed = ask;
    typed["acceptedMediaTypes"] = types;
    let answer = ok(&world, "BatchGetImage", typed).await;
    assert_eq!(answer["images"], json!([]));
    assert_eq!(answer["failures"][0]["failureCode"], "ImageNotFound");
}

#[tokio::test]
async fn listings_are_narrowed_by_their_filters() {
    let world = world().await;
    let tagged = push(&world, "app", "tagged", &["v1"]).await;
    let untagged = push(&world, "app", "untagged", &[]).await;
    let referrer = roadstead_testkit::Layout::image("sbom").referring_to(&tagged, "a/sbom");
    api::push_layout(&world, "app", &referrer, &[]).await;
    let both = [&tagged.digest, &untagged.digest].map(|d| json!({ "imageDigest": d }));
    for (filter, expected) in [
        (json!({}), vec![&tagged.digest, &untagged.digest]),
        (
            json!({ "imageStatus": "ANY", "tagStatus": "ANY" }),
            vec![&tagged.digest, &untagged.digest],
        ),
        (json!({ "tagStatus": "TAGGED" }), vec![&tagged.digest]),
        (json!({ "tagStatus": "UNTAGGED" }), vec![&untagged.digest]),
        (json!({ "imageStatus": "ARCHIVED" }), vec![]),
        (json!({ "imageStatus": "ACTIVATING" }), vec![]),
    ] {
        let named = json!({ "repositoryName": "app", "imageIds": both, "filter": filter });
        let found = ok(&world, "DescribeImages", named).await;
        let found = found["imageDetails"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let digests: Vec<&Value> = found.iter().map(|one| &one["imageDigest"]).collect();
        assert_eq!(digests, expected, "{filter}");
        // The same filter on everything: the referrer counts among the untagged.
        let all = json!({ "repositoryName": "app", "filter": filter });
        let found = ok(&world, "ListImages", all).await;
        let is_listed = found.to_string().contains(&referrer.manifest.digest);
        assert_eq!(is_listed, expected.contains(&&untagged.digest), "{filter}");
    }
    for (status, count) in [
        ("ACTIVE", 1),
        ("ANY", 1),
        ("ARCHIVED", 0),
        ("ACTIVATING", 0),
    ] {
        let ask = json!({
            "repositoryName": "app", "subjectId": { "imageDigest": tagged.digest },
            "filter": { "artifactStatus": status },
        });
        let found = ok(&world, "ListImageReferrers", ask).await;
        let found = found["referrers"].as_array().map(Vec::len);
        assert_eq!(found, Some(count), "{status}");
    }
}

#[tokio::test]
async fn manifests_that_are_refused() {
    let world = world().await;
    let image = push(&world, "app", "put", &[]).await;
    let put = |text: &str| json!({ "repositoryName": "app", "imageManifest": text });
    let syntax = invalid("ImageManifest", "Invalid JSON syntax");
    for text in ["nonsense", "[]", "{}", "{\"schemaVersion\":2}"] {
        assert_eq!(
            refused(&world, "PutImage", put(text)).await,
            syntax,
            "{text}"
        );
    }
    let mut other_type = put_image("app", &image, Some("t"));
    other_type["imageManifestMediaType"] = images::OCI_INDEX.into();
    let refusal = code(&world, "PutImage", other_type).await;
    assert_eq!(refusal, "InvalidParameterException");
    let mut other_digest = put_image("app", &image, Some("t"));
    let given = images::digest(b"other");
    other_digest["imageDigest"] = given.as_str().into();
    assert_eq!(
        refused(&world, "PutImage", other_digest).await,
        error(
            "ImageDigestDoesNotMatchException",
            &format!(
                "Image digest '{given}' does not match the digest '{}' calculated for the image",
                image.digest
            )
        )
    );
    let mut bad_tag = put_image("app", &image, Some("a+b"));
    assert_eq!(
        refused(&world, "PutImage", bad_tag.clone()).await,
        invalid(
            "imageTag",
            "must satisfy regular expression '[a-zA-Z0-9-_.]+'"
        )
    );
    // A repository that is missing is reported before a manifest that is wrong.
    bad_tag["imageTag"] = "t".into();
    bad_tag["repositoryName"] = "ghost".into();
    bad_tag["imageManifest"] = "nonsense".into();
    let refusal = code(&world, "PutImage", bad_tag).await;
    assert_eq!(refusal, "RepositoryNotFoundException");
    let mut wrong_size: Value = serde_json::from_slice(&image.bytes).expect("JSON");
    wrong_size["config"]["size"] = json!(1);
    let refusal = code(&world, "PutImage", put(&wrong_size.to_string())).await;
    assert_eq!(refusal, "InvalidParameterException");
}

#[tokio::test]
async fn uploads_that_are_refused() {
    let world = world().await;
    let open = async || {
        let name = json!({ "repositoryName": "app" });
        let opened = ok(&world, "InitiateLayerUpload", name).await;
        opened["uploadId"].as_str().expect("an id").to_owned()
    };
    let part = |id: &str, first: usize, bytes: &[u8]| {
        json!({
            "repositoryName": "app", "uploadId": id, "layerPartBlob": STANDARD.encode(bytes),
            "partFirstByte": first, "partLastByte": first + bytes.len() - 1,
        })
    };
    let complete = |id: &str, digests: &[String]| json!({ "repositoryName": "app", "uploadId": id, "layerDigests": digests });
    let id = open().await;
    // Nothing is received yet, so there is no last valid byte.
    let early = refused(&world, "UploadLayerPart", part(&id, 5, b"abc")).await;
    assert_eq!(
        early,
        json!({
            "__type": "InvalidLayerPartException",
            "message": "First byte of the layer part is 5 instead of 0",
            "registryId": "123456789012", "repositoryName": "app", "uploadId": id,
        })
    );
    let extreme = json!({
        "repositoryName": "app", "uploadId": id, "layerPartBlob": "YQ==",
        "partFirstByte": 0, "partLastByte": i64::MAX,
    });
    let refusal = code(&world, "UploadLayerPart", extreme).await;
    assert_eq!(refusal, "InvalidLayerPartException");
    for bytes in [b"abc", b"def"] {
        let first = if bytes == b"abc" { 0 } else { 3 };
        ok(&world, "UploadLayerPart", part(&id, first, bytes)).await;
    }
    let digest = images::digest(b"abcdef");
    assert_eq!(
        refused(
            &world,
            "CompleteLayerUpload",
            complete(&id, std::slice::from_ref(&digest))
        )
        .await,
        error(
            "LayerPartTooSmallException",
            "All layer parts except the last part should be at least 5MB"
        )
    );
    let id = open().await;
    ok(&world, "UploadLayerPart", part(&id, 0, b"xyz")).await;
    let [wrong, right] = [b"abc", b"xyz"].map(|bytes| images::digest(bytes));
    let several = complete(&id, &[wrong, right.clone()]);
    let done = ok(&world, "CompleteLayerUpload", several).await;
    assert_eq!(done["layerDigest"], right);
    let id = open().await;
    ok(&world, "UploadLayerPart", part(&id, 0, b"abc")).await;
    let wrong = code(
        &world,
        "CompleteLayerUpload",
        complete(&id, std::slice::from_ref(&digest)),
    )
    .await;
    assert_eq!(wrong, "InvalidLayerException");
    let over = code(&world, "CompleteLayerUpload", complete(&id, &[digest])).await;
    assert_eq!(over, "UploadNotFoundException");
    repository(&world, "other").await;
    let id = open().await;
    let mut elsewhere = part(&id, 0, b"abc");
    elsewhere["repositoryName"] = "other".into();
    let refusal = code(&world, "UploadLayerPart", elsewhere).await;
    assert_eq!(refusal, "UploadNotFoundException");
}

#[tokio::test]
async fn layers_that_are_asked_for() {
    let world = world().await;
    let loose = Bytes::from_static(b"referenced by nothing");
    push_layer(&world, "app", &loose).await;
    let ask = json!({ "repositoryName": "app", "layerDigests": ["", "nonsense"] });
    let answer = ok(&world, "BatchCheckLayerAvailability", ask).await;
    assert_eq!(answer["layers"], json!([]));
    let failures = answer["failures"].as_array().expect("failures");
    let codes: Vec<&Value> = failures.iter().map(|one| &one["failureCode"]).collect();
    assert_eq!(codes, ["MissingLayerDigest", "InvalidLayerDigest"]);
    let digests: Vec<&Value> = failures.iter().map(|one| &one["layerDigest"]).collect();
    assert_eq!(digests, ["", "nonsense"]);
    let unknown = images::digest(b"unknown");
    for (digest, expected) in [
        (images::digest(&loose), "LayerInaccessibleException"),
        (unknown, "LayersNotFoundException"),
    ] {
        let ask = json!({ "repositoryName": "app", "layerDigest": digest });
        assert_eq!(code(&world, "GetDownloadUrlForLayer", ask).await, expected);
    }
    let image = push(&world, "app", "layers", &[]).await;
    let manifest: Value = serde_json::from_slice(&image.bytes).expect("JSON");
    let ask = json!({
        "repositoryName": "app", "layerDigest": manifest["config"]["digest"],
    });
    let link = ok(&world, "GetDownloadUrlForLayer", ask).await;
    assert_eq!(link["layerDigest"], manifest["config"]["digest"]);
    let url = link["downloadUrl"].as_str().expect("a link");
    let path = url.strip_prefix(&format!("http://{}", world.address));
    let path = path.expect("a link to this server");
    let bytes = world.raw(Method::GET, path, &[], "").await.expect(200).body;
    assert_eq!(manifest["config"]["digest"], images::digest(&bytes));
}
