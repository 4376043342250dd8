//! Section D: tokens, and who may do what.

mod principals;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::context::{Clock as _, Origin, Principal, RequestContext};
use roadstead_registry::credentials::Audience;
use roadstead_testkit::images::{OCI_MANIFEST, digest};
use roadstead_testkit::{Answer, Artifact, Layout, World};
use serde_json::json;

use crate::bench::{Stored, both_modes, repositories, status, world_with_image};
use crate::process::{MIB, SLACK, Watched};

const EXPIRED: &str = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Your authorization token has expired. Reauthenticate and try again.\"}]}\n";

async fn with_authorization(world: &World, value: &str) -> Answer {
    let headers = [("authorization", value)];
    world.raw(Method::GET, "/v2/", &headers, "").await
}

fn challenge(world: &World) -> String {
    let realm = format!("http://{}/", world.address);
    format!("Basic realm=\"{realm}\",service=\"ecr.amazonaws.com\"")
}

/// The password in a `Basic` header.
fn password(basic: &str) -> String {
    let decoded = STANDARD.decode(&basic["Basic ".len()..]).expect("base64");
    let decoded = String::from_utf8(decoded).expect("text");
    decoded.strip_prefix("AWS:").expect("the user").to_owned()
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
            // A JSON Web Token that asks not to be verified.
            World::basic_of("AWS", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0."),
            format!("{good}, {good}"),
        ] {
            let refused = with_authorization(&world, &bad).await;
            assert_eq!(refused.status.as_u16(), 401, "{bad}");
            assert_eq!(refused.text(), "Not Authorized\n");
            assert_eq!(refused.header("www-authenticate"), challenge(&world));
        }
        with_authorization(&world, &good).await.expect(200);
    }
}

#[tokio::test]
async fn d2_another_user_with_a_good_token() {
    let world = World::start().await;
    let good = world.basic(&world.credentials).await;
    let password = &password(&good);
    with_authorization(&world, &World::basic_of("AWS", password))
        .await
        .expect(200);
    for user in ["aws", "root", "", "AWS "] {
        let refused = with_authorization(&world, &World::basic_of(user, password)).await;
        refused.expect(401);
    }
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
    let now = world.clock.now();
    let disabled = world
        .registry
        .disable_access_key(&world.credentials.id, now);
    assert!(disabled.await.unwrap());
    with_authorization(&world, &basic).await.expect(401);
}

#[tokio::test]
async fn d2_every_byte_of_a_token_counts() {
    let world = World::start().await;
    let good = world.basic(&world.credentials).await;
    let sealed = URL_SAFE_NO_PAD.decode(password(&good)).expect("base64");
    let refused = async |sealed: &[u8], what: usize| {
        let basic = World::basic_of("AWS", &URL_SAFE_NO_PAD.encode(sealed));
        let answer = with_authorization(&world, &basic).await;
        assert_eq!(answer.status, 401, "{what}");
    };
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        // The first bytes name the key that it was sealed with.
        changed[at] ^= 1;
        refused(&changed, at).await;
        refused(&sealed[..at], at).await;
    }
    refused(&[&sealed[..], &[0]].concat(), sealed.len()).await;
    with_authorization(&world, &good).await.expect(200);
}

/// A token of another server, and one of a mebibyte: HTTP heads are not that long.
#[test]
fn d2_tokens_of_another_server_and_longer_than_any() {
    let watched = Watched::start();
    let other = Watched::start();
    let head = |basic: &str| {
        format!(
            "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {basic}\r\n\r\n"
        )
    };
    let answer = watched.send(&head(&other.basic), []);
    assert_eq!(status(&answer), 401, "{answer}");
    let growth = watched.growth(|| {
        for _ in 0..8 {
            let long = World::basic_of("AWS", &"A".repeat(1 << 20));
            let answer = watched.send(&head(&long), []);
            assert!([431, 0].contains(&status(&answer)), "{answer:.200}");
            let long = World::basic_of("AWS", &"A".repeat(100_000));
            let answer = watched.send(&head(&long), []);
            assert_eq!(status(&answer), 401, "{answer:.200}");
        }
    });
    assert!(growth < SLACK, "{} MiB", growth / MIB);
    watched.is_alive();
}

/// A token says when it ends and not when it begins, and its own server judges it by the same
/// clock: no allowance for skew is needed, and none is made.
#[tokio::test]
async fn d3_there_is_no_skew() {
    let world = World::start().await;
    let basic = world.basic(&world.credentials).await;
    let issued_at = world.clock.now();
    let until = |seconds: i64| Timestamp(issued_at.0 + Span::seconds(seconds).0);
    for (seconds, status) in [
        (-1, 200),
        (0, 200),
        (12 * 3600 - 1, 200),
        (12 * 3600, 401),
        (12 * 3600 + 1, 401),
        (12 * 3600 - 1, 200),
    ] {
        world.clock.set(until(seconds));
        let answer = with_authorization(&world, &basic).await;
        assert_eq!(answer.status, status, "{seconds}");
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
async fn d9_the_catalog_shows_ones_own_registry() {
    let world = World::start().await;
    let names = ["team/app", "a0", "team", "a-b", "team/app/x"];
    for name in names {
        let body = json!({ "repositoryName": name });
        world.ecr("CreateRepository", body).await.expect(200);
    }
    let other = world.key_of("999999999999").await;
    let body = json!({ "repositoryName": "theirs" });
    let made = world.ecr_as(&other, "CreateRepository", body).await;
    made.expect(200);
    let mut expected = names;
    expected.sort_unstable();
    for size in [1, 2, 5, 9] {
        let (mut path, mut seen) = (format!("/v2/_catalog?n={size}"), Vec::new());
        while !path.is_empty() {
            let page = world.oci(Method::GET, &path, &[], "").await.expect(200);
            let names = page.json()["repositories"].clone();
            seen.extend(names.as_array().expect("names").iter().cloned());
            let next = page.header("link").strip_suffix(">; rel=\"next\"");
            path = next.unwrap_or_default().trim_start_matches('<').to_owned();
        }
        assert_eq!(seen, expected, "n={size}");
    }
    let basic = world.basic(&other).await;
    let headers = [("authorization", basic.as_str())];
    let theirs = world.raw(Method::GET, "/v2/_catalog", &headers, "").await;
    assert_eq!(
        theirs.expect(200).json(),
        json!({ "repositories": ["theirs"] })
    );
    let host = ("host", "123456789012.dkr.ecr.us-east-1.localhost");
    let headers = [headers[0], host];
    let refused = world.raw(Method::GET, "/v2/_catalog", &headers, "").await;
    assert_eq!(refused.code(), (403, "DENIED".into()));
}

#[tokio::test]
async fn d9_what_a_limited_principal_sees_of_lists() {
    let (world, _) = world_with_image().await;
    repositories(&world, &["hidden"]).await;
    let other = world.key_of("999999999999").await;
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Principal": { "AWS": "999999999999" }, "Action": "ecr:ListImages" },
    });
    let body = json!({ "repositoryName": "app", "policyText": policy.to_string() });
    world.ecr("SetRepositoryPolicy", body).await.expect(200);
    let before = Stored::of(&world);
    let basic = world.basic(&other).await;
    let host = ("host", "123456789012.dkr.ecr.us-east-1.localhost");
    let headers = [("authorization", basic.as_str()), host];
    for (path, expected) in [
        ("/v2/app/tags/list", 200),
        ("/v2/app/manifests/v1", 403),
        ("/v2/hidden/tags/list", 403),
        // Not there, and no way to tell.
        ("/v2/ghost/tags/list", 403),
        ("/v2/_catalog", 403),
    ] {
        let answer = world.raw(Method::GET, path, &headers, "").await;
        assert_eq!(answer.status, expected, "{path}: {}", answer.text());
    }
    let all = json!({ "registryId": "123456789012" });
    let refused = world.ecr_as(&other, "DescribeRepositories", all).await;
    assert_eq!(refused.code(), (400, "AccessDeniedException".into()));
    before.is_unchanged(&world).await;
}

#[tokio::test]
async fn d10_a_blob_of_another_repository() {
    let (world, _) = world_with_image().await;
    repositories(&world, &["other"]).await;
    let layout = Layout::image("one");
    let layer = digest(&layout.blobs[1]);
    for method in [Method::GET, Method::HEAD] {
        let path = format!("/v2/other/blobs/{layer}");
        let answer = world.oci(method, &path, &[], "").await;
        answer.expect(404);
    }
    let manifest = format!("/v2/other/manifests/{}", layout.manifest.digest);
    world.oci(Method::GET, &manifest, &[], "").await.expect(404);
    let asked = json!({ "repositoryName": "other", "layerDigest": layer });
    let refused = world.ecr("GetDownloadUrlForLayer", asked).await;
    assert_eq!(refused.code(), (400, "LayersNotFoundException".into()));
    let asked = json!({ "repositoryName": "other", "layerDigests": [layer] });
    let checked = world.ecr("BatchCheckLayerAvailability", asked).await;
    let checked = checked.expect(200).json()["layers"][0]["layerAvailability"].clone();
    assert_eq!(checked, "UNAVAILABLE");
    // Nor can a manifest bring it in.
    let answer = world.push_manifest("other", "v1", &layout.manifest).await;
    assert_eq!(answer.code(), (400, "MANIFEST_BLOB_UNKNOWN".into()));
    // The same bytes pushed there by their own right are another matter.
    let pushed = Artifact::new(OCI_MANIFEST, &json!({})).bytes;
    assert_ne!(digest(&pushed), layer);
    world.push_blob("other", &layout.blobs[1]).await;
    let path = format!("/v2/other/blobs/{layer}");
    world.oci(Method::GET, &path, &[], "").await.expect(200);
}

#[tokio::test]
async fn d11_download_links() {
    let world = World::start().await;
    let layout = Layout::image("one");
    world.push_image("app", "one", &["v1"]).await;
    let layer = layout.blobs[1].clone();
    let body = json!({ "repositoryName": "app", "layerDigest": digest(&layer) });
    let answer = world.ecr("GetDownloadUrlForLayer", body).await.expect(200);
    let url = answer.json()["downloadUrl"].as_str().unwrap().to_owned();
    let path = &url[url.find("/download/").unwrap()..];
    let get = async |headers: &[(&str, &str)]| world.raw(Method::GET, path, headers, "").await;
    assert_eq!(get(&[]).await.expect(200).body, layer);
    let part = get(&[("range", "bytes=1-3")]).await.expect(206);
    assert_eq!(part.body, layer.slice(1..=3));
    let head = world.raw(Method::HEAD, path, &[], "").await.expect(200);
    assert_eq!(head.header("content-length"), layer.len().to_string());
    world.raw(Method::POST, path, &[], "").await.expect(405);
    let last = path.chars().last().unwrap();
    let other = if last == 'A' { 'B' } else { 'A' };
    for altered in [
        format!("{}{other}", &path[..path.len() - 1]),
        path[..path.len() - 4].to_owned(),
        "/download/layer/".into(),
        "/download/layer/x".into(),
        format!("{path}/../x"),
    ] {
        let refused = world.raw(Method::GET, &altered, &[], "").await;
        assert_eq!(refused.code(), (403, "DENIED".into()), "{altered}");
    }
    // One for another digest, or of another server, opens nothing but its own.
    let config = json!({ "repositoryName": "app", "layerDigest": digest(&layout.blobs[0]) });
    let answer = world.ecr("GetDownloadUrlForLayer", config).await;
    let other = answer.expect(200).json()["downloadUrl"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = &other[other.find("/download/").unwrap()..];
    let got = world.raw(Method::GET, other, &[], "").await.expect(200);
    assert_eq!(got.body, layout.blobs[0]);
    let half = path.len() / 2;
    for mixed in [
        format!("{}{}", &path[..half], &other[half.min(other.len())..]),
        format!("{path}?digest={}", digest(b"x")).replace("?digest=", "%3F"),
    ] {
        world.raw(Method::GET, &mixed, &[], "").await.expect(403);
    }
    world.clock.advance(Span::hours(1));
    get(&[]).await.expect(200);
    world.clock.advance(Span::seconds(1));
    get(&[]).await.expect(403);
}

#[tokio::test]
async fn d11_a_link_dies_with_its_image() {
    let world = World::start().await;
    world.push_image("app", "one", &["v1"]).await;
    let layer = digest(&Layout::image("one").blobs[1]);
    let body = json!({ "repositoryName": "app", "layerDigest": layer });
    let answer = world.ecr("GetDownloadUrlForLayer", body).await.expect(200);
    let url = answer.json()["downloadUrl"].as_str().unwrap().to_owned();
    let path = &url[url.find("/download/").unwrap()..];
    let tag = "/v2/app/manifests/v1";
    world.oci(Method::DELETE, tag, &[], "").await.expect(202);
    world.raw(Method::GET, path, &[], "").await.expect(403);
}
