//! Refusals over `/v2`, to the byte where clients have seen them, with and without `strict_ecr`
//! (ecr.md 9.1, auth.md 5.1).

use http::Method;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::Span;
use roadstead_registry::context::{Clock as _, Origin, Principal, RequestContext};
use roadstead_registry::credentials::Audience;
use roadstead_store::fault::When;
use roadstead_testkit::images::{OCI_INDEX, OCI_MANIFEST, digest};
use roadstead_testkit::{Answer, Layout, World};
use serde_json::json;

const EXPIRED: &str = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Your authorization token has expired. Reauthenticate and try again.\"}]}\n";

async fn both_modes() -> [(bool, World); 2] {
    [
        (false, World::start().await),
        (true, World::builder().strict().start().await),
    ]
}

async fn with_authorization(world: &World, value: &str) -> Answer {
    let headers = [("authorization", value)];
    world.raw(Method::GET, "/v2/", &headers, "").await
}

fn challenge(world: &World) -> String {
    let realm = format!("http://{}/", world.address);
    format!("Basic realm=\"{realm}\",service=\"ecr.amazonaws.com\"")
}

#[tokio::test]
async fn d1_without_credentials() {
    for (_, world) in both_modes().await {
        for path in ["/v2/", "/v2/app/manifests/v1", "/v2/nonsense", "/v2/A/../b"] {
            let answer = world.raw(Method::GET, path, &[], "").await.expect(401);
            assert_eq!(answer.text(), "Not Authorized\n");
            let expected = [
                ("content-type", "text/plain; charset=utf-8"),
                ("content-length", "15"),
                ("docker-distribution-api-version", "registry/2.0"),
                ("www-authenticate", &challenge(&world)),
            ];
            for (name, value) in expected {
                assert_eq!(answer.header(name), value);
            }
        }
    }
}

#[tokio::test]
async fn d2_credentials_that_are_none_of_ours() {
    for (_, world) in both_modes().await {
        let good = world.basic(&world.credentials).await;
        with_authorization(&world, &good).await.expect(200);
        let other = World::start().await;
        let foreign = World::basic_of("AWS", "c29tZXRoaW5nIGVsc2U");
        for bad in [
            foreign,
            good.replace("Basic ", "Bearer "),
            format!("{}A", &good[..good.len() - 1]),
            good[..good.len() - 40].to_owned(),
            World::basic_of("AWS", ""),
            World::basic_of("aws", "x"),
            World::basic_of("root", "x"),
            "Basic".into(),
            "Basic ===".into(),
            "Basic QVdT".into(),
            format!("Basic {}", "QUFB".repeat(8000)),
            String::new(),
        ] {
            let refused = with_authorization(&world, &bad).await;
            assert_eq!(refused.status.as_u16(), 401, "{bad}");
            assert_eq!(refused.text(), "Not Authorized\n");
            assert_eq!(refused.header("www-authenticate"), challenge(&world));
        }
        drop(other);
        with_authorization(&world, &good).await.expect(200);
    }
}

#[tokio::test]
async fn d2_another_user_with_a_good_token() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let world = World::start().await;
    let good = world.basic(&world.credentials).await;
    let decoded = STANDARD.decode(&good["Basic ".len()..]).unwrap();
    let password = String::from_utf8(decoded).unwrap();
    let password = password.strip_prefix("AWS:").unwrap();
    with_authorization(&world, &World::basic_of("AWS", password))
        .await
        .expect(200);
    for user in ["aws", "root", "", "AWS "] {
        let refused = with_authorization(&world, &World::basic_of(user, password)).await;
        refused.expect(401);
    }
}

#[tokio::test]
async fn d3_an_expired_token() {
    for (is_strict, world) in both_modes().await {
        let basic = world.basic(&world.credentials).await;
        world.clock.advance(Span::seconds(12 * 3600 - 1));
        with_authorization(&world, &basic).await.expect(200);
        world.clock.advance(Span::seconds(1));
        let refused = with_authorization(&world, &basic).await;
        let (status, challenge) = match is_strict {
            false => (401, challenge(&world)),
            true => (403, String::new()),
        };
        let refused = refused.expect(status);
        assert_eq!(refused.text(), EXPIRED);
        assert_eq!(refused.header("www-authenticate"), challenge);
    }
}

#[tokio::test]
async fn d5_a_token_whose_key_was_disabled() {
    let world = World::start().await;
    let basic = world.basic(&world.credentials).await;
    with_authorization(&world, &basic).await.expect(200);
    let now = roadstead_registry::context::Clock::now(&*world.clock);
    let disabled = world
        .registry
        .disable_access_key(&world.credentials.id, now);
    assert!(disabled.await.unwrap());
    with_authorization(&world, &basic).await.expect(401);
}

/// What `serve --dev` gave out to anybody is no key to the same data served without it.
#[tokio::test]
async fn d2_a_token_of_nobody_in_particular() {
    for (world, status) in [
        (World::start().await, 401),
        (World::builder().strict().start().await, 401),
        (World::builder().dev().start().await, 200),
    ] {
        let context = RequestContext {
            principal: Principal::Root {
                account: AccountId::parse("123456789012").unwrap(),
                access_key_id: None,
            },
            origin: Origin {
                peer: std::net::IpAddr::from([127, 0, 0, 1]),
                is_secure: false,
                user_agent: None,
            },
            region: Region::parse("us-east-1").unwrap(),
            now: world.clock.now(),
            request_id: "id".into(),
        };
        let token = world
            .registry
            .issue_token(&context, Audience::Private)
            .password;
        let answer = with_authorization(&world, &World::basic_of("AWS", &token)).await;
        let answer = answer.expect(status);
        if status == 401 {
            assert_eq!(answer.text(), "Not Authorized\n");
            assert_eq!(answer.header("www-authenticate"), challenge(&world));
        }
    }
}

#[tokio::test]
async fn d4_a_token_of_another_account() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    let other = world.basic(&world.key_of("999999999999").await).await;
    let layer = digest(&Layout::image("one").blobs[1]);
    let headers = [
        ("authorization", other.as_str()),
        ("host", "123456789012.dkr.ecr.us-east-1.localhost"),
    ];
    for (method, path, action) in [
        (
            Method::GET,
            "/v2/app/manifests/v1".to_owned(),
            "BatchGetImage",
        ),
        (Method::PUT, "/v2/app/manifests/v1".into(), "PutImage"),
        (
            Method::DELETE,
            "/v2/app/manifests/v1".into(),
            "BatchDeleteImage",
        ),
        (
            Method::GET,
            format!("/v2/app/blobs/{layer}"),
            "GetDownloadUrlForLayer",
        ),
        (
            Method::POST,
            "/v2/app/blobs/uploads/".into(),
            "InitiateLayerUpload",
        ),
        (
            Method::PATCH,
            "/v2/app/blobs/uploads/x".into(),
            "UploadLayerPart",
        ),
        (
            Method::PUT,
            "/v2/app/blobs/uploads/x".into(),
            "CompleteLayerUpload",
        ),
        (
            Method::DELETE,
            "/v2/app/blobs/uploads/x".into(),
            "CompleteLayerUpload",
        ),
        (Method::GET, "/v2/app/tags/list".into(), "ListImages"),
        (
            Method::GET,
            format!("/v2/app/referrers/{layer}"),
            "BatchGetImage",
        ),
    ] {
        let refused = world.raw(method.clone(), &path, &headers, "").await;
        assert_eq!(refused.code(), (403, "DENIED".into()), "{method} {path}");
        let expected = format!(
            "User: arn:aws:iam::999999999999:root is not authorized to perform: ecr:{action} \
             on resource: arn:aws:ecr:us-east-1:123456789012:repository/app because no \
             resource-based policy allows the ecr:{action} action"
        );
        assert_eq!(refused.json()["errors"][0]["message"], expected);
    }
    let path = format!("/v2/app/blobs/{layer}");
    let refused = world.raw(Method::HEAD, &path, &headers, "").await;
    refused.expect(403);
}

#[tokio::test]
async fn manifests_that_are_not() {
    for (is_strict, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let expected = match is_strict {
            false => (400, "MANIFEST_INVALID".to_owned()),
            true => (405, "UNSUPPORTED".to_owned()),
        };
        for body in ["", "{", "[]", "null", "{}", "{\"schemaVersion\":1}"] {
            let headers = [("content-type", OCI_MANIFEST)];
            let path = "/v2/app/manifests/v2";
            let refused = world.oci(Method::PUT, path, &headers, body).await;
            assert_eq!(refused.code(), expected, "{body}");
            let headers = [("content-type", OCI_INDEX)];
            let refused = world.oci(Method::PUT, path, &headers, body).await;
            assert_eq!(refused.code(), expected, "{body}");
        }
    }
}

#[tokio::test]
async fn ecrs_text_for_a_bad_manifest() {
    let world = World::builder().strict().start().await;
    world.push_image("app", "one", &["v1"]).await;
    let headers = [("content-type", OCI_MANIFEST)];
    let path = "/v2/app/manifests/v2";
    let refused = world.oci(Method::PUT, path, &headers, "{").await;
    let expected = "{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\"Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'\"}]}\n";
    assert_eq!(refused.text(), expected);
    assert_eq!(refused.header("content-type"), "application/json");
}

#[tokio::test]
async fn b4_references_that_are_none() {
    for (is_strict, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let long = "a".repeat(129);
        for bad in [
            ".a",
            "-a",
            "a@b",
            "a+b",
            "latest%0a",
            "a%2Fb",
            "%C3%A9",
            &long,
        ] {
            let path = format!("/v2/app/manifests/{bad}");
            let put = world
                .push_manifest("app", bad, &Layout::image("one").manifest)
                .await;
            assert_eq!(put.code(), (400, "TAG_INVALID".into()), "{bad}");
            let get = world.oci(Method::GET, &path, &[], "").await;
            let expected = match is_strict {
                false => (404, "MANIFEST_UNKNOWN".to_owned()),
                true => (400, "TAG_INVALID".to_owned()),
            };
            assert_eq!(get.code(), expected, "{bad}");
        }
        for bad in ["a:b", "sha256:", "sha256:abc", "md5:abc"] {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                let path = format!("/v2/app/manifests/{bad}");
                let headers = [("content-type", OCI_MANIFEST)];
                let refused = world.oci(method, &path, &headers, "{}").await;
                assert_eq!(refused.code(), (400, "DIGEST_INVALID".into()), "{bad}");
            }
        }
        let good = "a".repeat(128);
        let manifest = Layout::image("one").manifest;
        let put = world.push_manifest("app", &good, &manifest).await;
        put.expect(201);
    }
}

#[tokio::test]
async fn what_is_not_there() {
    for (_, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let unknown = digest(b"unknown");
        for (path, code, message) in [
            (
                "/v2/app/manifests/v9".to_owned(),
                "MANIFEST_UNKNOWN",
                "Requested image not found",
            ),
            (
                format!("/v2/app/manifests/{unknown}"),
                "MANIFEST_UNKNOWN",
                "Requested image not found",
            ),
            (
                "/v2/none/manifests/v1".into(),
                "NAME_UNKNOWN",
                "The repository with name 'none' does not exist in the registry with id '123456789012'",
            ),
        ] {
            let refused = world.oci(Method::GET, &path, &[], "").await;
            let expected =
                format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"{message}\"}}]}}\n");
            assert_eq!(refused.clone().expect(404).text(), expected);
            let head = world.oci(Method::HEAD, &path, &[], "").await.expect(404);
            assert!(head.body.is_empty());
        }
        let path = format!("/v2/app/blobs/{unknown}");
        let refused = world.oci(Method::GET, &path, &[], "").await;
        assert_eq!(refused.code(), (404, "BLOB_UNKNOWN".into()));
        let head = world.oci(Method::HEAD, &path, &[], "").await.expect(404);
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn a13_immutable_tags() {
    for (_, world) in both_modes().await {
        let one = world.push_image("app", "one", &["v1"]).await;
        let two = world.push_image("app", "two", &[]).await;
        let body = json!({ "repositoryName": "app", "imageTagMutability": "IMMUTABLE" });
        let put = world.ecr("PutImageTagMutability", body).await;
        put.expect(200);
        let expected = "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.";
        for manifest in [&two, &one] {
            let refused = world.push_manifest("app", "v1", manifest).await;
            assert_eq!(refused.code(), (400, "TAG_INVALID".into()));
            assert_eq!(refused.json()["errors"][0]["message"], expected);
        }
        let got = world
            .oci(Method::GET, "/v2/app/manifests/v1", &[], "")
            .await;
        assert_eq!(got.expect(200).body, one.bytes);
    }
}

#[tokio::test]
async fn methods_that_are_not_there() {
    for (_, world) in both_modes().await {
        world.push_image("app", "one", &["v1"]).await;
        let layer = digest(&Layout::image("one").blobs[1]);
        for (method, path, allow) in [
            (
                Method::POST,
                format!("/v2/app/blobs/{layer}"),
                "GET, HEAD, DELETE",
            ),
            (Method::POST, "/v2/".into(), "GET, HEAD"),
            (Method::PUT, "/v2/_catalog".into(), "GET, HEAD"),
            (Method::POST, "/v2/app/tags/list".into(), "GET, HEAD"),
            (
                Method::DELETE,
                format!("/v2/app/referrers/{layer}"),
                "GET, HEAD",
            ),
            (Method::GET, "/v2/app/blobs/uploads/".into(), "POST"),
            (
                Method::POST,
                "/v2/app/manifests/v1".into(),
                "GET, HEAD, PUT, DELETE",
            ),
            (
                Method::POST,
                "/v2/app/blobs/uploads/x".into(),
                "GET, HEAD, PATCH, PUT, DELETE",
            ),
            (Method::TRACE, "/v2/".into(), "GET, HEAD"),
            (Method::OPTIONS, "/v2/".into(), "GET, HEAD"),
        ] {
            let overridden = [("x-http-method-override", "GET")];
            let refused = world.oci(method.clone(), &path, &overridden, "").await;
            let code = (405, "UNSUPPORTED".into());
            assert_eq!(refused.code(), code, "{method} {path}");
            assert_eq!(refused.header("allow"), allow, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_inner_failure_tells_nothing_of_itself() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    let basic = world.basic(&world.credentials).await;
    let headers = [("authorization", basic.as_str())];
    let path = "/v2/app/manifests/v1";
    world.raw(Method::GET, path, &headers, "").await.expect(200);
    world.faults.fail_all(When::Before);
    let failed = world.raw(Method::GET, path, &headers, "").await;
    assert_eq!(failed.code(), (500, "UNKNOWN".into()));
    assert!(!failed.text().contains("fault"), "{}", failed.text());
    world.faults.clear();
    world.raw(Method::GET, path, &headers, "").await.expect(200);
}
