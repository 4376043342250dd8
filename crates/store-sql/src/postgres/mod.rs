//! The shared store: a PostgreSQL database that any number of servers use at once.
//!
//! Writes run SERIALIZABLE and again after a conflict; reads run over one snapshot. What a body
//! may do is the same as on the embedded store, down to the text of its statements.

mod connection;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures_util::FutureExt as _;
use roadstead_store::metadata::{ErasedRead, ErasedWrite, MetadataStore, StoreError, Verdict};
use tokio::sync::Mutex;
use tokio_postgres::{IsolationLevel, NoTls};

use self::connection::{Failure, PostgresTx, failed, unavailable};
use crate::sql::Tx;

/// Runs of one body that meets conflicts with other writes.
const RUNS_MAX: u64 = 40;
/// Runs of one body that violates a constraint: a lost race shows so at times, a mistake always.
const RUNS_OF_VIOLATION_MAX: u64 = 3;
/// From this run on, the conflict is with another server: wait a little longer each time.
const RUN_THAT_WAITS: u64 = 4;

/// A metadata store in a PostgreSQL database.
pub struct PostgresStore {
    pool: Pool,
    // Bodies that lost a conflict run one after the other, so that a storm of them drains.
    turn: Mutex<()>,
}

/// How one run of a write ended.
enum Run {
    Ended(Result<(), StoreError>),
    Again(Failure),
}

impl PostgresStore {
    /// Connects to the database of a `postgres://` URL or `key=value` text and brings its schema
    /// up to date. At most `connections` transactions run at a time; others wait.
    ///
    /// # Errors
    /// `Unavailable` if the text is not understood, the database cannot be reached, or its schema
    /// was made by a newer program.
    pub async fn connect(url: &str, connections: usize) -> Result<Self, StoreError> {
        let config: tokio_postgres::Config = url.parse().map_err(unavailable)?;
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(connections.max(1))
            .post_create(connection::settings())
            .build()
            .map_err(unavailable)?;
        let turn = Mutex::new(());
        let store = Self { pool, turn };
        connection::migrate(&mut store.connection().await?).await?;
        Ok(store)
    }

    async fn connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(unavailable)
    }

    async fn run_write(&self, body: &ErasedWrite) -> Result<Run, StoreError> {
        let mut connection = self.connection().await?;
        let transaction = connection
            .build_transaction()
            .isolation_level(IsolationLevel::Serializable)
            .start()
            .await
            .map_err(failed)?;
        let mut tx = Tx(PostgresTx::new(transaction));
        let verdict = AssertUnwindSafe(async { body(&mut tx).await })
            .catch_unwind()
            .await;
        let (transaction, failure) = tx.0.end();
        let ended = match (verdict, failure) {
            (_, Some(failure)) if failure.may_pass() => {
                roll_back(transaction).await?;
                return Ok(Run::Again(failure));
            }
            (Err(_), _) => Err(StoreError::Failed("the body panicked".into())),
            (Ok(Verdict::Rollback), _) => Ok(()),
            (Ok(Verdict::Commit), Some(failure)) => Err(failure.into()),
            (Ok(Verdict::Commit), None) => {
                return Ok(match transaction.commit().await.map_err(Failure::from) {
                    Ok(()) => Run::Ended(Ok(())),
                    Err(failure) if failure.may_pass() => Run::Again(failure),
                    Err(failure) => Run::Ended(Err(failure.into())),
                });
            }
        };
        roll_back(transaction).await?;
        Ok(Run::Ended(ended))
    }
}

#[async_trait]
impl MetadataStore for PostgresStore {
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError> {
        let mut failure = match self.run_write(&body).await? {
            Run::Ended(ended) => return ended,
            Run::Again(failure) => failure,
        };
        let _turn = self.turn.lock().await;
        for run in 2..=RUNS_MAX {
            if failure.is_violation() && run > RUNS_OF_VIOLATION_MAX {
                break;
            }
            if run >= RUN_THAT_WAITS {
                tokio::time::sleep(Duration::from_millis(run)).await;
            }
            failure = match self.run_write(&body).await? {
                Run::Ended(ended) => return ended,
                Run::Again(failure) => failure,
            };
        }
        Err(failure.into())
    }

    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let transaction = connection
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await
            .map_err(failed)?;
        let mut tx = Tx(PostgresTx::new(transaction));
        let run = AssertUnwindSafe(async { body(&mut tx).await });
        let ran = run.catch_unwind().await;
        let (transaction, _) = tx.0.end();
        roll_back(transaction).await?;
        ran.map_err(|_| StoreError::Failed("the read panicked".into()))
    }
}

async fn roll_back(transaction: deadpool_postgres::Transaction<'_>) -> Result<(), StoreError> {
    transaction.rollback().await.map_err(failed)
}
