//! Statements about access keys and leases. Secrets pass through sealed.

use async_trait::async_trait;
use roadstead_domain::ids::AccountId;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{AccessKey, ReadAccessKeys, StoreError, WriteControl};

use crate::sql::{Row, Sql, Tx, params};

fn access_key_row(mut row: Row) -> Result<AccessKey, StoreError> {
    Ok(AccessKey {
        id: row.text(0)?.into(),
        account: row.account(1)?,
        sealed_secret: row.take_bytes(2)?,
        created_at: row.time(3)?,
        disabled_at: row.optional_time(4)?,
    })
}

#[async_trait]
impl<S: Sql> ReadAccessKeys for Tx<S> {
    async fn access_key(&mut self, id: &str) -> Result<Option<AccessKey>, StoreError> {
        let row = self
            .query_first(
                "SELECT id, account, sealed_secret, created_at, disabled_at FROM access_key \
                 WHERE id = ?1",
                &params![id],
            )
            .await?;
        row.map(access_key_row).transpose()
    }

    async fn access_keys(
        &mut self,
        account: Option<&AccountId>,
    ) -> Result<Vec<AccessKey>, StoreError> {
        let rows = match account {
            Some(account) => {
                self.0
                    .query(
                        "SELECT id, account, sealed_secret, created_at, disabled_at \
                         FROM access_key WHERE account = ?1 ORDER BY id",
                        &params![account.as_str()],
                    )
                    .await?
            }
            None => {
                self.0
                    .query(
                        "SELECT id, account, sealed_secret, created_at, disabled_at \
                         FROM access_key ORDER BY id",
                        &[],
                    )
                    .await?
            }
        };
        rows.into_iter().map(access_key_row).collect()
    }
}

#[async_trait]
impl<S: Sql> WriteControl for Tx<S> {
    async fn insert_access_key(&mut self, key: &AccessKey) -> Result<bool, StoreError> {
        let inserted = self
            .0
            .execute(
                "INSERT INTO access_key (id, account, sealed_secret, created_at, disabled_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING",
                &params![
                    key.id.as_str(),
                    key.account.as_str(),
                    key.sealed_secret.as_slice(),
                    key.created_at.0,
                    key.disabled_at.map(|at| at.0),
                ],
            )
            .await?;
        Ok(inserted > 0)
    }

    async fn disable_access_key(&mut self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let updated = self
            .0
            .execute(
                "UPDATE access_key SET disabled_at = COALESCE(disabled_at, ?2) WHERE id = ?1",
                &params![id, at.0],
            )
            .await?;
        Ok(updated > 0)
    }

    async fn claim_lease(
        &mut self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = self
            .0
            .execute(
                "INSERT INTO lease (name, holder, held_until) VALUES (?1, ?2, ?4) \
                 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, \
                 held_until = excluded.held_until \
                 WHERE lease.holder = excluded.holder OR lease.held_until <= ?3",
                &params![name, holder, now.0, until.0],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn release_lease(&mut self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.0
            .execute(
                "DELETE FROM lease WHERE name = ?1 AND holder = ?2",
                &params![name, holder],
            )
            .await?;
        Ok(())
    }
}
