//! Moving what a store holds into another: from SQLite to Postgres, from Postgres to Postgres, and back.

use std::sync::Arc;

use postrider_store::conformance::transfer as cases;
use postrider_store::{MasterKey, PostgresStore, SqliteOptions, SqliteStore};

use crate::database::{Database, master_key};

/// An empty store in a directory.
fn embedded() -> (tempfile::TempDir, Arc<SqliteStore>) {
    let dir = tempfile::tempdir().unwrap();
    let master: MasterKey = master_key(8);
    let store = SqliteStore::open(dir.path(), master, &SqliteOptions::default()).unwrap();
    (dir, Arc::new(store))
}

/// An empty store in a database.
async fn database() -> (Database, Arc<PostgresStore>) {
    let database = Database::create();
    let store = Arc::new(database.open().await.unwrap());
    (database, store)
}

macro_rules! cases {
    ($between:ident: $source:expr, $target:expr; $($case:ident),*) => {
        mod $between {
            #[allow(unused_imports, reason = "one of the two stores may be none of these")]
            use super::{cases, database, embedded};

            $(#[tokio::test]
            async fn $case() {
                let ((_one, source), (_other, target)) = ($source, $target);
                cases::$case(source, target).await;
            })*
        }
    };
}

cases!(
    sqlite_to_postgres: embedded(), database().await;
    everything_comes_along,
    an_import_that_broke_off_goes_on,
    what_is_there_is_not_touched
);
cases!(
    postgres_to_postgres: database().await, database().await;
    everything_comes_along,
    what_is_set_aside_is_neither_seen_nor_sent
);
cases!(
    postgres_to_sqlite: database().await, embedded();
    everything_comes_along,
    what_is_set_aside_is_neither_seen_nor_sent
);
