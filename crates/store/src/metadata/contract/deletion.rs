//! Cases about deleting images, tags and whole repositories.

use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::public::logo::LogoId;
use roadstead_domain::time::Timestamp;

use super::bench::{ALL, Bench, at, tag, tags};
use super::lifecycle::{page, policy};
use super::public::catalog;
use crate::metadata::{
    ImageFilter, ImageWithTags, MetadataStore, NewEvent, NewImage, PreviewStatus, StoreError,
    StoredPreview,
};

/// With an image go its tags, bytes and edges, and nothing of any other.
pub async fn a_deleted_image_leaves_nothing(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let gone = bench.digest("gone");
    let mut index = bench.index_of("gone", &["child"]);
    index.image.subject = Some(bench.digest("subject"));
    bench.insert_image(&id, &index).await;
    bench.insert_image(&id, &bench.image("stays")).await;
    for (text, label) in [("a", "gone"), ("b", "stays"), ("c", "gone")] {
        bench
            .put_tag(&id, &tag(text), &bench.digest(label), &at(1), &1)
            .await;
    }
    bench.delete_image(&id, &gone, &at(2)).await;
    // Deleting what is not there is nothing.
    bench.delete_image(&id, &gone, &at(3)).await;

    assert_eq!(bench.image_at(&id, &gone).await, None);
    assert_eq!(bench.manifest(&id, &gone).await, None);
    assert_eq!(bench.tags(&id, &None, &ALL).await, tags(&["b"]));
    assert_eq!(bench.tagged(&id, &tag("a")).await, None);
    assert_eq!(bench.parents_of(&id, &bench.digest("child")).await, []);
    let subject = bench.digest("subject");
    assert_eq!(
        bench.referrers(&id, &subject, &vec![], &None, &ALL).await,
        []
    );
    let all = ImageFilter::default();
    let stays = ImageWithTags {
        image: bench.image("stays").image,
        tags: tags(&["b"]),
    };
    assert_eq!(bench.images(&id, &all, &None, &ALL).await, [stays]);

    assert!(bench.insert_image(&id, &bench.image("gone")).await);
    assert_eq!(bench.tags_of(&id, &gone).await, []);
    assert_eq!(bench.parents_of(&id, &bench.digest("child")).await, []);
}

/// F08: one of several tags goes; then the last; the image stays.
pub async fn a_deleted_tag_leaves_its_image(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let digest = bench.digest("one");
    bench.insert_image(&id, &bench.image("one")).await;
    for (text, seq) in [("a", 1), ("b", 2)] {
        bench.put_tag(&id, &tag(text), &digest, &at(1), &seq).await;
    }
    for left in [&["b"][..], &[]] {
        let gone = if left.is_empty() { "b" } else { "a" };
        bench.delete_tag(&id, &tag(gone)).await;
        bench.delete_tag(&id, &tag(gone)).await;
        assert_eq!(bench.tagged(&id, &tag(gone)).await, None);
        assert_eq!(bench.tags_of(&id, &digest).await, tags(left));
        assert!(bench.image_at(&id, &digest).await.is_some());
    }
}

/// Emptying a repository takes as many steps as its contents need, and ends.
pub async fn reaping_goes_in_steps(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    for label in ["l1", "l2", "l3"] {
        bench.stored_blob(id, label, at(1)).await;
    }
    for label in ["i1", "i2", "i3"] {
        bench
            .insert_image(&id, &bench.image_of(label, &["l1", "l2"]))
            .await;
        bench
            .put_tag(&id, &tag(label), &bench.digest(label), &at(1), &1)
            .await;
    }
    let mut upload = bench.new_upload(id, "upload");
    upload.received_bytes = 11;
    bench.insert_upload(&upload).await;
    bench.delete_repository(&id, &at(2)).await;

    // Three images, three links and one upload, two at a time.
    let mut steps = 0;
    while !bench.reap_repository(&id, &2).await {
        assert!(bench.deleted_repositories(&ALL).await.contains(&id));
        steps += 1;
        assert!(steps < 10, "reaping does not end");
    }
    assert_eq!(steps, 3);
    assert!(!bench.deleted_repositories(&ALL).await.contains(&id));
    assert!(bench.reap_repository(&id, &2).await, "again is nothing");
    let garbage = bench.garbage(&None, &ALL).await;
    for (label, size_bytes) in [("l1", 7), ("l2", 7), ("l3", 7), ("upload", 11)] {
        let key = bench.blob_key(label);
        let found = garbage.iter().find(|g| g.key == key);
        assert_eq!(found.map(|g| g.size_bytes), Some(size_bytes), "{label}");
    }
}

/// Bytes that another repository reads stay.
pub async fn reaping_keeps_what_others_use(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [doomed, other] = [bench.made("doomed").await, bench.made("other").await];
    let (digest, key) = (bench.digest("shared"), bench.blob_key("shared"));
    bench.stored_blob(doomed, "shared", at(1)).await;
    bench.stored_blob(doomed, "own", at(1)).await;
    bench.link_blob(&other, &digest, &key, &at(1)).await;
    bench.delete_repository(&doomed, &at(2)).await;
    assert!(bench.reap_repository(&doomed, &ALL).await);
    let link = bench.blob_link(&other, &digest).await.expect("still there");
    assert_eq!(link.key, key);
    assert!(!bench.is_garbage("shared").await);
    assert!(bench.is_garbage("own").await);
}

/// What is not deleted is not emptied.
pub async fn live_repositories_are_not_reaped(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.insert_image(&id, &bench.image("one")).await;
    let reaped: Result<bool, StoreError> = store
        .write(id, |tx, id| Box::pin(tx.reap_repository(*id, 10)))
        .await;
    assert!(matches!(reaped, Err(StoreError::Failed(_))), "{reaped:?}");
    assert!(bench.has_images(&id).await);
}

/// Puts policies, previews, runs, events, catalog data and deleted images into a repository.
async fn remembered(bench: &Bench<'_>, id: RepositoryId) {
    bench.put_lifecycle_policy(&id, &policy("policy", 1)).await;
    let preview = StoredPreview {
        preview_id: format!("{}-{}", bench.account, id.0),
        text: "text".into(),
        status: PreviewStatus::InProgress,
        started_at: at(1),
        completed_at: None,
        expiring: 0,
        transitioning: 0,
    };
    bench.put_preview(&id, &preview).await;
    let run = bench.insert_run(&id, &at(1), &"run".into()).await;
    bench.insert_run(&id, &at(2), &"without pages".into()).await;
    bench.set_repository_policy(&id, &Some("text".into())).await;
    bench.set_catalog_data(&id, &catalog()).await;
    let logo = LogoId::from_random(u128::from(id.0.unsigned_abs()));
    bench.set_logo(&id, &Some((logo, "png".into()))).await;
    for n in 0..2 {
        let page = page(n, n, "text");
        bench
            .put_preview_page(&id, &preview.preview_id, &page)
            .await;
        bench.insert_run_page(&id, &run, &page).await;
        let new = bench.index_of(&format!("kept {n}"), &["child"]);
        let new = NewImage {
            blobs: bench.image_of("kept", &["held"]).blobs,
            ..new
        };
        bench.insert_image(&id, &new).await;
        bench
            .keep_deleted(&id, &new.image.digest, &at(1), &at(9))
            .await;
        let event = NewEvent {
            destination: format!("{}-{}", bench.account, id.0),
            repository: id,
            payload: "text".into(),
        };
        bench.append_events(&at(1), &vec![event]).await;
    }
}

/// All that a repository remembers goes with it, in bounded steps, and nothing of another.
pub async fn reaping_takes_what_was_remembered(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    for repository in [id, other] {
        let key = format!("held in {}", repository.0);
        bench.stored_bytes(repository, "held", &key, at(1)).await;
        remembered(&bench, repository).await;
    }
    bench.delete_repository(&id, &at(3)).await;
    // Two deleted images, a link, two pages of a preview, two of a run, two runs.
    let mut steps = 0;
    while !bench.reap_repository(&id, &2).await {
        steps += 1;
        assert!(steps < 20, "reaping does not end");
    }
    assert_eq!(steps, 4);
    assert!(bench.is_garbage(&format!("held in {}", id.0)).await);
    for (repository, left) in [(id, 0), (other, 2)] {
        assert_eq!(bench.deleted_images(&repository, &ALL).await.len(), left);
        let runs = bench.lifecycle_runs(&repository, &None, &ALL).await;
        assert_eq!(runs.len(), left);
        let preview = format!("{}-{}", bench.account, repository.0);
        let pages = bench.preview_pages(&preview, &0, &ALL).await;
        assert_eq!(pages.len(), left);
        let events = bench.events(&preview, &None, &ALL).await;
        assert_eq!(events.len(), 2, "what is to be told is told");
        let is_kept = left > 0;
        let policy = bench.lifecycle_policy(&repository).await;
        assert_eq!(policy.is_some(), is_kept);
        assert_eq!(bench.preview(&repository).await.is_some(), is_kept);
    }
    assert_eq!(bench.unreferenced_since(other, "held").await, Some(None));
}

/// Everything of an account can be made to go, and leaves only garbage to forget.
pub async fn everything_can_go(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let kept = bench.made("kept-till-last").await;
    let mut ids = vec![kept];
    for text in ["app", "team/app"] {
        let id = bench.made(text).await;
        for label in ["base", text] {
            let bytes = format!("{text} {label}");
            bench.stored_bytes(id, label, &bytes, at(1)).await;
        }
        bench
            .insert_image(&id, &bench.image_of("image", &["base", text]))
            .await;
        bench
            .insert_image(&id, &bench.index_of("index", &["image", "absent"]))
            .await;
        bench
            .insert_image(&id, &bench.referrer("referrer", "image", "sig"))
            .await;
        for text in ["a", "b"] {
            bench
                .put_tag(&id, &tag(text), &bench.digest("index"), &at(1), &1)
                .await;
        }
        bench
            .insert_upload(&bench.new_upload(id, &format!("{text} upload")))
            .await;
        remembered(&bench, id).await;
        ids.push(id);
    }
    bench.stored_blob(kept, "swept", at(1)).await;
    let swept = bench.digest("swept");
    assert!(bench.unlink_blob(&kept, &swept, &Timestamp(i64::MAX)).await);
    for id in &ids {
        bench.delete_repository(id, &at(3)).await;
        while !bench.reap_repository(id, &1).await {}
        // Events outlive their repository, until they are delivered or too old.
        let destination = format!("{}-{}", bench.account, id.0);
        let waiting = if *id == kept { 0 } else { 2 };
        assert_eq!(bench.drop_events(&destination, &at(9), &9).await, waiting);
    }
    let mut keys = vec![bench.blob_key("swept")];
    for text in ["app", "team/app"] {
        for label in ["base", text, "upload"] {
            keys.push(bench.blob_key(&format!("{text} {label}")));
        }
    }
    let garbage = bench.garbage(&None, &ALL).await;
    for key in &keys {
        assert!(garbage.iter().any(|g| g.key == *key), "{key} is lost");
    }
    bench.delete_garbage(&keys).await;
    assert!(!bench.is_garbage("swept").await);
    assert_eq!(bench.repositories(&bench.registry(), &None, &ALL).await, []);
    for label in ["base", "app", "team/app", "swept"] {
        assert_eq!(
            bench.blob_with_digest(&bench.digest(label)).await,
            None,
            "{label}"
        );
    }
    let deleted = bench.deleted_repositories(&ALL).await;
    assert!(ids.iter().all(|id| !deleted.contains(id)));
    assert!(
        bench
            .unreferenced(kept, Timestamp(i64::MAX))
            .await
            .is_empty()
    );
}
