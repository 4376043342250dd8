//! Cases about images and repositories that were deleted and can be brought back.

use roadstead_domain::ids::AccountId;
use roadstead_domain::image::{ImageStatus, TagStatus};
use roadstead_domain::time::Timestamp;

use super::bench::{ALL, Bench, at, tag, tags};
use crate::metadata::{
    DeletedImage, ImageFilter, ImageNumber, ImageWithTags, MetadataStore, NewImage,
};

/// An index with a subject, blobs and every time set: whatever an image can have.
fn rich(bench: &Bench<'_>) -> NewImage {
    let mut new = bench.image_of("rich", &["config", "layer"]);
    new.children = vec![bench.digest("child"), bench.digest("absent")];
    new.children.sort();
    new.image.subject = Some(bench.digest("subject"));
    new.image.artifact_type = Some("sig".into());
    new.image.size_bytes = 52_000 * 1024 * 1024 * 4096;
    new.image.pushed_at = at(1);
    new.image.push_seq = 2;
    new.image.last_pulled_at = Some(at(3));
    new.image.archived_at = Some(at(4));
    new.image.activated_at = Some(at(5));
    new
}

/// Nobody who asks about images sees one that was deleted, though it is kept as it was.
pub async fn a_kept_image_is_seen_by_nobody(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let new = rich(&bench);
    let digest = new.image.digest.clone();
    bench.insert_image(&id, &new).await;
    for (text, seq) in [("a", 3), ("z", 1), ("m", 2)] {
        bench.put_tag(&id, &tag(text), &digest, &at(1), &seq).await;
    }
    let number = bench
        .lifecycle_image(&id, &digest)
        .await
        .expect("there")
        .number;
    assert_eq!(bench.deleted_image(&id, &digest).await, None);
    bench.keep_deleted(&id, &digest, &at(6), &at(60)).await;
    // What is not there any more is not deleted again.
    bench.keep_deleted(&id, &digest, &at(7), &at(70)).await;

    assert_eq!(bench.image_at(&id, &digest).await, None);
    assert_eq!(bench.manifest(&id, &digest).await, None);
    assert!(!bench.has_images(&id).await);
    assert_eq!(bench.tagged(&id, &tag("a")).await, None);
    assert_eq!(bench.tags(&id, &None, &ALL).await, []);
    assert_eq!(bench.tags_of(&id, &digest).await, []);
    assert_eq!(bench.parents_of(&id, &bench.digest("child")).await, []);
    let (subject, all) = (bench.digest("subject"), ImageFilter::default());
    let referrers = bench.referrers(&id, &subject, &vec![], &None, &ALL).await;
    assert_eq!(referrers, []);
    assert_eq!(bench.images(&id, &all, &None, &ALL).await, []);
    assert_eq!(bench.image_entries(&id, &all, &None, &ALL).await, []);
    assert_eq!(bench.lifecycle_image(&id, &digest).await, None);
    assert_eq!(bench.lifecycle_images(&id, &None, &ALL).await, []);
    assert_eq!(bench.index_members(&id, &None, &ALL).await, []);
    bench.record_pull(&id, &digest, &at(9)).await;
    bench
        .set_image_status(&id, &digest, &ImageStatus::Archived, &at(9))
        .await;

    let expected = DeletedImage {
        number,
        repository: id,
        image: new.image,
        tags: tags(&["z", "m", "a"]),
        children: new.children,
        deleted_at: at(6),
        kept_until: at(60),
    };
    let found = bench.deleted_image(&id, &digest).await;
    assert_eq!(found.as_ref(), Some(&expected));
    assert_eq!(bench.deleted_images(&id, &ALL).await, [expected]);
    assert_eq!(bench.deleted_image(&other, &digest).await, None);
    assert_eq!(bench.deleted_images(&other, &ALL).await, []);
}

/// An image comes back with its number, bytes and edges, activated, and without tags.
pub async fn an_image_comes_back_as_it_was(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    for blob in ["config", "layer"] {
        bench.stored_blob(id, blob, at(1)).await;
    }
    let new = rich(&bench);
    let digest = new.image.digest.clone();
    bench.insert_image(&id, &new).await;
    bench.put_tag(&id, &tag("a"), &digest, &at(1), &1).await;
    let number = bench
        .lifecycle_image(&id, &digest)
        .await
        .expect("there")
        .number;
    bench.keep_deleted(&id, &digest, &at(6), &at(60)).await;

    assert!(!bench.restore_image(&other, &number, &at(7)).await);
    assert!(!bench.restore_image(&id, &ImageNumber(-1), &at(7)).await);
    assert!(bench.restore_image(&id, &number, &at(7)).await);
    assert!(
        !bench.restore_image(&id, &number, &at(8)).await,
        "only once"
    );
    let mut image = new.image;
    image.activated_at = Some(at(7));
    assert_eq!(bench.image_at(&id, &digest).await, Some(image.clone()));
    assert_eq!(bench.manifest(&id, &digest).await, Some(new.manifest));
    assert_eq!(bench.tags_of(&id, &digest).await, []);
    assert_eq!(bench.tagged(&id, &tag("a")).await, None);
    let seen = bench.lifecycle_image(&id, &digest).await.expect("there");
    assert_eq!(seen.number, number);
    for child in &new.children {
        let parents = bench.parents_of(&id, child).await;
        assert_eq!(parents, std::slice::from_ref(&digest));
    }
    let subject = bench.digest("subject");
    let referrers = bench.referrers(&id, &subject, &vec![], &None, &ALL).await;
    assert_eq!(referrers, [image.clone()]);
    let untagged = ImageFilter {
        tag_status: TagStatus::Untagged,
        status: None,
    };
    let tags = Vec::new();
    assert_eq!(
        bench.images(&id, &untagged, &None, &ALL).await,
        [ImageWithTags { image, tags }]
    );
    assert_eq!(bench.deleted_image(&id, &digest).await, None);
    assert_eq!(bench.deleted_images(&id, &ALL).await, []);

    // It is an image like any other: tagged, deleted for good, and its links are released.
    bench.put_tag(&id, &tag("b"), &digest, &at(8), &1).await;
    assert_eq!(bench.tagged(&id, &tag("b")).await, Some(digest.clone()));
    for blob in ["config", "layer"] {
        assert_eq!(bench.unreferenced_since(id, blob).await, Some(None));
    }
    bench.delete_image(&id, &digest, &at(9)).await;
    for blob in ["config", "layer"] {
        let since = bench.unreferenced_since(id, blob).await;
        assert_eq!(since, Some(Some(at(9))), "{blob}");
    }
    // Numbers of images that come later are larger.
    bench.insert_image(&id, &bench.image("later")).await;
    let later = bench.lifecycle_image(&id, &bench.digest("later")).await;
    assert!(later.expect("there").number > number);
}

/// What comes back to the archive is there anew: no rule finds it archived for long at once.
pub async fn an_archived_image_comes_back_anew(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    for (label, status, since) in [
        ("archived", ImageStatus::Archived, at(7)),
        ("restored before", ImageStatus::Active, at(4)),
        ("being restored", ImageStatus::Activating, at(4)),
    ] {
        let mut new = bench.image(label);
        new.image.status = status;
        new.image.archived_at = Some(at(4));
        bench.insert_image(&id, &new).await;
        let digest = &new.image.digest;
        bench.keep_deleted(&id, digest, &at(6), &at(60)).await;
        let deleted = bench.deleted_image(&id, digest).await.expect("kept");
        assert_eq!(deleted.image.archived_at, Some(at(4)), "{label}");
        assert!(bench.restore_image(&id, &deleted.number, &at(7)).await);
        let image = bench.image_at(&id, digest).await.expect("there");
        let found = (image.status, image.archived_at, image.activated_at);
        assert_eq!(found, (status, Some(since), Some(at(7))), "{label}");
    }
}

/// A digest can be pushed while an image of it waits among the deleted ones, and be deleted again.
pub async fn a_digest_is_free_once_deleted(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let digest = bench.digest("one");
    let mut numbers = Vec::new();
    for n in 0..3 {
        let mut new = bench.image("one");
        new.image.push_seq = n;
        assert!(bench.insert_image(&id, &new).await);
        let image = bench.lifecycle_image(&id, &digest).await.expect("there");
        numbers.push(image.number);
        if let Some(before) = numbers.iter().rev().nth(1) {
            assert!(!bench.restore_image(&id, before, &at(5)).await, "taken");
            let image = bench.image_at(&id, &digest).await.expect("there");
            assert_eq!((image.push_seq, image.activated_at), (n, None));
        }
        bench.keep_deleted(&id, &digest, &at(10 + n), &at(99)).await;
        let latest = bench.deleted_image(&id, &digest).await.expect("kept");
        assert_eq!(
            (latest.number, latest.image.push_seq),
            (numbers[n as usize], n)
        );
        assert_eq!(bench.deleted_images(&id, &ALL).await.len(), n as usize + 1);
    }
    // Any of them may come back; the others stay where they are.
    assert!(bench.restore_image(&id, &numbers[0], &at(20)).await);
    assert_eq!(
        bench.image_at(&id, &digest).await.expect("there").push_seq,
        0
    );
    let left = bench.deleted_images(&id, &ALL).await;
    let left: Vec<ImageNumber> = left.into_iter().map(|image| image.number).collect();
    assert_eq!(left, [numbers[2], numbers[1]]);
}

/// A deleted image holds its links as a live one does, until it is given up for good.
pub async fn a_kept_image_holds_its_links(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    for blob in ["own", "with live", "with kept"] {
        bench.stored_blob(id, blob, at(1)).await;
    }
    let one = bench.image_of("one", &["own", "with live", "with kept"]);
    let live = bench.image_of("live", &["with live"]);
    let kept = bench.image_of("kept", &["with kept"]);
    for new in [&one, &live, &kept] {
        bench.insert_image(&id, new).await;
    }
    for new in [&one, &kept] {
        bench
            .keep_deleted(&id, &new.image.digest, &at(2), &at(9))
            .await;
    }
    let before = Timestamp(i64::MAX);
    for blob in ["own", "with live", "with kept"] {
        assert_eq!(bench.unreferenced_since(id, blob).await, Some(None));
        assert!(!bench.unlink_blob(&id, &bench.digest(blob), &before).await);
    }
    // The live image goes for good: the deleted one is enough to hold the link.
    bench.delete_image(&id, &live.image.digest, &at(3)).await;
    assert_eq!(bench.unreferenced_since(id, "with live").await, Some(None));
    bench.insert_image(&id, &live).await;

    let number = |new: &NewImage| {
        let digest = new.image.digest.clone();
        let bench = &bench;
        async move {
            bench
                .deleted_image(&id, &digest)
                .await
                .expect("kept")
                .number
        }
    };
    let (one, kept) = (number(&one).await, number(&kept).await);
    bench.purge_deleted_image(&other, &one, &at(4)).await;
    assert_eq!(bench.deleted_images(&id, &ALL).await.len(), 2);
    bench.purge_deleted_image(&id, &one, &at(4)).await;
    assert_eq!(bench.unreferenced_since(id, "own").await, Some(Some(at(4))));
    for blob in ["with live", "with kept"] {
        let since = bench.unreferenced_since(id, blob).await;
        assert_eq!(since, Some(None), "{blob}");
    }
    bench.purge_deleted_image(&id, &one, &at(5)).await;
    bench.purge_deleted_image(&id, &kept, &at(5)).await;
    for (blob, since) in [("own", at(4)), ("with kept", at(5))] {
        let found = bench.unreferenced_since(id, blob).await;
        assert_eq!(found, Some(Some(since)), "{blob}");
        assert!(bench.unlink_blob(&id, &bench.digest(blob), &before).await);
        assert!(bench.is_garbage(blob).await);
    }
    assert_eq!(bench.deleted_images(&id, &ALL).await, []);
    assert!(
        !bench.restore_image(&id, &one, &at(6)).await,
        "gone for good"
    );
    // A live image is no deleted one.
    let live = bench.lifecycle_image(&id, &live.image.digest).await;
    let live = live.expect("there");
    bench.purge_deleted_image(&id, &live.number, &at(7)).await;
    assert!(bench.image_at(&id, &live.digest).await.is_some());
    assert_eq!(bench.unreferenced_since(id, "with live").await, Some(None));
}

/// A link that is made while only a deleted image refers to it is referenced from the start.
pub async fn an_edge_of_a_kept_image_before_its_link(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let new = bench.image_of("one", &["layer"]);
    bench.insert_image(&id, &new).await;
    let digest = &new.image.digest;
    bench.keep_deleted(&id, digest, &at(2), &at(9)).await;
    bench.stored_blob(id, "layer", at(3)).await;
    assert_eq!(bench.unreferenced_since(id, "layer").await, Some(None));
    let deleted = bench.deleted_image(&id, digest).await.expect("kept");
    bench
        .purge_deleted_image(&id, &deleted.number, &at(4))
        .await;
    assert_eq!(
        bench.unreferenced_since(id, "layer").await,
        Some(Some(at(4)))
    );
}

/// Deleted images are listed by deletion, the latest first; those whose time is over, by that.
pub async fn deleted_images_are_listed(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let labels = ["a", "b", "c", "d", "e"];
    for label in labels {
        bench.insert_image(&id, &bench.image(label)).await;
    }
    for (label, now, until) in [
        ("c", 1, 30),
        ("e", 2, 10),
        ("b", 3, 20),
        ("d", 3, 20),
        ("a", 3, 40),
    ] {
        let digest = bench.digest(label);
        bench.keep_deleted(&id, &digest, &at(now), &at(until)).await;
    }
    let named = |images: Vec<DeletedImage>| -> Vec<&str> {
        let own = images.into_iter().filter(|image| image.repository == id);
        own.map(|image| {
            let named = |label: &&&str| bench.digest(label) == image.image.digest;
            *labels.iter().find(named).expect("its own")
        })
        .collect()
    };
    let listed = bench.deleted_images(&id, &ALL).await;
    assert_eq!(named(listed), ["a", "b", "d", "e", "c"]);
    assert_eq!(named(bench.deleted_images(&id, &2).await), ["a", "b"]);
    for (now, expected) in [
        (10, &[][..]),
        (11, &["e"]),
        (30, &["e", "b", "d"]),
        (99, &["e", "b", "d", "c", "a"]),
    ] {
        let expired = bench.expired_deletions(&at(now), &ALL).await;
        assert_eq!(named(expired), expected, "at {now}");
    }
    assert_eq!(bench.expired_deletions(&at(99), &1).await.len(), 1);
}

/// A deleted repository comes back with all that it held, as long as its name is free.
pub async fn a_repository_comes_back(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let key = bench.key("app");
    assert_eq!(bench.deleted_repository(&key).await, None);
    let [older, later] = [5, 9].map(|n| (n, bench.made("app")));
    let mut ids = Vec::new();
    for (n, made) in [older, later] {
        let id = made.await;
        assert!(!bench.restore_repository(&id).await, "it is live");
        let key = format!("layer {n}");
        bench.stored_bytes(id, "layer", &key, at(1)).await;
        let new = bench.image_of("one", &["layer"]);
        bench.insert_image(&id, &new).await;
        let digest = &new.image.digest;
        bench.put_tag(&id, &tag("a"), digest, &at(1), &1).await;
        bench.delete_repository(&id, &at(n)).await;
        ids.push(id);
    }
    let found = bench.deleted_repository(&key).await.expect("kept");
    assert_eq!((found.id, &found.key), (ids[1], &key));
    let elsewhere = bench.key("elsewhere");
    assert_eq!(bench.deleted_repository(&elsewhere).await, None);
    assert!(bench.restore_repository(&ids[1]).await);
    assert_eq!(bench.repository(&key).await, Some(found));
    assert_eq!(bench.tags(&ids[1], &None, &ALL).await, tags(&["a"]));
    assert_eq!(bench.unreferenced_since(ids[1], "layer").await, Some(None));
    let deleted = bench.deleted_repositories(&ALL).await;
    assert!(!deleted.contains(&ids[1]) && deleted.contains(&ids[0]));

    let found = bench.deleted_repository(&key).await.expect("kept");
    assert_eq!(found.id, ids[0]);
    assert!(
        !bench.restore_repository(&ids[0]).await,
        "the name is taken"
    );
    bench.delete_repository(&ids[1], &at(20)).await;
    assert!(bench.restore_repository(&ids[0]).await);
    assert_eq!(bench.repository(&key).await.map(|r| r.id), Some(ids[0]));
}

/// From the first step of reaping on a repository does not come back.
pub async fn a_reaped_repository_stays_gone(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let key = bench.key("app");
    let id = bench.made("app").await;
    for label in ["one", "two"] {
        bench.insert_image(&id, &bench.image(label)).await;
    }
    bench.delete_repository(&id, &at(1)).await;
    assert!(bench.deleted_repository(&key).await.is_some());
    assert!(!bench.reap_repository(&id, &1).await);
    assert_eq!(bench.deleted_repository(&key).await, None);
    assert!(!bench.restore_repository(&id).await);
    assert_eq!(bench.repository(&key).await, None);
    while !bench.reap_repository(&id, &1).await {}
    assert!(!bench.restore_repository(&id).await);
    assert_eq!(bench.deleted_repository(&key).await, None);
}

/// A blob is in an image while a live one has it, whatever keeps its link.
pub async fn what_only_a_deleted_image_has_is_in_no_image(
    store: &dyn MetadataStore,
    fresh: AccountId,
) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.stored_bytes(id, "layer", "bytes", at(1)).await;
    let layer = bench.digest("layer");
    assert!(!bench.is_in_image(&id, &layer).await);
    for label in ["one", "two"] {
        bench
            .insert_image(&id, &bench.image_of(label, &["layer"]))
            .await;
    }
    assert!(bench.is_in_image(&id, &layer).await);
    for (label, is_left) in [("one", true), ("two", false)] {
        let digest = bench.digest(label);
        bench.keep_deleted(&id, &digest, &at(2), &at(9)).await;
        assert_eq!(bench.is_in_image(&id, &layer).await, is_left);
    }
    assert!(bench.blob_link(&id, &layer).await.is_some());
}
