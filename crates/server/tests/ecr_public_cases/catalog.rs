//! What a repository says of itself (section 3.2); its picture is in `logos.rs`.

use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::public_api::{ACCOUNT, NAME, is_invalid, ok, refused, world_and_alias, world_with};

async fn put(world: &World, catalog: Value) -> Value {
    let body = json!({ "repositoryName": NAME, "catalogData": catalog });
    ok(world, "PutRepositoryCatalogData", body).await
}

async fn get(world: &World) -> Value {
    let body = json!({ "registryId": ACCOUNT, "repositoryName": NAME });
    ok(world, "GetRepositoryCatalogData", body).await
}

fn everything() -> Value {
    json!({
        "aboutText": "# About\r\n<b>as it is</b> & \u{1f40b}\n",
        // Terraform's own tests mix the two lists up: nothing is checked, and the order is kept.
        "architectures": ["Linux", "x86-64", "ARM 64", "ARM"],
        "description": "Short",
        "operatingSystems": ["ARM", "Windows"],
        "usageText": "```sh\ndocker pull\n```",
    })
}

#[tokio::test]
async fn what_is_put_is_what_is_there() {
    let (world, _) = world_and_alias(false).await;
    let data = json!({ "catalogData": everything() });
    assert_eq!(put(&world, everything()).await, data);
    assert_eq!(get(&world).await, data);
}

#[tokio::test]
async fn given_with_the_creation() {
    let world = world_with(false).await;
    let body = json!({ "repositoryName": NAME, "catalogData": everything() });
    let made = ok(&world, "CreateRepository", body).await;
    assert_eq!(made["catalogData"], everything());
    assert_eq!(get(&world).await, json!({ "catalogData": everything() }));
    // It is no part of the repository itself.
    let described = ok(&world, "DescribeRepositories", json!({})).await;
    assert_eq!(described, json!({ "repositories": [made["repository"]] }));
}

#[tokio::test]
async fn a_put_replaces_everything() {
    let (world, _) = world_and_alias(false).await;
    put(&world, everything()).await;
    let less = json!({ "usageText": "only this" });
    let data = json!({ "catalogData": less });
    assert_eq!(put(&world, less).await, data);
    assert_eq!(get(&world).await, data);
    let none = json!({ "catalogData": {} });
    assert_eq!(put(&world, json!({})).await, none);
    assert_eq!(get(&world).await, none);
}

#[tokio::test]
async fn lengths() {
    let (world, _) = world_and_alias(false).await;
    // A limit counts characters; the last of them has four bytes.
    let text = |count: usize| format!("{}\u{1f40b}", "t".repeat(count - 1));
    let whole = json!({
        "aboutText": text(25_600),
        "architectures": vec![text(50); 50],
        "description": text(1024),
        "operatingSystems": vec![text(50); 50],
        "usageText": text(25_600),
    });
    let data = json!({ "catalogData": whole });
    assert_eq!(put(&world, whole.clone()).await, data);
    let broken = [
        ("aboutText", json!(text(25_601))),
        ("architectures", json!(vec!["a"; 51])),
        ("architectures", json!([text(51)])),
        ("architectures", json!([""])),
        ("description", json!(text(1025))),
        ("operatingSystems", json!(vec!["a"; 51])),
        ("operatingSystems", json!([text(51)])),
        ("operatingSystems", json!([""])),
        ("usageText", json!(text(25_601))),
    ];
    for (member, value) in broken {
        let body = json!({ "repositoryName": NAME, "catalogData": { member: value } });
        let said = refused(&world, "PutRepositoryCatalogData", body).await;
        is_invalid(&said, &format!("catalogData.{member}"));
    }
    assert_eq!(get(&world).await, data);
}
