//! Each way in which a CRM's write could fail or wait because of us: it does not.

use serde_json::json;

use crate::crm::{ACME, Crm, MAPPING, mapping_of};

async fn with_a_deal() -> Crm {
    let crm = Crm::captured().await;
    insert(&crm, 1).await;
    crm.take().await;
    crm
}

async fn insert(crm: &Crm, id: i64) {
    let sql = format!("INSERT INTO deals (id, organization_id, title) VALUES ({id}, '{ACME}', 'a')");
    crm.app().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn the_outbox_is_gone() {
    let crm = with_a_deal().await;
    crm.admin.batch_execute("DROP TABLE postrider_source.outbox").await.unwrap();
    let app = crm.app().await;
    app.batch_execute("UPDATE deals SET stage = 'won'; TRUNCATE messages; DELETE FROM deals").await.unwrap();
    assert_eq!(crm.missed().await, 3);
}

#[tokio::test]
async fn the_outbox_has_other_columns() {
    let crm = with_a_deal().await;
    crm.admin.batch_execute("ALTER TABLE postrider_source.outbox DROP COLUMN note").await.unwrap();
    crm.app().await.batch_execute("UPDATE deals SET stage = 'won'; TRUNCATE messages").await.unwrap();
    assert_eq!(crm.missed().await, 2);
    crm.admin
        .batch_execute(
            "ALTER TABLE postrider_source.outbox ADD COLUMN note text; DROP INDEX postrider_source.outbox_net",
        )
        .await
        .unwrap();
    crm.app().await.batch_execute("UPDATE deals SET stage = 'lost'").await.unwrap();
    assert_eq!(crm.missed().await, 3, "and none without what tells its rows apart");
}

#[tokio::test]
async fn sequences_are_gone() {
    let crm = with_a_deal().await;
    crm.admin.batch_execute("DROP SEQUENCE postrider_source.outbox_id_seq").await.unwrap();
    crm.app().await.batch_execute("UPDATE deals SET stage = 'won'").await.unwrap();
    assert_eq!(crm.missed().await, 1);
    crm.admin.batch_execute("DROP SEQUENCE postrider_source.missed, postrider_source.handed").await.unwrap();
    crm.app().await.batch_execute("UPDATE deals SET stage = 'lost'; TRUNCATE deals").await.unwrap();
    assert_eq!(crm.outbox().await, []);
}

#[tokio::test]
async fn the_schema_is_gone_with_everything() {
    let crm = with_a_deal().await;
    crm.admin.batch_execute("DROP SCHEMA postrider_source CASCADE").await.unwrap();
    crm.app().await.batch_execute("UPDATE deals SET stage = 'won'").await.unwrap();
}

#[tokio::test]
async fn the_outbox_is_full() {
    let crm = Crm::captured_as(&format!("outbox_rows_max = 1000\n{MAPPING}")).await;
    let app = crm.app().await;
    let insert =
        format!("INSERT INTO deals (organization_id, title) SELECT '{ACME}', 'x' FROM generate_series(1, 1003)");
    app.batch_execute(&insert).await.unwrap();
    assert_eq!((crm.outbox().await.len(), crm.missed().await), (1000, 3));
    crm.admin
        .batch_execute("SELECT setval('postrider_source.handed', (SELECT max(id) FROM postrider_source.outbox))")
        .await
        .unwrap();
    crm.take().await;
    app.batch_execute("UPDATE deals SET stage = 'won' WHERE id < 10").await.unwrap();
    assert_eq!((crm.outbox().await.len(), crm.missed().await), (9, 3), "there is room again");
}

#[tokio::test]
async fn the_outbox_is_locked_for_a_moment_and_is_waited_for() {
    let crm = with_a_deal().await;
    let (locker, app) = (crm.session().await, crm.app().await);
    locker.batch_execute("BEGIN; LOCK TABLE postrider_source.outbox").await.unwrap();
    let pid: i32 = app.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let write = app.batch_execute("UPDATE deals SET stage = 'won'");
    let release = async {
        let waits = "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'";
        while crm.admin.query_opt(waits, &[&pid]).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        locker.batch_execute("COMMIT").await.unwrap();
    };
    let (written, ()) = tokio::join!(write, release);
    written.unwrap();
    assert_eq!((crm.outbox().await.len(), crm.missed().await), (1, 0));
}

#[tokio::test]
async fn the_outbox_is_locked_for_good_and_a_transaction_waits_once() {
    let crm = with_a_deal().await;
    let (locker, app) = (crm.session().await, crm.app().await);
    locker.batch_execute("BEGIN; LOCK TABLE postrider_source.outbox").await.unwrap();
    let many = format!(
        "INSERT INTO deals (id, organization_id, title) SELECT n, '{ACME}', 'x' FROM generate_series(11, 210) AS n"
    );
    app.batch_execute(&many).await.unwrap();
    app.batch_execute("SET lock_timeout = '1ms'; UPDATE deals SET stage = 'won' WHERE id = 1").await.unwrap();
    app.batch_execute("SET statement_timeout = '1s'").await.unwrap();
    app.batch_execute("UPDATE deals SET stage = 'lost' WHERE id = 1").await.unwrap();
    app.batch_execute("TRUNCATE messages").await.unwrap();
    assert_eq!(crm.missed().await, 203);
    locker.batch_execute("COMMIT").await.unwrap();
    app.batch_execute("UPDATE deals SET stage = 'won' WHERE id = 1").await.unwrap();
    assert_eq!(crm.outbox().await.len(), 1);
}

#[tokio::test]
async fn columns_are_renamed_retyped_and_dropped_under_a_session_that_goes_on() {
    let crm = with_a_deal().await;
    let app = crm.app().await;
    app.batch_execute("UPDATE deals SET title = 'b'").await.unwrap();
    crm.admin.batch_execute("ALTER TABLE deals ALTER COLUMN amount TYPE text").await.unwrap();
    app.batch_execute("UPDATE deals SET amount = 'much'").await.unwrap();
    crm.admin.batch_execute("ALTER TABLE deals RENAME COLUMN notes TO remarks").await.unwrap();
    app.batch_execute("UPDATE deals SET title = 'c', remarks = 'x'").await.unwrap();
    crm.admin.batch_execute("ALTER TABLE deals DROP COLUMN expected").await.unwrap();
    app.batch_execute("UPDATE deals SET title = 'd'").await.unwrap();
    let changes = crm.take().await;
    assert_eq!(changes.len(), 4);
    assert_eq!(changes[1].values("amount"), (json!(null), json!("much")));
    assert_eq!(changes[2].values("title"), (json!("b"), json!("c")));
    assert_eq!(changes[3].values("title"), (json!("c"), json!("d")));
    let gone = changes[3].after.as_ref().unwrap();
    assert!(gone.get("notes").is_none() && gone.get("expected").is_none(), "{gone}");
    assert_eq!(crm.missed().await, 0);
    crm.install().await;
    app.batch_execute("UPDATE deals SET remarks = 'y'").await.unwrap();
    assert_eq!(crm.take().await[0].values("remarks"), (json!("x"), json!("y")), "and installing again mends it");
}

#[tokio::test]
async fn the_column_of_the_key_is_gone() {
    let crm = with_a_deal().await;
    crm.admin.batch_execute("ALTER TABLE deals RENAME COLUMN id TO number").await.unwrap();
    crm.app().await.batch_execute("UPDATE deals SET title = 'b'").await.unwrap();
    assert_eq!((crm.outbox().await.len(), crm.missed().await), (0, 1));
}

#[tokio::test]
async fn json_that_jsonb_cannot_hold_is_left_out() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    let insert = format!(
        "INSERT INTO contacts (id, organization_id, first_name, raw) VALUES (1, '{ACME}', 'Ann', '{{\"a\": \"\\u0000\"}}')"
    );
    app.batch_execute(&insert).await.unwrap();
    app.batch_execute("UPDATE contacts SET first_name = 'Eva'").await.unwrap();
    app.batch_execute("UPDATE contacts SET raw = '{\"a\": \"\\u0000 more\"}'").await.unwrap();
    let [made, changed] = crm.take().await.try_into().unwrap();
    assert!(made.after.unwrap().get("raw").is_none());
    assert_eq!(changed.values("first_name"), (json!("Ann"), json!("Eva")));
    assert_eq!(crm.missed().await, 1, "what changed in it alone cannot be told");
    app.batch_execute("UPDATE contacts SET raw = '{\"a\": 1}', first_name = 'Ida'").await.unwrap();
    let [mended] = crm.take().await.try_into().unwrap();
    assert_eq!(mended.values("first_name"), (json!("Eva"), json!("Ida")));
    assert!(mended.after.unwrap().get("raw").is_none(), "what has only an after is no change of a value");
}

#[tokio::test]
async fn a_text_that_is_too_long_for_json_is_left_out() {
    let crm = with_a_deal().await;
    let app = crm.app().await;
    app.batch_execute("UPDATE deals SET notes = repeat('x', 269000000), title = 'long'").await.unwrap();
    let [changed] = crm.take().await.try_into().unwrap();
    assert_eq!((changed.values("title").1, changed.after.unwrap().get("notes")), (json!("long"), None));
}

#[tokio::test]
async fn the_table_is_renamed_and_moved() {
    let crm = with_a_deal().await;
    crm.admin
        .batch_execute(
            "CREATE SCHEMA crm; ALTER TABLE deals SET SCHEMA crm; ALTER TABLE crm.deals RENAME TO opportunities",
        )
        .await
        .unwrap();
    crm.admin.batch_execute(&format!("GRANT USAGE ON SCHEMA crm TO {}", crm.app_role())).await.unwrap();
    crm.app().await.batch_execute("UPDATE crm.opportunities SET title = 'b'").await.unwrap();
    assert_eq!(crm.take().await[0].table, "public.deals", "it goes on under the mapping's name");
}

#[tokio::test]
async fn whoever_writes_has_no_right_on_anything_of_ours() {
    let crm = with_a_deal().await;
    let app = crm.app().await;
    for sql in [
        "SELECT * FROM postrider_source.outbox",
        "INSERT INTO postrider_source.outbox SELECT",
        "SELECT nextval('postrider_source.missed')",
        "SELECT postrider_source.missed('x', 'y')",
        "CREATE TEMP TABLE mine (id int); CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION postrider_source.capture_1()",
    ] {
        let refused = app.batch_execute(sql).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{sql}");
    }
    app.batch_execute("UPDATE deals SET title = 'b'").await.unwrap();
    assert_eq!(crm.take().await.len(), 1);
}

#[tokio::test]
async fn a_search_path_of_the_writers_own_changes_nothing() {
    let crm = with_a_deal().await;
    let evil = "CREATE SCHEMA evil; CREATE TABLE evil.outbox (LIKE postrider_source.outbox);
        CREATE FUNCTION evil.jsonb_build_object(VARIADIC \"any\") RETURNS jsonb LANGUAGE internal IMMUTABLE AS 'jsonb_build_array';
        CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT timestamptz ''2000-01-01''';
        CREATE FUNCTION evil.same(jsonb, jsonb) RETURNS bool LANGUAGE sql AS 'SELECT true';
        CREATE OPERATOR evil.= (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = evil.same)";
    crm.admin.batch_execute(evil).await.unwrap();
    crm.admin.batch_execute(&format!("GRANT USAGE ON SCHEMA evil TO {}", crm.app_role())).await.unwrap();
    let app = crm.app().await;
    app.batch_execute("CREATE TEMP TABLE outbox (id int); SET search_path = evil, pg_temp, pg_catalog, public")
        .await
        .unwrap();
    app.batch_execute("UPDATE public.deals SET title = 'b'").await.unwrap();
    let [changed] = crm.take().await.try_into().unwrap();
    assert_eq!(changed.values("title"), (json!("a"), json!("b")));
    assert_eq!(crm.number("SELECT count(*) FROM evil.outbox").await, 0);
}

#[tokio::test]
async fn serializable_writers_of_different_records_do_not_meet_in_the_outbox() {
    let crm = with_a_deal().await;
    insert(&crm, 2).await;
    crm.take().await;
    for level in ["SERIALIZABLE", "REPEATABLE READ"] {
        let (one, other) = (crm.app().await, crm.app().await);
        // What they themselves read is kept apart, so that only the outbox is left for them to meet in.
        let apart = format!("SET enable_seqscan = off; BEGIN ISOLATION LEVEL {level}");
        for (client, id) in [(&one, 1), (&other, 2)] {
            client.batch_execute(&apart).await.unwrap();
            client.batch_execute(&format!("UPDATE deals SET title = '{level}' WHERE id = {id}")).await.unwrap();
        }
        // Rows are handed over and deleted meanwhile.
        crm.take().await;
        for (client, id) in [(&one, 1), (&other, 2)] {
            client.batch_execute(&format!("UPDATE deals SET notes = '{level}' WHERE id = {id}; COMMIT")).await.unwrap();
        }
        assert_eq!(crm.take().await.len(), 2, "{level}");
    }
}

#[tokio::test]
async fn keys_that_are_longer_than_an_index_row() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    let insert = |name: &str| format!("INSERT INTO preferences VALUES ('{ACME}', {name}, '1')");
    // Such a key fits into the CRM's own index, which compresses it, and takes four bytes a character in ours.
    app.batch_execute(&insert("repeat('\u{1f600}', 5000)")).await.unwrap();
    let sql = format!("BEGIN; {}; {}; COMMIT", insert("repeat('x', 700) || 1"), insert("repeat('x', 700) || 2"));
    app.batch_execute(&sql).await.unwrap();
    assert_eq!(
        (crm.take().await.len(), crm.missed().await),
        (2, 1),
        "two that begin alike in one transaction cannot be told apart"
    );
}

#[tokio::test]
async fn values_with_a_cast_of_the_owners_own_that_fails() {
    let crm = Crm::captured_as(&mapping_of("public.odd", "")).await;
    let odd = "CREATE TYPE mood AS ENUM ('x');
        CREATE FUNCTION mood_json(mood) RETURNS json LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
        CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
        CREATE TABLE odd (id int PRIMARY KEY, m mood, n int)";
    crm.admin.batch_execute(odd).await.unwrap();
    crm.install().await;
    crm.admin.batch_execute("INSERT INTO odd VALUES (1, 'x', 2)").await.unwrap();
    let [made] = crm.take().await.try_into().unwrap();
    assert_eq!(made.after, Some(json!({"id": 1, "n": 2})));
}

#[tokio::test]
async fn the_outbox_is_looked_at_again_once_a_savepoint_has_given_its_lock_back() {
    let crm = with_a_deal().await;
    let app = crm.app().await;
    app.batch_execute("BEGIN; SAVEPOINT s; UPDATE deals SET title = 'b'; ROLLBACK TO s").await.unwrap();
    // Nothing keeps the outbox from going now.
    crm.admin.batch_execute("DROP TABLE postrider_source.outbox").await.unwrap();
    app.batch_execute("UPDATE deals SET title = 'c'; COMMIT").await.unwrap();
    assert_eq!(crm.missed().await, 1);
}

#[tokio::test]
async fn a_mark_that_the_writer_sets_or_takes_away_changes_nothing() {
    let crm = with_a_deal().await;
    let app = crm.app().await;
    app.batch_execute(
        "SET postrider_source.looked_at = 'x'; UPDATE deals SET title = 'b'; RESET postrider_source.looked_at; UPDATE deals SET title = 'c'",
    )
    .await
    .unwrap();
    assert_eq!((crm.take().await.len(), crm.missed().await), (1, 0));
}

#[tokio::test]
async fn a_column_became_json_that_nothing_can_read() {
    let crm = with_a_deal().await;
    crm.admin
        .batch_execute("UPDATE deals SET notes = '{\"a\": \"\\u0000\"}'; ALTER TABLE deals ALTER COLUMN notes TYPE json USING notes::json")
        .await
        .unwrap();
    crm.take().await;
    crm.app().await.batch_execute("DELETE FROM deals").await.unwrap();
    let [gone] = crm.take().await.try_into().unwrap();
    assert!(gone.before.is_some() && gone.after.is_none());
}
