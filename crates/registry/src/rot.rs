//! Bytes that are not what they were (F43): looked at again, kept for inspection, never served.
//!
//! Here alone a blob becomes lost. Its row is marked first, then its bytes are moved aside: a stop
//! between the two leaves a lost blob whose bytes lie where they were, and never a blob that is said
//! to be there and is not, which would cost the next push its bytes. Nothing is deleted.

use std::sync::Arc;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::TryStreamExt as _;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{BlobKey, RepositoryId};
use roadstead_domain::time::Span;
use roadstead_store::blobs::{BlobError, BlobStore, Expected};
use roadstead_store::metadata::{BlobLink, MetadataRead, MetadataStore, StoreError};

use crate::Registry;
use crate::context::Clock;
use crate::error::Error;

/// When the bytes of a blob are hashed before they are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyReads {
    /// Never: clients find out.
    Off,
    /// When this process serves them for the first time, after any change of their file, when they
    /// have left the system's memory, and once a day.
    #[default]
    First,
    /// Each time they are served whole.
    Always,
}

/// How long bytes count as verified.
const VERIFIED_FOR: Span = Span::hours(24);

/// What a second look at bytes found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are right.
    Good,
    /// There are none.
    Missing,
    /// They are wrong: set aside.
    SetAside,
}

/// The hand that sets rotten blobs aside; it outlives the request that found one.
#[derive(Clone)]
pub(crate) struct Condemner {
    metadata: Arc<dyn MetadataStore>,
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
}

impl Condemner {
    /// Hashes the bytes again and sets them aside if they are wrong.
    pub(crate) async fn condemn(&self, key: &BlobKey, digest: &Digest) -> Result<Verdict, Error> {
        match self.blobs.digest(key, digest.algorithm()).await {
            Ok(found) if found == *digest => return Ok(Verdict::Good),
            Err(BlobError::NotFound(_)) => return Ok(Verdict::Missing),
            other => drop(other?),
        }
        tracing::error!(%key, %digest, "the bytes of a blob have changed: set aside, push it again");
        self.mark_lost(key).await?;
        Ok(match self.blobs.set_aside(key).await? {
            true => Verdict::SetAside,
            false => Verdict::Missing,
        })
    }

    /// From here on nobody is told that the blob is there.
    pub(crate) async fn mark_lost(&self, key: &BlobKey) -> Result<bool, Error> {
        let input = (key.clone(), self.clock.now());
        self.metadata
            .write(input, |tx, (key, now)| {
                Box::pin(async move { Ok::<_, Error>(tx.mark_blob_lost(key, *now).await?) })
            })
            .await
    }

    /// As [`Self::condemn`], for a caller that has an answer already.
    async fn condemn_quietly(&self, key: &BlobKey, digest: &Digest) {
        if let Err(error) = self.condemn(key, digest).await {
            tracing::error!(%key, %digest, %error, "a rotten blob that cannot be set aside");
        }
    }
}

impl Registry {
    pub(crate) fn condemner(&self) -> Condemner {
        Condemner {
            metadata: self.metadata.clone(),
            blobs: self.blobs.clone(),
            clock: self.clock.clone(),
        }
    }

    /// What a read of a blob counts on; none if nobody wants to know.
    pub(crate) fn expected(&self, link: &BlobLink) -> Option<Expected> {
        let now = self.clock.now();
        let verified_since = match self.rules.verify_reads {
            VerifyReads::Off => return None,
            VerifyReads::First => now - VERIFIED_FOR,
            // Later than any look so far.
            VerifyReads::Always => now + VERIFIED_FOR,
        };
        Some(Expected {
            digest: link.digest.clone(),
            size_bytes: link.size_bytes,
            verified_since,
            now,
        })
    }

    /// Sets a blob aside that a read found rotten.
    pub(crate) async fn found_rotten(&self, link: &BlobLink) {
        let condemner = self.condemner();
        condemner.condemn_quietly(&link.key, &link.digest).await;
    }

    /// Whether the bytes of a link are there, at their full length.
    pub(crate) async fn has_bytes(&self, link: &BlobLink) -> Result<bool, Error> {
        let are_there = self.blobs.size_bytes(&link.key).await? == Some(link.size_bytes);
        if !are_there {
            tell_missing(link);
        }
        Ok(are_there)
    }

    /// The bytes that rows name for a digest and that are not there, or not all: who pushes the same
    /// must not be told that they are.
    pub(crate) async fn missing_bytes(&self, digest: &Digest) -> Result<Option<BlobKey>, Error> {
        let named = self
            .metadata
            .read(digest.clone(), |tx, digest| {
                Box::pin(async move { Ok::<_, Error>(tx.blob_with_digest(digest).await?) })
            })
            .await?;
        let Some((key, size_bytes)) = named else {
            return Ok(None);
        };
        let is_whole = self.blobs.size_bytes(&key).await? == Some(size_bytes);
        Ok((!is_whole).then_some(key))
    }

    /// Makes way for bytes that were pushed and are sealed, where the older ones of their digest are
    /// not there.
    pub(crate) async fn make_way(&self, digest: &Digest) -> Result<(), Error> {
        if let Some(key) = self.missing_bytes(digest).await?
            && self.condemner().mark_lost(&key).await?
        {
            tracing::error!(%key, %digest, "the bytes of a blob are missing: a push replaces them");
        }
        Ok(())
    }

    /// A stream that sets its blob aside if it turns out to be rotten.
    pub(crate) fn watched(
        &self,
        stream: BoxStream<'static, Result<Bytes, BlobError>>,
        link: &BlobLink,
    ) -> BoxStream<'static, Result<Bytes, BlobError>> {
        let found = Arc::new((self.condemner(), link.key.clone(), link.digest.clone()));
        Box::pin(stream.or_else(move |error| {
            let found = found.clone();
            async move {
                let (condemner, key, digest) = &*found;
                if let BlobError::Rotten(_) = error {
                    condemner.condemn_quietly(key, digest).await;
                }
                Err(error)
            }
        }))
    }
}

/// A sweep may have been faster than whoever asks; often it is the disk that lost them.
pub(crate) fn tell_missing(link: &BlobLink) {
    let (key, digest) = (&link.key, &link.digest);
    tracing::warn!(%key, %digest, "the bytes of a blob are not there; `roadstead doctor` tells more");
}

/// The exact bytes of a manifest. Bytes that are not what they were are as good as gone: a push of
/// the image stores them again.
pub(crate) async fn manifest<R>(
    tx: &mut R,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<Bytes>, StoreError>
where
    R: MetadataRead + ?Sized,
{
    let Some(bytes) = tx.manifest(repository, digest).await? else {
        return Ok(None);
    };
    if Digest::of(digest.algorithm(), &bytes) == *digest {
        return Ok(Some(bytes));
    }
    tracing::error!(%digest, "the bytes of a manifest have changed: push it again");
    Ok(None)
}
