//! How the hot path's statements find their rows. What the database counted while the store worked is looked at, so that the statements are held as
//! they are, under the plans that they really get: which indexes were used, how many rows were read, and the partitions of which days.

use std::collections::{BTreeMap, BTreeSet};

use postrider_domain::{EndpointId, Millis};
use postrider_store::{DeliveryFilter, LeaseNo, OpenDelivery, PageRequest, Recorded, Store};
use tokio_postgres::Client;

use crate::database::Database;
use crate::world::{NOW, Node, STORED, acme, event, populate, soon, succeeded};

const DAY_MS: i64 = 24 * 3_600_000;
/// Days that history has.
const DAYS: i64 = 6;
const ENDPOINTS: usize = 20;
/// How often each row is copied: enough that reading all of them is told from reading some.
const COPIES: i64 = 300;
/// Tables of which no plan may read all.
const LARGE: [&str; 6] = ["open_deliveries", "lanes", "events", "event_resources", "deliveries", "attempts"];

fn days_ago(days: i64) -> Millis {
    Millis(NOW.0 - days * DAY_MS)
}

fn partition(table: &str, at: Millis) -> String {
    format!("{table}_day_{}", at.0.div_euclid(DAY_MS))
}

/// Each with another id of the same day; open work is due a year later, so that nobody wants it now.
fn copies() -> String {
    format!(
        "SET search_path = postrider;
         CREATE FUNCTION pg_temp.another(uuid) RETURNS uuid LANGUAGE sql VOLATILE
             AS $$ SELECT (left($1::text, 18) || right(gen_random_uuid()::text, 18))::uuid $$;
         CREATE TEMP TABLE of_events AS SELECT e.* FROM events e, generate_series(1, {COPIES});
         UPDATE of_events SET key = pg_temp.another(key);
         INSERT INTO events SELECT * FROM of_events;
         CREATE TEMP TABLE of_open AS SELECT d.* FROM open_deliveries d, generate_series(1, {COPIES});
         UPDATE of_open SET id = pg_temp.another(id), due_at = due_at + 365 * {DAY_MS}::bigint;
         INSERT INTO open_deliveries SELECT * FROM of_open;
         CREATE TEMP TABLE of_ended AS SELECT d.* FROM deliveries d, generate_series(1, {COPIES});
         UPDATE of_ended SET id = pg_temp.another(id);
         INSERT INTO deliveries SELECT * FROM of_ended;
         CREATE TEMP TABLE of_attempts AS SELECT a.* FROM attempts a, generate_series(1, {COPIES});
         UPDATE of_attempts SET delivery = pg_temp.another(delivery);
         INSERT INTO attempts SELECT * FROM of_attempts;
         ANALYZE"
    )
}

/// Its open work becomes history.
async fn end_all(node: &Node, endpoint: EndpointId) -> Vec<OpenDelivery> {
    let ended = node.claim(endpoint).await;
    for open in &ended {
        assert_eq!(node.succeed(open).await, Recorded::Recorded);
    }
    ended
}

/// A database with much in it.
struct Crowded {
    database: Database,
    client: Client,
    lease: LeaseNo,
    /// The first ones have open work alone, but the second history alone, as the eleventh to the fifteenth; what follows is of free lanes.
    endpoints: Vec<EndpointId>,
    /// The second's, one of each day, the oldest first.
    ended: Vec<OpenDelivery>,
}

impl Crowded {
    async fn make() -> Self {
        let database = Database::create();
        let client = database.client().await;
        let node = Node::start(&database).await;
        let endpoints = populate(&node.store, ENDPOINTS).await;
        for days in 0..DAYS {
            assert_eq!(node.commit_at(&endpoints, days_ago(days)).await.unwrap(), STORED);
        }
        // Others' history lies between the second's.
        for endpoint in &endpoints[10..15] {
            end_all(&node, *endpoint).await;
        }
        let ended = end_all(&node, endpoints[1]).await;
        node.release(&endpoints[15..]).await;
        // A session counts what it did a while later: the one that fills the tables ends before anything is looked at.
        database.client().await.batch_execute(&copies()).await.unwrap();
        let crowded = Crowded { database, client, lease: node.lease, endpoints, ended };
        crowded.leave(node).await;
        crowded
    }

    /// Closes a node and waits until its sessions are over: what they did is counted then.
    async fn leave(&self, node: Node) {
        node.store.close().await.unwrap();
        drop(node);
        let others =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                      AND backend_type = 'client backend'";
        let count = async || self.client.query_one(others, &[]).await.unwrap().get::<_, i64>(0);
        soon(async { while count().await > 0 {} }).await;
    }

    /// What was touched while a fresh node did something; it remembers nothing that it would not have to read.
    async fn touched(&self, work: impl AsyncFnOnce(&Node)) -> Touched {
        let node = Node { store: self.database.open().await.unwrap(), lease: self.lease };
        // Whatever an opening reads is not counted; its sessions are not those that work.
        self.client.batch_execute("SELECT pg_stat_reset()").await.unwrap();
        work(&node).await;
        self.leave(node).await;
        let touched = Touched::read(&self.client).await;
        touched.nothing_was_read_whole();
        touched
    }
}

/// What was read, of every table and index.
#[derive(Debug)]
struct Touched {
    read_whole: BTreeMap<String, i64>,
    /// By table.
    index_scans: BTreeMap<String, i64>,
    /// By table: entries of its indexes.
    entries: BTreeMap<String, i64>,
}

impl Touched {
    async fn read(client: &Client) -> Self {
        let by_table = async |sql: &str| -> BTreeMap<String, i64> {
            let rows = client.query(sql, &[]).await.unwrap();
            rows.iter().map(|row| (row.get(0), row.get(1))).filter(|(_, count)| *count > 0).collect()
        };
        let of = |what: &str| {
            format!(
                "SELECT relname::text, coalesce(sum({what}), 0)::bigint FROM pg_stat_user_indexes WHERE schemaname = 'postrider' GROUP BY 1"
            )
        };
        Touched {
            read_whole: by_table(
                "SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'postrider'",
            )
            .await,
            index_scans: by_table(&of("idx_scan")).await,
            entries: by_table(&of("idx_tup_read")).await,
        }
    }

    fn nothing_was_read_whole(&self) {
        let of_large =
            |name: &&String| LARGE.iter().any(|table| *name == table || name.starts_with(&format!("{table}_day_")));
        let whole: Vec<_> = self.read_whole.keys().filter(of_large).collect();
        assert!(whole.is_empty(), "read from end to end: {whole:?}");
    }

    /// The partitions of these days were looked at, and no others.
    #[track_caller]
    fn days(&self, table: &str, days: &[Millis]) {
        let prefix = format!("{table}_day_");
        let seen: BTreeSet<_> = self.index_scans.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
        let wanted: BTreeSet<_> = days.iter().map(|day| partition(table, *day)).collect();
        assert_eq!(seen, wanted, "days of {table}");
    }

    /// Something was looked up, and about as much as was wanted.
    #[track_caller]
    fn entries(&self, table: &str, at_most: i64) {
        let of = |counts: &BTreeMap<String, i64>| counts.get(table).copied().unwrap_or(0);
        assert!(of(&self.index_scans) > 0, "{table} was not looked at: {self:?}");
        assert!(of(&self.entries) <= at_most, "{} entries of {table}, for {at_most} at most", of(&self.entries));
    }
}

fn page(limit: usize) -> PageRequest {
    PageRequest { limit, before: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_claimed_by_index_with_the_events_of_its_days_alone() {
    let crowded = Crowded::make().await;
    let endpoint = crowded.endpoints[0];
    let claimed = crowded
        .touched(async |node| {
            let claimed = node.store.claim_due(crowded.lease, &acme(), endpoint, NOW, 3, vec![]).await.unwrap();
            assert_eq!(claimed.len(), 3);
        })
        .await;
    claimed.entries("open_deliveries", 6);
    claimed.entries("lanes", 2);
    claimed.days("events", &[days_ago(5), days_ago(4), days_ago(3)]);
    claimed.entries(&partition("events", days_ago(4)), 2);
    claimed.days("deliveries", &[]);

    let due_later = crowded
        .touched(async |node| {
            assert!(node.store.lane_due(&acme(), endpoint, NOW).await.unwrap().is_some());
        })
        .await;
    due_later.entries("open_deliveries", 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_are_taken_and_looked_through_by_index() {
    let crowded = Crowded::make().await;
    let looked = crowded
        .touched(async |node| {
            let due = node.store.lanes_due(crowded.lease, None, 8).await.unwrap();
            assert_eq!(due.len(), 8);
        })
        .await;
    // One for each lane, and the one that has history alone.
    looked.entries("open_deliveries", 2 * 9);
    let taken = crowded.touched(async |node| assert_eq!(node.take(3).await.len(), 3)).await;
    taken.entries("open_deliveries", 2 * 3);
    // Found among the free ones, then attached by their keys.
    taken.entries("lanes", 4 * 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_and_records_look_at_nothing_but_what_they_write() {
    let crowded = Crowded::make().await;
    let committed = crowded
        .touched(async |node| {
            let new = event(&crowded.endpoints[..5], NOW);
            node.store.commit_events(node.basis(), &acme(), vec![new]).await.unwrap();
        })
        .await;
    for table in ["events", "deliveries", "attempts"] {
        committed.days(table, &[]);
    }
    assert!(!committed.index_scans.contains_key("open_deliveries"), "{committed:?}");

    let node = Node { store: crowded.database.open().await.unwrap(), lease: crowded.lease };
    let open = node.claim(crowded.endpoints[3]).await;
    crowded.leave(node).await;
    let at = days_ago(4);
    let open = open.iter().find(|open| open.due_at == at).unwrap();
    let recorded = crowded
        .touched(async |node| {
            let outcome = succeeded(crowded.lease, open);
            assert_eq!(node.store.record_outcomes(&[outcome]).await.unwrap(), [Recorded::Recorded]);
        })
        .await;
    recorded.entries("open_deliveries", 4);
    for table in ["events", "deliveries", "attempts"] {
        recorded.days(table, &[]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_read_by_index_from_the_days_that_are_wanted() {
    let crowded = Crowded::make().await;
    let filter = DeliveryFilter { endpoint: Some(crowded.endpoints[1]), ..DeliveryFilter::default() };
    let list = async |filter: &DeliveryFilter, node: &Node| {
        let listed = node.store.deliveries(&acme(), filter, page(20)).await.unwrap();
        assert_eq!(listed.rows.len(), 20);
    };
    let of_endpoint = crowded.touched(async |node| list(&filter, node).await).await;
    of_endpoint.days("deliveries", &[NOW]);
    of_endpoint.entries(&partition("deliveries", NOW), 60);
    let of_all = crowded.touched(async |node| list(&DeliveryFilter::default(), node).await).await;
    of_all.days("deliveries", &[NOW]);

    let (at, ended) = (days_ago(2), &crowded.ended[3]);
    assert_eq!(ended.due_at, at);
    let one = crowded
        .touched(async |node| {
            let detail = node.store.delivery(&acme(), ended.id).await.unwrap().unwrap();
            assert_eq!(detail.attempts.len(), 1);
        })
        .await;
    for table in ["deliveries", "attempts", "events"] {
        one.days(table, &[at]);
        one.entries(&partition(table, at), 4);
    }
}
