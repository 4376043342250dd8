//! Who may call (lightsail-containers.md 1.1; design decision 20): no credentials, bad ones, a
//! disabled key, and bodies that are none.

use bytes::Bytes;
use http::header;
use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_testkit::{Answer, Credentials, World, client};
use serde_json::{Value, json};

use crate::api::lightsail::{
    LIGHTSAIL, call_as, get, masked, ready, service, signed, signed_for, world,
};

/// The operations of the reference and the three that its clients need besides.
const OPERATIONS: [&str; 17] = [
    "CreateContainerService",
    "UpdateContainerService",
    "DeleteContainerService",
    "GetContainerServices",
    "GetContainerServicePowers",
    "GetContainerAPIMetadata",
    "CreateContainerServiceRegistryLogin",
    "RegisterContainerImage",
    "GetContainerImages",
    "DeleteContainerImage",
    "CreateContainerServiceDeployment",
    "GetContainerServiceDeployments",
    "GetContainerLog",
    "GetContainerServiceMetricData",
    "TagResource",
    "UntagResource",
    "GetRegions",
];

async fn unsigned(world: &World, operation: &str) -> Value {
    let target = format!("{LIGHTSAIL}.{operation}");
    let mut request = signed(world, &world.credentials, &target, "{}".into());
    request.headers_mut().remove(header::AUTHORIZATION);
    let answer = client::send(world.address, request).await;
    assert_eq!(answer.status, 400, "{operation}: {}", answer.text());
    let type_ = answer.header("x-amzn-errortype").to_owned();
    assert_eq!(answer.json()["__type"], type_.as_str());
    answer.json()
}

#[tokio::test]
async fn nobody_in_particular() {
    let world = world().await;
    for operation in OPERATIONS {
        let body = unsigned(&world, operation).await;
        assert_eq!(body["__type"], "UnauthenticatedException", "{operation}");
        assert_eq!(body["code"], "Unauthenticated", "{operation}");
        let message = body["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{operation}");
    }
}

/// The model's error for "invalid credentials", as its documentation says.
#[track_caller]
fn assert_denied(answer: &Answer) {
    let shown = answer.text();
    assert_eq!(
        answer.code(),
        (400, "AccessDeniedException".to_owned()),
        "{shown}"
    );
    assert_eq!(answer.json()["code"], "AccessDenied", "{shown}");
}

#[tokio::test]
async fn a_disabled_key() {
    let world = world().await;
    service(&world, "web").await;
    let key = world.key_of("123456789012").await;
    let now = world.clock.now();
    world
        .registry
        .disable_access_key(&key.id, now)
        .await
        .unwrap();
    world.clock.advance(Span::seconds(5));
    let answer = call_as(&world, &key, "GetContainerServices", json!({})).await;
    assert_denied(&answer);
    assert_eq!(masked(&get(&world, "web").await), ready("web"));
}

#[tokio::test]
async fn keys_that_are_none_of_ours() {
    let world = world().await;
    let unknown = Credentials {
        id: "AKIAIOSFODNN7EXAMPLE".into(),
        ..world.credentials.clone()
    };
    let answer = call_as(&world, &unknown, "GetContainerServices", json!({})).await;
    assert_denied(&answer);
    let wrong = Credentials {
        secret: "wrong".into(),
        ..world.credentials.clone()
    };
    let answer = call_as(&world, &wrong, "GetContainerServices", json!({})).await;
    assert_denied(&answer);
}

#[tokio::test]
async fn a_signature_for_another_service() {
    let world = world().await;
    let body = Bytes::from_static(b"{}");
    let target = format!("{LIGHTSAIL}.GetContainerServices");
    let request = signed_for(&world, &world.credentials, "ecr", &target, body.clone());
    let answer = client::send(world.address, request).await;
    assert_denied(&answer);
    let message = answer.json()["message"].to_string();
    assert!(
        message.contains("correct service: 'lightsail'"),
        "{message}"
    );
    let target = "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories";
    let request = signed(&world, &world.credentials, target, body);
    let answer = client::send(world.address, request).await;
    let expected = (400, "InvalidSignatureException".to_owned());
    assert_eq!(answer.code(), expected, "{}", answer.text());
}

#[tokio::test]
async fn bodies_that_are_none() {
    let world = world().await;
    service(&world, "web").await;
    for operation in OPERATIONS {
        let target = format!("{LIGHTSAIL}.{operation}");
        let unreadable = ["", "{", "{\"serviceName\":}", "\u{0}", "{} {}"];
        let unreadable = unreadable.map(|body| (body, "SerializationException"));
        // JSON that is no object breaks the model, which has an error for that.
        let others = ["[]", "null", "\"web\"", "1", "true"];
        let others = others.map(|body| (body, "InvalidInputException"));
        for (body, expected) in unreadable.into_iter().chain(others) {
            let request = signed(&world, &world.credentials, &target, body.into());
            let answer = client::send(world.address, request).await;
            assert_eq!(
                answer.code(),
                (400, expected.to_owned()),
                "{operation} {body:?}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(masked(&get(&world, "web").await), ready("web"));
}
