//! Emptying deleted repositories, a bounded step at a time: images, live and deleted, then links,
//! then uploads, then what is known about the repository, then the row itself. The order is what
//! makes a step safe to stop after. From the first step on nobody can bring the repository back.

use roadstead_domain::ids::RepositoryId;
use roadstead_store::metadata::StoreError;

use crate::sql::{Sql, Tx, limit, params};

impl<S: Sql> Tx<S> {
    /// One step of at most `rows` images, links, uploads, pages and runs; true once the row is gone.
    pub(super) async fn reap(
        &mut self,
        repository: RepositoryId,
        rows: usize,
    ) -> Result<bool, StoreError> {
        let row = self
            .query_first(
                "SELECT deleted_at FROM repository WHERE id = ?1",
                &params![repository.0],
            )
            .await?;
        let Some(row) = row else { return Ok(true) };
        if row.optional_int(0)?.is_none() {
            return Err(StoreError::Failed(format!(
                "repository {} is not deleted and cannot be reaped",
                repository.0
            )));
        }
        self.0
            .execute(
                "UPDATE repository SET is_reaped = 1 WHERE id = ?1 AND is_reaped = 0",
                &params![repository.0],
            )
            .await?;
        let mut left = rows;
        left -= self.reap_images(repository, left).await?;
        left -= self.reap_deleted_images(repository, left).await?;
        left -= self.reap_links(repository, left).await?;
        left -= self.reap_uploads(repository, left).await?;
        left -= self.reap_preview_pages(repository, left).await?;
        left -= self.reap_run_pages(repository, left).await?;
        left -= self.reap_runs(repository, left).await?;
        if left == 0 {
            return Ok(false);
        }
        self.delete_policy_rows(repository).await?;
        self.delete_public_rows(repository).await?;
        for sql in [
            "DELETE FROM lifecycle_preview WHERE repository_id = ?1",
            "DELETE FROM repository_policy WHERE repository_id = ?1",
            "DELETE FROM resource_tag WHERE repository_id = ?1",
            "DELETE FROM repository WHERE id = ?1",
        ] {
            self.0.execute(sql, &params![repository.0]).await?;
        }
        Ok(true)
    }

    async fn reap_images(
        &mut self,
        repository: RepositoryId,
        rows: usize,
    ) -> Result<usize, StoreError> {
        let images = self
            .0
            .query(
                "SELECT id FROM image WHERE repository_id = ?1 LIMIT ?2",
                &[repository.0.into(), limit(rows)],
            )
            .await?;
        for image in &images {
            self.delete_edges(image.int(0)?).await?;
            self.delete_image_rows(image.int(0)?).await?;
        }
        Ok(images.len())
    }

    async fn reap_deleted_images(
        &mut self,
        repository: RepositoryId,
        rows: usize,
    ) -> Result<usize, StoreError> {
        let images = self
            .0
            .query(
                "SELECT id FROM deleted_image WHERE repository_id = ?1 LIMIT ?2",
                &[repository.0.into(), limit(rows)],
            )
            .await?;
        for image in &images {
            self.delete_deleted_rows(image.int(0)?).await?;
        }
        Ok(images.len())
    }

    async fn reap_links(
        &mut self,
        repository: RepositoryId,
        rows: usize,
    ) -> Result<usize, StoreError> {
        let links = self
            .0
            .query(
                "SELECT digest, blob_key FROM blob_link WHERE repository_id = ?1 LIMIT ?2",
                &[repository.0.into(), limit(rows)],
            )
            .await?;
        for link in &links {
            self.0
                .execute(
                    "DELETE FROM blob_link WHERE repository_id = ?1 AND digest = ?2",
                    &params![repository.0, link.text(0)?],
                )
                .await?;
            self.release_blob(link.text(1)?).await?;
        }
        Ok(links.len())
    }

    async fn reap_uploads(
        &mut self,
        repository: RepositoryId,
        rows: usize,
    ) -> Result<usize, StoreError> {
        let uploads = self
            .0
            .query(
                "SELECT id, blob_key, received_bytes FROM upload \
                 WHERE repository_id = ?1 LIMIT ?2",
                &[repository.0.into(), limit(rows)],
            )
            .await?;
        for upload in &uploads {
            self.0
                .execute(
                    "DELETE FROM upload WHERE id = ?1",
                    &params![upload.text(0)?],
                )
                .await?;
            self.insert_garbage_row(upload.text(1)?, upload.int(2)?)
                .await?;
        }
        Ok(uploads.len())
    }

    async fn reap_preview_pages(
        &mut self,
        repository: RepositoryId,
        rows: usize,
    ) -> Result<usize, StoreError> {
        let pages = self
            .0
            .query(
                "SELECT preview_id, page FROM lifecycle_preview_page \
                 WHERE repository_id = ?1 LIMIT ?2",
                &[repository.0.into(), limit(rows)],
            )
            .await?;
        for page in &pages {
            self.0
                .execute(
                    "DELETE FROM lifecycle_preview_page WHERE preview_id = ?1 AND page = ?2",
                    &params![page.text(0)?, page.int(1)?],
                )
                .await?;
        }
        Ok(pages.len())
    }

    async fn reap_run_pages(
        &mut self,
        repository: RepositoryId,
        rows: usize,
    ) -> Result<usize, StoreError> {
        let pages = self
            .0
            .query(
                "SELECT page.run, page.page FROM lifecycle_run run \
                 JOIN lifecycle_run_page page ON page.run = run.id \
                 WHERE run.repository_id = ?1 LIMIT ?2",
                &[repository.0.into(), limit(rows)],
            )
            .await?;
        for page in &pages {
            self.0
                .execute(
                    "DELETE FROM lifecycle_run_page WHERE run = ?1 AND page = ?2",
                    &params![page.int(0)?, page.int(1)?],
                )
                .await?;
        }
        Ok(pages.len())
    }

    async fn reap_runs(
        &mut self,
        repository: RepositoryId,
        rows: usize,
    ) -> Result<usize, StoreError> {
        let runs = self
            .0
            .query(
                "SELECT id FROM lifecycle_run WHERE repository_id = ?1 LIMIT ?2",
                &[repository.0.into(), limit(rows)],
            )
            .await?;
        for run in &runs {
            self.0
                .execute(
                    "DELETE FROM lifecycle_run WHERE id = ?1",
                    &params![run.int(0)?],
                )
                .await?;
        }
        Ok(runs.len())
    }
}
