//! Reading manifests and blobs by the OCI names: the hot path of pulls.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::{ImageId, ImageStatus};
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::reference::{ImageTag, Reference};
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::blobs::{BlobError, SMALL_BYTES};
use roadstead_store::metadata::{MetadataRead, Part, StoreError};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::loading;
use crate::rot;

pub use roadstead_store::blobs::BlobBody;
pub use roadstead_store::metadata::BlobLink;

/// A manifest as it is pulled.
#[derive(Debug, Clone)]
pub struct PulledManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// The exact bytes.
    pub bytes: Bytes,
}

/// A blob as it is found.
#[derive(Debug, Clone)]
pub struct SeenBlob {
    /// The link to its bytes.
    pub link: BlobLink,
    /// Whether an image of the repository has it.
    pub is_in_image: bool,
}

impl SeenBlob {
    /// The link, for a caller who may push (`sees_unreferenced`) or may not: to the latter a blob
    /// that no image has is gone.
    pub fn link_for(self, sees_unreferenced: bool) -> Option<BlobLink> {
        (self.is_in_image || sees_unreferenced).then_some(self.link)
    }
}

impl Registry {
    /// The manifest that `reference` names. To take it is a pull, to look at it is not. Archived
    /// images cannot be pulled.
    pub async fn manifest(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        reference: Reference,
        is_taken: bool,
    ) -> Result<Arc<PulledManifest>, Error> {
        let key = key.into_inner();
        let known = self.known_repository(&key).await?;
        let Some(repository) = known.map(|known| known.id) else {
            return Err(Error::RepositoryNotFound(Place::from(&key)));
        };
        let named = (repository, reference);
        let pulled = match self.hot.manifest(&*self.metadata, &named) {
            Some(pulled) => pulled,
            None => self.load_manifest(key, &named).await?,
        };
        if is_taken {
            self.pull_times
                .note(repository, &pulled.digest, context.now);
        }
        Ok(pulled)
    }

    async fn load_manifest(
        &self,
        key: RepositoryKey,
        named: &(RepositoryId, Reference),
    ) -> Result<Arc<PulledManifest>, Error> {
        let epoch = self.metadata.epoch(named.0, Part::Contents);
        let (found, pulled) = self
            .metadata
            .read((key, named.1.clone()), |tx, (key, reference)| {
                Box::pin(async move { pull(tx, key, reference).await })
            })
            .await?;
        let pulled = Arc::new(pulled);
        if let Some(epoch) = epoch
            && found == named.0
        {
            self.hot.keep_manifest(named, epoch, &pulled);
        }
        Ok(pulled)
    }

    /// Tags of a repository in lexical order, after `after`.
    pub async fn tags(
        &self,
        key: Authorized<RepositoryKey>,
        after: Option<ImageTag>,
        limit: usize,
    ) -> Result<Vec<ImageTag>, Error> {
        self.metadata
            .read(
                (key.into_inner(), after, limit),
                |tx, (key, after, limit)| {
                    Box::pin(async move {
                        let repository = loading::repository(tx, key).await?;
                        Ok(tx.tags(repository.id, after.as_ref(), *limit).await?)
                    })
                },
            )
            .await
    }

    /// A blob of the repository, and whether an image has it: what none has is for pushers alone.
    pub async fn blob(
        &self,
        key: Authorized<RepositoryKey>,
        digest: Digest,
    ) -> Result<SeenBlob, Error> {
        let key = key.into_inner();
        let known = self.known_repository(&key).await?;
        let Some(repository) = known.map(|known| known.id) else {
            return Err(Error::RepositoryNotFound(Place::from(&key)));
        };
        let named = (repository, digest);
        if let Some(link) = self.hot.link(&*self.metadata, &named) {
            return Ok(SeenBlob {
                link: BlobLink::clone(&link),
                is_in_image: true,
            });
        }
        let place = Place::from(&key);
        let epoch = self.metadata.epoch(repository, Part::Contents);
        let seen = self
            .metadata
            .read((key, named.1.clone()), |tx, (key, digest)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    Ok::<_, Error>(seen(tx, repository, digest).await?)
                })
            })
            .await?;
        let Some(seen) = seen else {
            let digest = named.1.to_string();
            return Err(Error::LayerNotFound { digest, place });
        };
        if let Some(epoch) = epoch
            && seen.is_in_image
            && seen.link.repository == repository
        {
            let link = Arc::new(seen.link.clone());
            self.hot.keep_link(&named, epoch, &link);
        }
        Ok(seen)
    }

    /// Whether the bytes of a blob are there. Rows say what was stored; a disk may have lost it, and a
    /// pusher that is told "it exists" will not send it again.
    pub async fn is_blob_there(&self, link: &BlobLink) -> Result<bool, Error> {
        self.has_bytes(link).await
    }

    /// Renews the grace of an unreferenced blob (F02): a pusher that is told "it exists" will not
    /// send it again.
    pub async fn renew_blob(
        &self,
        context: &RequestContext,
        key: &RepositoryKey,
        link: BlobLink,
    ) -> Result<BlobLink, Error> {
        if !self.needs_touch(&link, context.now) {
            return Ok(link);
        }
        let digest = link.digest.clone();
        let touched = self
            .metadata
            .write(
                (link.repository, digest.clone(), context.now),
                |tx, (repository, digest, now)| {
                    Box::pin(async move {
                        tx.touch_link(*repository, digest, *now).await?;
                        Ok::<_, Error>(tx.blob_link(*repository, digest).await?)
                    })
                },
            )
            .await?;
        touched.ok_or_else(|| Error::LayerNotFound {
            digest: digest.to_string(),
            place: Place::from(key),
        })
    }

    /// Whether saying that a blob exists has to renew its grace first: it is unreferenced, and
    /// more than an eighth of its grace is over. So a client that is told "it exists" finds it for
    /// most of the grace to come, and asking often costs one commit in a while.
    pub(crate) fn needs_touch(&self, link: &BlobLink, now: Timestamp) -> bool {
        let recent = Span(self.rules.sweep_grace.0 / 8);
        link.unreferenced_since
            .is_some_and(|since| since + recent <= now)
    }

    /// Opens a part of a blob's bytes. Bytes that a sweep removed since the link was read are
    /// answered as not found, before any byte is sent (F48). So are bytes that have changed, or, if
    /// there are many of them, their stream ends in an error before the last of them (F43).
    pub async fn read_blob(
        &self,
        key: &RepositoryKey,
        link: &BlobLink,
        range: Range<u64>,
    ) -> Result<BlobBody, Error> {
        let not_found = || Error::LayerNotFound {
            digest: link.digest.to_string(),
            place: Place::from(key),
        };
        match self.open_blob(link, range).await {
            Ok(BlobBody::Stream(stream)) => Ok(BlobBody::Stream(self.watched(stream, link))),
            Ok(body @ (BlobBody::File { .. } | BlobBody::Bytes(_))) => Ok(body),
            Err(BlobError::NotFound(_)) => {
                rot::tell_missing(link);
                Err(not_found())
            }
            Err(BlobError::Rotten(_)) => {
                self.found_rotten(link).await;
                Err(not_found())
            }
            Err(error @ (BlobError::NoSpace | BlobError::Io(_))) => Err(error.into()),
        }
    }

    /// A small blob is read whole, so that the next reader finds it in memory.
    async fn open_blob(&self, link: &BlobLink, range: Range<u64>) -> Result<BlobBody, BlobError> {
        if link.size_bytes > SMALL_BYTES {
            return self.read_bytes(link, range).await;
        }
        let whole = match self.hot.small_blob(&link.key) {
            Some(whole) => whole,
            None => match self.read_bytes(link, 0..link.size_bytes).await? {
                BlobBody::Bytes(whole) => {
                    // Whatever is verified on reading: what is kept is right.
                    if Digest::of(link.digest.algorithm(), &whole) == link.digest {
                        self.hot.keep_small_blob(&link.key, &whole);
                    }
                    whole
                }
                BlobBody::File { .. } | BlobBody::Stream(_) => {
                    return self.read_bytes(link, range).await;
                }
            },
        };
        match whole.get(range.start as usize..range.end as usize) {
            Some(part) => Ok(BlobBody::Bytes(whole.slice_ref(part))),
            // Beyond its end: the store says so.
            None => self.read_bytes(link, range).await,
        }
    }

    async fn read_bytes(&self, link: &BlobLink, range: Range<u64>) -> Result<BlobBody, BlobError> {
        match self.expected(link) {
            Some(expected) => self.blobs.read_verified(&link.key, range, &expected).await,
            None => self.blobs.read(&link.key, range).await,
        }
    }
}

/// A blob of a repository, if it has it.
pub(crate) async fn seen(
    tx: &mut dyn MetadataRead,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<SeenBlob>, StoreError> {
    let Some(link) = tx.blob_link(repository, digest).await? else {
        return Ok(None);
    };
    let is_in_image = tx.is_in_image(repository, digest).await?;
    Ok(Some(SeenBlob { link, is_in_image }))
}

async fn pull(
    tx: &mut dyn MetadataRead,
    key: &RepositoryKey,
    reference: &Reference,
) -> Result<(RepositoryId, PulledManifest), Error> {
    let repository = loading::repository(tx, key).await?.id;
    let not_found = || {
        let id = match reference {
            Reference::Tag(tag) => ImageId::by_tag(tag),
            Reference::Digest(digest) => ImageId::by_digest(digest),
        };
        Error::ImageNotFound {
            id,
            place: Place::from(key),
        }
    };
    let digest = match reference {
        Reference::Digest(digest) => Some(digest.clone()),
        Reference::Tag(tag) => tx.tagged(repository, tag).await?,
    };
    let digest = digest.ok_or_else(not_found)?;
    let image = tx.image(repository, &digest).await?.ok_or_else(not_found)?;
    if image.status != ImageStatus::Active {
        return Err(Error::ImageArchived);
    }
    // What has changed is not there, for nobody.
    let bytes = rot::manifest(tx, repository, &digest).await?;
    let pulled = PulledManifest {
        digest,
        media_type: image.media_type,
        bytes: bytes.ok_or_else(not_found)?,
    };
    Ok((repository, pulled))
}
