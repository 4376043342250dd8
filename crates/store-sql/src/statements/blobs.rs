//! Statements about blobs and the links by which repositories read them.
//!
//! Kept here: every blob has a link or becomes garbage in the same transaction, and a key is
//! never both a blob's and garbage.

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{BlobKey, RepositoryId, UploadId};
use roadstead_domain::media_type::MediaType;
use roadstead_domain::name::RepositoryName;
use roadstead_domain::time::Timestamp;
use roadstead_domain::upload::Upload;
use roadstead_store::metadata::{BlobLink, Part, ReadBlobs, RegistryKey, StoreError, WriteBlobs};

use super::codes::{kind_code, parsed, region_text};
use crate::sql::{Row, Sql, Tx, limit, params, size};

/// Reads repository, digest, key, size, media type and unreferenced_since.
pub(super) fn link_row(row: &Row) -> Result<BlobLink, StoreError> {
    Ok(BlobLink {
        repository: RepositoryId(row.int(0)?),
        digest: row.digest(1)?,
        key: row.blob_key(2)?,
        size_bytes: row.size(3)?,
        media_type: row.optional_text(4)?.map(MediaType::new),
        unreferenced_since: row.optional_time(5)?,
    })
}

impl<S: Sql> Tx<S> {
    /// Turns a blob that has no link left into garbage.
    pub(super) async fn release_blob(&mut self, key: &str) -> Result<(), StoreError> {
        let row = self
            .query_first(
                "DELETE FROM blob WHERE key = ?1 \
                 AND NOT EXISTS (SELECT 1 FROM blob_link WHERE blob_key = ?1) \
                 RETURNING size_bytes",
                &params![key],
            )
            .await?;
        match row {
            Some(row) => self.insert_garbage_row(key, row.int(0)?).await,
            None => Ok(()),
        }
    }

    /// What was read of every repository that has a link to these bytes is no longer right.
    async fn changes_holders(&mut self, key: &str) -> Result<(), StoreError> {
        let holders = self
            .0
            .query(
                "SELECT repository_id FROM blob_link WHERE blob_key = ?1",
                &params![key],
            )
            .await?;
        for row in &holders {
            self.0.changes(RepositoryId(row.int(0)?), Part::Contents);
        }
        Ok(())
    }

    /// Leads the links to lost bytes of a digest to new ones, and makes the lost ones garbage.
    async fn replace_lost(&mut self, key: &BlobKey, digest: &Digest) -> Result<(), StoreError> {
        let lost = self
            .0
            .query(
                "SELECT key FROM blob WHERE digest = ?1 AND lost_since IS NOT NULL",
                &params![digest.as_str()],
            )
            .await?;
        for row in &lost {
            let old = row.text(0)?;
            self.changes_holders(old).await?;
            self.0
                .execute(
                    "UPDATE blob_link SET blob_key = ?2 WHERE blob_key = ?1",
                    &params![old, key.as_str()],
                )
                .await?;
            self.release_blob(old).await?;
        }
        Ok(())
    }

    /// Makes a link; it is referenced from the start if an image names the blob already.
    async fn insert_link(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        key: &BlobKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let edge = self
            .query_first(
                "SELECT media_type FROM blob_edge WHERE repository_id = ?1 AND digest = ?2 \
                 ORDER BY image_id DESC LIMIT 1",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        let media_type = edge.as_ref().map(|edge| edge.text(0)).transpose()?;
        let unreferenced_since = edge.is_none().then_some(now.0);
        self.0
            .execute(
                "INSERT INTO blob_link (repository_id, digest, blob_key, media_type, \
                 unreferenced_since) VALUES (?1, ?2, ?3, ?4, ?5)",
                &params![
                    repository.0,
                    digest.as_str(),
                    key.as_str(),
                    media_type,
                    unreferenced_since,
                ],
            )
            .await?;
        Ok(())
    }
}

#[async_trait]
impl<S: Sql> ReadBlobs for Tx<S> {
    async fn blob_link(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<BlobLink>, StoreError> {
        let row = self
            .query_first(
                "SELECT blob_link.repository_id, blob_link.digest, blob_link.blob_key, \
                 blob.size_bytes, blob_link.media_type, blob_link.unreferenced_since \
                 FROM blob_link JOIN blob ON blob.key = blob_link.blob_key \
                 WHERE blob_link.repository_id = ?1 AND blob_link.digest = ?2 \
                 AND blob.lost_since IS NULL",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        row.as_ref().map(link_row).transpose()
    }

    async fn is_in_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        let row = self
            .query_first(
                "SELECT image.id FROM blob_edge JOIN image ON image.id = blob_edge.image_id \
                 WHERE blob_edge.repository_id = ?1 AND blob_edge.digest = ?2 LIMIT 1",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        Ok(row.is_some())
    }

    async fn blob_with_digest(
        &mut self,
        digest: &Digest,
    ) -> Result<Option<(BlobKey, u64)>, StoreError> {
        let row = self
            .query_first(
                "SELECT key, size_bytes FROM blob \
                 WHERE digest = ?1 AND lost_since IS NULL ORDER BY key LIMIT 1",
                &params![digest.as_str()],
            )
            .await?;
        row.map(|row| Ok((row.blob_key(0)?, row.size(1)?)))
            .transpose()
    }

    async fn holders_of_blob(
        &mut self,
        registry: &RegistryKey,
        digest: &Digest,
        limit_rows: usize,
    ) -> Result<Vec<RepositoryName>, StoreError> {
        // The plus keeps the search off the index of names, which is as long as the registry.
        let rows = self
            .0
            .query(
                "SELECT name FROM repository WHERE id IN (SELECT blob_link.repository_id \
                 FROM blob JOIN blob_link ON blob_link.blob_key = blob.key \
                 WHERE blob.digest = ?1 LIMIT 1000) \
                 AND +kind = ?2 AND account = ?3 AND region = ?4 AND deleted_at IS NULL LIMIT ?5",
                &[
                    digest.as_str().into(),
                    kind_code(registry.kind).into(),
                    registry.account.as_str().into(),
                    region_text(registry.region.as_ref()).into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        rows.iter()
            .map(|row| parsed(RepositoryName::parse(row.text(0)?)))
            .collect()
    }

    async fn upload(
        &mut self,
        repository: RepositoryId,
        id: &UploadId,
    ) -> Result<Option<Upload>, StoreError> {
        self.select_upload(repository, id).await
    }
}

#[async_trait]
impl<S: Sql> WriteBlobs for Tx<S> {
    async fn insert_blob(
        &mut self,
        key: &BlobKey,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "INSERT INTO blob (key, digest, size_bytes) VALUES (?1, ?2, ?3)",
                &[
                    key.as_str().into(),
                    digest.as_str().into(),
                    size(size_bytes),
                ],
            )
            .await?;
        self.replace_lost(key, digest).await
    }

    async fn mark_blob_lost(&mut self, key: &BlobKey, now: Timestamp) -> Result<bool, StoreError> {
        let marked = self
            .0
            .execute(
                "UPDATE blob SET lost_since = ?2 WHERE key = ?1 AND lost_since IS NULL",
                &params![key.as_str(), now.0],
            )
            .await?;
        self.changes_holders(key.as_str()).await?;
        Ok(marked > 0)
    }

    async fn mark_blob_found(&mut self, key: &BlobKey) -> Result<bool, StoreError> {
        let marked = self
            .0
            .execute(
                "UPDATE blob SET lost_since = NULL WHERE key = ?1 AND lost_since IS NOT NULL",
                &params![key.as_str()],
            )
            .await?;
        Ok(marked > 0)
    }

    async fn link_blob(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        key: &BlobKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let existing = self
            .query_first(
                "SELECT blob_key FROM blob_link WHERE repository_id = ?1 AND digest = ?2",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        if existing.is_none() {
            return self.insert_link(repository, digest, key, now).await;
        }
        self.touch_link(repository, digest, now).await?;
        self.release_blob(key.as_str()).await
    }

    async fn touch_link(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE blob_link SET unreferenced_since = ?3 \
                 WHERE repository_id = ?1 AND digest = ?2 AND unreferenced_since < ?3",
                &params![repository.0, digest.as_str(), now.0],
            )
            .await?;
        Ok(())
    }

    async fn unlink_blob(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        self.0.changes(repository, Part::Contents);
        let row = self
            .query_first(
                "DELETE FROM blob_link WHERE repository_id = ?1 AND digest = ?2 \
                 AND unreferenced_since < ?3 RETURNING blob_key",
                &params![repository.0, digest.as_str(), before.0],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        self.release_blob(row.text(0)?).await?;
        Ok(true)
    }

    async fn insert_upload(&mut self, upload: &Upload) -> Result<(), StoreError> {
        self.insert_upload_row(upload).await
    }

    async fn update_upload(&mut self, upload: &Upload) -> Result<bool, StoreError> {
        self.update_upload_row(upload).await
    }

    async fn delete_upload(&mut self, id: &UploadId) -> Result<bool, StoreError> {
        let deleted = self
            .0
            .execute("DELETE FROM upload WHERE id = ?1", &params![id.as_str()])
            .await?;
        Ok(deleted > 0)
    }

    async fn insert_garbage(&mut self, key: &BlobKey, size_bytes: u64) -> Result<(), StoreError> {
        self.insert_garbage_row(key.as_str(), i64::try_from(size_bytes).unwrap_or(i64::MAX))
            .await
    }

    async fn delete_garbage(&mut self, keys: &[BlobKey]) -> Result<(), StoreError> {
        self.delete_garbage_rows(keys).await
    }
}
