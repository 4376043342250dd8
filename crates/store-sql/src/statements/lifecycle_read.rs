//! Questions about lifecycle policies, their previews and runs.
//!
//! What is due is found by its time, and only in live repositories; pages by their numbers.

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{
    ImageNumber, IndexMember, LifecycleImage, ReadLifecycle, Repository, StoreError,
    StoredLifecyclePolicy, StoredPage, StoredPreview, StoredRun,
};

use super::repositories::repository_row;
use crate::sql::{Row, Sql, Tx, limit, params};

fn policy_row(row: &Row) -> Result<StoredLifecyclePolicy, StoreError> {
    Ok(StoredLifecyclePolicy {
        text: row.text(0)?.into(),
        policy_id: row.text(1)?.into(),
        put_at: row.time(2)?,
        evaluated_at: row.optional_time(3)?,
        next_run_at: row.time(4)?,
        departures: row.int(5)?,
    })
}

fn preview_row(row: &Row) -> Result<StoredPreview, StoreError> {
    Ok(StoredPreview {
        preview_id: row.text(0)?.into(),
        text: row.text(1)?.into(),
        status: row.preview_status(2)?,
        started_at: row.time(3)?,
        completed_at: row.optional_time(4)?,
        expiring: row.size(5)?,
        transitioning: row.size(6)?,
    })
}

fn page_row(row: &Row) -> Result<StoredPage, StoreError> {
    Ok(StoredPage {
        page: row.int(0)?,
        starts_at: row.int(1)?,
        text: row.text(2)?.into(),
    })
}

fn run_row(row: &Row) -> Result<StoredRun, StoreError> {
    Ok(StoredRun {
        run: row.int(0)?,
        started_at: row.time(1)?,
        text: row.text(2)?.into(),
    })
}

#[async_trait]
impl<S: Sql> ReadLifecycle for Tx<S> {
    async fn lifecycle_policy(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Option<StoredLifecyclePolicy>, StoreError> {
        let row = self
            .query_first(
                "SELECT text, policy_id, put_at, evaluated_at, next_run_at, departures \
                 FROM lifecycle_policy JOIN lifecycle_policy_text USING (repository_id) \
                 WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        row.as_ref().map(policy_row).transpose()
    }

    async fn lifecycle_due(
        &mut self,
        now: Timestamp,
        limit_rows: usize,
    ) -> Result<Vec<Repository>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT repository.id, repository.kind, repository.account, repository.region, \
                 repository.name, repository.created_at, repository.mutability_mode, \
                 repository.exclusion_filters, repository.scan_on_push \
                 FROM lifecycle_policy policy \
                 JOIN repository ON repository.id = policy.repository_id \
                 WHERE policy.next_run_at <= ?1 AND repository.deleted_at IS NULL \
                 ORDER BY policy.next_run_at, policy.repository_id LIMIT ?2",
                &[now.0.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(repository_row).collect()
    }

    async fn lifecycle_next_due(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let row = self
            .query_first(
                "SELECT policy.next_run_at FROM lifecycle_policy policy \
                 JOIN repository ON repository.id = policy.repository_id \
                 WHERE policy.next_run_at >= ?1 AND repository.deleted_at IS NULL \
                 ORDER BY policy.next_run_at, policy.repository_id LIMIT 1",
                &params![i64::MIN],
            )
            .await?;
        row.map(|row| row.time(0)).transpose()
    }

    async fn preview(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Option<StoredPreview>, StoreError> {
        let row = self
            .query_first(
                "SELECT preview_id, text, status, started_at, completed_at, expiring, \
                 transitioning FROM lifecycle_preview WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        row.as_ref().map(preview_row).transpose()
    }

    async fn previews_in_progress(
        &mut self,
        limit_rows: usize,
    ) -> Result<Vec<Repository>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT repository.id, repository.kind, repository.account, repository.region, \
                 repository.name, repository.created_at, repository.mutability_mode, \
                 repository.exclusion_filters, repository.scan_on_push \
                 FROM lifecycle_preview preview \
                 JOIN repository ON repository.id = preview.repository_id \
                 WHERE preview.status = 0 AND preview.started_at >= ?1 \
                 AND repository.deleted_at IS NULL \
                 ORDER BY preview.started_at, preview.repository_id LIMIT ?2",
                &[i64::MIN.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(repository_row).collect()
    }

    async fn preview_pages(
        &mut self,
        preview_id: &str,
        from: i64,
        limit_rows: usize,
    ) -> Result<Vec<StoredPage>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT page, starts_at, text FROM lifecycle_preview_page \
                 WHERE preview_id = ?1 AND page >= ?2 ORDER BY page LIMIT ?3",
                &[preview_id.into(), from.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(page_row).collect()
    }

    async fn preview_page_at(
        &mut self,
        preview_id: &str,
        at: i64,
    ) -> Result<Option<StoredPage>, StoreError> {
        let row = self
            .query_first(
                "SELECT page, starts_at, text FROM lifecycle_preview_page \
                 WHERE preview_id = ?1 AND starts_at <= ?2 \
                 ORDER BY starts_at DESC, page DESC LIMIT 1",
                &params![preview_id, at],
            )
            .await?;
        row.as_ref().map(page_row).transpose()
    }

    async fn lifecycle_images(
        &mut self,
        repository: RepositoryId,
        after: Option<ImageNumber>,
        limit_rows: usize,
    ) -> Result<Vec<LifecycleImage>, StoreError> {
        self.images_by_number(repository, after, limit_rows).await
    }

    async fn lifecycle_image(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<LifecycleImage>, StoreError> {
        self.image_with_number(repository, digest).await
    }

    async fn index_members(
        &mut self,
        repository: RepositoryId,
        after: Option<&IndexMember>,
        limit_rows: usize,
    ) -> Result<Vec<IndexMember>, StoreError> {
        self.members_by_child(repository, after, limit_rows).await
    }

    async fn lifecycle_runs(
        &mut self,
        repository: RepositoryId,
        before: Option<i64>,
        limit_rows: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT id, started_at, text FROM lifecycle_run \
                 WHERE repository_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
                &[
                    repository.0.into(),
                    before.unwrap_or(i64::MAX).into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        rows.iter().map(run_row).collect()
    }

    async fn run_pages(
        &mut self,
        run: i64,
        from: i64,
        limit_rows: usize,
    ) -> Result<Vec<StoredPage>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT page, starts_at, text FROM lifecycle_run_page \
                 WHERE run = ?1 AND page >= ?2 ORDER BY page LIMIT ?3",
                &[run.into(), from.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter().map(page_row).collect()
    }
}
