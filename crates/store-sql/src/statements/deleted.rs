//! Statements about images and repositories that were deleted and can be brought back.
//!
//! Kept here: a deleted image keeps its number and its edges to blobs, so that their links stay
//! referenced; nothing else about images can see it.

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{Malformed, RepositoryId};
use roadstead_domain::image::ImageStatus;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::reference::ImageTag;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{
    DeletedImage, ImageNumber, Part, ReadDeleted, ReadImages as _, Repository, StoreError,
    WriteDeleted,
};

use super::codes::{kind_code, list_text, parsed, region_text, status_code, text_list};
use super::images_read::image_row;
use super::repositories::repository_row;
use crate::sql::{Param, Row, Sql, Tx, limit, params};

/// The columns of a deleted image, in the order that [`deleted_row`] reads: first those of an
/// image.
macro_rules! select_deleted {
    ($rest:literal) => {
        concat!(
            "SELECT digest, media_type, size_bytes, manifest_size_bytes, artifact_type, subject, \
             pushed_at, push_seq, status, last_pulled_at, archived_at, activated_at, id, \
             repository_id, tags, children, deleted_at, kept_until FROM deleted_image ",
            $rest
        )
    };
}

fn deleted_row(row: &Row) -> Result<DeletedImage, StoreError> {
    Ok(DeletedImage {
        number: ImageNumber(row.int(12)?),
        repository: RepositoryId(row.int(13)?),
        image: image_row(row)?,
        tags: values(row.text(14)?, ImageTag::parse)?,
        children: values(row.text(15)?, Digest::parse)?,
        deleted_at: row.time(16)?,
        kept_until: row.time(17)?,
    })
}

/// The values of a column that lists them.
fn values<T>(
    list: &str,
    parse: impl Fn(&str) -> Result<T, Malformed>,
) -> Result<Vec<T>, StoreError> {
    let texts = text_list(list)?;
    texts.iter().map(|text| parsed(parse(text))).collect()
}

impl<S: Sql> Tx<S> {
    /// Copies an image that is about to go to the deleted ones.
    pub(super) async fn keep_deleted(
        &mut self,
        repository: RepositoryId,
        image_id: i64,
        digest: &Digest,
        now: Timestamp,
        kept_until: Timestamp,
    ) -> Result<(), StoreError> {
        let tags = self.tags_of(repository, digest).await?;
        let rows = self
            .0
            .query(
                "SELECT child FROM manifest_child WHERE image_id = ?1 ORDER BY child",
                &params![image_id],
            )
            .await?;
        let children = rows.iter().map(|row| row.text(0));
        let children = children.collect::<Result<Vec<_>, _>>()?;
        self.0
            .execute(
                "INSERT INTO deleted_image (id, repository_id, digest, media_type, size_bytes, \
                 manifest_size_bytes, artifact_type, subject, pushed_at, push_seq, status, \
                 last_pulled_at, archived_at, activated_at, deleted_at, kept_until, tags, \
                 children, manifest) \
                 SELECT image.id, image.repository_id, image.digest, image.media_type, \
                 image.size_bytes, image.manifest_size_bytes, image.artifact_type, \
                 image.subject, image.pushed_at, image.push_seq, image.status, \
                 image.last_pulled_at, image.archived_at, image.activated_at, ?2, ?3, ?4, ?5, \
                 manifest.bytes FROM image JOIN manifest ON manifest.image_id = image.id \
                 WHERE image.id = ?1",
                &params![
                    image_id,
                    now.0,
                    kept_until.0,
                    list_text(tags.iter().map(ImageTag::as_str)).as_str(),
                    list_text(children).as_str(),
                ],
            )
            .await?;
        Ok(())
    }

    /// Puts the rows of a deleted image back; false if its digest is taken.
    async fn insert_restored(
        &mut self,
        image_id: i64,
        activated_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let inserted = self
            .0
            .execute(
                "INSERT INTO image (id, repository_id, digest, media_type, size_bytes, \
                 manifest_size_bytes, artifact_type, subject, pushed_at, push_seq, status, \
                 is_tagged, last_pulled_at, archived_at, activated_at) \
                 SELECT id, repository_id, digest, media_type, size_bytes, manifest_size_bytes, \
                 artifact_type, subject, pushed_at, push_seq, status, 0, last_pulled_at, \
                 CASE WHEN status = ?3 THEN ?2 ELSE archived_at END, ?2 \
                 FROM deleted_image WHERE id = ?1 \
                 ON CONFLICT (repository_id, digest) DO NOTHING",
                &params![image_id, activated_at.0, status_code(ImageStatus::Archived)],
            )
            .await?;
        if inserted == 0 {
            return Ok(false);
        }
        self.0
            .execute(
                "INSERT INTO manifest (image_id, bytes) \
                 SELECT id, manifest FROM deleted_image WHERE id = ?1",
                &params![image_id],
            )
            .await?;
        Ok(true)
    }

    /// Removes a deleted image with its edges, without looking at links.
    pub(super) async fn delete_deleted_rows(&mut self, image_id: i64) -> Result<(), StoreError> {
        self.delete_edges(image_id).await?;
        self.0
            .execute(
                "DELETE FROM deleted_image WHERE id = ?1",
                &params![image_id],
            )
            .await?;
        Ok(())
    }
}

#[async_trait]
impl<S: Sql> ReadDeleted for Tx<S> {
    async fn deleted_images(
        &mut self,
        repository: RepositoryId,
        limit_rows: usize,
    ) -> Result<Vec<DeletedImage>, StoreError> {
        let rows = self
            .0
            .query(
                select_deleted!("WHERE repository_id = ?1 ORDER BY deleted_at DESC, id LIMIT ?2"),
                &[repository.0.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(deleted_row).collect()
    }

    async fn deleted_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<DeletedImage>, StoreError> {
        let row = self
            .query_first(
                select_deleted!(
                    "WHERE repository_id = ?1 AND digest = ?2 \
                     ORDER BY deleted_at DESC, id DESC LIMIT 1"
                ),
                &params![repository.0, digest.as_str()],
            )
            .await?;
        row.as_ref().map(deleted_row).transpose()
    }

    async fn expired_deletions(
        &mut self,
        now: Timestamp,
        limit_rows: usize,
    ) -> Result<Vec<DeletedImage>, StoreError> {
        let rows = self
            .0
            .query(
                select_deleted!("WHERE kept_until < ?1 ORDER BY kept_until, id LIMIT ?2"),
                &[now.0.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(deleted_row).collect()
    }

    async fn deleted_repository(
        &mut self,
        key: &RepositoryKey,
    ) -> Result<Option<Repository>, StoreError> {
        let row = self
            .query_first(
                "SELECT id, kind, account, region, name, created_at, mutability_mode, \
                 exclusion_filters, scan_on_push FROM repository \
                 WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name = ?4 \
                 AND deleted_at IS NOT NULL AND is_reaped = 0 \
                 ORDER BY deleted_at DESC, id DESC LIMIT 1",
                &params![
                    kind_code(key.kind),
                    key.account.as_str(),
                    region_text(key.region.as_ref()),
                    key.name.as_str(),
                ],
            )
            .await?;
        row.as_ref().map(repository_row).transpose()
    }
}

#[async_trait]
impl<S: Sql> WriteDeleted for Tx<S> {
    async fn restore_image(
        &mut self,
        repository: RepositoryId,
        number: ImageNumber,
        activated_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.0.changes(repository, Part::Contents);
        let row = self
            .query_first(
                "SELECT digest, children FROM deleted_image WHERE id = ?1 AND repository_id = ?2",
                &params![number.0, repository.0],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        if !self.insert_restored(number.0, activated_at).await? {
            return Ok(false);
        }
        let digest = row.digest(0)?;
        let children = text_list(row.text(1)?)?;
        let sets: Vec<Vec<Param<'_>>> = children
            .iter()
            .map(|child| params![number.0, child.as_str(), repository.0].to_vec())
            .collect();
        self.insert_children(&sets).await?;
        // The edges to blobs never went, so that its links are referenced as they were.
        self.0
            .execute(
                "DELETE FROM deleted_image WHERE id = ?1",
                &params![number.0],
            )
            .await?;
        self.arrived(repository, number.0, &digest, !children.is_empty())
            .await?;
        Ok(true)
    }

    async fn purge_deleted_image(
        &mut self,
        repository: RepositoryId,
        number: ImageNumber,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0.changes(repository, Part::Contents);
        let row = self
            .query_first(
                "SELECT id FROM deleted_image WHERE id = ?1 AND repository_id = ?2",
                &params![number.0, repository.0],
            )
            .await?;
        if row.is_none() {
            return Ok(());
        }
        self.release_links(repository, number.0, now).await?;
        self.delete_deleted_rows(number.0).await
    }

    async fn restore_repository(&mut self, repository: RepositoryId) -> Result<bool, StoreError> {
        self.0.changes(repository, Part::Itself);
        let restored = self
            .0
            .execute(
                "UPDATE repository SET deleted_at = NULL WHERE id = ?1 \
                 AND deleted_at IS NOT NULL AND is_reaped = 0 \
                 AND NOT EXISTS (SELECT 1 FROM repository live WHERE live.kind = repository.kind \
                 AND live.account = repository.account AND live.region = repository.region \
                 AND live.name = repository.name AND live.deleted_at IS NULL)",
                &params![repository.0],
            )
            .await?;
        Ok(restored > 0)
    }
}
