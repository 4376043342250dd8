//! One PostgreSQL connection: its settings, its schema, and how statements drive it.
//!
//! Parameters are typed by their values, so that no statement has to say what it means.

use deadpool_postgres::{Client, Hook, HookError, Transaction};
use futures_util::future::try_join_all;
use roadstead_store::metadata::StoreError;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::migrations::{self, Dialect, MIGRATIONS};
use crate::sql::{Param, Row, Sql, Value};

const DIALECT: Dialect = Dialect {
    words: &[
        ("{integer}", "BIGINT"),
        ("{text}", "TEXT COLLATE \"C\""),
        ("{bytes}", "BYTEA"),
        (
            "{identity}",
            "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        ),
        ("{table}", ""),
        ("{clustered}", ""),
    ],
};

/// Only one server at a time brings the schema up to date. An arbitrary number.
const MIGRATION_LOCK: i64 = 0x726f_6164;

/// A plan that reads a whole table, however small, locks it as a whole against other serialisable
/// writes; every statement has an index to go by.
pub(super) fn settings() -> Hook {
    Hook::async_fn(|client, _| {
        Box::pin(async move {
            let settings = "SET enable_seqscan = off; SET enable_bitmapscan = off";
            let set = client.batch_execute(settings).await;
            set.map_err(HookError::Backend)
        })
    })
}

/// Applies the schema steps that are missing, all or none.
pub(super) async fn migrate(client: &mut Client) -> Result<(), StoreError> {
    let transaction = client.transaction().await.map_err(failed)?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])
        .await
        .map_err(failed)?;
    transaction
        .batch_execute(&DIALECT.render(migrations::CREATE_RECORD))
        .await
        .map_err(failed)?;
    let records = transaction.query(migrations::SELECT_RECORD, &[]).await;
    let applied = records
        .map_err(failed)?
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<(i64, String)>, _>>()
        .map_err(failed)?;
    for step in migrations::pending(MIGRATIONS, &applied)? {
        transaction
            .batch_execute(&step.render(&DIALECT))
            .await
            .map_err(failed)?;
        transaction
            .execute(
                &renumbered(migrations::INSERT_RECORD),
                &[&step.version, &step.name, &step.checksum()],
            )
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// A statement or commit that failed, and what that may mean.
#[derive(Debug)]
pub(super) struct Failure {
    code: Option<SqlState>,
    message: String,
}

impl Failure {
    /// Whether the same body may succeed when it runs again.
    pub(super) fn may_pass(&self) -> bool {
        let is_conflict = [
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::T_R_DEADLOCK_DETECTED,
        ]
        .contains(
            &self
                .code
                .as_ref()
                .unwrap_or(&SqlState::SUCCESSFUL_COMPLETION),
        );
        is_conflict || self.is_violation()
    }

    /// Whether a row was in the way, or one that was needed is not there.
    pub(super) fn is_violation(&self) -> bool {
        let violations = [SqlState::UNIQUE_VIOLATION, SqlState::FOREIGN_KEY_VIOLATION];
        self.code
            .as_ref()
            .is_some_and(|code| violations.contains(code))
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let message = match error.as_db_error() {
            Some(refusal) => refusal.to_string(),
            None => error.to_string(),
        };
        Self {
            code: error.code().cloned(),
            message,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.message)
    }
}

/// A driver inside a transaction that its maker ends.
pub(super) struct PostgresTx<'c> {
    transaction: Transaction<'c>,
    failure: Option<Failure>,
}

impl<'c> PostgresTx<'c> {
    /// A driver of this transaction.
    pub(super) fn new(transaction: Transaction<'c>) -> Self {
        Self {
            transaction,
            failure: None,
        }
    }

    /// The transaction, and the first statement of it that failed, after which it cannot commit.
    pub(super) fn end(self) -> (Transaction<'c>, Option<Failure>) {
        (self.transaction, self.failure)
    }

    async fn prepared(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Statement, tokio_postgres::Error> {
        let types: Vec<Type> = params.iter().map(Param::wire_type).collect();
        let sql = renumbered(sql);
        self.transaction.prepare_typed_cached(&sql, &types).await
    }

    fn checked<T>(&mut self, result: Result<T, tokio_postgres::Error>) -> Result<T, StoreError> {
        result.map_err(|error| {
            let failure = Failure::from(error);
            let answer = StoreError::Failed(failure.message.clone());
            self.failure.get_or_insert(failure);
            answer
        })
    }
}

impl Sql for PostgresTx<'_> {
    async fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let answered = async {
            let statement = self.prepared(sql, params).await?;
            let rows = self.transaction.query(&statement, &erased(params)).await?;
            rows.iter().map(row).collect()
        };
        let result = answered.await;
        self.checked(result)
    }

    async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        let answered = async {
            let statement = self.prepared(sql, params).await?;
            self.transaction.execute(&statement, &erased(params)).await
        };
        let result = answered.await;
        self.checked(result)
    }

    /// Sends every set before it waits for the first answer.
    async fn execute_each(
        &mut self,
        sql: &'static str,
        sets: &[Vec<Param<'_>>],
    ) -> Result<(), StoreError> {
        let Some(first) = sets.first() else {
            return Ok(());
        };
        let answered = async {
            let statement = self.prepared(sql, first).await?;
            let (transaction, statement) = (&self.transaction, &statement);
            let sent = sets.iter().map(|params| async move {
                let params = erased(params);
                transaction.execute(statement, &params).await
            });
            try_join_all(sent).await.map(drop)
        };
        let result = answered.await;
        self.checked(result)
    }
}

/// Our numbered parameters as PostgreSQL writes them. No text has a question mark elsewhere.
fn renumbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn erased<'p>(params: &'p [Param<'p>]) -> Vec<&'p (dyn ToSql + Sync)> {
    params.iter().map(|param| param as _).collect()
}

impl Param<'_> {
    fn wire_type(&self) -> Type {
        match self {
            Self::Null => Type::UNKNOWN,
            Self::Int(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Bytes(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        r#type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql(r#type, out),
            Self::Text(value) => value.to_sql(r#type, out),
            Self::Bytes(value) => value.to_sql(r#type, out),
        }
    }

    fn accepts(r#type: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(r#type)
    }

    to_sql_checked!();
}

fn row(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    let values = (0..row.len()).map(|column| value(row, column));
    values.collect::<Result<_, _>>().map(Row)
}

fn value(row: &tokio_postgres::Row, column: usize) -> Result<Value, tokio_postgres::Error> {
    let value = match *row.columns()[column].type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(column)?.map(Value::Int),
        Type::INT4 => row
            .try_get::<_, Option<i32>>(column)?
            .map(|value| Value::Int(value.into())),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(column)?.map(Value::Bytes),
        _ => row.try_get::<_, Option<String>>(column)?.map(Value::Text),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// The database cannot be reached.
pub(super) fn unavailable(error: impl std::error::Error) -> StoreError {
    StoreError::Unavailable(chain(&error))
}

/// A statement failed.
pub(super) fn failed(error: tokio_postgres::Error) -> StoreError {
    Failure::from(error).into()
}

/// The error with its sources, as the driver keeps the reason in them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
