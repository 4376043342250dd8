//! Every rule of the model, broken one at a time over the wire, for every operation of ECR that is
//! offered: the modelled 4xx each time, nothing changed, and the server still there.
//!
//! Lightsail's are in `lightsail_cases/constraints.rs`. The probes come from the model; that they
//! break what they say is the model crate's own test.

mod api;

use api::{ok, push};
use roadstead_api_model::probe::{Probe, minimal, probes};
use roadstead_api_model::{Operation, Rule, Service};
use roadstead_testkit::World;
use serde_json::{Value, json};

/// What a client can see of the only repository.
async fn seen(world: &World, name: &str) -> Value {
    let repositories = ok(world, "DescribeRepositories", json!({})).await;
    let images = ok(world, "DescribeImages", json!({ "repositoryName": name })).await;
    let arn = &repositories["repositories"][0]["repositoryArn"];
    let tags = ok(world, "ListTagsForResource", json!({ "resourceArn": arn })).await;
    json!([repositories, images, tags])
}

/// A world whose only repository is the one that the probes of `operation` name.
async fn world_for(operation: Operation) -> (World, String) {
    let world = World::start().await;
    let name = minimal(operation)["repositoryName"].clone();
    let name = name.as_str().unwrap_or("app").to_owned();
    let tags = json!([{ "Key": "k", "Value": "v" }]);
    let body = json!({ "repositoryName": name, "tags": tags });
    ok(&world, "CreateRepository", body).await;
    push(&world, &name, "content", &["a", "b"]).await;
    (world, name)
}

fn offered() -> impl Iterator<Item = Operation> {
    let is_ecr = |operation: &Operation| operation.service() == Service::Ecr;
    Operation::ALL
        .into_iter()
        .filter(|operation| operation.is_offered())
        .filter(is_ecr)
}

/// The error that one probe must meet (design decision 12; a wrong type is a serialisation error).
fn expected_code(operation: Operation, rule: &Rule) -> &'static str {
    match rule {
        Rule::WrongType(_) => "SerializationException",
        _ if operation.errors().contains(&"InvalidParameterException") => {
            "InvalidParameterException"
        }
        _ => "ValidationException",
    }
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
            let refusal = refusal.expect("a probe that breaks a rule");
            let answer = world.ecr(operation.name(), body).await;
            let text = answer.text();
            let code = expected_code(operation, &refusal.rule);
            assert_eq!(
                answer.code(),
                (400, code.to_owned()),
                "{operation:?}: {what}: {text}"
            );
            if code != "SerializationException" {
                let message = answer.json()["message"].clone();
                let message = message.as_str().unwrap_or_default();
                assert!(
                    message.starts_with("Invalid parameter at '")
                        && message.contains("' failed to satisfy constraint: '"),
                    "{operation:?}: {what}: {text}"
                );
            }
            sent += 1;
        }
        assert_eq!(seen(&world, &name).await, before, "{operation:?}");
    }
    // 20 operations with a few rules each; far fewer means that probes went missing.
    assert!(sent > 200, "only {sent} probes");
}

#[tokio::test]
async fn a_member_that_is_not_known_is_ignored() {
    let (world, name) = world_for(Operation::EcrListImages).await;
    let plain = ok(&world, "ListImages", json!({ "repositoryName": name })).await;
    let more = json!({ "repositoryName": name, "surprise": [{}], "nextToken": null });
    assert_eq!(ok(&world, "ListImages", more).await, plain);
}

#[tokio::test]
async fn what_is_not_offered_says_so() {
    let world = World::start().await;
    for operation in Operation::ALL {
        let body = minimal(operation).to_string();
        let answer = world.post(&world.credentials, operation.target(), body.into());
        let answer = answer.await;
        let (status, code) = answer.code();
        assert!(status < 500, "{operation:?}: {}", answer.text());
        if operation.is_offered() {
            assert_ne!(code, "UnknownOperationException", "{operation:?}");
            continue;
        }
        assert_eq!(
            (status, code.as_str()),
            (400, "UnknownOperationException"),
            "{operation:?}"
        );
        let message = answer.json()["message"].clone();
        let message = message.as_str().unwrap_or_default().to_owned();
        assert!(message.contains(operation.name()), "{message}");
        assert!(message.contains("not offered yet"), "{message}");
    }
}
