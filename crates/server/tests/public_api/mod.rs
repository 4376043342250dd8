//! What the suites of ECR Public share: signed calls with the headers of every answer checked,
//! requests to the public registry by its own name, and pushes that use the API alone.
//!
//! Expected values never come from here, only requests do.

#![allow(dead_code, reason = "each suite uses a part of this module")]

pub mod oci;
pub mod png;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use roadstead_testkit::{Answer, Artifact, Credentials, Layout, World, client, images};
use serde_json::{Value, json};

/// The name of the public registry in these suites.
pub const HOST: &str = "public.ecr.aws";
/// The account that owns what the suites make.
pub const ACCOUNT: &str = "123456789012";
/// Another account.
pub const OTHER: &str = "222222222222";
/// The repository of the reference's cases.
pub const NAME: &str = "team/app";
/// 2026-01-02T03:04:05Z, where the clock of a test world stands.
pub const NOW: f64 = 1_767_323_045.0;

/// A world of AWS's own addresses, in either mode.
pub async fn world_with(is_strict: bool) -> World {
    let builder = World::builder().with_aws_hosts();
    let builder = if is_strict { builder.strict() } else { builder };
    builder.start().await
}

/// A world with the repository `team/app`, and its alias.
pub async fn world_and_alias(is_strict: bool) -> (World, String) {
    let world = world_with(is_strict).await;
    repository(&world, NAME).await;
    let alias = alias(&world).await;
    (world, alias)
}

/// A signed request to an operation of ECR Public.
pub fn signed(
    world: &World,
    key: &Credentials,
    operation: &str,
    body: impl Into<Bytes>,
) -> Request<Bytes> {
    signed_for(world, &world.address.to_string(), key, operation, body)
}

/// A signed request to an operation of ECR Public at a server of another name.
pub fn signed_for(
    world: &World,
    host: &str,
    key: &Credentials,
    operation: &str,
    body: impl Into<Bytes>,
) -> Request<Bytes> {
    let target = format!("SpencerFrontendService.{operation}");
    signed_to(world, host, key, ("ecr-public", &target), body.into())
}

/// A signed request to any service: its name in signatures, and the target.
pub fn signed_to(
    world: &World,
    host: &str,
    key: &Credentials,
    (service, target): (&str, &str),
    body: Bytes,
) -> Request<Bytes> {
    world.signed_to((host, service), key, target, body)
}

/// Calls an operation, and checks what every answer carries.
pub async fn call_as(world: &World, key: &Credentials, operation: &str, body: Value) -> Answer {
    let request = signed(world, key, operation, body.to_string());
    let answer = client::send(world.address, request).await;
    assert_eq!(
        answer.header("content-type"),
        "application/x-amz-json-1.1",
        "{operation}: {answer:?}"
    );
    assert_eq!(answer.header("x-amzn-requestid").len(), 36, "{answer:?}");
    assert!(answer.header("date").ends_with(" GMT"), "{answer:?}");
    let code = answer.json()["__type"].clone();
    let is_error = answer.status != 200;
    assert_eq!(code.is_string(), is_error, "{operation}: {answer:?}");
    let header = answer.header("x-amzn-errortype");
    assert_eq!(header, code.as_str().unwrap_or_default(), "{answer:?}");
    // What is absent is left out.
    assert!(!has_null(&answer.json()), "{operation}: {}", answer.text());
    answer
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Calls an operation with the world's own key.
pub async fn call(world: &World, operation: &str, body: Value) -> Answer {
    call_as(world, &world.credentials, operation, body).await
}

/// The body of a call that works.
pub async fn ok(world: &World, operation: &str, body: Value) -> Value {
    ok_as(world, &world.credentials, operation, body).await
}

/// The body of a call of another key that works.
pub async fn ok_as(world: &World, key: &Credentials, operation: &str, body: Value) -> Value {
    let answer = call_as(world, key, operation, body).await;
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    answer.json()
}

/// The body of a call that is refused with 400.
pub async fn refused(world: &World, operation: &str, body: Value) -> Value {
    refused_as(world, &world.credentials, operation, body).await
}

/// The body of a call of another key that is refused with 400.
pub async fn refused_as(world: &World, key: &Credentials, operation: &str, body: Value) -> Value {
    let answer = call_as(world, key, operation, body).await;
    assert_eq!(answer.status, 400, "{operation}: {}", answer.text());
    answer.json()
}

/// The code of a call that is refused with 400.
pub async fn code_of(world: &World, operation: &str, body: Value) -> String {
    let body = refused(world, operation, body).await;
    body["__type"].as_str().unwrap_or_default().to_owned()
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

/// Holds that a refusal is an `InvalidParameterException` in that grammar whose text is free.
#[track_caller]
pub fn is_invalid(body: &Value, field: &str) {
    assert_eq!(body["__type"], "InvalidParameterException", "{body}");
    let message = body["message"].as_str().unwrap_or_default();
    let start = format!("Invalid parameter at '{field}' failed to satisfy constraint: '");
    assert!(message.starts_with(&start), "{body}");
}

/// What says that there is no such repository.
pub fn no_repository(name: &str, registry: &str) -> Value {
    let message = format!(
        "The repository with name '{name}' does not exist in the registry with id '{registry}'"
    );
    error("RepositoryNotFoundException", &message)
}

/// What says that there is no such image in `team/app`.
pub fn no_image(digest: &str, tag: &str) -> Value {
    let message = format!(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist \
         within the repository with name '{NAME}' in the registry with id '{ACCOUNT}'"
    );
    error("ImageNotFoundException", &message)
}

/// What an account's root reads that may not do something to `team/app`.
pub fn denied(account: &str, action: &str, why: &str) -> Value {
    let message = format!(
        "User: arn:aws:iam::{account}:root is not authorized to perform: ecr-public:{action} on \
         resource: arn:aws:ecr-public::{ACCOUNT}:repository/{NAME} {why}"
    );
    error("AccessDeniedException", &message)
}

/// The end of the sentence where no policy of the owner lets somebody in.
pub fn not_allowed(action: &str) -> String {
    format!("because no resource-based policy allows the ecr-public:{action} action")
}

/// Makes a repository.
pub async fn repository(world: &World, name: &str) -> Value {
    let body = json!({ "repositoryName": name });
    ok(world, "CreateRepository", body).await["repository"].clone()
}

/// The primary alias of the world's own registry.
pub async fn alias(world: &World) -> String {
    alias_as(world, &world.credentials).await
}

/// The primary alias of the key's registry.
pub async fn alias_as(world: &World, key: &Credentials) -> String {
    let answer = ok_as(world, key, "DescribeRegistries", json!({})).await;
    let name = answer["registries"][0]["aliases"][0]["name"].clone();
    name.as_str().expect("an alias").to_owned()
}

/// The text of a blob in JSON.
pub fn blob(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A list sorted by its texts: for lists whose order is free.
pub fn sorted(list: &Value) -> Vec<Value> {
    let mut list = list.as_array().cloned().unwrap_or_default();
    list.sort_by_key(Value::to_string);
    list
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
        "layerDigests": [images::digest(bytes)],
    });
    let answer = call(world, "CompleteLayerUpload", whole).await;
    let (status, code) = answer.code();
    assert!(
        status == 200 || code == "LayerAlreadyExistsException",
        "{}",
        answer.text()
    );
}

/// The body of a PutImage.
pub fn put_image(manifest: &Artifact, tag: Option<&str>) -> Value {
    let mut body = json!({ "repositoryName": NAME, "imageManifest": manifest.text() });
    if let Some(tag) = tag {
        body["imageTag"] = tag.into();
    }
    body
}

/// Pushes an image of its own content to `team/app` under each tag, untagged if there is none.
pub async fn push(world: &World, content: &str, tags: &[&str]) -> Artifact {
    let layout = Layout::image(content);
    push_blobs(world, &layout).await;
    push_manifest(world, &layout.manifest, tags).await;
    layout.manifest
}

/// Uploads what an image consists of to `team/app`.
pub async fn push_blobs(world: &World, layout: &Layout) {
    for blob in &layout.blobs {
        push_layer(world, NAME, blob).await;
    }
}

/// Puts a manifest whose parts are there under each tag, untagged if there is none.
pub async fn push_manifest(world: &World, manifest: &Artifact, tags: &[&str]) {
    if tags.is_empty() {
        ok(world, "PutImage", put_image(manifest, None)).await;
    }
    for tag in tags {
        ok(world, "PutImage", put_image(manifest, Some(tag))).await;
    }
}

/// The tags of an image as DescribeImages gives them; none if the member is absent.
pub async fn tags_of(world: &World, digest: &str) -> Option<Value> {
    let ids = json!([{ "imageDigest": digest }]);
    let body = json!({ "repositoryName": NAME, "imageIds": ids });
    let answer = ok(world, "DescribeImages", body).await;
    answer["imageDetails"][0].get("imageTags").cloned()
}

/// Deletes images of `team/app`.
pub async fn delete(world: &World, ids: Value) -> Value {
    let body = json!({ "repositoryName": NAME, "imageIds": ids });
    ok(world, "BatchDeleteImage", body).await
}
