//! The life of a preview: asked for, complete, expired, replaced; its pages, filters and image ids
//! (lifecycle.md 4).

use roadstead_domain::time::{Span, Timestamp};
use roadstead_testkit::lifecycle::record;
use serde_json::{Value, json};

use crate::api::{invalid, ok, refused};
use crate::shelf::{NAME, Shelf, any_above, archive, days, expire, policy, untagged_older};

async fn start(shelf: &Shelf, rules: &[Value]) -> Value {
    let body = json!({ "repositoryName": NAME, "lifecyclePolicyText": policy(rules) });
    ok(&shelf.world, "StartLifecyclePolicyPreview", body).await
}

fn asking(more: Value) -> Value {
    let mut body = json!({ "repositoryName": NAME });
    for (member, value) in more.as_object().into_iter().flatten() {
        body[member] = value.clone();
    }
    body
}

async fn get(shelf: &Shelf, more: Value) -> Value {
    ok(&shelf.world, "GetLifecyclePolicyPreview", asking(more)).await
}

fn digests(preview: &Value) -> Vec<String> {
    let results = preview["previewResults"].as_array().expect("a list");
    let digest = |one: &Value| one["imageDigest"].as_str().expect("a digest").to_owned();
    results.iter().map(digest).collect()
}

#[tokio::test]
async fn from_in_progress_to_expired() {
    let shelf = Shelf::start().await;
    let old = shelf.push("old", &["v1"], 3).await;
    shelf.push("young", &["v2"], 1).await;
    let rules = [expire(1, any_above(1))];
    let text = policy(&rules);
    let started = start(&shelf, &rules).await;
    let told = json!({
        "registryId": "123456789012", "repositoryName": NAME,
        "lifecyclePolicyText": text, "status": "IN_PROGRESS",
    });
    assert_eq!(started, told);
    let waiting = get(&shelf, json!({})).await;
    assert_eq!(waiting["status"], "IN_PROGRESS");
    assert_eq!(waiting["previewResults"], json!([]));
    assert_eq!(waiting.get("nextToken"), None);
    let again = asking(json!({ "lifecyclePolicyText": text }));
    let told = refused(&shelf.world, "StartLifecyclePolicyPreview", again).await;
    assert_eq!(told["__type"], "LifecyclePolicyPreviewInProgressException");

    shelf.world.previews().await;
    let complete = get(&shelf, json!({})).await;
    assert_eq!(complete["status"], "COMPLETE");
    assert_eq!(complete["lifecyclePolicyText"], text);
    assert_eq!(digests(&complete), [old.digest]);
    assert_eq!(complete["summary"], json!({ "expiringImageTotalCount": 1 }));
    assert_eq!(
        shelf.left().await,
        ["old[v1]", "young[v2]"],
        "a preview deletes nothing"
    );

    shelf.world.clock.advance(Span::hours(24));
    assert_eq!(get(&shelf, json!({})).await, complete);
    shelf.world.clock.advance(Span::seconds(1));
    let expired = get(&shelf, json!({})).await;
    assert_eq!(expired["status"], "EXPIRED");
    assert_eq!(expired["previewResults"], json!([]));
    // And one can be asked for again.
    assert_eq!(start(&shelf, &rules).await["status"], "IN_PROGRESS");
}

#[tokio::test]
async fn later_changes_do_not_alter_results_and_a_new_preview_replaces_them() {
    let shelf = Shelf::start().await;
    let old = shelf.push("old", &["v1", "x"], 3).await;
    shelf.push("young", &["v2"], 2).await;
    start(&shelf, &[expire(1, any_above(1))]).await;
    shelf.world.previews().await;
    let before = get(&shelf, json!({})).await;
    shelf.push("younger", &["v1"], 0).await;
    shelf.put(&[expire(1, any_above(9))]).await;
    assert_eq!(get(&shelf, json!({})).await, before);
    assert_eq!(before["previewResults"][0]["imageTags"], json!(["v1", "x"]));
    assert_eq!(digests(&before), [old.digest]);
    let count = json!({ "imageTotalCount": 2, "targetStorageClass": "ARCHIVE" });
    start(&shelf, &[archive(1, any_above(1))]).await;
    assert_eq!(get(&shelf, json!({})).await["previewResults"], json!([]));
    shelf.world.previews().await;
    let after = get(&shelf, json!({})).await;
    let summary = json!({
        "expiringImageTotalCount": 0, "transitioningImageTotalCounts": [count],
    });
    assert_eq!(after["summary"], summary);
    let action = json!({ "type": "TRANSITION", "targetStorageClass": "ARCHIVE" });
    for result in after["previewResults"].as_array().expect("a list") {
        assert_eq!(result["action"], action);
        assert_eq!(result["storageClass"], "STANDARD");
    }
}

#[tokio::test]
async fn the_repositorys_own_policy_in_its_compact_form() {
    let shelf = Shelf::start().await;
    shelf.push("old", &[], 3).await;
    shelf.put(&[expire(7, untagged_older(2))]).await;
    let name = json!({ "repositoryName": NAME });
    let own = ok(&shelf.world, "GetLifecyclePolicy", name.clone()).await;
    let started = ok(&shelf.world, "StartLifecyclePolicyPreview", name).await;
    assert_eq!(started["lifecyclePolicyText"], own["lifecyclePolicyText"]);
    shelf.world.previews().await;
    let complete = get(&shelf, json!({})).await;
    assert_eq!(complete["previewResults"][0]["appliedRulePriority"], 7);
}

/// Images to expire, oldest first: a third without tags, many of one instant.
const MANY: i64 = 1_234;

async fn with_many() -> (Shelf, Vec<String>) {
    let shelf = Shelf::start().await;
    let now = shelf.now().0;
    let images = (0..MANY).map(|n| {
        let digest = format!("sha256:{n:064x}");
        // Numbers 100 to 899 were pushed in one instant.
        let at = if (100..900).contains(&n) { 100 } else { n };
        let mut new = record(&digest, Timestamp(now - days(30).0 + at * 1_500_000));
        new.image.push_seq = n;
        let tags = if n % 3 == 0 {
            vec![]
        } else {
            vec![format!("t{n}")]
        };
        (new, tags)
    });
    shelf.world.insert_images(NAME, images.collect()).await;
    let digests = (0..MANY).map(|n| format!("sha256:{n:064x}"));
    (shelf, digests.collect())
}

fn older(age: u32) -> Value {
    json!({
        "tagStatus": "any",
        "countType": "sinceImagePushed", "countUnit": "days", "countNumber": age,
    })
}

async fn pages(shelf: &Shelf, more: &Value, limit: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut more = more.clone();
    loop {
        let page = get(shelf, more.clone()).await;
        assert_eq!(page["summary"]["expiringImageTotalCount"], MANY);
        let found = digests(&page);
        assert!(found.len() <= limit, "{}", found.len());
        all.extend(found);
        match page["nextToken"].as_str() {
            None => return all,
            Some(token) => {
                assert_eq!(digests(&page).len(), limit, "a short page with a token");
                assert_ne!(more["nextToken"], token);
                more["nextToken"] = token.into();
            }
        }
    }
}

#[tokio::test]
async fn pages_hold_every_result_once_and_the_oldest_first() {
    let (shelf, expected) = with_many().await;
    start(&shelf, &[expire(1, older(1))]).await;
    shelf.world.previews().await;
    assert_eq!(sorted(pages(&shelf, &json!({}), 100).await), expected);
    for limit in [1, 97, 100] {
        let all = pages(&shelf, &json!({ "maxResults": limit }), limit).await;
        assert_eq!(all.len(), expected.len());
        // Those of one instant have no order of their own.
        assert_eq!(all[..100], expected[..100]);
        assert_eq!(sorted(all[100..900].to_vec()), expected[100..900]);
        assert_eq!(all[900..], expected[900..]);
    }
    for (status, keeps) in [("TAGGED", 1..3), ("UNTAGGED", 0..1), ("ANY", 0..3)] {
        let more = json!({ "filter": { "tagStatus": status } });
        let mut wanted = expected.clone();
        let mut n = 0;
        wanted.retain(|_| {
            n += 1;
            keeps.contains(&((n - 1) % 3))
        });
        assert_eq!(sorted(pages(&shelf, &more, 100).await), wanted, "{status}");
    }
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

#[tokio::test]
async fn tokens_belong_to_one_preview_and_one_filter() {
    let (shelf, _) = with_many().await;
    let rules = [expire(1, older(1))];
    start(&shelf, &rules).await;
    shelf.world.previews().await;
    let token = get(&shelf, json!({})).await["nextToken"].clone();
    let why = invalid("nextToken", "Invalid token");
    let get_page = |more: Value| refused(&shelf.world, "GetLifecyclePolicyPreview", asking(more));
    let filtered = json!({ "nextToken": token, "filter": { "tagStatus": "TAGGED" } });
    assert_eq!(get_page(filtered).await, why);
    assert_eq!(get_page(json!({ "nextToken": "made up" })).await, why);
    start(&shelf, &rules).await;
    shelf.world.previews().await;
    assert_eq!(get_page(json!({ "nextToken": token })).await, why);
    // Bounds of the model.
    for (limit, bound) in [
        (0, "greater than or equal to 1"),
        (101, "less than or equal to 100"),
    ] {
        let told = get_page(json!({ "maxResults": limit })).await;
        assert_eq!(
            told,
            invalid("maxResults", &format!("Member must have value {bound}"))
        );
    }
}

#[tokio::test]
async fn results_of_images_that_are_named() {
    let (shelf, _) = with_many().await;
    // What no rule acts upon is skipped like what is not there.
    shelf.push("young", &["young"], 0).await;
    start(&shelf, &[expire(1, older(1))]).await;
    shelf.world.previews().await;
    let digest = |n: i64| format!("sha256:{n:064x}");
    let ids = json!([
        { "imageDigest": digest(0) }, { "imageTag": "t1" }, { "imageTag": "young" },
        { "imageDigest": digest(100) }, { "imageDigest": digest(499) }, { "imageTag": "t500" },
        { "imageTag": "t899" }, { "imageDigest": digest(1_233) }, { "imageTag": "nope" },
        { "imageDigest": digest(9_999) }, { "imageTag": "t1" },
        { "imageDigest": digest(4), "imageTag": "t4" }, { "imageDigest": digest(5), "imageTag": "t4" },
    ]);
    let found = get(&shelf, json!({ "imageIds": ids })).await;
    let expected = [0, 1, 4, 100, 499, 500, 899, 1_233].map(digest);
    assert_eq!(sorted(digests(&found)), expected);
    assert_eq!(found["summary"]["expiringImageTotalCount"], MANY);
    assert_eq!(found.get("nextToken"), None);
    let filter = json!({ "tagStatus": "UNTAGGED" });
    let untagged = get(&shelf, json!({ "imageIds": ids, "filter": filter })).await;
    assert_eq!(sorted(digests(&untagged)), [0, 1_233].map(digest));
    // Not together with pages, as in DescribeImages.
    for more in [json!({ "maxResults": 5 }), json!({ "nextToken": "x" })] {
        let mut more = more;
        more["imageIds"] = ids.clone();
        let told = refused(&shelf.world, "GetLifecyclePolicyPreview", asking(more)).await;
        assert_eq!(
            told,
            invalid("imageIds", "Must not be used with nextToken or maxResults")
        );
    }
}

#[tokio::test]
async fn a_preview_goes_with_its_repository() {
    let shelf = Shelf::start().await;
    start(&shelf, &[expire(1, any_above(1))]).await;
    let name = json!({ "repositoryName": NAME });
    ok(&shelf.world, "DeleteRepository", name.clone()).await;
    assert_eq!(shelf.world.previews().await, 0);
    ok(&shelf.world, "CreateRepository", name.clone()).await;
    let told = refused(&shelf.world, "GetLifecyclePolicyPreview", name).await;
    assert_eq!(told["__type"], "LifecyclePolicyPreviewNotFoundException");
}
