//! Cases about blobs, links, references and garbage.

use roadstead_domain::ids::AccountId;
use roadstead_domain::media_type::MediaType;
use roadstead_domain::time::Timestamp;

use super::bench::{ALL, Bench, at, name};
use crate::metadata::{BlobLink, MetadataStore, StoreError};

/// A repository reads what it links, and only that.
pub async fn linked_and_read(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let (digest, key) = (bench.digest("layer"), bench.blob_key("layer"));
    assert_eq!(bench.blob_with_digest(&digest).await, None);
    bench.stored_blob(id, "layer", at(1)).await;
    let expected = BlobLink {
        repository: id,
        digest: digest.clone(),
        key: key.clone(),
        size_bytes: 7,
        media_type: None,
        unreferenced_since: Some(at(1)),
    };
    assert_eq!(bench.blob_link(&id, &digest).await, Some(expected.clone()));
    assert_eq!(bench.blob_link(&other, &digest).await, None);
    assert_eq!(bench.blob_with_digest(&digest).await, Some((key, 7)));

    let image = bench.image_of("image", &["layer"]);
    bench.insert_image(&id, &image).await;
    let referenced = BlobLink {
        media_type: Some(image.blobs[0].media_type.clone()),
        unreferenced_since: None,
        ..expected
    };
    assert_eq!(
        bench.blob_link(&id, &digest).await,
        Some(referenced.clone())
    );
    let mut again = bench.image_of("again", &["layer"]);
    again.blobs[0].media_type = MediaType::new("application/other");
    bench.insert_image(&id, &again).await;
    let retyped = BlobLink {
        media_type: Some(MediaType::new("application/other")),
        ..referenced
    };
    assert_eq!(bench.blob_link(&id, &digest).await, Some(retyped));
}

/// Two repositories share bytes; each knows for itself whether it refers to them.
pub async fn mounted_into_another_repository(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let (digest, key) = (bench.digest("layer"), bench.blob_key("layer"));
    bench.stored_blob(id, "layer", at(1)).await;
    bench
        .insert_image(&id, &bench.image_of("image", &["layer"]))
        .await;
    bench.link_blob(&other, &digest, &key, &at(5)).await;
    let link = bench.blob_link(&other, &digest).await.expect("mounted");
    assert_eq!((link.key, link.media_type), (key, None));
    assert_eq!(
        bench.unreferenced_since(other, "layer").await,
        Some(Some(at(5)))
    );
    assert_eq!(bench.unreferenced_since(id, "layer").await, Some(None));
    bench
        .insert_image(&other, &bench.image_of("image", &["layer"]))
        .await;
    bench
        .delete_image(&id, &bench.digest("image"), &at(6))
        .await;
    assert_eq!(bench.unreferenced_since(other, "layer").await, Some(None));
    assert_eq!(
        bench.unreferenced_since(id, "layer").await,
        Some(Some(at(6)))
    );
}

/// Who holds a blob is told by name, for one registry alone; a deleted repository holds nothing.
pub async fn holders_are_those_of_one_registry(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let (digest, registry) = (bench.digest("layer"), bench.registry());
    let holders = async |limit: usize| {
        let mut names = bench.holders_of_blob(&registry, &digest, &limit).await;
        names.sort();
        names
    };
    assert_eq!(holders(9).await, []);
    let [one, two, gone] = [
        bench.made("one").await,
        bench.made("two").await,
        bench.made("gone").await,
    ];
    bench.made("without").await;
    let mut elsewhere = bench.new_repository("elsewhere");
    elsewhere.key.account = bench.neighbour();
    let elsewhere = bench
        .insert_repository(&elsewhere)
        .await
        .expect("a free name");
    bench.stored_blob(elsewhere, "layer", at(1)).await;
    let key = bench.blob_key("layer");
    for id in [one, two, gone] {
        bench.link_blob(&id, &digest, &key, &at(2)).await;
    }
    bench.delete_repository(&gone, &at(3)).await;
    assert_eq!(holders(9).await, [name("one"), name("two")]);
    assert_eq!(holders(1).await.len(), 1);
}

/// The same digest uploaded again: the first bytes stay linked and touched, the second go.
pub async fn second_bytes_become_garbage(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let digest = bench.digest("layer");
    bench.stored_bytes(id, "layer", "first", at(1)).await;
    bench.stored_bytes(id, "layer", "second", at(5)).await;
    let link = bench.blob_link(&id, &digest).await.expect("linked");
    assert_eq!(link.key, bench.blob_key("first"));
    assert_eq!(link.unreferenced_since, Some(at(5)));
    assert!(bench.is_garbage("second").await);
    assert!(!bench.is_garbage("first").await);
    assert_eq!(
        bench.blob_with_digest(&digest).await,
        Some((link.key.clone(), 7))
    );
    // Linking the same bytes again is only a touch.
    bench.link_blob(&id, &digest, &link.key, &at(6)).await;
    assert_eq!(
        bench.unreferenced_since(id, "layer").await,
        Some(Some(at(6)))
    );
    assert!(!bench.is_garbage("first").await);
}

/// A link is unreferenced exactly while no image of its repository refers to it.
pub async fn edges_decide_who_is_referenced(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    for blob in ["shared", "own"] {
        bench.stored_blob(id, blob, at(1)).await;
    }
    let image = |label: &str| match label {
        "one" => bench.image_of("one", &["shared", "own"]),
        _ => bench.image_of("two", &["shared"]),
    };
    for (first, second) in [("one", "two"), ("two", "one")] {
        bench.insert_image(&id, &image("one")).await;
        bench.insert_image(&id, &image("two")).await;
        for blob in ["shared", "own"] {
            assert_eq!(
                bench.unreferenced_since(id, blob).await,
                Some(None),
                "{blob}"
            );
        }
        bench.delete_image(&id, &bench.digest(first), &at(5)).await;
        assert_eq!(bench.unreferenced_since(id, "shared").await, Some(None));
        let own = (first == "one").then_some(at(5));
        assert_eq!(bench.unreferenced_since(id, "own").await, Some(own));
        bench.delete_image(&id, &bench.digest(second), &at(6)).await;
        assert_eq!(
            bench.unreferenced_since(id, "shared").await,
            Some(Some(at(6)))
        );
        let own = if first == "one" { at(5) } else { at(6) };
        assert_eq!(bench.unreferenced_since(id, "own").await, Some(Some(own)));
    }
    let listed = bench.unreferenced(id, Timestamp(i64::MAX)).await;
    assert_eq!(listed.len(), 2);
}

/// A link that arrives after an image that refers to it is referenced from the start.
pub async fn an_edge_before_its_link(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let image = bench.image_of("image", &["layer"]);
    bench.insert_image(&id, &image).await;
    assert_eq!(bench.blob_link(&id, &bench.digest("layer")).await, None);
    bench.stored_blob(id, "layer", at(1)).await;
    let link = bench
        .blob_link(&id, &bench.digest("layer"))
        .await
        .expect("linked");
    assert_eq!(link.unreferenced_since, None);
    assert_eq!(link.media_type, Some(image.blobs[0].media_type.clone()));
    bench.delete_image(&id, &image.image.digest, &at(2)).await;
    assert_eq!(
        bench.unreferenced_since(id, "layer").await,
        Some(Some(at(2)))
    );
}

/// F02: a touch renews the grace of an unreferenced link, never shortens it, and does nothing to
/// a referenced one.
pub async fn touching_renews_grace(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let digest = bench.digest("layer");
    bench.stored_blob(id, "layer", at(1)).await;
    for (touched, expected) in [(5, 5), (3, 5)] {
        bench.touch_link(&id, &digest, &at(touched)).await;
        let since = bench.unreferenced_since(id, "layer").await;
        assert_eq!(since, Some(Some(at(expected))));
    }
    assert!(!bench.unlink_blob(&id, &digest, &at(5)).await);
    bench
        .insert_image(&id, &bench.image_of("image", &["layer"]))
        .await;
    bench.touch_link(&id, &digest, &at(9)).await;
    assert_eq!(bench.unreferenced_since(id, "layer").await, Some(None));
    bench.touch_link(&id, &bench.digest("absent"), &at(9)).await;
    assert_eq!(bench.blob_link(&id, &bench.digest("absent")).await, None);
}

/// F01, F02: what was listed as unreferenced is not unlinked once it was touched or referred to.
pub async fn unlinking_refuses_what_came_back(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    for blob in ["touched", "pushed", "idle"] {
        bench.stored_blob(id, blob, at(1)).await;
    }
    let before = at(10);
    assert_eq!(bench.unreferenced(id, before).await.len(), 3);
    bench
        .touch_link(&id, &bench.digest("touched"), &at(11))
        .await;
    bench
        .insert_image(&id, &bench.image_of("image", &["pushed"]))
        .await;
    for (blob, expected) in [("touched", false), ("pushed", false), ("idle", true)] {
        let unlinked = bench.unlink_blob(&id, &bench.digest(blob), &before).await;
        assert_eq!(unlinked, expected, "{blob}");
        let link = bench.blob_link(&id, &bench.digest(blob)).await;
        assert_eq!(link.is_none(), expected, "{blob}");
        assert_eq!(bench.is_garbage(blob).await, expected, "{blob}");
    }
    assert!(!bench.unlink_blob(&id, &bench.digest("idle"), &before).await);
    assert_eq!(bench.unreferenced(id, before).await, []);
}

/// Bytes become garbage with their last link, not before.
pub async fn the_last_link_makes_garbage(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [one, two] = [bench.made("one").await, bench.made("two").await];
    let (digest, key) = (bench.digest("layer"), bench.blob_key("layer"));
    bench.stored_blob(one, "layer", at(1)).await;
    bench.link_blob(&two, &digest, &key, &at(1)).await;
    assert!(bench.unlink_blob(&one, &digest, &at(9)).await);
    assert!(!bench.is_garbage("layer").await);
    assert_eq!(
        bench.blob_with_digest(&digest).await,
        Some((key.clone(), 7))
    );
    assert!(bench.unlink_blob(&two, &digest, &at(9)).await);
    assert_eq!(bench.blob_with_digest(&digest).await, None);
    let garbage = bench.garbage(&None, &ALL).await;
    let found = garbage.iter().find(|g| g.key == key);
    assert_eq!(found.map(|g| g.size_bytes), Some(7));
}

/// Garbage is listed by key and forgotten by key; telling twice is telling once.
pub async fn garbage_is_listed_by_key(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let mut keys: Vec<_> = (0..7).map(|n| bench.blob_key(&format!("g{n}"))).collect();
    for key in &keys {
        bench.insert_garbage(key, &3).await;
        bench.insert_garbage(key, &4).await;
    }
    keys.sort();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = bench.garbage(&after, &3).await;
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        seen.extend(page.into_iter().filter(|g| keys.contains(&g.key)));
    }
    assert!(seen.iter().all(|g| g.size_bytes == 3));
    let seen: Vec<_> = seen.into_iter().map(|g| g.key).collect();
    assert_eq!(seen, keys);
    bench.delete_garbage(&keys[1..].to_vec()).await;
    bench.delete_garbage(&vec![]).await;
    let left = bench.garbage(&None, &ALL).await;
    let left: Vec<_> = left.iter().filter(|g| keys.contains(&g.key)).collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].key, keys[0]);
}

/// Nobody can call bytes garbage that a repository reads.
pub async fn live_bytes_are_never_garbage(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.stored_blob(id, "layer", at(1)).await;
    let called: Result<(), StoreError> = store
        .write(bench.blob_key("layer"), |tx, key| {
            Box::pin(tx.insert_garbage(key, 7))
        })
        .await;
    assert!(matches!(called, Err(StoreError::Failed(_))), "{called:?}");
    assert!(!bench.is_garbage("layer").await);
    assert!(bench.blob_link(&id, &bench.digest("layer")).await.is_some());
}
