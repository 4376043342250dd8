//! Numbers of images are given once.

use std::collections::BTreeSet;

use serde_json::json;

use crate::room::Room;

#[tokio::test]
async fn a_number_is_never_given_again() {
    let room = Room::with(&["web"]).await;
    let digest = room.pushed("one").await;
    assert_eq!(room.register("web", "www", &digest).await, ":web.www.1");
    assert_eq!(room.register("web", "www", &digest).await, ":web.www.2");
    assert_eq!(room.delete("web", ":web.www.2").await.0, 200);
    // What is refused takes no number.
    let unknown = format!("sha256:{}", "0".repeat(64));
    for (label, digest) in [("www", unknown.as_str()), ("-www", &digest)] {
        let body = json!({ "serviceName": "web", "label": label, "digest": digest });
        let refused = room.call("RegisterContainerImage", body).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
    }
    assert_eq!(room.register("web", "www", &digest).await, ":web.www.3");
    assert_eq!(room.register("web", "api", &digest).await, ":web.api.1");
    let newest_first = [":web.api.1", ":web.www.3", ":web.www.1"];
    assert_eq!(room.images("web").await, newest_first);
}

#[tokio::test]
async fn a_new_service_of_a_name_begins_at_one() {
    let room = Room::with(&["web", "other"]).await;
    let digest = room.pushed("one").await;
    room.register("other", "www", &digest).await;
    for _ in 0..2 {
        assert_eq!(room.register("web", "www", &digest).await, ":web.www.1");
        let name = json!({ "serviceName": "web" });
        room.ok("DeleteContainerService", name).await;
        room.settle().await;
        assert_eq!(room.state("web").await, None);
        room.create("web").await;
        room.settle().await;
        assert_eq!(room.images("web").await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_at_once_get_numbers_of_their_own() {
    let room = Room::with(&["web"]).await;
    let digest = room.pushed("one").await;
    let all = (0..20).map(|_| room.register("web", "www", &digest));
    let names: BTreeSet<String> = futures_util::future::join_all(all)
        .await
        .into_iter()
        .collect();
    let expected = (1..=20).map(|number| format!(":web.www.{number}"));
    assert_eq!(names, expected.collect());
}
