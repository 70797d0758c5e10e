//! Programs of two versions side by side on one database, while both work.

use std::sync::atomic::{AtomicBool, Ordering};

use postrider_store::{MIGRATIONS, Migration, PostgresOptions, StoreError};

use crate::database::{Database, options};
use crate::world::{LONG, Node, populate};

/// What a next version may do while the one before goes on: more of everything, and nothing less.
const NEXT: &str = "-- step
ALTER TABLE open_deliveries ADD COLUMN priority smallint NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN region text;
-- step
CREATE TABLE next_ones (org uuid NOT NULL, no bigint NOT NULL, PRIMARY KEY (org, no));
ALTER TABLE next_ones ENABLE ROW LEVEL SECURITY;
ALTER TABLE next_ones FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON next_ones TO postrider_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON next_ones TO postrider_engine;
-- step outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS open_deliveries_by_priority ON open_deliveries (org, endpoint, priority);
";

/// The migrations there are and one more, which this oldest program can work with.
fn and_one_more(oldest_program: i32) -> PostgresOptions {
    let mut migrations = MIGRATIONS.to_vec();
    let version = migrations.last().unwrap().version + 1;
    migrations.push(Migration { version, oldest_program, sql: NEXT });
    PostgresOptions { migrations: migrations.leak(), ..options() }
}

#[tokio::test]
async fn nodes_of_the_version_before_go_on_before_while_and_after_the_next_one_migrates() {
    let database = Database::create();
    let old = Node::start(&database).await;
    let endpoints = populate(&old.store, 4).await;
    let is_over = AtomicBool::new(false);
    let working = async {
        let mut sent = 0;
        loop {
            let was_over = is_over.load(Ordering::Relaxed);
            for endpoint in &endpoints {
                old.commit(&[*endpoint]).await.unwrap();
                for open in old.claim(*endpoint).await {
                    old.succeed(&open).await;
                    sent += 1;
                }
            }
            if was_over {
                return sent;
            }
        }
    };
    let migrating = async {
        let new = database.open_with(&and_one_more(1)).await.unwrap();
        let new = Node::with(new, LONG).await;
        // A second one of each finds everything done.
        database.open_with(&and_one_more(1)).await.unwrap();
        let late = Node::start(&database).await;
        for node in [&new, &late] {
            node.commit(&endpoints).await.unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let (sent, ()) = tokio::join!(working, migrating);
    assert!(sent > endpoints.len());
    let client = database.client().await;
    let found = client.query_one(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'postrider.open_deliveries_by_priority'::regclass",
        &[],
    );
    assert!(found.await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn a_program_that_is_too_old_for_the_tables_is_refused_and_one_that_runs_goes_on() {
    let database = Database::create();
    let old = Node::start(&database).await;
    let newest = MIGRATIONS.last().unwrap().version;
    let new = database.open_with(&and_one_more(newest + 1)).await.unwrap();
    let refused = database.open().await.err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused}");
    assert!(refused.to_string().contains("start the newer version"), "{refused}");
    populate(&new, 0).await;
    assert!(postrider_store::Store::check(&old.store, crate::world::NOW).await.is_ok());
}

/// It goes on behind the step that was done last.
#[tokio::test]
async fn a_migration_that_broke_off_is_finished_by_the_next_node() {
    let database = Database::create();
    database.open().await.unwrap();
    let client = database.client().await;
    let version = MIGRATIONS.last().unwrap().version + 1;
    let first = NEXT.split("-- step").nth(1).unwrap();
    let by_then = format!(
        "SET search_path = postrider; {first};
         INSERT INTO migrations (version, oldest_program, steps_done) VALUES ({version}, 1, 1)"
    );
    client.batch_execute(&by_then).await.unwrap();
    database.open_with(&and_one_more(1)).await.unwrap();
    let done = client
        .query_one("SELECT applied_at IS NOT NULL, steps_done FROM migrations ORDER BY version DESC LIMIT 1", &[]);
    let done = done.await.unwrap();
    assert_eq!((done.get::<_, bool>(0), done.get::<_, i32>(1)), (true, 3));
}
