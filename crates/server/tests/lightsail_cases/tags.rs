//! Tags of services (lightsail-containers.md 5.5): by name, lower-case members, keys without value.

use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{
    get, invalid_text, is_uuid, not_found_text, ok, refused, service, settle, timeless, world,
};

async fn tag(world: &World, tags: Value) -> Value {
    let body = json!({ "resourceName": "web", "tags": tags });
    ok(world, "TagResource", body).await
}

async fn untag(world: &World, keys: &[&str]) -> Value {
    let body = json!({ "resourceName": "web", "tagKeys": keys });
    ok(world, "UntagResource", body).await
}

/// The tags of the service, sorted: their order is not promised.
async fn tags(world: &World) -> Vec<Value> {
    let service = get(world, "web").await;
    let mut tags = service["tags"].as_array().expect("a list").clone();
    tags.sort_by_key(|tag| tag["key"].to_string());
    tags
}

/// What both operations answer, which is a list of finished work.
#[track_caller]
fn assert_operation(answer: Value, type_: &str) {
    let mut answer = timeless(answer);
    let operation = &mut answer["operations"][0];
    let id = operation["id"].take();
    assert!(id.as_str().is_some_and(is_uuid), "{id}");
    let details = operation["operationDetails"].take();
    assert!(details.is_string(), "{details}");
    assert_eq!(
        answer,
        json!({
            "operations": [{
                "id": null,
                "resourceName": "web",
                "resourceType": "ContainerService",
                "createdAt": "TIME",
                "location": { "availabilityZone": "all", "regionName": "us-east-1" },
                "isTerminal": true,
                "operationDetails": null,
                "operationType": type_,
                "status": "Succeeded",
                "statusChangedAt": "TIME",
            }],
        })
    );
}

#[tokio::test]
async fn given_at_creation() {
    let world = world().await;
    let given = json!([{ "key": "env", "value": "dev" }, { "key": "only-key" }]);
    let body = json!({
        "serviceName": "web", "power": "nano", "scale": 1, "tags": given,
    });
    let made = ok(&world, "CreateContainerService", body).await;
    assert_eq!(
        made["containerService"]["tags"].as_array().map(Vec::len),
        Some(2)
    );
    settle(&world).await;
    // A key without a value has no such member.
    assert_eq!(json!(tags(&world).await), given);
}

#[tokio::test]
async fn added_changed_and_removed() {
    let world = world().await;
    service(&world, "web").await;
    let given = json!([{ "key": "a", "value": "1" }, { "key": "b" }]);
    assert_operation(tag(&world, given.clone()).await, "TagResource");
    assert_eq!(json!(tags(&world).await), given);
    tag(
        &world,
        json!([{ "key": "a", "value": "2" }, { "key": "c", "value": "3" }]),
    )
    .await;
    assert_eq!(
        json!(tags(&world).await),
        json!([
            { "key": "a", "value": "2" },
            { "key": "b" },
            { "key": "c", "value": "3" },
        ])
    );
    // A value can come and go.
    tag(
        &world,
        json!([{ "key": "a" }, { "key": "b", "value": "x" }]),
    )
    .await;
    assert_eq!(
        json!(tags(&world).await),
        json!([
            { "key": "a" },
            { "key": "b", "value": "x" },
            { "key": "c", "value": "3" },
        ])
    );
    assert_operation(untag(&world, &["a", "c"]).await, "UntagResource");
    assert_eq!(
        json!(tags(&world).await),
        json!([{ "key": "b", "value": "x" }])
    );
    // The service does not change its state for this.
    assert_eq!(get(&world, "web").await["state"], "READY");
}

#[tokio::test]
async fn by_name_with_or_without_the_arn() {
    let world = world().await;
    service(&world, "web").await;
    let arn = get(&world, "web").await["arn"].clone();
    let body = json!({
        "resourceName": "web", "resourceArn": arn, "tags": [{ "key": "a", "value": "1" }],
    });
    ok(&world, "TagResource", body).await;
    assert_eq!(tags(&world).await, [json!({ "key": "a", "value": "1" })]);
    let body = json!({ "resourceName": "web", "resourceArn": arn, "tagKeys": ["a"] });
    ok(&world, "UntagResource", body).await;
    assert_eq!(tags(&world).await, [json!(null); 0]);
}

#[tokio::test]
async fn resources_that_do_not_exist() {
    let world = world().await;
    service(&world, "web").await;
    let body = json!({ "resourceName": "nope", "tags": [{ "key": "a" }] });
    not_found_text(&refused(&world, "TagResource", body).await);
    let body = json!({ "resourceName": "nope", "tagKeys": ["a"] });
    not_found_text(&refused(&world, "UntagResource", body).await);
}

#[tokio::test]
async fn what_is_asked_for() {
    let world = world().await;
    service(&world, "web").await;
    for (operation, body) in [
        ("TagResource", json!({ "resourceName": "web" })),
        ("TagResource", json!({ "tags": [{ "key": "a" }] })),
        ("UntagResource", json!({ "resourceName": "web" })),
        ("UntagResource", json!({ "tagKeys": ["a"] })),
    ] {
        invalid_text(&refused(&world, operation, body).await);
    }
}

fn many(from: usize, to: usize) -> Value {
    let tag = |number: usize| json!({ "key": format!("k{number:02}"), "value": "v" });
    Value::Array((from..to).map(tag).collect())
}

#[tokio::test]
async fn at_most_50() {
    let world = world().await;
    let creation =
        |tags: Value| json!({ "serviceName": "web", "power": "nano", "scale": 1, "tags": tags });
    invalid_text(&refused(&world, "CreateContainerService", creation(many(0, 51))).await);
    ok(&world, "CreateContainerService", creation(many(0, 40))).await;
    settle(&world).await;
    let more = json!({ "resourceName": "web", "tags": many(40, 51) });
    invalid_text(&refused(&world, "TagResource", more).await);
    assert_eq!(tags(&world).await.len(), 40);
    tag(&world, many(40, 50)).await;
    // Known keys are no new tags.
    tag(&world, many(0, 50)).await;
    assert_eq!(json!(tags(&world).await), many(0, 50));
}
