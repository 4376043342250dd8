//! Signatures and the like: they go with their subject in a run; one whose subject was deleted by
//! hand stays for a day and then goes, if its repository has a policy (ecr.md 4.3).

use roadstead_domain::time::Span;
use serde_json::json;

use crate::shelf::{NAME, Shelf, expire, tagged_above, tagged_older};

/// A rule that asks for nothing.
fn idle() -> Vec<serde_json::Value> {
    vec![expire(1, tagged_above("never-", 1_000))]
}

async fn orphaned() -> Shelf {
    let shelf = Shelf::start().await;
    let image = shelf.push("image", &["v1"], 40).await;
    let signature = shelf.refer("signature", &image, 40).await;
    shelf.refer("signed signature", &signature, 40).await;
    let kept = shelf.push("kept", &["v2"], 40).await;
    shelf.refer("kept signature", &kept, 40).await;
    shelf.delete(json!({ "imageDigest": image.digest })).await;
    shelf
}

const ALL: [&str; 4] = [
    "kept signature[]",
    "kept[v2]",
    "signature[]",
    "signed signature[]",
];

#[tokio::test]
async fn they_go_a_day_after_their_subject() {
    let shelf = orphaned().await;
    shelf.put(&idle()).await;
    shelf.settle().await;
    assert_eq!(shelf.left().await, ALL, "at once");
    shelf.world.clock.advance(Span::hours(24));
    shelf.settle().await;
    assert_eq!(shelf.left().await, ALL, "not longer than a day");
    shelf.world.clock.advance(Span::seconds(1));
    // What refers to an orphan becomes one when that goes, or goes with it.
    shelf.settle().await;
    shelf.world.clock.advance(Span::hours(25));
    shelf.settle().await;
    assert_eq!(shelf.left().await, ["kept signature[]", "kept[v2]"]);
    shelf.all_pulls().await;
}

#[tokio::test]
async fn without_a_policy_they_stay() {
    let shelf = orphaned().await;
    shelf.world.clock.advance(Span::hours(24 * 30));
    assert_eq!(shelf.world.lifecycle().await, 0);
    assert_eq!(shelf.left().await, ALL);
    // A policy that comes later finds them old enough.
    shelf.put(&idle()).await;
    shelf.world.clock.advance(Span::hours(1));
    assert_eq!(shelf.world.lifecycle().await, 1);
    assert!(!shelf.left().await.contains(&"signature[]".to_owned()));
}

#[tokio::test]
async fn a_subject_that_comes_back_keeps_them() {
    let shelf = orphaned().await;
    shelf.put(&idle()).await;
    shelf.world.clock.advance(Span::hours(23));
    shelf.push("image", &["v1"], 0).await;
    shelf.world.clock.advance(Span::hours(25));
    shelf.settle().await;
    let left = shelf.left().await;
    assert_eq!(left.len(), 5, "{left:?}");
}

#[tokio::test]
async fn one_whose_subject_never_came_is_an_ordinary_image() {
    let shelf = Shelf::start().await;
    let stranger = roadstead_testkit::Layout::image("stranger").manifest;
    shelf.refer("early signature", &stranger, 40).await;
    shelf.put(&idle()).await;
    shelf.world.clock.advance(Span::hours(48));
    shelf.settle().await;
    assert_eq!(shelf.left().await, ["early signature[]"]);
}

#[tokio::test]
async fn they_go_with_a_subject_that_expires() {
    let shelf = Shelf::start().await;
    let image = shelf.push("image", &["v1"], 40).await;
    let signature = shelf.refer("signature", &image, 1).await;
    shelf.refer("signed signature", &signature, 1).await;
    shelf.push("kept", &["w1"], 40).await;
    shelf.put(&[expire(1, tagged_older("v", 10))]).await;
    let run = shelf.world.run(NAME).await;
    assert_eq!((run.expired, run.followed), (1, 2), "{run:?}");
    assert_eq!(shelf.left().await, ["kept[w1]"]);
}
