//! Access keys, in the process that owns the stores. Only a new one shows its secret.

use anyhow::{Result, bail};
use roadstead_registry::Registry;
use roadstead_registry::context::Clock;
use roadstead_store::metadata::AccessKey;
use serde_json::{Value, json};

use super::account;

/// Makes a root access key of an account.
pub(super) async fn create(registry: &Registry, clock: &dyn Clock, owner: &str) -> Result<Value> {
    let making = registry.create_access_key(account(owner)?, clock.now());
    let key = making.await?;
    Ok(json!({ "accessKeyId": key.id, "secretAccessKey": *key.secret }))
}

/// The keys of an account, or of all.
pub(super) async fn list(registry: &Registry, owner: Option<&str>) -> Result<Value> {
    let describe = |key: &AccessKey| {
        json!({
            "accessKeyId": key.id,
            "account": key.account.as_str(),
            "createdAt": key.created_at.seconds(),
            "disabledAt": key.disabled_at.map(|at| at.seconds()),
        })
    };
    let keys = registry
        .access_keys(owner.map(account).transpose()?)
        .await?;
    Ok(keys.iter().map(describe).collect())
}

/// Makes a key stop working.
pub(super) async fn disable(registry: &Registry, clock: &dyn Clock, id: &str) -> Result<Value> {
    match registry.disable_access_key(id, clock.now()).await? {
        true => Ok(json!({ "accessKeyId": id, "disabled": true })),
        false => bail!("there is no access key '{id}'"),
    }
}
