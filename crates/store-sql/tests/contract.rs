//! The metadata contract over both adapters: one named test for each case and store.

use roadstead_store::metadata::contract::{Subject, fresh_account};
use roadstead_store::metadata_contract;
use roadstead_store_sql::{SqliteOptions, SqliteStore};

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

metadata_contract!(sqlite, embedded);
