//! Statements about open uploads. An upload is found only in its own repository.

use roadstead_domain::ids::{RepositoryId, UploadId};
use roadstead_domain::upload::{HashState, Upload};
use roadstead_store::metadata::StoreError;

use super::codes::parsed;
use crate::sql::{Row, Sql, Tx, params, size};

/// Reads id, repository, key, received bytes, parts, the two flags, the two times and the hash.
pub(super) fn upload_row(row: &Row) -> Result<Upload, StoreError> {
    Ok(Upload {
        id: parsed(UploadId::parse(row.text(0)?))?,
        repository: RepositoryId(row.int(1)?),
        key: row.blob_key(2)?,
        received_bytes: row.size(3)?,
        parts: row.size(4)?,
        has_short_part: row.flag(5)?,
        is_last_part_short: row.flag(6)?,
        created_at: row.time(7)?,
        expires_at: row.time(8)?,
        hash_state: row.optional_text(9)?.map(|text| HashState(text.into())),
    })
}

fn hash_text(upload: &Upload) -> Option<&str> {
    let state = upload.hash_state.as_ref();
    state.map(|HashState(text)| text.as_str())
}

impl<S: Sql> Tx<S> {
    pub(super) async fn select_upload(
        &mut self,
        repository: RepositoryId,
        id: &UploadId,
    ) -> Result<Option<Upload>, StoreError> {
        let row = self
            .query_first(
                "SELECT id, repository_id, blob_key, received_bytes, parts, has_short_part, \
                 is_last_part_short, created_at, expires_at, hash_state FROM upload \
                 WHERE id = ?1 AND repository_id = ?2",
                &params![id.as_str(), repository.0],
            )
            .await?;
        row.as_ref().map(upload_row).transpose()
    }

    pub(super) async fn insert_upload_row(&mut self, upload: &Upload) -> Result<(), StoreError> {
        self.0
            .execute(
                "INSERT INTO upload (id, repository_id, blob_key, received_bytes, parts, \
                 has_short_part, is_last_part_short, created_at, expires_at, hash_state) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                &[
                    upload.id.as_str().into(),
                    upload.repository.0.into(),
                    upload.key.as_str().into(),
                    size(upload.received_bytes),
                    size(upload.parts),
                    upload.has_short_part.into(),
                    upload.is_last_part_short.into(),
                    upload.created_at.0.into(),
                    upload.expires_at.0.into(),
                    hash_text(upload).into(),
                ],
            )
            .await?;
        Ok(())
    }

    /// Repository, key and time of opening never change.
    pub(super) async fn update_upload_row(&mut self, upload: &Upload) -> Result<bool, StoreError> {
        let updated = self
            .0
            .execute(
                "UPDATE upload SET received_bytes = ?2, parts = ?3, has_short_part = ?4, \
                 is_last_part_short = ?5, expires_at = ?6, hash_state = ?7 WHERE id = ?1",
                &[
                    upload.id.as_str().into(),
                    size(upload.received_bytes),
                    size(upload.parts),
                    upload.has_short_part.into(),
                    upload.is_last_part_short.into(),
                    upload.expires_at.0.into(),
                    hash_text(upload).into(),
                ],
            )
            .await?;
        Ok(updated > 0)
    }
}
