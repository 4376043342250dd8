//! Registering, deleting and advancing that end at any call of the stores, before or after its
//! effect: whoever tries again ends the work, and nothing is there that should not be.

use roadstead_domain::time::Span;
use roadstead_registry::context::Clock as _;
use roadstead_store::fault::When;
use serde_json::json;

use crate::room::{GONE, Kept, NAMED, Room};

const MOMENTS: [When; 2] = [When::Before, When::After];

/// Runs `attempt` with its nth call of the stores failing, for every n that it reaches.
async fn at_every_call(mut attempt: impl AsyncFnMut(u64, When) -> bool, calls_min: u64) {
    for when in MOMENTS {
        let mut nth = 1;
        while attempt(nth, when).await {
            nth += 1;
            assert!(nth < 60, "it does not end");
        }
        assert!(nth > calls_min, "only {nth} calls");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_is_whole_or_not_there() {
    let attempt = async |nth: u64, when: When| {
        let room = Room::with(&["web"]).await;
        let digest = room.pushed("one").await;
        let body = json!({ "serviceName": "web", "label": "www", "digest": digest });
        room.world.faults.clear();
        room.world.faults.fail_nth(nth, when);
        let answer = room.call("RegisterContainerImage", body).await;
        let was_reached = room.world.faults.calls() >= nth;
        room.world.faults.clear();
        assert_eq!(answer.status == 500, was_reached, "{nth} {when:?}");
        let named = room.images("web").await.len();
        let expected = match named {
            0 => Kept {
                is_there: true,
                tags: 1,
                waits: true,
            },
            _ => NAMED,
        };
        assert_eq!(room.kept(&digest).await, expected, "{nth} {when:?}");
        // The client tries again: one more version, and none that is there twice.
        let again = room.register("web", "www", &digest).await;
        assert_eq!(again, format!(":web.www.{}", named + 1), "{nth} {when:?}");
        was_reached
    };
    at_every_call(attempt, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_whole_or_did_not_happen() {
    let attempt = async |nth: u64, when: When| {
        let room = Room::with(&["web"]).await;
        let digest = room.pushed("one").await;
        let image = room.register("web", "www", &digest).await;
        room.world.faults.clear();
        room.world.faults.fail_nth(nth, when);
        let (status, _) = room.delete("web", &image).await;
        let was_reached = room.world.faults.calls() >= nth;
        room.world.faults.clear();
        assert_eq!(status == 500, was_reached, "{nth} {when:?}");
        let is_named = !room.images("web").await.is_empty();
        let expected = if is_named { NAMED } else { GONE };
        assert_eq!(room.kept(&digest).await, expected, "{nth} {when:?}");
        let again = room.delete("web", &image).await.0;
        assert_eq!(again, if is_named { 200 } else { 400 }, "{nth} {when:?}");
        room.sweep().await;
        assert_eq!(room.world.blob_bytes(), 0, "{nth} {when:?}");
        was_reached
    };
    at_every_call(attempt, 1).await;
}

/// Steps until a service rests, the nth call from now on failing; whether it was reached.
async fn settle_with_fault(room: &Room, nth: u64, when: When) -> bool {
    room.world.faults.clear();
    room.world.faults.fail_nth(nth, when);
    for _ in 0..4 {
        room.world.clock.advance(Span::seconds(1));
        let now = room.world.clock.now();
        // A step that fails is taken again.
        let _ = room.world.registry.containers_step(now).await;
    }
    let was_reached = room.world.faults.calls() >= nth;
    room.world.faults.clear();
    room.settle().await;
    was_reached
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_comes_to_its_end_once() {
    let attempt = async |nth: u64, when: When| {
        let room = Room::with(&["web"]).await;
        room.deploy("web", "nginx").await;
        let was_reached = settle_with_fault(&room, nth, when).await;
        let context = format!("{nth} {when:?}");
        assert_eq!(
            room.state("web").await.as_deref(),
            Some("RUNNING"),
            "{context}"
        );
        let body = json!({ "serviceName": "web", "containerName": "app" });
        let log = room.ok("GetContainerLog", body).await;
        let lines = log["logEvents"].as_array().expect("a list").len();
        assert_eq!(lines, 2, "{context}: {log}");
        was_reached
    };
    at_every_call(attempt, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_goes_takes_everything_along() {
    let attempt = async |nth: u64, when: When| {
        let room = Room::with(&["web"]).await;
        let digest = room.pushed("one").await;
        let image = room.register("web", "www", &digest).await;
        room.deploy("web", &image).await;
        room.settle().await;
        let name = json!({ "serviceName": "web" });
        room.ok("DeleteContainerService", name).await;
        let was_reached = settle_with_fault(&room, nth, when).await;
        let context = format!("{nth} {when:?}");
        assert_eq!(room.state("web").await, None, "{context}");
        let mut rows = room.world.rows();
        rows.retain(|table, _| table.starts_with("container_") || table == "image");
        let left: Vec<_> = rows.into_iter().collect();
        assert_eq!(left, [("container_place".to_owned(), 1)], "{context}");
        room.sweep().await;
        assert_eq!(room.world.blob_bytes(), 0, "{context}");
        was_reached
    };
    at_every_call(attempt, 5).await;
}

/// A push whose time is over goes whole, whatever call ends the step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_push_goes_whole() {
    let attempt = async |nth: u64, when: When| {
        let room = Room::with(&["web"]).await;
        let digest = room.pushed("one").await;
        room.world.clock.advance(Span::hours(25));
        let was_reached = settle_with_fault(&room, nth, when).await;
        assert_eq!(room.kept(&digest).await, GONE, "{nth} {when:?}");
        was_reached
    };
    at_every_call(attempt, 3).await;
}
