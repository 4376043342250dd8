//! One SQLite connection: how it is opened, migrated, and driven by statements.
//!
//! Statements finish inside their call, so a body over this driver is ready when first polled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use roadstead_domain::ids::RepositoryId;
use roadstead_store::metadata::{Part, StoreError, TxFuture};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, TransactionBehavior, params_from_iter};

use crate::migrations::{self, Dialect, MIGRATIONS, Migration};
use crate::sql::{Param, Row, Sql, Tx, Value};

/// Statements that a connection keeps prepared: more than there are texts.
const PREPARED_MAX: usize = 256;

const DIALECT: Dialect = Dialect {
    words: &[
        ("{integer}", "INTEGER"),
        ("{text}", "TEXT"),
        ("{bytes}", "BLOB"),
        ("{identity}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        ("{table}", "STRICT"),
        ("{clustered}", "STRICT, WITHOUT ROWID"),
        ("{chosen_ids}", ""),
    ],
};

/// How long a statement waits for a lock that another process holds.
pub(super) const BUSY: Duration = Duration::from_secs(5);

// FULL syncs the log at every commit: an answer after a commit survives a power cut (F26). The log is
// 32 MB before it is moved into the file while others write: they wait for that.
const WRITER_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; \
     PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8000; \
     PRAGMA journal_size_limit = 33554432;";

const READER_SETTINGS: &str = "PRAGMA query_only = ON; \
     PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192; PRAGMA mmap_size = 67108864;";

/// Opens the one connection that writes, making the file where there is none.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    open(path, flags, WRITER_SETTINGS)
}

/// Opens a connection that only reads. The file is there and up to date.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    open(path, flags, READER_SETTINGS)
}

fn open(path: &Path, flags: OpenFlags, settings: &str) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags).map_err(unavailable)?;
    connection.busy_timeout(BUSY).map_err(unavailable)?;
    connection.execute_batch(settings).map_err(unavailable)?;
    // Plans by the text alone. Otherwise a parameter that could decide about an index has its
    // statement parsed and planned anew each time that it is bound.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(unavailable)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
    Ok(connection)
}

/// Bounds the size of the file.
pub(super) fn limit_pages(connection: &Connection, pages: u32) -> Result<(), StoreError> {
    let limit = format!("PRAGMA max_page_count = {pages}");
    connection.execute_batch(&limit).map_err(unavailable)
}

/// What SQLite finds wrong with the file: pages, indexes, constraints, and rows that name what is
/// not there. At most a hundred of each.
pub(super) fn damages(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut check = connection
        .prepare("PRAGMA integrity_check(100)")
        .map_err(failed)?;
    let found = check.query_map([], |row| row.get::<_, String>(0));
    let found = found.and_then(|rows| rows.collect::<Result<Vec<_>, _>>());
    let mut damages = found.map_err(failed)?;
    damages.retain(|line| line != "ok");
    let mut check = connection
        .prepare("SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 100")
        .map_err(failed)?;
    let orphans = check.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(format!(
            "a row of {table} names a row of {parent} that is not there"
        ))
    });
    let orphans = orphans.and_then(|rows| rows.collect::<Result<Vec<_>, _>>());
    damages.extend(orphans.map_err(failed)?);
    Ok(damages)
}

/// Makes durable what was found in the log. A killed process may have left commits there that it had
/// not synced yet; they can be read now, and a client that repeats one is told that nothing is to be
/// done: that answer has to survive a power cut too (F26).
pub(crate) fn settle(connection: &Connection) -> Result<(), StoreError> {
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.execute_batch(checkpoint).map_err(unavailable)
}

/// Applies the schema steps that are missing, all or none.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_to(connection, MIGRATIONS)
}

fn migrate_to(connection: &mut Connection, steps: &'static [Migration]) -> Result<(), StoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(unavailable)?;
    transaction
        .execute_batch(&DIALECT.render(migrations::CREATE_RECORD))
        .map_err(failed)?;
    let applied = {
        let mut statement = transaction
            .prepare(migrations::SELECT_RECORD)
            .map_err(failed)?;
        let records = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        records
            .and_then(|records| records.collect::<Result<Vec<(i64, String)>, _>>())
            .map_err(failed)?
    };
    for step in migrations::pending(steps, &applied)? {
        transaction
            .execute_batch(&step.render(&DIALECT))
            .map_err(failed)?;
        transaction
            .execute(
                migrations::INSERT_RECORD,
                (step.version, step.name, step.checksum()),
            )
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// A driver inside a transaction that its maker begins and ends.
pub(crate) struct SqliteTx<'c> {
    // Exclusive, because a shared connection may not cross threads.
    pub(crate) connection: &'c mut Connection,
    pub(crate) failure: Option<StoreError>,
    /// Whose epochs end with the commit.
    pub(crate) changed: Vec<(RepositoryId, Part)>,
}

impl SqliteTx<'_> {
    fn checked<T>(&mut self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| {
            let error = failed(error);
            self.failure.get_or_insert_with(|| error.clone());
            error
        })
    }

    fn query_now(&self, sql: &'static str, params: &[Param<'_>]) -> rusqlite::Result<Vec<Row>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut answer = statement.query(params_from_iter(params))?;
        let mut rows = Vec::new();
        while let Some(row) = answer.next()? {
            let values = (0..columns).map(|column| value(row.get_ref(column)?));
            rows.push(Row(values.collect::<rusqlite::Result<_>>()?));
        }
        Ok(rows)
    }

    fn execute_now(&self, sql: &'static str, params: &[Param<'_>]) -> rusqlite::Result<u64> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.execute(params_from_iter(params))? as u64)
    }
}

impl Sql for SqliteTx<'_> {
    async fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let result = self.query_now(sql, params);
        self.checked(result)
    }

    async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        let result = self.execute_now(sql, params);
        self.checked(result)
    }

    async fn execute_each(
        &mut self,
        sql: &'static str,
        sets: &[Vec<Param<'_>>],
    ) -> Result<(), StoreError> {
        let result = sets
            .iter()
            .try_for_each(|params| self.execute_now(sql, params).map(drop));
        self.checked(result)
    }

    fn changes(&mut self, repository: RepositoryId, part: Part) {
        if self.changed.last() != Some(&(repository, part)) {
            self.changed.push((repository, part));
        }
    }
}

/// What a body answered, and the first statement of it that failed, which it may have kept to
/// itself.
pub(super) struct Ran<T> {
    /// The answer.
    pub(super) answer: T,
    /// The failure.
    pub(super) failure: Option<StoreError>,
    /// What it changed of which repositories.
    pub(super) changed: Vec<(RepositoryId, Part)>,
}

/// Runs a body to its end.
pub(super) fn run_body<T>(
    connection: &mut Connection,
    body: impl for<'t> FnOnce(&'t mut Tx<SqliteTx<'_>>) -> TxFuture<'t, T>,
) -> Result<Ran<T>, StoreError> {
    let mut tx = Tx(SqliteTx {
        connection,
        failure: None,
        changed: Vec::new(),
    });
    let answer = run_at_once(&mut tx, body)?;
    let SqliteTx {
        failure, changed, ..
    } = tx.0;
    Ok(Ran {
        answer,
        failure,
        changed,
    })
}

/// Runs a body over a driver that never waits. A panic is a failure, and so is a body that waits
/// for anything but its handle.
pub(crate) fn run_at_once<S: Sql, T>(
    tx: &mut Tx<S>,
    body: impl for<'t> FnOnce(&'t mut Tx<S>) -> TxFuture<'t, T>,
) -> Result<T, StoreError> {
    let polled = catch_unwind(AssertUnwindSafe(|| {
        body(tx)
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    }));
    match polled {
        Err(_) => Err(StoreError::Failed("the body panicked".into())),
        Ok(Poll::Pending) => Err(StoreError::Failed(
            "the body waited for something other than its transaction".into(),
        )),
        Ok(Poll::Ready(answer)) => Ok(answer),
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

fn value(value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::IntegralValueOutOfRange(0, 0));
        }
        ValueRef::Text(_) => Value::Text(value.as_str()?.to_owned()),
        ValueRef::Blob(value) => Value::Bytes(value.to_vec()),
    })
}

/// The store could not be opened.
pub(super) fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// A statement failed.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::NoSpace,
        _ => StoreError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(connection: &Connection, sql: &str) -> Vec<i64> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// What a killed process left in the log is in the database, and so durable, before anything is
    /// answered.
    #[test]
    fn f26_what_is_found_in_the_log_is_made_durable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.sqlite");
        let mut killed = open_writer(&path).unwrap();
        migrate(&mut killed).unwrap();
        let left = directory.path().join("left.sqlite");
        std::fs::copy(&path, &left).unwrap();
        let log = directory.path().join("left.sqlite-wal");
        std::fs::copy(directory.path().join("metadata.sqlite-wal"), &log).unwrap();
        let options = super::super::SqliteOptions::default();
        let store = super::super::SqliteStore::open(&left, &options).unwrap();
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
        drop(store);
    }

    /// A store of the first release keeps its rows when it is brought up to date, and the names of
    /// its indexes; what it had begun to reap is not restorable.
    #[test]
    fn a_store_of_the_first_release_is_brought_up_to_date() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = open_writer(&directory.path().join("metadata.sqlite")).unwrap();
        migrate_to(&mut connection, &MIGRATIONS[..1]).unwrap();
        let rows = "INSERT INTO repository VALUES (1, 0, 'a', 'b', 'live', 0, 0, '[]', 0, NULL), \
             (2, 0, 'a', 'b', 'gone', 0, 0, '[]', 0, 5); \
             INSERT INTO image VALUES \
             (7, 1, 'd', 'm', 1, 1, NULL, NULL, 0, 0, 0, 1, NULL, NULL, NULL); \
             INSERT INTO manifest VALUES (7, x'00'); \
             INSERT INTO tag VALUES (1, 't', 7, 0, 0); \
             INSERT INTO blob_edge VALUES (7, 'x', 1, 'm'), (7, 'y', 1, 'm');";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        let edges = "SELECT image_id FROM blob_edge \
             WHERE repository_id = 1 AND media_type = 'm' AND digest IN ('x', 'y')";
        assert_eq!(numbers(&connection, edges), [7, 7]);
        let reaped = "SELECT is_reaped FROM repository ORDER BY id";
        assert_eq!(numbers(&connection, reaped), [0, 1]);
        assert_eq!(numbers(&connection, "SELECT image_id FROM tag"), [7]);
        let orphans = "SELECT count(*) FROM image WHERE orphaned_at IS NOT NULL";
        assert_eq!(numbers(&connection, orphans), [0]);
        let indexes = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' \
             AND name IN ('blob_edge_holder', 'tag_of_image')";
        assert_eq!(numbers(&connection, indexes), [2]);
        // The edges outlive their image: they hold what a deleted one needs.
        let gone = "DELETE FROM tag; DELETE FROM manifest; DELETE FROM image";
        connection.execute_batch(gone).unwrap();
        assert_eq!(numbers(&connection, edges), [7, 7]);
    }

    /// An update that fails half-way, wherever, leaves the store as it was; once what was in the
    /// way is gone it runs as if it never had.
    #[test]
    fn f45_an_update_that_fails_half_way_changes_nothing() {
        let tables = "SELECT count(*) FROM sqlite_schema";
        let steps = "SELECT version FROM schema_migration ORDER BY version";
        let ways = [
            "lifecycle_run",
            "event",
            "registry_alias",
            "container_usage",
        ];
        for in_the_way in ways {
            let directory = tempfile::tempdir().unwrap();
            let mut connection = open_writer(&directory.path().join("metadata.sqlite")).unwrap();
            migrate_to(&mut connection, &MIGRATIONS[..1]).unwrap();
            let obstacle = format!("CREATE TABLE {in_the_way} (any INTEGER)");
            connection.execute_batch(&obstacle).unwrap();
            let before = numbers(&connection, tables);
            migrate(&mut connection).unwrap_err();
            assert_eq!(numbers(&connection, tables), before, "{in_the_way}");
            assert_eq!(numbers(&connection, steps), [1], "{in_the_way}");
            let cleared = format!("DROP TABLE {in_the_way}");
            connection.execute_batch(&cleared).unwrap();
            migrate(&mut connection).unwrap();
            let all: Vec<i64> = MIGRATIONS.iter().map(|step| step.version).collect();
            assert_eq!(numbers(&connection, steps), all, "{in_the_way}");
        }
    }
}
