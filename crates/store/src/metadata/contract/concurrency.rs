//! Cases about writes at the same time. Each checks what no order of the writes could give.

use futures_util::future::{join, join_all};
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, RepositoryId, UploadId};
use roadstead_domain::reference::ImageTag;

use super::bench::{Bench, at, tag};
use crate::metadata::{MetadataStore, NewImage, StoreError};

/// Of fifty that make one name, one does.
pub async fn one_name_has_one_winner(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let new = bench.new_repository("app");
    let made = join_all((0..50).map(|_| bench.insert_repository(&new))).await;
    let winners: Vec<RepositoryId> = made.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let found = bench.repository(&bench.key("app")).await.expect("made");
    assert_eq!(found.id, winners[0]);
}

/// Stores an image under a tag that must not move; false if the tag is taken.
async fn pushed_immutably(
    store: &dyn MetadataStore,
    repository: RepositoryId,
    image: NewImage,
    tag: ImageTag,
) -> bool {
    let pushed: Result<bool, StoreError> = store
        .write((repository, image, tag), |tx, (repository, image, tag)| {
            Box::pin(async move {
                if tx.tagged(*repository, tag).await?.is_some() {
                    return Ok(false);
                }
                let digest = &image.image.digest;
                tx.insert_image(*repository, image).await?;
                tx.put_tag(*repository, tag, digest, at(1), 1).await?;
                Ok(true)
            })
        })
        .await;
    pushed.expect("a push")
}

/// F28: of twenty that check and then push one immutable tag, one does.
pub async fn one_immutable_tag_has_one_winner(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let labels: Vec<String> = (0..20).map(|n| format!("image {n}")).collect();
    let pushes = labels.iter().map(|label| {
        let image = bench.image_of(label, &["shared"]);
        pushed_immutably(store, id, image, tag("v1"))
    });
    let pushed = join_all(pushes).await;
    let winners: Vec<usize> = (0..20).filter(|n| pushed[*n]).collect();
    assert_eq!(winners.len(), 1);
    let winner = bench.digest(&labels[winners[0]]);
    assert_eq!(bench.tagged(&id, &tag("v1")).await.as_ref(), Some(&winner));
    for (n, label) in labels.iter().enumerate() {
        let is_there = bench.image_at(&id, &bench.digest(label)).await.is_some();
        assert_eq!(is_there, n == winners[0], "{label}");
    }
}

/// Of twenty that store one digest, one does, and its edges are there once.
pub async fn one_digest_is_stored_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let index = bench.index_of("index", &["child"]);
    let stored = join_all((0..20).map(|_| bench.insert_image(&id, &index))).await;
    assert_eq!(stored.into_iter().filter(|stored| *stored).count(), 1);
    let parents = bench.parents_of(&id, &bench.digest("child")).await;
    assert_eq!(parents, [index.image.digest]);
}

/// Mounts whatever bytes of the digest there are, as a push to another repository does.
async fn mounted(store: &dyn MetadataStore, repository: RepositoryId, digest: Digest) -> bool {
    let mounted: Result<bool, StoreError> = store
        .write((repository, digest), |tx, (repository, digest)| {
            Box::pin(async move {
                let Some((key, _)) = tx.blob_with_digest(digest).await? else {
                    return Ok(false);
                };
                tx.link_blob(*repository, digest, &key, at(50)).await?;
                Ok(true)
            })
        })
        .await;
    mounted.expect("a mount")
}

/// A blob is readable through a link, or garbage, or gone; never two of these.
async fn check_blob(bench: &Bench<'_>, repository: RepositoryId, label: &str, is_linked: bool) {
    let link = bench.blob_link(&repository, &bench.digest(label)).await;
    assert_eq!(link.is_some(), is_linked, "{label}: link");
    let bytes = bench.blob_with_digest(&bench.digest(label)).await;
    assert_eq!(bytes.is_some(), is_linked, "{label}: bytes");
    assert_eq!(
        bench.is_garbage(label).await,
        !is_linked,
        "{label}: garbage"
    );
}

/// F01: a mount and the sweep of the last link, side by side.
pub async fn the_sweep_never_takes_what_is_linked(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [from, to] = [bench.made("from").await, bench.made("to").await];
    let labels: Vec<String> = (0..20).map(|n| format!("layer {n}")).collect();
    for label in &labels {
        bench.stored_blob(from, label, at(1)).await;
    }
    let races = labels.iter().map(|label| async {
        let (digest, before) = (bench.digest(label), at(10));
        let sweep = bench.unlink_blob(&from, &digest, &before);
        let (mounted, swept) = join(mounted(store, to, digest.clone()), sweep).await;
        assert!(swept, "nothing renewed the first link");
        mounted
    });
    let mounted = join_all(races).await;
    for (label, mounted) in labels.iter().zip(mounted) {
        check_blob(&bench, to, label, mounted).await;
    }
}

/// Stores an image if its layer is there, as a push does; false if it is not.
pub(super) async fn pushed_if_linked(
    store: &dyn MetadataStore,
    repository: RepositoryId,
    image: NewImage,
) -> bool {
    let pushed: Result<bool, StoreError> = store
        .write((repository, image), |tx, (repository, image)| {
            Box::pin(async move {
                for edge in &image.blobs {
                    if tx.blob_link(*repository, &edge.digest).await?.is_none() {
                        return Ok(false);
                    }
                }
                tx.insert_image(*repository, image).await
            })
        })
        .await;
    pushed.expect("a push")
}

/// F01: a push and the sweep of its layer, side by side: one of them gives way.
pub async fn the_sweep_never_takes_what_is_pushed(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let labels: Vec<String> = (0..20).map(|n| format!("layer {n}")).collect();
    for label in &labels {
        bench.stored_blob(id, label, at(1)).await;
    }
    let bench_ref = &bench;
    let races = labels.iter().map(|label| async move {
        let bench = bench_ref;
        let (digest, before) = (bench.digest(label), at(10));
        let image = bench.image_of(&format!("image of {label}"), &[label]);
        let sweep = bench.unlink_blob(&id, &digest, &before);
        join(pushed_if_linked(store, id, image), sweep).await
    });
    let outcomes = join_all(races).await;
    for (label, (pushed, swept)) in labels.iter().zip(outcomes) {
        assert_ne!(pushed, swept, "{label}");
        check_blob(&bench, id, label, pushed).await;
    }
}

/// An image is pushed while the only other one with its layer is deleted: the layer stays
/// referenced, though the push had nothing to write about it.
pub async fn a_push_meets_the_deletion_of_another_image(
    store: &dyn MetadataStore,
    fresh: AccountId,
) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let labels: Vec<String> = (0..20).map(|n| format!("layer {n}")).collect();
    for label in &labels {
        bench.stored_blob(id, label, at(1)).await;
        let old = bench.image_of(&format!("old {label}"), &[label]);
        bench.insert_image(&id, &old).await;
    }
    let bench = &bench;
    let races = labels.iter().map(|label| async move {
        let new = bench.image_of(&format!("new {label}"), &[label]);
        let (old, now) = (bench.digest(&format!("old {label}")), at(5));
        let deletion = bench.delete_image(&id, &old, &now);
        join(pushed_if_linked(store, id, new), deletion).await.0
    });
    assert!(join_all(races).await.into_iter().all(|pushed| pushed));
    for label in &labels {
        let since = bench.unreferenced_since(id, label).await;
        assert_eq!(since, Some(None), "{label} is in use");
    }
}

/// Two repositories drop their links to the same bytes: one of them was the last.
pub async fn both_last_links_go_at_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [one, two] = [bench.made("one").await, bench.made("two").await];
    let labels: Vec<String> = (0..20).map(|n| format!("layer {n}")).collect();
    for label in &labels {
        bench.stored_blob(one, label, at(1)).await;
        let (digest, key) = (bench.digest(label), bench.blob_key(label));
        bench.link_blob(&two, &digest, &key, &at(1)).await;
    }
    let bench = &bench;
    let sweeps = labels.iter().map(|label| async move {
        let (digest, before) = (bench.digest(label), at(10));
        let first = bench.unlink_blob(&one, &digest, &before);
        join(first, bench.unlink_blob(&two, &digest, &before)).await
    });
    for (label, swept) in labels.iter().zip(join_all(sweeps).await) {
        assert_eq!(swept, (true, true), "{label}");
        check_blob(bench, one, label, false).await;
    }
}

/// F31: images that share layers are deleted at once, in opposite orders, and nobody deadlocks;
/// in the end every layer is unreferenced.
pub async fn deleting_shared_layers_at_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let layers = ["l0", "l1", "l2", "l3", "l4"];
    for layer in layers {
        bench.stored_blob(id, layer, at(1)).await;
    }
    let images: Vec<Digest> = (0..10)
        .map(|n| bench.digest(&format!("image {n}")))
        .collect();
    for n in 0..10 {
        let mut blobs = layers;
        blobs.rotate_left(n % 5);
        if n % 2 == 0 {
            blobs.reverse();
        }
        bench
            .insert_image(&id, &bench.image_of(&format!("image {n}"), &blobs))
            .await;
    }
    let now = at(5);
    join_all(
        images
            .iter()
            .map(|digest| bench.delete_image(&id, digest, &now)),
    )
    .await;
    assert!(!bench.has_images(&id).await);
    for layer in layers {
        assert_eq!(
            bench.unreferenced_since(id, layer).await,
            Some(Some(now)),
            "{layer}"
        );
    }
}

/// Ends an upload and stores its bytes, as finishing does; false if another was first.
async fn finished(
    store: &dyn MetadataStore,
    upload: UploadId,
    repository: RepositoryId,
    digest: Digest,
    key: BlobKey,
) -> bool {
    let input = (upload, repository, digest, key);
    let finished: Result<bool, StoreError> = store
        .write(input, |tx, (upload, repository, digest, key)| {
            Box::pin(async move {
                if !tx.delete_upload(upload).await? {
                    return Ok(false);
                }
                tx.insert_blob(key, digest, 7).await?;
                tx.link_blob(*repository, digest, key, at(2)).await?;
                Ok(true)
            })
        })
        .await;
    finished.expect("a finish")
}

/// F17: ten finish one upload: one stores the blob, the others find the upload gone.
pub async fn one_upload_has_one_finisher(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let upload = bench.new_upload(id, "layer");
    bench.insert_upload(&upload).await;
    let (digest, key) = (bench.digest("layer"), bench.blob_key("layer"));
    let finishers =
        (0..10).map(|_| finished(store, upload.id.clone(), id, digest.clone(), key.clone()));
    let ended = join_all(finishers).await;
    assert_eq!(ended.into_iter().filter(|ended| *ended).count(), 1);
    check_blob(&bench, id, "layer", true).await;
}
