//! Requests to `/v2` and `/token` of the public registry, and the tokens that they take.

use bytes::Bytes;
use http::Method;
use roadstead_testkit::{Answer, Artifact, Credentials, Layout, World, images};
use serde_json::{Value, json};

use super::{HOST, NAME, ok_as};

/// A request by the public registry's name, with an `Authorization` unless that is empty.
pub async fn send(
    world: &World,
    method: Method,
    path: &str,
    authorization: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut all = vec![("host", HOST)];
    if !authorization.is_empty() {
        all.push(("authorization", authorization));
    }
    all.extend_from_slice(headers);
    world.raw(method, path, &all, body).await
}

/// A GET by the public registry's name.
pub async fn get(world: &World, path: &str, authorization: &str) -> Answer {
    send(world, Method::GET, path, authorization, &[], "").await
}

/// What GetAuthorizationToken gives: the base64 text of `AWS:<password>`.
pub async fn authorization_token(world: &World, key: &Credentials) -> String {
    let answer = ok_as(world, key, "GetAuthorizationToken", json!({})).await;
    let token = answer["authorizationData"]["authorizationToken"].clone();
    token.as_str().expect("a token").to_owned()
}

/// The `Authorization` of `docker login`.
pub async fn basic(world: &World, key: &Credentials) -> String {
    format!("Basic {}", authorization_token(world, key).await)
}

/// A token from `/token/`, for whoever the `Authorization` names.
pub async fn token(world: &World, authorization: &str) -> String {
    let path = format!("/token/?service={HOST}&scope=aws");
    let answer = get(world, &path, authorization).await.expect(200);
    let token = answer.json()["token"].clone();
    format!("Bearer {}", token.as_str().expect("a token"))
}

/// The bearer token of a key's owner.
pub async fn bearer(world: &World, key: &Credentials) -> String {
    let basic = basic(world, key).await;
    token(world, &basic).await
}

/// The bearer token of nobody.
pub async fn anonymous(world: &World) -> String {
    token(world, "").await
}

/// Puts a manifest into `team/app` of a registry.
pub async fn put_manifest(
    world: &World,
    alias: &str,
    reference: &str,
    authorization: &str,
    manifest: &Artifact,
) -> Answer {
    let path = format!("/v2/{alias}/{NAME}/manifests/{reference}");
    let headers = [("content-type", manifest.media_type.as_str())];
    let body = manifest.bytes.clone();
    send(world, Method::PUT, &path, authorization, &headers, body).await
}

/// Pushes a blob into `team/app` of a registry.
pub async fn put_blob(world: &World, alias: &str, authorization: &str, bytes: &Bytes) -> Answer {
    let digest = images::digest(bytes);
    let path = format!("/v2/{alias}/{NAME}/blobs/uploads/?digest={digest}");
    let octets = [("content-type", "application/octet-stream")];
    let body = bytes.clone();
    send(world, Method::POST, &path, authorization, &octets, body).await
}

/// Pushes an image into `team/app` of a registry.
pub async fn push(world: &World, alias: &str, tag: &str, authorization: &str, layout: &Layout) {
    for blob in &layout.blobs {
        let answer = put_blob(world, alias, authorization, blob).await;
        answer.expect(201);
    }
    let answer = put_manifest(world, alias, tag, authorization, &layout.manifest).await;
    answer.expect(201);
}

/// An envelope with one error.
pub fn envelope(code: &str, message: &str) -> Value {
    json!({ "errors": [{ "code": code, "message": message }] })
}

/// The sentence about a repository that is not there, as the data plane says it: by alias.
pub fn no_repository(name: &str, alias: &str) -> Value {
    let message = format!(
        "The repository with name '{name}' does not exist in the registry with id '{alias}'"
    );
    envelope("NAME_UNKNOWN", &message)
}
