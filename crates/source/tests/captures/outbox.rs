//! The outbox that triggers fill: after it was full, with rows of every size, and for whoever begins anew in the midst of it.

use std::sync::Arc;
use std::time::Duration;

use postrider_database::Address;
use postrider_scratch::Database;
use postrider_source::capture::{Batch, Capture, CaptureError};
use postrider_source::change::{Change, Gap};
use postrider_source::mapping::Mapping;
use postrider_source::outbox::Outbox;
use tokio_postgres::Client;

use crate::crm::{PATIENCE, get, install};

const DEALS: &str = "CREATE TABLE deals (id int PRIMARY KEY, name text)";
const OF_DEALS: &str =
    "outbox_rows_max = 1000\n[[tables]]\ntable = \"public.deals\"\nresource = \"deal\"\norganization = \"acme\"\n";
/// For how long nothing comes before that is taken for all.
const LOOK: Duration = Duration::from_millis(50);

struct Captured {
    capture: Outbox,
    client: Client,
    mapping: Arc<Mapping>,
    database: Database,
}

impl Captured {
    async fn new(database: Database, sql: &str, mapping: &str) -> Self {
        let client = database.client().await;
        client.batch_execute(sql).await.unwrap();
        let mapping = Arc::new(Mapping::parse(mapping, "source.toml").unwrap());
        install(&client, &mapping).await;
        let capture = outbox(&database, &mapping);
        Captured { capture, client, mapping, database }
    }

    async fn deals() -> Self {
        Self::new(Database::create(), DEALS, OF_DEALS).await
    }

    async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    async fn next(&mut self, changes_max: usize) -> Batch {
        let next = async {
            loop {
                match self.capture.next(changes_max, LOOK).await {
                    Err(CaptureError::Taken) => tokio::task::yield_now().await,
                    batch => return batch.unwrap(),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("an answer")
    }

    /// All that waits, settled.
    async fn taken(&mut self) -> (Vec<Change>, Vec<Gap>) {
        let (mut changes, mut gaps) = (Vec::new(), Vec::new());
        loop {
            let batch = self.next(10_000).await;
            self.capture.settle().await.unwrap();
            if batch.changes.is_empty() && batch.gaps.is_empty() {
                return (changes, gaps);
            }
            changes.extend(batch.changes);
            gaps.extend(batch.gaps);
        }
    }

    /// Changes are made until one is captured.
    async fn captures_again(&mut self) {
        let one_after_the_other = async {
            for id in 1_000_000.. {
                self.run(&format!("INSERT INTO deals VALUES ({id})")).await;
                if !self.taken().await.0.is_empty() {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, one_after_the_other).await.expect("changes are captured again");
    }

    async fn waiting(&self) -> i64 {
        self.client.query_one("SELECT count(*) FROM postrider_source.outbox", &[]).await.unwrap().get(0)
    }
}

fn outbox(database: &Database, mapping: &Arc<Mapping>) -> Outbox {
    Outbox::new(Address::new(&database.url(), &[]).unwrap(), Arc::clone(mapping))
}

fn ids<'c>(changes: &'c [Change], of: impl Fn(&'c Change) -> &'c Option<postrider_source::row::Row>) -> Vec<&'c str> {
    changes.iter().filter_map(|change| get(of(change).as_ref(), "id")).collect()
}

#[tokio::test]
async fn what_was_rolled_back_fills_it_for_a_moment_only() {
    let mut crm = Captured::deals().await;
    assert_eq!(crm.taken().await, (vec![], vec![]));
    crm.run("BEGIN; INSERT INTO deals SELECT generate_series(1, 2001); ROLLBACK").await;
    crm.captures_again().await;
}

#[tokio::test]
async fn what_it_missed_because_it_was_full_fills_it_for_a_moment_only() {
    let mut crm = Captured::deals().await;
    crm.run("INSERT INTO deals SELECT generate_series(1, 2101)").await;
    assert_eq!(crm.taken().await.0.len(), 1_000);
    crm.captures_again().await;
}

#[tokio::test]
async fn the_first_change_of_all_is_seen_however_long_nothing_happened() {
    let mut crm = Captured::deals().await;
    let nothing = crm.capture.next(10, Duration::from_millis(2_500)).await.unwrap();
    assert_eq!(nothing.changes, []);
    crm.run("INSERT INTO deals VALUES (1)").await;
    assert_eq!(ids(&crm.taken().await.0, |change| &change.after), ["1"]);
}

#[tokio::test]
async fn a_batch_has_its_bytes_however_well_the_database_packs_them() {
    let mut crm = Captured::deals().await;
    crm.run("INSERT INTO deals SELECT n, repeat(' ', 1000000) FROM generate_series(1, 30) AS n").await;
    let batch = crm.next(10_000).await;
    assert!(batch.more && (1..=9).contains(&batch.changes.len()), "{} rows of a megabyte", batch.changes.len());
    assert_eq!(crm.taken().await.0.len(), 30, "what was not settled comes again, and all the rest");
}

#[tokio::test]
async fn a_deletion_that_others_ask_for_stays_until_those_behind_it_were_read() {
    let sql = "CREATE TABLE chats (id int PRIMARY KEY, org text); CREATE TABLE messages (id int PRIMARY KEY, chat int)";
    let mapping = "[[tables]]\ntable = \"public.chats\"\nresource = \"chat\"\norganization = { column = \"org\" }\n\
        [[tables]]\ntable = \"public.messages\"\nresource = \"message\"\n\
        organization = { column = \"chat\", joins = [{ table = \"public.chats\", column = \"org\" }] }\n";
    let mut crm = Captured::new(Database::create(), sql, mapping).await;
    crm.run("INSERT INTO chats VALUES (7, 'acme'); INSERT INTO messages SELECT n, 7 FROM generate_series(1, 5) AS n")
        .await;
    crm.taken().await;
    crm.run("BEGIN; DELETE FROM chats; DELETE FROM messages; COMMIT").await;
    let first = crm.next(3).await;
    assert_eq!(ids(&first.changes, |change| &change.before), ["7", "1", "2"]);
    crm.capture.settle().await.unwrap();
    crm.capture = outbox(&crm.database, &crm.mapping);
    let rest = crm.next(100).await;
    assert_eq!(ids(&rest.changes, |change| &change.before), ["7", "3", "4", "5"]);
    assert_eq!(rest.changes[0].id, first.changes[0].id, "it is the same change, which the store has");
    crm.capture.settle().await.unwrap();
    assert_eq!((crm.taken().await.0.len(), crm.waiting().await), (0, 0));
}

#[tokio::test]
async fn a_text_that_is_not_utf_8_is_a_gap_and_holds_up_no_other() {
    let database = Database::create_with("ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
    let mut crm = Captured::new(database, DEALS, OF_DEALS).await;
    crm.run(r"INSERT INTO deals VALUES (1, 'one'), (2, E'caf\xe9'), (3, 'three'), (4, E'\xff'), (5, 'five')").await;
    let (changes, gaps) = crm.taken().await;
    assert_eq!(ids(&changes, |change| &change.after), ["1", "3", "5"]);
    let gaps: Vec<_> = gaps.iter().map(|gap| (gap.table.to_string(), gap.what.as_str())).collect();
    let gap = || ("public.deals".to_owned(), "a value is no text in UTF-8");
    assert_eq!(gaps, [gap(), gap()]);
    assert_eq!(crm.waiting().await, 0);
}
