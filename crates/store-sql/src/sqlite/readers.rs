//! A few read-only connections, each used by one read at a time, each read over one snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use roadstead_store::metadata::{ErasedRead, StoreError};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection::{failed, open_reader, run_body};

/// The connections that are not in use, and as many permits.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Opens `count` connections, at least one.
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let idle = (0..count.max(1))
            .map(|_| open_reader(path))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(idle.len())),
            idle: Arc::new(Mutex::new(idle)),
        })
    }

    /// Runs a body on a thread that may block.
    pub(super) async fn read(&self, body: ErasedRead) -> Result<(), StoreError> {
        let gone = |what: &dyn std::fmt::Display| StoreError::Unavailable(what.to_string());
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|e| gone(&e))?;
        let idle = self.idle.clone();
        let task = tokio::task::spawn_blocking(move || {
            let taken = lock(&idle).pop();
            let Some(mut connection) = taken else {
                return Err(StoreError::Failed("no connection to read with".into()));
            };
            let result = snapshot(&mut connection, &body);
            lock(&idle).push(connection);
            drop(permit);
            result
        });
        task.await.map_err(|e| gone(&e))?
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a body over one snapshot. A panic is a failure, and whatever the body does, the snapshot
/// ends: a connection that kept it could not begin another.
pub(super) fn snapshot(connection: &mut Connection, body: &ErasedRead) -> Result<(), StoreError> {
    execute(connection, "BEGIN DEFERRED")?;
    let read = AssertUnwindSafe(|| run_body(connection, |tx| body(tx)).map(drop));
    let panicked = |_| Err(StoreError::Failed("the read panicked".into()));
    let result = catch_unwind(read).unwrap_or_else(panicked);
    // A failed statement may have ended it already.
    if connection.is_autocommit() {
        return result;
    }
    let ended = execute(connection, "ROLLBACK");
    result.and(ended)
}

fn execute(connection: &Connection, sql: &'static str) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.execute([]).map(drop).map_err(failed)
}
