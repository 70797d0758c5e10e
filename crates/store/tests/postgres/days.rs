//! History by days: partitions are made ahead, made when they are missing, and dropped whole.

use postrider_domain::Millis;
use postrider_store::Store;
use tokio_postgres::Client;

use crate::database::Database;
use crate::world::{NOW, Node, acme, populate};

const DAY: i64 = 24 * 3_600_000;

fn at(days: i64) -> Millis {
    Millis(NOW.0 + days * DAY)
}

/// How many partitions a table has.
async fn partitions(client: &Client, table: &str) -> i64 {
    let sql = "SELECT count(*) FROM pg_inherits WHERE inhparent = $1::text::regclass";
    client.query_one(sql, &[&format!("postrider.{table}")]).await.unwrap().get(0)
}

#[tokio::test]
async fn partitions_are_there_for_a_week_and_made_for_any_other_day_at_its_first_event() {
    let database = Database::create();
    let node = Node::start(&database).await;
    let client = database.client().await;
    for table in ["events", "event_resources", "deliveries", "attempts"] {
        assert_eq!(partitions(&client, table).await, 8, "{table}: today and seven days");
    }
    let endpoints = populate(&node.store, 1).await;
    // From several tasks at once, each of which finds it missing.
    let commits = (0..8).map(|_| node.commit_at(&endpoints, at(100)));
    for committed in futures_of(commits).await {
        committed.unwrap();
    }
    assert_eq!(partitions(&client, "events").await, 9);
    for open in node.claim(endpoints[0]).await {
        node.succeed(&open).await;
    }
    assert_eq!(partitions(&client, "attempts").await, 9);
}

/// All at once, on this task.
async fn futures_of<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        futures.retain_mut(|future| match future.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test]
async fn a_day_goes_whole_once_it_is_over_while_others_are_worked_with() {
    let database = Database::create();
    let node = Node::start(&database).await;
    let client = database.client().await;
    let endpoints = populate(&node.store, 1).await;
    for day in 0..3 {
        node.commit_at(&endpoints, at(day)).await.unwrap();
    }
    let open = node.claim(endpoints[0]).await;
    for open in &open {
        node.succeed(open).await;
    }
    let before = partitions(&client, "deliveries").await;
    let (dropped, ()) = tokio::join!(node.store.retain(at(2), at(1), 100), async {
        for _ in 0..20 {
            node.commit_at(&endpoints, at(2)).await.unwrap();
        }
    });
    dropped.unwrap();
    // That day and those before it, which were made for the days on which this test runs.
    let after = partitions(&client, "deliveries").await;
    assert!(after < before, "{after} of {before}");
    assert!(node.store.delivery(&acme(), open[0].id).await.unwrap().is_none());
    for open in &open[1..] {
        assert!(node.store.delivery(&acme(), open.id).await.unwrap().is_some());
    }
    let left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'postrider'::regnamespace AND relkind = 'r' AND NOT relispartition
                AND relname LIKE '%\\_day\\_%'";
    assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0, "none is left detached");
}

#[tokio::test]
async fn a_drop_that_broke_off_is_finished_by_the_next_step() {
    let database = Database::create();
    let node = Node::start(&database).await;
    let client = database.client().await;
    let endpoints = populate(&node.store, 1).await;
    node.commit_at(&endpoints, at(0)).await.unwrap();
    let name = format!("events_day_{}", NOW.0 / DAY);
    let detach = format!("ALTER TABLE postrider.events DETACH PARTITION postrider.{name} CONCURRENTLY");
    client.batch_execute(&detach).await.unwrap();
    while node.store.retain(at(1), at(1), 100).await.unwrap().more {}
    let there = client.query_one("SELECT to_regclass($1) IS NULL", &[&format!("postrider.{name}")]).await.unwrap();
    assert!(there.get::<_, bool>(0));
}
