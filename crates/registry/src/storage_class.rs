//! Moving images between standard and archive storage by hand (ecr.md 7.11).
//!
//! The bytes stay where they are: an archived image is hidden and cannot be pulled, and comes back
//! at once. Exactly the image that is named moves.

use roadstead_domain::digest::Digest;
use roadstead_domain::image::{Image, ImageId, ImageStatus};
use roadstead_domain::lifecycle::policy::StorageClass;
use roadstead_domain::manifest::Manifest;
use roadstead_domain::name::RepositoryKey;
use roadstead_store::metadata::{MetadataWrite, Repository, StoreError};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::Error;
use crate::events::{Announcer, ImageAction, ImageEvent};
use crate::images::{find, refuse};
use crate::loading;
use crate::rot;

/// An image that was moved, or was there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedImage {
    /// Its digest.
    pub digest: Digest,
    /// What the caller is told: ARCHIVED, ACTIVATING for an image that comes back, ACTIVE for one
    /// that never left.
    pub status: ImageStatus,
}

impl Registry {
    /// Moves an image to `target`; one that is there already is left alone. An image that an
    /// active index lists cannot be archived, nor an index restored before what it lists: it would
    /// point to nothing.
    pub async fn update_storage_class(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        id: ImageId,
        target: StorageClass,
    ) -> Result<MovedImage, Error> {
        let input = (key.into_inner(), id, target, self.announcer(context.now));
        let now = context.now;
        self.metadata
            .write((input, now), |tx, ((key, id, target, announcer), now)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let digest = find(tx, repository.id, id)
                        .await?
                        .map_err(|failure| refuse(failure, key))?;
                    let Some(image) = tx.image(repository.id, &digest).await? else {
                        return Err(refuse(id.not_found(), key));
                    };
                    let (to, status) = match (target, image.status) {
                        (StorageClass::Archive, ImageStatus::Archived)
                        | (StorageClass::Standard, ImageStatus::Active) => {
                            let status = image.status;
                            return Ok(MovedImage { digest, status });
                        }
                        (StorageClass::Archive, _) => {
                            refuse_members(tx, &repository, &digest).await?;
                            (ImageStatus::Archived, ImageStatus::Archived)
                        }
                        (StorageClass::Standard, _) => {
                            refuse_archived_members(tx, &repository, &image).await?;
                            (ImageStatus::Active, ImageStatus::Activating)
                        }
                    };
                    tx.set_image_status(repository.id, &digest, to, *now)
                        .await?;
                    announce_move(tx, announcer, &repository, &digest, *target).await?;
                    Ok(MovedImage { digest, status })
                })
            })
            .await
    }
}

async fn refuse_members(
    tx: &mut dyn MetadataWrite,
    repository: &Repository,
    digest: &Digest,
) -> Result<(), Error> {
    for parent in tx.parents_of(repository.id, digest).await? {
        let index = tx.image(repository.id, &parent).await?;
        if index.is_some_and(|index| index.status != ImageStatus::Archived) {
            return Err(Error::StorageClassUpdateNotSupported {
                digest: digest.clone(),
                why: format!("it is referenced by manifest list: [{parent}]"),
            });
        }
    }
    Ok(())
}

/// An index over members that cannot be pulled cannot be pulled either (F06).
async fn refuse_archived_members(
    tx: &mut dyn MetadataWrite,
    repository: &Repository,
    image: &Image,
) -> Result<(), Error> {
    let bytes = rot::manifest(tx, repository.id, &image.digest).await?;
    let bytes = bytes.unwrap_or_default();
    let Ok(manifest) = Manifest::parse(&bytes, Some(&image.media_type)) else {
        return Ok(());
    };
    for member in manifest.children() {
        let member = tx.image(repository.id, &member.digest).await?;
        if let Some(member) = member.filter(|member| member.status != ImageStatus::Active) {
            return Err(Error::StorageClassUpdateNotSupported {
                digest: image.digest.clone(),
                why: format!("restore what it lists first: [{}]", member.digest),
            });
        }
    }
    Ok(())
}

/// Tells that an image went to `class`.
pub(crate) async fn announce_move(
    tx: &mut dyn MetadataWrite,
    announcer: &Announcer,
    repository: &Repository,
    digest: &Digest,
    class: StorageClass,
) -> Result<(), StoreError> {
    if announcer.is_silent() {
        return Ok(());
    }
    let Some(image) = tx.image(repository.id, digest).await? else {
        return Ok(());
    };
    let tag = tx.tags_of(repository.id, digest).await?.into_iter().next();
    let event = ImageEvent::new(ImageAction::UpdateStorageClass(class), &image, tag);
    announcer.announce(tx, repository, &[event]).await
}
