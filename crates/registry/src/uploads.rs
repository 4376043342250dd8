//! Uploading blobs: one set of functions behind the ECR layer API and `/v2` (ecr.md 6.6, 9.5).
//!
//! Bytes go straight to a key that nothing else uses, hashed on the way. Finishing makes them
//! durable, then commits the row that names them; only then is the caller answered. The session
//! in memory is a writer with its running hash: losing it costs reading bytes again, no more.

mod mounting;
mod receiving;
mod sessions;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use roadstead_domain::digest::{Algorithm, Digest};
use roadstead_domain::ids::{BlobKey, UploadId};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Timestamp;
use roadstead_domain::upload::Upload;
use roadstead_store::metadata::{MetadataWrite, StoreError};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::loading;

use sessions::SessionGuard;
pub(crate) use sessions::Sessions;

/// Which side a request came from: the API has rules for parts that `/v2` has only when strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// The AWS JSON API.
    Api,
    /// The OCI distribution API.
    Oci,
}

/// Bytes on their way to an upload.
pub struct Part<S> {
    /// The side that they came by.
    pub plane: Plane,
    /// Where they start; wherever the upload ends if that is not said.
    pub first_byte: Option<u64>,
    /// The bytes, as they arrive.
    pub body: S,
}

/// The end of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// What the bytes are.
    pub digest: Digest,
    /// Whether the repository held them before.
    pub was_there: bool,
}

/// What the finishing transaction works on.
struct Finish {
    upload: Upload,
    digest: Digest,
    size_bytes: u64,
    place: Place,
    now: Timestamp,
}

/// The digests that a caller gives for a whole blob: one of them has to be right.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// What a refusal names.
    pub first: Digest,
    /// The others.
    pub others: Vec<Digest>,
}

impl From<Digest> for Claimed {
    fn from(first: Digest) -> Self {
        let others = Vec::new();
        Self { first, others }
    }
}

impl Registry {
    /// Opens an upload.
    pub async fn start_upload(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
    ) -> Result<UploadId, Error> {
        let id = UploadId::from_random(self.ids.bits());
        let blob = BlobKey::from_random(self.ids.bits());
        let (now, expires_at) = (context.now, context.now + self.rules.upload_expiry);
        let input = (key.into_inner(), id.clone(), blob.clone(), now, expires_at);
        self.metadata
            .write(input, |tx, (key, id, blob, now, expires_at)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    let upload = Upload {
                        id: id.clone(),
                        repository,
                        key: blob.clone(),
                        received_bytes: 0,
                        parts: 0,
                        has_short_part: false,
                        is_last_part_short: false,
                        created_at: *now,
                        expires_at: *expires_at,
                        hash_state: None,
                    };
                    Ok::<_, Error>(tx.insert_upload(&upload).await?)
                })
            })
            .await?;
        self.sessions.open(&id, &blob, now);
        Ok(id)
    }

    /// The state of an open upload. One whose time is over is not found, swept or not.
    pub async fn upload(
        &self,
        context: &RequestContext,
        key: &RepositoryKey,
        id: &str,
    ) -> Result<Upload, Error> {
        let not_found = || Error::UploadNotFound {
            id: id.into(),
            place: Place::from(key),
        };
        let upload = self
            .metadata
            .read((key.clone(), UploadId::parse(id).ok()), |tx, (key, id)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    match id {
                        Some(id) => Ok::<_, Error>(tx.upload(repository, id).await?),
                        None => Ok(None),
                    }
                })
            })
            .await?;
        upload
            .filter(|upload| upload.expires_at >= context.now)
            .ok_or_else(not_found)
    }

    /// Appends a part. A body that breaks off leaves what arrived.
    pub async fn append_upload<S>(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        id: &str,
        part: Part<S>,
    ) -> Result<Upload, Error>
    where
        S: Stream<Item = Result<Bytes, String>> + Send + Unpin,
    {
        let (mut session, mut upload) = self.claim(context, &key, id).await?;
        let outcome = self.receive(&mut session, &mut upload, &key, part).await?;
        self.save(&upload, &key).await?;
        outcome.map(|()| upload)
    }

    /// Ends an upload: appends the last part, if it holds anything, makes the bytes durable, checks them
    /// against `digest`, and links them to the repository. Bytes that do not match are garbage and
    /// the upload is over.
    pub async fn finish_upload<S>(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        id: &str,
        part: Part<S>,
        claimed: impl Into<Claimed>,
    ) -> Result<Finished, Error>
    where
        S: Stream<Item = Result<Bytes, String>> + Send + Unpin,
    {
        let claimed = claimed.into();
        let (mut session, mut upload) = self.claim(context, &key, id).await?;
        let (plane, first_byte) = (part.plane, part.first_byte);
        let mut body = std::pin::pin!(part.body.peekable());
        if body.as_mut().peek().await.is_some() || first_byte.is_some() {
            let part = Part {
                plane,
                first_byte,
                body,
            };
            let outcome = self.receive(&mut session, &mut upload, &key, part).await?;
            if outcome.is_err() {
                self.save(&upload, &key).await?;
            }
            outcome?;
        }
        let place = Place::from(&*key);
        let has_part_rules = plane == Plane::Api || self.rules.is_strict_ecr;
        if has_part_rules && upload.received_bytes == 0 {
            return Err(Error::EmptyUpload {
                id: upload.id,
                place,
            });
        }
        if has_part_rules && upload.has_short_part {
            return Err(Error::LayerPartTooSmall);
        }
        let sealed = self.seal(&mut session, &upload).await?;
        let digest = match self.matching(&upload, sealed.sha256, claimed).await? {
            Ok(digest) => digest,
            Err(invalid) => {
                self.discard(upload, sealed.size_bytes).await?;
                session.forget();
                return Err(invalid);
            }
        };
        let finish = Finish {
            upload,
            digest,
            size_bytes: sealed.size_bytes,
            place,
            now: self.clock.now(),
        };
        self.make_way(&finish.digest).await?;
        session.set_in_doubt(true);
        let finished = self
            .metadata
            .write(finish, |tx, finish| Box::pin(link(tx, finish)))
            .await;
        match &finished {
            Ok(_) => session.forget(),
            Err(_) => session.set_in_doubt(false),
        }
        finished
    }

    /// Which of the digests the sealed bytes have, whose SHA-256 is known.
    async fn matching(
        &self,
        upload: &Upload,
        mut sha256: Digest,
        claimed: Claimed,
    ) -> Result<Result<Digest, Error>, Error> {
        let Claimed { first, others } = claimed;
        let all = || std::iter::once(&first).chain(&others);
        let is_claimed = |computed: &Digest| all().any(|digest| digest == computed);
        if !is_claimed(&sha256) && upload.hash_state.is_some() {
            // A hash that went on from a stored state never refuses good bytes (F19).
            sha256 = self.blobs.digest(&upload.key, Algorithm::Sha256).await?;
        }
        if is_claimed(&sha256) {
            return Ok(Ok(sha256));
        }
        if all().all(|digest| digest.algorithm() == Algorithm::Sha256) {
            let (given, computed) = (first, sha256);
            return Ok(Err(Error::InvalidLayer { given, computed }));
        }
        let sha512 = self.blobs.digest(&upload.key, Algorithm::Sha512).await?;
        if is_claimed(&sha512) {
            return Ok(Ok(sha512));
        }
        let computed = match first.algorithm() {
            Algorithm::Sha256 => sha256,
            Algorithm::Sha512 => sha512,
        };
        let given = first;
        Ok(Err(Error::InvalidLayer { given, computed }))
    }

    /// Gives an upload up; its bytes become garbage.
    pub async fn cancel_upload(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        id: &str,
    ) -> Result<(), Error> {
        let (session, upload) = self.claim(context, &key, id).await?;
        let size_bytes = upload.received_bytes;
        self.discard(upload, size_bytes).await?;
        session.forget();
        Ok(())
    }

    /// Takes the one right to write to an upload and loads it.
    async fn claim(
        &self,
        context: &RequestContext,
        key: &RepositoryKey,
        id: &str,
    ) -> Result<(SessionGuard<'_>, Upload), Error> {
        let Ok(parsed) = UploadId::parse(id) else {
            return Err(match self.upload(context, key, id).await {
                Err(error) => error,
                Ok(upload) => Error::UploadBusy(upload.id),
            });
        };
        let blob = match self.sessions.key(&parsed) {
            Some(blob) => blob,
            None => self.upload(context, key, id).await?.key,
        };
        let Some(mut session) = self.sessions.claim(&parsed, &blob, context.now) else {
            // Only who may see the upload learns that it is busy.
            self.upload(context, key, id).await?;
            return Err(Error::UploadBusy(parsed));
        };
        // Read behind the claim: from here on the sweep leaves the key alone.
        let upload = self.upload(context, key, id).await?;
        if session.is_in_doubt() {
            // A commit whose client went away may still be in the queue, and these bytes be a
            // blob's in a moment. This write comes behind it and tells.
            self.save(&upload, key).await?;
            session.set_in_doubt(false);
        }
        Ok((session, upload))
    }

    /// Stores the progress of an upload: what is acknowledged survives this process.
    async fn save(&self, upload: &Upload, key: &RepositoryKey) -> Result<(), Error> {
        let is_open = self
            .metadata
            .write(upload.clone(), |tx, upload| {
                Box::pin(async move { Ok::<_, Error>(tx.update_upload(upload).await?) })
            })
            .await?;
        if is_open {
            return Ok(());
        }
        Err(Error::UploadNotFound {
            id: upload.id.to_string(),
            place: Place::from(key),
        })
    }

    /// Ends an upload and leaves its bytes to the sweep.
    async fn discard(&self, upload: Upload, size_bytes: u64) -> Result<bool, Error> {
        self.metadata
            .write((upload, size_bytes), |tx, (upload, size_bytes)| {
                Box::pin(give_up(tx, upload, *size_bytes))
            })
            .await
    }

    /// Gives an upload up if it is still expired at `now`: since it was listed, a request may have
    /// taken it up.
    pub(crate) async fn expire(&self, upload: Upload, now: Timestamp) -> Result<bool, Error> {
        self.metadata
            .write((upload, now), |tx, (upload, now)| {
                Box::pin(async move {
                    match tx.upload(upload.repository, &upload.id).await? {
                        Some(current) if current.expires_at < *now => {
                            give_up(tx, &current, current.received_bytes).await
                        }
                        _ => Ok(false),
                    }
                })
            })
            .await
    }
}

async fn give_up(
    tx: &mut dyn MetadataWrite,
    upload: &Upload,
    size_bytes: u64,
) -> Result<bool, Error> {
    let was_open = tx.delete_upload(&upload.id).await?;
    if was_open {
        tx.insert_garbage(&upload.key, size_bytes).await?;
    }
    Ok(was_open)
}

/// Links sealed bytes to their repository. If the registry holds the digest already, the older
/// bytes are kept and the new ones become garbage.
async fn link(tx: &mut dyn MetadataWrite, finish: &Finish) -> Result<Finished, Error> {
    let Finish {
        upload,
        digest,
        size_bytes,
        place,
        now,
    } = finish;
    if !tx.delete_upload(&upload.id).await? {
        return Err(Error::UploadNotFound {
            id: upload.id.to_string(),
            place: place.clone(),
        });
    }
    let present = tx.blob_link(upload.repository, digest).await?;
    let was_there = present.is_some();
    let older = match present {
        Some(link) => Some(link.key),
        None => tx.blob_with_digest(digest).await?.map(|(key, _)| key),
    };
    let key = match older {
        Some(older) => {
            tx.insert_garbage(&upload.key, *size_bytes).await?;
            older
        }
        None => record(tx, upload, digest, *size_bytes).await?,
    };
    tx.link_blob(upload.repository, digest, &key, *now).await?;
    Ok(Finished {
        digest: digest.clone(),
        was_there,
    })
}

async fn record(
    tx: &mut dyn MetadataWrite,
    upload: &Upload,
    digest: &Digest,
    size_bytes: u64,
) -> Result<BlobKey, StoreError> {
    tx.insert_blob(&upload.key, digest, size_bytes).await?;
    Ok(upload.key.clone())
}
