//! Changes to images and tags.
//!
//! Kept here: `image.is_tagged` says whether a tag points to the image, a link knows whether an
//! edge of its repository refers to it, and an image whose subject goes is an orphan until that
//! comes back.

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::image::ImageStatus;
use roadstead_domain::reference::ImageTag;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{NewImage, Part, StoreError, WriteImages};

use super::codes::status_code;
use crate::sql::{Param, Sql, Tx, params, size};

impl<S: Sql> Tx<S> {
    async fn image_id(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<i64>, StoreError> {
        let row = self
            .query_first(
                "SELECT id FROM image WHERE repository_id = ?1 AND digest = ?2",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        row.map(|row| row.int(0)).transpose()
    }

    async fn insert_image_row(
        &mut self,
        repository: RepositoryId,
        new: &NewImage,
    ) -> Result<Option<i64>, StoreError> {
        let image = &new.image;
        let row = self
            .query_first(
                "INSERT INTO image (repository_id, digest, media_type, size_bytes, \
                 manifest_size_bytes, artifact_type, subject, pushed_at, push_seq, status, \
                 is_tagged, last_pulled_at, archived_at, activated_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12, ?13) \
                 ON CONFLICT (repository_id, digest) DO NOTHING RETURNING id",
                &[
                    repository.0.into(),
                    image.digest.as_str().into(),
                    image.media_type.as_str().into(),
                    size(image.size_bytes),
                    size(image.manifest_size_bytes),
                    image.artifact_type.as_deref().into(),
                    image.subject.as_ref().map(Digest::as_str).into(),
                    image.pushed_at.0.into(),
                    image.push_seq.into(),
                    status_code(image.status).into(),
                    image.last_pulled_at.map(|at| at.0).into(),
                    image.archived_at.map(|at| at.0).into(),
                    image.activated_at.map(|at| at.0).into(),
                ],
            )
            .await?;
        row.map(|row| row.int(0)).transpose()
    }

    /// Stores the edges and marks the links that they name. A link that already says so is not
    /// written, so that pushes which share a layer do not meet there (F30).
    async fn insert_edges(
        &mut self,
        repository: RepositoryId,
        image_id: i64,
        new: &NewImage,
    ) -> Result<(), StoreError> {
        let children: Vec<Vec<Param<'_>>> = new
            .children
            .iter()
            .map(|child| params![image_id, child.as_str(), repository.0].to_vec())
            .collect();
        self.insert_children(&children).await?;
        let edges: Vec<Vec<Param<'_>>> = new
            .blobs
            .iter()
            .map(|edge| {
                let (digest, media_type) = (edge.digest.as_str(), edge.media_type.as_str());
                params![repository.0, digest, media_type, image_id].to_vec()
            })
            .collect();
        self.0
            .execute_each(
                "INSERT INTO blob_edge (repository_id, digest, media_type, image_id) \
                 VALUES (?1, ?2, ?3, ?4)",
                &edges,
            )
            .await?;
        let links: Vec<Vec<Param<'_>>> = edges.iter().map(|edge| edge[..3].to_vec()).collect();
        self.0
            .execute_each(
                "UPDATE blob_link SET unreferenced_since = NULL, media_type = ?3 \
                 WHERE repository_id = ?1 AND digest = ?2 \
                 AND (unreferenced_since IS NOT NULL OR media_type IS NULL OR media_type <> ?3)",
                &links,
            )
            .await
    }

    /// Stores edges from an index: sets of index, child and repository.
    pub(super) async fn insert_children(
        &mut self,
        sets: &[Vec<Param<'_>>],
    ) -> Result<(), StoreError> {
        self.0
            .execute_each(
                "INSERT INTO manifest_child (image_id, child, repository_id) VALUES (?1, ?2, ?3)",
                sets,
            )
            .await
    }

    /// An image is there, for the first time or again: those that refer to it are orphans no more,
    /// and like those that it lists they may compete no longer.
    pub(super) async fn arrived(
        &mut self,
        repository: RepositoryId,
        image_id: i64,
        digest: &Digest,
        has_children: bool,
    ) -> Result<(), StoreError> {
        let referrer = self
            .query_first(
                "SELECT 1 FROM image WHERE repository_id = ?1 AND subject = ?2 LIMIT 1",
                &params![repository.0, digest.as_str()],
            )
            .await?;
        let mut has_departure = referrer.is_some();
        if has_departure {
            self.0
                .execute(
                    "UPDATE image SET orphaned_at = NULL WHERE repository_id = ?1 \
                     AND subject = ?2 AND orphaned_at IS NOT NULL",
                    &params![repository.0, digest.as_str()],
                )
                .await?;
        } else if has_children {
            let child = self
                .query_first(
                    "SELECT 1 FROM manifest_child \
                     JOIN image ON image.repository_id = manifest_child.repository_id \
                     AND image.digest = manifest_child.child \
                     WHERE manifest_child.image_id = ?1 LIMIT 1",
                    &params![image_id],
                )
                .await?;
            has_departure = child.is_some();
        }
        if has_departure {
            self.depart(repository).await?;
        }
        Ok(())
    }

    /// The images that refer to one that goes are orphans.
    async fn orphan_referrers(
        &mut self,
        repository: RepositoryId,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE image SET orphaned_at = ?3 WHERE repository_id = ?1 AND subject = ?2",
                &params![repository.0, subject.as_str(), now.0],
            )
            .await?;
        Ok(())
    }

    /// The links that only this image, live or deleted, refers to become unreferenced.
    pub(super) async fn release_links(
        &mut self,
        repository: RepositoryId,
        image_id: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE blob_link SET unreferenced_since = ?3 WHERE repository_id = ?1 \
                 AND digest IN (SELECT digest FROM blob_edge WHERE image_id = ?2) \
                 AND NOT EXISTS (SELECT 1 FROM blob_edge other \
                 WHERE other.repository_id = ?1 AND other.digest = blob_link.digest \
                 AND other.image_id <> ?2)",
                &params![repository.0, image_id, now.0],
            )
            .await?;
        Ok(())
    }

    /// Removes the edges of an image, live or deleted, to blobs.
    pub(super) async fn delete_edges(&mut self, image_id: i64) -> Result<(), StoreError> {
        self.0
            .execute(
                "DELETE FROM blob_edge WHERE image_id = ?1",
                &params![image_id],
            )
            .await?;
        Ok(())
    }

    /// Removes an image with its tags, bytes and children, without its edges to blobs.
    pub(super) async fn delete_image_rows(&mut self, image_id: i64) -> Result<(), StoreError> {
        // To delete rows of these SQLite makes a table beside them, also where it finds none.
        for (any, sql) in [
            (
                "SELECT 1 FROM tag WHERE image_id = ?1 LIMIT 1",
                "DELETE FROM tag WHERE image_id = ?1",
            ),
            (
                "SELECT 1 FROM manifest_child WHERE image_id = ?1 LIMIT 1",
                "DELETE FROM manifest_child WHERE image_id = ?1",
            ),
        ] {
            if self.query_first(any, &params![image_id]).await?.is_some() {
                self.0.execute(sql, &params![image_id]).await?;
            }
        }
        for sql in [
            "DELETE FROM manifest WHERE image_id = ?1",
            "DELETE FROM image WHERE id = ?1",
        ] {
            self.0.execute(sql, &params![image_id]).await?;
        }
        Ok(())
    }

    /// Where a tag points: the image's id.
    async fn tag_target(
        &mut self,
        repository: RepositoryId,
        tag: &ImageTag,
    ) -> Result<Option<i64>, StoreError> {
        let row = self
            .query_first(
                "SELECT image_id FROM tag WHERE repository_id = ?1 AND tag = ?2",
                &params![repository.0, tag.as_str()],
            )
            .await?;
        row.map(|row| row.int(0)).transpose()
    }

    /// An image lost a tag: says so if that was its last.
    async fn clear_is_tagged(&mut self, image_id: i64) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE image SET is_tagged = 0 WHERE id = ?1 \
                 AND NOT EXISTS (SELECT 1 FROM tag WHERE image_id = ?1)",
                &params![image_id],
            )
            .await?;
        Ok(())
    }
}

#[async_trait]
impl<S: Sql> WriteImages for Tx<S> {
    async fn insert_image(
        &mut self,
        repository: RepositoryId,
        new: &NewImage,
    ) -> Result<bool, StoreError> {
        let Some(image_id) = self.insert_image_row(repository, new).await? else {
            return Ok(false);
        };
        self.0
            .execute(
                "INSERT INTO manifest (image_id, bytes) VALUES (?1, ?2)",
                &params![image_id, &new.manifest[..]],
            )
            .await?;
        self.insert_edges(repository, image_id, new).await?;
        let (digest, has_children) = (&new.image.digest, !new.children.is_empty());
        self.arrived(repository, image_id, digest, has_children)
            .await?;
        Ok(true)
    }

    async fn delete_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
        kept_until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.0.changes(repository, Part::Contents);
        let Some(image_id) = self.image_id(repository, digest).await? else {
            return Ok(());
        };
        if let Some(kept_until) = kept_until {
            self.keep_deleted(repository, image_id, digest, now, kept_until)
                .await?;
        } else {
            self.release_links(repository, image_id, now).await?;
            self.delete_edges(image_id).await?;
        }
        self.delete_image_rows(image_id).await?;
        self.orphan_referrers(repository, digest, now).await?;
        self.depart(repository).await
    }

    async fn replace_manifest(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let Some(image_id) = self.image_id(repository, digest).await? else {
            return Err(StoreError::Failed(format!("no image {digest}")));
        };
        self.0
            .execute(
                "INSERT INTO manifest (image_id, bytes) VALUES (?1, ?2) \
                 ON CONFLICT (image_id) DO UPDATE SET bytes = excluded.bytes",
                &params![image_id, bytes],
            )
            .await?;
        Ok(())
    }

    async fn put_tag(
        &mut self,
        repository: RepositoryId,
        tag: &ImageTag,
        digest: &Digest,
        tagged_at: Timestamp,
        seq: i64,
    ) -> Result<(), StoreError> {
        let Some(image_id) = self.image_id(repository, digest).await? else {
            return Err(StoreError::Failed(format!(
                "cannot tag {digest}: no such image"
            )));
        };
        let before = self.tag_target(repository, tag).await?;
        if before == Some(image_id) {
            return Ok(());
        }
        if before.is_some() {
            self.0.changes(repository, Part::Contents);
        }
        self.0
            .execute(
                "INSERT INTO tag (repository_id, tag, image_id, tagged_at, seq) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (repository_id, tag) DO UPDATE \
                 SET image_id = excluded.image_id, tagged_at = excluded.tagged_at, \
                 seq = excluded.seq",
                &params![repository.0, tag.as_str(), image_id, tagged_at.0, seq],
            )
            .await?;
        let first_tag_of = self
            .query_first(
                "UPDATE image SET is_tagged = 1 WHERE id = ?1 AND is_tagged = 0 \
                 RETURNING push_seq",
                &params![image_id],
            )
            .await?;
        // A push brings its image and its tag under one number: that image never was untagged.
        let mut has_departure = match first_tag_of {
            Some(row) => row.int(0)? != seq,
            None => false,
        };
        if let Some(left) = before {
            self.clear_is_tagged(left).await?;
            has_departure = true;
        }
        if has_departure {
            self.depart(repository).await?;
        }
        Ok(())
    }

    async fn delete_tag(
        &mut self,
        repository: RepositoryId,
        tag: &ImageTag,
    ) -> Result<(), StoreError> {
        self.0.changes(repository, Part::Contents);
        let Some(image_id) = self.tag_target(repository, tag).await? else {
            return Ok(());
        };
        self.0
            .execute(
                "DELETE FROM tag WHERE repository_id = ?1 AND tag = ?2",
                &params![repository.0, tag.as_str()],
            )
            .await?;
        self.clear_is_tagged(image_id).await?;
        self.depart(repository).await
    }

    async fn record_pull(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE image SET last_pulled_at = ?3 WHERE repository_id = ?1 AND digest = ?2 \
                 AND (last_pulled_at IS NULL OR last_pulled_at < ?3)",
                &params![repository.0, digest.as_str(), at.0],
            )
            .await?;
        Ok(())
    }

    async fn set_image_status(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        status: ImageStatus,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.0.changes(repository, Part::Contents);
        let sql = match status {
            ImageStatus::Active => {
                "UPDATE image SET status = ?3, activated_at = ?4 \
                 WHERE repository_id = ?1 AND digest = ?2"
            }
            ImageStatus::Archived => {
                "UPDATE image SET status = ?3, archived_at = ?4 \
                 WHERE repository_id = ?1 AND digest = ?2"
            }
            ImageStatus::Activating => {
                "UPDATE image SET status = ?3 WHERE repository_id = ?1 AND digest = ?2"
            }
        };
        let all: [Param<'_>; 4] = params![repository.0, digest.as_str(), status_code(status), at.0];
        let used = if status == ImageStatus::Activating {
            &all[..3]
        } else {
            &all[..]
        };
        if self.0.execute(sql, used).await? > 0 {
            self.depart(repository).await?;
        }
        Ok(())
    }
}
