//! Calls that meet: of two that exclude each other one works, whichever it is.

use std::time::Duration;

use futures_util::future::join_all;
use roadstead_testkit::{Answer, World};
use serde_json::{Value, json};

use crate::api::lightsail::{
    call, deployment, deployments, get, image_names, ok, push, register, service, settle, world,
};

const ROUNDS: usize = 12;

/// How many of these calls at once work; the others must be refused with this type.
async fn succeed(world: &World, calls: Vec<(&str, Value)>, refusal: &str) -> usize {
    let calls = calls
        .into_iter()
        .map(|(operation, body)| call(world, operation, body));
    let answers = join_all(calls).await;
    let (good, bad): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    for answer in bad {
        assert_eq!(answer.code(), (400, refusal.to_owned()), "{answer:?}");
    }
    good.len()
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let world = world().await;
    let body = json!({ "serviceName": "web", "power": "nano", "scale": 1 });
    let calls = vec![("CreateContainerService", body); ROUNDS];
    assert_eq!(succeed(&world, calls, "InvalidInputException").await, 1);
    settle(&world).await;
    let listed = ok(&world, "GetContainerServices", json!({})).await;
    assert_eq!(
        listed["containerServices"].as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn one_deployment_is_on_its_way() {
    let world = world().await;
    service(&world, "web").await;
    for version in 1..=3 {
        let body = deployment("web", "nginx:latest");
        let calls = vec![("CreateContainerServiceDeployment", body); ROUNDS];
        assert_eq!(succeed(&world, calls, "InvalidInputException").await, 1);
        settle(&world).await;
        // Those that were refused took no number.
        assert_eq!(
            deployments(&world, "web").await[0],
            (version, "ACTIVE".to_owned())
        );
    }
}

#[tokio::test]
async fn an_image_is_deleted_once() {
    let world = world().await;
    service(&world, "web").await;
    let digest = push(&world, "one").await.digest;
    register(&world, "web", "www", &digest).await;
    let body = json!({ "serviceName": "web", "image": ":web.www.1" });
    let calls = vec![("DeleteContainerImage", body); ROUNDS];
    assert_eq!(succeed(&world, calls, "NotFoundException").await, 1);
    assert_eq!(image_names(&world, "web").await, [""; 0]);
}

#[tokio::test]
async fn an_image_is_deployed_or_deleted() {
    let world = world().await;
    service(&world, "web").await;
    let mut outcomes = [0; 2];
    for round in 0..ROUNDS {
        let digest = push(&world, "one").await.digest;
        let image = register(&world, "web", "www", &digest).await["image"].clone();
        let image = image.as_str().expect("a name");
        let body = json!({ "serviceName": "web", "image": image });
        let delete = async {
            // Which comes first differs from round to round.
            tokio::time::sleep(Duration::from_micros(150 * round as u64)).await;
            call(&world, "DeleteContainerImage", body).await
        };
        let deploy = call(
            &world,
            "CreateContainerServiceDeployment",
            deployment("web", image),
        );
        let (deleted, deployed) = tokio::join!(delete, deploy);
        let is_deployed = deployed.status == 200;
        assert_ne!(
            is_deployed,
            deleted.status == 200,
            "{deployed:?} {deleted:?}"
        );
        let names = image_names(&world, "web").await;
        assert_eq!(names.contains(&image.to_owned()), is_deployed);
        outcomes[usize::from(is_deployed)] += 1;
        settle(&world).await;
        if is_deployed {
            let current = &get(&world, "web").await["currentDeployment"];
            assert_eq!(current["containers"]["app"]["image"], image);
        }
    }
    assert_eq!(outcomes.iter().sum::<usize>(), ROUNDS);
}

#[tokio::test]
async fn registrations_meet_the_end_of_their_service() {
    let world = world().await;
    for _ in 0..ROUNDS {
        service(&world, "web").await;
        let digest = push(&world, "one").await.digest;
        let body = json!({ "serviceName": "web", "label": "www", "digest": digest });
        let delete = json!({ "serviceName": "web" });
        let registrations = (0..4).map(|_| call(&world, "RegisterContainerImage", body.clone()));
        let (answers, deleted) = tokio::join!(
            join_all(registrations),
            call(&world, "DeleteContainerService", delete)
        );
        assert_eq!(deleted.status, 200, "{deleted:?}");
        for answer in answers {
            assert!(
                answer.status == 200 || answer.status == 400,
                "{}",
                answer.text()
            );
        }
        settle(&world).await;
        let listed = ok(&world, "GetContainerServices", json!({})).await;
        assert_eq!(listed, json!({ "containerServices": [] }));
    }
}
