//! Every rule of Lightsail's model, broken one at a time over the wire, and whatever else the model
//! permits: only errors that the operation declares, nothing changed by a refusal, never a 500.
//!
//! The probes come from the model; that they break what they say is the model crate's own test.

use roadstead_api_model::probe::{Probe, minimal, of_shape, probes};
use roadstead_api_model::{Operation, Service};
use roadstead_testkit::{Answer, World};
use serde_json::{Value, json};

use crate::api::lightsail::{
    builder_with_scope, call, deploy, get, ok, push, register, service, settle,
};

/// The fourteen of the reference and three that clients need besides.
const OFFERED: [&str; 17] = [
    "CreateContainerService",
    "CreateContainerServiceDeployment",
    "CreateContainerServiceRegistryLogin",
    "DeleteContainerImage",
    "DeleteContainerService",
    "GetContainerAPIMetadata",
    "GetContainerImages",
    "GetContainerLog",
    "GetContainerServiceDeployments",
    "GetContainerServiceMetricData",
    "GetContainerServicePowers",
    "GetContainerServices",
    "GetRegions",
    "RegisterContainerImage",
    "TagResource",
    "UntagResource",
    "UpdateContainerService",
];

fn offered() -> impl Iterator<Item = Operation> {
    let is_ours = |operation: &Operation| operation.service() == Service::Lightsail;
    Operation::ALL
        .into_iter()
        .filter(|operation| operation.is_offered())
        .filter(is_ours)
}

/// A world with a running service of the name in the minimal body, and that name.
async fn world_for(operation: Operation) -> (World, String) {
    let world = builder_with_scope("label").start().await;
    let minimal = minimal(operation);
    let named = |member: &str| minimal[member].as_str().map(str::to_owned);
    let name = named("serviceName").or_else(|| named("resourceName"));
    let name = name.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "web".to_owned());
    service(&world, &name).await;
    let digest = push(&world, "one").await.digest;
    register(&world, &name, "www", &digest).await;
    deploy(&world, &name, &format!(":{name}.www.1")).await;
    (world, name)
}

/// What a client can see.
async fn seen(world: &World, name: &str) -> Value {
    let body = json!({ "serviceName": name });
    json!([
        ok(world, "GetContainerServices", json!({})).await,
        ok(world, "GetContainerImages", body.clone()).await,
        ok(world, "GetContainerServiceDeployments", body).await,
    ])
}

#[track_caller]
fn assert_modelled(operation: Operation, what: &str, answer: &Answer) {
    let shown = || format!("{operation:?}: {what:.200}: {}", answer.text());
    if answer.status == 200 {
        return;
    }
    let (status, type_) = answer.code();
    assert_eq!(status, 400, "{}", shown());
    assert!(operation.errors().contains(&type_.as_str()), "{}", shown());
    let body = answer.json();
    for member in ["code", "message"] {
        let text = body[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{member}: {}", shown());
    }
}

#[test]
fn all_operations_are_offered() {
    let mut names: Vec<&str> = offered().map(Operation::name).collect();
    names.sort_unstable();
    assert_eq!(names, OFFERED);
}

#[tokio::test]
async fn every_broken_rule_is_refused_by_name() {
    let mut sent = 0;
    for operation in offered() {
        let (world, name) = world_for(operation).await;
        let before = seen(&world, &name).await;
        for Probe {
            body,
            refusal,
            what,
        } in probes(operation)
        {
            assert!(refusal.is_some(), "a probe that breaks a rule");
            let answer = call(&world, operation.name(), body).await;
            // Only modelled errors, even for a value of a wrong type.
            assert_eq!(
                answer.code(),
                (400, "InvalidInputException".to_owned()),
                "{operation:?}: {what}: {}",
                answer.text()
            );
            assert_eq!(answer.json()["code"], "InvalidParameterValue", "{what}");
            // It takes no input, and declares no error for a wrong one.
            if operation != Operation::LightsailGetContainerAPIMetadata {
                assert_modelled(operation, &what, &answer);
            }
            sent += 1;
        }
        assert_eq!(seen(&world, &name).await, before, "{operation:?}");
    }
    // 17 operations with a few rules each; far fewer means that probes went missing.
    assert!(sent > 150, "only {sent} probes");
}

#[tokio::test]
async fn what_the_model_permits_is_answered_or_refused_as_declared() {
    for operation in offered() {
        let (world, _) = world_for(operation).await;
        for probe in of_shape(Service::Lightsail, operation.input_shape()) {
            if probe.refusal.is_none() {
                let answer = call(&world, operation.name(), probe.body).await;
                assert_modelled(operation, &probe.what, &answer);
                settle(&world).await;
            }
        }
    }
}

/// Strings that break whoever takes them for something else.
fn odd_strings() -> [String; 12] {
    [
        String::new(),
        " ".into(),
        "\u{0}".into(),
        "\u{202e}\u{1f6a2}".into(),
        "a'; DROP TABLE services; --".into(),
        "../../etc/passwd".into(),
        "%2e%2e".into(),
        "{}".into(),
        ":".repeat(1000),
        "9".repeat(400),
        "a".repeat(100_000),
        "[deployment:1] ?a -b \"".into(),
    ]
}

#[tokio::test]
async fn odd_strings_everywhere() {
    for operation in offered() {
        let (world, name) = world_for(operation).await;
        // As deep as the longest of what the model permits goes.
        let bodies: Vec<Value> = of_shape(Service::Lightsail, operation.input_shape())
            .into_iter()
            .filter(|probe| probe.refusal.is_none())
            .map(|probe| probe.body)
            .collect();
        for pointer in string_places(&bodies) {
            let whole = bodies.iter().find(|body| is_text(body, &pointer));
            for odd in odd_strings() {
                let mut body = whole.expect("the body of this place").clone();
                *body.pointer_mut(&pointer).expect("the place") = odd.clone().into();
                let answer = call(&world, operation.name(), body).await;
                assert_modelled(operation, &format!("{pointer} {odd}"), &answer);
                settle(&world).await;
            }
        }
        let is_deleting = operation.name().starts_with("Delete");
        if !is_deleting {
            assert_eq!(
                get(&world, &name).await["containerServiceName"],
                name.as_str()
            );
        }
    }
}

fn is_text(body: &Value, pointer: &str) -> bool {
    body.pointer(pointer).is_some_and(Value::is_string)
}

/// Every place of a string in these bodies, once.
fn string_places(bodies: &[Value]) -> Vec<String> {
    let mut places = vec![];
    for body in bodies {
        collect(body, String::new(), &mut places);
    }
    places.sort_unstable();
    places.dedup();
    places
}

fn collect(value: &Value, pointer: String, places: &mut Vec<String>) {
    match value {
        Value::String(_) => places.push(pointer),
        Value::Array(items) => {
            if let Some(first) = items.first() {
                collect(first, format!("{pointer}/0"), places);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(value, format!("{pointer}/{name}"), places);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn a_member_that_is_not_known_is_ignored() {
    let operation = Operation::LightsailGetContainerImages;
    let (world, name) = world_for(operation).await;
    let plain = json!({ "serviceName": name });
    let expected = ok(&world, "GetContainerImages", plain).await;
    let more = json!({ "serviceName": name, "surprise": [{}], "pageToken": null });
    assert_eq!(ok(&world, "GetContainerImages", more).await, expected);
}
