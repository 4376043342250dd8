//! The bytes of an upload on their way to the blob store.
//!
//! A long body leaves checkpoints: what arrived so far is made durable, and its length and the
//! state of its hash are stored together, so that a server that dies in the middle of a stream
//! keeps what came before, and hashes little of it again (F19). What a client was told is in the row.

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use roadstead_domain::limits::{LAYER_BYTES_MAX, LAYER_PARTS_MAX};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::upload::Upload;
use roadstead_store::blobs::{BlobError, BlobWriter, Sealed};

use super::sessions::SessionGuard;
use super::{Part, Plane};
use crate::Registry;
use crate::error::{Error, Place};

impl Registry {
    /// Writes a part. The inner result tells whether it came to its end; what arrived of one that
    /// did not is kept. An outer error keeps nothing.
    pub(super) async fn receive<S>(
        &self,
        session: &mut SessionGuard<'_>,
        upload: &mut Upload,
        key: &RepositoryKey,
        part: Part<S>,
    ) -> Result<Result<(), Error>, Error>
    where
        S: Stream<Item = Result<Bytes, String>> + Send + Unpin,
    {
        let told_bytes = upload.received_bytes;
        let mut writer = self.writer(session, upload).await?;
        if let Err(wrong) = upload.check_offset(part.first_byte.unwrap_or(told_bytes)) {
            session.put(writer);
            if upload.received_bytes < told_bytes {
                // The status has to say the same as this refusal.
                self.save(upload, key).await?;
            }
            let (first_byte, expected_byte) = (wrong.first_byte, wrong.expected_byte);
            let (id, place) = (upload.id.clone(), Place::from(key));
            return Err(Error::InvalidLayerPart {
                first_byte,
                expected_byte,
                id,
                place,
            });
        }
        if part.plane == Plane::Api && upload.parts >= LAYER_PARTS_MAX {
            session.put(writer);
            return Err(Error::LimitExceeded("parts per layer"));
        }
        let outcome = match self.pour(&mut *writer, upload, key, part.body).await {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.failed(session, upload, error).await),
        };
        let part_bytes = writer.size_bytes() - upload.received_bytes;
        // The body may have taken hours: what follows counts from its end.
        let expires_at = self.clock.now() + self.rules.upload_expiry;
        upload.advance(part_bytes, outcome.is_ok(), expires_at);
        session.put(writer);
        Ok(outcome)
    }

    /// Writes a body; the inner result tells whether it came to its end.
    async fn pour<S>(
        &self,
        writer: &mut dyn BlobWriter,
        upload: &mut Upload,
        key: &RepositoryKey,
        mut body: S,
    ) -> Result<Result<(), Error>, BlobError>
    where
        S: Stream<Item = Result<Bytes, String>> + Send + Unpin,
    {
        let mut outcome = Ok(());
        let mut checkpoints = self.checkpoints(writer);
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) if writer.size_bytes() + piece.len() as u64 > LAYER_BYTES_MAX => {
                    outcome = Err(Error::LimitExceeded("bytes per layer"));
                }
                Ok(piece) => writer.write(piece).await?,
                Err(reason) => outcome = Err(Error::BodyBrokeOff(reason)),
            }
            if outcome.is_ok() && self.checkpoints(writer) > checkpoints {
                checkpoints = self.checkpoints(writer);
                outcome = self.checkpoint(writer, upload, key).await?;
            }
            if outcome.is_err() {
                break;
            }
        }
        writer.flush().await?;
        Ok(outcome)
    }

    /// How many checkpoints an upload of this length has behind it.
    fn checkpoints(&self, writer: &dyn BlobWriter) -> u64 {
        writer.size_bytes() / self.rules.upload_checkpoint_bytes.max(1)
    }

    /// Makes what arrived durable and stores how far that is. The upload itself is as far as its
    /// last whole part: the part goes on.
    async fn checkpoint(
        &self,
        writer: &mut dyn BlobWriter,
        upload: &mut Upload,
        key: &RepositoryKey,
    ) -> Result<Result<(), Error>, BlobError> {
        let Some(state) = writer.checkpoint().await? else {
            return Ok(Ok(()));
        };
        upload.hash_state = Some(state);
        let so_far = Upload {
            received_bytes: writer.size_bytes(),
            expires_at: self.clock.now() + self.rules.upload_expiry,
            ..upload.clone()
        };
        Ok(self.save(&so_far, key).await)
    }

    /// The writer of an upload: the one in memory, or a new one over the bytes that are there.
    async fn writer(
        &self,
        session: &mut SessionGuard<'_>,
        upload: &mut Upload,
    ) -> Result<Box<dyn BlobWriter>, Error> {
        if let Some(writer) = session.take()
            && writer.size_bytes() == upload.received_bytes
        {
            return Ok(writer);
        }
        let (key, received_bytes) = (&upload.key, upload.received_bytes);
        let writer = match (session.take_fresh(), &upload.hash_state) {
            (true, _) => self.blobs.create(key).await?,
            (false, None) => self.blobs.resume(key, received_bytes).await?,
            (false, Some(state)) => {
                let resumed = self.blobs.resume_hashed(key, received_bytes, state);
                resumed.await?
            }
        };
        // A power cut may have taken bytes of a part that was not yet sealed.
        if writer.size_bytes() < upload.received_bytes {
            upload.received_bytes = writer.size_bytes();
            upload.hash_state = None;
        }
        Ok(writer)
    }

    pub(super) async fn seal(
        &self,
        session: &mut SessionGuard<'_>,
        upload: &Upload,
    ) -> Result<Sealed, Error> {
        let mut upload = upload.clone();
        let writer = self.writer(session, &mut upload).await?;
        match writer.seal().await {
            Ok(sealed) => Ok(sealed),
            Err(error) => Err(self.ruined(session, &upload, error).await),
        }
    }

    /// After a failed write the bytes are not to be trusted: the upload is over, unless the disk
    /// was merely full.
    async fn failed(&self, session: &SessionGuard<'_>, upload: &Upload, error: BlobError) -> Error {
        if let BlobError::NoSpace = error {
            session.drop_writer();
            return Error::NoSpace;
        }
        self.ruined(session, upload, error).await
    }

    /// After a failed sync, of a full disk too, nothing of the file can be trusted (F15).
    async fn ruined(&self, session: &SessionGuard<'_>, upload: &Upload, error: BlobError) -> Error {
        if let Err(second) = self.discard(upload.clone(), upload.received_bytes).await {
            tracing::error!(upload = %upload.id, error = %second, "could not give up a failed upload");
        }
        session.drop_writer();
        Error::from(error)
    }
}
