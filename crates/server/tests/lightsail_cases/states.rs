//! The states of a service and the ways between them (lightsail-containers.md 5.3): nothing else is
//! ever seen in between, and a call that comes too early says that it may come again.

use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{
    assert_try_again, builder_that_fails, deploy, deployment, deployments, echoed, get, masked, ok,
    push, ready, refused, register, service, settle, step, world,
};

/// `web`, READY, with the images `:web.www.1` and `:web.www.2`.
async fn bench() -> World {
    let world = world().await;
    with_images(&world).await;
    world
}

async fn with_images(world: &World) {
    service(world, "web").await;
    let digest = push(world, "one").await.digest;
    for _ in 0..2 {
        register(world, "web", "www", &digest).await;
    }
}

async fn update(world: &World, mut body: Value) -> Value {
    body["serviceName"] = "web".into();
    let answer = ok(world, "UpdateContainerService", body).await;
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1));
    answer["containerService"].clone()
}

/// The states that are seen from now until nothing changes any more, without repetitions.
async fn states(world: &World) -> Vec<String> {
    let mut seen: Vec<String> = vec![];
    for _ in 0..60 {
        let state = get(world, "web").await["state"].clone();
        let state = state.as_str().expect("a state").to_owned();
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        step(world).await;
    }
    seen
}

#[tokio::test]
async fn ready_to_running_and_on() {
    let world = bench().await;
    for (image, before) in [(":web.www.1", "READY"), (":web.www.2", "RUNNING")] {
        assert_eq!(get(&world, "web").await["state"], before);
        let body = deployment("web", image);
        ok(&world, "CreateContainerServiceDeployment", body).await;
        assert_eq!(states(&world).await, ["DEPLOYING", "RUNNING"]);
    }
}

#[tokio::test]
async fn an_update_of_a_ready_service() {
    let world = bench().await;
    let updating = update(&world, json!({ "power": "micro", "scale": 2 })).await;
    let mut expected = ready("web");
    expected["state"] = "UPDATING".into();
    expected["power"] = "micro".into();
    expected["powerId"] = "micro-1".into();
    expected["scale"] = 2.into();
    assert_eq!(masked(&updating), expected);
    assert_eq!(states(&world).await, ["UPDATING", "READY"]);
    expected["state"] = "READY".into();
    assert_eq!(masked(&get(&world, "web").await), expected);
}

#[tokio::test]
async fn what_an_update_leaves_out_stays() {
    let world = bench().await;
    update(&world, json!({ "power": "small" })).await;
    settle(&world).await;
    let answer = update(&world, json!({ "scale": 3 })).await;
    assert_eq!(answer["power"], "small");
    assert_eq!(answer["scale"], 3);
    settle(&world).await;
    // As Terraform sends it, with everything as it is.
    update(
        &world,
        json!({ "power": "small", "scale": 3, "isDisabled": false }),
    )
    .await;
    settle(&world).await;
    let after = get(&world, "web").await;
    assert_eq!(after["state"], "READY");
    assert_eq!(after["power"], "small");
    assert_eq!(after["scale"], 3);
    assert_eq!(after["isDisabled"], false);
}

#[tokio::test]
async fn another_power_needs_no_other_deployment() {
    let world = bench().await;
    deploy(&world, "web", ":web.www.1").await;
    let answer = update(&world, json!({ "power": "large", "scale": 20 })).await;
    assert_eq!(answer["state"], "UPDATING");
    assert_eq!(answer["currentDeployment"]["version"], 1);
    assert_eq!(states(&world).await, ["UPDATING", "RUNNING"]);
    assert_eq!(deployments(&world, "web").await, [(1, "ACTIVE".to_owned())]);
}

#[tokio::test]
async fn disabled_and_enabled_without_a_deployment() {
    let world = bench().await;
    update(&world, json!({ "isDisabled": true })).await;
    assert_eq!(states(&world).await, ["UPDATING", "DISABLED"]);
    // An update that says nothing about it leaves it disabled.
    update(&world, json!({ "scale": 2 })).await;
    assert_eq!(states(&world).await, ["UPDATING", "DISABLED"]);
    let answer = update(&world, json!({ "isDisabled": false })).await;
    assert_eq!(answer["isDisabled"], false);
    assert_eq!(states(&world).await, ["UPDATING", "READY"]);
}

#[tokio::test]
async fn disabled_and_enabled_with_a_deployment() {
    let world = bench().await;
    deploy(&world, "web", ":web.www.1").await;
    let mut expected = ready("web");
    expected["currentDeployment"] = echoed(1, "ACTIVE", ":web.www.1");
    update(&world, json!({ "isDisabled": true })).await;
    assert_eq!(states(&world).await, ["UPDATING", "DISABLED"]);
    expected["state"] = "DISABLED".into();
    expected["isDisabled"] = true.into();
    assert_eq!(masked(&get(&world, "web").await), expected);
    update(&world, json!({ "isDisabled": false })).await;
    assert_eq!(states(&world).await, ["UPDATING", "RUNNING"]);
    expected["state"] = "RUNNING".into();
    expected["isDisabled"] = false.into();
    assert_eq!(masked(&get(&world, "web").await), expected);
}

#[tokio::test]
async fn calls_that_come_too_early() {
    let world = bench().await;
    deploy(&world, "web", ":web.www.1").await;
    let change = json!({ "serviceName": "web", "scale": 2 });
    let next = deployment("web", ":web.www.2");
    // While it is updated.
    ok(&world, "UpdateContainerService", change.clone()).await;
    assert_try_again(&refused(&world, "UpdateContainerService", change.clone()).await);
    assert_try_again(&refused(&world, "CreateContainerServiceDeployment", next.clone()).await);
    settle(&world).await;
    // While a deployment is on its way.
    ok(&world, "CreateContainerServiceDeployment", next.clone()).await;
    assert_try_again(&refused(&world, "UpdateContainerService", change.clone()).await);
    assert_try_again(&refused(&world, "CreateContainerServiceDeployment", next.clone()).await);
    settle(&world).await;
    assert_eq!(get(&world, "web").await["currentDeployment"]["version"], 2);
    // While it is made.
    let body = json!({ "serviceName": "new", "power": "nano", "scale": 1 });
    ok(&world, "CreateContainerService", body).await;
    let change = json!({ "serviceName": "new", "scale": 2 });
    assert_try_again(&refused(&world, "UpdateContainerService", change).await);
    let first = deployment("new", "nginx:latest");
    assert_try_again(&refused(&world, "CreateContainerServiceDeployment", first).await);
}

#[tokio::test]
async fn the_running_number_is_named() {
    let world = bench().await;
    for version in 1..=3 {
        let body = deployment("web", ":web.www.1");
        ok(&world, "CreateContainerServiceDeployment", body.clone()).await;
        let said = refused(&world, "CreateContainerServiceDeployment", body).await;
        let expected = format!(
            "Sorry, deployment {version} is in progress for service \"web\". Please wait for it \
             to complete before trying again."
        );
        assert_eq!(said["message"], expected);
        settle(&world).await;
    }
}

#[tokio::test]
async fn a_service_goes_from_every_state() {
    for state in [
        "PENDING",
        "READY",
        "DEPLOYING",
        "RUNNING",
        "UPDATING",
        "DISABLED",
    ] {
        let world = match state {
            "PENDING" => {
                let world = world().await;
                let body = json!({ "serviceName": "web", "power": "nano", "scale": 1 });
                ok(&world, "CreateContainerService", body).await;
                world
            }
            _ => bench().await,
        };
        match state {
            "DEPLOYING" => {
                let body = deployment("web", ":web.www.1");
                ok(&world, "CreateContainerServiceDeployment", body).await;
            }
            "RUNNING" => deploy(&world, "web", ":web.www.1").await,
            "UPDATING" => drop(update(&world, json!({ "scale": 2 })).await),
            "DISABLED" => {
                update(&world, json!({ "isDisabled": true })).await;
                settle(&world).await;
            }
            _ => {}
        }
        assert_eq!(get(&world, "web").await["state"], state);
        let body = json!({ "serviceName": "web" });
        ok(&world, "DeleteContainerService", body.clone()).await;
        settle(&world).await;
        let said = refused(&world, "GetContainerServices", body).await;
        assert_eq!(said["__type"], "NotFoundException", "{state}");
    }
}

#[tokio::test]
async fn what_is_being_deleted_takes_no_orders() {
    let world = bench().await;
    let body = json!({ "serviceName": "web" });
    ok(&world, "DeleteContainerService", body).await;
    for (operation, body) in [
        (
            "UpdateContainerService",
            json!({ "serviceName": "web", "scale": 2 }),
        ),
        (
            "CreateContainerServiceDeployment",
            deployment("web", ":web.www.1"),
        ),
    ] {
        let said = refused(&world, operation, body).await;
        let type_ = said["__type"].as_str().unwrap_or_default();
        let right = ["InvalidInputException", "NotFoundException"];
        assert!(right.contains(&type_), "{operation}: {said}");
    }
    settle(&world).await;
    let listed = ok(&world, "GetContainerServices", json!({})).await;
    assert_eq!(listed, json!({ "containerServices": [] }));
}

#[tokio::test]
async fn a_failed_deployment_leaves_the_service_as_it_was() {
    let world = builder_that_fails().start().await;
    with_images(&world).await;
    for version in 1..=2 {
        let body = deployment("web", ":web.www.1");
        let answer = ok(&world, "CreateContainerServiceDeployment", body).await;
        let next = &answer["containerService"]["nextDeployment"];
        assert_eq!(next["version"], version);
        assert_eq!(states(&world).await, ["DEPLOYING", "READY"]);
        // Neither deployment is current or next.
        assert_eq!(masked(&get(&world, "web").await), ready("web"));
    }
    let failed = [(2, "FAILED".to_owned()), (1, "FAILED".to_owned())];
    assert_eq!(deployments(&world, "web").await, failed);
    // A failed one protects no image.
    let body = json!({ "serviceName": "web", "image": ":web.www.1" });
    ok(&world, "DeleteContainerImage", body).await;
}
