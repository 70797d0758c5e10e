//! The conformance suite on SQLite.
#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use postrider_store::conformance::Subject;
use postrider_store::{MasterKey, SqliteOptions, SqliteStore, Store};

struct Sqlite {
    dir: tempfile::TempDir,
    store: Arc<SqliteStore>,
}

fn open(dir: &tempfile::TempDir) -> Arc<SqliteStore> {
    let master = MasterKey::from_base64("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=").unwrap();
    Arc::new(SqliteStore::open(dir.path(), master, &SqliteOptions::default()).unwrap())
}

#[async_trait]
impl Subject for Sqlite {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    async fn reopen(&mut self) {
        self.store.close().await.unwrap();
        self.store = open(&self.dir);
    }
}

async fn make() -> Sqlite {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    Sqlite { dir, store }
}

postrider_store::conformance_suite!(crate::make);
