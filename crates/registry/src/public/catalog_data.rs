//! Creating public repositories, and their catalog data with logos (ecr-public.md 3.1, 3.2).

use bytes::Bytes;
use roadstead_domain::ids::RepositoryId;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::public::catalog_data::CatalogData;
use roadstead_domain::public::logo::{LogoId, check_logo};
use roadstead_domain::resource_tag::{ResourceTag, merge};
use roadstead_domain::tagging::TagMutability;
use roadstead_store::metadata::{MetadataWrite, NewRepository, Repository};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::Error;
use crate::{loading, repositories};

/// What a caller says of the logo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LogoInput {
    /// Nothing: the logo stays.
    #[default]
    Keep,
    /// Nothing is to be the logo.
    Drop,
    /// This is the logo.
    Put(Bytes),
}

/// Catalog data as a caller gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogInput {
    /// Everything but the logo.
    pub data: CatalogData,
    /// The logo.
    pub logo: LogoInput,
}

/// Checked input with an id for its logo.
#[derive(Clone)]
struct Checked {
    input: CatalogInput,
    logo_id: LogoId,
}

impl Checked {
    async fn store(
        &self,
        tx: &mut dyn MetadataWrite,
        repository: RepositoryId,
    ) -> Result<CatalogData, Error> {
        tx.set_catalog_data(repository, &self.input.data).await?;
        match &self.input.logo {
            LogoInput::Keep => {}
            LogoInput::Drop => tx.set_logo(repository, None).await?,
            LogoInput::Put(bytes) => {
                tx.set_logo(repository, Some((&self.logo_id, bytes)))
                    .await?;
            }
        }
        Ok(tx.catalog_data(repository).await?.unwrap_or_default())
    }
}

impl Registry {
    fn check_catalog(&self, input: CatalogInput) -> Result<Checked, Error> {
        if let LogoInput::Put(bytes) = &input.logo {
            check_logo(bytes)
                .map_err(|refusal| Error::invalid("logoImageBlob", refusal.to_string()))?;
        }
        Ok(Checked {
            input,
            logo_id: LogoId::from_random(self.ids.bits()),
        })
    }

    /// Makes a public repository, and with the first one the registry and its default alias.
    pub async fn create_public_repository(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        tags: Vec<ResourceTag>,
        catalog: Option<CatalogInput>,
    ) -> Result<(Repository, CatalogData), Error> {
        let new = NewRepository {
            key: key.into_inner(),
            created_at: context.now,
            tag_mutability: TagMutability::default(),
            scan_on_push: false,
            resource_tags: merge(&[], &tags)?,
        };
        let catalog = catalog.map(|input| self.check_catalog(input)).transpose()?;
        let input = (new, catalog, self.fresh_names());
        self.metadata
            .write(input, |tx, (new, catalog, fresh)| {
                Box::pin(async move {
                    let made = repositories::insert(tx, new).await?;
                    fresh.ensure(tx, &new.key.account).await?;
                    let data = match catalog {
                        Some(checked) => checked.store(tx, made.id).await?,
                        None => CatalogData::default(),
                    };
                    Ok((made, data))
                })
            })
            .await
    }

    /// The catalog data of a repository; one that never had any has empty catalog data, since
    /// Terraform reads it after every creation (ecr-public.md 3.2).
    pub async fn catalog_data(&self, key: Authorized<RepositoryKey>) -> Result<CatalogData, Error> {
        self.metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    let data = tx.catalog_data(repository.id).await?;
                    Ok(data.unwrap_or_default())
                })
            })
            .await
    }

    /// Replaces the catalog data of a repository: what is not given is gone, but for a logo.
    pub async fn put_catalog_data(
        &self,
        key: Authorized<RepositoryKey>,
        input: CatalogInput,
    ) -> Result<CatalogData, Error> {
        let checked = self.check_catalog(input)?;
        self.metadata
            .write((key.into_inner(), checked), |tx, (key, checked)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?;
                    checked.store(tx, repository.id).await
                })
            })
            .await
    }

    /// The bytes of a logo, by the parts of its address. Everybody may look at it.
    pub async fn logo(&self, registry: &str, id: &str) -> Result<Option<Bytes>, Error> {
        let Ok(id) = LogoId::parse(id) else {
            return Ok(None);
        };
        self.metadata
            .read((registry.to_owned(), id), |tx, (registry, id)| {
                Box::pin(async move { Ok(tx.logo(registry, id).await?) })
            })
            .await
    }
}
