//! Policies, previews, runs, deleted images and events. (Being built.)

use async_trait::async_trait;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::*;

use crate::sql::{Sql, Tx};

fn not_built<T>() -> Result<T, StoreError> {
    Err(StoreError::Failed("not built".into()))
}

#[async_trait]
impl<S: Sql> ReadLifecycle for Tx<S> {
    async fn lifecycle_policy(
        &mut self,
        _repository: RepositoryId,
    ) -> Result<Option<StoredLifecyclePolicy>, StoreError> {
        not_built()
    }
    async fn lifecycle_due(
        &mut self,
        _now: Timestamp,
        _limit: usize,
    ) -> Result<Vec<Repository>, StoreError> {
        not_built()
    }
    async fn lifecycle_next_due(&mut self) -> Result<Option<Timestamp>, StoreError> {
        not_built()
    }
    async fn preview(
        &mut self,
        _repository: RepositoryId,
    ) -> Result<Option<StoredPreview>, StoreError> {
        not_built()
    }
    async fn previews_in_progress(&mut self, _limit: usize) -> Result<Vec<Repository>, StoreError> {
        not_built()
    }
    async fn preview_pages(
        &mut self,
        _preview_id: &str,
        _from: i64,
        _limit: usize,
    ) -> Result<Vec<StoredPage>, StoreError> {
        not_built()
    }
    async fn preview_page_at(
        &mut self,
        _preview_id: &str,
        _at: i64,
    ) -> Result<Option<StoredPage>, StoreError> {
        not_built()
    }
    async fn lifecycle_images(
        &mut self,
        _repository: RepositoryId,
        _after: Option<ImageNumber>,
        _limit: usize,
    ) -> Result<Vec<LifecycleImage>, StoreError> {
        not_built()
    }
    async fn lifecycle_image(
        &mut self,
        _repository: RepositoryId,
        _digest: &Digest,
    ) -> Result<Option<LifecycleImage>, StoreError> {
        not_built()
    }
    async fn index_members(
        &mut self,
        _repository: RepositoryId,
        _after: Option<&IndexMember>,
        _limit: usize,
    ) -> Result<Vec<IndexMember>, StoreError> {
        not_built()
    }
    async fn lifecycle_runs(
        &mut self,
        _repository: RepositoryId,
        _before: Option<i64>,
        _limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        not_built()
    }
    async fn run_pages(
        &mut self,
        _run: i64,
        _from: i64,
        _limit: usize,
    ) -> Result<Vec<StoredPage>, StoreError> {
        not_built()
    }
}

#[async_trait]
impl<S: Sql> WriteLifecycle for Tx<S> {
    async fn put_lifecycle_policy(
        &mut self,
        _repository: RepositoryId,
        _policy: &StoredLifecyclePolicy,
    ) -> Result<(), StoreError> {
        not_built()
    }
    async fn delete_lifecycle_policy(
        &mut self,
        _repository: RepositoryId,
    ) -> Result<(), StoreError> {
        not_built()
    }
    async fn lifecycle_evaluated(
        &mut self,
        _repository: RepositoryId,
        _policy_id: &str,
        _evaluated_at: Option<Timestamp>,
        _next_run_at: Timestamp,
    ) -> Result<(), StoreError> {
        not_built()
    }
    async fn put_preview(
        &mut self,
        _repository: RepositoryId,
        _preview: &StoredPreview,
    ) -> Result<(), StoreError> {
        not_built()
    }
    async fn put_preview_page(
        &mut self,
        _repository: RepositoryId,
        _preview_id: &str,
        _page: &StoredPage,
    ) -> Result<(), StoreError> {
        not_built()
    }
    async fn prune_preview_pages(
        &mut self,
        _repository: RepositoryId,
        _limit: usize,
    ) -> Result<bool, StoreError> {
        not_built()
    }
    async fn insert_run(
        &mut self,
        _repository: RepositoryId,
        _started_at: Timestamp,
        _text: &str,
    ) -> Result<i64, StoreError> {
        not_built()
    }
    async fn update_run(&mut self, _run: i64, _text: &str) -> Result<(), StoreError> {
        not_built()
    }
    async fn insert_run_page(
        &mut self,
        _repository: RepositoryId,
        _run: i64,
        _page: &StoredPage,
    ) -> Result<(), StoreError> {
        not_built()
    }
    async fn prune_runs(
        &mut self,
        _repository: RepositoryId,
        _keep: usize,
    ) -> Result<(), StoreError> {
        not_built()
    }
}

#[async_trait]
impl<S: Sql> ReadDeleted for Tx<S> {
    async fn deleted_images(
        &mut self,
        _repository: RepositoryId,
        _limit: usize,
    ) -> Result<Vec<DeletedImage>, StoreError> {
        not_built()
    }
    async fn deleted_image(
        &mut self,
        _repository: RepositoryId,
        _digest: &Digest,
    ) -> Result<Option<DeletedImage>, StoreError> {
        not_built()
    }
    async fn expired_deletions(
        &mut self,
        _now: Timestamp,
        _limit: usize,
    ) -> Result<Vec<DeletedImage>, StoreError> {
        not_built()
    }
    async fn deleted_repository(
        &mut self,
        _key: &RepositoryKey,
    ) -> Result<Option<Repository>, StoreError> {
        not_built()
    }
}

#[async_trait]
impl<S: Sql> WriteDeleted for Tx<S> {
    async fn restore_image(
        &mut self,
        _repository: RepositoryId,
        _number: ImageNumber,
        _activated_at: Timestamp,
    ) -> Result<bool, StoreError> {
        not_built()
    }
    async fn purge_deleted_image(
        &mut self,
        _repository: RepositoryId,
        _number: ImageNumber,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        not_built()
    }
    async fn restore_repository(&mut self, _repository: RepositoryId) -> Result<bool, StoreError> {
        not_built()
    }
}

#[async_trait]
impl<S: Sql> ReadEvents for Tx<S> {
    async fn events(
        &mut self,
        _destination: &str,
        _after: Option<i64>,
        _limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        not_built()
    }
    async fn event_destinations(&mut self) -> Result<Vec<String>, StoreError> {
        not_built()
    }
}

#[async_trait]
impl<S: Sql> WriteEvents for Tx<S> {
    async fn append_events(
        &mut self,
        _at: Timestamp,
        _events: &[NewEvent],
    ) -> Result<(), StoreError> {
        not_built()
    }
    async fn forget_events(&mut self, _seqs: &[i64]) -> Result<(), StoreError> {
        not_built()
    }
    async fn drop_events(
        &mut self,
        _destination: &str,
        _before: Timestamp,
        _limit: usize,
    ) -> Result<u64, StoreError> {
        not_built()
    }
}
