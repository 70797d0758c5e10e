//! What changes are, whatever the types of columns.

use postrider_source::mapping::CaptureKind;

use crate::by_each_way;
use crate::crm::{Crm, name, session, table, told};

by_each_way!(
    statements_of_one_transaction_are_one_change_of_each_record,
    what_is_rolled_back_is_not_told,
    a_key_of_several_columns_that_changes_is_a_deletion_and_a_creation,
    a_row_that_moves_to_another_partition_is_one_record_that_changed,
    changes_of_one_record_come_in_the_order_of_their_commits,
    transactions_that_commit_out_of_order_are_all_told,
    a_truncation_is_told_as_a_gap,
    columns_that_are_left_out_are_never_told,
    a_table_altered_meanwhile_goes_on_being_told,
    a_batch_that_is_not_settled_comes_again_under_the_same_ids,
    a_number_whose_scale_alone_changes_has_not_changed,
);

const DEALS: &str = "CREATE TABLE deals (id int PRIMARY KEY, name text, stage text, password text)";

async fn deals(by: CaptureKind) -> Crm {
    Crm::start(by, DEALS, &[table("deals", &["id"]).without(&["password"])]).await
}

async fn statements_of_one_transaction_are_one_change_of_each_record(by: CaptureKind) {
    let mut crm = deals(by).await;
    crm.run("INSERT INTO deals VALUES (1, 'one', 'new'), (2, 'two', 'new'), (3, 'three', 'new')").await;
    crm.changes().await;
    crm.run(
        "BEGIN; UPDATE deals SET stage = 'offer' WHERE id = 1; UPDATE deals SET stage = 'won' WHERE id = 1; \
         UPDATE deals SET stage = 'lost' WHERE id = 2; DELETE FROM deals WHERE id = 2; \
         DELETE FROM deals WHERE id = 3; INSERT INTO deals VALUES (3, 'three', 'again'); \
         INSERT INTO deals VALUES (4, 'four', 'new'); UPDATE deals SET stage = 'offer' WHERE id = 4; \
         INSERT INTO deals VALUES (5, 'five', 'new'); DELETE FROM deals WHERE id = 5; COMMIT",
    )
    .await;
    let changes = crm.changes().await;
    let expected = [
        ("deals", Some(r#""new""#), Some(r#""won""#)),
        ("deals", Some(r#""new""#), None),
        ("deals", Some(r#""new""#), Some(r#""again""#)),
        ("deals", None, Some(r#""offer""#)),
    ];
    assert_eq!(told(&changes, "stage"), expected);
}

async fn what_is_rolled_back_is_not_told(by: CaptureKind) {
    let mut crm = deals(by).await;
    crm.run("BEGIN; INSERT INTO deals VALUES (1, 'one', 'new'); ROLLBACK").await;
    crm.run(
        "BEGIN; INSERT INTO deals VALUES (2, 'two', 'new'); SAVEPOINT a; UPDATE deals SET stage = 'lost'; INSERT INTO deals VALUES (3); \
         ROLLBACK TO a; UPDATE deals SET name = 'zwei'; RELEASE a; COMMIT",
    )
    .await;
    let changes = crm.changes().await;
    assert_eq!(told(&changes, "stage"), [("deals", None, Some(r#""new""#))]);
    assert_eq!(told(&changes, "name"), [("deals", None, Some(r#""zwei""#))]);
}

async fn a_key_of_several_columns_that_changes_is_a_deletion_and_a_creation(by: CaptureKind) {
    let sql = "CREATE TABLE members (team text, person int, role text, PRIMARY KEY (team, person))";
    let mut crm = Crm::start(by, sql, &[table("members", &["team", "person"])]).await;
    crm.run("INSERT INTO members VALUES ('a', 1, 'lead'), ('a1', 1, 'x')").await;
    assert_eq!(crm.changes().await.len(), 2);
    crm.run("UPDATE members SET person = 2 WHERE team = 'a'").await;
    let changes = crm.changes().await;
    assert_eq!(told(&changes, "person"), [("members", Some("1"), None), ("members", None, Some("2"))]);
    assert_eq!(told(&changes, "role")[1].2, Some(r#""lead""#));
}

async fn a_row_that_moves_to_another_partition_is_one_record_that_changed(by: CaptureKind) {
    let sql = "CREATE TABLE messages (id int, year int, body text, PRIMARY KEY (id, year)) PARTITION BY RANGE (year); \
               CREATE TABLE messages_old PARTITION OF messages FOR VALUES FROM (2000) TO (2020) PARTITION BY LIST (year); \
               CREATE TABLE messages_old_rest PARTITION OF messages_old DEFAULT; \
               CREATE TABLE messages_new PARTITION OF messages FOR VALUES FROM (2020) TO (2040)";
    let mut crm = Crm::start(by, sql, &[table("messages", &["id"])]).await;
    crm.run("INSERT INTO messages VALUES (1, 2010, 'hello')").await;
    assert_eq!(told(&crm.changes().await, "year"), [("messages", None, Some("2010"))]);
    crm.run("UPDATE messages SET year = 2030").await;
    assert_eq!(told(&crm.changes().await, "year"), [("messages", Some("2010"), Some("2030"))]);
    crm.run("DELETE FROM messages_new").await;
    assert_eq!(told(&crm.changes().await, "year"), [("messages", Some("2030"), None)]);
}

async fn changes_of_one_record_come_in_the_order_of_their_commits(by: CaptureKind) {
    let mut crm = deals(by).await;
    crm.run("INSERT INTO deals VALUES (1, 'one', '0')").await;
    for stage in 1..50 {
        crm.run(&format!("UPDATE deals SET stage = '{stage}'; INSERT INTO deals VALUES ({}, '', '-')", stage + 1))
            .await;
    }
    let changes = crm.changes().await;
    let stages: Vec<_> = told(&changes, "name")
        .iter()
        .zip(told(&changes, "stage"))
        .filter(|(named, _)| named.2 == Some(r#""one""#))
        .map(|(_, staged)| staged.2.unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (0..50).map(|stage| format!("\"{stage}\"")).collect();
    assert_eq!(stages, expected);
}

async fn transactions_that_commit_out_of_order_are_all_told(by: CaptureKind) {
    let mut crm = deals(by).await;
    let late = session(&crm.database).await;
    late.batch_execute("BEGIN; INSERT INTO deals VALUES (1, 'late', 'new')").await.unwrap();
    crm.run("INSERT INTO deals VALUES (2, 'early', 'new')").await;
    assert_eq!(told(&crm.changes().await, "name"), [("deals", None, Some(r#""early""#))]);
    late.batch_execute("INSERT INTO deals VALUES (3, 'late', 'new'); COMMIT").await.unwrap();
    assert_eq!(crm.changes().await.len(), 2);
}

async fn a_truncation_is_told_as_a_gap(by: CaptureKind) {
    let mut crm = deals(by).await;
    crm.run("INSERT INTO deals VALUES (1, 'one', 'new'); TRUNCATE deals").await;
    let (changes, gaps) = crm.all().await;
    assert_eq!(changes.len(), 1);
    let gaps: Vec<_> = gaps.into_iter().map(|gap| (gap.table, gap.what)).collect();
    assert_eq!(gaps, [(name("deals"), "truncated".to_owned())]);
}

async fn columns_that_are_left_out_are_never_told(by: CaptureKind) {
    let mut crm = deals(by).await;
    crm.run("INSERT INTO deals VALUES (1, 'one', 'new', 'hunter2')").await;
    crm.run("UPDATE deals SET password = 'hunter3'").await;
    crm.run("ALTER TABLE deals ADD token text DEFAULT 'tok'; UPDATE deals SET stage = 'won'").await;
    let changes = crm.changes().await;
    assert_eq!(
        told(&changes, "stage"),
        [("deals", None, Some(r#""new""#)), ("deals", Some(r#""new""#), Some(r#""won""#))]
    );
    for row in changes.iter().flat_map(|change| [&change.before, &change.after]).flatten() {
        assert_eq!(
            row.iter().map(|(column, _)| column).collect::<std::collections::BTreeSet<_>>(),
            ["id", "name", "stage"].into()
        );
    }
}

async fn a_table_altered_meanwhile_goes_on_being_told(by: CaptureKind) {
    let mut crm = deals(by).await;
    crm.run("INSERT INTO deals VALUES (1, 'one', '7')").await;
    crm.run("ALTER TABLE deals DROP name; ALTER TABLE deals ALTER stage TYPE int USING stage::int").await;
    crm.run("UPDATE deals SET stage = 8").await;
    let changes = crm.changes().await;
    assert_eq!(told(&changes, "stage"), [("deals", None, Some(r#""7""#)), ("deals", Some("7"), Some("8"))]);
    assert_eq!(told(&changes, "name")[1], ("deals", None, None));
}

async fn a_batch_that_is_not_settled_comes_again_under_the_same_ids(by: CaptureKind) {
    let mut crm = deals(by).await;
    for id in 1..=5 {
        crm.run(&format!("INSERT INTO deals VALUES ({id}, 'a', 'new'), ({id}0, 'b', 'new')")).await;
    }
    let first = crm.next(4).await;
    assert!(!first.changes.is_empty() && first.changes.len() <= 4);
    let again = crm.next(4).await;
    assert_eq!(
        again.changes[..first.changes.len().min(again.changes.len())],
        first.changes[..first.changes.len().min(again.changes.len())]
    );
    crm.crash();
    let after_crash = crm.next(2).await;
    assert_eq!(after_crash.changes[0], first.changes[0]);
    crm.capture.settle().await.unwrap();
    let settled = after_crash.changes.len();
    let rest = crm.changes().await;
    let keys: Vec<_> =
        told(&after_crash.changes, "id").into_iter().chain(told(&rest, "id")).map(|(_, _, id)| id.unwrap()).collect();
    assert_eq!(keys, ["1", "10", "2", "20", "3", "30", "4", "40", "5", "50"], "{settled} were settled");
}

async fn a_number_whose_scale_alone_changes_has_not_changed(by: CaptureKind) {
    let sql = "CREATE TABLE lines (id int PRIMARY KEY, amount numeric, details jsonb, name text)";
    let mut crm = Crm::start(by, sql, &[table("lines", &["id"])]).await;
    crm.run(r#"INSERT INTO lines VALUES (1, 1.0, '{"a": [1.50]}', 'x')"#).await;
    crm.run(r#"UPDATE lines SET amount = 1.00, details = '{"a": [1.5]}'"#).await;
    crm.run("UPDATE lines SET amount = 1.01").await;
    let changes = crm.changes().await;
    let expected = [("lines", None, Some("1.0")), ("lines", Some("1.00"), Some("1.01"))];
    assert_eq!(told(&changes, "amount"), expected);
}
