//! What happened to images, told to those who asked: `ECR Image Action` events in the form of
//! EventBridge (user guide, "Amazon ECR events and EventBridge").
//!
//! An event is a row of the transaction that it tells of, one for each destination. Delivery comes
//! later, from those rows: no client waits for it, and none is lost.

use roadstead_domain::deletion::Removed;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::uuid_text;
use roadstead_domain::image::Image;
use roadstead_domain::lifecycle::policy::StorageClass;
use roadstead_domain::name::{RepositoryKey, RepositoryKind};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{MetadataRead, MetadataWrite, NewEvent, Repository, StoreError};
use serde_json::{Value, json};

use crate::Registry;
use crate::error::Error;

pub use roadstead_store::metadata::Event;

/// `action-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageAction {
    /// A manifest was stored, or a tag attached to one that was there.
    Push,
    /// A tag was removed, or an image without tags.
    Delete,
    /// The image went to this storage class.
    UpdateStorageClass(StorageClass),
}

/// Something that happened to an image.
#[derive(Debug, Clone)]
pub(crate) struct ImageEvent {
    action: ImageAction,
    digest: Digest,
    tag: Option<ImageTag>,
    media_type: String,
    artifact_type: Option<String>,
    is_referrer: bool,
}

impl ImageEvent {
    /// The event of this image, as it is or was.
    pub(crate) fn new(action: ImageAction, image: &Image, tag: Option<ImageTag>) -> Self {
        Self {
            action,
            digest: image.digest.clone(),
            tag,
            media_type: image.media_type.to_string(),
            artifact_type: image.artifact_type.clone(),
            is_referrer: image.subject.is_some(),
        }
    }

    fn envelope(&self, key: &RepositoryKey, now: Timestamp, id: &str) -> Value {
        let kind = if self.is_referrer {
            "Referrer"
        } else {
            "Image"
        };
        let (service, source) = match key.kind {
            // Of container images nobody is told.
            RepositoryKind::Private | RepositoryKind::Lightsail => ("ECR", "aws.ecr"),
            RepositoryKind::Public => ("ECR Public", "aws.ecr-public"),
        };
        json!({
            "version": "0",
            "id": id,
            "detail-type": format!("{service} {kind} Action"),
            "source": source,
            "account": key.account.as_str(),
            "time": now.rfc3339(),
            "region": key.region.as_ref().map_or("", |region| region.as_str()),
            "resources": [],
            "detail": self.detail(key, now),
        })
    }

    fn detail(&self, key: &RepositoryKey, now: Timestamp) -> Value {
        let mut detail = json!({
            "result": "SUCCESS",
            "repository-name": key.name.as_str(),
            "image-digest": self.digest.as_str(),
        });
        if let Some(tag) = &self.tag {
            detail["image-tag"] = tag.as_str().into();
        }
        detail["action-type"] = match self.action {
            ImageAction::Push => "PUSH",
            ImageAction::Delete => "DELETE",
            ImageAction::UpdateStorageClass(_) => "UPDATE_STORAGE_CLASS",
        }
        .into();
        if self.action != ImageAction::Delete {
            detail["manifest-media-type"] = self.media_type.as_str().into();
            if let Some(artifact_type) = &self.artifact_type {
                detail["artifact-media-type"] = artifact_type.as_str().into();
            }
        }
        match self.action {
            ImageAction::Push | ImageAction::Delete => {}
            ImageAction::UpdateStorageClass(StorageClass::Archive) => {
                detail["target-storage-class"] = "ARCHIVE".into();
            }
            ImageAction::UpdateStorageClass(StorageClass::Standard) => {
                detail["target-storage-class"] = "STANDARD".into();
                detail["last-activated-at"] = now.rfc3339().into();
            }
        }
        detail
    }
}

/// Writes the events of one transaction. Their ids come from a seed, so that a body that runs
/// again writes the same.
#[derive(Debug, Clone)]
pub(crate) struct Announcer {
    destinations: Vec<String>,
    seed: u128,
    now: Timestamp,
}

impl Announcer {
    /// Whether nobody asked to be told: then nothing has to be read for it.
    pub(crate) fn is_silent(&self) -> bool {
        self.destinations.is_empty()
    }

    /// Appends the events in order, for every destination; nothing if there is none.
    pub(crate) async fn announce(
        &self,
        tx: &mut dyn MetadataWrite,
        repository: &Repository,
        events: &[ImageEvent],
    ) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        // No repository of ECR: nobody but the services that store images in it knows of it.
        let events = match repository.key.kind {
            RepositoryKind::Lightsail => &[],
            RepositoryKind::Private | RepositoryKind::Public => events,
        };
        for (at, event) in (0..).zip(events) {
            // A batch of transactions shares the seed: the digest tells their events apart.
            let id = uuid_text(self.seed.wrapping_add(at) ^ fold(&event.digest));
            let payload = event.envelope(&repository.key, self.now, &id).to_string();
            rows.extend(self.destinations.iter().map(|destination| NewEvent {
                destination: destination.clone(),
                repository: repository.id,
                payload: payload.clone(),
            }));
        }
        if rows.is_empty() {
            return Ok(());
        }
        tx.append_events(self.now, &rows).await
    }

    /// The events of what a deletion is about to remove; none if nobody asked.
    pub(crate) async fn deletions<R>(
        &self,
        tx: &mut R,
        repository: &Repository,
        removed: &[Removed],
    ) -> Result<Vec<ImageEvent>, StoreError>
    where
        R: MetadataRead + ?Sized,
    {
        let mut events = Vec::new();
        if self.is_silent() {
            return Ok(events);
        }
        for Removed { digest, tag } in removed {
            if let Some(image) = tx.image(repository.id, digest).await? {
                events.push(ImageEvent::new(ImageAction::Delete, &image, tag.clone()));
            }
        }
        Ok(events)
    }
}

/// 128 bits of a digest.
fn fold(digest: &Digest) -> u128 {
    let bytes = digest.as_str().bytes();
    bytes.fold(0, |folded: u128, byte| {
        folded.rotate_left(7) ^ u128::from(byte)
    })
}

impl Registry {
    /// The writer of the events of one transaction.
    pub(crate) fn announcer(&self, now: Timestamp) -> Announcer {
        Announcer {
            destinations: self.rules.event_destinations.clone(),
            seed: self.ids.bits(),
            now,
        }
    }

    /// Events that wait for a destination, in order, after number `after`.
    pub async fn waiting_events(
        &self,
        destination: &str,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Event>, Error> {
        let input = (destination.to_owned(), after, limit);
        self.metadata
            .read(input, |tx, (destination, after, limit)| {
                Box::pin(async move { Ok(tx.events(destination, *after, *limit).await?) })
            })
            .await
    }

    /// Forgets events that were delivered.
    pub async fn forget_events(&self, seqs: Vec<i64>) -> Result<(), Error> {
        self.metadata
            .write(seqs, |tx, seqs| {
                Box::pin(async move { Ok(tx.forget_events(seqs).await?) })
            })
            .await
    }

    /// Destinations for which events wait, whether or not they are still configured.
    pub async fn event_destinations(&self) -> Result<Vec<String>, Error> {
        self.metadata
            .read((), |tx, ()| {
                Box::pin(async move { Ok(tx.event_destinations().await?) })
            })
            .await
    }

    /// Forgets at most `limit` events for a destination that wait since before `before`; says how
    /// many.
    pub async fn drop_events(
        &self,
        destination: &str,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, Error> {
        let input = (destination.to_owned(), before, limit);
        self.metadata
            .write(input, |tx, (destination, before, limit)| {
                Box::pin(async move { Ok(tx.drop_events(destination, *before, *limit).await?) })
            })
            .await
    }
}
