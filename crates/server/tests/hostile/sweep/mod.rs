//! E4: every rule of the models, broken one at a time over the wire, for every operation that is
//! offered: the modelled 4xx each time, nothing changed, and the server still there. Then whatever
//! else the models permit, strings that break whoever takes them for something else, and values
//! nested deeply in every place: what the operation declares, never a 5xx.
//!
//! The probes come from the model; that they break what they say is the model crate's own test.

mod lightsail;
mod odd;

use roadstead_api_model::probe::{Probe, minimal, probes};
use roadstead_api_model::{Operation, Rule, Service};
use roadstead_testkit::{Answer, World, client};
use serde_json::{Value, json};

use crate::api::{ok, push};
use crate::public_api::{self, signed_to};

/// Calls an operation of any service.
async fn call(world: &World, operation: Operation, body: &Value) -> Answer {
    let service = operation.service().signing_name();
    let host = world.address.to_string();
    let to = (service, operation.target());
    let request = signed_to(
        world,
        &host,
        &world.credentials,
        to,
        body.to_string().into(),
    );
    client::send(world.address, request).await
}

/// What a client can see of the only repository, or of the public one of the same name.
async fn seen(world: &World, service: Service, name: &str) -> Value {
    let named = json!({ "repositoryName": name });
    match service {
        Service::Ecr => {
            let repositories = ok(world, "DescribeRepositories", json!({})).await;
            let images = ok(world, "DescribeImages", named).await;
            let arn = &repositories["repositories"][0]["repositoryArn"];
            let tags = ok(world, "ListTagsForResource", json!({ "resourceArn": arn })).await;
            json!([repositories, images, tags])
        }
        Service::EcrPublic => {
            let ask = async |operation, body| public_api::ok(world, operation, body).await;
            let repositories = ask("DescribeRepositories", json!({})).await;
            let arn = &repositories["repositories"][0]["repositoryArn"];
            json!([
                repositories,
                ask("DescribeRegistries", json!({})).await,
                ask("GetRegistryCatalogData", json!({})).await,
                ask("DescribeImages", named.clone()).await,
                ask("DescribeImageTags", named.clone()).await,
                ask("GetRepositoryCatalogData", named.clone()).await,
                ask("GetRepositoryPolicy", named).await,
                ask("ListTagsForResource", json!({ "resourceArn": arn })).await,
            ])
        }
        Service::Lightsail => Value::Null,
    }
}

/// A world whose only repository, or the only one of the public registry, is the one that the
/// probes of `operation` name.
async fn world_for(operation: Operation) -> (World, String) {
    let world = World::start().await;
    let name = minimal(operation)["repositoryName"].clone();
    let name = name.as_str().unwrap_or("app").to_owned();
    let tags = json!([{ "Key": "k", "Value": "v" }]);
    let body = json!({ "repositoryName": name, "tags": tags });
    match operation.service() {
        Service::Ecr => {
            ok(&world, "CreateRepository", body).await;
            push(&world, &name, "content", &["a", "b"]).await;
        }
        Service::EcrPublic => fill_public(&world, &name, body).await,
        Service::Lightsail => {}
    }
    (world, name)
}

async fn fill_public(world: &World, name: &str, mut body: Value) {
    body["catalogData"] = json!({ "description": "d", "architectures": ["ARM"] });
    public_api::ok(world, "CreateRepository", body).await;
    let layout = roadstead_testkit::Layout::image("content");
    for blob in &layout.blobs {
        public_api::push_layer(world, name, blob).await;
    }
    for tag in ["a", "b"] {
        let mut put = public_api::put_image(&layout.manifest, Some(tag));
        put["repositoryName"] = name.into();
        public_api::ok(world, "PutImage", put).await;
    }
    let display = json!({ "displayName": "n" });
    public_api::ok(world, "PutRegistryCatalogData", display).await;
    let statement =
        json!({ "Effect": "Allow", "Principal": "*", "Action": "ecr-public:DescribeImages" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let policy = json!({ "repositoryName": name, "policyText": policy });
    public_api::ok(world, "SetRepositoryPolicy", policy).await;
}

fn offered() -> impl Iterator<Item = Operation> {
    Operation::ALL
        .into_iter()
        .filter(|operation| operation.is_offered())
}

/// The error that one probe must meet (design decision 12; a wrong type is a serialisation error).
fn expected_code(operation: Operation, rule: &Rule) -> &'static str {
    let declared = operation.errors();
    match rule {
        Rule::WrongType(_) => "SerializationException",
        _ if declared.contains(&"InvalidParameterException") => "InvalidParameterException",
        _ => "ValidationException",
    }
}

/// Sends every probe of every offered operation of a service: how many there were.
async fn sweep(service: Service) -> usize {
    let mut sent = 0;
    for operation in offered().filter(|operation| operation.service() == service) {
        let (world, name) = world_for(operation).await;
        let before = seen(&world, service, &name).await;
        for Probe {
            body,
            refusal,
            what,
        } in probes(operation)
        {
            let refusal = refusal.expect("a probe that breaks a rule");
            let answer = call(&world, operation, &body).await;
            let text = answer.text();
            let code = expected_code(operation, &refusal.rule);
            assert_eq!(
                answer.code(),
                (400, code.to_owned()),
                "{operation:?}: {what}: {text}"
            );
            assert_eq!(answer.header("x-amzn-errortype"), code, "{operation:?}");
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
        assert_eq!(seen(&world, service, &name).await, before, "{operation:?}");
    }
    sent
}

/// The sweep below goes over all that is offered: of whatever service, nothing is left out.
#[test]
fn e4_every_offered_operation_has_a_sweep() {
    let swept = [Service::Ecr, Service::EcrPublic, Service::Lightsail];
    for operation in offered() {
        assert!(swept.contains(&operation.service()), "{operation:?}");
        // The type of the body itself, at the least.
        assert!(!probes(operation).is_empty(), "{operation:?}");
    }
}

#[tokio::test]
async fn e4_every_broken_rule_of_ecr_is_refused_by_name() {
    let sent = sweep(Service::Ecr).await;
    // 35 operations with a few rules each; far fewer means that probes went missing.
    assert!(sent > 200, "only {sent} probes");
}

#[tokio::test]
async fn e4_every_broken_rule_of_ecr_public_is_refused_by_name() {
    let offered = offered().filter(|operation| operation.service() == Service::EcrPublic);
    assert_eq!(offered.count(), 23);
    let sent = sweep(Service::EcrPublic).await;
    // 23 operations; those without any input have the type of their body alone.
    assert!(sent > 200, "only {sent} probes");
}

#[tokio::test]
async fn e4_a_member_that_is_not_known_is_ignored() {
    let (world, name) = world_for(Operation::EcrListImages).await;
    let plain = ok(&world, "ListImages", json!({ "repositoryName": name })).await;
    let more = json!({ "repositoryName": name, "surprise": [{}], "nextToken": null });
    assert_eq!(ok(&world, "ListImages", more).await, plain);
}

#[tokio::test]
async fn e4_what_is_not_offered_says_so() {
    let world = World::start().await;
    for operation in Operation::ALL {
        let answer = call(&world, operation, &minimal(operation)).await;
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
