//! The login of CreateContainerServiceRegistryLogin (lightsail-containers.md 3.1): it pushes to `sr`
//! of its account and region for twelve hours, and can do nothing else. Nodes pull with a token of
//! their own.

use bytes::Bytes;
use http::Method;
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_testkit::world::{ACCOUNT, REGION};
use roadstead_testkit::{Answer, Layout, World, images};
use serde_json::json;

use crate::api::lightsail::{
    basic, builder, call_as, login, login_of, not_found_text, oci, ok, push_blob, push_with,
    put_manifest, refused, register, registration, service, settle, world,
};

async fn bench() -> (World, String) {
    let world = world().await;
    service(&world, "web").await;
    let basic = basic(&login(&world).await);
    (world, basic)
}

async fn get(world: &World, basic: &str, method: Method, path: &str) -> Answer {
    oci(world, basic, (method, path), ("", Bytes::new())).await
}

#[track_caller]
fn assert_denied(answer: &Answer, what: &str) {
    assert_eq!(
        answer.code(),
        (403, "DENIED".to_owned()),
        "{what}: {answer:?}"
    );
}

#[tokio::test]
async fn everything_that_a_push_needs() {
    let (world, basic) = bench().await;
    get(&world, &basic, Method::GET, "/v2/").await.expect(200);
    let layout = Layout::image("one");
    let blob = &layout.blobs[0];
    let digest = images::digest(blob);
    let path = format!("/v2/sr/blobs/{digest}");
    get(&world, &basic, Method::HEAD, &path).await.expect(404);
    // In pieces, as Docker does.
    let opened = get(&world, &basic, Method::POST, "/v2/sr/blobs/uploads/").await;
    let location = opened.expect(202).header("location").to_owned();
    let octets = "application/octet-stream";
    let sent = oci(
        &world,
        &basic,
        (Method::PATCH, &location),
        (octets, blob.clone()),
    )
    .await
    .expect(202);
    let location = sent.header("location");
    let joint = if location.contains('?') { '&' } else { '?' };
    let last = format!("{location}{joint}digest={digest}");
    get(&world, &basic, Method::PUT, &last).await.expect(201);
    let found = get(&world, &basic, Method::HEAD, &path).await.expect(200);
    assert_eq!(found.header("content-length"), blob.len().to_string());
    push_with(&world, &basic, &layout, "123-abc").await;
    let path = "/v2/sr/manifests/123-abc";
    let found = get(&world, &basic, Method::HEAD, path).await.expect(200);
    assert_eq!(
        found.header("docker-content-digest"),
        layout.manifest.digest
    );
    get(&world, &basic, Method::HEAD, "/v2/sr/manifests/never")
        .await
        .expect(404);
}

#[tokio::test]
async fn nothing_else_in_its_own_repository() {
    let (world, basic) = bench().await;
    let layout = Layout::image("one");
    push_with(&world, &basic, &layout, "123-abc").await;
    let digest = &layout.manifest.digest;
    let blob = images::digest(&layout.blobs[1]);
    for (method, path) in [
        (Method::GET, "/v2/sr/manifests/123-abc".to_owned()),
        (Method::GET, format!("/v2/sr/manifests/{digest}")),
        (Method::GET, format!("/v2/sr/blobs/{blob}")),
        (Method::GET, "/v2/sr/tags/list".to_owned()),
        (Method::GET, format!("/v2/sr/referrers/{digest}")),
        (Method::DELETE, format!("/v2/sr/manifests/{digest}")),
        (Method::DELETE, "/v2/sr/manifests/123-abc".to_owned()),
    ] {
        let answer = get(&world, &basic, method.clone(), &path).await;
        assert_denied(&answer, &format!("{method} {path}"));
    }
    let path = format!("/v2/sr/blobs/{blob}");
    let answer = get(&world, &basic, Method::DELETE, &path).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    // A catalog shows nothing, not even that there are other repositories.
    world.push_image("team/app", "secret", &["v1"]).await;
    let listed = get(&world, &basic, Method::GET, "/v2/_catalog").await;
    let is_empty = listed.status == 200 && listed.json() == json!({ "repositories": [] });
    assert!(is_empty || listed.status.is_client_error(), "{listed:?}");
    // Nothing was deleted.
    register(&world, "web", "www", digest).await;
}

#[tokio::test]
async fn nothing_in_other_repositories() {
    let (world, basic) = bench().await;
    let image = world.push_image("team/app", "secret", &["v1"]).await;
    let blob = images::digest(&Layout::image("secret").blobs[1]);
    for name in ["team/app", "web", "sr/web", "srx"] {
        for (method, path) in [
            (Method::GET, format!("/v2/{name}/manifests/v1")),
            (Method::HEAD, format!("/v2/{name}/manifests/v1")),
            (Method::GET, format!("/v2/{name}/blobs/{blob}")),
            (Method::HEAD, format!("/v2/{name}/blobs/{blob}")),
            (Method::GET, format!("/v2/{name}/tags/list")),
            (Method::POST, format!("/v2/{name}/blobs/uploads/")),
            (Method::PUT, format!("/v2/{name}/manifests/v2")),
        ] {
            let body = match method {
                Method::PUT => image.bytes.clone(),
                _ => Bytes::new(),
            };
            let is_head = method == Method::HEAD;
            let what = format!("{method} {path}");
            let type_ = image.media_type.as_str();
            let answer = oci(&world, &basic, (method, &path), (type_, body)).await;
            assert_eq!(answer.status, 403, "{what}: {answer:?}");
            if !is_head {
                assert_denied(&answer, &what);
            }
        }
    }
    // A mount from elsewhere is a plain upload, whether or not the other has the blob.
    for digest in [blob, images::digest(b"nowhere")] {
        let path = format!("/v2/sr/blobs/uploads/?mount={digest}&from=team/app");
        get(&world, &basic, Method::POST, &path).await.expect(202);
        let path = format!("/v2/sr/blobs/{digest}");
        get(&world, &basic, Method::HEAD, &path).await.expect(404);
    }
}

#[tokio::test]
async fn no_door_of_the_aws_api() {
    let (world, basic) = bench().await;
    let body = json!({ "serviceName": "web" });
    let target = format!("{}.GetContainerImages", crate::api::lightsail::LIGHTSAIL);
    let headers = [
        ("authorization", basic.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
    ];
    let answer = world
        .raw(Method::POST, "/", &headers, body.to_string())
        .await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.code().1, "UnauthenticatedException");
}

#[tokio::test]
async fn it_ends_after_twelve_hours() {
    for is_strict in [false, true] {
        let world = if is_strict {
            builder().strict().start().await
        } else {
            world().await
        };
        service(&world, "web").await;
        let basic = basic(&login(&world).await);
        world.clock.advance(Span::seconds(12 * 3600 - 2));
        let blob = Bytes::from_static(b"in time");
        push_blob(&world, &basic, "sr", &blob).await.expect(201);
        world.clock.advance(Span::seconds(2));
        let late = push_blob(&world, &basic, "sr", &blob).await;
        // Docker prints it.
        let text = "Your authorization token has expired. Reauthenticate and try again.";
        assert_eq!(late.json()["errors"][0]["message"], text);
        // The challenge lets clients sign in again; ECR itself gives none.
        let (status, challenge) = if is_strict {
            (403, "")
        } else {
            (401, "Basic ")
        };
        assert_eq!(late.status, status, "{late:?}");
        let header = late.header("www-authenticate");
        assert!(header.starts_with(challenge) && header.is_empty() == is_strict);
    }
}

#[tokio::test]
async fn a_disabled_key_ends_it() {
    let (world, basic) = bench().await;
    let now = world.clock.now();
    let id = world.credentials.id.clone();
    world.registry.disable_access_key(&id, now).await.unwrap();
    world.clock.advance(Span::seconds(5));
    let blob = Bytes::from_static(b"too late");
    push_blob(&world, &basic, "sr", &blob).await.expect(401);
}

#[tokio::test]
async fn accounts_and_regions_have_registries_of_their_own() {
    let (world, own) = bench().await;
    let layout = Layout::image("one");
    push_with(&world, &own, &layout, "123-abc").await;
    let strangers = [
        world.credentials.in_region("eu-west-1"),
        world.key_of("210987654321").await,
    ];
    for key in strangers {
        let body = json!({ "serviceName": "web", "power": "nano", "scale": 1 });
        // A login needs a service of the same account and region.
        let none = call_as(
            &world,
            &key,
            "CreateContainerServiceRegistryLogin",
            json!({}),
        )
        .await;
        assert_eq!(none.code(), (400, "InvalidInputException".to_owned()));
        let made = call_as(&world, &key, "CreateContainerService", body).await;
        made.expect(200);
        let other = basic(&login_of(&world, &key).await);
        let path = "/v2/sr/manifests/123-abc";
        get(&world, &other, Method::HEAD, path).await.expect(404);
        for blob in &layout.blobs {
            let path = format!("/v2/sr/blobs/{}", images::digest(blob));
            get(&world, &other, Method::HEAD, &path).await.expect(404);
        }
        // Its digests are not to be registered there.
        let body = registration("web", "www", &layout.manifest.digest);
        let answer = call_as(&world, &key, "RegisterContainerImage", body).await;
        assert_eq!(answer.code(), (400, "NotFoundException".to_owned()));
    }
    let foreign = World::start().await;
    let tokens = foreign.basic(&foreign.credentials).await;
    let path = "/v2/sr/manifests/123-abc";
    let answer = get(&world, &tokens, Method::HEAD, path).await;
    assert!([401, 404].contains(&answer.status.as_u16()), "{answer:?}");
}

#[tokio::test]
async fn wrong_passwords_and_users() {
    let (world, _) = bench().await;
    let login = login(&world).await;
    let password = login["password"].as_str().expect("a password");
    let mut broken = password.to_owned();
    let last = broken.pop().expect("a character");
    broken.push(if last == 'A' { 'B' } else { 'A' });
    for (user, password) in [
        ("AWS", ""),
        ("AWS", "password"),
        ("AWS", &password[1..]),
        ("root", password),
        ("", password),
    ] {
        let basic = World::basic_of(user, password);
        get(&world, &basic, Method::GET, "/v2/").await.expect(401);
    }
}

#[tokio::test]
async fn an_ecr_token_does_not_push_there() {
    let (world, _) = bench().await;
    let account = world.basic(&world.credentials).await;
    let layout = Layout::image("one");
    // For that token `sr` is a private repository, which does not exist.
    let answer = push_blob(&world, &account, "sr", &layout.blobs[0]).await;
    assert_eq!(
        answer.code(),
        (404, "NAME_UNKNOWN".to_owned()),
        "{answer:?}"
    );
    let answer = put_manifest(&world, &account, "v1", &layout.manifest).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    let body = registration("web", "www", &layout.manifest.digest);
    not_found_text(&refused(&world, "RegisterContainerImage", body).await);
}

#[tokio::test]
async fn a_login_needs_a_service_that_is_still_there() {
    let (world, _) = bench().await;
    ok(
        &world,
        "DeleteContainerService",
        json!({ "serviceName": "web" }),
    )
    .await;
    settle(&world).await;
    let said = refused(&world, "CreateContainerServiceRegistryLogin", json!({})).await;
    assert!(
        said["message"]
            .to_string()
            .contains("must create a container service")
    );
}

/// In development nobody needs a login; the one of a service still pushes and does nothing else.
#[tokio::test]
async fn in_development() {
    let world = builder().dev().start().await;
    service(&world, "web").await;
    let basic = basic(&login(&world).await);
    let layout = Layout::image("one");
    push_with(&world, &basic, &layout, "123-abc").await;
    let image = register(&world, "web", "www", &layout.manifest.digest).await;
    assert_eq!(image["image"], ":web.www.1");
    let path = format!("/v2/sr/manifests/{}", layout.manifest.digest);
    assert_denied(&get(&world, &basic, Method::GET, &path).await, "a pull");
    let got = world.raw(Method::GET, &path, &[], "").await.expect(200);
    assert_eq!(got.body, layout.manifest.bytes);

    let layout = Layout::image("two");
    for blob in &layout.blobs {
        let path = format!("/v2/sr/blobs/uploads/?digest={}", images::digest(blob));
        let pushed = world.raw(Method::POST, &path, &[], blob.clone()).await;
        pushed.expect(201);
    }
    let headers = [("content-type", layout.manifest.media_type.as_str())];
    let manifest = layout.manifest.bytes.clone();
    let pushed = world.raw(Method::PUT, "/v2/sr/manifests/any", &headers, manifest);
    pushed.await.expect(201);
    let image = register(&world, "web", "www", &layout.manifest.digest).await;
    assert_eq!(image["image"], ":web.www.2");
}

/// A repository of ECR that has the name keeps it.
#[tokio::test]
async fn in_development_beside_a_repository() {
    let world = builder().dev().start().await;
    let image = world.push_image("sr", "one", &["v1"]).await;
    service(&world, "web").await;
    let path = "/v2/sr/manifests/v1";
    let got = world.raw(Method::GET, path, &[], "").await.expect(200);
    assert_eq!(got.body, image.bytes);
}

#[tokio::test]
async fn nodes_pull_and_push_nothing() {
    let (world, push) = bench().await;
    let layout = Layout::image("one");
    push_with(&world, &push, &layout, "123-abc").await;
    let account = AccountId::parse(ACCOUNT).expect("an account");
    let region = Region::parse(REGION).expect("a region");
    let now = world.clock.now();
    let token = world.registry.issue_pull_token(&account, &region, now);
    let node = World::basic_of("AWS", &token.password);
    let path = format!("/v2/sr/manifests/{}", layout.manifest.digest);
    let got = get(&world, &node, Method::GET, &path).await.expect(200);
    assert_eq!(got.body, layout.manifest.bytes);
    for blob in &layout.blobs {
        let path = format!("/v2/sr/blobs/{}", images::digest(blob));
        let got = get(&world, &node, Method::GET, &path).await.expect(200);
        assert_eq!(got.body, blob);
    }
    let blob = Bytes::from_static(b"from a node");
    assert_denied(&push_blob(&world, &node, "sr", &blob).await, "a push");
    let put = put_manifest(&world, &node, "mine", &layout.manifest).await;
    assert_denied(&put, "a manifest");
}
