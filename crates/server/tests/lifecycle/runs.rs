//! Runs as a whole: the schedule, the ceiling, what is recorded, several runners, many images.

use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::access;
use roadstead_registry::error::Error;
use roadstead_registry::lifecycle::runs::{RunEnd, RunOutcome};
use roadstead_store::metadata::StoreError;
use roadstead_testkit::World;
use roadstead_testkit::lifecycle::record;
use serde_json::json;

use crate::api::{self, ok, refused};
use crate::pause::Pause;
use crate::shelf::{NAME, Shelf, any_above, days, expire, policy, untagged_older};

#[tokio::test]
async fn images_go_on_schedule_and_their_bytes_with_the_sweep() {
    let shelf = Shelf::over(World::builder().without_grace().start().await).await;
    for n in 1..=5 {
        shelf
            .push(&n.to_string(), &[&format!("v{n}")], 10 - n)
            .await;
    }
    shelf.put(&[expire(1, any_above(2))]).await;
    assert_eq!(shelf.world.blob_files().len(), 10);
    shelf.world.clock.advance(Span::hours(1));
    assert_eq!(shelf.world.lifecycle().await, 1);
    assert_eq!(shelf.left().await, ["4[v4]", "5[v5]"]);
    shelf.all_pulls().await;
    assert_eq!(shelf.world.blob_files().len(), 4);
    // Nothing is due before the interval is over.
    assert_eq!(shelf.world.lifecycle().await, 1);
    assert_eq!(shelf.world.lifecycle().await, 0);
}

#[tokio::test]
async fn a_run_that_would_delete_too_much_does_nothing_and_says_so() {
    let mut builder = World::builder();
    builder.rules.expire_percent_max = Some(50);
    let shelf = Shelf::over(builder.start().await).await;
    for n in 1..=4 {
        shelf
            .push(&n.to_string(), &[&format!("v{n}")], 10 - n)
            .await;
    }
    shelf.put(&[expire(1, any_above(1))]).await;
    let before = shelf.left().await;
    let run = shelf.world.run(NAME).await;
    let ceiling = RunEnd::AboveCeiling {
        percent: 75,
        percent_max: 50,
    };
    assert_eq!(run.end, ceiling);
    assert_eq!((run.images, run.expired), (4, 0));
    assert_eq!(shelf.left().await, before);
    let name = json!({ "repositoryName": NAME });
    let got = ok(&shelf.world, "GetLifecyclePolicy", name).await;
    assert_eq!(
        got["lastEvaluatedAt"].as_f64(),
        Some(0.0),
        "it was not carried out"
    );
    // The schedule stays at it, and somebody who knows may lift it.
    shelf.world.clock.advance(Span::hours(2));
    assert_eq!(shelf.world.lifecycle().await, 1);
    assert_eq!(shelf.left().await, before);
    let key = access::operator(shelf.world.key(NAME));
    let run = shelf
        .world
        .registry
        .run_lifecycle(key, shelf.now(), true)
        .await;
    assert_eq!(run.expect("a run").expired, 3);
    // Half is not more than half.
    shelf.push("5", &["v5"], 0).await;
    let run = shelf.world.run(NAME).await;
    assert_eq!((run.end, run.expired), (RunEnd::Complete, 1));
    assert_eq!(shelf.left().await, ["5[v5]"]);
}

#[tokio::test]
async fn what_a_run_did_is_recorded() {
    let shelf = Shelf::start().await;
    let old = shelf.push("old", &["v1", "x"], 40).await;
    let child = shelf.push("child", &[], 40).await;
    let list = shelf.list("list", &["l"], &[&child], 40).await;
    let loose = shelf.push("loose", &[], 40).await;
    shelf
        .put(&[
            expire(3, untagged_older(10)),
            expire(5, crate::shelf::tagged_older("v", 10)),
        ])
        .await;
    let run = shelf.world.run(NAME).await;
    assert_eq!(run.end, RunEnd::Complete);
    assert_eq!(
        (run.images, run.expired, run.referenced),
        (4, 2, 1),
        "{run:?}"
    );
    assert_eq!(run.started_at, shelf.now().0);
    let entries = shelf.world.entries_of(NAME, run.run).await;
    let entry = |digest: &str| {
        entries
            .iter()
            .find(|entry| entry.digest == digest)
            .expect("an entry")
    };
    assert_eq!(entries.len(), 3);
    let told = entry(&old.digest);
    assert_eq!(
        (told.rule, told.expires, &told.outcome),
        (Some(5), true, &RunOutcome::Done)
    );
    assert_eq!(told.tags, ["v1", "x"]);
    assert_eq!(entry(&loose.digest).rule, Some(3));
    let lists = vec![list.digest.clone()];
    let held = RunOutcome::ReferencedByManifestList { lists };
    assert_eq!(entry(&child.digest).outcome, held);
    let key = access::operator(shelf.world.key(NAME));
    let runs = shelf.world.registry.lifecycle_runs(key, 10).await;
    assert_eq!(runs.expect("the runs"), [run]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_runner_at_a_time() {
    let (world, pause) = Pause::world().await;
    let shelf = Shelf::over(world).await;
    for n in 1..=4 {
        shelf.push(&n.to_string(), &[], 40 - n).await;
    }
    shelf.put(&[expire(1, any_above(1))]).await;
    let (registry, now) = (shelf.world.registry.clone(), shelf.now());
    let key = access::operator(shelf.world.key(NAME));
    pause.stop_before(5);
    let first = tokio::spawn(async move { registry.run_lifecycle(key, now, false).await });
    pause.reached().await;
    let second = shelf.world.try_run(NAME).await;
    assert!(
        matches!(second, Err(Error::LifecycleRunInProgress(_))),
        "{second:?}"
    );
    // A runner that stays silent for longer than its lease is taken for gone by other nodes, and
    // does nothing more.
    shelf.world.clock.advance(Span::seconds(61));
    let now = shelf.now();
    let key = shelf.world.key(NAME);
    let claimed: Result<bool, StoreError> = shelf
        .world
        .metadata
        .write((key, now), |tx, (key, now)| {
            Box::pin(async move {
                let repository = tx.repository(key).await?.expect("a repository");
                let lease = format!("lifecycle {}", repository.id.0);
                let until = *now + Span::seconds(60);
                tx.claim_lease(&lease, "another node", *now, until).await
            })
        })
        .await;
    assert!(claimed.expect("a claim"));
    pause.go_on();
    let first = first.await.expect("no panic").expect("a run");
    assert_eq!((first.expired, first.end), (0, RunEnd::TakenOver));
    assert_eq!(shelf.left().await.len(), 4);
    // Once that node is gone too, the rest is done here.
    shelf.world.clock.advance(Span::seconds(61));
    assert_eq!(shelf.world.run(NAME).await.expired, 3);
    assert_eq!(shelf.left().await, ["4[]"]);
}

#[tokio::test]
async fn more_images_than_one_transaction_or_page_holds() {
    let shelf = Shelf::start().await;
    let now = shelf.now().0;
    let count: usize = 4_321;
    let images = (0..count).map(|n| {
        let digest = format!("sha256:{n:064x}");
        let at = Timestamp(now - days(40).0 + n as i64 * 1_000_000);
        (record(&digest, at), vec![format!("t{n}")])
    });
    shelf.world.insert_images(NAME, images.collect()).await;
    shelf.put(&[expire(1, any_above(10))]).await;
    let run = shelf.world.run(NAME).await;
    assert_eq!(run.expired, count as u64 - 10, "{run:?}");
    let left = shelf.left().await;
    let expected = (count - 10..count).map(|n| format!("sha256:{n:064x}[t{n}]"));
    assert_eq!(left, expected.collect::<Vec<_>>());
    assert_eq!(
        shelf.world.entries_of(NAME, run.run).await.len(),
        count - 10
    );
}

/// Repositories of one name in two regions, and of two names, have policies of their own.
#[tokio::test]
async fn policies_reach_no_further_than_their_repository() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    api::repository(world, "other").await;
    shelf.push("1", &["v1"], 20).await;
    shelf.push("2", &["v2"], 10).await;
    api::push(world, "other", "1", &["v1"]).await;
    api::push(world, "other", "2", &["v2"]).await;
    let away = world.credentials.in_region("eu-west-1");
    let name = json!({ "repositoryName": NAME });
    world
        .ecr_as(&away, "CreateRepository", name.clone())
        .await
        .expect(200);
    shelf.put(&[expire(1, any_above(1))]).await;
    let answer = world.ecr_as(&away, "GetLifecyclePolicy", name).await;
    assert_eq!(answer.code().1, "LifecyclePolicyNotFoundException");
    let told = refused(
        world,
        "GetLifecyclePolicy",
        json!({ "repositoryName": "other" }),
    )
    .await;
    assert_eq!(told["__type"], "LifecyclePolicyNotFoundException");
    world.clock.advance(Span::hours(1));
    assert_eq!(world.lifecycle().await, 1);
    assert_eq!(shelf.left().await, ["2[v2]"]);
    assert_eq!(world.image_ids("other").await.len(), 2);
    let text = policy(&[expire(1, any_above(1))]);
    let body = json!({ "repositoryName": "other", "lifecyclePolicyText": text });
    ok(world, "PutLifecyclePolicy", body).await;
    // A policy goes with its repository, and does not come back with its name.
    let gone = json!({ "repositoryName": "other", "force": true });
    ok(world, "DeleteRepository", gone).await;
    api::repository(world, "other").await;
    let told = refused(
        world,
        "GetLifecyclePolicy",
        json!({ "repositoryName": "other" }),
    )
    .await;
    assert_eq!(told["__type"], "LifecyclePolicyNotFoundException");
}

#[tokio::test]
async fn a_run_stops_when_its_repository_is_deleted() {
    let (world, pause) = Pause::world().await;
    let shelf = Shelf::over(world).await;
    for n in 1..=4 {
        shelf.push(&n.to_string(), &[], 40 - n).await;
    }
    shelf.put(&[expire(1, any_above(1))]).await;
    let (registry, now) = (shelf.world.registry.clone(), shelf.now());
    let key = access::operator(shelf.world.key(NAME));
    pause.stop_before(5);
    let run = tokio::spawn(async move { registry.run_lifecycle(key, now, false).await });
    pause.reached().await;
    let force = json!({ "repositoryName": NAME, "force": true });
    ok(&shelf.world, "DeleteRepository", force).await;
    let before = shelf.world.rows()["image"];
    pause.go_on();
    let run = run.await.expect("no panic").expect("a run");
    assert_eq!((run.expired, run.end), (0, RunEnd::PolicyChanged));
    assert_eq!(shelf.world.rows()["image"], before);
}
