//! What the sweep looks at, and the list of bytes that wait to be removed.

use async_trait::async_trait;
use roadstead_domain::ids::BlobKey;
use roadstead_domain::time::Timestamp;
use roadstead_domain::upload::Upload;
use roadstead_store::metadata::{BlobLink, Garbage, ReadGarbage, StoreError};

use super::blobs::link_row;
use super::uploads::upload_row;
use crate::sql::{Param, Sql, Tx, limit, params};

#[async_trait]
impl<S: Sql> ReadGarbage for Tx<S> {
    async fn unreferenced_links(
        &mut self,
        before: Timestamp,
        limit_rows: usize,
    ) -> Result<Vec<BlobLink>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT blob_link.repository_id, blob_link.digest, blob_link.blob_key, \
                 blob.size_bytes, blob_link.media_type, blob_link.unreferenced_since \
                 FROM blob_link JOIN blob ON blob.key = blob_link.blob_key \
                 WHERE blob_link.unreferenced_since < ?1 \
                 ORDER BY blob_link.unreferenced_since, blob_link.repository_id, \
                 blob_link.digest LIMIT ?2",
                &[before.0.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(link_row).collect()
    }

    async fn expired_uploads(
        &mut self,
        now: Timestamp,
        limit_rows: usize,
    ) -> Result<Vec<Upload>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT id, repository_id, blob_key, received_bytes, parts, has_short_part, \
                 is_last_part_short, created_at, expires_at, hash_state FROM upload \
                 WHERE expires_at < ?1 ORDER BY expires_at, id LIMIT ?2",
                &[now.0.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(upload_row).collect()
    }

    async fn garbage(
        &mut self,
        after: Option<&BlobKey>,
        limit_rows: usize,
    ) -> Result<Vec<Garbage>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT key, size_bytes FROM garbage WHERE key > ?1 ORDER BY key LIMIT ?2",
                &[after.map_or("", BlobKey::as_str).into(), limit(limit_rows)],
            )
            .await?;
        let garbage = rows.iter().map(|row| {
            Ok(Garbage {
                key: row.blob_key(0)?,
                size_bytes: row.size(1)?,
            })
        });
        garbage.collect()
    }
}

impl<S: Sql> Tx<S> {
    /// Records bytes as garbage; a second time changes nothing. The bytes of a live blob are
    /// refused: a mistake there would lose an image.
    pub(super) async fn insert_garbage_row(
        &mut self,
        key: &str,
        size_bytes: i64,
    ) -> Result<(), StoreError> {
        let live = self
            .query_first("SELECT 1 FROM blob WHERE key = ?1", &params![key])
            .await?;
        if live.is_some() {
            return Err(StoreError::Failed(format!(
                "the bytes under {key} are in use and cannot be garbage"
            )));
        }
        self.0
            .execute(
                "INSERT INTO garbage (key, size_bytes) VALUES (?1, ?2) \
                 ON CONFLICT (key) DO NOTHING",
                &params![key, size_bytes],
            )
            .await?;
        Ok(())
    }

    pub(super) async fn delete_garbage_rows(&mut self, keys: &[BlobKey]) -> Result<(), StoreError> {
        let sets: Vec<Vec<Param<'_>>> = keys
            .iter()
            .map(|key| params![key.as_str()].to_vec())
            .collect();
        self.0
            .execute_each("DELETE FROM garbage WHERE key = ?1", &sets)
            .await
    }
}
