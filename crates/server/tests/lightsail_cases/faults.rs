//! The store fails (design decision 22): ServiceException, no half of a change, no number lost, and
//! services that come to rest all the same.

use roadstead_store::fault::When;
use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{
    call, deploy, deployment, get, image_names, push, register, registration, service, settle,
    try_step, world,
};

/// `web` with the image `:web.www.1`, RUNNING, and what a client reads of it.
async fn bench() -> (World, String) {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    register(&world, "web", "www", &digest).await;
    deploy(&world, "web", ":web.www.1").await;
    (world, digest)
}

fn changes(digest: &str) -> [(&'static str, Value); 8] {
    let web = || json!({ "serviceName": "web" });
    [
        (
            "CreateContainerService",
            json!({ "serviceName": "new", "power": "nano", "scale": 1 }),
        ),
        (
            "UpdateContainerService",
            json!({ "serviceName": "web", "scale": 2 }),
        ),
        ("RegisterContainerImage", registration("web", "www", digest)),
        (
            "CreateContainerServiceDeployment",
            deployment("web", ":web.www.1"),
        ),
        (
            "TagResource",
            json!({ "resourceName": "web", "tags": [{ "key": "a" }] }),
        ),
        ("GetContainerServices", web()),
        ("GetContainerImages", web()),
        ("DeleteContainerService", web()),
    ]
}

#[tokio::test]
async fn it_is_our_fault_and_nothing_happened() {
    let (world, digest) = bench().await;
    let before = get(&world, "web").await;
    for (operation, body) in changes(&digest) {
        world.faults.fail_all(When::Before);
        let answer = call(&world, operation, body).await;
        world.faults.clear();
        let expected = (500, "ServiceException".to_owned());
        assert_eq!(answer.code(), expected, "{operation}: {}", answer.text());
        assert_eq!(
            answer.json()["message"],
            "The server could not complete the request"
        );
    }
    assert_eq!(get(&world, "web").await, before);
    assert_eq!(image_names(&world, "web").await, [":web.www.1"]);
    let image = register(&world, "web", "www", &digest).await;
    assert_eq!(image["image"], ":web.www.2");
}

#[tokio::test]
async fn a_fault_at_every_call_of_a_registration() {
    let (world, digest) = bench().await;
    let mut faults = 0;
    for nth in 1..40 {
        world.faults.fail_nth(nth, When::Before);
        let body = registration("web", "www", &digest);
        let answer = call(&world, "RegisterContainerImage", body).await;
        world.faults.clear();
        if answer.status == 200 {
            break;
        }
        faults += 1;
        assert_eq!(answer.code(), (500, "ServiceException".to_owned()));
        assert_eq!(image_names(&world, "web").await, [":web.www.1"]);
    }
    assert!((1..39).contains(&faults), "{faults} faults");
    assert_eq!(
        image_names(&world, "web").await,
        [":web.www.2", ":web.www.1"]
    );
}

#[tokio::test]
async fn services_come_to_rest_whatever_fails_on_the_way() {
    for nth in 1..25 {
        let (world, _) = bench().await;
        let body = deployment("web", ":web.www.1");
        call(&world, "CreateContainerServiceDeployment", body)
            .await
            .expect(200);
        world.faults.fail_nth(nth, When::Before);
        for _ in 0..3 {
            let _ = try_step(&world).await;
        }
        world.faults.clear();
        settle(&world).await;
        let service = get(&world, "web").await;
        assert_eq!(service["state"], "RUNNING", "{nth}");
        assert_eq!(service["currentDeployment"]["version"], 2, "{nth}");
        assert_eq!(service.get("nextDeployment"), None, "{nth}");
    }
}
