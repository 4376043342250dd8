//! What must hold while things change, on a real Docker daemon: no request fails during a
//! replacement, a restart adopts what runs, lines and measurements arrive once, nothing is left.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use roadstead_domain::ids::ContainerServiceId;
use roadstead_domain::lightsail::service::Report;
use roadstead_registry::containers::runtime::{ContainerRuntime as _, NodeUsage};
use support::{World, deployment, eventually, get, hello, serving};
use tokio::task::JoinSet;

/// Requests without pause until it is ended; how many, and those that failed.
struct Load {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
}

impl Load {
    fn start(world: &World) -> Self {
        let mut load = Self {
            clients: JoinSet::new(),
            stop: Arc::default(),
            answered: Arc::default(),
            failed: Arc::default(),
        };
        for path in ["/", "/", "/slow/300", "/slow/50"] {
            let (runtime, service) = (world.runtime.clone(), world.service.clone());
            let (stop, answered, failed) = (
                load.stop.clone(),
                load.answered.clone(),
                load.failed.clone(),
            );
            load.clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let count = match get(&runtime, &service, path).await {
                        Some(_) => &answered,
                        None => &failed,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
        }
        load
    }

    async fn end(mut self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (count(&self.answered), count(&self.failed))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_a_deployment_is_replaced() {
    let mut world = World::new();
    world.scale = 2;
    let old = deployment(1, &[hello("app", "80", "old")], true);
    world.deploy(&old).await;
    let load = Load::start(&world);
    let new = deployment(2, &[hello("app", "8080", "new")], true);
    world.want(&[serving(&old), new.clone()]);
    assert_eq!(world.decided(2).await, Report::Healthy);
    assert_eq!(world.get("/").await.as_deref(), Some("old"));
    world.want(&[serving(&new)]);
    assert_eq!(world.get("/").await.as_deref(), Some("new"), "at once");
    eventually("the old nodes are gone", async || {
        world.containers().len() == 4
    })
    .await;
    // Fewer nodes, still no failure.
    world.scale = 1;
    world.want(&[serving(&new)]);
    eventually("one node is gone", async || world.containers().len() == 2).await;
    let (answered, failed) = load.end().await;
    assert_eq!(failed, 0, "of {answered}");
    assert!(answered > 100, "{answered}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_adopts_what_runs_and_reads_on() {
    let mut world = World::new();
    let one = deployment(1, &[hello("app", "80", "app")], true);
    world.deploy(&one).await;
    world.get("/env/first").await.expect("an answer");
    world.line("/env/first").await;
    let before = world.containers();
    let address = world.runtime.upstream(&world.service).unwrap().address;

    world.restart();
    world.want(&[serving(&one)]);
    eventually("it is routed again", async || {
        world.runtime.upstream(&world.service).is_some()
    })
    .await;
    assert_eq!(
        world.runtime.upstream(&world.service).unwrap().address,
        address
    );
    assert_eq!(world.containers(), before);
    world.get("/env/second").await.expect("an answer");
    world.line("/env/second").await;
    for path in ["/env/first", "/env/second"] {
        let count = world.lines.iter().filter(|line| line.message == path);
        assert_eq!(count.count(), 1, "{path}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_after_a_restart_is_removed() {
    let mut world = World::new();
    let one = deployment(1, &[hello("app", "80", "app")], true);
    world.deploy(&one).await;
    let other = World::new();
    other.deploy(&one).await;
    world.restart();
    world
        .runtime
        .keep_only(std::slice::from_ref(&world.service));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.containers().len(), 2, "it may yet be wanted");
    world.restart();
    world
        .runtime
        .keep_only(&[ContainerServiceId::from_random(1)]);
    eventually("it is gone", async || {
        world.containers().is_empty() && world.networks().is_empty()
    })
    .await;
    assert_eq!(other.containers().len(), 2, "of another server");
    other.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_and_measurements_arrive() {
    let mut world = World::new();
    let one = deployment(
        1,
        &[hello("app", "80", "app"), hello("db", "81", "db")],
        true,
    );
    world.deploy(&one).await;
    let line = world.line("listening on 81").await;
    assert_eq!(line.service, world.service);
    assert_eq!((line.version.0, line.container.as_str()), (1, "db"));
    let now = jiff::Timestamp::now().as_microsecond();
    assert!((now - line.at.0).abs() < 120_000_000, "{line:?}");
    let mut all: Vec<NodeUsage> = Vec::new();
    eventually("a busy container is seen", async || {
        world.get("/burn/500").await;
        all.extend(world.runtime.take_usage());
        all.iter().any(|one| one.usage.cpu_percent > 20.0)
    })
    .await;
    for one in &all {
        assert_eq!((&one.service, one.version.0), (&world.service, 1));
        let (cpu, memory) = (one.usage.cpu_percent, one.usage.memory_percent);
        assert!((0.0..150.0).contains(&cpu), "{cpu}");
        assert!((0.0..50.0).contains(&memory), "{memory}");
    }
    world.end().await;
}
