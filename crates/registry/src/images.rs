//! Reading images by the ECR names: get, describe, list, referrers (ecr.md 6.1 to 6.4).

use std::collections::BTreeMap;

use bytes::Bytes;
use roadstead_domain::deletion::{Loaded, LoadedImage, resolve};
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::{
    Image, ImageFailure, ImageFailureCode, ImageId, ImageSelector, ImageStatus,
};
use roadstead_domain::limits::{
    MANIFEST_BYTES_MAX, PAGE_DEFAULT, PAGE_MAX, REFERRERS_PAGE_DEFAULT, REFERRERS_PAGE_MAX,
};
use roadstead_domain::manifest::Manifest;
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::reference::ImageTag;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{ImageCursor, MetadataRead, StoreError};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::loading;
use crate::paging::{Page, PageRequest};
use crate::rot;

pub use roadstead_store::metadata::{ImageEntry, ImageFilter, ImageWithTags};

/// One image of BatchGetImage.
#[derive(Debug, Clone)]
pub struct GotImage {
    /// Its digest.
    pub digest: Digest,
    /// The tag, if it was asked for by tag.
    pub tag: Option<ImageTag>,
    /// The exact manifest bytes.
    pub manifest: Bytes,
    /// The media type.
    pub media_type: MediaType,
}

/// Most bytes of manifests in one answer of BatchGetImage; ours: eight of the longest.
const GOT_BYTES_MAX: usize = 8 * MANIFEST_BYTES_MAX;
/// Most bytes of manifests read for one page of referrers, unless the first one is longer; ours.
const REFERRERS_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// One referrer with what its manifest says of it.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// The image.
    pub image: Image,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Some of the referrers of a manifest.
#[derive(Debug, Clone)]
pub struct Referrers {
    /// By digest.
    pub entries: Vec<Referrer>,
    /// Whether others come after the last.
    pub has_more: bool,
}

impl Registry {
    /// The manifests that `ids` name; each entry fails by itself, but for manifests of more than
    /// 32 MiB together, which fail the call. Types not in `accepted` (if any are given) count as
    /// not found.
    pub async fn get_images(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        ids: Vec<ImageId>,
        accepted: Vec<String>,
    ) -> Result<(Vec<GotImage>, Vec<ImageFailure>), Error> {
        let (repository, got) = self
            .metadata
            .read(
                (key.into_inner(), ids, accepted),
                |tx, (key, ids, accepted)| {
                    Box::pin(async move {
                        let repository = loading::repository(tx, key).await?.id;
                        let (mut images, mut failures) = (Vec::new(), Vec::new());
                        let mut bytes = 0;
                        for id in ids {
                            match get_image(tx, repository, id, accepted).await? {
                                Ok(image) => {
                                    bytes += image.manifest.len();
                                    images.push(image);
                                }
                                Err(failure) => failures.push(failure),
                            }
                            if bytes > GOT_BYTES_MAX {
                                return Err(Error::LimitExceeded("bytes of manifests per answer"));
                            }
                        }
                        Ok::<_, Error>((repository, (images, failures)))
                    })
                },
            )
            .await?;
        for image in &got.0 {
            self.pull_times.note(repository, &image.digest, context.now);
        }
        Ok(got)
    }

    /// The images that `ids` name, each once, in the order of the request; one that is missing
    /// fails the whole call.
    pub async fn describe_images(
        &self,
        key: Authorized<RepositoryKey>,
        ids: Vec<ImageId>,
    ) -> Result<Vec<ImageWithTags>, Error> {
        self.metadata
            .read((key.into_inner(), ids), |tx, (key, ids)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    let mut described: Vec<ImageWithTags> = Vec::new();
                    for id in ids {
                        let digest = find(tx, repository, id)
                            .await?
                            .map_err(|failure| refuse(failure, key))?;
                        if described.iter().any(|other| other.image.digest == digest) {
                            continue;
                        }
                        if let Some(image) = tx.image(repository, &digest).await? {
                            let tags = tx.tags_of(repository, &digest).await?;
                            described.push(ImageWithTags { image, tags });
                        }
                    }
                    Ok(described)
                })
            })
            .await
    }

    /// All images, newest push first, in pages.
    pub async fn list_images(
        &self,
        key: Authorized<RepositoryKey>,
        filter: ImageFilter,
        request: &PageRequest,
    ) -> Result<Page<ImageWithTags>, Error> {
        let scope = format!("images {:?} {filter:?}", *key);
        let limit = request.limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
        let after = match &request.token {
            None => None,
            Some(token) => match self.open_cursor(&scope, token)?.as_slice() {
                [at, digest] => image_cursor(at, digest),
                _ => None,
            },
        };
        let entries = self
            .metadata
            .read(
                (key.into_inner(), filter, after, limit + 1),
                |tx, (key, filter, after, limit)| {
                    Box::pin(async move {
                        let repository = loading::repository(tx, key).await?.id;
                        let page = tx.images(repository, *filter, after.as_ref(), *limit);
                        Ok::<_, Error>(page.await?)
                    })
                },
            )
            .await?;
        let cursor = |last: &ImageWithTags| {
            vec![
                last.image.pushed_at.0.to_string(),
                last.image.digest.to_string(),
            ]
        };
        Ok(self.page(&scope, limit, entries, cursor))
    }

    /// All (digest, tag) pairs, in pages.
    pub async fn list_image_entries(
        &self,
        key: Authorized<RepositoryKey>,
        filter: ImageFilter,
        request: &PageRequest,
    ) -> Result<Page<ImageEntry>, Error> {
        let scope = format!("entries {:?} {filter:?}", *key);
        let limit = request.limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
        let after = match &request.token {
            None => None,
            Some(token) => image_entry(&self.open_cursor(&scope, token)?),
        };
        let entries = self
            .metadata
            .read(
                (key.into_inner(), filter, after, limit + 1),
                |tx, (key, filter, after, limit)| {
                    Box::pin(async move {
                        let repository = loading::repository(tx, key).await?.id;
                        Ok::<_, Error>(
                            tx.image_entries(repository, *filter, after.as_ref(), *limit)
                                .await?,
                        )
                    })
                },
            )
            .await?;
        let cursor = |last: &ImageEntry| {
            let tag = last.tag.as_ref().map(ToString::to_string);
            std::iter::once(last.digest.to_string())
                .chain(tag)
                .collect()
        };
        Ok(self.page(&scope, limit, entries, cursor))
    }

    /// The active referrers of a manifest, which need not exist, in pages.
    pub async fn list_referrers(
        &self,
        key: Authorized<RepositoryKey>,
        subject: Digest,
        artifact_types: Vec<String>,
        request: &PageRequest,
    ) -> Result<Page<Referrer>, Error> {
        let scope = format!("referrers {:?} {subject} {artifact_types:?}", *key);
        let limit = request
            .limit
            .unwrap_or(REFERRERS_PAGE_DEFAULT)
            .min(REFERRERS_PAGE_MAX);
        let after = match &request.token {
            None => None,
            Some(token) => self
                .open_cursor(&scope, token)?
                .first()
                .and_then(|text| Digest::parse(text).ok()),
        };
        let Referrers { entries, has_more } = self
            .referrers_after(key, subject, artifact_types, after, limit)
            .await?;
        let last = entries.last().filter(|_| has_more);
        let token = |last: &Referrer| self.seal_cursor(&scope, &[last.image.digest.to_string()]);
        Ok(Page {
            next_token: last.map(token),
            entries,
        })
    }

    /// At most `limit` active referrers whose digests come after `after`, fewer if their manifests
    /// are long.
    pub async fn referrers_after(
        &self,
        key: Authorized<RepositoryKey>,
        subject: Digest,
        artifact_types: Vec<String>,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Referrers, Error> {
        let input = (key.into_inner(), subject, artifact_types, after, limit);
        self.metadata
            .read(input, |tx, (key, subject, types, after, limit)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    let after = after.as_ref();
                    let found = tx
                        .referrers(repository, subject, types, after, *limit + 1)
                        .await?;
                    let (shown, all) = (fitting(&found, *limit), found.len());
                    let mut entries = Vec::with_capacity(shown);
                    for image in found.into_iter().take(shown) {
                        let bytes = rot::manifest(tx, repository, &image.digest).await?;
                        let bytes = bytes.unwrap_or_default();
                        let parsed = Manifest::parse(&bytes, Some(&image.media_type));
                        let annotations = parsed.map(|manifest| manifest.annotations);
                        let annotations = annotations.unwrap_or_default();
                        entries.push(Referrer { image, annotations });
                    }
                    let has_more = shown < all;
                    Ok(Referrers { entries, has_more })
                })
            })
            .await
    }
}

/// How many of the images have manifests that may be read together: at least one, so that every
/// page gets somewhere.
fn fitting(images: &[Image], limit: usize) -> usize {
    let mut bytes = 0;
    let fits = |image: &&Image| {
        let is_first = bytes == 0;
        bytes += image.manifest_size_bytes;
        is_first || bytes <= REFERRERS_BYTES_MAX
    };
    images.iter().take(limit).take_while(fits).count()
}

/// Finds the image that one entry names.
pub(crate) async fn find<R>(
    tx: &mut R,
    repository: RepositoryId,
    id: &ImageId,
) -> Result<Result<Digest, ImageFailure>, StoreError>
where
    R: MetadataRead + ?Sized,
{
    let mut loaded = Loaded::default();
    if let Ok(Some(selector)) = id.selector() {
        let mut named = Vec::new();
        if let ImageSelector::ByTag(tag) | ImageSelector::Both(_, tag) = &selector
            && let Some(digest) = tx.tagged(repository, tag).await?
        {
            loaded.tags.insert(tag.clone(), digest.clone());
            named.push(digest);
        }
        if let ImageSelector::ByDigest(digest) | ImageSelector::Both(digest, _) = selector {
            named.push(digest);
        }
        for digest in named {
            if tx.image(repository, &digest).await?.is_some() {
                loaded.images.insert(digest, LoadedImage::default());
            }
        }
    }
    Ok(match resolve(&loaded, id) {
        Ok(ImageSelector::ByDigest(digest) | ImageSelector::Both(digest, _)) => Ok(digest),
        Ok(ImageSelector::ByTag(_)) => Err(id.not_found()),
        Err(failure) => Err(failure),
    })
}

async fn get_image(
    tx: &mut dyn MetadataRead,
    repository: RepositoryId,
    id: &ImageId,
    accepted: &[String],
) -> Result<Result<GotImage, ImageFailure>, StoreError> {
    let digest = match find(tx, repository, id).await? {
        Ok(digest) => digest,
        Err(failure) => return Ok(Err(failure)),
    };
    let (image, bytes) = (
        tx.image(repository, &digest).await?,
        rot::manifest(tx, repository, &digest).await?,
    );
    let (Some(image), Some(manifest)) = (image, bytes) else {
        return Ok(Err(id.not_found()));
    };
    if image.status != ImageStatus::Active {
        let reason = "Requested image is archived".into();
        return Ok(Err(ImageFailure {
            id: id.clone(),
            code: ImageFailureCode::ImageInaccessible,
            reason,
        }));
    }
    if !accepted.is_empty()
        && !accepted
            .iter()
            .any(|accepted| accepted == image.media_type.as_str())
    {
        return Ok(Err(id.not_found()));
    }
    let tag = id.tag.as_deref().and_then(|tag| ImageTag::parse(tag).ok());
    Ok(Ok(GotImage {
        digest,
        tag,
        manifest,
        media_type: image.media_type,
    }))
}

/// A bad entry of a call that does not answer entries one by one (ecr.md 2.2, 6.2).
pub(crate) fn refuse(failure: ImageFailure, key: &RepositoryKey) -> Error {
    match failure.code {
        ImageFailureCode::MissingDigestAndTag
        | ImageFailureCode::InvalidImageDigest
        | ImageFailureCode::InvalidImageTag => Error::invalid("imageIds", failure.reason),
        ImageFailureCode::ImageTagDoesNotMatchDigest
        | ImageFailureCode::ImageNotFound
        | ImageFailureCode::ImageReferencedByManifestList
        | ImageFailureCode::ImageInaccessible => Error::ImageNotFound {
            id: failure.id,
            place: Place::from(key),
        },
    }
}

fn image_cursor(at: &str, digest: &str) -> Option<ImageCursor> {
    Some(ImageCursor {
        pushed_at: Timestamp(at.parse().ok()?),
        digest: Digest::parse(digest).ok()?,
    })
}

fn image_entry(cursor: &[String]) -> Option<ImageEntry> {
    let (digest, tag) = cursor.split_first()?;
    let tag = tag.first().and_then(|tag| ImageTag::parse(tag).ok());
    Some(ImageEntry {
        digest: Digest::parse(digest).ok()?,
        tag,
    })
}
