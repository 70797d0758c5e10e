//! What holds of replication alone: its slot, and what the database does not tell.

use std::time::Duration;

use postrider_source::capture::CaptureError;
use postrider_source::mapping::CaptureKind;
use postrider_source::replication::publication::{self, Identity};
use tokio::time::timeout;

use crate::crm::{Crm, PATIENCE, ids, name, table, told};

const DEALS: &str = "CREATE TABLE deals (id int PRIMARY KEY, name text, stage text)";

async fn deals() -> Crm {
    Crm::start(CaptureKind::Replication, DEALS, &[table("deals", &["id"])]).await
}

/// How far the database knows changes to be in the store, as bytes before a position.
async fn behind(crm: &Crm, position: &str) -> i64 {
    let sql = "SELECT pg_wal_lsn_diff($2::text::pg_lsn, confirmed_flush_lsn)::bigint FROM pg_replication_slots WHERE slot_name = $1";
    crm.client.query_one(sql, &[&crm.mapping.schema, &position]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_slot_goes_along_while_much_is_caught_up_with() {
    let mut crm = deals().await;
    crm.all().await;
    let one_by_one = |from: u32, to: u32| {
        format!("DO $$ BEGIN FOR n IN {from}..{to} LOOP INSERT INTO deals VALUES (n); COMMIT; END LOOP; END $$")
    };
    crm.run(&one_by_one(1_001, 1_050)).await;
    let soon = now(&crm).await;
    crm.run(&one_by_one(1_051, 1_400)).await;
    let mut told = 0;
    while behind(&crm, &soon).await > 0 {
        told += crm.next(7).await.changes.len();
        assert!(told < 400, "everything is told, and the database knows nothing of it");
        crm.capture.settle().await.unwrap();
    }
}

async fn now(crm: &Crm) -> String {
    crm.client.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap().get(0)
}

/// Asks until the database knows that everything before a position was taken.
async fn until_settled(crm: &mut Crm, position: &str) {
    let settled = async {
        while behind(crm, position).await > 0 {
            let batch = crm.capture.next(10, Duration::from_millis(50)).await.unwrap();
            assert_eq!(batch.changes, []);
        }
    };
    timeout(PATIENCE, settled).await.expect("the slot does not advance");
}

#[tokio::test]
async fn the_slot_advances_while_nothing_of_ours_changes() {
    let mut crm = deals().await;
    crm.changes().await;
    crm.run("CREATE TABLE others (id int); INSERT INTO others SELECT generate_series(1, 1000)").await;
    let position = now(&crm).await;
    until_settled(&mut crm, &position).await;
}

#[tokio::test]
async fn the_slot_stays_before_what_is_not_settled() {
    let mut crm = deals().await;
    crm.changes().await;
    let position = now(&crm).await;
    until_settled(&mut crm, &position).await;
    crm.run("INSERT INTO deals VALUES (1, 'one', 'new')").await;
    let after = now(&crm).await;
    assert_eq!(crm.next(10).await.changes.len(), 1);
    assert_eq!(crm.next(10).await.changes.len(), 1, "it comes again");
    assert!(behind(&crm, &after).await > 0);
    crm.capture.settle().await.unwrap();
    until_settled(&mut crm, &after).await;
}

#[tokio::test]
async fn a_hundred_thousand_rows_of_one_transaction_are_told_once_whatever_crashes() {
    let mut crm = deals().await;
    crm.run("INSERT INTO deals SELECT n, repeat('x', 200), 'new' FROM generate_series(1, 100000) n").await;
    let (mut first, mut told_of) = (Vec::new(), std::collections::BTreeSet::new());
    while first.len() < 60_000 {
        let batch = crm.next(10_000).await;
        assert!(batch.changes.len() <= 10_000);
        crm.capture.settle().await.unwrap();
        first.extend(batch.changes);
    }
    assert_eq!(ids(&first).len(), first.len());
    crm.crash();
    let again = crm.changes().await;
    assert_eq!(again.len(), 100_000, "its transaction was not settled as a whole");
    told_of
        .extend(again.iter().map(|change| change.after.as_ref().unwrap().get("id").unwrap().parse::<u32>().unwrap()));
    assert!(told_of.into_iter().eq(1..=100_000));
    assert!(ids(&first).is_subset(&ids(&again)), "the same changes have the same ids");
    assert_eq!(ids(&again).len(), 100_000);
}

#[tokio::test]
async fn a_transaction_of_several_parts_tells_every_step_of_a_record() {
    let mut crm = deals().await;
    crm.run("INSERT INTO deals SELECT n, '', '0' FROM generate_series(1, 100000) n").await;
    crm.changes().await;
    crm.run("BEGIN; UPDATE deals SET stage = '1'; UPDATE deals SET stage = '2'; COMMIT").await;
    let changes = crm.changes().await;
    assert_eq!(ids(&changes).len(), changes.len());
    let mut stages = vec![r#""0""#.to_owned(); 100_001];
    for change in &changes {
        let (before, after) = (change.before.as_ref().unwrap(), change.after.as_ref().unwrap());
        let id: usize = after.get("id").unwrap().parse().unwrap();
        assert_eq!(before.get("stage"), Some(&*stages[id]), "of record {id}");
        stages[id] = after.get("stage").unwrap().to_owned();
    }
    assert!(stages[1..].iter().all(|stage| stage == r#""2""#));
}

#[tokio::test]
async fn one_node_reads_and_another_takes_over_when_it_goes() {
    let mut crm = deals().await;
    crm.run("INSERT INTO deals VALUES (1, 'one', 'new')").await;
    let first = crm.next(10).await;
    let mut other = crm.another();
    assert!(matches!(other.next(10, PATIENCE).await, Err(CaptureError::Taken)));
    crm.capture = other;
    let taken_over = crm.next(10).await;
    assert_eq!(taken_over.changes, first.changes);
}

#[tokio::test]
async fn a_lost_connection_loses_nothing() {
    let mut crm = deals().await;
    crm.run("INSERT INTO deals VALUES (1, 'one', 'new')").await;
    let first = crm.next(10).await;
    let kill = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1";
    crm.client.query_one(kill, &[&crm.mapping.schema]).await.unwrap();
    let lost = timeout(PATIENCE, async {
        loop {
            crm.capture.settle().await.ok();
            if let Err(error) = crm.capture.next(10, Duration::from_millis(50)).await {
                return error;
            }
        }
    });
    assert!(matches!(lost.await.unwrap(), CaptureError::Unavailable(_)));
    assert!(matches!(crm.capture.settle().await, Err(CaptureError::Unavailable(_))));
    crm.run("INSERT INTO deals VALUES (2, 'two', 'new')").await;
    let rest = crm.changes().await;
    let keys: Vec<_> = told(&rest, "id").into_iter().map(|(_, _, id)| id.unwrap().to_owned()).collect();
    assert_eq!(keys, ["1", "2"], "what the database did not hear of comes again");
    assert_eq!(rest[0], first.changes[0]);
}

#[tokio::test]
async fn without_the_full_row_before_an_update_has_no_previous_values() {
    let mut crm = deals().await;
    crm.run("ALTER TABLE deals REPLICA IDENTITY DEFAULT; ALTER TABLE deals ALTER name SET STORAGE EXTERNAL").await;
    crm.run("INSERT INTO deals VALUES (1, repeat('a', 100000), 'new')").await;
    crm.run("UPDATE deals SET stage = 'won'").await;
    crm.run("UPDATE deals SET id = 2").await;
    crm.run("DELETE FROM deals").await;
    let changes = crm.changes().await;
    let (won, new) = (Some(r#""won""#), Some(r#""new""#));
    let expected = [
        ("deals", None, new),
        ("deals", None, won),
        ("deals", None, None),
        ("deals", None, won),
        ("deals", None, None),
    ];
    assert_eq!(told(&changes, "stage"), expected);
    let keys = [(None, Some("1")), (Some("1"), Some("1")), (Some("1"), None), (None, Some("2")), (Some("2"), None)];
    let found: Vec<_> = told(&changes, "id").into_iter().map(|(_, before, after)| (before, after)).collect();
    assert_eq!(found, keys, "an update is no creation");
    assert_eq!(told(&changes, "name")[1], ("deals", None, None), "a large value that did not change is not told");
}

#[tokio::test]
async fn a_row_that_is_too_large_is_a_gap_and_others_go_on() {
    let mut crm = deals().await;
    crm.run("INSERT INTO deals VALUES (1, repeat('x', 70000000), 'new'); INSERT INTO deals VALUES (2, 'two', 'new')")
        .await;
    let (changes, gaps) = crm.all().await;
    assert_eq!(told(&changes, "id"), [("deals", None, Some("2"))]);
    let gaps: Vec<_> = gaps.into_iter().map(|gap| (gap.table, gap.what)).collect();
    assert_eq!(gaps, [(name("deals"), "a row is larger than can be read".to_owned())]);
}

#[tokio::test]
async fn what_is_missing_is_told_with_what_to_do() {
    let mut crm = deals().await;
    crm.changes().await;
    let elsewhere = Crm::start(CaptureKind::Replication, DEALS, &[]).await;
    crm.capture = elsewhere.another();
    elsewhere.run(&publication::drop_slot_sql(&elsewhere.mapping.schema)).await;
    let Err(CaptureError::Lost(why)) = crm.capture.next(10, PATIENCE).await else { panic!("it is read") };
    assert!(why.contains("postrider source install"), "{why}");
    elsewhere.run(&format!("DROP SCHEMA {} CASCADE", elsewhere.mapping.schema)).await;
    let Err(CaptureError::Unusable(why)) = crm.capture.next(10, PATIENCE).await else { panic!("it is read") };
    assert!(why.contains("postrider source install"), "{why}");
}

#[tokio::test]
async fn the_backlog_tells_how_much_of_the_log_is_kept() {
    let mut crm = deals().await;
    crm.changes().await;
    let before = crm.capture.backlog().await.unwrap();
    crm.run("INSERT INTO deals SELECT n, repeat('x', 1000), 'new' FROM generate_series(1, 1000) n").await;
    let after = crm.capture.backlog().await.unwrap();
    assert!(after.log_bytes.unwrap() > before.log_bytes.unwrap() + 1_000_000);
    assert!(after.fullness > before.fullness);
}

#[tokio::test]
async fn a_table_without_an_identity_is_found_and_its_partitions_each() {
    let crm = deals().await;
    crm.run(
        "CREATE TABLE loose (id int); CREATE TABLE mute (id int PRIMARY KEY); ALTER TABLE mute REPLICA IDENTITY NOTHING; \
         CREATE TABLE parts (id int, year int) PARTITION BY LIST (year); CREATE TABLE part_a PARTITION OF parts DEFAULT; ALTER TABLE part_a REPLICA IDENTITY FULL; \
         CREATE TABLE keyed (id int PRIMARY KEY)",
    )
    .await;
    let tables = ["loose", "mute", "parts", "keyed", "missing"].map(name);
    let found = publication::identities(&crm.client, &tables).await.unwrap();
    let found: Vec<_> = found.iter().map(|table| (&*table.mapped.name, &*table.table.name, table.identity)).collect();
    let expected = [
        ("keyed", "keyed", Identity::Key),
        ("loose", "loose", Identity::Missing),
        ("mute", "mute", Identity::Missing),
        ("parts", "part_a", Identity::Full),
        ("parts", "parts", Identity::Missing),
    ];
    assert_eq!(found, expected);
}
