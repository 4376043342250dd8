//! The picture of a repository (section 3.2): what is taken, and how it is served.

use http::Method;
use roadstead_testkit::{Answer, World};
use serde_json::{Value, json};

use crate::public_api::oci::{get, send};
use crate::public_api::png::png;
use crate::public_api::{NAME, blob, ok, refused, world_and_alias, world_with};

async fn put(world: &World, catalog: Value) -> Value {
    let body = json!({ "repositoryName": NAME, "catalogData": catalog });
    ok(world, "PutRepositoryCatalogData", body).await["catalogData"].clone()
}

async fn stored(world: &World) -> Value {
    let body = json!({ "repositoryName": NAME });
    ok(world, "GetRepositoryCatalogData", body).await["catalogData"].clone()
}

/// The path of a logo's address, whose form is checked.
fn path_of(catalog: &Value) -> String {
    let url = catalog["logoUrl"].as_str().expect("a URL");
    let path = url.strip_prefix("https://public.ecr.aws").expect(url);
    let ids = path.strip_prefix("/logo/").expect(url);
    let ids = ids.strip_suffix(".png").expect(url);
    let (registry, logo) = ids.split_once('/').expect(url);
    for id in [registry, logo] {
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{url}");
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(id.chars().all(|c| c == '-' || is_hex(c)), "{url}");
    }
    path.to_owned()
}

fn is_served(answer: Answer, picture: &[u8]) {
    let answer = answer.expect(200);
    assert_eq!(answer.header("content-type"), "image/png");
    let caching = answer.header("cache-control");
    assert!(caching.contains("immutable"), "{caching}");
    assert!(caching.contains("public"), "{caching}");
    assert!(caching.contains("max-age="), "{caching}");
    assert_eq!(answer.body, picture);
}

#[tokio::test]
async fn a_logo_is_served_to_everybody() {
    for is_strict in [false, true] {
        let (world, _) = world_and_alias(is_strict).await;
        let picture = png(64, 128);
        let catalog = put(
            &world,
            json!({ "description": "d", "logoImageBlob": blob(&picture) }),
        )
        .await;
        let path = path_of(&catalog);
        // The picture itself never comes back.
        let expected = json!({ "description": "d", "logoUrl": catalog["logoUrl"] });
        assert_eq!(catalog, expected);
        assert_eq!(stored(&world).await, expected);
        is_served(get(&world, &path, "").await, &picture);
        let head = send(&world, Method::HEAD, &path, "", &[], "").await;
        is_served(head, b"");
        // By any name of the server.
        is_served(world.raw(Method::GET, &path, &[], "").await, &picture);
    }
}

#[tokio::test]
async fn a_logo_given_with_the_creation() {
    let world = world_with(false).await;
    let picture = png(60, 60);
    let catalog = json!({ "logoImageBlob": blob(&picture) });
    let body = json!({ "repositoryName": NAME, "catalogData": catalog });
    let made = ok(&world, "CreateRepository", body).await;
    let path = path_of(&made["catalogData"]);
    is_served(get(&world, &path, "").await, &picture);
}

#[tokio::test]
async fn kept_dropped_and_replaced() {
    let (world, _) = world_and_alias(false).await;
    let (first, second) = (png(100, 100), png(200, 100));
    let catalog = put(&world, json!({ "logoImageBlob": blob(&first) })).await;
    let before = path_of(&catalog);
    // Absent: kept, though all else is replaced.
    let kept = put(&world, json!({ "aboutText": "a" })).await;
    assert_eq!(path_of(&kept), before);
    assert_eq!(kept["aboutText"], "a");
    is_served(get(&world, &before, "").await, &first);
    // Another picture, another address; even for the same picture.
    let replaced = put(&world, json!({ "logoImageBlob": blob(&second) })).await;
    let after = path_of(&replaced);
    assert_ne!(after, before);
    is_served(get(&world, &after, "").await, &second);
    let again = put(&world, json!({ "logoImageBlob": blob(&second) })).await;
    assert_ne!(path_of(&again), after);
    // All pictures of a registry are below the same id.
    let registry = |path: &str| path.split('/').nth(2).map(str::to_owned);
    assert_eq!(registry(&path_of(&again)), registry(&before));
    // Empty: dropped.
    let dropped = put(&world, json!({ "logoImageBlob": "", "usageText": "u" })).await;
    assert_eq!(dropped, json!({ "usageText": "u" }));
    assert_eq!(stored(&world).await, dropped);
}

#[tokio::test]
async fn sizes_at_the_edge() {
    let (world, _) = world_and_alias(false).await;
    for (width, height) in [(60, 60), (60, 2048), (2048, 60), (2048, 2048)] {
        let picture = png(width, height);
        let catalog = put(&world, json!({ "logoImageBlob": blob(&picture) })).await;
        is_served(get(&world, &path_of(&catalog), "").await, &picture);
    }
}

#[tokio::test]
async fn what_is_no_logo_changes_nothing() {
    let (world, _) = world_and_alias(false).await;
    let good = png(64, 64);
    let before = put(
        &world,
        json!({ "description": "d", "logoImageBlob": blob(&good) }),
    )
    .await;
    let gif = b"GIF89a\x40\x00\x40\x00\x00\x00\x00;".to_vec();
    let jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00".to_vec();
    let cut = good[..20].to_vec();
    let bad = [
        png(59, 64),
        png(64, 59),
        png(2049, 64),
        png(64, 2049),
        gif,
        jpeg,
        cut,
        b"not a picture".to_vec(),
        // One byte more than the model's 512,000.
        [good, vec![0; 512_001 - png(64, 64).len()]].concat(),
    ];
    for bytes in bad {
        let catalog = json!({ "description": "other", "logoImageBlob": blob(&bytes) });
        let body = json!({ "repositoryName": NAME, "catalogData": catalog });
        let said = refused(&world, "PutRepositoryCatalogData", body).await;
        // No text is recorded.
        assert_eq!(said["__type"], "InvalidParameterException", "{said}");
        let body = json!({ "repositoryName": "new", "catalogData": catalog });
        let said = refused(&world, "CreateRepository", body).await;
        assert_eq!(said["__type"], "InvalidParameterException", "{said}");
    }
    assert_eq!(stored(&world).await, before);
    let all = ok(&world, "DescribeRepositories", json!({})).await;
    assert_eq!(all["repositories"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_logo_that_is_not_there() {
    let (world, _) = world_and_alias(false).await;
    let id = "00000000-0000-4000-8000-000000000000";
    for path in [
        format!("/logo/{id}/{id}.png"),
        format!("/logo/{id}.png"),
        "/logo/".into(),
        "/logo/x/y.png".into(),
        format!("/logo/{id}/../{id}.png"),
    ] {
        get(&world, &path, "").await.expect(404);
    }
}
