//! A service that is deleted leaves nothing, and goes only when nothing of it runs.

use std::collections::BTreeMap;

use roadstead_domain::lightsail::service::Report;
use roadstead_domain::time::Span;
use serde_json::json;

use crate::room::{GONE, NAMED, Room};
use crate::runtime::Puppet;

/// Rows of container services, and how many manifests there are.
fn rows(room: &Room) -> BTreeMap<String, i64> {
    let mut rows = room.world.rows();
    rows.retain(|table, _| table.starts_with("container_") || table == "image");
    rows
}

#[tokio::test]
async fn a_deleted_service_leaves_no_rows() {
    let room = Room::with(&["other"]).await;
    let shared = room.pushed("shared").await;
    room.register("other", "www", &shared).await;
    let before = rows(&room);
    room.create("web").await;
    room.settle().await;
    let own = room.pushed("own").await;
    let image = room.register("web", "www", &own).await;
    room.register("web", "www", &shared).await;
    for _ in 0..3 {
        room.deploy("web", &image).await;
        room.settle().await;
    }
    assert_ne!(rows(&room), before);
    let name = json!({ "serviceName": "web" });
    room.ok("DeleteContainerService", name.clone()).await;
    assert_eq!(room.state("web").await.as_deref(), Some("DELETING"));
    room.ok("DeleteContainerService", name).await;
    room.settle().await;
    assert_eq!(room.state("web").await, None);
    assert_eq!(rows(&room), before);
    assert_eq!(room.kept(&own).await, GONE);
    assert_eq!(room.kept(&shared).await, NAMED);
}

#[tokio::test]
async fn a_service_goes_when_nothing_of_it_runs() {
    let room = Room::empty().await;
    let runtime = Puppet::of(&room);
    room.create("web").await;
    room.settle().await;
    room.deploy("web", "nginx").await;
    assert_eq!(runtime.running(), [(1, false)]);
    room.settle().await;
    assert_eq!(room.state("web").await.as_deref(), Some("DEPLOYING"));
    runtime.report(Report::Healthy);
    room.step().await;
    assert_eq!(room.state("web").await.as_deref(), Some("RUNNING"));
    assert_eq!(runtime.running(), [(1, true)]);

    let off = json!({ "serviceName": "web", "isDisabled": true });
    room.ok("UpdateContainerService", off).await;
    assert_eq!(runtime.running(), []);
    room.settle().await;
    let on = json!({ "serviceName": "web", "isDisabled": false });
    room.ok("UpdateContainerService", on).await;
    assert_eq!(runtime.running(), [(1, true)]);
    room.settle().await;

    room.ok("DeleteContainerService", json!({ "serviceName": "web" }))
        .await;
    assert_eq!(runtime.running(), []);
    room.settle().await;
    assert_eq!(room.state("web").await.as_deref(), Some("DELETING"));
    runtime.0.lock().expect("a lock").is_gone = true;
    room.step().await;
    assert_eq!(room.state("web").await, None);
}

#[tokio::test]
async fn a_deployment_that_hangs_is_given_up() {
    let room = Room::empty().await;
    let runtime = Puppet::of(&room);
    room.create("web").await;
    room.settle().await;
    room.deploy("web", "nginx").await;
    room.world.clock.advance(Span::seconds(599));
    room.step().await;
    assert_eq!(room.state("web").await.as_deref(), Some("READY"));
    assert_eq!(runtime.running(), []);
}

#[tokio::test]
async fn what_should_run_is_told_again_after_a_restart() {
    let room = Room::with(&["a", "b"]).await;
    room.deploy("a", "nginx").await;
    room.settle().await;
    let runtime = Puppet::of(&room);
    let told = room.world.registry.want_all_containers().await;
    told.expect("everything is told");
    let said = runtime.0.lock().expect("a lock");
    let mut running: Vec<_> = said
        .wanted
        .iter()
        .map(|one| (one.name.to_string(), one.deployments.len()))
        .collect();
    running.sort();
    assert_eq!(running, [("a".to_owned(), 1), ("b".to_owned(), 0)]);
}
