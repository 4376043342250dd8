//! How SQLite runs our statements, checked while the contract runs them.
//!
//! A third store, for these tests only: before each statement it asks for the plan and fails the
//! case if a table is read from end to end or sorted, or if the statement had to be planned anew.
//! So a page costs the page and a deletion what it names, and a new statement is checked as soon as
//! a case of the contract uses it.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use roadstead_store::metadata::contract::{Subject, fresh_account};
use roadstead_store::metadata::{ErasedRead, ErasedWrite, MetadataStore, StoreError, Verdict};
use roadstead_store::metadata_contract;
use rusqlite::{Connection, StatementStatus, params_from_iter};

use crate::sql::{Param, Row, Sql, Tx};
use crate::sqlite::connection::{SqliteTx, migrate, open_writer, run_at_once};

/// The one answer that is a whole table.
const WHOLE_ON_PURPOSE: &str = "SCAN access_key";

/// The pages by which a store is verified.
const EVERYBODYS_ON_PURPOSE: &str = "is_reaped FROM repository WHERE id > ?1 ORDER BY id LIMIT ?2";

/// The join of one page, which is limited, with what hangs on it.
const PAGE_ON_PURPOSE: &str = "SCAN page";

/// Whether a step costs more than what its statement names or answers.
fn is_slow(step: &str, sql: &str) -> bool {
    let is_page = step == PAGE_ON_PURPOSE && sql.contains("LIMIT") && sql.contains(") AS page");
    let on_purpose = step == WHOLE_ON_PURPOSE || is_page;
    let reads_table = step.starts_with("SCAN") && !on_purpose;
    let sorts = step.contains("TEMP B-TREE") || step.contains("AUTOMATIC");
    // Only a page, the end of a repository, and its resource tags go by the repository alone.
    let is_about_repository = [
        "LIMIT",
        "INTO repository",
        "FROM repository",
        "resource_tag",
    ]
    .iter()
    .any(|words| sql.contains(words));
    let reads_repository = step.ends_with("(repository_id=?)") && !is_about_repository;
    // From some number on, whoever's rows they are.
    let reads_others = (step.contains("(rowid>") || step.contains("(rowid<"))
        && !sql.contains(EVERYBODYS_ON_PURPOSE);
    reads_table || sorts || reads_repository || reads_others
}

fn check_plan(connection: &Connection, sql: &str, params: &[Param<'_>]) {
    let mut explained = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .expect("a plan");
    let steps = explained
        .query_map(params_from_iter(params), |row| row.get::<_, String>(3))
        .expect("steps");
    for step in steps.map(|step| step.expect("a step")) {
        assert!(!is_slow(&step, sql), "{step}: {sql}");
    }
    // Once prepared it stays so: the last time that it ran, and every time before.
    let kept = connection.prepare_cached(sql).expect("a statement");
    let again = kept.get_status(StatementStatus::RePrepare);
    assert_eq!(again, 0, "planned anew: {sql}");
}

struct Explained<'c>(SqliteTx<'c>);

impl Sql for Explained<'_> {
    async fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        check_plan(self.0.connection, sql, params);
        self.0.query(sql, params).await
    }

    async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        check_plan(self.0.connection, sql, params);
        self.0.execute(sql, params).await
    }

    async fn execute_each(
        &mut self,
        sql: &'static str,
        sets: &[Vec<Param<'_>>],
    ) -> Result<(), StoreError> {
        if let Some(params) = sets.first() {
            check_plan(self.0.connection, sql, params);
        }
        self.0.execute_each(sql, sets).await
    }
}

struct ExplainedStore(Mutex<Connection>);

impl ExplainedStore {
    /// Runs one transaction, which commits if `is_kept` says so of the answer.
    fn run<T>(
        &self,
        body: impl for<'t> FnOnce(
            &'t mut Tx<Explained<'_>>,
        ) -> roadstead_store::metadata::TxFuture<'t, T>,
        is_kept: impl FnOnce(&T) -> bool,
    ) -> Result<(), StoreError> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.execute_batch("BEGIN").expect("begin");
        let mut tx = Tx(Explained(SqliteTx {
            connection: &mut connection,
            failure: None,
            changed: Vec::new(),
        }));
        let answer = run_at_once(&mut tx, body);
        let failure = tx.0.0.failure.take();
        let is_kept = answer.as_ref().is_ok_and(is_kept);
        let end = if is_kept && failure.is_none() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        connection.execute_batch(end).expect("end");
        match failure {
            Some(failure) if is_kept => Err(failure),
            _ => answer.map(drop),
        }
    }
}

#[async_trait]
impl MetadataStore for ExplainedStore {
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError> {
        self.run(|tx| body(tx), |verdict| *verdict == Verdict::Commit)
    }

    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        self.run(|tx| body(tx), |()| false)
    }
}

async fn explained(name: &'static str) -> Subject {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("metadata.sqlite");
    let mut connection = open_writer(&path).expect("a connection");
    migrate(&mut connection).expect("a schema");
    Subject {
        store: Box::new(ExplainedStore(Mutex::new(connection))),
        fresh: fresh_account("", name),
        guard: Box::new(directory),
    }
}

metadata_contract!(plan, explained);

#[test]
fn slow_plans_are_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut connection = open_writer(&directory.path().join("metadata.sqlite")).expect("open");
    migrate(&mut connection).expect("a schema");
    for slow in [
        "SELECT id FROM image WHERE media_type = 'x'",
        "SELECT tag FROM tag WHERE repository_id = 1 ORDER BY seq",
        "DELETE FROM blob_edge WHERE media_type = 'x'",
        "DELETE FROM image WHERE repository_id = 1 AND media_type = 'x'",
        "SELECT text FROM lifecycle_run WHERE id > 1 ORDER BY id LIMIT 1",
    ] {
        let check = std::panic::AssertUnwindSafe(|| check_plan(&connection, slow, &[]));
        assert!(std::panic::catch_unwind(check).is_err(), "{slow}");
    }
}
