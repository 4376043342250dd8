//! Storing a manifest: PutImage and `PUT /v2/<name>/manifests/<reference>` (ecr.md section 5).
//!
//! Everything that can be decided from the bytes is decided before the transaction; what depends
//! on the repository is decided inside it, so that no other writer comes between check and change.

use bytes::Bytes;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::{Image, ImageStatus};
use roadstead_domain::lifecycle::policy::StorageClass;
use roadstead_domain::limits::{MANIFEST_BYTES_MAX, TAGS_PER_IMAGE_MAX};
use roadstead_domain::manifest::{Contents, Descriptor, Manifest, ManifestRefusal};
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::{RepositoryKey, RepositoryKind};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::tagging::{PushState, TagPlan};
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{BlobEdge, MetadataWrite, NewImage, Repository, StoreError};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::events::{Announcer, ImageAction, ImageEvent};
use crate::loading;
use crate::rot;

/// A manifest to be stored.
#[derive(Debug, Clone)]
pub struct Push {
    /// The exact bytes.
    pub bytes: Bytes,
    /// The media type that the request named, if any.
    pub media_type: Option<MediaType>,
    /// The tag to attach, if any.
    pub tag: Option<ImageTag>,
    /// The digest that the bytes must have, if any was given.
    pub digest: Option<Digest>,
}

/// A stored manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// The manifest that it refers to.
    pub subject: Option<Digest>,
    /// Whether image and tag were there already, so that nothing changed.
    pub was_there: bool,
}

/// What the transaction works on.
struct Prepared {
    key: RepositoryKey,
    bytes: Bytes,
    manifest: Manifest,
    digest: Digest,
    tag: Option<ImageTag>,
    now: Timestamp,
    seq: i64,
    /// Until when a container image waits to be registered.
    waits_until: Timestamp,
    announcer: Announcer,
}

impl Registry {
    /// Stores a manifest and attaches its tag.
    pub async fn push_manifest(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        push: Push,
    ) -> Result<Pushed, Error> {
        let key = key.into_inner();
        let (manifest, digest) = match check_bytes(&push) {
            Ok(checked) => checked,
            // A repository that is missing is reported before a manifest that is wrong.
            Err(error) => return Err(self.repository(&key).await.err().unwrap_or(error)),
        };
        let (now, seq) = (context.now, self.ids.sequence(context.now));
        let prepared = Prepared {
            key,
            bytes: push.bytes,
            manifest,
            digest,
            tag: push.tag,
            now,
            seq,
            waits_until: now + self.rules.container_push_grace,
            announcer: self.announcer(now),
        };
        self.metadata
            .write(prepared, |tx, push| Box::pin(store(tx, push)))
            .await
    }
}

fn check_bytes(push: &Push) -> Result<(Manifest, Digest), Error> {
    if push.bytes.len() > MANIFEST_BYTES_MAX {
        return Err(Error::ManifestTooLong);
    }
    let parsed = Manifest::parse(&push.bytes, push.media_type.as_ref());
    let is_readable = matches!(parsed, Ok(_) | Err(ManifestRefusal::TooManyLayers));
    let algorithm = push
        .digest
        .as_ref()
        .map_or(Algorithm::Sha256, Digest::algorithm);
    let computed = Digest::of(algorithm, &push.bytes);
    match &push.digest {
        Some(given) if is_readable && *given != computed => Err(Error::ImageDigestDoesNotMatch {
            given: given.to_string(),
            computed,
        }),
        _ => Ok((parsed.map_err(Error::InvalidManifest)?, computed)),
    }
}

async fn store(tx: &mut dyn MetadataWrite, push: &Prepared) -> Result<Pushed, Error> {
    let repository = loading::repository(tx, &push.key).await?;
    let present = tx.image(repository.id, &push.digest).await?;
    let tag_points_to = match &push.tag {
        Some(tag) => tx.tagged(repository.id, tag).await?,
        None => None,
    };
    let was = present.as_ref().map(|image| image.status);
    let state = PushState {
        is_image_present: present.is_some(),
        tag_points_to,
    };
    if present.is_none() {
        check_references(tx, repository.id, push).await?;
    }
    let plan = repository
        .tag_mutability
        .plan_push(&push.digest, push.tag.as_ref(), &state);
    // To push an archived image again is to restore it, under whatever tag it has (ecr.md 7.11), and
    // to push one whose stored bytes have changed is to store it again (F43).
    let is_rotten = present.is_some()
        && rot::manifest(tx, repository.id, &push.digest)
            .await?
            .is_none();
    let is_active = was == Some(ImageStatus::Active) && !is_rotten;
    let is_refused = match plan {
        TagPlan::TagIsImmutable => true,
        TagPlan::SameUnderImmutable => is_active,
        TagPlan::Attach | TagPlan::Move | TagPlan::StoreUntagged | TagPlan::AlreadyThere => false,
    };
    if let (true, Some(tag)) = (is_refused, &push.tag) {
        return Err(Error::ImageTagAlreadyExists {
            tag: tag.clone(),
            place: Place::from(&push.key),
        });
    }
    match present {
        None => insert(tx, repository.id, push).await?,
        Some(image) if image.status != ImageStatus::Active => {
            tx.set_image_status(repository.id, &push.digest, ImageStatus::Active, push.now)
                .await?;
        }
        Some(_) => {}
    }
    if is_rotten {
        tx.replace_manifest(repository.id, &push.digest, &push.bytes)
            .await?;
    }
    if let (TagPlan::Attach | TagPlan::Move, Some(tag)) = (plan, &push.tag) {
        if tx.tags_of(repository.id, &push.digest).await?.len() >= TAGS_PER_IMAGE_MAX {
            return Err(Error::LimitExceeded("tags per image"));
        }
        tx.put_tag(repository.id, tag, &push.digest, push.now, push.seq)
            .await?;
    }
    if push.key.kind == RepositoryKind::Lightsail {
        tx.put_container_push(repository.id, &push.digest, push.waits_until)
            .await?;
    }
    announce(tx, &repository, push, was, plan).await?;
    Ok(Pushed {
        digest: push.digest.clone(),
        media_type: push.manifest.media_type.clone(),
        subject: push
            .manifest
            .subject
            .as_ref()
            .map(|subject| subject.digest.clone()),
        was_there: is_active && plan == TagPlan::AlreadyThere,
    })
}

/// Tells of a push that changed something; one that restored an archived image as well.
async fn announce(
    tx: &mut dyn MetadataWrite,
    repository: &Repository,
    push: &Prepared,
    was: Option<ImageStatus>,
    plan: TagPlan,
) -> Result<(), StoreError> {
    let is_no_news = was == Some(ImageStatus::Active) && plan == TagPlan::AlreadyThere;
    if is_no_news || push.announcer.is_silent() {
        return Ok(());
    }
    let Some(image) = tx.image(repository.id, &push.digest).await? else {
        return Ok(());
    };
    let event = |action| ImageEvent::new(action, &image, push.tag.clone());
    let restored = ImageAction::UpdateStorageClass(StorageClass::Standard);
    let events = match was {
        None | Some(ImageStatus::Active) => vec![event(ImageAction::Push)],
        Some(ImageStatus::Archived | ImageStatus::Activating) => {
            vec![event(ImageAction::Push), event(restored)]
        }
    };
    push.announcer.announce(tx, repository, &events).await
}

/// Every blob and child must be in this repository; the subject need not (OCI distribution-spec,
/// "Pushing Manifests with Subject").
async fn check_references(
    tx: &mut dyn MetadataWrite,
    repository: RepositoryId,
    push: &Prepared,
) -> Result<(), Error> {
    let place = Place::from(&push.key);
    let mut missing = Vec::new();
    for blob in push.manifest.blobs() {
        match tx.blob_link(repository, &blob.digest).await? {
            Some(link) => check_size(blob, link.size_bytes)?,
            None if blob.is_foreign => {}
            None => missing.push(blob.digest.clone()),
        }
    }
    if !missing.is_empty() {
        return Err(Error::LayersNotFound {
            digests: missing,
            place,
        });
    }
    for child in push.manifest.children() {
        // An archived child cannot be pulled; pushed again it can (ecr.md 7.11).
        match tx.image(repository, &child.digest).await? {
            Some(image) if image.status == ImageStatus::Active => {
                check_size(child, image.manifest_size_bytes)?;
            }
            Some(_) | None => missing.push(child.digest.clone()),
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::ReferencedImagesNotFound {
            digests: missing,
            place,
        })
    }
}

/// Clients check what they are told: one that reads of another size does not take the thing.
fn check_size(named: &Descriptor, actual: u64) -> Result<(), Error> {
    if named.size_bytes == actual {
        return Ok(());
    }
    Err(Error::SizeMismatch {
        digest: named.digest.clone(),
        declared: named.size_bytes,
        actual,
    })
}

async fn insert(
    tx: &mut dyn MetadataWrite,
    repository: RepositoryId,
    push: &Prepared,
) -> Result<(), Error> {
    let manifest = &push.manifest;
    let mut size_bytes = manifest.image_size_bytes();
    if let Contents::Index { .. } = manifest.contents {
        for child in manifest.children() {
            let child = tx.image(repository, &child.digest).await?;
            size_bytes = size_bytes.max(child.map_or(0, |image| image.size_bytes));
        }
    }
    let edge = |blob: &Descriptor| BlobEdge {
        digest: blob.digest.clone(),
        media_type: blob.media_type.clone(),
    };
    let new = NewImage {
        image: Image {
            digest: push.digest.clone(),
            media_type: manifest.media_type.clone(),
            size_bytes,
            manifest_size_bytes: push.bytes.len() as u64,
            artifact_type: manifest.artifact_type().map(str::to_owned),
            subject: manifest
                .subject
                .as_ref()
                .map(|subject| subject.digest.clone()),
            pushed_at: push.now,
            push_seq: push.seq,
            status: ImageStatus::Active,
            last_pulled_at: None,
            archived_at: None,
            activated_at: None,
        },
        manifest: push.bytes.clone(),
        blobs: manifest.blobs().into_iter().map(edge).collect(),
        children: manifest
            .children()
            .into_iter()
            .map(|child| child.digest.clone())
            .collect(),
    };
    tx.insert_image(repository, &new).await?;
    Ok(())
}
