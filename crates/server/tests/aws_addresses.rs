//! By which names and keys the AWS face is reached: regions of the scope, names in front of a
//! proxy, and `--dev`, where nobody signs in.
//!
//! Addresses in answers follow the address that the caller used (design decision 15).

mod api;

use api::ask::{Ask, INVALID, Protocol, TARGET, held_against, send};
use api::{ok, repository};
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use roadstead_testkit::images::digest;
use roadstead_testkit::{Answer, Layout, World, client};
use serde_json::{Value, json};

#[tokio::test]
async fn every_region_is_a_registry_of_its_own() {
    let world = World::start().await;
    repository(&world, "app").await;
    let there = world.credentials.in_region("eu-west-1");
    let listed = world
        .ecr_as(&there, "DescribeRepositories", json!({}))
        .await;
    assert_eq!(listed.expect(200).json(), json!({ "repositories": [] }));
    let name = json!({ "repositoryName": "app" });
    let made = world.ecr_as(&there, "CreateRepository", name).await;
    assert_eq!(
        made.expect(200).json()["repository"]["repositoryArn"],
        "arn:aws:ecr:eu-west-1:123456789012:repository/app"
    );
}

#[tokio::test]
async fn a_signature_for_a_configured_name_is_accepted() {
    let mut builder = World::builder();
    builder.settings.public_endpoints = vec!["registry.example:8443".into()];
    let world = builder.start().await;
    for (host, is_known) in [("registry.example:8443", true), ("other.example", false)] {
        let ask = Ask::of(&world, Protocol::Json);
        let mut request = ask.signed_for(&world, host);
        // A proxy in between has put its own name there.
        let local = HeaderValue::from_str(&world.address.to_string()).expect("a header");
        request.headers_mut().insert("host", local);
        let answer = send(&world, request).await;
        match is_known {
            true => drop(answer.expect(200)),
            false => drop(held_against(INVALID, Protocol::Json, &answer)),
        }
    }
}

#[tokio::test]
async fn behind_a_proxy_that_ends_tls_every_link_is_https() {
    let mut builder = World::builder();
    builder.settings.repository_scheme = Some("https".into());
    let world = builder.start().await;
    let origin = format!("https://{}", world.address);
    world.push_image("app", "one", &["v1"]).await;
    let layer = digest(&Layout::image("one").blobs[1]);
    let ask = json!({ "repositoryName": "app", "layerDigest": layer });
    let link = ok(&world, "GetDownloadUrlForLayer", ask).await;
    let link = link["downloadUrl"].as_str().expect("a link");
    assert!(link.starts_with(&format!("{origin}/")), "{link}");
    let token = ok(&world, "GetAuthorizationToken", json!({})).await;
    assert_eq!(token["authorizationData"][0]["proxyEndpoint"], origin);
    let refused = world.raw(Method::GET, "/v2/", &[], "").await.expect(401);
    let expected = format!("Basic realm=\"{origin}/\",service=\"ecr.amazonaws.com\"");
    assert_eq!(refused.header("www-authenticate"), expected);
    // Another account is not reached on the bare address; loopback is localhost too.
    let other = json!({ "registryIds": ["210987654321"] });
    let token = ok(&world, "GetAuthorizationToken", other).await;
    let port = world.address.port();
    assert_eq!(
        token["authorizationData"][0]["proxyEndpoint"],
        format!("https://210987654321.dkr.ecr.us-east-1.localhost:{port}")
    );
}

async fn dev(world: &World, operation: &str, authorization: Option<&str>) -> Answer {
    let target = TARGET.replace("DescribeRepositories", operation);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", target);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let request = request.body(Bytes::from_static(b"{\"repositoryName\":\"app\"}"));
    client::send(world.address, request.expect("a request")).await
}

#[tokio::test]
async fn in_dev_an_access_key_id_names_its_account() {
    let world = World::builder().dev().start().await;
    let header = |id: &str, region: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/20200101/{region}/ecr/aws4_request, \
             SignedHeaders=host, Signature=00"
        )
    };
    for (authorization, arn) in [
        (None, "arn:aws:ecr:us-east-1:123456789012:repository/app"),
        (
            Some(header("test", "eu-west-1")),
            "arn:aws:ecr:eu-west-1:123456789012:repository/app",
        ),
        (
            Some(header("000000000042", "eu-west-1")),
            "arn:aws:ecr:eu-west-1:000000000042:repository/app",
        ),
        (
            Some(header("000000000042", "Not a region")),
            "arn:aws:ecr:us-east-1:000000000042:repository/app",
        ),
    ] {
        let answer = dev(&world, "CreateRepository", authorization.as_deref()).await;
        let body: Value = answer.expect(200).json();
        assert_eq!(
            body["repository"]["repositoryArn"], arn,
            "{authorization:?}"
        );
    }
    // A token of --dev opens /v2.
    let token = dev(&world, "GetAuthorizationToken", None).await.expect(200);
    let token = token.json()["authorizationData"][0]["authorizationToken"].take();
    let basic = format!("Basic {}", token.as_str().expect("a token"));
    let headers = [("authorization", basic.as_str())];
    world
        .raw(Method::GET, "/v2/", &headers, "")
        .await
        .expect(200);
    ok(&world, "DescribeRegistry", json!({})).await;
}
