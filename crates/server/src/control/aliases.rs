//! Aliases of public registries, in the process that owns the stores.

use anyhow::{Context as _, Result, bail};
use roadstead_domain::public::alias::{Alias, RegistryAlias};
use roadstead_registry::Registry;
use serde_json::{Value, json};

use super::account;

/// Gives the registry of an account one more alias.
pub(super) async fn add(
    registry: &Registry,
    owner: &str,
    alias: &str,
    is_primary: bool,
) -> Result<Value> {
    let name = RegistryAlias::parse(alias).context(
        "an alias has 2 to 50 lower-case letters and digits, a letter first, with single \
         '.', '_' and '-' between them",
    )?;
    match registry
        .add_alias(account(owner)?, name, is_primary)
        .await?
    {
        true => Ok(json!({ "alias": alias })),
        false => bail!("the alias '{alias}' is taken"),
    }
}

/// The aliases of the registry of an account.
pub(super) async fn list(registry: &Registry, owner: &str) -> Result<Value> {
    let address = registry.public_address(&account(owner)?).await?;
    let describe = |alias: &Alias| {
        json!({
            "alias": alias.name.as_str(),
            "primary": alias.is_primary,
            "default": alias.is_default,
        })
    };
    Ok(address.aliases.iter().map(describe).collect())
}
