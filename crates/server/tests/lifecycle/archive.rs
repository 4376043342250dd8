//! The archive: what an archived image is hidden from, what still works upon it, how it comes back
//! (ecr.md 7.11; lifecycle.md 3.6).

use http::Method;
use roadstead_domain::time::Span;
use roadstead_testkit::{Artifact, Layout, World};
use serde_json::{Value, json};

use crate::api::{ok, push_layout, put_image, refused};
use crate::doors::{Client, none, sweep_all};
use crate::shelf::{NAME, Shelf};

fn by_digest(image: &Artifact) -> Value {
    json!({ "imageDigest": image.digest })
}

async fn moving(world: &World, id: Value, class: &str) -> Value {
    let body = json!({ "repositoryName": NAME, "imageId": id, "targetStorageClass": class });
    ok(world, "UpdateImageStorageClass", body).await
}

async fn described(world: &World, image: &Artifact) -> Value {
    let body = json!({ "repositoryName": NAME, "imageIds": [by_digest(image)] });
    let answer = ok(world, "DescribeImages", body).await;
    answer["imageDetails"][0].clone()
}

async fn pulls(shelf: &Shelf, reference: &str) -> bool {
    let client = Client::of(&shelf.world).await;
    match client.head(NAME, reference).await {
        200 => {
            client.pull(NAME, reference).await.expect("a whole image");
            true
        }
        404 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_archived_image_is_hidden_and_cannot_be_pulled() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    let image = shelf.push("cold", &["v1", "x"], 9).await;
    let warm = shelf.push("warm", &["v2"], 8).await;
    let told = moving(world, json!({ "imageTag": "v1" }), "ARCHIVE").await;
    let expected = json!({
        "registryId": "123456789012", "repositoryName": NAME, "imageStatus": "ARCHIVED",
        "imageId": { "imageDigest": image.digest, "imageTag": "v1" },
    });
    assert_eq!(told, expected);
    for reference in ["v1", "x", &image.digest] {
        assert!(!pulls(&shelf, reference).await, "{reference}");
        let client = Client::of(world).await;
        let path = format!("/v2/{NAME}/manifests/{reference}");
        let answer = client.v2(Method::GET, &path, none()).await;
        assert_eq!(
            answer.code(),
            (404, "MANIFEST_UNKNOWN".into()),
            "{reference}"
        );
    }
    assert!(pulls(&shelf, "v2").await);
    let ids = json!([{ "imageTag": "v1" }, { "imageTag": "v2" }]);
    let body = json!({ "repositoryName": NAME, "imageIds": ids });
    let got = ok(world, "BatchGetImage", body).await;
    assert_eq!(got["images"][0]["imageId"]["imageDigest"], warm.digest);
    assert_eq!(got["images"].as_array().map(Vec::len), Some(1));
    assert_eq!(got["failures"][0]["imageId"], json!({ "imageTag": "v1" }));
    assert_eq!(got["failures"][0]["failureCode"], "ImageInaccessible");
    // By id it is still described (user guide, "Archiving an image").
    let detail = described(world, &image).await;
    assert_eq!(detail["imageStatus"], "ARCHIVED");
    assert_eq!(
        detail["lastArchivedAt"].as_f64(),
        Some(shelf.now().seconds_f64())
    );
    assert_eq!(detail.get("lastActivatedAt"), None);
}

#[tokio::test]
async fn listings_show_it_if_they_are_asked() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    let cold = shelf.push("cold", &["v1"], 9).await;
    let warm = shelf.push("warm", &["v2"], 8).await;
    shelf.store_in("ARCHIVE", &cold).await;
    for (status, expected) in [
        (None, vec![&warm]),
        (Some("ACTIVE"), vec![&warm]),
        (Some("ARCHIVED"), vec![&cold]),
        (Some("ACTIVATING"), vec![]),
        (Some("ANY"), vec![&warm, &cold]),
    ] {
        let mut body = json!({ "repositoryName": NAME });
        if let Some(status) = status {
            body["filter"] = json!({ "imageStatus": status });
        }
        let mut expected: Vec<&str> = expected.iter().map(|one| one.digest.as_str()).collect();
        let details = ok(world, "DescribeImages", body.clone()).await;
        assert_eq!(digests(&details["imageDetails"]), expected, "{status:?}");
        expected.sort_unstable();
        let listed = ok(world, "ListImages", body).await;
        assert_eq!(digests(&listed["imageIds"]), expected, "{status:?}");
    }
}

fn digests(entries: &Value) -> Vec<&str> {
    let entries = entries.as_array().expect("a list").iter();
    entries
        .map(|one| one["imageDigest"].as_str().expect("a digest"))
        .collect()
}

#[tokio::test]
async fn referrers_in_the_archive_are_not_listed() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    let image = shelf.push("image", &["v1"], 9).await;
    let cold = shelf.refer("cold signature", &image, 9).await;
    let warm = shelf.refer("warm signature", &image, 9).await;
    shelf.store_in("ARCHIVE", &cold).await;
    let subject = by_digest(&image);
    let body = json!({ "repositoryName": NAME, "subjectId": subject });
    let listed = ok(world, "ListImageReferrers", body).await;
    let listed = listed["referrers"].as_array().expect("a list").clone();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["digest"], warm.digest);
    let client = Client::of(world).await;
    let path = format!("/v2/{NAME}/referrers/{}", image.digest);
    let answer = client.v2(Method::GET, &path, none()).await.expect(200);
    let manifests = answer.json()["manifests"].as_array().cloned();
    let manifests = manifests.expect("a list");
    assert_eq!(manifests.len(), 1);
    assert_eq!(manifests[0]["digest"], warm.digest);
}

#[tokio::test]
async fn there_and_back_and_twice() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    let image = shelf.push("cold", &["v1"], 9).await;
    let to = async |class| moving(world, by_digest(&image), class).await["imageStatus"].clone();
    // The same class again is no error and no change.
    assert_eq!(to("STANDARD").await, "ACTIVE");
    assert_eq!(described(world, &image).await.get("lastActivatedAt"), None);
    assert_eq!(to("ARCHIVE").await, "ARCHIVED");
    let archived = described(world, &image).await;
    world.clock.advance(Span::hours(1));
    assert_eq!(to("ARCHIVE").await, "ARCHIVED");
    assert_eq!(described(world, &image).await, archived);
    // By digest alone the answer names no tag.
    let told = moving(world, by_digest(&image), "STANDARD").await;
    assert_eq!(told["imageId"], by_digest(&image));
    assert_eq!(told["imageStatus"], "ACTIVATING");
    let detail = described(world, &image).await;
    assert_eq!(detail["imageStatus"], "ACTIVE");
    let now = shelf.now().seconds_f64();
    assert_eq!(detail["lastActivatedAt"].as_f64(), Some(now));
    assert_eq!(detail["lastArchivedAt"], archived["lastArchivedAt"]);
    assert!(pulls(&shelf, "v1").await);
}

#[tokio::test]
async fn what_cannot_be_moved() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    let child = shelf.push("child", &["c"], 9).await;
    let list = shelf.list("list", &["l"], &[&child], 8).await;
    let body = |id: Value| json!({ "repositoryName": NAME, "imageId": id, "targetStorageClass": "ARCHIVE" });
    let told = refused(world, "UpdateImageStorageClass", body(by_digest(&child))).await;
    assert_eq!(
        told["__type"],
        "ImageStorageClassUpdateNotSupportedException"
    );
    for id in [
        json!({ "imageTag": "nope" }),
        json!({ "imageDigest": format!("sha256:{:064}", 0) }),
        json!({ "imageDigest": list.digest, "imageTag": "c" }),
    ] {
        let told = refused(world, "UpdateImageStorageClass", body(id.clone())).await;
        assert_eq!(told["__type"], "ImageNotFoundException", "{id}");
    }
    for id in [
        json!({}),
        json!({ "imageDigest": "sha256:zz" }),
        json!({ "imageTag": "-" }),
    ] {
        let told = refused(world, "UpdateImageStorageClass", body(id.clone())).await;
        let codes = [
            "InvalidParameterException",
            "ImageNotFoundException",
            "ValidationException",
        ];
        let code = told["__type"].as_str().expect("a code");
        assert!(codes.contains(&code), "{id}: {code}");
    }
    let frozen = json!({
        "repositoryName": NAME, "imageId": by_digest(&list), "targetStorageClass": "FROZEN",
    });
    let told = refused(world, "UpdateImageStorageClass", frozen).await;
    assert_eq!(told["__type"], "InvalidParameterException");
    assert_eq!(shelf.left().await, ["child[c]", "list[l]"]);
    // The list first, then its member.
    assert_eq!(shelf.store_in("ARCHIVE", &list).await, "ARCHIVED");
    assert_eq!(shelf.store_in("ARCHIVE", &child).await, "ARCHIVED");
}

/// Archived under an immutable tag as well; both doors of a push restore it.
#[tokio::test]
async fn a_push_of_the_same_image_restores_it() {
    for mode in ["MUTABLE", "IMMUTABLE"] {
        let shelf = Shelf::start().await;
        let world = &shelf.world;
        let setting = json!({ "repositoryName": NAME, "imageTagMutability": mode });
        let layout = Layout::image("cold");
        let image = shelf.push("cold", &["v1"], 9).await;
        ok(world, "PutImageTagMutability", setting).await;
        shelf.store_in("ARCHIVE", &image).await;
        world.clock.advance(Span::hours(1));
        push_layout(world, NAME, &layout, &["v1"]).await;
        assert!(pulls(&shelf, "v1").await, "{mode}: by the API");
        let detail = described(world, &image).await;
        assert_eq!(
            detail["lastActivatedAt"].as_f64(),
            Some(shelf.now().seconds_f64())
        );
        // To push what is active is refused as ever.
        let put = put_image(NAME, &image, Some("v1"));
        refused(world, "PutImage", put.clone()).await;

        shelf.store_in("ARCHIVE", &image).await;
        let client = Client::of(world).await;
        client.push_image(NAME, &layout, "v1").await;
        assert!(pulls(&shelf, "v1").await, "{mode}: by /v2");

        shelf.store_in("ARCHIVE", &image).await;
        client.put_untagged(NAME, &image).await.expect(201);
        assert!(pulls(&shelf, "v1").await, "{mode}: by its digest");
        assert_eq!(shelf.left().await, ["cold[v1]"], "{mode}");
    }
}

#[tokio::test]
async fn its_tag_stays_reserved() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    let image = shelf.push("cold", &["v1"], 9).await;
    let setting = json!({ "repositoryName": NAME, "imageTagMutability": "IMMUTABLE" });
    ok(world, "PutImageTagMutability", setting).await;
    shelf.store_in("ARCHIVE", &image).await;
    let other = shelf.push("other", &["v2"], 0).await;
    let told = refused(world, "PutImage", put_image(NAME, &other, Some("v1"))).await;
    assert_eq!(told["__type"], "ImageTagAlreadyExistsException");
    assert_eq!(shelf.left().await, ["cold[v1] ARCHIVED", "other[v2]"]);
    // A mutable one moves, and the archived image stays where it is.
    let setting = json!({ "repositoryName": NAME, "imageTagMutability": "MUTABLE" });
    ok(world, "PutImageTagMutability", setting).await;
    ok(world, "PutImage", put_image(NAME, &other, Some("v1"))).await;
    assert_eq!(shelf.left().await, ["cold[] ARCHIVED", "other[v2 v1]"]);
}

#[tokio::test]
async fn its_bytes_stay_until_it_is_deleted() {
    let shelf = Shelf::start().await;
    let world = &shelf.world;
    let image = shelf.push("cold", &["v1"], 9).await;
    let (files, bytes) = (world.blob_files().len(), world.blob_bytes());
    assert_eq!(files, 2);
    shelf.store_in("ARCHIVE", &image).await;
    sweep_all(world).await;
    assert_eq!(
        (world.blob_files().len(), world.blob_bytes()),
        (files, bytes)
    );
    shelf.store_in("STANDARD", &image).await;
    assert!(pulls(&shelf, "v1").await);
    shelf.store_in("ARCHIVE", &image).await;
    // At any time, unlike what policies may do (ecr.md 7.11).
    shelf.delete(by_digest(&image)).await;
    assert_eq!(shelf.left().await, [""; 0]);
    sweep_all(world).await;
    assert_eq!(world.blob_files().len(), 0);
}
