//! What protects an image from deletion (lightsail-containers.md 4.3): the deployment that is
//! current and the one on its way, by the name that it resolved to, and nothing else.

use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{
    conflict, conflict_text, deploy, deployment, deployments, image_names, not_found_text, ok,
    push, refused, register, service, settle, step, world,
};

/// `web` with versions 1 to 3 of one digest under the label `www`.
async fn bench() -> World {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    for _ in 0..3 {
        register(&world, "web", "www", &digest).await;
    }
    world
}

fn named(image: &str) -> Value {
    json!({ "serviceName": "web", "image": image })
}

fn in_use(image: &str) -> Value {
    conflict(&format!(
        "Image \"{image}\" is in use by the current deployment and cannot be deleted."
    ))
}

#[tokio::test]
async fn by_name_and_not_by_digest() {
    let world = bench().await;
    deploy(&world, "web", ":web.www.2").await;
    for image in [":web.www.1", ":web.www.3"] {
        ok(&world, "DeleteContainerImage", named(image)).await;
    }
    let said = refused(&world, "DeleteContainerImage", named(":web.www.2")).await;
    assert_eq!(said, in_use(":web.www.2"));
    assert_eq!(image_names(&world, "web").await, [":web.www.2"]);
}

#[tokio::test]
async fn by_a_deployment_that_is_on_its_way() {
    let world = bench().await;
    deploy(&world, "web", ":web.www.1").await;
    let body = deployment("web", ":web.www.2");
    ok(&world, "CreateContainerServiceDeployment", body).await;
    // Both: the new one may yet fail.
    for image in [":web.www.1", ":web.www.2"] {
        conflict_text(&refused(&world, "DeleteContainerImage", named(image)).await);
    }
    ok(&world, "DeleteContainerImage", named(":web.www.3")).await;
    settle(&world).await;
    ok(&world, "DeleteContainerImage", named(":web.www.1")).await;
    let said = refused(&world, "DeleteContainerImage", named(":web.www.2")).await;
    assert_eq!(said, in_use(":web.www.2"));
}

#[tokio::test]
async fn by_the_version_that_latest_resolved_to() {
    let world = bench().await;
    // The highest that is left, not the highest number ever given.
    ok(&world, "DeleteContainerImage", named(":web.www.3")).await;
    deploy(&world, "web", ":web.www.latest").await;
    ok(&world, "DeleteContainerImage", named(":web.www.1")).await;
    let said = refused(&world, "DeleteContainerImage", named(":web.www.2")).await;
    assert_eq!(said, in_use(":web.www.2"));
}

#[tokio::test]
async fn a_disabled_service_keeps_its_current_deployment() {
    let world = bench().await;
    deploy(&world, "web", ":web.www.1").await;
    let body = json!({ "serviceName": "web", "isDisabled": true });
    ok(&world, "UpdateContainerService", body).await;
    settle(&world).await;
    let said = refused(&world, "DeleteContainerImage", named(":web.www.1")).await;
    assert_eq!(said, in_use(":web.www.1"));
}

#[tokio::test]
async fn an_old_deployment_protects_nothing() {
    let world = bench().await;
    deploy(&world, "web", ":web.www.1").await;
    deploy(&world, "web", ":web.www.2").await;
    ok(&world, "DeleteContainerImage", named(":web.www.1")).await;
    // Deploying it again fails for want of the image.
    let body = deployment("web", ":web.www.1");
    not_found_text(&refused(&world, "CreateContainerServiceDeployment", body).await);
    let active = [(2, "ACTIVE".to_owned()), (1, "INACTIVE".to_owned())];
    assert_eq!(deployments(&world, "web").await, active);
}

#[tokio::test]
async fn every_container_protects_its_own() {
    let world = bench().await;
    let body = json!({
        "serviceName": "web",
        "containers": {
            "one": { "image": ":web.www.1" },
            "two": { "image": ":web.www.2" },
            "public": { "image": "nginx:latest" },
        },
    });
    ok(&world, "CreateContainerServiceDeployment", body).await;
    settle(&world).await;
    for image in [":web.www.1", ":web.www.2"] {
        let said = refused(&world, "DeleteContainerImage", named(image)).await;
        assert_eq!(said, in_use(image));
    }
    ok(&world, "DeleteContainerImage", named(":web.www.3")).await;
}

#[tokio::test]
async fn bytes_outlive_a_name_as_long_as_another_needs_them() {
    let mut builder = crate::api::lightsail::builder();
    builder = builder.without_grace();
    let world = builder.start().await;
    service(&world, "web").await;
    let one = push(&world, "one").await.digest;
    let two = push(&world, "two").await.digest;
    for digest in [&one, &two] {
        register(&world, "web", "www", digest).await;
    }
    register(&world, "web", "api", &two).await;
    sweep(&world).await;
    let all = world.blob_bytes();
    ok(&world, "DeleteContainerImage", named(":web.www.2")).await;
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), all, "a second name holds them");
    deploy(&world, "web", ":web.www.1").await;
    let body = json!({ "serviceName": "web" });
    let listed = ok(&world, "GetContainerServices", body.clone()).await;
    assert_eq!(listed["containerServices"][0]["state"], "RUNNING");
    ok(&world, "DeleteContainerImage", named(":web.api.1")).await;
    sweep(&world).await;
    let left = world.blob_bytes();
    assert!(left < all, "{left} of {all}");
    ok(&world, "DeleteContainerService", body).await;
    settle(&world).await;
    sweep(&world).await;
    assert_eq!(world.blob_bytes(), 0, "nothing is left of the service");
}

/// What went in this very instant waits for the next.
async fn sweep(world: &World) {
    step(world).await;
    world.sweep().await;
}
