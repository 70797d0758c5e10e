//! The conformance suite on Postgres.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::Millis;
use postrider_store::conformance::{Leased, Subject};

use crate::database::Database;

/// More lanes than any case has.
const LANES: usize = 10_000;

struct Postgres {
    database: Database,
    store: Leased,
}

async fn open(database: &Database) -> Leased {
    let store = Leased::new(Arc::new(database.open().await.unwrap())).await;
    store.take_lanes(store.lease(), Millis(i64::MAX), LANES).await.unwrap();
    store
}

#[async_trait]
impl Subject for Postgres {
    fn store(&self) -> Leased {
        self.store.clone()
    }

    async fn reopen(&mut self) {
        // As its lease's running out would; the store may be closed already.
        let other = self.database.open().await.unwrap();
        postrider_store::Store::revoke_lease(&other, self.store.lease()).await.unwrap();
        self.store.close().await.unwrap();
        self.store = open(&self.database).await;
    }

    fn drops_whole_days(&self) -> bool {
        true
    }
}

async fn make() -> Postgres {
    let database = Database::create();
    let store = open(&database).await;
    Postgres { database, store }
}

postrider_store::conformance_suite!(crate::conformance::make);
