//! Cases about images, tags and the edges between manifests.

use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::AccountId;
use roadstead_domain::image::{Image, ImageStatus};
use roadstead_domain::media_type::MediaType;

use super::bench::{ALL, Bench, at, tag, tags};
use crate::metadata::{MetadataStore, NewImage, StoreError};

/// Every member of an image comes back as it was given, and so do the bytes.
pub async fn stored_and_read_back(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let manifest = Bytes::from_static(b"{\"bytes\": \"\0\xff\"}");
    // A digest of another algorithm is a digest all the same.
    let digest = Digest::of(roadstead_domain::digest::Algorithm::Sha512, &manifest);
    let image = Image {
        digest: digest.clone(),
        media_type: MediaType::new("application/vnd.example+json"),
        size_bytes: 52_000 * 1024 * 1024 * 4096,
        manifest_size_bytes: manifest.len() as u64,
        artifact_type: Some("application/é".into()),
        subject: Some(bench.digest("not there")),
        pushed_at: at(1),
        push_seq: 2,
        status: ImageStatus::Activating,
        last_pulled_at: Some(at(3)),
        archived_at: Some(at(4)),
        activated_at: Some(at(5)),
    };
    let new = NewImage {
        image: image.clone(),
        manifest: manifest.clone(),
        blobs: vec![],
        children: vec![],
    };
    assert!(bench.insert_image(&id, &new).await);
    assert_eq!(bench.image_at(&id, &digest).await, Some(image));
    assert_eq!(bench.manifest(&id, &digest).await, Some(manifest));
    assert!(bench.has_images(&id).await);
    assert_eq!(bench.tags_of(&id, &digest).await, []);
    let absent = bench.digest("absent");
    assert_eq!(bench.image_at(&id, &absent).await, None);
    assert_eq!(bench.manifest(&id, &absent).await, None);
    assert_eq!(bench.tags_of(&id, &absent).await, []);
}

/// A digest that is there stays as it is.
pub async fn stored_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let first = bench.image("one");
    assert!(bench.insert_image(&id, &first).await);
    let mut second = bench.index_of("one", &["child"]);
    second.image.pushed_at = at(9);
    second.manifest = Bytes::from_static(b"other");
    assert!(!bench.insert_image(&id, &second).await);
    let digest = &first.image.digest;
    assert_eq!(
        bench.image_at(&id, digest).await.as_ref(),
        Some(&first.image)
    );
    assert_eq!(
        bench.manifest(&id, digest).await.as_ref(),
        Some(&first.manifest)
    );
    assert_eq!(bench.parents_of(&id, &bench.digest("child")).await, []);
}

/// A tag points to one image, and the image that it leaves stays.
pub async fn tags_point_and_move(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let [one, two] = ["one", "two"].map(|label| bench.digest(label));
    for label in ["one", "two"] {
        bench.insert_image(&id, &bench.image(label)).await;
    }
    assert_eq!(bench.tagged(&id, &tag("latest")).await, None);
    bench.put_tag(&id, &tag("latest"), &one, &at(1), &1).await;
    // Tags tell cases apart.
    bench.put_tag(&id, &tag("LATEST"), &two, &at(1), &1).await;
    assert_eq!(bench.tagged(&id, &tag("latest")).await.as_ref(), Some(&one));
    bench.put_tag(&id, &tag("latest"), &two, &at(2), &2).await;
    assert_eq!(bench.tagged(&id, &tag("latest")).await.as_ref(), Some(&two));
    assert_eq!(bench.tags_of(&id, &one).await, []);
    assert_eq!(bench.tags_of(&id, &two).await, tags(&["LATEST", "latest"]));
    assert!(bench.image_at(&id, &one).await.is_some());
    assert_eq!(
        bench.tags(&id, &None, &ALL).await,
        tags(&["LATEST", "latest"])
    );
}

/// The tags of an image are listed by sequence, whatever their names and times; a tag that comes
/// back is the last, and one that is put where it is keeps its place.
pub async fn tags_keep_the_order_of_attachment(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let [one, two] = ["one", "two"].map(|label| bench.digest(label));
    for label in ["one", "two"] {
        bench.insert_image(&id, &bench.image(label)).await;
    }
    for (text, time, seq) in [("a", 1, 30), ("z", 3, 10), ("m", 2, 20)] {
        bench.put_tag(&id, &tag(text), &one, &at(time), &seq).await;
    }
    assert_eq!(bench.tags_of(&id, &one).await, tags(&["z", "m", "a"]));
    bench.put_tag(&id, &tag("z"), &one, &at(9), &40).await;
    assert_eq!(bench.tags_of(&id, &one).await, tags(&["z", "m", "a"]));
    bench.put_tag(&id, &tag("z"), &two, &at(9), &41).await;
    bench.put_tag(&id, &tag("z"), &one, &at(9), &42).await;
    assert_eq!(bench.tags_of(&id, &one).await, tags(&["m", "a", "z"]));
    assert_eq!(bench.tags_of(&id, &two).await, []);
}

/// A tag without an image cannot be, and neither can an image without a repository.
pub async fn only_images_are_tagged(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let other = bench.made("other").await;
    bench.insert_image(&other, &bench.image("one")).await;
    let tagged: Result<(), StoreError> = store
        .write((id, bench.digest("one")), |tx, (id, digest)| {
            Box::pin(async move { tx.put_tag(*id, &tag("latest"), digest, at(1), 1).await })
        })
        .await;
    assert!(matches!(tagged, Err(StoreError::Failed(_))), "{tagged:?}");
    assert_eq!(bench.tagged(&id, &tag("latest")).await, None);

    bench.delete_repository(&id, &at(1)).await;
    assert!(bench.reap_repository(&id, &ALL).await);
    let stored: Result<bool, StoreError> = store
        .write((id, bench.image("one")), |tx, (id, image)| {
            Box::pin(async move { tx.insert_image(*id, image).await })
        })
        .await;
    assert!(matches!(stored, Err(StoreError::Failed(_))), "{stored:?}");
}

/// A manifest knows the indexes that list it, whether it came before them, after, or never.
pub async fn indexes_know_their_children(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench
        .insert_image(&id, &bench.index_of("first", &["early", "late", "never"]))
        .await;
    bench.insert_image(&id, &bench.image("early")).await;
    bench
        .insert_image(&id, &bench.index_of("second", &["early", "first"]))
        .await;
    let mut both = vec![bench.digest("first"), bench.digest("second")];
    both.sort();
    assert_eq!(bench.parents_of(&id, &bench.digest("early")).await, both);
    for (child, parent) in [("late", "first"), ("never", "first"), ("first", "second")] {
        let parents = bench.parents_of(&id, &bench.digest(child)).await;
        assert_eq!(parents, [bench.digest(parent)], "{child}");
    }
    bench
        .delete_image(&id, &bench.digest("first"), &at(1))
        .await;
    let parents = bench.parents_of(&id, &bench.digest("early")).await;
    assert_eq!(parents, [bench.digest("second")]);
    assert_eq!(bench.parents_of(&id, &bench.digest("never")).await, []);
}

/// The recorded pull is the latest one.
pub async fn pulls_only_move_forward(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let digest = bench.digest("one");
    bench.insert_image(&id, &bench.image("one")).await;
    for (pulled, expected) in [(5, 5), (9, 9), (7, 9)] {
        bench.record_pull(&id, &digest, &at(pulled)).await;
        let image = bench.image_at(&id, &digest).await.expect("there");
        assert_eq!(image.last_pulled_at, Some(at(expected)));
    }
    bench
        .record_pull(&id, &bench.digest("absent"), &at(1))
        .await;
}

/// A status carries its own time and leaves the others.
pub async fn status_and_times(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let digest = bench.digest("one");
    let mut expected = bench.image("one").image;
    bench.insert_image(&id, &bench.image("one")).await;
    bench.insert_image(&id, &bench.image("untouched")).await;
    bench
        .put_tag(&id, &tag("latest"), &digest, &at(0), &0)
        .await;
    for (time, status) in [
        (1, ImageStatus::Archived),
        (2, ImageStatus::Activating),
        (3, ImageStatus::Active),
        (4, ImageStatus::Archived),
    ] {
        bench
            .set_image_status(&id, &digest, &status, &at(time))
            .await;
        expected.status = status;
        match status {
            ImageStatus::Archived => expected.archived_at = Some(at(time)),
            ImageStatus::Active => expected.activated_at = Some(at(time)),
            ImageStatus::Activating => {}
        }
        assert_eq!(bench.image_at(&id, &digest).await.as_ref(), Some(&expected));
        assert_eq!(
            bench.tagged(&id, &tag("latest")).await.as_ref(),
            Some(&digest)
        );
    }
    let other = bench.image_at(&id, &bench.digest("untouched")).await;
    assert_eq!(other, Some(bench.image("untouched").image));
}

/// Referrers are the active images of a subject, whether it is there or not, of the given types.
pub async fn referrers_by_type(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let other = bench.made("other").await;
    for (label, artifact_type) in [("s1", "sig"), ("s2", "sig"), ("b1", "bom"), ("x1", "x")] {
        bench
            .insert_image(&id, &bench.referrer(label, "subject", artifact_type))
            .await;
    }
    let mut untyped = bench.referrer("untyped", "subject", "");
    untyped.image.artifact_type = None;
    bench.insert_image(&id, &untyped).await;
    bench
        .insert_image(&id, &bench.referrer("elsewhere", "another", "sig"))
        .await;
    bench
        .insert_image(&other, &bench.referrer("theirs", "subject", "sig"))
        .await;
    bench.insert_image(&id, &bench.image("subject")).await;
    let archived = bench.digest("s2");
    bench
        .set_image_status(&id, &archived, &ImageStatus::Archived, &at(1))
        .await;

    for (types, labels) in [
        (&[][..], &["s1", "b1", "x1", "untyped"][..]),
        (&["sig"], &["s1"]),
        (&["sig", "bom", "sig"], &["s1", "b1"]),
        (&["none"], &[]),
    ] {
        let types: Vec<String> = types.iter().map(|t| (*t).to_owned()).collect();
        let mut expected: Vec<Digest> = labels.iter().map(|l| bench.digest(l)).collect();
        expected.sort();
        let found = bench
            .referrers(&id, &bench.digest("subject"), &types, &None, &ALL)
            .await;
        let found: Vec<Digest> = found.into_iter().map(|image| image.digest).collect();
        assert_eq!(found, expected, "{types:?}");
    }
    bench
        .delete_image(&id, &bench.digest("subject"), &at(2))
        .await;
    let left = bench
        .referrers(&id, &bench.digest("subject"), &vec![], &None, &ALL)
        .await;
    assert_eq!(left.len(), 4);
}

/// One digest in two repositories is two images.
pub async fn repositories_share_no_images(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [one, two] = [bench.made("one").await, bench.made("two").await];
    let index = bench.index_of("image", &["child"]);
    for id in [one, two] {
        assert!(bench.insert_image(&id, &index).await);
        bench
            .put_tag(&id, &tag("latest"), &index.image.digest, &at(1), &1)
            .await;
    }
    bench.delete_image(&one, &index.image.digest, &at(2)).await;
    assert_eq!(bench.image_at(&one, &index.image.digest).await, None);
    assert_eq!(bench.tags(&one, &None, &ALL).await, []);
    assert!(bench.image_at(&two, &index.image.digest).await.is_some());
    assert_eq!(bench.tags(&two, &None, &ALL).await, tags(&["latest"]));
    assert_eq!(
        bench.parents_of(&two, &bench.digest("child")).await,
        [index.image.digest]
    );
}
