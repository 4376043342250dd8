//! What is left in the tables when everything of every account is gone: nothing.
//!
//! Each run has a store of its own, so that every row counts, whoever would have made it.

use roadstead_store::metadata::MetadataStore;
use roadstead_store::metadata::contract::{containers, deletion, fresh_account};
use roadstead_store_sql::{PostgresStore, SqliteOptions, SqliteStore};

/// Every table but the record of the schema.
const TABLES: [&str; 33] = [
    "access_key",
    "blob",
    "blob_edge",
    "blob_link",
    "catalog_data",
    "container_deployment",
    "container_image",
    "container_label",
    "container_log",
    "container_place",
    "container_push",
    "container_service",
    "container_usage",
    "deleted_image",
    "event",
    "garbage",
    "image",
    "lease",
    "lifecycle_policy",
    "lifecycle_policy_text",
    "lifecycle_preview",
    "lifecycle_preview_page",
    "lifecycle_run",
    "lifecycle_run_page",
    "logo",
    "manifest",
    "manifest_child",
    "public_registry",
    "registry_alias",
    "repository",
    "repository_policy",
    "resource_tag",
    "upload",
];

async fn fill_and_empty(store: &dyn MetadataStore) {
    let account = |name| fresh_account("rows", name);
    deletion::everything_can_go(store, account("everything_can_go")).await;
    containers::nothing_of_a_service_stays(store, account("nothing_of_a_service_stays")).await;
}

#[tokio::test]
async fn sqlite_is_empty_in_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("metadata.sqlite");
    let store = SqliteStore::open(&path, &SqliteOptions::default()).expect("a store");
    fill_and_empty(&store).await;
    let connection = rusqlite::Connection::open(&path).expect("the file");
    let mut listed = connection
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             AND name NOT IN ('schema_migration', 'tag') ORDER BY name",
        )
        .expect("a query");
    let names = listed.query_map([], |row| row.get::<_, String>(0));
    let names: Vec<String> = names
        .expect("names")
        .map(|name| name.expect("a name"))
        .collect();
    assert_eq!(names, TABLES, "a table that this test does not count");
    for table in TABLES.into_iter().chain(["tag"]) {
        let count = format!("SELECT count(*) FROM {table}");
        let rows: i64 = connection
            .query_row(&count, [], |row| row.get(0))
            .expect(table);
        assert_eq!(rows, 0, "{table}");
    }
}

#[tokio::test]
async fn postgres_is_empty_in_the_end() {
    let url = std::env::var("TEST_POSTGRES_URL")
        .expect("TEST_POSTGRES_URL is not set: run this through `cargo xtask test`");
    let schema = format!("rows_{}", std::process::id());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .expect("a connection");
    let connection = tokio::spawn(connection);
    let recreate = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    client.batch_execute(&recreate).await.expect("a schema");
    let separator = if url.contains('?') { '&' } else { '?' };
    let own = format!("{url}{separator}options=-csearch_path%3D{schema}");
    let store = PostgresStore::connect(&own, 4).await.expect("a store");
    fill_and_empty(&store).await;
    for table in TABLES.into_iter().chain(["tag"]) {
        let count = format!("SELECT count(*) FROM {schema}.{table}");
        let rows: i64 = client.query_one(&count, &[]).await.expect(table).get(0);
        assert_eq!(rows, 0, "{table}");
    }
    drop(store);
    let dropped = client
        .batch_execute(&format!("DROP SCHEMA {schema} CASCADE"))
        .await;
    dropped.expect("dropped");
    connection.abort();
}
