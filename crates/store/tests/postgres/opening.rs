//! Opening a database: migrations, roles, master keys, and what is said when it cannot be.

use crate::database::{Database, master_key, options};
use postrider_store::{PostgresStore, StoreError};

#[tokio::test]
async fn several_nodes_open_a_new_database_at_once() {
    let database = Database::create().await;
    let opened = tokio::join!(database.open(), database.open(), database.open(), database.open());
    for store in [opened.0, opened.1, opened.2, opened.3] {
        store.unwrap();
    }
    let client = database.client().await;
    let keys: i64 = client.query_one("SELECT count(*) FROM postrider.data_keys", &[]).await.unwrap().get(0);
    assert_eq!(keys, 1, "the operator's data key is made once");
}

#[tokio::test]
async fn another_master_key_is_refused() {
    let database = Database::create().await;
    database.open().await.unwrap();
    let refused = PostgresStore::open(&database.url(), master_key(8), &options()).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("give the right key") && said.contains(&database.name), "{said}");
    database.open().await.unwrap();
}
