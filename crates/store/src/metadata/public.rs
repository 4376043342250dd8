//! What public registries and their repositories have besides what every repository has.

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::public::alias::{Alias, RegistryAlias};
use roadstead_domain::public::catalog_data::CatalogData;
use roadstead_domain::public::logo::LogoId;

use super::StoreError;

/// The public registry of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRegistry {
    /// The account.
    pub account: AccountId,
    /// A UUID, in the addresses of its logos.
    pub id: String,
    /// `displayName`; none if it was never put.
    pub display_name: Option<String>,
}

/// Public registries and catalog data.
#[async_trait]
pub trait ReadPublic {
    /// The registry of an account; none before its first repository.
    async fn public_registry(
        &mut self,
        account: &AccountId,
    ) -> Result<Option<PublicRegistry>, StoreError>;

    /// The aliases of a registry, by name.
    async fn aliases(&mut self, account: &AccountId) -> Result<Vec<Alias>, StoreError>;

    /// The account whose registry has this alias.
    async fn alias_owner(&mut self, name: &RegistryAlias) -> Result<Option<AccountId>, StoreError>;

    /// The catalog data of a repository, as it was put.
    async fn catalog_data(
        &mut self,
        repository: RepositoryId,
    ) -> Result<Option<CatalogData>, StoreError>;

    /// The bytes of the logo of a live repository of the registry with this id.
    async fn logo(&mut self, registry: &str, id: &LogoId) -> Result<Option<Bytes>, StoreError>;
}

/// Changes to public registries and catalog data.
#[async_trait]
pub trait WritePublic {
    /// Stores a registry; false if the account has one.
    async fn insert_public_registry(&mut self, new: &PublicRegistry) -> Result<bool, StoreError>;

    /// Replaces the display name.
    async fn set_display_name(
        &mut self,
        account: &AccountId,
        display_name: Option<&str>,
    ) -> Result<(), StoreError>;

    /// Stores an alias of a registry that is there; false if any registry has one of this name. A
    /// primary one takes the place of the primary one before.
    async fn insert_alias(&mut self, account: &AccountId, new: &Alias) -> Result<bool, StoreError>;

    /// Replaces the catalog data of a repository, but for its logo.
    async fn set_catalog_data(
        &mut self,
        repository: RepositoryId,
        data: &CatalogData,
    ) -> Result<(), StoreError>;

    /// Replaces the logo of a repository.
    async fn set_logo(
        &mut self,
        repository: RepositoryId,
        logo: Option<(&LogoId, &[u8])>,
    ) -> Result<(), StoreError>;
}
