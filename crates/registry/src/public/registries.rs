//! Public registries and their aliases (ecr-public.md section 2).
//!
//! A registry comes to be with its first repository, or with its first alias or name, and stays.

use roadstead_domain::ids::{AccountId, uuid_text};
use roadstead_domain::public::alias::{Alias, RegistryAlias};
use roadstead_store::metadata::{MetadataWrite, PublicRegistry, RegistryKey, StoreError};

use crate::Registry;
use crate::access::Authorized;
use crate::error::Error;

/// How often a generated alias may turn out to be taken. One in 6,760,000 is, per registry.
const ALIAS_TRIES: usize = 16;

/// What addresses of a public registry are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicAddress {
    /// The id in the addresses of logos; empty if there is no registry yet.
    pub registry_id: String,
    /// Every alias, by name.
    pub aliases: Vec<Alias>,
}

impl PublicAddress {
    /// The alias that addresses show.
    pub fn primary(&self) -> Option<&RegistryAlias> {
        let primary = self.aliases.iter().find(|alias| alias.is_primary);
        primary.map(|alias| &alias.name)
    }
}

/// Fresh names for a registry that has none yet.
#[derive(Debug, Clone)]
pub(super) struct FreshNames {
    id: String,
    aliases: Vec<RegistryAlias>,
}

impl FreshNames {
    /// Makes sure that the account has a registry, with an alias.
    pub(super) async fn ensure(
        &self,
        tx: &mut dyn MetadataWrite,
        account: &AccountId,
    ) -> Result<(), Error> {
        self.ensure_registry(tx, account).await?;
        if tx.aliases(account).await?.iter().any(|one| one.is_default) {
            return Ok(());
        }
        let is_primary = tx.aliases(account).await?.is_empty();
        for name in &self.aliases {
            let alias = Alias {
                name: name.clone(),
                is_primary,
                is_default: true,
            };
            if tx.insert_alias(account, &alias).await? {
                return Ok(());
            }
        }
        Err(Error::LimitExceeded("tries to find a free alias"))
    }

    async fn ensure_registry(
        &self,
        tx: &mut dyn MetadataWrite,
        account: &AccountId,
    ) -> Result<(), StoreError> {
        let new = PublicRegistry {
            account: account.clone(),
            id: self.id.clone(),
            display_name: None,
        };
        tx.insert_public_registry(&new).await.map(drop)
    }
}

impl Registry {
    pub(super) fn fresh_names(&self) -> FreshNames {
        let alias = |_| {
            let mut bytes = [0; 8];
            self.ids.fill(&mut bytes);
            RegistryAlias::from_random(bytes)
        };
        FreshNames {
            id: uuid_text(self.ids.bits()),
            aliases: (0..ALIAS_TRIES).map(alias).collect(),
        }
    }

    /// What the addresses of an account's public registry are made of.
    pub async fn public_address(&self, account: &AccountId) -> Result<PublicAddress, Error> {
        self.metadata
            .read(account.clone(), |tx, account| {
                Box::pin(async move {
                    let registry = tx.public_registry(account).await?;
                    Ok(PublicAddress {
                        registry_id: registry.map(|found| found.id).unwrap_or_default(),
                        aliases: tx.aliases(account).await?,
                    })
                })
            })
            .await
    }

    /// The account whose public registry has this alias.
    pub async fn alias_owner(&self, alias: RegistryAlias) -> Result<Option<AccountId>, Error> {
        self.metadata
            .read(alias, |tx, alias| {
                Box::pin(async move { Ok(tx.alias_owner(alias).await?) })
            })
            .await
    }

    /// `displayName`; none if it was never put.
    pub async fn display_name(
        &self,
        key: Authorized<RegistryKey>,
    ) -> Result<Option<String>, Error> {
        self.metadata
            .read(key.into_inner(), |tx, key| {
                Box::pin(async move {
                    let registry = tx.public_registry(&key.account).await?;
                    Ok(registry.and_then(|found| found.display_name))
                })
            })
            .await
    }

    /// Replaces `displayName`.
    pub async fn put_display_name(
        &self,
        key: Authorized<RegistryKey>,
        name: Option<String>,
    ) -> Result<(), Error> {
        let input = (key.into_inner(), name, self.fresh_names());
        self.metadata
            .write(input, |tx, (key, name, fresh)| {
                Box::pin(async move {
                    fresh.ensure_registry(tx, &key.account).await?;
                    Ok(tx.set_display_name(&key.account, name.as_deref()).await?)
                })
            })
            .await
    }

    /// Gives a registry an alias of the operator's choice, primary if so wished, which AWS does on
    /// request only. False if any registry has it.
    pub async fn add_alias(
        &self,
        account: AccountId,
        name: RegistryAlias,
        is_primary: bool,
    ) -> Result<bool, Error> {
        let input = (account, name, is_primary, self.fresh_names());
        self.metadata
            .write(input, |tx, (account, name, is_primary, fresh)| {
                Box::pin(async move {
                    fresh.ensure_registry(tx, account).await?;
                    let is_first = tx.aliases(account).await?.is_empty();
                    let alias = Alias {
                        name: name.clone(),
                        is_primary: *is_primary || is_first,
                        is_default: false,
                    };
                    Ok::<_, Error>(tx.insert_alias(account, &alias).await?)
                })
            })
            .await
    }
}
