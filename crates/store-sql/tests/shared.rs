//! What is PostgreSQL's alone: several servers on one database.

use futures_util::future::{join_all, try_join_all};
use roadstead_store::metadata::contract::{concurrency, fresh_account, revival};
use roadstead_store::metadata::{ErasedRead, ErasedWrite, MetadataStore, StoreError};
use roadstead_store_sql::PostgresStore;
use std::sync::atomic::{AtomicUsize, Ordering};

fn url() -> String {
    std::env::var("TEST_POSTGRES_URL")
        .expect("TEST_POSTGRES_URL is not set: run this through `cargo xtask test`")
}

/// Servers that take turns: each call goes to the next one.
struct Servers {
    stores: Vec<PostgresStore>,
    calls: AtomicUsize,
}

impl Servers {
    fn next(&self) -> &PostgresStore {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        &self.stores[call % self.stores.len()]
    }
}

#[async_trait::async_trait]
impl MetadataStore for Servers {
    async fn write_erased(&self, body: ErasedWrite) -> Result<(), StoreError> {
        self.next().write_erased(body).await
    }

    async fn read_erased(&self, body: ErasedRead) -> Result<(), StoreError> {
        self.next().read_erased(body).await
    }
}

async fn servers() -> Servers {
    let url = url();
    let stores = try_join_all((0..3).map(|_| PostgresStore::connect(&url, 4))).await;
    Servers {
        stores: stores.expect("three servers"),
        calls: AtomicUsize::new(0),
    }
}

/// The cases of concurrency hold when the writers are spread over servers.
macro_rules! across_servers {
    ($family:ident: $($case:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let run = format!("servers {}", std::process::id());
                let fresh = fresh_account(&run, stringify!($case));
                $family::$case(&servers().await, fresh).await;
            }
        )+
    };
}

across_servers! { concurrency:
    one_name_has_one_winner
    one_immutable_tag_has_one_winner
    the_sweep_never_takes_what_is_linked
    the_sweep_never_takes_what_is_pushed
    a_push_meets_the_deletion_of_another_image
    both_last_links_go_at_once
    one_upload_has_one_finisher
}

across_servers! { revival:
    a_purge_meets_a_push
    a_revival_meets_a_push
    a_revival_meets_a_purge_and_the_sweep
    a_repository_has_one_fate
    departures_at_once
    runs_at_once
}

/// Servers that start together on an empty database make its schema once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_start_together() {
    let url = url();
    let schema = format!("together_{}", std::process::id());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .expect("a connection");
    let connection = tokio::spawn(connection);
    let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    client.batch_execute(&create).await.expect("a schema");
    let separator = if url.contains('?') { '&' } else { '?' };
    let own = format!("{url}{separator}options=-csearch_path%3D{schema}");
    let started = join_all((0..5).map(|_| PostgresStore::connect(&own, 1))).await;
    for store in started {
        assert!(store.is_ok(), "{:?}", store.err());
    }
    let count = format!("SELECT count(*) FROM {schema}.schema_migration WHERE version = 1");
    let rows: i64 = client.query_one(&count, &[]).await.expect("a count").get(0);
    assert_eq!(rows, 1);
    let change = format!("UPDATE {schema}.schema_migration SET checksum = 'x'");
    client.batch_execute(&change).await.expect("changed");
    let refused = PostgresStore::connect(&own, 1).await.err();
    assert!(
        matches!(refused, Some(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    client.batch_execute(&drop).await.expect("dropped");
    connection.abort();
}

#[tokio::test]
async fn no_database_is_unavailable() {
    for url in ["not a url", "postgres://postgres@127.0.0.1:1/nothing"] {
        let refused = PostgresStore::connect(url, 1).await.err();
        assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{url}");
    }
}
