//! Deployments one after the other (lightsail-containers.md 6.2): numbers, states, the list.

use roadstead_testkit::World;
use serde_json::json;

use crate::api::lightsail::{
    builder_that_fails, deploy, deployment, deployments, echoed, get, ok, push, register, service,
    settle, step, timeless, world,
};

async fn with_images(world: &World) {
    service(world, "web").await;
    let digest = push(world, "one").await.digest;
    for _ in 0..2 {
        register(world, "web", "www", &digest).await;
    }
}

fn states(pairs: &[(i64, &str)]) -> Vec<(i64, String)> {
    pairs
        .iter()
        .map(|(version, state)| (*version, (*state).to_owned()))
        .collect()
}

#[tokio::test]
async fn none_at_first() {
    let world = world().await;
    service(&world, "web").await;
    let body = json!({ "serviceName": "web" });
    let listed = ok(&world, "GetContainerServiceDeployments", body).await;
    assert_eq!(listed, json!({ "deployments": [] }));
}

#[tokio::test]
async fn the_old_one_serves_until_the_new_one_does() {
    let world = world().await;
    with_images(&world).await;
    deploy(&world, "web", ":web.www.1").await;
    let body = deployment("web", ":web.www.2");
    ok(&world, "CreateContainerServiceDeployment", body).await;
    let both = states(&[(2, "ACTIVATING"), (1, "ACTIVE")]);
    assert_eq!(deployments(&world, "web").await, both);
    // No other pair is ever seen.
    let done = states(&[(2, "ACTIVE"), (1, "INACTIVE")]);
    let mut seen = vec![];
    for _ in 0..60 {
        let now = deployments(&world, "web").await;
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        step(&world).await;
    }
    assert_eq!(seen, [both, done]);
    let service = get(&world, "web").await;
    assert_eq!(service["currentDeployment"]["version"], 2);
    assert_eq!(service.get("nextDeployment"), None);
    let body = json!({ "serviceName": "web" });
    let listed = ok(&world, "GetContainerServiceDeployments", body).await;
    assert_eq!(
        timeless(listed),
        json!({
            "deployments": [
                echoed(2, "ACTIVE", ":web.www.2"),
                echoed(1, "INACTIVE", ":web.www.1"),
            ],
        })
    );
}

#[tokio::test]
async fn the_newest_50_are_kept() {
    let world = world().await;
    with_images(&world).await;
    for _ in 0..53 {
        deploy(&world, "web", ":web.www.latest").await;
    }
    let listed = deployments(&world, "web").await;
    let versions: Vec<i64> = listed.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (4..=53).rev().collect::<Vec<_>>());
    assert_eq!(listed[0].1, "ACTIVE");
    assert!(listed[1..].iter().all(|(_, state)| state == "INACTIVE"));
}

#[tokio::test]
async fn what_serves_is_kept_however_old() {
    let world = world().await;
    with_images(&world).await;
    deploy(&world, "web", ":web.www.1").await;
    let current = get(&world, "web").await["currentDeployment"].clone();
    // Disabling and enabling makes no version.
    for is_disabled in [true, false] {
        let body = json!({ "serviceName": "web", "isDisabled": is_disabled });
        ok(&world, "UpdateContainerService", body).await;
        settle(&world).await;
    }
    assert_eq!(get(&world, "web").await["currentDeployment"], current);
    assert_eq!(deployments(&world, "web").await, states(&[(1, "ACTIVE")]));
}

#[tokio::test]
async fn failures_count_and_are_kept() {
    let world = builder_that_fails().start().await;
    with_images(&world).await;
    for _ in 0..3 {
        deploy(&world, "web", ":web.www.1").await;
    }
    assert_eq!(
        deployments(&world, "web").await,
        states(&[(3, "FAILED"), (2, "FAILED"), (1, "FAILED")])
    );
    let service = get(&world, "web").await;
    assert_eq!(service["state"], "READY");
    assert_eq!(service.get("currentDeployment"), None);
    assert_eq!(service.get("nextDeployment"), None);
}

#[tokio::test]
async fn every_service_counts_for_itself() {
    let world = world().await;
    service(&world, "web").await;
    service(&world, "api").await;
    for (name, expected) in [("web", 1), ("web", 2), ("api", 1), ("web", 3)] {
        deploy(&world, name, "nginx:latest").await;
        let current = &get(&world, name).await["currentDeployment"];
        assert_eq!(current["version"], expected);
    }
    ok(
        &world,
        "DeleteContainerService",
        json!({ "serviceName": "web" }),
    )
    .await;
    settle(&world).await;
    service(&world, "web").await;
    deploy(&world, "web", "nginx:latest").await;
    assert_eq!(deployments(&world, "web").await, states(&[(1, "ACTIVE")]));
}
