//! E4 for Lightsail: only errors that the operation declares, nothing changed by a refusal.

use roadstead_api_model::probe::{Probe, minimal, of_shape, probes};
use roadstead_api_model::{Operation, Service};
use roadstead_testkit::{Answer, World};
use serde_json::{Value, json};

use super::odd;
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
fn e4_all_operations_of_lightsail_are_offered() {
    let mut names: Vec<&str> = offered().map(Operation::name).collect();
    names.sort_unstable();
    assert_eq!(names, OFFERED);
}

#[tokio::test]
async fn e4_every_broken_rule_of_lightsail_is_refused_by_name() {
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
async fn e4_what_lightsails_model_permits_is_answered_or_refused_as_declared() {
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

#[tokio::test]
async fn e4_odd_values_everywhere_in_lightsail() {
    for operation in offered() {
        let (world, name) = world_for(operation).await;
        for (what, body) in odd::bodies(operation) {
            let answer = call(&world, operation.name(), body).await;
            assert_modelled(operation, &what, &answer);
            settle(&world).await;
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

#[tokio::test]
async fn e4_a_member_that_lightsail_does_not_know_is_ignored() {
    let operation = Operation::LightsailGetContainerImages;
    let (world, name) = world_for(operation).await;
    let plain = json!({ "serviceName": name });
    let expected = ok(&world, "GetContainerImages", plain).await;
    let more = json!({ "serviceName": name, "surprise": [{}], "pageToken": null });
    assert_eq!(ok(&world, "GetContainerImages", more).await, expected);
}
