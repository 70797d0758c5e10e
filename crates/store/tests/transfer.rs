//! Moving what a store holds into another: SQLite to SQLite.
#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use postrider_store::conformance::transfer as cases;
use postrider_store::{MasterKey, SqliteOptions, SqliteStore};

/// An empty store with a master key of its own.
fn empty(key: u8) -> (tempfile::TempDir, Arc<SqliteStore>) {
    let dir = tempfile::tempdir().unwrap();
    let master = MasterKey::from_base64(&data_encoding::BASE64.encode(&[key; 32])).unwrap();
    let store = SqliteStore::open(dir.path(), master, &SqliteOptions::default()).unwrap();
    (dir, Arc::new(store))
}

macro_rules! between {
    ($($case:ident),*) => {
        $(#[tokio::test]
        async fn $case() {
            let ((_one, source), (_other, target)) = (empty(1), empty(2));
            cases::$case(source, target).await;
        })*
    };
}

between!(
    everything_comes_along,
    an_import_that_broke_off_goes_on,
    what_is_there_is_not_touched,
    what_is_set_aside_is_neither_seen_nor_sent
);
