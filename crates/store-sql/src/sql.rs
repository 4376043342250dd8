//! The narrow waist between statements and drivers: a text, parameters, rows.
//!
//! Statements number their parameters `?1 ?2 …`; integers are 64 bits, booleans 0 and 1. A driver
//! implements [`Sql`]; the port's traits are implemented once, over [`Tx`].

use roadstead_domain::ids::RepositoryId;
use roadstead_store::metadata::{Part, StoreError};

/// One parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Param<'a> {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// One row of an answer; columns are read by position.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    /// A column that is an integer.
    pub(crate) fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.optional_int(column)?.ok_or_else(|| unexpected(column))
    }

    /// A column that is an integer or NULL.
    pub(crate) fn optional_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected(column)),
        }
    }

    /// A column that is a text.
    pub(crate) fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.optional_text(column)?
            .ok_or_else(|| unexpected(column))
    }

    /// A column that is a text or NULL.
    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected(column)),
        }
    }

    /// Takes a column that is bytes.
    pub(crate) fn take_bytes(&mut self, column: usize) -> Result<Vec<u8>, StoreError> {
        match self.0.get_mut(column) {
            Some(Value::Bytes(value)) => Ok(std::mem::take(value)),
            _ => Err(unexpected(column)),
        }
    }
}

fn unexpected(column: usize) -> StoreError {
    StoreError::Corrupt(format!("column {column} is not of its type"))
}

/// Runs statements inside one transaction. Texts are static, so that each is prepared once.
pub(crate) trait Sql: Send {
    /// Every row of the answer.
    fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    /// How many rows the statement changed.
    fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Runs one statement once for each set of parameters, in order.
    fn execute_each(
        &mut self,
        sql: &'static str,
        sets: &[Vec<Param<'_>>],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes down that this transaction takes away or replaces something of a part of a repository
    /// that a read may have found: its epoch ends with the commit. A driver without epochs need not.
    fn changes(&mut self, _repository: RepositoryId, _part: Part) {}
}

/// The port's handle of one transaction over a driver.
pub(crate) struct Tx<S>(pub(crate) S);

impl<S: Sql> Tx<S> {
    /// The first row of the answer, if there is one.
    pub(crate) async fn query_first(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.0.query(sql, params).await?.into_iter().next())
    }
}

/// A page size as SQL takes it.
pub(crate) fn limit(rows: usize) -> Param<'static> {
    Param::Int(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// A count or size as SQL takes it.
pub(crate) fn size(value: u64) -> Param<'static> {
    Param::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The parameters of a statement, each converted.
macro_rules! params {
    ($($value:expr),* $(,)?) => { [$($crate::sql::Param::from($value)),*] };
}
pub(crate) use params;
