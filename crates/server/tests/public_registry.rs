//! What operators set about the public registry: limits of pulls, aliases, its path and host.

mod support;

use http::Method;
use roadstead_domain::public::pull_rate::PullRate;
use roadstead_domain::time::Span;
use roadstead_testkit::{Answer, Layout, World};
use serde_json::{Value, json};
use support::server::{Server, run_roadstead};

const PUBLIC: &str = "SpencerFrontendService";
const PATH: &str = "/v2/public.ecr.aws";

async fn public(world: &World, operation: &str, body: Value) -> Answer {
    let target = format!("{PUBLIC}.{operation}");
    let body = body.to_string().into();
    world.post(&world.credentials, &target, body).await
}

/// A public repository with one image; where it is.
async fn with_image(world: &World) -> String {
    let created = public(
        world,
        "CreateRepository",
        json!({"repositoryName": "team/app"}),
    )
    .await;
    let uri = created.expect(200).json()["repository"]["repositoryUri"].clone();
    let (_, place) = uri.as_str().unwrap().split_once('/').unwrap();
    let layout = Layout::image("one");
    for blob in &layout.blobs {
        world.push_blob(place, blob).await;
    }
    let pushed = world.push_manifest(place, "v1", &layout.manifest).await;
    pushed.expect(201);
    place.to_owned()
}

async fn pull(world: &World, place: &str) -> Answer {
    let path = format!("/v2/{place}/manifests/v1");
    world.raw(Method::GET, &path, &[], "").await
}

#[tokio::test]
async fn pulls_are_counted_for_each_caller() {
    let mut builder = World::builder();
    builder.rules.public_pulls.anonymous = PullRate::per_second(2);
    let world = builder.start().await;
    let place = with_image(&world).await;
    for _ in 0..2 {
        pull(&world, &place).await.expect(200);
    }
    let refused = pull(&world, &place).await.expect(429);
    let envelope = json!({"errors": [{"code": "TOOMANYREQUESTS", "message": "Rate exceeded"}]});
    assert_eq!(refused.json(), envelope);
    // Only manifests that are read are pulls, and only without a login is there a limit here.
    let path = format!("/v2/{place}/manifests/v1");
    world.raw(Method::HEAD, &path, &[], "").await.expect(200);
    for _ in 0..5 {
        world.oci(Method::GET, &path, &[], "").await.expect(200);
    }
    world.clock.advance(Span::seconds(1));
    for status in [200, 200, 429] {
        pull(&world, &place).await.expect(status);
    }
}

#[tokio::test]
async fn an_account_has_a_limit_of_its_own() {
    let mut builder = World::builder();
    builder.rules.public_pulls.account = PullRate::per_second(1);
    let world = builder.start().await;
    let place = with_image(&world).await;
    let path = format!("/v2/{place}/manifests/v1");
    for status in [200, 429] {
        world.oci(Method::GET, &path, &[], "").await.expect(status);
    }
    for _ in 0..3 {
        pull(&world, &place).await.expect(200);
    }
    // Private pulls are not counted.
    world.push_image("own", "own", &["v1"]).await;
    for _ in 0..3 {
        let path = "/v2/own/manifests/v1";
        world.oci(Method::GET, path, &[], "").await.expect(200);
    }
}

/// A layer that no image has any more is gone for strangers at once, whatever keeps its bytes, and
/// their asking does not keep them.
#[tokio::test]
async fn strangers_neither_read_nor_keep_what_was_deleted() {
    let mut with_window = World::builder();
    with_window.rules.undelete_window = Some(Span::hours(2));
    for builder in [World::builder(), with_window] {
        let world = builder.start().await;
        let place = with_image(&world).await;
        let layout = Layout::image("one");
        let layer = roadstead_testkit::images::digest(&layout.blobs[0]);
        let blob = format!("/v2/{place}/blobs/{layer}");
        world.raw(Method::GET, &blob, &[], "").await.expect(200);
        let ids = json!([{"imageDigest": layout.manifest.digest}]);
        let body = json!({"repositoryName": "team/app", "imageIds": ids});
        public(&world, "BatchDeleteImage", body).await.expect(200);
        for method in [Method::GET, Method::HEAD] {
            world.raw(method, &blob, &[], "").await.expect(404);
        }
        // Who may push still finds it: the layer need not be sent again.
        world.oci(Method::HEAD, &blob, &[], "").await.expect(200);
    }
    let world = World::builder().start().await;
    let place = with_image(&world).await;
    let digest = Layout::image("one").manifest.digest;
    let body = json!({"repositoryName": "team/app", "imageIds": [{"imageDigest": digest}]});
    public(&world, "BatchDeleteImage", body).await.expect(200);
    let layer = roadstead_testkit::images::digest(&Layout::image("one").blobs[0]);
    let blob = format!("/v2/{place}/blobs/{layer}");
    for _ in 0..7 {
        world.clock.advance(Span::seconds(600));
        world.raw(Method::HEAD, &blob, &[], "").await.expect(404);
    }
    world.sweep().await;
    assert_eq!(world.blob_files().len(), 0);
}

/// The tokens of the token endpoint are for requests alone: they make no others, open nothing
/// private, and end with their login.
#[tokio::test]
async fn bearer_tokens_are_no_logins() {
    let mut builder = World::builder();
    builder.settings.public_host = Some("public.example".into());
    builder.rules.token_lifetime = Span::seconds(60);
    let world = builder.start().await;
    let got = public(&world, "GetAuthorizationToken", json!({})).await;
    let login = got.expect(200).json()["authorizationData"]["authorizationToken"].clone();
    let login = format!("Basic {}", login.as_str().unwrap());
    let ask = async |path: &str, host: &str, authorization: &str| {
        let headers = [("authorization", authorization), ("host", host)];
        world.raw(Method::GET, path, &headers, "").await
    };
    let answer = ask("/token/", "public.example", &login)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["expires_in"], 60);
    let token = answer["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let basic = World::basic_of("AWS", &token);
    ask("/v2/", "public.example", &bearer).await.expect(200);
    for (path, host, authorization) in [
        ("/token/", "public.example", &bearer),
        ("/token/", "public.example", &basic),
        ("/token/", "localhost", &bearer),
        ("/v2/", "public.example", &basic),
        ("/v2/", "localhost", &basic),
        ("/v2/", "localhost", &bearer),
    ] {
        let answer = ask(path, host, authorization).await;
        assert_eq!(answer.status, 401, "{path} {host}");
    }
    world.clock.advance(Span::seconds(61));
    ask("/v2/", "public.example", &bearer).await.expect(401);
}

/// Hosts know no case, and the public registry's own is never given out for a private one.
#[tokio::test]
async fn addresses_of_a_host_that_is_public() {
    let mut builder = World::builder();
    builder.settings.public_host = Some("127.0.0.1:5080".into());
    let world = builder.start().await;
    let answer = world
        .raw(Method::GET, "/v2/", &[("host", "PUBLIC.ecr.Example")], "")
        .await
        .expect(401);
    assert!(answer.header("www-authenticate").starts_with("Bearer "));
}

/// Another alias is one more address; the primary one is shown.
#[tokio::test]
async fn every_alias_leads_to_the_registry() {
    let server = Server::start();
    let aws = server.aws();
    let create = [
        "ecr-public",
        "create-repository",
        "--repository-name",
        "app",
    ];
    let created = aws.run(&create).expect_json();
    let old = created["repository"]["repositoryUri"].as_str().unwrap();
    let data = server.data().to_str().unwrap();
    let account = ["--account", support::server::ACCOUNT, "--data", data];
    let add = |alias, more: &[&str]| {
        run_roadstead(&[&["alias", "add", alias], &account[..], more].concat())
    };
    add("acme", &["--primary"]).expect_success();
    for (alias, why) in [("acme", "the alias 'acme' is taken"), ("Acme", "2 to 50")] {
        let said = add(alias, &[]).expect_failure();
        assert!(said.contains(why), "{said}");
    }
    let listed = run_roadstead(&[&["alias", "list", "--output", "json"], &account[..]].concat());
    let listed = listed.expect_json();
    let generated = old.rsplit('/').nth(1).unwrap();
    let mut expected = vec![
        json!({"alias": "acme", "primary": true, "default": false}),
        json!({"alias": generated, "primary": false, "default": true}),
    ];
    expected.sort_by_key(|one| one["alias"].to_string());
    assert_eq!(listed, Value::from(expected));
    let described = aws
        .run(&["ecr-public", "describe-repositories"])
        .expect_json();
    let address = &server.address;
    let uri = &described["repositories"][0]["repositoryUri"];
    assert_eq!(uri, &json!(format!("{address}{}/acme/app", &PATH[3..])));
    let registries = aws
        .run(&["ecr-public", "describe-registries"])
        .expect_json();
    let shown = &registries["registries"][0]["registryUri"];
    assert_eq!(shown, &json!(format!("{address}{}/acme", &PATH[3..])));
}

/// docs/undelete.md.
#[test]
fn what_was_deleted_in_public_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("roadstead.toml");
    std::fs::write(&config, "[undelete]\nwindow_seconds = 3600\n").unwrap();
    let server = Server::start_with(&["--dev", "--config", config.to_str().unwrap()]);
    let aws = server.aws();
    let data = server.data().to_str().unwrap();
    let named = ["--repository-name", "app"];
    let catalog = ["--catalog-data", "description=Plain"];
    let create = ["ecr-public", "create-repository"];
    let created = aws.run(&[&create[..], &named, &catalog].concat());
    let created = created.expect_json();
    let undelete =
        |more: &[&str]| run_roadstead(&[&["undelete", "app", "--data", data], more].concat());
    aws.run(&[&["ecr-public", "delete-repository"], &named[..]].concat())
        .expect_success();
    let said = undelete(&[]).expect_failure();
    assert!(said.contains("no deleted repository 'app'"), "{said}");
    let back = undelete(&["--public"]).expect_success();
    assert!(back.contains("'app' is back"), "{back}");
    let described = aws.run(&["ecr-public", "describe-repositories"]);
    let described = described.expect_json();
    assert_eq!(described["repositories"][0], created["repository"]);
    let catalog = aws.run(&[&["ecr-public", "get-repository-catalog-data"], &named[..]].concat());
    let catalog = catalog.expect_json();
    assert_eq!(catalog["catalogData"]["description"], "Plain");
}
