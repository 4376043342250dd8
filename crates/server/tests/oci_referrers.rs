//! Clients that know no referrers API, or knew a registry before it had one: they keep an index of
//! referrers under a tag made of the subject's digest (OCI distribution-spec, "Referrers Tag Schema"
//! and "Enabling the Referrers API"). It is an ordinary image; the API lists what refers, whoever
//! keeps an index of it.

use bytes::Bytes;
use http::Method;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_testkit::images::{self, OCI_INDEX, OCI_MANIFEST, digest};
use roadstead_testkit::{Artifact, Layout, World};
use serde_json::{Value, json};

/// The tag of the schema: algorithm and encoded part, cut to 32 and 64 characters.
fn tag_of(subject: &str) -> String {
    let (algorithm, encoded) = subject.split_once(':').expect("a digest");
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    format!("{}-{}", cut(algorithm, 32), cut(encoded, 64))
}

async fn push(world: &World, layout: &Layout) {
    for blob in &layout.blobs {
        world.push_blob("app", blob).await;
    }
    let pushed = world.push_manifest("app", &layout.manifest.digest, &layout.manifest);
    pushed.await.expect(201);
}

/// The digests that the API lists, sorted.
async fn referrers(world: &World, subject: &str) -> Vec<String> {
    let path = format!("/v2/app/referrers/{subject}");
    let answer = world.oci(Method::GET, &path, &[], "").await.expect(200);
    let listed = answer.json()["manifests"].as_array().cloned();
    let named = |one: &Value| one["digest"].as_str().unwrap_or_default().to_owned();
    let mut digests: Vec<String> = listed.expect("a list").iter().map(named).collect();
    digests.sort();
    digests
}

fn sorted(artifacts: &[&Artifact]) -> Vec<String> {
    let mut digests: Vec<String> = artifacts.iter().map(|one| one.digest.clone()).collect();
    digests.sort();
    digests
}

#[tokio::test]
async fn an_index_under_the_tag_of_the_schema_is_kept_and_not_listed() {
    let world = World::start().await;
    let subject = world.push_image("app", "subject", &["v1"]).await;
    let tag = tag_of(&subject.digest);
    let signature = Layout::image("signature").referring_to(&subject, "application/x.sign");
    push(&world, &signature).await;
    let first = world.push_index("app", &tag, &[&signature.manifest]).await;
    // Another referrer: the client writes the index anew, and moves the tag.
    let bill = Layout::image("bill").referring_to(&subject, "application/x.sbom");
    push(&world, &bill).await;
    let both = [&signature.manifest, &bill.manifest];
    let second = world.push_index("app", &tag, &both).await;
    let path = format!("/v2/app/manifests/{tag}");
    let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
    assert_eq!(got.header("content-type"), OCI_INDEX);
    assert_eq!(got.body, second.bytes);
    assert_eq!(referrers(&world, &subject.digest).await, sorted(&both));
    // The tag is dropped once the API is known, and its indexes after it; what they listed stays.
    for gone in [tag.as_str(), &first.digest, &second.digest] {
        let path = format!("/v2/app/manifests/{gone}");
        let deleted = world.oci(Method::DELETE, &path, &[], "").await;
        assert!([202, 404].contains(&deleted.status.as_u16()), "{gone}");
    }
    assert_eq!(referrers(&world, &subject.digest).await, sorted(&both));
}

#[tokio::test]
async fn what_an_index_lists_without_a_subject_is_no_referrer() {
    let world = World::start().await;
    let subject = world.push_image("app", "subject", &["v1"]).await;
    // As cosign does: the subject is named by the tag alone.
    let signature = Layout::image("signature of old");
    push(&world, &signature).await;
    let tag = tag_of(&subject.digest);
    world.push_index("app", &tag, &[&signature.manifest]).await;
    let old = format!("{tag}.sig");
    let pushed = world.push_manifest("app", &old, &signature.manifest).await;
    pushed.expect(201);
    assert_eq!(referrers(&world, &subject.digest).await, [""; 0]);
    for tag in [tag, old] {
        let path = format!("/v2/app/manifests/{tag}");
        world.oci(Method::HEAD, &path, &[], "").await.expect(200);
    }
}

#[tokio::test]
async fn a_referrer_that_came_before_its_subject_is_listed() {
    let world = World::start().await;
    world.push_image("app", "other", &[]).await;
    let subject = Layout::image("late").manifest;
    let early = Layout::image("early").referring_to(&subject, "application/x.sign");
    push(&world, &early).await;
    assert_eq!(
        referrers(&world, &subject.digest).await,
        sorted(&[&early.manifest])
    );
    let pushed = world.push_image("app", "late", &["v1"]).await;
    assert_eq!(
        referrers(&world, &pushed.digest).await,
        sorted(&[&early.manifest])
    );
}

#[tokio::test]
async fn subjects_and_referrers_of_sha512() {
    let world = World::start().await;
    world.push_image("app", "other", &[]).await;
    let sha512 = |bytes: &[u8]| Digest::of(Algorithm::Sha512, bytes).to_string();
    let config = Bytes::from("{}");
    world.push_blob("app", &config).await;
    let layer = Bytes::from("a layer of sha512");
    let path = format!("/v2/app/blobs/uploads/?digest={}", sha512(&layer));
    world
        .oci(Method::POST, &path, &[], layer.clone())
        .await
        .expect(201);
    let describe = |kind: &str, digest: String, size: usize| json!({ "mediaType": kind, "digest": digest, "size": size });
    let manifest = |subject: Option<Value>| {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": describe("application/x.config", digest(&config), config.len()),
            "layers": [describe("application/x.layer", sha512(&layer), layer.len())],
        });
        if let Some(subject) = subject {
            manifest["subject"] = subject;
        }
        Bytes::from(manifest.to_string())
    };
    let subject = manifest(None);
    let subject_digest = sha512(&subject);
    let told = describe(OCI_MANIFEST, subject_digest.clone(), subject.len());
    let referrer = manifest(Some(told));
    let kind = [("content-type", OCI_MANIFEST)];
    for bytes in [&subject, &referrer] {
        let path = format!("/v2/app/manifests/{}", sha512(bytes));
        let pushed = world.oci(Method::PUT, &path, &kind, bytes.clone()).await;
        let pushed = pushed.expect(201);
        assert_eq!(pushed.header("docker-content-digest"), sha512(bytes));
        let got = world.oci(Method::GET, &path, &[], "").await.expect(200);
        assert_eq!(got.body, bytes);
        assert_eq!(got.header("docker-content-digest"), sha512(bytes));
    }
    assert_eq!(
        referrers(&world, &subject_digest).await,
        [sha512(&referrer)]
    );
    // Its layer is in use, and mounts by its name.
    let blob = format!("/v2/app/blobs/{}", sha512(&layer));
    let refused = world.oci(Method::DELETE, &blob, &[], "").await;
    assert_eq!(refused.code(), (405, "UNSUPPORTED".into()));
    let body = json!({ "repositoryName": "copy" });
    world.ecr("CreateRepository", body).await.expect(200);
    let path = format!("/v2/copy/blobs/uploads/?mount={}&from=app", sha512(&layer));
    world.oci(Method::POST, &path, &[], "").await.expect(201);
    // The tag of the schema is cut to what a tag may be.
    let tag = tag_of(&subject_digest);
    let index = images::index(&[&Artifact {
        media_type: OCI_MANIFEST.into(),
        digest: sha512(&referrer),
        bytes: referrer,
    }]);
    let pushed = world.push_manifest("app", &tag, &index).await;
    pushed.expect(201);
    for gone in [&index.digest, &sha512(&index.bytes), &subject_digest] {
        let path = format!("/v2/app/manifests/{gone}");
        let deleted = world.oci(Method::DELETE, &path, &[], "").await;
        let expected = if *gone == sha512(&index.bytes) {
            404
        } else {
            202
        };
        deleted.expect(expected);
    }
}
