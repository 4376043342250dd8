//! The metadata contract over both adapters: one named test for each case and store.
//!
//! The cases of the shared store need a server, `cargo xtask test` starts one, and fail without:
//! a case that is skipped proves nothing.

use roadstead_store::metadata::contract::{Subject, fresh_account};
use roadstead_store::metadata_contract;
use roadstead_store_sql::{PostgresStore, SqliteOptions, SqliteStore};

async fn embedded(name: &'static str) -> Subject {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("metadata.sqlite");
    let store = SqliteStore::open(&path, &SqliteOptions::default()).expect("a store");
    Subject {
        store: Box::new(store),
        fresh: fresh_account("", name),
        guard: Box::new(directory),
    }
}

/// Fewer connections than a case has writers, so that some wait.
const CONNECTIONS: usize = 8;

async fn shared(name: &'static str) -> Subject {
    let url = std::env::var("TEST_POSTGRES_URL")
        .expect("TEST_POSTGRES_URL is not set: run this through `cargo xtask test`");
    let store = PostgresStore::connect(&url, CONNECTIONS).await;
    let run = std::process::id().to_string();
    Subject {
        store: Box::new(store.expect("a store")),
        fresh: fresh_account(&run, name),
        guard: Box::new(()),
    }
}

metadata_contract!(sqlite, embedded);
metadata_contract!(postgres, shared);
