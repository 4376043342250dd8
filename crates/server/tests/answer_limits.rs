//! Answers that would be too long: BatchGetImage refuses, referrers turn the page (hostile.md A7).
//!
//! Every manifest here is as long as a manifest may be.

use std::collections::BTreeSet;

use http::Method;
use roadstead_testkit::{Artifact, Layout, World};
use serde_json::{Value, json};

const MEBIBYTE: usize = 1024 * 1024;

/// The same manifest with members that nobody reads, `bytes` long in all.
fn padded(manifest: &Artifact, n: usize, bytes: usize) -> Artifact {
    let mut json: Value = serde_json::from_slice(&manifest.bytes).expect("JSON");
    json["n"] = n.into();
    json["padding"] = "".into();
    let short = Artifact::new(&manifest.media_type, &json).bytes.len();
    json["padding"] = "x".repeat(bytes - short).into();
    Artifact::new(&manifest.media_type, &json)
}

async fn put(world: &World, reference: &str, manifest: &Artifact) {
    let answer = world.push_manifest("app", reference, manifest).await;
    answer.expect(201);
}

#[tokio::test]
async fn images_of_more_than_32_mib_are_not_got_at_once() {
    let world = World::start().await;
    let image = world.push_image("app", "one", &["short"]).await;
    let long = padded(&image, 0, 4 * MEBIBYTE);
    assert_eq!(long.bytes.len(), 4 * MEBIBYTE);
    put(&world, "long", &long).await;
    let ids = |tag: &str, times: usize| vec![json!({ "imageTag": tag }); times];
    let get = async |ids: Vec<Value>| {
        let ask = json!({ "repositoryName": "app", "imageIds": ids });
        world.ecr("BatchGetImage", ask).await
    };
    // The same id is answered as often as it is asked for.
    for ids in [ids("short", 100), ids("long", 8)] {
        let answer = get(ids.clone()).await.expect(200).json();
        let images = answer["images"].as_array().map(Vec::len);
        assert_eq!(images, Some(ids.len()));
    }
    let answer = get(ids("long", 9)).await;
    let expected = (400, "LimitExceededException".to_owned());
    assert_eq!(answer.code(), expected);
}

#[tokio::test]
async fn long_referrers_come_in_short_pages() {
    let world = World::start().await;
    let subject = world.push_image("app", "one", &["v1"]).await;
    let referrer = Layout::image("sbom").referring_to(&subject, "application/sbom");
    for blob in &referrer.blobs {
        world.push_blob("app", blob).await;
    }
    let mut expected = BTreeSet::new();
    for n in 0..5 {
        let long = padded(&referrer.manifest, n, 3 * MEBIBYTE);
        put(&world, &long.digest, &long).await;
        expected.insert(long.digest);
    }
    // Two of 3 MiB fit in 8 MiB, three do not.
    let (mut found, mut sizes) = (BTreeSet::new(), Vec::new());
    let mut token = Value::Null;
    loop {
        let mut ask = json!({
            "repositoryName": "app", "subjectId": { "imageDigest": subject.digest },
        });
        if !token.is_null() {
            ask["nextToken"] = token.take();
        }
        let mut page = world
            .ecr("ListImageReferrers", ask)
            .await
            .expect(200)
            .json();
        let entries = page["referrers"].as_array().expect("a list");
        sizes.push(entries.len());
        found.extend(
            entries
                .iter()
                .map(|one| one["digest"].as_str().unwrap_or("").to_owned()),
        );
        token = page["nextToken"].take();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((&found, sizes), (&expected, vec![2, 2, 1]));
    let (mut found, mut sizes) = (BTreeSet::new(), Vec::new());
    let mut path = format!("/v2/app/referrers/{}", subject.digest);
    while !path.is_empty() {
        let page = world.oci(Method::GET, &path, &[], "").await.expect(200);
        let json = page.json();
        let entries = json["manifests"].as_array().expect("a list");
        sizes.push(entries.len());
        found.extend(
            entries
                .iter()
                .map(|one| one["digest"].as_str().unwrap_or("").to_owned()),
        );
        let next = page.header("link").split(['<', '>']).nth(1).unwrap_or("");
        path = next.to_owned();
    }
    assert_eq!((found, sizes), (expected, vec![2, 2, 1]));
}
