//! PutImage (sections 3.5 and 10).

use roadstead_testkit::{Artifact, Layout, images};
use serde_json::{Value, json};

use crate::public_api::{
    ACCOUNT, NAME, error, invalid, is_invalid, no_repository, ok, push, push_blobs, put_image,
    refused, tags_of, world_and_alias,
};

fn put(manifest: &Artifact, tag: Option<&str>) -> Value {
    let mut id = json!({ "imageDigest": manifest.digest });
    if let Some(tag) = tag {
        id["imageTag"] = tag.into();
    }
    json!({ "image": {
        "imageId": id,
        "imageManifest": manifest.text(),
        "imageManifestMediaType": manifest.media_type,
        "registryId": ACCOUNT,
        "repositoryName": NAME,
    } })
}

/// The same manifest in other bytes: an annotation with what JSON writers like to change.
fn unusual(manifest: &Artifact) -> Artifact {
    let text = manifest.text().replacen(
        '{',
        "{ \"annotations\" : {\"b\":\"\\u00e9\\/<&>\",\"a\":\"\"},\n",
        1,
    );
    Artifact {
        media_type: manifest.media_type.clone(),
        digest: images::digest(text.as_bytes()),
        bytes: text.into(),
    }
}

#[tokio::test]
async fn what_is_put_comes_back_to_the_byte() {
    let (world, alias) = world_and_alias(false).await;
    let layout = Layout::image("put");
    push_blobs(&world, &layout).await;
    let body = put_image(&layout.manifest, Some("v1"));
    assert_eq!(
        ok(&world, "PutImage", body).await,
        put(&layout.manifest, Some("v1"))
    );
    let odd = unusual(&layout.manifest);
    let mut body = put_image(&odd, None);
    body["imageDigest"] = odd.digest.clone().into();
    body["registryId"] = alias.clone().into();
    // The registry is told by its account, however it was named.
    assert_eq!(ok(&world, "PutImage", body).await, put(&odd, None));
    let nobody = crate::public_api::oci::anonymous(&world).await;
    let path = format!("/v2/{alias}/{NAME}/manifests/{}", odd.digest);
    let pulled = crate::public_api::oci::get(&world, &path, &nobody).await;
    assert_eq!(pulled.expect(200).body, odd.bytes);
}

#[tokio::test]
async fn the_same_image_twice() {
    let (world, _) = world_and_alias(false).await;
    let image = push(&world, "twice", &["v1"]).await;
    let exists = |tag: &str| {
        error(
            "ImageAlreadyExistsException",
            &format!(
                "Image with digest '{}' and tag '{tag}' already exists in the repository with \
                 name 'team/app' in registry with id '123456789012'",
                image.digest
            ),
        )
    };
    let body = put_image(&image, Some("v1"));
    assert_eq!(refused(&world, "PutImage", body).await, exists("v1"));
    let body = put_image(&image, None);
    assert_eq!(refused(&world, "PutImage", body).await, exists("null"));
    // Another tag is another image id; tags are always mutable.
    ok(&world, "PutImage", put_image(&image, Some("v2"))).await;
    let newer = push(&world, "newer", &["v1"]).await;
    assert_eq!(tags_of(&world, &image.digest).await, Some(json!(["v2"])));
    assert_eq!(tags_of(&world, &newer.digest).await, Some(json!(["v1"])));
}

#[tokio::test]
async fn another_digest_than_the_bytes_have() {
    let (world, _) = world_and_alias(false).await;
    let layout = Layout::image("digest");
    push_blobs(&world, &layout).await;
    let other = images::digest(b"other");
    let mut body = put_image(&layout.manifest, Some("v1"));
    body["imageDigest"] = other.clone().into();
    assert_eq!(
        refused(&world, "PutImage", body).await,
        error(
            "ImageDigestDoesNotMatchException",
            &format!(
                "Image digest '{other}' does not match the digest '{}' calculated for the image",
                layout.manifest.digest
            )
        )
    );
}

#[tokio::test]
async fn parts_that_are_missing() {
    let (world, _) = world_and_alias(false).await;
    let layout = Layout::image("parts");
    let parts: Vec<String> = layout
        .blobs
        .iter()
        .map(|blob| images::digest(blob))
        .collect();
    let required = |what: &str, digests: &str| {
        format!(
            "{what} with digests '[{digests}]' required for pushing image into repository with \
             name 'team/app' in the registry with id '123456789012' do not exist"
        )
    };
    let body = put_image(&layout.manifest, None);
    assert_eq!(
        refused(&world, "PutImage", body).await,
        error(
            "LayersNotFoundException",
            &required("Layers", &parts.join(", "))
        )
    );
    let index = images::index(&[&layout.manifest]);
    assert_eq!(
        refused(&world, "PutImage", put_image(&index, Some("all"))).await,
        error(
            "ReferencedImagesNotFoundException",
            &required("Images", &layout.manifest.digest)
        )
    );
    assert_eq!(
        ok(&world, "DescribeImages", json!({ "repositoryName": NAME })).await,
        json!({ "imageDetails": [] })
    );
}

/// Blobs of another repository, public or private, are not there (section 15).
#[tokio::test]
async fn parts_of_another_repository_do_not_count() {
    let (world, _) = world_and_alias(false).await;
    crate::public_api::repository(&world, "second").await;
    let layout = Layout::image("elsewhere");
    for blob in &layout.blobs {
        crate::public_api::push_layer(&world, "second", blob).await;
    }
    world.push_image("private", "elsewhere", &["v1"]).await;
    let said = refused(&world, "PutImage", put_image(&layout.manifest, None)).await;
    assert_eq!(said["__type"], "LayersNotFoundException");
    let digests: Vec<String> = layout
        .blobs
        .iter()
        .map(|blob| images::digest(blob))
        .collect();
    let body = json!({ "repositoryName": NAME, "layerDigests": digests });
    let answer = ok(&world, "BatchCheckLayerAvailability", body).await;
    for layer in answer["layers"].as_array().expect("layers") {
        assert_eq!(layer["layerAvailability"], "UNAVAILABLE");
    }
}

#[tokio::test]
async fn what_is_no_manifest() {
    let (world, _) = world_and_alias(false).await;
    for text in ["not json", "[]", "{}", "{\"schemaVersion\":2}"] {
        let body = json!({ "repositoryName": NAME, "imageManifest": text, "imageTag": "v1" });
        assert_eq!(
            refused(&world, "PutImage", body).await,
            invalid("ImageManifest", "Invalid JSON syntax"),
            "{text}"
        );
    }
    let body = json!({ "repositoryName": NAME, "imageManifest": "" });
    assert_eq!(
        refused(&world, "PutImage", body).await,
        invalid(
            "imageManifest",
            "Member must have length greater than or equal to 1"
        )
    );
}

#[tokio::test]
async fn the_media_type_of_a_manifest_that_has_none() {
    let (world, _) = world_and_alias(false).await;
    let layout = Layout::image("untyped");
    push_blobs(&world, &layout).await;
    let mut untyped: Value = serde_json::from_slice(&layout.manifest.bytes).expect("JSON");
    untyped
        .as_object_mut()
        .expect("an object")
        .remove("mediaType");
    let untyped = Artifact::new(images::OCI_MANIFEST, &untyped);
    let mut body = put_image(&untyped, Some("v1"));
    let said = refused(&world, "PutImage", body.clone()).await;
    assert_eq!(said["__type"], "InvalidParameterException", "{said}");
    body["imageManifestMediaType"] = images::OCI_MANIFEST.into();
    assert_eq!(
        ok(&world, "PutImage", body).await,
        put(&untyped, Some("v1"))
    );
}

#[tokio::test]
async fn tags_that_cannot_be_given() {
    let (world, _) = world_and_alias(false).await;
    let layout = Layout::image("tagged");
    push_blobs(&world, &layout).await;
    for tag in ["", "a tag", "a/b", "a:b", &"t".repeat(301)] {
        let body = put_image(&layout.manifest, Some(tag));
        let said = refused(&world, "PutImage", body).await;
        is_invalid(&said, "imageTag");
    }
    let longest = "t".repeat(300);
    let body = put_image(&layout.manifest, Some(&longest));
    ok(&world, "PutImage", body).await;
}

#[tokio::test]
async fn an_image_makes_no_repository() {
    let dev = roadstead_testkit::World::builder().with_aws_hosts().dev();
    for world in [world_and_alias(false).await.0, dev.start().await] {
        let layout = Layout::image("nowhere");
        let mut body = put_image(&layout.manifest, Some("v1"));
        body["repositoryName"] = "ghost".into();
        assert_eq!(
            refused(&world, "PutImage", body).await,
            no_repository("ghost", ACCOUNT)
        );
        let body = json!({ "repositoryNames": ["ghost"] });
        refused(&world, "DescribeRepositories", body).await;
    }
}
