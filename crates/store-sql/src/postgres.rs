//! The shared store: PostgreSQL. Not there yet.

/// A metadata store in a PostgreSQL database.
pub struct PostgresStore;
