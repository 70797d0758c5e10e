//! A lane that is released while others commit for it.

use postrider_domain::EndpointId;
use postrider_store::Committed;
use tokio::task::JoinSet;

use crate::database::Database;
use crate::world::{Node, STORED, populate, soon};

const COMMITTERS: i64 = 3;

/// Until so many sessions of this database wait for a lock.
async fn waiting(client: &tokio_postgres::Client, count: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let all_wait = async { while client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) < count {} };
    soon(all_wait).await;
}

#[tokio::test]
async fn commits_that_met_a_release_do_not_wait_for_each_other() {
    let database = Database::create();
    let mut client = database.client().await;
    // Postgres finds out in its own time that some wait for each other: here in no time that a test has.
    let never = format!("ALTER DATABASE {} SET deadlock_timeout = '1h'", database.name());
    client.batch_execute(&never).await.unwrap();
    let holder = Node::start(&database).await;
    let endpoints: Vec<EndpointId> = populate(&holder.store, 1).await;
    assert_eq!(holder.commit(&endpoints).await.unwrap(), STORED);
    let mut nodes = Vec::new();
    for _ in 0..COMMITTERS {
        nodes.push(Node::start(&database).await);
    }
    let looker = database.client().await;
    let release = client.transaction().await.unwrap();
    release.batch_execute("SELECT FROM postrider.lanes FOR UPDATE").await.unwrap();
    let mut commits = JoinSet::new();
    for node in nodes {
        let endpoints = endpoints.clone();
        commits.spawn(async move { node.commit(&endpoints).await.unwrap() });
    }
    waiting(&looker, COMMITTERS).await;
    release.batch_execute("UPDATE postrider.lanes SET lease = NULL, due_at = 0").await.unwrap();
    release.commit().await.unwrap();
    let committed = soon(commits.join_all()).await;
    let taken = committed.iter().filter(|committed| **committed == STORED).count();
    let elsewhere = Committed::Stored { elsewhere: endpoints };
    assert_eq!(taken, 1, "one of them takes it");
    assert!(committed.iter().all(|committed| *committed == STORED || *committed == elsewhere), "{committed:?}");
}
