//! The cases of section 16 that are asked of `/v2` and `/token`: 13 to 15, and what follows them.

use bytes::Bytes;
use http::Method;
use roadstead_testkit::{Layout, World, images};
use serde_json::json;

use crate::public_api::oci::{
    anonymous, authorization_token, basic, bearer, envelope, get, no_repository, push, put_blob,
    put_manifest, send,
};
use crate::public_api::{
    HOST, NAME, OTHER, invalid, ok, refused, sorted, world_and_alias, world_with,
};

const CHALLENGE: &str =
    r#"Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#;

/// A world in which `team/app` has one image under the tag `v1`.
async fn world_with_v1(is_strict: bool) -> (World, String, Layout) {
    let (world, alias) = world_and_alias(is_strict).await;
    let layout = Layout::image("v1");
    let bearer = bearer(&world, &world.credentials).await;
    push(&world, &alias, "v1", &bearer, &layout).await;
    (world, alias, layout)
}

#[tokio::test]
async fn case13_a_challenge_a_token_and_what_it_is_good_for() {
    for is_strict in [false, true] {
        let (world, alias, layout) = world_with_v1(is_strict).await;
        let answer = get(&world, "/v2/", "").await.expect(401);
        assert_eq!(answer.header("www-authenticate"), CHALLENGE);
        assert_eq!(
            answer.header("docker-distribution-api-version"),
            "registry/2.0"
        );
        // As recorded, the end of the line included (auth.md 5.2).
        let body = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Not Authorized\"}]}\n";
        assert_eq!(answer.text(), body);

        let path = format!("/token/?service={HOST}&scope=repository:{alias}/{NAME}:pull");
        let answer = get(&world, &path, "").await.expect(200);
        let token = answer.json()["token"].clone();
        let token = format!("Bearer {}", token.as_str().expect("a token"));
        let path = format!("/v2/{alias}/{NAME}/manifests/v1");
        get(&world, &path, &token).await.expect(200);
        let put = put_manifest(&world, &alias, "v2", &token, &layout.manifest).await;
        assert_eq!(put.code(), (403, "DENIED".into()));
        get(&world, &path.replace("/v1", "/v2"), &token)
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn case14_the_token_of_the_api_as_basic_and_as_bearer() {
    for is_strict in [false, true] {
        let (world, alias, layout) = world_with_v1(is_strict).await;
        let token = authorization_token(&world, &world.credentials).await;
        let path = format!("/v2/{alias}/{NAME}/manifests/v1");
        let by_bearer = get(&world, &path, &format!("Bearer {token}")).await;
        assert_eq!(by_bearer.expect(200).body, layout.manifest.bytes);
        let by_basic = get(&world, &path, &format!("Basic {token}")).await;
        if is_strict {
            assert_eq!(
                by_basic.expect(400).json(),
                envelope("DENIED", "Your Authorization Token is invalid.")
            );
        } else {
            assert_eq!(by_basic.expect(200).body, layout.manifest.bytes);
        }
    }
}

#[tokio::test]
async fn case15_no_policy_keeps_anybody_from_pulling() {
    for is_strict in [false, true] {
        let (world, alias, layout) = world_with_v1(is_strict).await;
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Deny", "Principal": "*", "Action": "*" }],
        });
        let body = json!({
            "repositoryName": NAME, "policyText": policy.to_string(), "force": true,
        });
        ok(&world, "SetRepositoryPolicy", body).await;

        let nobody = anonymous(&world).await;
        let path = format!("/v2/{alias}/{NAME}/manifests/v1");
        get(&world, &path, &nobody).await.expect(200);
        for blob in &layout.blobs {
            let path = format!("/v2/{alias}/{NAME}/blobs/{}", images::digest(blob));
            get(&world, &path, &nobody).await.expect(200);
        }
        let other = world.key_of(OTHER).await;
        let other = bearer(&world, &other).await;
        get(&world, &path, &other).await.expect(200);
        let put = put_manifest(&world, &alias, "v2", &other, &layout.manifest).await;
        assert_eq!(put.code(), (403, "DENIED".into()));
    }
}

#[tokio::test]
async fn extra_an_account_id_is_no_alias() {
    for is_strict in [false, true] {
        let world = world_with(is_strict).await;
        let bearer = bearer(&world, &world.credentials).await;
        let digest = images::digest(b"bytes");
        let uploads = format!("/v2/123456789012/app/blobs/uploads/?digest={digest}");
        let requests = [
            (Method::POST, uploads.as_str()),
            (Method::PUT, "/v2/123456789012/app/manifests/v1"),
        ];
        for (method, path) in requests {
            let kind = [("content-type", images::OCI_MANIFEST)];
            let answer = send(&world, method, path, &bearer, &kind, "bytes").await;
            assert!(answer.status.is_client_error(), "{answer:?}");
            assert_eq!(
                answer.json(),
                envelope(
                    "UNSUPPORTED",
                    "Invalid parameter at 'registryAliasName' failed to satisfy constraint: \
                     'Member must satisfy regular expression pattern: \
                     [a-z][a-z0-9]+(?:[._-][a-z0-9]+)*'"
                )
            );
        }
    }
}

#[tokio::test]
async fn extra_a_push_makes_no_repository() {
    let dev = World::builder().with_aws_hosts().dev().start().await;
    let usual = world_with(false).await;
    let strict = world_with(true).await;
    for world in [usual, strict, dev] {
        crate::public_api::repository(&world, "there").await;
        let alias = crate::public_api::alias(&world).await;
        let bearer = bearer(&world, &world.credentials).await;
        let layout = Layout::image("nowhere to go");
        let blob = put_blob(&world, &alias, &bearer, &layout.blobs[0]).await;
        assert_eq!(blob.expect(404).json(), no_repository(NAME, &alias));
        let put = put_manifest(&world, &alias, "v1", &bearer, &layout.manifest).await;
        assert_eq!(put.expect(404).json(), no_repository(NAME, &alias));
        let all = ok(&world, "DescribeRepositories", json!({})).await;
        let all = sorted(&all["repositories"]);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0]["repositoryName"], "there");
    }
}

#[tokio::test]
async fn extra_a_name_of_206_characters() {
    let world = world_with(false).await;
    let body = json!({ "repositoryName": "a".repeat(206) });
    assert_eq!(
        refused(&world, "CreateRepository", body).await,
        invalid(
            "repositoryName",
            "Member must have length less than or equal to 205"
        )
    );
    let body = json!({ "repositoryName": "a".repeat(205) });
    ok(&world, "CreateRepository", body).await;
}

/// `docker login` to the registry: the order of requests of section 14.
#[tokio::test]
async fn what_docker_does_request_by_request() {
    for is_strict in [false, true] {
        let (world, alias) = world_and_alias(is_strict).await;
        get(&world, "/v2/", "").await.expect(401);
        let basic = basic(&world, &world.credentials).await;
        let path =
            format!("/token/?account=AWS&client_id=docker&offline_token=true&service={HOST}");
        let answer = get(&world, &path, &basic).await.expect(200);
        let token = answer.json()["token"].clone();
        let token = format!("Bearer {}", token.as_str().expect("a token"));
        get(&world, "/v2/", &token).await.expect(200);

        let path =
            format!("/token/?account=AWS&scope=repository:{alias}/{NAME}:pull,push&service={HOST}");
        let answer = get(&world, &path, &basic).await.expect(200);
        let token = answer.json()["token"].clone();
        let token = format!("Bearer {}", token.as_str().expect("a token"));
        let uploads = format!("/v2/{alias}/{NAME}/blobs/uploads/");
        let layout = Layout::image("pushed by docker");
        for blob in &layout.blobs {
            let digest = images::digest(blob);
            let path = format!("/v2/{alias}/{NAME}/blobs/{digest}");
            let head = send(&world, Method::HEAD, &path, &token, &[], "").await;
            head.expect(404);
            let opened = send(&world, Method::POST, &uploads, &token, &[], "").await;
            let opened = opened.expect(202);
            let location = path_of(opened.header("location"));
            let chunk: Bytes = blob.clone();
            let sent = send(&world, Method::PATCH, &location, &token, &[], chunk).await;
            // ECR's own answer to a chunk (ecr.md 9.5), which docker takes as well.
            let taken = if is_strict { 201 } else { 202 };
            let location = path_of(sent.expect(taken).header("location"));
            let mark = if location.contains('?') { '&' } else { '?' };
            let end = format!("{location}{mark}digest={digest}");
            let ended = send(&world, Method::PUT, &end, &token, &[], "").await;
            ended.expect(201);
            send(&world, Method::HEAD, &path, &token, &[], "")
                .await
                .expect(200);
        }
        let put = put_manifest(&world, &alias, "v1", &token, &layout.manifest).await;
        put.expect(201);

        let nobody = anonymous(&world).await;
        let path = format!("/v2/{alias}/{NAME}/manifests/v1");
        send(&world, Method::HEAD, &path, "", &[], "")
            .await
            .expect(401);
        let head = send(&world, Method::HEAD, &path, &nobody, &[], "").await;
        let digest = head.expect(200).header("docker-content-digest").to_owned();
        assert_eq!(digest, layout.manifest.digest);
        let path = format!("/v2/{alias}/{NAME}/manifests/{digest}");
        let pulled = get(&world, &path, &nobody).await.expect(200);
        assert_eq!(pulled.body, layout.manifest.bytes);
        for blob in &layout.blobs {
            let path = format!("/v2/{alias}/{NAME}/blobs/{}", images::digest(blob));
            let pulled = get(&world, &path, &nobody).await.expect(200);
            assert_eq!(pulled.body, *blob);
        }
    }
}

/// The path of a `Location`, which may be a whole URL.
fn path_of(location: &str) -> String {
    let after_host = location.split_once("://").and_then(|(_, rest)| {
        let (_, path) = rest.split_once('/')?;
        Some(format!("/{path}"))
    });
    after_host.unwrap_or_else(|| location.to_owned())
}
