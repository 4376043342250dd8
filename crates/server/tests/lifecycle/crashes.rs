//! A run, and a preview, that end at any call of the stores: whoever comes next ends the work, the
//! outcome is that of an undisturbed one, and nothing else is lost.

use roadstead_domain::time::{Span, Timestamp};
use roadstead_registry::context::Clock as _;
use roadstead_store::fault::When;
use roadstead_testkit::World;
use roadstead_testkit::lifecycle::record;
use serde_json::{Value, json};

use crate::api::ok;
use crate::shelf::{
    NAME, Shelf, any_unpulled, archive, archived_for, days, expire, policy, tagged_above,
    untagged_older,
};

/// Untagged images beside those that can be pulled: enough for several transactions.
const BULK: usize = 120;

fn rules() -> Vec<Value> {
    vec![
        expire(1, tagged_above("v", 2)),
        expire(2, untagged_older(10)),
        archive(3, any_unpulled(15)),
        expire(4, archived_for(90)),
    ]
}

/// Images for every rule, with an index, its members and signatures.
async fn shelf() -> Shelf {
    let shelf = Shelf::over(World::builder().without_grace().start().await).await;
    let child = shelf.push("child", &[], 200).await;
    let kept_child = shelf.push("kept child", &[], 200).await;
    let old = shelf.list("list", &["v1"], &[&child], 100).await;
    shelf.refer("signature", &old, 99).await;
    shelf.push("2", &["v2"], 50).await;
    let kept = shelf.list("kept list", &["v3"], &[&kept_child], 4).await;
    shelf.refer("kept signature", &kept, 50).await;
    shelf.push("4", &["v4"], 3).await;
    shelf.push("unpulled", &["main"], 20).await;
    shelf.push("pulled", &["next"], 5).await;
    let now = shelf.now().0;
    let mut bulk: Vec<_> = (0..BULK)
        .map(|n| {
            let digest = format!("sha256:{n:064x}");
            (record(&digest, Timestamp(now - days(11).0)), vec![])
        })
        .collect();
    let mut archived = record(&format!("sha256:{BULK:064x}"), Timestamp(now - days(300).0));
    archived.image.status = roadstead_domain::image::ImageStatus::Archived;
    archived.image.archived_at = Some(Timestamp(now - days(91).0));
    bulk.push((archived, vec!["frozen".to_owned()]));
    shelf.world.insert_images(NAME, bulk).await;
    shelf.put(&rules()).await;
    shelf
}

/// What the rules leave: the two youngest of `v`, what belongs to them, and what was pulled or
/// pushed lately. The child of the expired list has no list any more and goes in the next run.
const LEFT: [&str; 6] = [
    "4[v4]",
    "kept child[]",
    "kept list[v3]",
    "kept signature[]",
    "pulled[next]",
    "unpulled[main] ARCHIVED",
];

#[tokio::test]
async fn an_undisturbed_run() {
    let shelf = shelf().await;
    shelf.settle().await;
    assert_eq!(shelf.left().await, LEFT);
    shelf.all_pulls().await;
}

/// Ends a run at its nth call and starts over; false if it has fewer.
async fn crash_at(nth: u64, when: When) -> bool {
    let context = format!("call {nth} {when:?}");
    let shelf = shelf().await;
    let world = &shelf.world;
    world.faults.clear();
    world.faults.fail_from(nth, when);
    let run = world.try_run(NAME).await;
    let was_reached = world.faults.calls() >= nth;
    world.faults.clear();
    assert_eq!(run.is_err(), was_reached, "{context}: {run:?}");
    // The lease of the runner that is gone ends by itself.
    world.clock.advance(Span::seconds(61));
    let after_crash = shelf.left().await;
    for kept in LEFT {
        let name = kept.split('[').next().expect("a name");
        let is_there = after_crash
            .iter()
            .any(|left| left.split('[').next() == Some(name));
        assert!(is_there, "{context}: {kept} is lost");
    }
    shelf.settle().await;
    assert_eq!(shelf.left().await, LEFT, "{context}");
    shelf.all_pulls().await;
    was_reached
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_at_every_call_and_the_next_one_does_the_rest() {
    for when in [When::Before, When::After] {
        let mut nth = 1;
        while crash_at(nth, when).await {
            nth += 1;
            assert!(nth < 60, "the run does not end");
        }
        // A lease, a record, a snapshot, three batches or more, the end.
        assert!(nth > 7, "only {nth} calls");
    }
}

/// The policy's schedule finds the work too.
#[tokio::test]
async fn a_crashed_run_is_due_again() {
    let shelf = shelf().await;
    shelf.world.clock.advance(Span::hours(1));
    shelf.world.faults.clear();
    shelf.world.faults.fail_from(6, When::Before);
    let now = shelf.now();
    assert!(shelf.world.registry.lifecycle_step(now).await.is_err());
    shelf.world.faults.clear();
    for _ in 0..3 {
        shelf.world.clock.advance(Span::hours(1));
        assert_eq!(shelf.world.lifecycle().await, 1);
    }
    assert_eq!(shelf.left().await, LEFT);
}

/// The preview; tokens differ each time, whatever they stand for.
async fn previewed(shelf: &Shelf) -> Value {
    let name = json!({ "repositoryName": NAME });
    let mut preview = ok(&shelf.world, "GetLifecyclePolicyPreview", name).await;
    assert!(preview["nextToken"].is_string(), "{preview}");
    preview["nextToken"] = Value::Null;
    preview
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_ends_at_every_call_and_is_done_again() {
    let shelf = shelf().await;
    let world = &shelf.world;
    let body = json!({ "repositoryName": NAME, "lifecyclePolicyText": policy(&rules()) });
    ok(world, "StartLifecyclePolicyPreview", body.clone()).await;
    world.previews().await;
    let undisturbed = previewed(&shelf).await;
    assert_eq!(undisturbed["status"], "COMPLETE");
    // The two of `v`, the bulk and what waited in the archive; signatures follow unlisted.
    let expiring = undisturbed["summary"]["expiringImageTotalCount"].as_u64();
    assert_eq!(expiring, Some(2 + BULK as u64 + 1));
    for when in [When::Before, When::After] {
        for nth in 1.. {
            let context = format!("call {nth} {when:?}");
            ok(world, "StartLifecyclePolicyPreview", body.clone()).await;
            world.faults.clear();
            world.faults.fail_from(nth, when);
            let step = world.registry.preview_step(world.clock.now()).await;
            let was_reached = world.faults.calls() >= nth;
            world.faults.clear();
            assert_eq!(step.is_err(), was_reached, "{context}");
            world.previews().await;
            assert_eq!(previewed(&shelf).await, undisturbed, "{context}");
            if !was_reached {
                break;
            }
            assert!(nth < 60, "the preview does not end");
        }
    }
}

/// A pull whose time could not be written counts all the same, now and after the next write.
#[tokio::test]
async fn a_pull_that_could_not_be_written_is_not_forgotten() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    shelf.push("1", &["v1"], 20).await;
    shelf.push("2", &["v2"], 20).await;
    shelf.put(&[archive(1, any_unpulled(10))]).await;
    let client = crate::doors::Client::of(world).await;
    client.pull(NAME, "v1").await.expect("an image");
    world.faults.fail_all(When::Before);
    assert!(world.registry.write_pull_times().await.is_err());
    world.faults.clear();
    shelf.settle().await;
    assert_eq!(shelf.left().await, ["1[v1]", "2[v2] ARCHIVED"]);
}
