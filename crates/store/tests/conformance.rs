//! The conformance suite on SQLite.
#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use postrider_store::conformance::{Leased, Subject};
use postrider_store::{MasterKey, SqliteOptions, SqliteStore};

struct Sqlite {
    dir: tempfile::TempDir,
    store: Leased,
}

async fn open(dir: &tempfile::TempDir) -> Leased {
    let master = MasterKey::from_base64("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=").unwrap();
    Leased::new(Arc::new(SqliteStore::open(dir.path(), master, &SqliteOptions::default()).unwrap())).await
}

#[async_trait]
impl Subject for Sqlite {
    fn store(&self) -> Leased {
        self.store.clone()
    }

    async fn reopen(&mut self) {
        self.store.close().await.unwrap();
        self.store = open(&self.dir).await;
    }
}

async fn make() -> Sqlite {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    Sqlite { dir, store }
}

postrider_store::conformance_suite!(crate::make);
