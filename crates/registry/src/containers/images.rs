//! Registered images: names for manifests of the one repository that an account's services push to.
//!
//! A manifest stays while it is registered under any name, or waits to be: then it goes through the
//! one planner of deletions, and its bytes are the business of the sweep.

use std::collections::BTreeSet;

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::ImageId;
use roadstead_domain::lightsail::images::{
    RegistrationState, StoredImage, parse_deletable, plan_delete_image, plan_registration,
};
use roadstead_domain::lightsail::names::ImageLabel;
use roadstead_domain::lightsail::versions::VersionScope;
use roadstead_domain::manifest::Manifest;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataRead, MetadataWrite, Repository, StoreError};

use super::loaded;
use crate::Registry;
use crate::access::Authorized;
use crate::access::containers::ContainerServiceKey;
use crate::context::RequestContext;
use crate::delete_images::Deleting;
use crate::error::Error;
use crate::loading;
use crate::rot;

/// A registration with what it is decided by.
struct Registration {
    key: ContainerServiceKey,
    label: ImageLabel,
    digest: Digest,
    scope: VersionScope,
    now: Timestamp,
    sequence: u64,
}

impl Registration {
    async fn run(&self, tx: &mut dyn MetadataWrite) -> Result<StoredImage, Error> {
        let stored = loaded(tx, &self.key).await?;
        let repository = loading::repository(tx, &self.key.place.repository()).await?;
        let (id, digest) = (repository.id, &self.digest);
        let state = RegistrationState {
            service_state: stored.service.state,
            is_pushed: tx.image(id, digest).await?.is_some(),
            stored_images: tx.container_images(&stored.key()).await?.len(),
            counters: tx.container_counters(&stored.id, &self.label).await?,
        };
        let name = &stored.service.name;
        let (image, counters) = plan_registration(name, &self.label, digest, &state, self.scope)?;
        let image = StoredImage {
            image,
            digest: digest.clone(),
            created_at: self.now,
            sequence: self.sequence,
        };
        tx.insert_container_image(&stored.id, &image, id, counters)
            .await?;
        end_push(tx, id, digest).await?;
        Ok(image)
    }
}

/// A deletion of a registered image.
struct Deletion {
    key: ContainerServiceKey,
    image: String,
    deleting: Deleting,
}

impl Deletion {
    async fn run(&self, tx: &mut dyn MetadataWrite) -> Result<(), Error> {
        let stored = loaded(tx, &self.key).await?;
        let service = &stored.service;
        let named = parse_deletable(&self.image, &service.name)?;
        let found = tx.container_image(&stored.key(), &named).await?;
        let (current, next) = (service.current.as_ref(), service.next.as_ref());
        let is_stored = |_: &_| found.is_some();
        let image = plan_delete_image(&self.image, &service.name, is_stored, current, next)?;
        tx.delete_container_image(&stored.id, &image).await?;
        if let Some(found) = &found {
            let repository = loading::repository(tx, &self.key.place.repository()).await?;
            free(tx, &self.deleting, &repository, &found.digest).await?;
        }
        Ok(())
    }
}

impl Registry {
    /// Gives a pushed manifest a name: the next version of `label`.
    pub async fn register_container_image(
        &self,
        context: &RequestContext,
        key: Authorized<ContainerServiceKey>,
        label: ImageLabel,
        digest: Digest,
    ) -> Result<StoredImage, Error> {
        let registration = Registration {
            key: key.into_inner(),
            label,
            digest,
            scope: self.rules.container_version_scope,
            now: context.now,
            sequence: self.ids.sequence(context.now).unsigned_abs(),
        };
        self.metadata
            .write(registration, |tx, registration| {
                Box::pin(registration.run(tx))
            })
            .await
    }

    /// The images of a service, the newest first.
    pub async fn container_images(
        &self,
        key: Authorized<ContainerServiceKey>,
    ) -> Result<Vec<StoredImage>, Error> {
        self.metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let stored = loaded(tx, key).await?;
                    Ok(tx.container_images(&stored.key()).await?)
                })
            })
            .await
    }

    /// Takes a name from its manifest. One without any name that nobody waits to register is
    /// deleted.
    pub async fn delete_container_image(
        &self,
        context: &RequestContext,
        key: Authorized<ContainerServiceKey>,
        image: String,
    ) -> Result<(), Error> {
        // What can never be meant is refused before the service is looked for.
        parse_deletable(&image, &key.name)?;
        let deletion = Deletion {
            key: key.into_inner(),
            image,
            deleting: self.deleting(context.now),
        };
        self.metadata
            .write(deletion, |tx, deletion| Box::pin(deletion.run(tx)))
            .await
    }
}

/// Ends the waiting of a pushed manifest: tags are for the push alone.
pub(super) async fn end_push(
    tx: &mut dyn MetadataWrite,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<(), StoreError> {
    tx.delete_container_push(repository, digest).await?;
    for tag in tx.tags_of(repository, digest).await? {
        tx.delete_tag(repository, &tag).await?;
    }
    Ok(())
}

/// A manifest on the way through an index: when it is met, and when what it lists is done.
enum Found {
    First(Digest),
    Again(Digest),
}

/// Deletes a manifest, and those that it lists, as far as nothing retains them.
pub(super) async fn free(
    tx: &mut dyn MetadataWrite,
    deleting: &Deleting,
    repository: &Repository,
    digest: &Digest,
) -> Result<(), StoreError> {
    // Each manifest once, in the end before everything that it lists.
    let mut doomed: Vec<Digest> = Vec::new();
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    let mut found = vec![Found::First(digest.clone())];
    while let Some(one) = found.pop() {
        let digest = match one {
            Found::Again(digest) => {
                doomed.push(digest);
                continue;
            }
            Found::First(digest) => digest,
        };
        if !seen.insert(digest.clone()) || is_retained(tx, repository.id, &digest).await? {
            continue;
        }
        let children = children(tx, repository.id, &digest).await?;
        found.push(Found::Again(digest));
        found.extend(children.into_iter().map(Found::First));
    }
    doomed.reverse();
    let ids: Vec<ImageId> = doomed.iter().map(ImageId::by_digest).collect();
    // What an index elsewhere lists, or what is gone, fails by itself and stays as it is.
    deleting.delete(tx, repository, &ids).await?;
    Ok(())
}

async fn is_retained(
    tx: &mut dyn MetadataWrite,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<bool, StoreError> {
    Ok(tx.is_container_image(repository, digest).await?
        || tx.container_push(repository, digest).await?.is_some())
}

/// What an index lists; nothing of an image.
async fn children<R>(
    tx: &mut R,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Vec<Digest>, StoreError>
where
    R: MetadataRead + ?Sized,
{
    let Some(image) = tx.image(repository, digest).await? else {
        return Ok(Vec::new());
    };
    let Some(bytes) = rot::manifest(tx, repository, digest).await? else {
        return Ok(Vec::new());
    };
    // It was read when it was pushed.
    let Ok(manifest) = Manifest::parse(&bytes, Some(&image.media_type)) else {
        return Ok(Vec::new());
    };
    let listed = manifest.children();
    Ok(listed.iter().map(|child| child.digest.clone()).collect())
}
