//! Deployments on a real Docker daemon: nodes, health, failures, restarts, scale, power.

mod support;

use std::time::Duration;

use roadstead_domain::lightsail::power::Power;
use roadstead_domain::lightsail::service::{Failure, Report};
use roadstead_registry::containers::runtime::ContainerRuntime as _;
use support::{Part, World, deployment, docker, ending, eventually, hello, serving};

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_a_node_share_localhost_and_one_is_reached_from_outside() {
    let world = World::new();
    let mut app = hello("app", "8080", "app");
    app.environment.push(("COLOUR", "deep blue=1"));
    let one = deployment(1, &[app, hello("db", "5432", "db")], true);
    assert!(world.runtime.upstream(&world.service).is_none());
    world.want(std::slice::from_ref(&one));
    assert_eq!(world.decided(1).await, Report::Healthy);
    // Healthy, but no requests before it is told to serve.
    assert!(world.runtime.upstream(&world.service).is_none());
    world.want(&[serving(&one)]);
    assert_eq!(world.get("/").await.as_deref(), Some("app"));
    assert_eq!(world.get("/via/5432").await.as_deref(), Some("via db"));
    assert_eq!(
        world.get("/env/COLOUR").await.as_deref(),
        Some("deep blue=1")
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_running_is_healthy() {
    let world = World::new();
    let one = deployment(1, &[hello("worker", "80", "w")], false);
    world.deploy(&one).await;
    assert!(world.runtime.upstream(&world.service).is_none());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_deployment_leaves_the_old_one_serving_and_says_why() {
    let mut world = World::new();
    let old = deployment(1, &[hello("app", "80", "old")], true);
    world.deploy(&old).await;
    let mut broken = deployment(2, &[hello("app", "80", "new"), ending("db", "3")], true);
    // The app alone is not healthy before the db had the time to end.
    let endpoint = broken.spec.public_endpoint.as_mut();
    endpoint.unwrap().health_check.healthy_threshold = 2;
    world.want(&[serving(&old), broken]);
    let failed = Report::Failed(Failure::TookTooLong);
    assert_eq!(world.decided(2).await, failed);
    assert_eq!(world.get("/").await.as_deref(), Some("old"));
    world.want(&[serving(&old)]);
    let line = world.line("exit code 3").await;
    assert_eq!((line.version.0, line.container.as_str()), (2, "db"));
    world.line("ending with 3").await;
    eventually("the failed one is gone", async || {
        world.containers().len() == 2
    })
    .await;
    assert_eq!(world.get("/").await.as_deref(), Some("old"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_nobody_has_fails_the_deployment() {
    let mut world = World::new();
    let part = Part {
        image: "127.0.0.1:1/missing:v1".to_owned(),
        ..hello("app", "80", "")
    };
    world.want(&[deployment(1, &[part], true)]);
    let failed = Report::Failed(Failure::TookTooLong);
    assert_eq!(world.decided(1).await, failed);
    world
        .line("The image 127.0.0.1:1/missing:v1 cannot be had")
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_ends_is_started_again() {
    let mut world = World::new();
    let one = deployment(
        1,
        &[hello("app", "80", "app"), hello("db", "81", "db")],
        true,
    );
    world.deploy(&one).await;
    let before = world.containers();
    assert_eq!(world.get("/exit/7").await, None);
    world.line("exit code 7 and is started again").await;
    eventually("it answers again", async || {
        world.get("/").await.as_deref() == Some("app")
    })
    .await;
    assert_eq!(world.get("/via/81").await.as_deref(), Some("via db"));
    assert_eq!(world.report(1), Report::Healthy);
    let mut after = world.containers();
    let mut before = before;
    before.sort();
    after.sort();
    assert_eq!(before, after, "the same containers");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_its_sandbox_is_made_again() {
    let world = World::new();
    let one = deployment(1, &[hello("app", "80", "app")], true);
    world.deploy(&one).await;
    let label = format!("label=roadstead.server={}", world.options.server);
    let args = [
        "ps",
        "--quiet",
        "--filter",
        &label,
        "--filter",
        "label=roadstead.container=/",
    ];
    let sandbox = docker(&args);
    docker(&["kill", &sandbox[0]]);
    eventually("another node answers", async || {
        docker(&args) != sandbox && world.get("/").await.is_some()
    })
    .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_come_and_go_with_the_scale() {
    let mut world = World::new();
    let one = deployment(1, &[hello("app", "80", "app")], true);
    world.deploy(&one).await;
    let addresses = async |world: &World| {
        let mut ports: Vec<u16> = (0..12)
            .filter_map(|_| Some(world.runtime.upstream(&world.service)?.address.port()))
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports.len()
    };
    world.scale = 3;
    world.want(&[serving(&one)]);
    eventually("three nodes take turns", async || {
        addresses(&world).await == 3
    })
    .await;
    eventually("all of them are healthy", async || {
        world.report(1) == Report::Healthy
    })
    .await;
    world.scale = 1;
    world.want(&[serving(&one)]);
    eventually("one node is left", async || world.containers().len() == 2).await;
    assert_eq!(addresses(&world).await, 1);
    assert_eq!(world.get("/").await.as_deref(), Some("app"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_changes_without_a_restart() {
    let mut world = World::new();
    let parts = [hello("app", "80", "app"), hello("db", "81", "db")];
    let one = deployment(1, &parts, true);
    world.deploy(&one).await;
    let limits = |world: &World| {
        let mut limits: Vec<String> = world
            .containers()
            .iter()
            .flat_map(|id| {
                let format = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.RestartCount}}";
                docker(&["inspect", "--format", format, id])
            })
            .collect();
        limits.sort();
        limits
    };
    let mut before = world.containers();
    // A micro has a quarter of a processor and 1 GB; the sandbox needs no share.
    let half = "125000000 536870912 0";
    assert_eq!(limits(&world), ["0 0 0", half, half]);
    world.power = Power::Medium;
    world.want(&[serving(&one)]);
    let half = "500000000 1073741824 0";
    eventually("the power has changed", async || {
        limits(&world) == ["0 0 0", half, half]
    })
    .await;
    let mut after = world.containers();
    before.sort();
    after.sort();
    assert_eq!(before, after, "the same containers");
    // More than the machine has: as much as it has.
    world.power = Power::Xlarge;
    world.want(&[serving(&one)]);
    eventually("the memory has changed", async || {
        limits(&world).iter().any(|one| one.contains("4294967296"))
    })
    .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_does_not_answer_fails_deployments() {
    let mut lost = World::new();
    lost.options.socket = "/nonexistent/docker.sock".into();
    lost.options.unreachable_after = Duration::from_secs(2);
    lost.restart();
    lost.want(&[deployment(1, &[hello("app", "80", "")], true)]);
    assert!(matches!(lost.report(1), Report::Working(_)));
    let failed = Report::Failed(Failure::RuntimeUnreachable);
    assert_eq!(lost.decided(1).await, failed);
}
