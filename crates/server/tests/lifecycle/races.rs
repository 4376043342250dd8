//! Whoever comes between the evaluation of a policy and its actions wins: a run is stopped before
//! each of its calls of the store in turn, something is done through the doors, and it goes on.

use std::sync::Arc;

use roadstead_registry::access;
use roadstead_registry::error::Error;
use roadstead_registry::lifecycle::runs::RunRecord;
use roadstead_testkit::images::index;
use roadstead_testkit::{Artifact, Layout};
use serde_json::{Value, json};

use crate::api::{ok, push_layout, put_image};
use crate::doors::Client;
use crate::pause::Pause;
use crate::shelf::{
    NAME, Shelf, any_above, any_unpulled, archive, expire, tagged_above, tagged_older,
    untagged_older,
};

/// What happens in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    /// A younger image comes.
    Push,
    /// A planned image gets a tag.
    Tag,
    /// The tag that a rule asks for moves to another image.
    MoveTag,
    /// A planned image is pulled.
    Pull,
    /// An image that a count rule keeps is deleted.
    DeleteKept,
    /// It loses the tag that the rule asks for.
    UntagKept,
    /// It is archived by hand.
    ArchiveKept,
    /// It becomes the member of an index.
    ListKept,
    /// A planned image becomes the member of an index.
    ListPlanned,
    /// A planned image of an age rule becomes one.
    ListOld,
    /// The policy goes.
    DeletePolicy,
    /// The policy is replaced by a milder one.
    ReplacePolicy,
}

/// What has to be there.
struct Outcome {
    /// After that one run, stopped right before it acts.
    once: &'static [&'static str],
    /// In the end, if the other came before the run acted.
    first: &'static [&'static str],
    /// In the end, if the run acted first.
    last: &'static [&'static str],
}

const ALL: [Between; 12] = [
    Between::Push,
    Between::Tag,
    Between::MoveTag,
    Between::Pull,
    Between::DeleteKept,
    Between::UntagKept,
    Between::ArchiveKept,
    Between::ListKept,
    Between::ListPlanned,
    Between::ListOld,
    Between::DeletePolicy,
    Between::ReplacePolicy,
];

fn rules(between: Between) -> Vec<Value> {
    let rule = match between {
        Between::Push | Between::DeleteKept => expire(1, any_above(2)),
        Between::Tag | Between::ListOld => expire(1, untagged_older(10)),
        Between::MoveTag => expire(1, tagged_older("v", 10)),
        Between::Pull => archive(1, any_unpulled(10)),
        _ => expire(1, tagged_above("v", 2)),
    };
    vec![rule]
}

fn outcome(between: Between) -> Outcome {
    let (once, first, last): (&[_], &[_], &[_]) = match between {
        Between::Push => (
            &["3[v3]", "4[v4 x]", "new[]"],
            &["4[v4 x]", "new[]"],
            &["4[v4 x]", "new[]"],
        ),
        // Untagged images are 5 and 6.
        Between::Tag => (
            &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[kept]"],
            &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[kept]"],
            &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[kept]"],
        ),
        Between::MoveTag => (
            &["1[]", "4[v4 x]", "5[]", "6[]", "new[v1]"],
            &["1[]", "4[v4 x]", "5[]", "6[]", "new[v1]"],
            &["4[v4 x]", "5[]", "6[]", "new[v1]"],
        ),
        Between::Pull => (
            &[
                "1[v1]",
                "2[v2] ARCHIVED",
                "3[v3] ARCHIVED",
                "4[v4 x]",
                "5[] ARCHIVED",
                "6[] ARCHIVED",
            ],
            &[
                "1[v1]",
                "2[v2] ARCHIVED",
                "3[v3] ARCHIVED",
                "4[v4 x]",
                "5[] ARCHIVED",
                "6[] ARCHIVED",
            ],
            &[
                "1[v1] ARCHIVED",
                "2[v2] ARCHIVED",
                "3[v3] ARCHIVED",
                "4[v4 x]",
                "5[] ARCHIVED",
                "6[] ARCHIVED",
            ],
        ),
        // The rule counts 5 and 6 too, which are older than 3.
        Between::DeleteKept => (&["2[v2]", "3[v3]"], &["2[v2]", "3[v3]"], &["3[v3]"]),
        Between::UntagKept => (
            &["2[v2]", "3[v3]", "4[x]", "5[]", "6[]"],
            &["2[v2]", "3[v3]", "4[x]", "5[]", "6[]"],
            &["3[v3]", "4[x]", "5[]", "6[]"],
        ),
        Between::ArchiveKept => (
            &["2[v2]", "3[v3]", "4[v4 x] ARCHIVED", "5[]", "6[]"],
            &["2[v2]", "3[v3]", "4[v4 x] ARCHIVED", "5[]", "6[]"],
            &["3[v3]", "4[v4 x] ARCHIVED", "5[]", "6[]"],
        ),
        Between::ListKept => (
            &["2[v2]", "3[v3]", "4[v4 x]", "5[]", "6[]", "list[]"],
            &["2[v2]", "3[v3]", "4[v4 x]", "5[]", "6[]", "list[]"],
            &["3[v3]", "4[v4 x]", "5[]", "6[]", "list[]"],
        ),
        Between::ListPlanned => (
            &["1[v1]", "3[v3]", "4[v4 x]", "5[]", "6[]", "list[]"],
            &["1[v1]", "3[v3]", "4[v4 x]", "5[]", "6[]", "list[]"],
            &["3[v3]", "4[v4 x]", "5[]", "6[]"],
        ),
        Between::ListOld => (
            &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[]", "list[]"],
            &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[]", "list[]"],
            &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]"],
        ),
        Between::DeletePolicy | Between::ReplacePolicy => (
            &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[]", "6[]"],
            &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[]", "6[]"],
            &["3[v3]", "4[v4 x]", "5[]", "6[]"],
        ),
    };
    Outcome { once, first, last }
}

/// Images 1 to 4 with a tag each, 5 and 6 without.
async fn images(shelf: &Shelf) -> Vec<Artifact> {
    vec![
        shelf.push("1", &["v1"], 40).await,
        shelf.push("2", &["v2"], 30).await,
        shelf.push("3", &["v3"], 20).await,
        shelf.push("4", &["v4", "x"], 5).await,
        shelf.push("5", &[], 41).await,
        shelf.push("6", &[], 42).await,
    ]
}

/// Does it, as far as that is still possible.
async fn meddle(shelf: &Shelf, between: Between, images: &[Artifact]) {
    let world = &shelf.world;
    let list = async |name: &str, child: &Artifact| {
        let list = index(&[child]);
        shelf.call(&list.digest, name);
        // Refused once the child is gone.
        let answer = world.ecr("PutImage", put_image(NAME, &list, None)).await;
        let refused = "ReferencedImagesNotFoundException";
        assert!(
            answer.status == 200 || answer.code().1 == refused,
            "{answer:?}"
        );
    };
    let by_digest = |image: &Artifact| json!({ "imageDigest": image.digest });
    match between {
        Between::Push => drop(shelf.push("new", &[], 0).await),
        Between::Tag => {
            let five = Layout::image("5");
            push_layout(world, NAME, &five, &["kept"]).await;
        }
        Between::MoveTag => drop(shelf.push("new", &["v1"], 0).await),
        Between::Pull => {
            let client = Client::of(world).await;
            let status = client.v2(http::Method::GET, "/v2/app/manifests/v1", "".into());
            assert!([200, 404].contains(&status.await.status.as_u16()));
        }
        Between::DeleteKept => shelf.delete(by_digest(&images[3])).await,
        Between::UntagKept => shelf.delete(json!({ "imageTag": "v4" })).await,
        Between::ArchiveKept => {
            assert_eq!(shelf.store_in("ARCHIVE", &images[3]).await, "ARCHIVED");
        }
        Between::ListKept => list("list", &images[3]).await,
        Between::ListPlanned => list("list", &images[0]).await,
        Between::ListOld => list("list", &images[4]).await,
        Between::DeletePolicy => {
            let name = json!({ "repositoryName": NAME });
            ok(world, "DeleteLifecyclePolicy", name).await;
        }
        Between::ReplacePolicy => shelf.put(&[expire(1, tagged_above("v", 9))]).await,
    }
}

struct Seen {
    was_there: bool,
    /// None if there was no policy to run any more.
    run: Option<RunRecord>,
    once: Vec<String>,
    end: Vec<String>,
}

/// Stops a run before its `nth` call; none if it has fewer.
async fn stopped(between: Between, nth: u64) -> Result<Seen, u64> {
    let (world, pause) = Pause::world().await;
    let shelf = Shelf::over(world).await;
    let images = images(&shelf).await;
    shelf.put(&rules(between)).await;
    let before = shelf.left().await;
    let running = start(&shelf, &pause, nth);
    tokio::pin!(running);
    tokio::select! {
        run = &mut running => return Err(run.map(|_| pause.calls()).expect("a run")),
        () = pause.reached() => {}
    }
    let was_there = shelf.left().await == before;
    meddle(&shelf, between, &images).await;
    pause.go_on();
    let run = match running.await {
        Err(Error::LifecyclePolicyNotFound(_)) if between == Between::DeletePolicy => None,
        run => Some(run.expect("a run")),
    };
    let once = shelf.left().await;
    if between != Between::DeletePolicy {
        shelf.settle().await;
    }
    let end = shelf.left().await;
    shelf.all_pulls().await;
    let seen = Seen {
        was_there,
        run,
        once,
        end,
    };
    Ok(seen)
}

async fn start(shelf: &Shelf, pause: &Arc<Pause>, nth: u64) -> Result<RunRecord, Error> {
    let key = access::operator(shelf.world.key(NAME));
    let (registry, now) = (shelf.world.registry.clone(), shelf.now());
    pause.stop_before(nth);
    let running = tokio::spawn(async move { registry.run_lifecycle(key, now, false).await });
    running.await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_between_wins() {
    for between in ALL {
        let expected = outcome(between);
        let (mut nth, mut acted_before) = (1, None);
        loop {
            let context = format!("{between:?} before call {nth}");
            let seen = match stopped(between, nth).await {
                Ok(seen) => seen,
                Err(calls) => {
                    assert_eq!(calls + 1, nth, "{context}");
                    break;
                }
            };
            // The first call after which something is gone is the one that acts.
            if !seen.was_there && acted_before.is_none() {
                acted_before = Some(nth);
            }
            let end = if seen.was_there {
                expected.first
            } else {
                expected.last
            };
            assert_eq!(seen.end, end, "{context}: {:?}", seen.run);
            nth += 1;
            assert!(nth < 40, "{context}: no end");
        }
        let acts = acted_before.expect("a call that acts") - 1;
        let seen = stopped(between, acts)
            .await
            .unwrap_or_else(|_| panic!("{between:?}"));
        assert_eq!(seen.once, expected.once, "{between:?}: {:?}", seen.run);
    }
}
