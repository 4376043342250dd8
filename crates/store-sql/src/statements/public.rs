//! Statements about public registries, their aliases, catalog data and logos.

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::public::alias::{Alias, RegistryAlias};
use roadstead_domain::public::catalog_data::CatalogData;
use roadstead_domain::public::logo::LogoId;
use roadstead_store::metadata::{PublicRegistry, ReadPublic, StoreError, WritePublic};

use super::codes::{list_text, parsed, text_list};
use crate::sql::{Row, Sql, Tx, params};

fn alias_row(row: &Row) -> Result<Alias, StoreError> {
    Ok(Alias {
        name: parsed(RegistryAlias::parse(row.text(0)?))?,
        is_primary: row.flag(1)?,
        is_default: row.flag(2)?,
    })
}

fn catalog_row(row: &Row, logo: Option<LogoId>) -> Result<CatalogData, StoreError> {
    Ok(CatalogData {
        description: row.optional_text(0)?.map(str::to_owned),
        architectures: text_list(row.text(1)?)?,
        operating_systems: text_list(row.text(2)?)?,
        about_text: row.optional_text(3)?.map(str::to_owned),
        usage_text: row.optional_text(4)?.map(str::to_owned),
        logo,
    })
}

#[async_trait]
impl<S: Sql> ReadPublic for Tx<S> {
    async fn public_registry(
        &mut self,
        account: &AccountId,
    ) -> Result<Option<PublicRegistry>, StoreError> {
        let row = self
            .query_first(
                "SELECT id, display_name FROM public_registry WHERE account = ?1",
                &params![account.as_str()],
            )
            .await?;
        row.map(|row| {
            Ok(PublicRegistry {
                account: account.clone(),
                id: row.text(0)?.to_owned(),
                display_name: row.optional_text(1)?.map(str::to_owned),
            })
        })
        .transpose()
    }

    async fn aliases(&mut self, account: &AccountId) -> Result<Vec<Alias>, StoreError> {
        let rows = self
            .0
            .query(
                "SELECT name, is_primary, is_default FROM registry_alias \
                 WHERE account = ?1 ORDER BY name",
                &params![account.as_str()],
            )
            .await?;
        rows.iter().map(alias_row).collect()
    }

    async fn alias_owner(&mut self, name: &RegistryAlias) -> Result<Option<AccountId>, StoreError> {
        let row = self
            .query_first(
                "SELECT account FROM registry_alias WHERE name = ?1",
                &params![name.as_str()],
            )
            .await?;
        row.map(|row| row.account(0)).transpose()
    }

    async fn catalog_data(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Option<CatalogData>, StoreError> {
        let logo = self
            .query_first(
                "SELECT id FROM logo WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        let logo = logo.map(|row| parsed(LogoId::parse(row.text(0)?)));
        let logo = logo.transpose()?;
        let row = self
            .query_first(
                "SELECT description, architectures, operating_systems, about_text, usage_text \
                 FROM catalog_data WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        row.map(|row| catalog_row(&row, logo)).transpose()
    }

    async fn logo(&mut self, registry: &str, id: &LogoId) -> Result<Option<Bytes>, StoreError> {
        let row = self
            .query_first(
                "SELECT logo.bytes FROM logo \
                 JOIN repository ON repository.id = logo.repository_id \
                 JOIN public_registry ON public_registry.account = repository.account \
                 WHERE logo.id = ?1 AND public_registry.id = ?2 \
                 AND repository.deleted_at IS NULL",
                &params![id.as_str(), registry],
            )
            .await?;
        row.map(|mut row| row.take_bytes(0).map(Bytes::from))
            .transpose()
    }
}

#[async_trait]
impl<S: Sql> WritePublic for Tx<S> {
    async fn insert_public_registry(&mut self, new: &PublicRegistry) -> Result<bool, StoreError> {
        let changed = self
            .0
            .execute(
                "INSERT INTO public_registry (account, id, display_name) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (account) DO NOTHING",
                &params![
                    new.account.as_str(),
                    new.id.as_str(),
                    new.display_name.as_deref(),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn set_display_name(
        &mut self,
        account: &AccountId,
        display_name: Option<&str>,
    ) -> Result<(), StoreError> {
        self.0
            .execute(
                "UPDATE public_registry SET display_name = ?2 WHERE account = ?1",
                &params![account.as_str(), display_name],
            )
            .await?;
        Ok(())
    }

    async fn insert_alias(&mut self, account: &AccountId, new: &Alias) -> Result<bool, StoreError> {
        let changed = self
            .0
            .execute(
                "INSERT INTO registry_alias (name, account, is_primary, is_default) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING",
                &params![
                    new.name.as_str(),
                    account.as_str(),
                    new.is_primary,
                    new.is_default,
                ],
            )
            .await?;
        if changed > 0 && new.is_primary {
            self.0
                .execute(
                    "UPDATE registry_alias SET is_primary = 0 WHERE account = ?1 AND name <> ?2",
                    &params![account.as_str(), new.name.as_str()],
                )
                .await?;
        }
        Ok(changed > 0)
    }

    async fn set_catalog_data(
        &mut self,
        repository: RepositoryId,
        data: &CatalogData,
    ) -> Result<(), StoreError> {
        let architectures = list_text(data.architectures.iter().map(String::as_str));
        let systems = list_text(data.operating_systems.iter().map(String::as_str));
        self.0
            .execute(
                "INSERT INTO catalog_data (repository_id, description, architectures, \
                 operating_systems, about_text, usage_text) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (repository_id) DO UPDATE SET \
                 description = excluded.description, architectures = excluded.architectures, \
                 operating_systems = excluded.operating_systems, \
                 about_text = excluded.about_text, usage_text = excluded.usage_text",
                &params![
                    repository.0,
                    data.description.as_deref(),
                    architectures.as_str(),
                    systems.as_str(),
                    data.about_text.as_deref(),
                    data.usage_text.as_deref(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn set_logo(
        &mut self,
        repository: RepositoryId,
        logo: Option<(&LogoId, &[u8])>,
    ) -> Result<(), StoreError> {
        let Some((id, bytes)) = logo else {
            return self.delete_logo_row(repository).await;
        };
        self.0
            .execute(
                "INSERT INTO logo (repository_id, id, bytes) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (repository_id) DO UPDATE SET id = excluded.id, \
                 bytes = excluded.bytes",
                &params![repository.0, id.as_str(), bytes],
            )
            .await?;
        Ok(())
    }
}

impl<S: Sql> Tx<S> {
    async fn delete_logo_row(&mut self, repository: RepositoryId) -> Result<(), StoreError> {
        self.0
            .execute(
                "DELETE FROM logo WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        Ok(())
    }

    /// Removes what only a public repository has.
    pub(super) async fn delete_public_rows(
        &mut self,
        repository: RepositoryId,
    ) -> Result<(), StoreError> {
        self.delete_logo_row(repository).await?;
        self.0
            .execute(
                "DELETE FROM catalog_data WHERE repository_id = ?1",
                &params![repository.0],
            )
            .await?;
        Ok(())
    }
}
