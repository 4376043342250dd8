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
