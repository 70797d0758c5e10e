//! A login role with no rights but those that the program says it needs.

use postrider_store::{PostgresStore, Store, StoreError};

use crate::database::{Database, master_key, options};
use crate::world::{LATER, LONG, NOW, Node, STORED, audit, populate};

/// Gone with what it owns.
struct Login {
    database: Database,
    name: String,
}

impl Drop for Login {
    fn drop(&mut self) {
        let url = self.database.url();
        postrider_scratch::run(&url, &format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", self.name));
    }
}

#[tokio::test]
async fn a_user_without_rights_is_told_what_an_administrator_runs_and_that_is_enough() {
    let database = Database::create();
    let admin = database.client().await;
    let name = format!("{}_app", database.name());
    // So that the roles are there, whichever test comes first on this server.
    database.open().await.unwrap();
    admin.batch_execute(&format!("DROP SCHEMA postrider CASCADE; CREATE ROLE {name} LOGIN")).await.unwrap();
    let login = Login { database, name };
    let url = login.database.url().replace("postgres://postgres@", &format!("postgres://{}@", login.name));
    let refused = PostgresStore::open(&url, master_key(7), &options()).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused}");
    let said = refused.to_string();
    let (_, sql) = said.split_once("administrator run: ").unwrap();
    for statement in sql.split("; ").filter(|statement| statement.starts_with("GRANT")) {
        admin.batch_execute(statement).await.unwrap();
    }
    let store = PostgresStore::open(&url, master_key(7), &options()).await.unwrap();
    let node = Node::with(store, LONG).await;
    let endpoints = populate(&node.store, 2).await;
    assert_eq!(node.commit(&endpoints).await.unwrap(), STORED);
    // On a day whose partitions are missing, too.
    node.commit_at(&endpoints[..1], LATER).await.unwrap();
    for open in node.claim(endpoints[0]).await {
        node.succeed(&open).await;
    }
    node.store.delete_endpoint(&crate::world::acme(), endpoints[1], &audit()).await.unwrap();
    while node.store.retain(NOW, NOW, 100).await.unwrap().more {}
    assert_eq!(node.store.stats().await.unwrap().open_deliveries, 0);
    node.store.close().await.unwrap();
}
