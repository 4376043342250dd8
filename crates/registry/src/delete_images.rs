//! Deleting images: load, ask the planner of `domain::deletion`, apply, in one transaction.
//!
//! Every caller that deletes images ends here. Bytes are not touched: the sweep frees them once
//! nothing refers to them.

use roadstead_domain::deletion::{DeletionPlan, Loaded, LoadedImage, Step, plan_deletion};
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::{ImageId, ImageSelector};
use roadstead_domain::name::{RepositoryKey, RepositoryKind};
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataRead, MetadataWrite, Repository, StoreError};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::Error;
use crate::events::Announcer;
use crate::loading;

impl Registry {
    /// Deletes what `ids` name, each entry by itself, in order. The plan says what is gone and
    /// which entries failed.
    pub async fn delete_images(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        ids: Vec<ImageId>,
    ) -> Result<DeletionPlan, Error> {
        let input = (key.into_inner(), ids, self.deleting(context.now));
        self.metadata
            .write(input, |tx, (key, ids, deleting)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    Ok(deleting.delete(tx, &repository, ids).await?)
                })
            })
            .await
    }

    /// How images are deleted at `now`.
    pub(crate) fn deleting(&self, now: Timestamp) -> Deleting {
        Deleting {
            now,
            kept_until: self.rules.undelete_window.map(|window| now + window),
            announcer: self.announcer(now),
        }
    }
}

/// What goes with a deletion, whoever asked for it.
pub(crate) struct Deleting {
    now: Timestamp,
    kept_until: Option<Timestamp>,
    announcer: Announcer,
}

impl Deleting {
    /// Plans the deletion of `ids` and carries it out.
    pub(crate) async fn delete(
        &self,
        tx: &mut dyn MetadataWrite,
        repository: &Repository,
        ids: &[ImageId],
    ) -> Result<DeletionPlan, StoreError> {
        let plan = plan_deletion(load(tx, repository.id, ids).await?, ids);
        let events = self
            .announcer
            .deletions(tx, repository, &plan.removed)
            .await?;
        for step in &plan.steps {
            match step {
                Step::Untag(tag) => tx.delete_tag(repository.id, tag).await?,
                Step::Delete(digest) => {
                    let kept_until = match repository.key.kind {
                        RepositoryKind::Private | RepositoryKind::Public => self.kept_until,
                        // Its name is gone: nobody could ask for it again.
                        RepositoryKind::Lightsail => None,
                    };
                    tx.delete_image(repository.id, digest, self.now, kept_until)
                        .await?;
                }
            }
        }
        self.announcer.announce(tx, repository, &events).await?;
        Ok(plan)
    }
}

/// Loads the named images with their tags and parents.
async fn load(
    tx: &mut dyn MetadataWrite,
    repository: RepositoryId,
    ids: &[ImageId],
) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for id in ids {
        let Ok(Some(selector)) = id.selector() else {
            continue;
        };
        if let ImageSelector::ByTag(tag) | ImageSelector::Both(_, tag) = &selector
            && let Some(digest) = tx.tagged(repository, tag).await?
        {
            load_image(tx, repository, &mut loaded, &digest).await?;
            loaded.tags.insert(tag.clone(), digest);
        }
        if let ImageSelector::ByDigest(digest) | ImageSelector::Both(digest, _) = &selector {
            load_image(tx, repository, &mut loaded, digest).await?;
        }
    }
    Ok(loaded)
}

async fn load_image<R>(
    tx: &mut R,
    repository: RepositoryId,
    loaded: &mut Loaded,
    digest: &Digest,
) -> Result<(), StoreError>
where
    R: MetadataRead + ?Sized,
{
    if loaded.images.contains_key(digest) || tx.image(repository, digest).await?.is_none() {
        return Ok(());
    }
    let tags = tx.tags_of(repository, digest).await?;
    let parents = tx
        .parents_of(repository, digest)
        .await?
        .into_iter()
        .collect();
    loaded
        .tags
        .extend(tags.iter().map(|tag| (tag.clone(), digest.clone())));
    loaded
        .images
        .insert(digest.clone(), LoadedImage { tags, parents });
    Ok(())
}
