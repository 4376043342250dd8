//! Epochs of repositories. A store without epochs passes: nobody keeps what is read of it.

use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::image::ImageStatus;
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_domain::tagging::TagMutability;

use super::bench::{Bench, at, tag};
use crate::metadata::{Epoch, MetadataStore, Part};

/// The epochs of the repository itself and of its contents, which no change is keeping away.
type Epochs = [Option<Epoch>; 2];

fn epochs(bench: &Bench<'_>, id: RepositoryId) -> Epochs {
    [Part::Itself, Part::Contents].map(|part| bench.store.epoch(id, part))
}

/// Fails if an epoch of the contents is still the one `before`; the next ones.
fn ended(bench: &Bench<'_>, id: RepositoryId, before: Epochs, by: &str) -> Epochs {
    let now = epochs(bench, id);
    for (now, before) in now.iter().zip(before) {
        assert_eq!(now.is_some(), before.is_some(), "{by}");
    }
    let did_end = before[1].is_none() || now[1] != before[1];
    assert!(did_end, "{by} did not end the epoch of the contents");
    now
}

/// The same for both parts.
fn both_ended(bench: &Bench<'_>, id: RepositoryId, before: Epochs, by: &str) -> Epochs {
    let now = ended(bench, id, before, by);
    let did_end = before[0].is_none() || now[0] != before[0];
    assert!(did_end, "{by} did not end the epoch of the repository");
    now
}

/// Whatever takes away or replaces what a read may have found ends the epoch.
pub async fn a_departure_ends_an_epoch(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.stored_blob(id, "layer", at(0)).await;
    bench.stored_blob(id, "loose", at(0)).await;
    for label in ["a", "b"] {
        let new = bench.image_of(label, &["layer"]);
        bench.insert_image(&id, &new).await;
    }
    let [a, b] = ["a", "b"].map(|label| bench.digest(label));
    bench.put_tag(&id, &tag("t"), &a, &at(1), &1).await;

    let mut now = epochs(&bench, id);
    bench.put_tag(&id, &tag("t"), &b, &at(2), &2).await;
    now = ended(&bench, id, now, "a tag that moved");
    bench.delete_tag(&id, &tag("t")).await;
    now = ended(&bench, id, now, "a tag that went");
    bench
        .set_image_status(&id, &a, &ImageStatus::Archived, &at(3))
        .await;
    now = ended(&bench, id, now, "a status");
    bench.set_repository_policy(&id, &Some("{}".into())).await;
    now = both_ended(&bench, id, now, "a policy that came");
    bench.set_repository_policy(&id, &None).await;
    now = both_ended(&bench, id, now, "a policy that went");
    let tags = vec![ResourceTag {
        key: "k".into(),
        value: "v".into(),
    }];
    bench.set_resource_tags(&id, &tags).await;
    now = both_ended(&bench, id, now, "resource tags");
    bench
        .set_tag_mutability(&id, &TagMutability::default())
        .await;
    now = both_ended(&bench, id, now, "a setting");
    let loose = bench.digest("loose");
    assert!(bench.unlink_blob(&id, &loose, &at(9)).await);
    now = ended(&bench, id, now, "a link that went");
    bench.delete_image(&id, &b, &at(4)).await;
    now = ended(&bench, id, now, "an image that went");
    let number = bench.lifecycle_image(&id, &a).await.expect("there").number;
    bench.keep_deleted(&id, &a, &at(5), &at(60)).await;
    now = ended(&bench, id, now, "an image that is kept");
    assert!(bench.restore_image(&id, &number, &at(6)).await);
    now = ended(&bench, id, now, "an image that came back");
    bench.keep_deleted(&id, &a, &at(7), &at(60)).await;
    now = ended(&bench, id, now, "an image that is kept again");
    bench.purge_deleted_image(&id, &number, &at(8)).await;
    now = ended(&bench, id, now, "an image that is gone for good");
    bench.delete_repository(&id, &at(9)).await;
    now = both_ended(&bench, id, now, "a repository that went");
    assert!(bench.restore_repository(&id).await);
    now = both_ended(&bench, id, now, "a repository that came back");
    bench.delete_repository(&id, &at(10)).await;
    now = both_ended(&bench, id, now, "a repository that went again");
    bench.reap_repository(&id, &100).await;
    both_ended(&bench, id, now, "a repository that is reaped");
}

/// What only adds, and pull times, leave what was found right: who pushes new images does not
/// empty the memory of those who pull the others.
pub async fn an_arrival_ends_no_epoch(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let before = epochs(&bench, id);
    bench.stored_blob(id, "layer", at(0)).await;
    let new = bench.image_of("a", &["layer"]);
    bench.insert_image(&id, &new).await;
    let digest = bench.digest("a");
    bench.put_tag(&id, &tag("t"), &digest, &at(1), &1).await;
    bench.put_tag(&id, &tag("t"), &digest, &at(2), &2).await;
    bench.record_pull(&id, &digest, &at(3)).await;
    bench.insert_upload(&bench.new_upload(id, "u")).await;
    assert_eq!(epochs(&bench, id), before);
}
