//! Cases about rows as they are, and about bytes that were lost.

use roadstead_domain::ids::{AccountId, BlobKey, RepositoryId};

use super::bench::{Bench, at, tag};
use crate::metadata::{
    InspectedBlob, InspectedChild, InspectedEdge, InspectedImage, InspectedLink,
    InspectedRepository, InspectedTag, InspectedUpload, MetadataStore, Needer, NewImage,
    StoreError,
};

impl Bench<'_> {
    async fn mark_lost(&self, key: &str) -> bool {
        self.store
            .write(self.blob_key(key), |tx, key| {
                Box::pin(async move { tx.mark_blob_lost(key, at(9)).await })
            })
            .await
            .expect("marked")
    }

    async fn mark_found(&self, key: &str) -> bool {
        self.store
            .write(self.blob_key(key), |tx, key| {
                Box::pin(async move { tx.mark_blob_found(key).await })
            })
            .await
            .expect("marked")
    }

    async fn inspected_blob(&self, key: &str) -> Option<InspectedBlob> {
        self.store
            .read(self.blob_key(key), |tx, key| {
                Box::pin(async move { tx.inspected_blob(key.as_str()).await })
            })
            .await
            .expect("read")
    }

    async fn inspected_images(&self, id: RepositoryId, after: &str) -> Vec<InspectedImage> {
        self.store
            .read((id, after.to_owned()), |tx, (id, after)| {
                Box::pin(async move { tx.inspected_images(*id, after, 1).await })
            })
            .await
            .expect("read")
    }

    async fn inspected_links(&self, id: RepositoryId) -> Vec<InspectedLink> {
        self.store
            .read(id, |tx, id| {
                Box::pin(async move { tx.inspected_links(*id, "", 10).await })
            })
            .await
            .expect("read")
    }

    async fn needers(&self, key: &str) -> Vec<Needer> {
        self.store
            .read(self.blob_key(key), |tx, key| {
                Box::pin(async move { tx.needers(key.as_str(), 10).await })
            })
            .await
            .expect("read")
    }

    async fn is_held(&self, key: BlobKey) -> bool {
        self.store
            .read(key, |tx, key| {
                Box::pin(async move { tx.is_blob_or_garbage(key).await })
            })
            .await
            .expect("read")
    }
}

/// A blob whose bytes are lost is not there for anybody, its links stay, and it comes back.
pub async fn lost_bytes_are_hidden_until_found(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let digest = bench.digest("layer");
    bench.stored_blob(id, "layer", at(1)).await;
    let link = bench.blob_link(&id, &digest).await;
    assert!(!bench.mark_found("layer").await);
    assert!(bench.mark_lost("layer").await);
    assert!(!bench.mark_lost("layer").await, "the first time counts");
    assert!(!bench.mark_lost("nothing").await);
    assert_eq!(bench.blob_link(&id, &digest).await, None);
    assert_eq!(bench.blob_with_digest(&digest).await, None);
    let seen = bench.inspected_blob("layer").await.expect("a row");
    assert!(seen.is_lost && seen.has_link && !seen.is_garbage);
    assert_eq!(bench.inspected_links(id).await.len(), 1);
    assert!(bench.mark_found("layer").await);
    assert_eq!(bench.blob_link(&id, &digest).await, link);
    assert!(!bench.inspected_blob("layer").await.expect("a row").is_lost);
}

/// Bytes that are pushed again heal every repository that had the lost ones.
pub async fn new_bytes_take_over_the_links_to_lost_ones(
    store: &dyn MetadataStore,
    fresh: AccountId,
) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let digest = bench.digest("layer");
    bench.stored_bytes(id, "layer", "first", at(1)).await;
    bench
        .link_blob(&other, &digest, &bench.blob_key("first"), &at(1))
        .await;
    bench
        .insert_image(&other, &bench.image_of("image", &["layer"]))
        .await;
    bench.mark_lost("first").await;
    bench.stored_bytes(id, "layer", "second", at(2)).await;
    for repository in [id, other] {
        let link = bench.blob_link(&repository, &digest).await.expect("healed");
        assert_eq!(link.key, bench.blob_key("second"));
    }
    assert_eq!(bench.unreferenced_since(other, "layer").await, Some(None));
    assert!(bench.is_garbage("first").await);
    assert!(!bench.is_garbage("second").await);
    assert_eq!(bench.inspected_blob("first").await, None);
    assert_eq!(
        bench.blob_with_digest(&digest).await,
        Some((bench.blob_key("second"), 7))
    );
}

/// What is stored of an image can be stored again; nothing else of it changes.
pub async fn a_manifest_is_stored_once_more(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.insert_image(&id, &bench.image("image")).await;
    let before = bench.inspected_images(id, "").await;
    let replace = |label: &str| {
        let input = (id, bench.digest(label));
        bench.store.write(input, |tx, (id, digest)| {
            Box::pin(async move { tx.replace_manifest(*id, digest, b"other bytes").await })
        })
    };
    replace("image").await.expect("replaced");
    let after = bench.inspected_images(id, "").await;
    assert_eq!(after[0].manifest.as_deref(), Some(&b"other bytes"[..]));
    assert_eq!(
        InspectedImage {
            manifest: before[0].manifest.clone(),
            ..after[0].clone()
        },
        before[0]
    );
    let refused: Result<(), StoreError> = replace("nothing").await;
    assert!(matches!(refused, Err(StoreError::Failed(_))));
}

/// Images page by digest, each with tags, edges and children, whether they lead anywhere or not.
pub async fn images_with_all_that_hangs_on_them(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.stored_blob(id, "layer", at(1)).await;
    let image = bench.image_of("image", &["layer", "absent"]);
    bench.insert_image(&id, &image).await;
    let digest = bench.digest("image");
    bench.put_tag(&id, &tag("v1"), &digest, &at(2), &1).await;
    let index = bench.index_of("index", &["image", "gone"]);
    bench.insert_image(&id, &index).await;

    let mut edges = ["layer", "absent"].map(|label| InspectedEdge {
        digest: bench.digest(label).to_string(),
        has_link: label == "layer",
    });
    edges.sort_by(|a, b| a.digest.cmp(&b.digest));
    let mut children = ["image", "gone"].map(|label| InspectedChild {
        digest: bench.digest(label).to_string(),
        is_there: label == "image",
    });
    children.sort_by(|a, b| a.digest.cmp(&b.digest));
    let expected = |new: &NewImage, tags: &[&str]| InspectedImage {
        digest: new.image.digest.to_string(),
        media_type: new.image.media_type.to_string(),
        manifest_size_bytes: new.manifest.len() as i64,
        is_tagged: !tags.is_empty(),
        manifest: Some(new.manifest.to_vec()),
        tags: tags.iter().map(ToString::to_string).collect(),
        edges: vec![],
        children: vec![],
    };
    let mut all = [
        InspectedImage {
            edges: edges.to_vec(),
            ..expected(&image, &["v1"])
        },
        InspectedImage {
            children: children.to_vec(),
            ..expected(&index, &[])
        },
    ];
    all.sort_by(|a, b| a.digest.cmp(&b.digest));
    let mut seen = Vec::new();
    let mut after = String::new();
    while let Some(next) = bench.inspected_images(id, &after).await.pop() {
        after.clone_from(&next.digest);
        seen.push(next);
    }
    assert_eq!(seen, all);
}

/// Tags say whose image they point to; repositories are found by id and by page.
pub async fn tags_and_repositories(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.insert_image(&id, &bench.image("image")).await;
    let digest = bench.digest("image");
    bench.put_tag(&id, &tag("v1"), &digest, &at(2), &1).await;
    let (tags, repository, page) = store
        .read(id, |tx, id| {
            Box::pin(async move {
                let tags = tx.inspected_tags(*id, "", 10).await?;
                let repository = tx.inspected_repository(*id).await?;
                let before = RepositoryId(id.0 - 1);
                let page = tx.inspected_repositories(before, 1).await?;
                Ok::<_, StoreError>((tags, repository, page))
            })
        })
        .await
        .expect("read");
    let expected = InspectedTag {
        tag: "v1".into(),
        image_repository: Some(id),
    };
    assert_eq!(tags, [expected]);
    let expected = InspectedRepository {
        id,
        account: bench.account.to_string(),
        region: "eu-west-1".into(),
        name: "app".into(),
        is_reaped: false,
    };
    assert_eq!(repository, Some(expected.clone()));
    assert_eq!(page, [expected]);
}

/// A link says what it leads to and whether anybody refers to it; a blob, which images need it.
pub async fn links_and_who_needs_them(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.stored_blob(id, "layer", at(1)).await;
    let link = |is_unreferenced| InspectedLink {
        digest: bench.digest("layer").to_string(),
        key: bench.blob_key("layer").to_string(),
        blob_digest: Some(bench.digest("layer").to_string()),
        is_unreferenced,
        has_edge: !is_unreferenced,
    };
    assert_eq!(bench.inspected_links(id).await, [link(true)]);
    assert_eq!(bench.needers("layer").await, []);
    bench
        .insert_image(&id, &bench.image_of("image", &["layer"]))
        .await;
    let digest = bench.digest("image");
    for (seq, name) in ["b", "a"].into_iter().enumerate() {
        let seq = seq as i64;
        bench.put_tag(&id, &tag(name), &digest, &at(2), &seq).await;
    }
    assert_eq!(bench.inspected_links(id).await, [link(false)]);
    let needer = Needer {
        repository: format!("{}/eu-west-1/app", bench.account),
        digest: digest.to_string(),
        tags: vec!["a".into(), "b".into()],
    };
    assert_eq!(bench.needers("layer").await, [needer]);
    let blobs = bench
        .store
        .read(bench.blob_key("layer"), |tx, key| {
            Box::pin(async move {
                // Nothing lies between this text and the key.
                let before = &key.as_str()[..31];
                tx.inspected_blobs(before, 1).await
            })
        })
        .await
        .expect("read");
    let blob = InspectedBlob {
        key: bench.blob_key("layer").to_string(),
        digest: bench.digest("layer").to_string(),
        size_bytes: 7,
        is_lost: false,
        has_link: true,
        is_garbage: false,
    };
    assert_eq!(blobs, [blob]);
}

/// Uploads are seen with their keys; blobs and garbage hold theirs.
pub async fn uploads_and_garbage_are_seen(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let upload = bench.new_upload(id, "upload");
    let expected = InspectedUpload {
        id: upload.id.to_string(),
        key: upload.key.to_string(),
        received_bytes: 0,
        is_elsewhere: false,
    };
    store
        .write(upload, |tx, upload| {
            Box::pin(async move { tx.insert_upload(upload).await })
        })
        .await
        .expect("an upload");
    let seen = store
        .read(expected.id.clone(), |tx, id| {
            Box::pin(async move {
                let page = tx.inspected_uploads(&id[..35], 1).await?;
                Ok::<_, StoreError>((page, tx.inspected_upload(id).await?))
            })
        })
        .await
        .expect("read");
    assert_eq!(seen, (vec![expected.clone()], Some(expected)));
    assert!(!bench.is_held(bench.blob_key("upload")).await);
    bench.stored_blob(id, "layer", at(1)).await;
    assert!(bench.is_held(bench.blob_key("layer")).await);
    store
        .write(bench.blob_key("doomed"), |tx, key| {
            Box::pin(async move { tx.insert_garbage(key, 1).await })
        })
        .await
        .expect("garbage");
    assert!(bench.is_held(bench.blob_key("doomed")).await);
}
