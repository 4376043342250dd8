//! Cases about bringing back and giving up at the same time as other writes. Each checks what no
//! order of the writes could give.

use futures_util::future::{join, join_all};
use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::time::Timestamp;

use super::bench::{ALL, Bench, at};
use super::concurrency::pushed_if_linked;
use super::lifecycle::policy;
use crate::metadata::{ImageNumber, MetadataStore};

const RACES: usize = 20;

/// Images that were deleted and are kept, each with a layer of its own: the layers' labels and the
/// images' numbers.
async fn kept(bench: &Bench<'_>, id: RepositoryId) -> Vec<(String, ImageNumber)> {
    let mut kept = Vec::new();
    for n in 0..RACES {
        let layer = format!("layer {n}");
        bench.stored_blob(id, &layer, at(1)).await;
        let new = bench.image_of(&format!("image of {layer}"), &[&layer]);
        let digest = &new.image.digest;
        bench.insert_image(&id, &new).await;
        bench.keep_deleted(&id, digest, &at(2), &at(9)).await;
        let deleted = bench.deleted_image(&id, digest).await.expect("kept");
        kept.push((layer, deleted.number));
    }
    kept
}

/// A push of another image with the same layer and the end of the deleted one: the layer stays
/// referenced.
pub async fn a_purge_meets_a_push(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let kept = kept(&bench, id).await;
    let bench = &bench;
    let races = kept.iter().map(|(layer, number)| async move {
        let now = at(5);
        let new = bench.image_of(&format!("new {layer}"), &[layer]);
        let purge = bench.purge_deleted_image(&id, number, &now);
        join(pushed_if_linked(store, id, new), purge).await.0
    });
    assert!(join_all(races).await.into_iter().all(|pushed| pushed));
    for (layer, _) in &kept {
        let since = bench.unreferenced_since(id, layer).await;
        assert_eq!(since, Some(None), "{layer} is in use");
    }
}

/// An image comes back while somebody pushes it again: one of them stores it, and its layer stays
/// referenced either way.
pub async fn a_revival_meets_a_push(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let kept = kept(&bench, id).await;
    let bench = &bench;
    let races = kept.iter().map(|(layer, number)| async move {
        let now = at(5);
        let new = bench.image_of(&format!("image of {layer}"), &[layer]);
        let revival = bench.restore_image(&id, number, &now);
        join(pushed_if_linked(store, id, new), revival).await
    });
    for ((layer, number), (pushed, revived)) in kept.iter().zip(join_all(races).await) {
        assert_ne!(pushed, revived, "{layer}");
        let digest = bench.digest(&format!("image of {layer}"));
        let image = bench.lifecycle_image(&id, &digest).await.expect("there");
        assert_eq!(image.number == *number, revived, "{layer}");
        assert_eq!(bench.unreferenced_since(id, layer).await, Some(None));
    }
    let pushed = bench.deleted_images(&id, &ALL).await.len();
    let numbers: Vec<ImageNumber> = kept.iter().map(|(_, number)| *number).collect();
    let images = bench.lifecycle_images(&id, &None, &ALL).await;
    let revived = images
        .iter()
        .filter(|image| numbers.contains(&image.number));
    assert_eq!((images.len(), pushed + revived.count()), (RACES, RACES));
}

/// An image comes back while it is given up for good and its layer is swept: with the image comes
/// its layer, or both are gone.
pub async fn a_revival_meets_a_purge_and_the_sweep(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let kept = kept(&bench, id).await;
    let bench = &bench;
    let races = kept.iter().map(|(layer, number)| async move {
        let (now, before) = (at(5), Timestamp(i64::MAX));
        let digest = bench.digest(layer);
        let purge = async {
            bench.purge_deleted_image(&id, number, &now).await;
            bench.unlink_blob(&id, &digest, &before).await
        };
        join(bench.restore_image(&id, number, &now), purge).await
    });
    for ((layer, _), (revived, swept)) in kept.iter().zip(join_all(races).await) {
        assert_ne!(revived, swept, "{layer}");
        let digest = bench.digest(&format!("image of {layer}"));
        let image = bench.image_at(&id, &digest).await;
        assert_eq!(image.is_some(), revived, "{layer}");
        let since = bench.unreferenced_since(id, layer).await;
        assert_eq!(since, revived.then_some(None), "{layer}");
        assert_eq!(bench.is_garbage(layer).await, swept, "{layer}");
    }
    assert_eq!(bench.deleted_images(&id, &ALL).await, []);
}

/// A repository comes back while its name is taken and while it is reaped: one of them wins.
pub async fn a_repository_has_one_fate(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let mut ids = Vec::new();
    for n in 0..RACES {
        let id = bench.made(&format!("app-{n}")).await;
        bench.insert_image(&id, &bench.image("one")).await;
        bench.insert_image(&id, &bench.image("two")).await;
        bench.delete_repository(&id, &at(1)).await;
        ids.push(id);
    }
    let bench = &bench;
    let races = ids.iter().enumerate().map(|(n, id)| async move {
        if n % 2 == 0 {
            let new = bench.new_repository(&format!("app-{n}"));
            let (revived, made) =
                join(bench.restore_repository(id), bench.insert_repository(&new)).await;
            return revived != made.is_some();
        }
        let reaped = store.write(*id, |tx, id| {
            Box::pin(async move { tx.reap_repository(*id, 1).await })
        });
        let (revived, reaped) = join(bench.restore_repository(id), reaped).await;
        let left = bench.lifecycle_images(id, &None, &ALL).await.len();
        revived == reaped.is_err() && left == 1 + usize::from(revived)
    });
    let fates = join_all(races).await;
    assert_eq!(fates, [true; RACES]);
}

/// Every one of many deletions at once is counted.
pub async fn departures_at_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.put_lifecycle_policy(&id, &policy("policy", 1)).await;
    let labels: Vec<String> = (0..10).map(|n| format!("image {n}")).collect();
    for label in &labels {
        bench.insert_image(&id, &bench.image(label)).await;
    }
    let bench = &bench;
    let gone = labels.iter().map(|label| async move {
        let digest = bench.digest(label);
        bench.delete_image(&id, &digest, &at(5)).await;
    });
    join_all(gone).await;
    let policy = bench.lifecycle_policy(&id).await.expect("put");
    assert_eq!(policy.departures, 10);
}

/// Runs that start at once are numbered apart.
pub async fn runs_at_once(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let (now, text) = (at(1), "run".to_owned());
    let mut runs = join_all((0..10).map(|_| bench.insert_run(&id, &now, &text))).await;
    runs.sort_unstable();
    let listed = bench.lifecycle_runs(&id, &None, &ALL).await;
    assert!(listed.iter().map(|run| run.run).eq(runs.into_iter().rev()));
    assert_eq!(listed.len(), 10);
    assert!(listed.is_sorted_by(|a, b| a.run > b.run), "{listed:?}");
}
