//! Statements about repositories and their resource tags.
//!
//! A deleted repository keeps its row, without its name, until `reap` has emptied it.

use async_trait::async_trait;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{
    NewRepository, Part, ReadRepositories, RegistryKey, Repository, StoreError, WriteRepositories,
};

use super::codes::{filters_text, kind_code, mode_code, region_text};
use crate::sql::{Param, Row, Sql, Tx, limit, params};

/// Reads id, key, time of creation, mutability and the flag of scanning.
pub(super) fn repository_row(row: &Row) -> Result<Repository, StoreError> {
    Ok(Repository {
        id: RepositoryId(row.int(0)?),
        key: row.repository_key(1)?,
        created_at: row.time(5)?,
        tag_mutability: row.tag_mutability(6)?,
        scan_on_push: row.flag(8)?,
    })
}

#[async_trait]
impl<S: Sql> ReadRepositories for Tx<S> {
    async fn repository(&mut self, key: &RepositoryKey) -> Result<Option<Repository>, StoreError> {
        let row = self
            .query_first(
                "SELECT id, kind, account, region, name, created_at, mutability_mode, \
                 exclusion_filters, scan_on_push FROM repository \
                 WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name = ?4 \
                 AND deleted_at IS NULL",
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

    async fn repositories(
        &mut self,
        registry: &RegistryKey,
        after: Option<&RepositoryName>,
        limit_rows: usize,
    ) -> Result<Vec<Repository>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT id, kind, account, region, name, created_at, mutability_mode, \
                 exclusion_filters, scan_on_push FROM repository \
                 WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name > ?4 \
                 AND deleted_at IS NULL ORDER BY name LIMIT ?5",
                &[
                    kind_code(registry.kind).into(),
                    registry.account.as_str().into(),
                    region_text(registry.region.as_ref()).into(),
                    after.map_or("", RepositoryName::as_str).into(),
                    limit(limit_rows),
                ],
            )
            .await?;
        rows.iter().map(repository_row).collect()
    }

    async fn resource_tags(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Vec<ResourceTag>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT key, value FROM resource_tag WHERE repository_id = ?1 ORDER BY key",
                &params![repository.0],
            )
            .await?;
        let tags = rows.iter().map(|row| {
            Ok(ResourceTag {
                key: row.text(0)?.into(),
                value: row.text(1)?.into(),
            })
        });
        tags.collect()
    }

    async fn repository_policy(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Option<String>, StoreError> {
        let row = self
            .query_first(
                "SELECT text FROM repository_policy WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        row.map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    async fn deleted_repositories(
        &mut self,
        before: Timestamp,
        limit_rows: usize,
    ) -> Result<Vec<RepositoryId>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT id FROM repository WHERE deleted_at <= ?1 \
                 ORDER BY deleted_at, id LIMIT ?2",
                &[before.0.into(), limit(limit_rows)],
            )
            .await?;
        rows.iter()
            .map(|row| row.int(0).map(RepositoryId))
            .collect()
    }
}

#[async_trait]
impl<S: Sql> WriteRepositories for Tx<S> {
    async fn insert_repository(
        &mut self,
        new: &NewRepository,
    ) -> Result<Option<RepositoryId>, StoreError> {
        let filters = filters_text(&new.tag_mutability);
        let row = self
            .query_first(
                "INSERT INTO repository (kind, account, region, name, created_at, \
                 mutability_mode, exclusion_filters, scan_on_push) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT (kind, account, region, name) WHERE deleted_at IS NULL DO NOTHING \
                 RETURNING id",
                &params![
                    kind_code(new.key.kind),
                    new.key.account.as_str(),
                    region_text(new.key.region.as_ref()),
                    new.key.name.as_str(),
                    new.created_at.0,
                    mode_code(new.tag_mutability.mode),
                    filters.as_str(),
                    new.scan_on_push,
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let id = RepositoryId(row.int(0)?);
        self.insert_resource_tags(id, &new.resource_tags).await?;
        Ok(Some(id))
    }

    async fn set_tag_mutability(
        &mut self,
        repository: RepositoryId,
        setting: &TagMutability,
    ) -> Result<(), StoreError> {
        self.0.changes(repository, Part::Itself);
        self.0
            .execute(
                "UPDATE repository SET mutability_mode = ?2, exclusion_filters = ?3 \
                 WHERE id = ?1",
                &params![
                    repository.0,
                    mode_code(setting.mode),
                    filters_text(setting).as_str(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn set_repository_policy(
        &mut self,
        repository: RepositoryId,
        text: Option<&str>,
    ) -> Result<(), StoreError> {
        self.0.changes(repository, Part::Itself);
        let sql = match text {
            Some(_) => {
                "INSERT INTO repository_policy (repository_id, text) VALUES (?1, ?2) \
                 ON CONFLICT (repository_id) DO UPDATE SET text = excluded.text"
            }
            None => "DELETE FROM repository_policy WHERE repository_id = ?1",
        };
        let whole = params![repository.0, text];
        let params = if text.is_some() {
            &whole[..]
        } else {
            &whole[..1]
        };
        self.0.execute(sql, params).await?;
        Ok(())
    }

    async fn delete_repository(
        &mut self,
        repository: RepositoryId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0.changes(repository, Part::Itself);
        self.0
            .execute(
                "UPDATE repository SET deleted_at = ?2 WHERE id = ?1 AND deleted_at IS NULL",
                &params![repository.0, now.0],
            )
            .await?;
        Ok(())
    }

    async fn reap_repository(
        &mut self,
        repository: RepositoryId,
        limit_rows: usize,
    ) -> Result<bool, StoreError> {
        self.0.changes(repository, Part::Itself);
        self.reap(repository, limit_rows).await
    }

    async fn set_resource_tags(
        &mut self,
        repository: RepositoryId,
        tags: &[ResourceTag],
    ) -> Result<(), StoreError> {
        self.0.changes(repository, Part::Itself);
        self.0
            .execute(
                "DELETE FROM resource_tag WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        self.insert_resource_tags(repository, tags).await
    }
}

impl<S: Sql> Tx<S> {
    async fn insert_resource_tags(
        &mut self,
        repository: RepositoryId,
        tags: &[ResourceTag],
    ) -> Result<(), StoreError> {
        let sets: Vec<Vec<Param<'_>>> = tags
            .iter()
            .map(|tag| params![repository.0, tag.key.as_str(), tag.value.as_str()].to_vec())
            .collect();
        self.0
            .execute_each(
                "INSERT INTO resource_tag (repository_id, key, value) VALUES (?1, ?2, ?3)",
                &sets,
            )
            .await
    }
}
