//! Logs: pages, filters, and how long lines are kept.

use roadstead_domain::lightsail::service::Report;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::context::Clock as _;
use serde_json::{Value, json};

use crate::room::Room;
use crate::runtime::Puppet;

async fn page(room: &Room, more: Value) -> (Vec<String>, Option<String>) {
    let mut body = json!({ "serviceName": "web", "containerName": "app" });
    let members = body.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    let answer = room.ok("GetContainerLog", body).await;
    let events = answer["logEvents"].as_array().expect("a list");
    let text = |event: &Value| event["message"].as_str().expect("a text").to_owned();
    let token = answer["nextPageToken"].as_str().map(str::to_owned);
    (events.iter().map(text).collect(), token)
}

async fn running() -> (Room, std::sync::Arc<Puppet>) {
    let room = Room::empty().await;
    let runtime = Puppet::of(&room);
    runtime.report(Report::Healthy);
    room.create("web").await;
    room.settle().await;
    room.deploy("web", "nginx").await;
    room.settle().await;
    (room, runtime)
}

#[tokio::test]
async fn a_recorded_deployment_says_so() {
    let room = Room::with(&["web"]).await;
    room.deploy("web", "nginx").await;
    room.settle().await;
    let (lines, token) = page(&room, json!({})).await;
    let expected = [
        "[deployment:1] Creating your deployment",
        "[deployment:1] No engine configured: nothing runs. The deployment is recorded only.",
    ];
    assert_eq!((lines, token), (expected.map(str::to_owned).to_vec(), None));
}

#[tokio::test]
async fn pages_hold_every_line_once() {
    let (room, runtime) = running().await;
    let now = room.world.clock.now();
    for n in 0..2_500_i64 {
        // Many lines of one instant.
        let at = now + Span(n / 100);
        runtime.write(at, &format!("line {n}"));
    }
    room.settle().await;
    let mut read = Vec::new();
    let mut more = json!({});
    let mut pages = 0;
    loop {
        let (lines, token) = page(&room, more).await;
        read.extend(lines);
        pages += 1;
        let Some(token) = token else { break };
        more = json!({ "pageToken": token });
    }
    assert_eq!(pages, 3);
    let own = [
        "[deployment:1] Creating your deployment",
        "[deployment:1] Started 1 new node",
        "[deployment:1] Reached a steady state",
    ];
    assert_eq!(read[..3], own);
    let expected: Vec<_> = (0..2_500).map(|n| format!("line {n}")).collect();
    assert_eq!(read[3..], expected);
}

#[tokio::test]
async fn filters_and_windows_choose() {
    let (room, runtime) = running().await;
    let now = room.world.clock.now();
    for (after, message) in [(1, "GET / 200"), (2, "ERROR GET /x 500"), (3, "POST / 200")] {
        runtime.write(now + Span::seconds(after), message);
    }
    room.settle().await;
    for (filter, expected) in [
        ("GET", vec!["GET / 200", "ERROR GET /x 500"]),
        ("GET -ERROR", vec!["GET / 200"]),
        ("?POST ?ERROR", vec!["ERROR GET /x 500", "POST / 200"]),
        ("error", vec![]),
    ] {
        let (lines, _) = page(&room, json!({ "filterPattern": filter })).await;
        assert_eq!(lines, expected, "{filter}");
    }
    let second = |n: i64| (now + Span::seconds(n)).seconds_f64();
    let window = json!({ "startTime": second(2), "endTime": second(3) });
    let (lines, _) = page(&room, window).await;
    assert_eq!(lines, ["ERROR GET /x 500", "POST / 200"]);
    let body = json!({ "serviceName": "web", "containerName": "nobody" });
    let answer = room.ok("GetContainerLog", body).await;
    assert_eq!(answer["logEvents"], json!([]));
}

#[tokio::test]
async fn a_rare_line_is_found_behind_empty_pages() {
    let (room, runtime) = running().await;
    let now = room.world.clock.now();
    for n in 0..12_000 {
        runtime.write(now + Span(n), "noise");
    }
    runtime.write(now + Span::seconds(1), "needle");
    for _ in 0..4 {
        room.settle().await;
    }
    let filter = json!({ "filterPattern": "needle" });
    let (lines, token) = page(&room, filter.clone()).await;
    assert_eq!(lines, [""; 0]);
    let mut more = filter;
    more["pageToken"] = token.expect("a page goes on").into();
    let (lines, token) = page(&room, more).await;
    assert_eq!((lines, token), (vec!["needle".to_owned()], None));
}

#[tokio::test]
async fn lines_are_kept_for_four_days() {
    let (room, runtime) = running().await;
    let count = |room: &Room| room.world.rows().get("container_log").copied().unwrap_or(0);
    let start = room.world.clock.now();
    runtime.write(start, "old");
    room.step().await;
    assert_eq!(count(&room), 4);
    room.world
        .clock
        .set(Timestamp(start.0) + Span::hours(96) + Span::seconds(60));
    runtime.write(room.world.clock.now(), "new");
    room.step().await;
    room.step().await;
    assert_eq!(count(&room), 1);
    assert_eq!(page(&room, json!({})).await.0, ["new"]);
}
