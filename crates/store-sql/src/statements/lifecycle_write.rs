//! Changes to lifecycle policies, their previews and runs.
//!
//! Kept here: `departures` moves with every change after which an image may compete no more for
//! the places of a count rule. Who calls [`Tx::depart`] knows that of its change.

use async_trait::async_trait;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{
    StoreError, StoredLifecyclePolicy, StoredPage, StoredPreview, WriteLifecycle,
};

use super::codes::preview_status_code;
use crate::sql::{Param, Sql, Tx, limit, params, size};

impl<S: Sql> Tx<S> {
    /// Counts a departure, if the repository has a policy.
    pub(super) async fn depart(&mut self, repository: RepositoryId) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE lifecycle_policy SET departures = departures + 1 \
                 WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        Ok(())
    }

    pub(super) async fn delete_policy_rows(
        &mut self,
        repository: RepositoryId,
    ) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM lifecycle_policy_text WHERE repository_id = ?1",
            "DELETE FROM lifecycle_policy WHERE repository_id = ?1",
        ] {
            self.0.execute(sql, &params![repository.0]).await?;
        }
        Ok(())
    }

    /// Pages of former previews on one side of the current one: (preview, page).
    async fn former_pages(
        &mut self,
        sql: &'static str,
        repository: RepositoryId,
        current: &str,
        rows: usize,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = self
            .0
            .query(sql, &[repository.0.into(), current.into(), limit(rows)])
            .await?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)))
            .collect()
    }
}

#[async_trait]
impl<S: Sql> WriteLifecycle for Tx<S> {
    async fn put_lifecycle_policy(
        &mut self,
        repository: RepositoryId,
        policy: &StoredLifecyclePolicy,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "INSERT INTO lifecycle_policy (repository_id, policy_id, put_at, evaluated_at, \
                 next_run_at, departures) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (repository_id) DO UPDATE SET policy_id = excluded.policy_id, \
                 put_at = excluded.put_at, evaluated_at = excluded.evaluated_at, \
                 next_run_at = excluded.next_run_at, departures = excluded.departures",
                &params![
                    repository.0,
                    policy.policy_id.as_str(),
                    policy.put_at.0,
                    policy.evaluated_at.map(|at| at.0),
                    policy.next_run_at.0,
                    policy.departures,
                ],
            )
            .await?;
        self.0
            .execute(
                "INSERT INTO lifecycle_policy_text (repository_id, text) VALUES (?1, ?2) \
                 ON CONFLICT (repository_id) DO UPDATE SET text = excluded.text",
                &params![repository.0, policy.text.as_str()],
            )
            .await?;
        Ok(())
    }

    async fn delete_lifecycle_policy(
        &mut self,
        repository: RepositoryId,
    ) -> Result<(), StoreError> {
        self.delete_policy_rows(repository).await
    }

    async fn lifecycle_evaluated(
        &mut self,
        repository: RepositoryId,
        policy_id: &str,
        evaluated_at: Option<Timestamp>,
        next_run_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE lifecycle_policy SET evaluated_at = ?3, next_run_at = ?4 \
                 WHERE repository_id = ?1 AND policy_id = ?2",
                &params![
                    repository.0,
                    policy_id,
                    evaluated_at.map(|at| at.0),
                    next_run_at.0,
                ],
            )
            .await?;
        Ok(())
    }

    async fn put_preview(
        &mut self,
        repository: RepositoryId,
        preview: &StoredPreview,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "INSERT INTO lifecycle_preview (repository_id, preview_id, status, started_at, \
                 completed_at, expiring, transitioning, text) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT (repository_id) DO UPDATE SET preview_id = excluded.preview_id, \
                 status = excluded.status, started_at = excluded.started_at, \
                 completed_at = excluded.completed_at, expiring = excluded.expiring, \
                 transitioning = excluded.transitioning, text = excluded.text",
                &[
                    repository.0.into(),
                    preview.preview_id.as_str().into(),
                    preview_status_code(preview.status).into(),
                    preview.started_at.0.into(),
                    preview.completed_at.map(|at| at.0).into(),
                    size(preview.expiring),
                    size(preview.transitioning),
                    preview.text.as_str().into(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn put_preview_page(
        &mut self,
        repository: RepositoryId,
        preview_id: &str,
        page: &StoredPage,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "INSERT INTO lifecycle_preview_page (preview_id, page, repository_id, starts_at, \
                 text) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (preview_id, page) DO UPDATE \
                 SET starts_at = excluded.starts_at, text = excluded.text",
                &params![
                    preview_id,
                    page.page,
                    repository.0,
                    page.starts_at,
                    page.text.as_str(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn prune_preview_pages(
        &mut self,
        repository: RepositoryId,
        limit_rows: usize,
    ) -> Result<bool, StoreError> {
        let row = self
            .query_first(
                "SELECT preview_id FROM lifecycle_preview WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        let current = row.as_ref().map_or(Ok(""), |row| row.text(0))?;
        // One more than may go, to know whether any are left.
        let wanted = limit_rows.saturating_add(1);
        let mut former = self
            .former_pages(
                "SELECT preview_id, page FROM lifecycle_preview_page \
                 WHERE repository_id = ?1 AND preview_id < ?2 LIMIT ?3",
                repository,
                current,
                wanted,
            )
            .await?;
        let later = self
            .former_pages(
                "SELECT preview_id, page FROM lifecycle_preview_page \
                 WHERE repository_id = ?1 AND preview_id > ?2 LIMIT ?3",
                repository,
                current,
                wanted - former.len(),
            )
            .await?;
        former.extend(later);
        let is_last_step = former.len() <= limit_rows;
        former.truncate(limit_rows);
        let sets: Vec<Vec<Param<'_>>> = former
            .iter()
            .map(|(preview, page)| params![preview.as_str(), *page].to_vec())
            .collect();
        self.0
            .execute_each(
                "DELETE FROM lifecycle_preview_page WHERE preview_id = ?1 AND page = ?2",
                &sets,
            )
            .await?;
        Ok(is_last_step)
    }

    async fn insert_run(
        &mut self,
        repository: RepositoryId,
        started_at: Timestamp,
        text: &str,
    ) -> Result<i64, StoreError> {
        let row = self
            .query_first(
                "INSERT INTO lifecycle_run (repository_id, started_at, text) \
                 VALUES (?1, ?2, ?3) RETURNING id",
                &params![repository.0, started_at.0, text],
            )
            .await?;
        row.map_or_else(
            || Err(StoreError::Failed("a run got no number".into())),
            |row| row.int(0),
        )
    }

    async fn update_run(&mut self, run: i64, text: &str) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE lifecycle_run SET text = ?2 WHERE id = ?1",
                &params![run, text],
            )
            .await?;
        Ok(())
    }

    async fn insert_run_page(
        &mut self,
        repository: RepositoryId,
        run: i64,
        page: &StoredPage,
    ) -> Result<(), StoreError> {
        let inserted = self
            .0
            .execute(
                "INSERT INTO lifecycle_run_page (run, page, starts_at, text) \
                 SELECT id, ?3, ?4, ?5 FROM lifecycle_run WHERE id = ?1 AND repository_id = ?2",
                &params![
                    run,
                    repository.0,
                    page.page,
                    page.starts_at,
                    page.text.as_str(),
                ],
            )
            .await?;
        if inserted == 0 {
            return Err(StoreError::Failed(format!(
                "repository {} has no run {run}",
                repository.0
            )));
        }
        Ok(())
    }

    async fn prune_runs(
        &mut self,
        repository: RepositoryId,
        keep: usize,
    ) -> Result<(), StoreError> {
        let row = self
            .query_first(
                "SELECT id FROM lifecycle_run WHERE repository_id = ?1 \
                 ORDER BY id DESC LIMIT 1 OFFSET ?2",
                &[repository.0.into(), limit(keep)],
            )
            .await?;
        let Some(row) = row else { return Ok(()) };
        let newest_to_go = row.int(0)?;
        for sql in [
            "DELETE FROM lifecycle_run_page WHERE run IN \
             (SELECT id FROM lifecycle_run WHERE repository_id = ?1 AND id <= ?2)",
            "DELETE FROM lifecycle_run WHERE repository_id = ?1 AND id <= ?2",
        ] {
            self.0
                .execute(sql, &params![repository.0, newest_to_go])
                .await?;
        }
        Ok(())
    }
}
