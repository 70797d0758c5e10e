//! Opening a database: migrations, roles, master keys, and what is said when it cannot be.

use crate::database::{Database, master_key, options};
use crate::world::audit;
use postrider_domain::{EventValidation, Millis, Organization};
use postrider_store::{MasterKeys, PostgresStore, Store, StoreError};

#[tokio::test]
async fn several_nodes_open_a_new_database_at_once() {
    let database = Database::create();
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
    let database = Database::create();
    database.open().await.unwrap();
    let refused = PostgresStore::open(&database.url(), master_key(8), &options()).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("give the right key") && said.contains(database.name()), "{said}");
    database.open().await.unwrap();
}

fn organization(id: &str) -> Organization {
    Organization {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        contract: "standard".to_owned(),
        plan: None,
        owner_email: None,
        locale: None,
        event_validation: EventValidation::Off,
        frame_ancestors: vec![],
        created_at: Millis(1_800_000_000_000),
        updated_at: Millis(1_800_000_000_000),
    }
}

/// Or else what it wraps could not be opened any more once that key is thrown away.
#[tokio::test]
async fn a_node_whose_master_key_was_replaced_wraps_no_data_key() {
    let database = Database::create();
    let old = database.open().await.unwrap();
    old.create_organization(&organization("before"), &audit()).await.unwrap();
    let ring = MasterKeys { current: master_key(8), others: vec![master_key(7)] };
    let new = PostgresStore::open(&database.url(), ring, &options()).await.unwrap();
    assert_eq!(new.rewrap().await.unwrap(), 2, "the operator's and the organization's");
    let refused = old.create_organization(&organization("after"), &audit()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    assert!(refused.to_string().contains("start it with the new one"), "{refused}");
    new.create_organization(&organization("after"), &audit()).await.unwrap();
    let alone = PostgresStore::open(&database.url(), master_key(8), &options()).await.unwrap();
    assert!(alone.organization(&"before".parse().unwrap()).await.unwrap().is_some());
    assert_eq!(alone.rewrap().await.unwrap(), 0);
}
