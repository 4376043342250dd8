//! Whoever comes between the evaluation of a policy and its actions wins: a run is stopped before
//! each of its calls of the store in turn, something is done through the doors, and it goes on.

use std::sync::Arc;

use roadstead_registry::access;
use roadstead_registry::error::Error;
use roadstead_registry::lifecycle::runs::RunRecord;
use roadstead_testkit::Artifact;
use roadstead_testkit::images::index;
use serde_json::{Value, json};

use crate::api::{ok, push_manifest, put_image};
use crate::doors::Client;
use crate::pause::Pause;
use crate::shelf::{
    NAME, Shelf, any_above, any_unpulled, archive, expire, tagged_above, tagged_older,
    untagged_above, untagged_older,
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
    /// One that an untagged rule keeps gets a tag.
    TagKept,
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

const ALL: [Between; 13] = [
    Between::Push,
    Between::Tag,
    Between::MoveTag,
    Between::Pull,
    Between::DeleteKept,
    Between::UntagKept,
    Between::TagKept,
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
        Between::TagKept => expire(1, untagged_above(1)),
        Between::MoveTag => expire(1, tagged_older("v", 10)),
        Between::Pull => archive(1, any_unpulled(10)),
        _ => expire(1, tagged_above("v", 2)),
    };
    vec![rule]
}

type Images = &'static [&'static str];

const ALL_SIX: Images = &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[]", "6[]"];

/// What is there in the end if the other came before the run acted.
fn if_first(between: Between) -> Images {
    match between {
        Between::Push => &["4[v4 x]", "new[]"],
        Between::Tag => &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[kept]"],
        Between::MoveTag => &["1[]", "4[v4 x]", "5[]", "6[]", "new[v1]"],
        Between::Pull => &[
            "1[v1]",
            "2[v2] ARCHIVED",
            "3[v3] ARCHIVED",
            "4[v4 x]",
            "5[] ARCHIVED",
            "6[] ARCHIVED",
        ],
        // That rule counts 5 and 6 too, the oldest.
        Between::DeleteKept => &["2[v2]", "3[v3]"],
        Between::UntagKept => &["2[v2]", "3[v3]", "4[x]", "5[]", "6[]"],
        Between::TagKept => &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[kept]", "6[]"],
        Between::ArchiveKept => &["2[v2]", "3[v3]", "4[v4 x] ARCHIVED", "5[]", "6[]"],
        // A member of an index takes no place.
        Between::ListKept => &["2[v2]", "3[v3]", "4[v4 x]", "5[]", "6[]", "list[]"],
        Between::ListPlanned => &["1[v1]", "3[v3]", "4[v4 x]", "5[]", "6[]", "list[]"],
        Between::ListOld => &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[]", "list[]"],
        Between::DeletePolicy | Between::ReplacePolicy => ALL_SIX,
    }
}

/// What is there after that one run, stopped right before it acts.
fn once(between: Between) -> Images {
    match between {
        // The plan holds; that 3 is one too many by now is found by the next run.
        Between::Push => &["3[v3]", "4[v4 x]", "new[]"],
        other => if_first(other),
    }
}

/// What is there in the end if the run acted first.
fn if_last(between: Between) -> Images {
    match between {
        Between::Push | Between::Tag => if_first(between),
        Between::MoveTag => &["4[v4 x]", "5[]", "6[]", "new[v1]"],
        Between::Pull => &[
            "1[v1] ARCHIVED",
            "2[v2] ARCHIVED",
            "3[v3] ARCHIVED",
            "4[v4 x]",
            "5[] ARCHIVED",
            "6[] ARCHIVED",
        ],
        Between::DeleteKept => &["3[v3]"],
        Between::UntagKept => &["3[v3]", "4[x]", "5[]", "6[]"],
        Between::TagKept => &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]", "5[kept]"],
        Between::ArchiveKept => &["3[v3]", "4[v4 x] ARCHIVED", "5[]", "6[]"],
        Between::ListKept => &["3[v3]", "4[v4 x]", "5[]", "6[]", "list[]"],
        Between::ListOld => &["1[v1]", "2[v2]", "3[v3]", "4[v4 x]"],
        Between::ListPlanned | Between::DeletePolicy | Between::ReplacePolicy => {
            &["3[v3]", "4[v4 x]", "5[]", "6[]"]
        }
    }
}

/// Images 1 to 4 with a tag each, 5 and 6 without.
async fn images(shelf: &Shelf) -> Vec<Artifact> {
    let first = shelf.push("1", &["v1"], 40).await;
    let mut images = vec![first.clone()];
    let others: [(&str, &[&str], i64); 5] = [
        ("2", &["v2"], 30),
        ("3", &["v3"], 20),
        ("4", &["v4", "x"], 5),
        ("5", &[], 41),
        ("6", &[], 42),
    ];
    for (name, tags, days_ago) in others {
        images.push(shelf.vary(name, &first, tags, days_ago).await);
    }
    images
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
        Between::Push => drop(shelf.vary("new", &images[0], &[], 0).await),
        Between::Tag | Between::TagKept => push_manifest(world, NAME, &images[4], &["kept"]).await,
        Between::MoveTag => drop(shelf.vary("new", &images[0], &["v1"], 0).await),
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
                if_first(between)
            } else {
                if_last(between)
            };
            assert_eq!(seen.end, end, "{context}: {:?}", seen.run);
            nth += 1;
            assert!(nth < 40, "{context}: no end");
        }
        let acts = acted_before.expect("a call that acts") - 1;
        let seen = stopped(between, acts)
            .await
            .unwrap_or_else(|_| panic!("{between:?}"));
        assert_eq!(seen.once, once(between), "{between:?}: {:?}", seen.run);
    }
}
