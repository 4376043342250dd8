//! What the suites of the AWS face share: calls with the headers of every answer checked, and
//! pushes that use the API alone.
//!
//! Expected values never come from here, only requests do.

#![allow(dead_code, reason = "each suite uses a part of this module")]

pub mod ask;
pub mod lightsail;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use roadstead_testkit::{Answer, Artifact, Layout, World};
use serde_json::{Value, json};

/// Calls an operation and checks what every answer carries.
#[track_caller]
fn checked(answer: Answer) -> Answer {
    assert_eq!(
        answer.header("content-type"),
        "application/x-amz-json-1.1",
        "{answer:?}"
    );
    assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{answer:?}");
    assert!(answer.header("date").ends_with(" GMT"), "{answer:?}");
    let code = answer.json()["__type"].clone();
    let is_error = answer.status != 200;
    assert_eq!(code.is_string(), is_error, "{answer:?}");
    let header = answer.header("x-amzn-errortype");
    assert_eq!(header, code.as_str().unwrap_or_default(), "{answer:?}");
    answer
}

/// The body of a call that works.
pub async fn ok(world: &World, operation: &str, body: Value) -> Value {
    let answer = checked(world.ecr(operation, body).await);
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    answer.json()
}

/// The body of a call that is refused with 400.
pub async fn refused(world: &World, operation: &str, body: Value) -> Value {
    let answer = checked(world.ecr(operation, body).await);
    assert_eq!(answer.status, 400, "{operation}: {}", answer.text());
    answer.json()
}

/// An error body.
pub fn error(code: &str, message: &str) -> Value {
    json!({ "__type": code, "message": message })
}

/// An `InvalidParameterException` in the service's grammar.
pub fn invalid(field: &str, constraint: &str) -> Value {
    let message =
        format!("Invalid parameter at '{field}' failed to satisfy constraint: '{constraint}'");
    error("InvalidParameterException", &message)
}

/// Makes a repository of default settings.
pub async fn repository(world: &World, name: &str) {
    ok(world, "CreateRepository", json!({ "repositoryName": name })).await;
}

/// Uploads one layer in one part; one that is there counts as uploaded.
pub async fn push_layer(world: &World, repository: &str, bytes: &Bytes) {
    let name = json!({ "repositoryName": repository });
    let opened = ok(world, "InitiateLayerUpload", name).await;
    let part = json!({
        "repositoryName": repository,
        "uploadId": opened["uploadId"],
        "partFirstByte": 0,
        "partLastByte": bytes.len() - 1,
        "layerPartBlob": STANDARD.encode(bytes),
    });
    ok(world, "UploadLayerPart", part).await;
    let whole = json!({
        "repositoryName": repository,
        "uploadId": opened["uploadId"],
        "layerDigests": [roadstead_testkit::images::digest(bytes)],
    });
    let answer = world.ecr("CompleteLayerUpload", whole).await;
    let (status, code) = answer.code();
    assert!(
        status == 200 || code == "LayerAlreadyExistsException",
        "{}",
        answer.text()
    );
}

/// The body of a PutImage.
pub fn put_image(repository: &str, manifest: &Artifact, tag: Option<&str>) -> Value {
    let mut body = json!({
        "repositoryName": repository,
        "imageManifest": manifest.text(),
        "imageManifestMediaType": manifest.media_type,
    });
    if let Some(tag) = tag {
        body["imageTag"] = tag.into();
    }
    body
}

/// Pushes an image of its own content under each tag, untagged if there is none.
pub async fn push(world: &World, repository: &str, content: &str, tags: &[&str]) -> Artifact {
    let layout = Layout::image(content);
    push_layout(world, repository, &layout, tags).await;
    layout.manifest
}

/// Pushes an image with its layers.
pub async fn push_layout(world: &World, repository: &str, layout: &Layout, tags: &[&str]) {
    for blob in &layout.blobs {
        push_layer(world, repository, blob).await;
    }
    push_manifest(world, repository, &layout.manifest, tags).await;
}

/// Puts a manifest whose parts are there.
pub async fn push_manifest(world: &World, repository: &str, manifest: &Artifact, tags: &[&str]) {
    if tags.is_empty() {
        ok(world, "PutImage", put_image(repository, manifest, None)).await;
    }
    for tag in tags {
        ok(
            world,
            "PutImage",
            put_image(repository, manifest, Some(tag)),
        )
        .await;
    }
}

/// The same image with another digest: a manifest of the same parts and one more annotation.
pub fn variant(manifest: &Artifact, n: usize) -> Artifact {
    let mut json: Value = serde_json::from_slice(&manifest.bytes).expect("JSON");
    json["annotations"] = json!({ "n": n.to_string() });
    Artifact::new(&manifest.media_type, &json)
}

/// The tags of an image as DescribeImages gives them; none if the member is absent.
pub async fn tags_of(world: &World, repository: &str, digest: &str) -> Option<Value> {
    let body = json!({ "repositoryName": repository, "imageIds": [{ "imageDigest": digest }] });
    let answer = ok(world, "DescribeImages", body).await;
    answer["imageDetails"][0].get("imageTags").cloned()
}
