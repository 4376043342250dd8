//! Tags and referrers over `/v2`: order, pages and filters. Expected values are those
//! of the OCI distribution-spec, "Content Discovery", and of ecr.md 9.7.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use roadstead_testkit::images::{OCI_INDEX, digest};
use roadstead_testkit::{Answer, Artifact, Layout, World};
use serde_json::{Value, json};
use tokio::task::JoinSet;

async fn list(world: &World, path: &str) -> Answer {
    world.oci(Method::GET, path, &[], "").await
}

/// The path in `Link`, empty if there is none.
fn next(answer: &Answer) -> String {
    let link = answer.header("link");
    let path = link.strip_suffix(">; rel=\"next\"").unwrap_or_default();
    path.trim_start_matches('<').to_owned()
}

/// Follows `Link` to the end; gives the entries of every page.
async fn pages(world: &World, first: &str, entries: fn(&Value) -> Vec<Value>) -> Vec<Vec<Value>> {
    let (mut pages, mut path) = (Vec::new(), first.to_owned());
    while !path.is_empty() {
        let answer = list(world, &path).await.expect(200);
        pages.push(entries(&answer.json()));
        path = next(&answer);
    }
    pages
}

fn tags(body: &Value) -> Vec<Value> {
    body["tags"].as_array().cloned().unwrap_or_default()
}

fn manifests(body: &Value) -> Vec<Value> {
    body["manifests"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn tags_in_lexical_order() {
    let world = World::start().await;
    let mixed = ["v10", "v2", "B", "a", "_x", "v1", "a-b", "a.b", "a_b"];
    world.push_image("app", "one", &mixed).await;
    let answer = list(&world, "/v2/app/tags/list").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(next(&answer), "");
    let mut expected = mixed;
    expected.sort_unstable();
    assert_eq!(answer.json(), json!({ "name": "app", "tags": expected }));
}

#[tokio::test]
async fn a_repository_without_tags() {
    let world = World::start().await;
    world.push_image("app", "untagged", &[]).await;
    let answer = list(&world, "/v2/app/tags/list").await.expect(200);
    assert_eq!(answer.json(), json!({ "name": "app", "tags": [] }));
}

#[tokio::test]
async fn f34_pages_of_tags_skip_and_repeat_nothing() {
    let world = World::start().await;
    let names = ["a", "a-b", "a.b", "a0", "aa", "b", "b-1"];
    world.push_image("app", "one", &names).await;
    let mut expected = names;
    expected.sort_unstable();
    for size in 1..=8 {
        let first = format!("/v2/app/tags/list?n={size}");
        let pages = pages(&world, &first, tags).await;
        assert_eq!(pages.len(), names.len().div_ceil(size), "n={size}");
        assert_eq!(pages.concat(), expected, "n={size}");
    }
    // `last` need not exist.
    let answer = list(&world, "/v2/app/tags/list?last=a1").await.expect(200);
    assert_eq!(tags(&answer.json()), ["aa", "b", "b-1"]);
    let answer = list(&world, "/v2/app/tags/list?last=zzz").await.expect(200);
    assert_eq!(tags(&answer.json()), Vec::<Value>::new());
}

#[tokio::test]
async fn a_page_that_is_too_large_for_ecr_is_refused_in_its_words() {
    let world = World::builder().strict().start().await;
    world.push_image("app", "one", &["v1"]).await;
    let refused = list(&world, "/v2/app/tags/list?n=10000").await;
    let text = "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'";
    assert_eq!(refused.json()["errors"][0]["message"], text);
}

#[tokio::test]
async fn many_tags_come_in_pages_of_a_thousand_at_most() {
    let world = Arc::new(World::start().await);
    let images = [
        world.push_image("app", "one", &[]).await,
        world.push_image("app", "two", &[]).await,
    ];
    let mut pushes = JoinSet::new();
    for n in 0..1002_usize {
        let (world, manifest) = (world.clone(), images[n % 2].clone());
        pushes.spawn(async move {
            let tag = format!("v{n:04}");
            let pushed = world.push_manifest("app", &tag, &manifest).await;
            pushed.expect(201);
        });
    }
    pushes.join_all().await;
    for first in ["/v2/app/tags/list?n=1000", "/v2/app/tags/list?n=5000"] {
        let pages = pages(&world, first, tags).await;
        let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
        assert_eq!(lengths, [1000, 2], "{first}");
        let expected: Vec<Value> = (0..1002).map(|n| format!("v{n:04}").into()).collect();
        assert_eq!(pages.concat(), expected, "{first}");
    }
}

#[tokio::test]
async fn a_hundred_tags_at_a_time_without_n() {
    let names: Vec<String> = (0..101).map(|n| format!("v{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for world in [World::builder(), World::builder().strict()] {
        let world = world.start().await;
        world.push_image("app", "one", &names).await;
        let pages = pages(&world, "/v2/app/tags/list", tags).await;
        let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
        assert_eq!(lengths, [100, 1]);
    }
}

/// Pushes an image that refers to `subject`.
async fn refer(world: &World, subject: &Artifact, content: &str, kind: &str) -> Artifact {
    let layout = Layout::image(content).referring_to(subject, kind);
    for blob in &layout.blobs {
        world.push_blob("app", blob).await;
    }
    let manifest = layout.manifest;
    let pushed = world.push_manifest("app", &manifest.digest, &manifest);
    pushed.await.expect(201);
    manifest
}

#[tokio::test]
async fn referrers_are_an_index() {
    let world = World::start().await;
    let subject = world.push_image("app", "subject", &["v1"]).await;
    let signature = refer(&world, &subject, "a signature", "application/x.sign+json").await;
    let bill = refer(&world, &subject, "a bill", "application/x.sbom+json").await;
    let path = format!("/v2/app/referrers/{}", subject.digest);
    let answer = list(&world, &path).await.expect(200);
    assert_eq!(answer.header("content-type"), OCI_INDEX);
    assert_eq!(answer.header("oci-filters-applied"), "");
    let body = answer.json();
    assert_eq!(body["schemaVersion"], 2);
    assert_eq!(body["mediaType"], OCI_INDEX);
    let describe = |one: &Artifact, kind: &str| {
        json!({
            "mediaType": one.media_type,
            "digest": one.digest,
            "size": one.bytes.len(),
            "artifactType": kind,
        })
    };
    let mut expected = vec![
        describe(&signature, "application/x.sign+json"),
        describe(&bill, "application/x.sbom+json"),
    ];
    expected.sort_by_key(|one| one["digest"].to_string());
    assert_eq!(manifests(&body), expected);

    // `+` is sent both ways.
    for filter in ["application/x.sign+json", "application%2Fx.sign%2Bjson"] {
        let answer = list(&world, &format!("{path}?artifactType={filter}")).await;
        let answer = answer.expect(200);
        assert_eq!(answer.header("oci-filters-applied"), "artifactType");
        let found = manifests(&answer.json());
        assert_eq!(found, [describe(&signature, "application/x.sign+json")]);
    }
    let none = list(&world, &format!("{path}?artifactType=none")).await;
    let none = none.expect(200);
    assert_eq!(none.header("oci-filters-applied"), "artifactType");
    assert_eq!(manifests(&none.json()), Vec::<Value>::new());
}

#[tokio::test]
async fn referrers_of_what_is_not_there() {
    let world = World::start().await;
    let subject = world.push_image("app", "subject", &[]).await;
    let unknown = format!("/v2/app/referrers/{}", digest(b"unknown"));
    let answer = list(&world, &unknown).await.expect(200);
    assert_eq!(answer.json()["manifests"], json!([]));
    // Referrers stay when their subject goes.
    let signature = refer(&world, &subject, "signature", "application/x.sign").await;
    let manifest = format!("/v2/app/manifests/{}", subject.digest);
    let deleted = world.oci(Method::DELETE, &manifest, &[], "").await;
    deleted.expect(202);
    let path = format!("/v2/app/referrers/{}", subject.digest);
    let left = manifests(&list(&world, &path).await.expect(200).json());
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["digest"], signature.digest);
    let bad = list(&world, "/v2/app/referrers/v1").await;
    assert_eq!(bad.code(), (400, "DIGEST_INVALID".into()));
    let gone = list(&world, &unknown.replace("/app/", "/none/")).await;
    assert_eq!(gone.code(), (404, "NAME_UNKNOWN".into()));
}

#[tokio::test]
async fn annotations_and_config_types_are_shown() {
    let world = World::start().await;
    let subject = world.push_image("app", "subject", &[]).await;
    let config = Bytes::from("{}");
    world.push_blob("app", &config).await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/x.config", "digest": digest(&config), "size": 2 },
        "layers": [],
        "subject": { "mediaType": subject.media_type, "digest": subject.digest, "size": subject.bytes.len() },
        "annotations": { "org.example": "value" },
    });
    let manifest = Artifact::new("application/vnd.oci.image.manifest.v1+json", &manifest);
    let pushed = world.push_manifest("app", &manifest.digest, &manifest);
    pushed.await.expect(201);
    let path = format!("/v2/app/referrers/{}", subject.digest);
    let found = manifests(&list(&world, &path).await.expect(200).json());
    // Without an artifactType the config's media type stands for it (OCI distribution-spec).
    assert_eq!(found[0]["artifactType"], "application/x.config");
    assert_eq!(found[0]["annotations"], json!({ "org.example": "value" }));
}
