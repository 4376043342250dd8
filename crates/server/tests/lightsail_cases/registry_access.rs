//! `privateRegistryAccess` (lightsail-containers.md 5.5): the role that pulls from ECR.

use roadstead_testkit::World;
use serde_json::{Value, json};

use crate::api::lightsail::{get, ok, service, settle, world};

fn access(is_active: bool) -> Value {
    json!({ "ecrImagePullerRole": { "isActive": is_active } })
}

async fn update(world: &World, is_active: bool) {
    let body = json!({ "serviceName": "web", "privateRegistryAccess": access(is_active) });
    ok(world, "UpdateContainerService", body).await;
    settle(world).await;
}

async fn role(world: &World) -> Value {
    let service = get(world, "web").await;
    let access = &service["privateRegistryAccess"];
    assert_eq!(access.as_object().map(serde_json::Map::len), Some(1));
    access["ecrImagePullerRole"].clone()
}

/// An active role of the service `web`.
#[track_caller]
fn assert_active(role: &Value) {
    assert_eq!(role["isActive"], true, "{role}");
    let arn = role["principalArn"].as_str().unwrap_or_default();
    let way = ":role/amazon/lightsail/us-east-1/containers/web/private-repo-access/";
    let parts = arn
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(way));
    let (account, id) = parts.unwrap_or_else(|| panic!("{role}"));
    assert_eq!(account.len(), 12, "{role}");
    assert!(
        account.bytes().all(|digit| digit.is_ascii_digit()),
        "{role}"
    );
    assert!(!id.is_empty() && !id.contains('/'), "{role}");
}

#[tokio::test]
async fn off_at_first_then_on_and_off() {
    let world = world().await;
    service(&world, "web").await;
    let off = json!({ "isActive": false, "principalArn": "" });
    assert_eq!(role(&world).await, off);
    update(&world, true).await;
    let first = role(&world).await;
    assert_active(&first);
    // Still the same after an update of something else.
    let body = json!({ "serviceName": "web", "scale": 2 });
    ok(&world, "UpdateContainerService", body).await;
    settle(&world).await;
    assert_eq!(role(&world).await, first);
    update(&world, false).await;
    assert_eq!(role(&world).await, off);
    assert_eq!(get(&world, "web").await["state"], "READY");
}

#[tokio::test]
async fn on_from_the_start_as_terraform_sends_it() {
    let world = world().await;
    let body = json!({
        "serviceName": "web",
        "power": "nano",
        "scale": 1,
        "privateRegistryAccess": access(true),
    });
    let made = ok(&world, "CreateContainerService", body).await;
    assert_eq!(made["containerService"]["state"], "PENDING");
    settle(&world).await;
    assert_active(&role(&world).await);
}

#[tokio::test]
async fn an_empty_request_changes_nothing() {
    let world = world().await;
    service(&world, "web").await;
    update(&world, true).await;
    let before = role(&world).await;
    for nothing in [json!({}), json!({ "ecrImagePullerRole": null })] {
        let body = json!({ "serviceName": "web", "privateRegistryAccess": nothing });
        ok(&world, "UpdateContainerService", body).await;
        settle(&world).await;
        assert_eq!(role(&world).await, before);
    }
}

#[tokio::test]
async fn an_image_of_ecr_is_a_reference_like_any() {
    let world = world().await;
    service(&world, "web").await;
    update(&world, true).await;
    let image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:v1";
    let body = json!({ "serviceName": "web", "containers": { "app": { "image": image } } });
    let answer = ok(&world, "CreateContainerServiceDeployment", body).await;
    assert_eq!(
        answer["containerService"]["nextDeployment"]["containers"]["app"],
        json!({ "image": image, "command": [], "environment": {}, "ports": {} })
    );
}
