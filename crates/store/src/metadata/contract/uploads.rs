//! Cases about open uploads.

use roadstead_domain::ids::AccountId;
use roadstead_domain::upload::HashState;

use super::bench::{ALL, Bench, at};
use crate::metadata::MetadataStore;

/// An upload is opened, found in its own repository only, moved on, and ended once.
pub async fn life_of_an_upload(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let mut upload = bench.new_upload(id, "upload");
    assert_eq!(bench.upload(&id, &upload.id).await, None);
    assert!(!bench.update_upload(&upload).await);
    bench.insert_upload(&upload).await;
    assert_eq!(bench.upload(&id, &upload.id).await, Some(upload.clone()));
    assert_eq!(bench.upload(&other, &upload.id).await, None);

    upload.received_bytes = 52_000 * 1024 * 1024;
    upload.parts = 4200;
    upload.has_short_part = true;
    upload.expires_at = at(200);
    assert!(bench.update_upload(&upload).await);
    assert_eq!(bench.upload(&id, &upload.id).await, Some(upload.clone()));
    upload.has_short_part = false;
    upload.is_last_part_short = true;
    upload.hash_state = Some(HashState("opaque: \u{e9}".into()));
    assert!(bench.update_upload(&upload).await);
    assert_eq!(bench.upload(&id, &upload.id).await, Some(upload.clone()));

    assert!(bench.delete_upload(&upload.id).await);
    assert!(!bench.delete_upload(&upload.id).await);
    assert!(!bench.update_upload(&upload).await);
    assert_eq!(bench.upload(&id, &upload.id).await, None);
    assert!(
        !bench.is_garbage("upload").await,
        "its bytes are left alone"
    );
}

/// Uploads are given up after their time, the oldest first.
pub async fn uploads_expire_oldest_first(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    for (label, expires) in [("b", 20), ("d", 50), ("c", 30), ("a", 10), ("e", 40)] {
        let mut upload = bench.new_upload(id, label);
        upload.expires_at = at(expires);
        bench.insert_upload(&upload).await;
    }
    for (now, expected) in [
        (10, &[][..]),
        (11, &["a"]),
        (25, &["a", "b"]),
        (99, &["a", "b", "c", "e", "d"]),
    ] {
        let expired = bench.expired_uploads(&at(now), &ALL).await;
        let own = expired.into_iter().filter(|u| u.repository == id);
        let found: Vec<_> = own.map(|upload| upload.id).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|label| bench.new_upload(id, label).id)
            .collect();
        assert_eq!(found, expected, "at {now}");
    }
    assert_eq!(bench.expired_uploads(&at(99), &1).await.len(), 1);
}

/// F17: of several finishers one ends the upload.
pub async fn an_upload_ends_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let upload = bench.new_upload(id, "upload");
    bench.insert_upload(&upload).await;
    let finishers = (0..10).map(|_| bench.delete_upload(&upload.id));
    let ended = futures_util::future::join_all(finishers).await;
    assert_eq!(ended.into_iter().filter(|ended| *ended).count(), 1);
}
