//! Registered images (lightsail-containers.md 4): what a registration asks for, numbers that never
//! come back, the order of the list, the quota.

use std::collections::BTreeSet;

use http::Method;
use roadstead_testkit::{Layout, World, images};
use serde_json::{Value, json};

use crate::api::lightsail::{
    basic, builder_with_scope, call, conflict_text, get, image_names, invalid_text, login,
    not_found, not_found_text, oci, ok, push, push_with, put_manifest, refused, register,
    registration, service, settle, step, timeless, world,
};

async fn bench() -> (World, String) {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    (world, digest)
}

async fn delete(world: &World, service: &str, image: &str) {
    let body = json!({ "serviceName": service, "image": image });
    let gone = ok(world, "DeleteContainerImage", body).await;
    assert_eq!(gone, Value::Null);
}

#[tokio::test]
async fn an_unknown_service() {
    let (world, digest) = bench().await;
    let missing = not_found("The container service \"nope\" does not exist.");
    let body = registration("nope", "www", &digest);
    assert_eq!(
        refused(&world, "RegisterContainerImage", body).await,
        missing
    );
    let body = json!({ "serviceName": "nope" });
    assert_eq!(refused(&world, "GetContainerImages", body).await, missing);
    let body = json!({ "serviceName": "nope", "image": ":nope.www.1" });
    assert_eq!(refused(&world, "DeleteContainerImage", body).await, missing);
}

#[tokio::test]
async fn digests_that_are_none() {
    let (world, digest) = bench().await;
    let hex = digest.trim_start_matches("sha256:");
    for wrong in [
        "",
        "latest",
        hex,
        "sha256:",
        "sha256:abc",
        &format!("sha256:{}", hex.to_uppercase()),
        &format!("sha256:{hex}0"),
        &format!("SHA256:{hex}"),
        &format!("sha512:{hex}{hex}"),
        &format!(" {digest}"),
        &format!("{digest}\n"),
        &format!("sr@{digest}"),
    ] {
        let body = registration("web", "www", wrong);
        invalid_text(&refused(&world, "RegisterContainerImage", body).await);
    }
    assert_eq!(image_names(&world, "web").await, [""; 0]);
}

#[tokio::test]
async fn every_part_is_asked_for() {
    let (world, digest) = bench().await;
    let whole = registration("web", "www", &digest);
    for missing in ["serviceName", "label", "digest"] {
        let mut body = whole.clone();
        body.as_object_mut().expect("an object").remove(missing);
        invalid_text(&refused(&world, "RegisterContainerImage", body).await);
    }
    for body in [
        json!({ "serviceName": "web" }),
        json!({ "image": ":web.www.1" }),
    ] {
        invalid_text(&refused(&world, "DeleteContainerImage", body).await);
    }
    invalid_text(&refused(&world, "GetContainerImages", json!({})).await);
}

#[tokio::test]
async fn a_label_counts_for_itself() {
    let (world, one) = bench().await;
    let two = push(&world, "two").await.digest;
    service(&world, "other").await;
    for (service, label, digest, expected) in [
        ("web", "www", &one, ":web.www.1"),
        ("web", "www", &two, ":web.www.2"),
        ("web", "api", &two, ":web.api.1"),
        ("other", "www", &one, ":other.www.1"),
        ("web", "www", &one, ":web.www.3"),
    ] {
        let image = register(&world, service, label, digest).await;
        assert_eq!(image["image"], expected);
        assert_eq!(image["digest"], **digest);
    }
}

#[tokio::test]
async fn a_service_counts_for_all_its_labels() {
    let world = builder_with_scope("service").start().await;
    service(&world, "web").await;
    service(&world, "other").await;
    let digest = push(&world, "one").await.digest;
    for (service, label, expected) in [
        ("web", "aspnet-api", ":web.aspnet-api.1"),
        ("web", "react-ui", ":web.react-ui.2"),
        ("other", "react-ui", ":other.react-ui.1"),
        ("web", "proxy", ":web.proxy.3"),
    ] {
        let image = register(&world, service, label, &digest).await;
        assert_eq!(image["image"], expected);
    }
    delete(&world, "web", ":web.proxy.3").await;
    let image = register(&world, "web", "proxy", &digest).await;
    assert_eq!(image["image"], ":web.proxy.4");
    let listed = [":web.proxy.4", ":web.react-ui.2", ":web.aspnet-api.1"];
    assert_eq!(image_names(&world, "web").await, listed);
}

#[tokio::test]
async fn numbers_go_on_when_every_image_is_gone() {
    let (world, _) = bench().await;
    for round in 0..3 {
        // The image goes with its last name.
        let digest = push(&world, "one").await.digest;
        let image = register(&world, "web", "www", &digest).await;
        let name = format!(":web.www.{}", round + 1);
        assert_eq!(image["image"], name);
        delete(&world, "web", &name).await;
        assert_eq!(image_names(&world, "web").await, [""; 0]);
        step(&world).await;
    }
}

#[tokio::test]
async fn a_new_service_of_the_same_name_counts_from_1() {
    let (world, digest) = bench().await;
    register(&world, "web", "www", &digest).await;
    let old = get(&world, "web").await["arn"].clone();
    ok(
        &world,
        "DeleteContainerService",
        json!({ "serviceName": "web" }),
    )
    .await;
    settle(&world).await;
    service(&world, "web").await;
    assert_ne!(get(&world, "web").await["arn"], old);
    assert_eq!(image_names(&world, "web").await, [""; 0]);
    // The bytes may be gone with the service that used them.
    let digest_again = push(&world, "one").await.digest;
    assert_eq!(digest_again, digest);
    let image = register(&world, "web", "www", &digest).await;
    assert_eq!(image["image"], ":web.www.1");
}

#[tokio::test]
async fn what_is_deleted_is_not_deleted_again() {
    let (world, digest) = bench().await;
    register(&world, "web", "www", &digest).await;
    register(&world, "web", "api", &digest).await;
    delete(&world, "web", ":web.www.1").await;
    let body = json!({ "serviceName": "web", "image": ":web.www.1" });
    not_found_text(&refused(&world, "DeleteContainerImage", body).await);
    // The other name of the same digest is left.
    assert_eq!(image_names(&world, "web").await, [":web.api.1"]);
    let body = json!({ "serviceName": "web", "image": ":web.unknown.1" });
    not_found_text(&refused(&world, "DeleteContainerImage", body).await);
    // Larger than any number.
    let body = json!({ "serviceName": "web", "image": ":web.www.99999999999999999999999" });
    let answer = call(&world, "DeleteContainerImage", body).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[tokio::test]
async fn images_of_one_instant_keep_their_order() {
    let (world, digest) = bench().await;
    for label in ["c", "a", "b", "a"] {
        register(&world, "web", label, &digest).await;
    }
    let listed = image_names(&world, "web").await;
    assert_eq!(listed, [":web.a.2", ":web.b.1", ":web.a.1", ":web.c.1"]);
}

#[tokio::test]
async fn a_list_of_none() {
    let (world, _) = bench().await;
    let listed = ok(
        &world,
        "GetContainerImages",
        json!({ "serviceName": "web" }),
    )
    .await;
    assert_eq!(listed, json!({ "containerImages": [] }));
}

#[tokio::test]
async fn at_most_150_images() {
    let (world, digest) = bench().await;
    for version in 1..=150 {
        let image = register(&world, "web", "www", &digest).await;
        assert_eq!(image["image"], format!(":web.www.{version}"));
    }
    let body = registration("web", "www", &digest);
    conflict_text(&refused(&world, "RegisterContainerImage", body).await);
    assert_eq!(image_names(&world, "web").await.len(), 150);
    // Another service has a quota of its own.
    service(&world, "other").await;
    register(&world, "other", "www", &digest).await;
    delete(&world, "web", ":web.www.77").await;
    // What was refused took no number.
    let image = register(&world, "web", "www", &digest).await;
    assert_eq!(image["image"], ":web.www.151");
}

#[tokio::test]
async fn registrations_at_once_get_numbers_of_their_own() {
    const AT_ONCE: usize = 24;
    for scope in ["label", "service"] {
        let world = builder_with_scope(scope).start().await;
        service(&world, "web").await;
        let digest = push(&world, "one").await.digest;
        let calls = (0..AT_ONCE).map(|_| register(&world, "web", "www", &digest));
        let made = futures_util::future::join_all(calls).await;
        let names = made.iter().map(|image| image["image"].to_string());
        let expected = (1..=AT_ONCE).map(|version| format!("\":web.www.{version}\""));
        assert_eq!(
            names.collect::<BTreeSet<_>>(),
            expected.collect::<BTreeSet<_>>()
        );
        assert_eq!(image_names(&world, "web").await.len(), AT_ONCE);
    }
}

#[tokio::test]
async fn states_in_which_images_are_registered() {
    let (world, digest) = bench().await;
    let mut version = 0;
    let mut register_in = async |world: &World, state: &str| {
        assert_eq!(get(world, "web").await["state"], state);
        version += 1;
        let image = register(world, "web", "www", &digest).await;
        assert_eq!(image["image"], format!(":web.www.{version}"));
    };
    register_in(&world, "READY").await;
    let body = crate::api::lightsail::deployment("web", ":web.www.1");
    ok(&world, "CreateContainerServiceDeployment", body).await;
    register_in(&world, "DEPLOYING").await;
    settle(&world).await;
    register_in(&world, "RUNNING").await;
    let body = json!({ "serviceName": "web", "isDisabled": true });
    ok(&world, "UpdateContainerService", body).await;
    register_in(&world, "UPDATING").await;
    settle(&world).await;
    register_in(&world, "DISABLED").await;

    let body = json!({ "serviceName": "new", "power": "nano", "scale": 1 });
    ok(&world, "CreateContainerService", body).await;
    assert_eq!(get(&world, "new").await["state"], "PENDING");
    register(&world, "new", "www", &digest).await;
    settle(&world).await;
    ok(
        &world,
        "DeleteContainerService",
        json!({ "serviceName": "new" }),
    )
    .await;
    let body = registration("new", "www", &digest);
    conflict_text(&refused(&world, "RegisterContainerImage", body).await);
}

#[tokio::test]
async fn an_index_is_registered_with_all_its_children_only() {
    let (world, _) = bench().await;
    let basic = basic(&login(&world).await);
    let (amd, arm) = (Layout::image("amd"), Layout::image("arm"));
    let index = images::index(&[&amd.manifest, &arm.manifest]);
    push_with(&world, &basic, &amd, "amd").await;
    let refused_index = put_manifest(&world, &basic, "multi", &index).await;
    assert!(
        [400, 404].contains(&refused_index.status.as_u16()),
        "{refused_index:?}"
    );
    push_with(&world, &basic, &arm, "arm").await;
    put_manifest(&world, &basic, "multi", &index)
        .await
        .expect(201);
    let image = register(&world, "web", "www", &index.digest).await;
    assert_eq!(
        timeless(image),
        json!({ "image": ":web.www.1", "digest": index.digest, "createdAt": "TIME" })
    );
}

#[tokio::test]
async fn tags_of_pushes_are_thrown_away_but_may_be_anything() {
    let (world, _) = bench().await;
    let basic = basic(&login(&world).await);
    let layout = Layout::image("two");
    let long = "x".repeat(128);
    let tags = [
        "1700000000000000001-0123456789abc",
        "latest",
        "v1.0_x",
        long.as_str(),
    ];
    for tag in tags {
        push_with(&world, &basic, &layout, tag).await;
    }
    register(&world, "web", "www", &layout.manifest.digest).await;
    // A later push may use the same tag for something else: names stay with their digest.
    push_with(&world, &basic, &Layout::image("three"), "latest").await;
    let listed = ok(
        &world,
        "GetContainerImages",
        json!({ "serviceName": "web" }),
    )
    .await;
    let digest = &listed["containerImages"][0]["digest"];
    assert_eq!(digest, layout.manifest.digest.as_str());
}

#[tokio::test]
async fn the_hidden_repository_is_not_one_of_ecr() {
    let (world, digest) = bench().await;
    register(&world, "web", "www", &digest).await;
    let listed = world
        .ecr("DescribeRepositories", json!({}))
        .await
        .expect(200);
    assert_eq!(listed.json(), json!({ "repositories": [] }));
    let body = json!({ "repositoryName": "sr" });
    let answer = world.ecr("DescribeImages", body.clone()).await;
    assert_eq!(answer.code().1, "RepositoryNotFoundException");
    // One of the same name does not show the other's content.
    world
        .ecr("CreateRepository", body.clone())
        .await
        .expect(200);
    let listed = world.ecr("ListImages", body).await.expect(200);
    assert_eq!(listed.json(), json!({ "imageIds": [] }));
    let account = world.basic(&world.credentials).await;
    let path = format!("/v2/sr/manifests/{digest}");
    let read = oci(&world, &account, (Method::GET, &path), ("", "".into())).await;
    assert_eq!(read.status, 404, "{read:?}");
}
