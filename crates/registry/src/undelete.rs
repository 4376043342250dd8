//! Bringing back what was deleted, while the undelete window is open. For the operator: to the AWS
//! API and to `/v2` a deleted image is gone.
//!
//! A deleted image keeps its record and its hold on its blobs until the window closes, so the sweep
//! leaves its bytes alone. A deleted repository keeps all that it held.

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::ImageId;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::reference::ImageTag;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataWrite, Repository};

use crate::Registry;
use crate::access::Authorized;
use crate::error::{Error, Place};
use crate::events::{Announcer, ImageAction, ImageEvent};
use crate::loading;

pub use roadstead_store::metadata::DeletedImage;

/// An image that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeleted {
    /// Its digest.
    pub digest: Digest,
    /// The tags that it got back.
    pub tags: Vec<ImageTag>,
    /// Tags that point to other images by now and stay there.
    pub lost_tags: Vec<ImageTag>,
    /// Whether an image with this digest was there already.
    pub was_there: bool,
}

impl Registry {
    /// Deleted images of a repository that can be brought back, the latest deletion first.
    pub async fn deleted_images(
        &self,
        key: Authorized<RepositoryKey>,
        limit: usize,
    ) -> Result<Vec<DeletedImage>, Error> {
        self.metadata
            .read((key.into_inner(), limit), |tx, (key, limit)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    Ok(tx.deleted_images(repository, *limit).await?)
                })
            })
            .await
    }

    /// Brings the latest deleted image with this digest back, with the images that it lists if
    /// they are deleted too. It gets the tags back that nobody took meanwhile. Its time of push
    /// stays; for lifecycle policies it counts as restored at `now`, or the next run would delete
    /// it again.
    pub async fn undelete_image(
        &self,
        key: Authorized<RepositoryKey>,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Vec<Undeleted>, Error> {
        let work = Undeleting {
            digest,
            now,
            seq: self.ids.sequence(now),
            announcer: self.announcer(now),
        };
        self.metadata
            .write((key.into_inner(), work), |tx, (key, work)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let undeleted = work.with_members(tx, &repository).await?;
                    let missing = || Error::ImageNotFound {
                        id: ImageId::by_digest(&work.digest),
                        place: Place::from(key),
                    };
                    undeleted.ok_or_else(missing)
                })
            })
            .await
    }

    /// Brings the latest deleted repository of this name back with all that it held. The name must
    /// be free.
    pub async fn undelete_repository(
        &self,
        key: Authorized<RepositoryKey>,
    ) -> Result<Repository, Error> {
        self.metadata
            .write(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    if tx.repository(key).await?.is_some() {
                        return Err(Error::RepositoryAlreadyExists(Place::from(key)));
                    }
                    let missing = || Error::RepositoryNotFound(Place::from(key));
                    let deleted = tx.deleted_repository(key).await?.ok_or_else(missing)?;
                    if !tx.restore_repository(deleted.id).await? {
                        return Err(missing());
                    }
                    Ok(deleted)
                })
            })
            .await
    }
}

struct Undeleting {
    digest: Digest,
    now: Timestamp,
    seq: i64,
    announcer: Announcer,
}

impl Undeleting {
    /// Brings the image back, its members first; none if it is neither deleted nor there.
    async fn with_members(
        &self,
        tx: &mut dyn MetadataWrite,
        repository: &Repository,
    ) -> Result<Option<Vec<Undeleted>>, Error> {
        // Found from the top, brought back from the bottom: an index never stands alone.
        let mut found: Vec<DeletedImage> = Vec::new();
        let mut missing: Vec<Digest> = Vec::new();
        let mut sought = vec![self.digest.clone()];
        while let Some(digest) = sought.pop() {
            let is_known = found.iter().any(|other| other.image.digest == digest);
            if is_known || tx.image(repository.id, &digest).await?.is_some() {
                continue;
            }
            match tx.deleted_image(repository.id, &digest).await? {
                Some(deleted) => {
                    sought.extend(deleted.children.iter().cloned());
                    found.push(deleted);
                }
                None => missing.push(digest),
            }
        }
        // An index without its members is of no use (F06).
        if !found.is_empty() && !missing.is_empty() {
            return Err(Error::ReferencedImagesNotFound {
                digests: missing,
                place: Place::from(&repository.key),
            });
        }
        if found.is_empty() {
            let present = tx.image(repository.id, &self.digest).await?;
            return Ok(present.map(|image| {
                vec![Undeleted {
                    digest: image.digest,
                    tags: Vec::new(),
                    lost_tags: Vec::new(),
                    was_there: true,
                }]
            }));
        }
        let mut undeleted = Vec::new();
        for deleted in found.iter().rev() {
            undeleted.push(self.bring_back(tx, repository, deleted).await?);
        }
        undeleted.reverse();
        Ok(Some(undeleted))
    }

    async fn bring_back(
        &self,
        tx: &mut dyn MetadataWrite,
        repository: &Repository,
        deleted: &DeletedImage,
    ) -> Result<Undeleted, Error> {
        let (id, digest): (RepositoryId, &Digest) = (repository.id, &deleted.image.digest);
        tx.restore_image(id, deleted.number, self.now).await?;
        let (mut tags, mut lost_tags) = (Vec::new(), Vec::new());
        for (at, tag) in (0..).zip(&deleted.tags) {
            if tx.tagged(id, tag).await?.is_some() {
                lost_tags.push(tag.clone());
                continue;
            }
            tx.put_tag(id, tag, digest, self.now, self.seq + at).await?;
            tags.push(tag.clone());
        }
        let event = |tag| ImageEvent::new(ImageAction::Push, &deleted.image, tag);
        let events = match tags.as_slice() {
            [] => vec![event(None)],
            tags => tags.iter().cloned().map(Some).map(event).collect(),
        };
        self.announcer.announce(tx, repository, &events).await?;
        Ok(Undeleted {
            digest: digest.clone(),
            tags,
            lost_tags,
            was_there: false,
        })
    }
}
