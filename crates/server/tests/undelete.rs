//! The undelete window: gone to every client, back for the operator, bytes and all.

use http::Method;
use roadstead_domain::digest::Digest;
use roadstead_domain::time::Span;
use roadstead_registry::access;
use roadstead_registry::context::Clock as _;
use roadstead_registry::error::Error;
use roadstead_registry::undelete::Undeleted;
use roadstead_testkit::{Artifact, World};
use serde_json::{Value, json};

const REPOSITORY: &str = "shop";

async fn world(window: Option<Span>) -> World {
    let mut builder = World::builder().without_grace();
    builder.rules.undelete_window = window;
    builder.start().await
}

async fn open() -> World {
    world(Some(Span::hours(24 * 7))).await
}

async fn delete(world: &World, id: Value) {
    let body = json!({ "repositoryName": REPOSITORY, "imageIds": [id] });
    let answer = world.ecr("BatchDeleteImage", body).await;
    assert_eq!(answer.json()["failures"], json!([]), "{}", answer.json());
}

async fn undelete(world: &World, image: &Artifact) -> Result<Vec<Undeleted>, Error> {
    let key = access::operator(world.key(REPOSITORY));
    let digest = Digest::parse(&image.digest).unwrap();
    let now = world.clock.now();
    world.registry.undelete_image(key, digest, now).await
}

/// Pulls a manifest and every blob that it names.
async fn pulls(world: &World, reference: &str) -> bool {
    let path = format!("/v2/{REPOSITORY}/manifests/{reference}");
    let answer = world.oci(Method::GET, &path, &[], "").await;
    if answer.status != 200 {
        return false;
    }
    let manifest: Value = answer.json();
    let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
    for blob in layers.iter().chain(manifest.get("config")) {
        let path = format!(
            "/v2/{REPOSITORY}/blobs/{}",
            blob["digest"].as_str().unwrap()
        );
        let answer = world.oci(Method::GET, &path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
    }
    true
}

async fn listed(world: &World) -> Vec<String> {
    let body = json!({ "repositoryName": REPOSITORY, "filter": { "imageStatus": "ANY" } });
    let answer = world.ecr("ListImages", body).await.json();
    let ids = answer["imageIds"].as_array().unwrap().iter();
    let mut tags: Vec<String> = ids
        .map(|id| id["imageTag"].as_str().unwrap_or("-").to_owned())
        .collect();
    tags.sort();
    tags
}

#[tokio::test]
async fn a_deleted_image_comes_back_with_its_tags_and_bytes() {
    let world = open().await;
    let image = world.push_image(REPOSITORY, "one", &["v1", "latest"]).await;
    let files = world.blob_files().len();
    delete(&world, json!({ "imageDigest": image.digest })).await;
    world.clock.advance(Span::hours(24 * 6));
    world.sweep().await;
    assert_eq!(listed(&world).await, Vec::<String>::new());
    assert!(!pulls(&world, "v1").await && !pulls(&world, &image.digest).await);
    assert_eq!(world.blob_files().len(), files, "the bytes wait");

    let back = undelete(&world, &image).await.unwrap();
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].tags.len(), 2);
    assert_eq!(listed(&world).await, ["latest", "v1"]);
    assert!(pulls(&world, "v1").await);
    // It is held by nothing but itself again: deleted once more, its bytes wait once more, then go.
    delete(&world, json!({ "imageDigest": image.digest })).await;
    world.clock.advance(Span::seconds(7 * 86_400 + 1));
    world.sweep().await;
    world.clock.advance(Span::seconds(1));
    world.sweep().await;
    assert_eq!(world.blob_files().len(), 0);
    assert!(matches!(
        undelete(&world, &image).await,
        Err(Error::ImageNotFound { .. })
    ));
}

#[tokio::test]
async fn without_a_window_nothing_waits() {
    let world = world(None).await;
    let image = world.push_image(REPOSITORY, "one", &["v1"]).await;
    delete(&world, json!({ "imageDigest": image.digest })).await;
    world.clock.advance(Span::seconds(1));
    world.sweep().await;
    assert_eq!(world.blob_files().len(), 0);
    assert!(undelete(&world, &image).await.is_err());
}

#[tokio::test]
async fn tags_that_moved_on_stay_where_they_are() {
    let world = open().await;
    let old = world.push_image(REPOSITORY, "old", &["v1", "latest"]).await;
    delete(&world, json!({ "imageDigest": old.digest })).await;
    let new = world.push_image(REPOSITORY, "new", &["latest"]).await;
    let back = undelete(&world, &old).await.unwrap();
    let names = |tags: &[roadstead_domain::reference::ImageTag]| {
        tags.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(&back[0].tags), ["v1"]);
    assert_eq!(names(&back[0].lost_tags), ["latest"]);
    let path = format!("/v2/{REPOSITORY}/manifests/latest");
    let latest = world.oci(Method::GET, &path, &[], "").await;
    assert_eq!(latest.header("docker-content-digest"), new.digest);
    // A second time there is nothing to do.
    let again = undelete(&world, &old).await.unwrap();
    assert!(again[0].was_there && again[0].tags.is_empty());
}

#[tokio::test]
async fn an_index_comes_back_with_its_members() {
    let world = open().await;
    let (amd, arm) = (
        world.push_image(REPOSITORY, "amd", &[]).await,
        world.push_image(REPOSITORY, "arm", &[]).await,
    );
    let index = world.push_index(REPOSITORY, "v1", &[&amd, &arm]).await;
    for image in [&index, &amd, &arm] {
        delete(&world, json!({ "imageDigest": image.digest })).await;
    }
    world.sweep().await;
    let back = undelete(&world, &index).await.unwrap();
    assert_eq!(back.len(), 3);
    assert_eq!(
        back[0].digest.as_str(),
        index.digest,
        "what was named comes first"
    );
    for reference in ["v1", &amd.digest, &arm.digest] {
        assert!(pulls(&world, reference).await, "{reference}");
    }
    // The members are members again.
    let body = json!({ "repositoryName": REPOSITORY, "imageIds": [{ "imageDigest": amd.digest }] });
    let refused = world.ecr("BatchDeleteImage", body).await.json();
    assert_eq!(
        refused["failures"][0]["failureCode"],
        "ImageReferencedByManifestList"
    );
}

#[tokio::test]
async fn pushed_again_meanwhile_both_lives_share_the_bytes() {
    let world = open().await;
    let image = world.push_image(REPOSITORY, "one", &["v1"]).await;
    delete(&world, json!({ "imageDigest": image.digest })).await;
    world.push_image(REPOSITORY, "one", &["v2"]).await;
    // The old life ends; the new one keeps every byte.
    world.clock.advance(Span::seconds(7 * 86_400 + 1));
    world.sweep().await;
    world.clock.advance(Span::seconds(1));
    world.sweep().await;
    assert!(pulls(&world, "v2").await);
    delete(&world, json!({ "imageDigest": image.digest })).await;
    assert!(undelete(&world, &image).await.is_ok());
    assert!(pulls(&world, "v2").await);
}

#[tokio::test]
async fn a_policy_does_not_take_it_again_at_once() {
    let world = open().await;
    let image = world.push_image(REPOSITORY, "one", &["v1"]).await;
    let policy = json!({ "rules": [{
        "rulePriority": 1, "description": "anything that is older than a week",
        "selection": { "tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7 },
        "action": { "type": "expire" },
    }] });
    let body = json!({ "repositoryName": REPOSITORY, "lifecyclePolicyText": policy.to_string() });
    assert_eq!(world.ecr("PutLifecyclePolicy", body).await.status, 200);
    world.clock.advance(Span::hours(24 * 8));
    assert_eq!(world.run(REPOSITORY).await.expired, 1);
    undelete(&world, &image).await.unwrap();
    assert_eq!(world.run(REPOSITORY).await.expired, 0);
    assert!(pulls(&world, "v1").await);
}

#[tokio::test]
async fn a_repository_comes_back_with_all_that_it_held() {
    let world = open().await;
    let image = world.push_image(REPOSITORY, "one", &["v1"]).await;
    world.push_image(REPOSITORY, "two", &["v2"]).await;
    delete(&world, json!({ "imageDigest": image.digest })).await;
    let body = json!({ "repositoryName": REPOSITORY, "force": true });
    assert_eq!(
        world.ecr("DeleteRepository", body.clone()).await.status,
        200
    );
    world.clock.advance(Span::hours(24));
    world.sweep().await;
    assert!(!pulls(&world, "v2").await);
    let key = || access::operator(world.key(REPOSITORY));
    world.registry.undelete_repository(key()).await.unwrap();
    assert!(pulls(&world, "v2").await);
    assert!(
        undelete(&world, &image).await.is_ok(),
        "what was deleted in it too"
    );
    let taken = world.registry.undelete_repository(key()).await;
    assert!(matches!(taken, Err(Error::RepositoryAlreadyExists(_))));

    world.ecr("DeleteRepository", body).await;
    world.clock.advance(Span::seconds(7 * 86_400 + 1));
    world.sweep().await;
    world.clock.advance(Span::seconds(1));
    world.sweep().await;
    assert_eq!(world.blob_files().len(), 0);
    let late = world.registry.undelete_repository(key()).await;
    assert!(matches!(late, Err(Error::RepositoryNotFound(_))));
}
