//! Cases about transactions: all or nothing, and each body for itself.

use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::name::RepositoryKey;

use super::bench::{Bench, at, tag};
use crate::metadata::{MetadataRead, MetadataStore, NewRepository, StoreError, TxFuture};

/// What a body of these cases refuses with.
#[derive(Debug)]
enum Refusal {
    OnPurpose,
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A body that refuses leaves nothing of what it did, and its caller gets the refusal.
pub async fn a_refusal_leaves_nothing(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let kept = bench.made("kept").await;
    bench.stored_blob(kept, "layer", at(1)).await;
    let input = (
        bench.new_repository("refused"),
        kept,
        bench.image_of("image", &["layer"]),
    );
    let refused: Result<(), Refusal> = store
        .write(input, |tx, (new, kept, image)| {
            Box::pin(async move {
                tx.insert_repository(new).await?;
                tx.insert_image(*kept, image).await?;
                tx.put_tag(*kept, &tag("latest"), &image.image.digest, at(1), 1)
                    .await?;
                tx.delete_repository(*kept, at(2)).await?;
                Err(Refusal::OnPurpose)
            })
        })
        .await;
    assert!(matches!(refused, Err(Refusal::OnPurpose)), "{refused:?}");
    assert_eq!(bench.repository(&bench.key("refused")).await, None);
    assert!(bench.repository(&bench.key("kept")).await.is_some());
    assert!(!bench.has_images(&kept).await);
    assert_eq!(bench.tagged(&kept, &tag("latest")).await, None);
    assert_eq!(
        bench.unreferenced_since(kept, "layer").await,
        Some(Some(at(1)))
    );
}

/// A write sees its own changes, and a read sees what was committed.
pub async fn a_write_reads_what_it_wrote(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let input = (bench.new_repository("app"), bench.image("one"));
    let seen: Result<bool, StoreError> = store
        .write(input, |tx, (new, image)| {
            Box::pin(async move {
                let Some(id) = tx.insert_repository(new).await? else {
                    return Ok(false);
                };
                let was_empty = !tx.has_images(id).await?;
                tx.insert_image(id, image).await?;
                let found = tx.repository(&new.key).await?.map(|found| found.id);
                Ok(was_empty && tx.has_images(id).await? && found == Some(id))
            })
        })
        .await;
    assert!(seen.expect("committed"));
    let id = bench
        .repository(&bench.key("app"))
        .await
        .expect("committed")
        .id;
    assert!(bench.has_images(&id).await);
}

/// A body that keeps a failed statement to itself cannot commit around it.
pub async fn a_swallowed_failure_does_not_commit(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let input = (
        bench.new_repository("app"),
        bench.new_upload(RepositoryId(-1), "upload"),
    );
    let swallowed: Result<(), StoreError> = store
        .write(input, |tx, (new, upload)| {
            Box::pin(async move {
                tx.insert_repository(new).await?;
                // No repository has this id.
                let failed = tx.insert_upload(upload).await;
                assert!(failed.is_err());
                Ok(())
            })
        })
        .await;
    assert!(
        matches!(swallowed, Err(StoreError::Failed(_))),
        "{swallowed:?}"
    );
    assert_eq!(bench.repository(&bench.key("app")).await, None);
}

/// A body that panics fails, leaves nothing, and the store goes on.
pub async fn a_panic_is_a_failure(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let panicked: Result<(), StoreError> = store
        .write(bench.new_repository("app"), |tx, new| {
            Box::pin(async move {
                tx.insert_repository(new).await?;
                panic!("a body of the contract panics on purpose");
            })
        })
        .await;
    assert!(
        matches!(panicked, Err(StoreError::Failed(_))),
        "{panicked:?}"
    );
    assert_eq!(bench.repository(&bench.key("app")).await, None);
    bench.made("app").await;
    // Whoever reads next, perhaps over the same connection, is not hurt.
    let key = || bench.key("app");
    for panicked in [
        store.read(key(), panicking).await,
        store.survey(key(), panicking).await,
    ] {
        assert!(
            matches!(panicked, Err(StoreError::Failed(_))),
            "{panicked:?}"
        );
        for found in [
            store.read(key(), found).await,
            store.survey(key(), found).await,
        ] {
            assert!(matches!(found, Ok(true)), "{found:?}");
        }
    }
}

fn panicking<'t>(
    tx: &'t mut dyn MetadataRead,
    key: &'t RepositoryKey,
) -> TxFuture<'t, Result<(), StoreError>> {
    Box::pin(async move {
        tx.repository(key).await?;
        panic!("a read of the contract panics on purpose");
    })
}

fn found<'t>(
    tx: &'t mut dyn MetadataRead,
    key: &'t RepositoryKey,
) -> TxFuture<'t, Result<bool, StoreError>> {
    Box::pin(async move { Ok(tx.repository(key).await?.is_some()) })
}

async fn made_unless_odd(
    store: &dyn MetadataStore,
    new: NewRepository,
    is_odd: bool,
) -> Result<(), Refusal> {
    store
        .write((new, is_odd), |tx, (new, is_odd)| {
            Box::pin(async move {
                tx.insert_repository(new).await?;
                if *is_odd {
                    return Err(Refusal::OnPurpose);
                }
                Ok(())
            })
        })
        .await
}

/// Of many bodies at once each commits or rolls back for itself.
pub async fn a_refusal_takes_no_other_with_it(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let names: Vec<String> = (0..40).map(|n| format!("app-{n}")).collect();
    let writes = names.iter().enumerate().map(|(n, text)| {
        let new = bench.new_repository(text);
        made_unless_odd(store, new, n % 2 == 1)
    });
    let outcomes = futures_util::future::join_all(writes).await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let key: RepositoryKey = bench.key(&names[n]);
        let is_there = bench.repository(&key).await.is_some();
        match outcome {
            Ok(()) => assert!(n % 2 == 0 && is_there, "{n}"),
            Err(Refusal::OnPurpose) => assert!(n % 2 == 1 && !is_there, "{n}"),
            Err(Refusal::Store(error)) => panic!("{n}: {error}"),
        }
    }
}

/// A survey sees one snapshot from its beginning to its end, and holds nobody up.
pub async fn a_survey_sees_one_snapshot(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.insert_image(&id, &bench.image("before")).await;
    let digests = [bench.digest("before"), bench.digest("meanwhile")];
    let (begun, has_begun) = tokio::sync::oneshot::channel::<()>();
    let (written, is_written) = std::sync::mpsc::channel::<()>();
    let doors = std::sync::Mutex::new(Some((begun, is_written)));
    let survey = store.survey((id, digests, doors), |tx, (id, digests, doors)| {
        Box::pin(async move {
            let before = tx.image(*id, &digests[0]).await?;
            let doors = doors.lock().ok().and_then(|mut doors| doors.take());
            if let Some((begun, is_written)) = doors {
                let _ = begun.send(());
                let _ = is_written.recv_timeout(std::time::Duration::from_secs(1));
            }
            let meanwhile = tx.image(*id, &digests[1]).await?;
            Ok::<_, StoreError>((before.is_some(), meanwhile.is_some()))
        })
    });
    let writer = async {
        has_begun.await.expect("it begins");
        bench.insert_image(&id, &bench.image("meanwhile")).await;
        let _ = written.send(());
    };
    let (seen, ()) = tokio::join!(survey, writer);
    assert_eq!(seen.expect("a survey"), (true, false));
    assert!(
        bench
            .image_at(&id, &bench.digest("meanwhile"))
            .await
            .is_some()
    );
}
