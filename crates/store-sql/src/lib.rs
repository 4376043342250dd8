//! The metadata port over SQL: one text of every statement, two adapters.
//!
//! `statements` says what is asked and changed and knows no driver; `sqlite` and `postgres` run it
//! and know no table. Nothing here decides anything, reads a clock or draws randomness.

mod migrations;
#[cfg(test)]
mod plans;
mod postgres;
mod sql;
mod sqlite;
mod statements;

pub use postgres::PostgresStore;
pub use sqlite::{SqliteOptions, SqliteStore};
